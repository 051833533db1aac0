"""Gates asked of a real ledger: the answer is recorded, stands on what stood still, and comes out again."""

import itertools
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from ledgers import append, cloud_event, submission

from ledger.authority import Caller
from ledger.clock import to_text
from ledger.conditions import Match
from ledger.errors import NotFoundError
from ledger.ledger import Ledger
from ledger.log.reading import read_entries
from ledger.log.recorder import Outcome, Recorded
from ledger.stewardship.credentials import enrol_source, issue_token
from projections import VIEWS
from projections.engine.progress import ask_for_rebuild
from projections.engine.runner import Runner
from projections.engine.serving import ViewNotReadyError
from projections.gates import asking as gates
from projections.gates.asking import GateBusyError, ask
from projections.gates.rechecking import recheck
from projections.judging.gate_rule import Question

ARTIFACT, SCOPE, MODEL = ("sha256:" + letter * 64 for letter in "abc")
BY_REVIEW = {"change": "not-required", "code-review": "required"}
POLICY = {"policy_id": "change-approval", "version": "1", "policy_digest": "sha256:" + "9" * 64}


@pytest.fixture
def runner(ledger: Ledger) -> Iterator[Runner]:
    made = Runner(ledger.database, VIEWS, ledger.watcher)
    assert made.acquire()
    yield made
    made.close()


def value(name: str, number: str) -> dict[str, str]:
    return {"name": name, "value": number}


def set_up(ledger: Ledger, *changes: str) -> None:
    """A policy, a model, a trigger, and changes that were assessed and approved by bob."""
    model = {"model_id": "m", "version": "1", "model_digest": MODEL}
    enrol_source(ledger, 
        "https://ci.example.com/*", door="events", principal=ledger.local_caller().principal, actor="person:olga",
        authority_for=["person:*"],
    )  # fmt: skip
    append(
        ledger,
        cloud_event(
            "policy.published", actor="person:olga", **POLICY,
            settings=[{"name": "quorum", "applies_to": "any", "value": "1"}],
        ),
        cloud_event("policy.approved", actor="person:oscar", **POLICY),
        cloud_event(
            "rollback.trigger_defined", actor="person:bob", trigger_id="T", version="1", service="api",
            environment="prod", metric="errors", comparator="gt", threshold="0.02", window_s=300, min_samples=10,
            mode="manual",
        ),
        cloud_event(
            "risk.model_published", actor="person:dan", **model, form="weighted_points", features_version="1",
            parameters=[value("x", "1")], bands=[value("low", "0")],
        ),
        cloud_event("risk.model_approved", actor="person:erin", **model),
    )  # fmt: skip
    for change in changes:
        append(
            ledger,
            cloud_event(
                "change.opened", actor="person:alice", change_id=change, change_type="normal", services=["api"],
                environment="prod", title="x",
            ),
            cloud_event(
                "change.submitted", actor="person:alice", change_id=change, artifacts=[ARTIFACT]
            ),
            cloud_event("risk.assessed", change_id=change, **model, features=[value("x", "1")], score="1", band="low"),
        )  # fmt: skip
        approve(ledger, change)


def approve(ledger: Ledger, change: str) -> None:
    """An approval by bob, reported by a source that may speak for him."""
    append(ledger, cloud_event("approval.granted", actor="person:bob", change_id=change))


def question(ledger: Ledger, change: str = "CHG-1") -> Question:
    now = to_text(ledger.clock.now_us())
    return Question("deploy", now, "service:ci", change, None, "api", "prod", ARTIFACT)


def decisions(ledger: Ledger) -> list[Any]:
    with ledger.database.read() as connection:
        found = read_entries(connection, [Match(("gate.decided",))], limit=None)
        return [(entry.position, entry.document["statement"]["data"]) for entry in found]


def test_an_answer_is_recorded_with_its_rules_and_comes_out_again(ledger: Ledger, runner: Runner) -> None:
    set_up(ledger, "CHG-1")
    read_at = runner.catch_up()
    decision = ask(ledger, VIEWS, question(ledger))
    assert (decision.verdict, decision.read_at) == ("allow", read_at), decision.answers
    assert decision.receipt is not None
    ((position, data),) = decisions(ledger)
    assert (position, data["verdict"], data["policy_version"]) == (decision.receipt.position, "allow", "1")
    assert [rule["rule"] for rule in data["rules"]] == [a.rule for a in decision.answers]
    # What comes later changes no answer that was given.
    append(ledger, cloud_event("change.cancelled", actor="person:alice", change_id="CHG-1"))
    runner.catch_up()
    assert ask(ledger, VIEWS, question(ledger)).verdict == "deny"
    assert [recheck(ledger, VIEWS, at).agrees for at, _ in decisions(ledger)] == [True, True]


def test_what_is_no_decision_is_not_checked(ledger: Ledger, runner: Runner) -> None:
    runner.catch_up()
    with pytest.raises(NotFoundError, match=r"is ledger\.opened"):
        recheck(ledger, VIEWS, 1)


def test_no_gate_answers_before_the_views_are_there(ledger: Ledger) -> None:
    with pytest.raises(ViewNotReadyError):
        ask(ledger, VIEWS, question(ledger))
    assert decisions(ledger) == []


def test_a_question_is_asked_again_when_its_facts_have_moved(ledger: Ledger, runner: Runner) -> None:
    set_up(ledger, "CHG-1")
    runner.catch_up()
    append(ledger, cloud_event("change.cancelled", actor="person:alice", change_id="CHG-1"))
    # The views are behind: what they hold would allow.
    thread = threading.Thread(target=runner.start)
    thread.start()
    decision = ask(ledger, VIEWS, question(ledger))
    thread.join()
    assert (decision.verdict, len(decisions(ledger))) == ("deny", 1)


def test_a_commit_that_is_merged_a_moment_before_is_known_to_be(ledger: Ledger, runner: Runner) -> None:
    settings = [{"name": name, "applies_to": "any", "value": word} for name, word in BY_REVIEW.items()]
    append(ledger, cloud_event("policy.published", actor="person:olga", **POLICY, settings=settings))
    append(ledger, cloud_event("policy.approved", actor="person:oscar", **POLICY))
    runner.catch_up()
    commit = "b" * 40
    of = {"repository": "acme/api", "pull_request": 7, "head_sha": "a" * 40}
    append(ledger, cloud_event("code.merged", actor="person:ben", **of, merge_sha=commit, branch="main"))
    thread = threading.Thread(target=runner.start)
    thread.start()
    now = to_text(ledger.clock.now_us())
    asked = Question("deploy", now, "service:ci", None, None, "api", "prod", commit=commit)
    decision = ask(ledger, VIEWS, asked)
    thread.join()
    (reviewed,) = (answer for answer in decision.answers if answer.rule == "code-is-reviewed")
    assert reviewed.reason == "not-reviewed", reviewed


def test_facts_that_never_stand_still_leave_nothing_recorded(
    ledger: Ledger, runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_up(ledger, "CHG-1")
    runner.catch_up()
    inner = gates.answer

    def answer(asked: Question, *more: Any) -> Any:
        found = inner(asked, *more)
        approve(ledger, "CHG-1")
        return found

    monkeypatch.setattr(gates, "answer", answer)
    monkeypatch.setattr(gates, "await_position", lambda *a, **k: runner.catch_up())
    with pytest.raises(GateBusyError, match="5 times"):
        ask(ledger, VIEWS, question(ledger))
    assert decisions(ledger) == []


def withdrawn(position: int) -> dict[str, Any]:
    return cloud_event("statement.withdrawn", actor="person:alice", position=position, reason="error")


def test_who_withdraws_what_no_rule_read_holds_no_gate_up(
    ledger: Ledger, runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_up(ledger, "CHG-1")
    [elsewhere] = append(ledger, cloud_event(change_id="CHG-9", service="other"))
    runner.catch_up()
    real = gates.answer

    def meanwhile_withdrawn(*asked: Any) -> Any:
        found = real(*asked)
        append(ledger, *[withdrawn(elsewhere.receipts[0].position)] * 2, withdrawn(1))
        return found

    monkeypatch.setattr(gates, "answer", meanwhile_withdrawn)
    # The views have not seen the withdrawals: nobody waited for them.
    assert ask(ledger, VIEWS, question(ledger)).verdict == "allow"
    assert len(decisions(ledger)) == 1


FREEZE = {"environments": ["prod"], "start": "2026-01-01T00:00:00Z", "end": "2999-01-01T00:00:00Z"}


def said_by_a_stranger(ledger: Ledger, stranger: Caller, number: int) -> list[Outcome]:
    """Say what every gate looks at, whatever it is about, without the power to."""
    who = {"actor": stranger.principal}
    where = {"framework": "sox", **FREEZE}
    events = (
        cloud_event("freeze.declared", **who, freeze_id=f"S-{number}", **FREEZE),
        cloud_event("environment.declared", **who, environment=f"other-{number}", tier="staging"),
        cloud_event("compliance_window.declared", **who, window_id=f"W-{number}", **where),
    )
    return ledger.append_group([submission(ledger, event, caller=stranger) for event in events])


def test_who_declares_without_the_power_to_holds_no_gate_up(
    ledger: Ledger, runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_up(ledger, "CHG-1")
    issued, _, _ = issue_token(
        ledger, actor="person:olga", principal="service:stranger", kind="service", roles=["reporter"]
    )
    stranger = Caller(issued, "service:stranger", "token", ledger.authority.credentials[issued])
    read_at = runner.catch_up()
    real, state, numbers = gates.answer, ledger.state, itertools.count()

    def meanwhile_declared(*asked: Any) -> Any:
        found = real(*asked)
        assert all(isinstance(one, Recorded) for one in said_by_a_stranger(ledger, stranger, next(numbers)))
        return found

    def and_again(*asked: Any, **more: Any) -> Any:
        # Between the last look and the lock, too, each time.
        said_by_a_stranger(ledger, stranger, next(numbers))
        return state(*asked, **more)

    monkeypatch.setattr(gates, "answer", meanwhile_declared)
    monkeypatch.setattr(ledger, "state", and_again)
    decision = ask(ledger, VIEWS, question(ledger))
    # The views have not seen what was declared: nobody waited for them.
    assert (decision.verdict, decision.read_at) == ("allow", read_at)
    assert next(numbers) > 2
    monkeypatch.undo()
    runner.catch_up()
    [(position, _)] = decisions(ledger)
    assert recheck(ledger, VIEWS, position).agrees


def test_what_is_declared_by_who_was_given_the_power_a_moment_ago_is_waited_for(
    ledger: Ledger, runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_up(ledger, "CHG-1")
    runner.catch_up()
    real, asked = gates.answer, []

    def meanwhile_declared(*given: Any) -> Any:
        asked.append(given)
        found = real(*given)
        if len(asked) == 1:
            roles = {"kind": "human", "roles": ["reporter", "operator"]}
            issued, _, _ = issue_token(ledger, actor="person:olga", principal="person:frank", **roles)
            frank = Caller(issued, "person:frank", "token", ledger.authority.credentials[issued])
            freeze = cloud_event("freeze.declared", actor="person:frank", freeze_id="F", **FREEZE)
            ledger.append_group([submission(ledger, freeze, caller=frank)])
            runner.catch_up()
        return found

    monkeypatch.setattr(gates, "answer", meanwhile_declared)
    assert ask(ledger, VIEWS, question(ledger)).verdict == "deny"
    assert len(asked) == 2


def test_a_withdrawal_of_what_a_rule_read_is_waited_for(
    ledger: Ledger, runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_up(ledger, "CHG-1")
    read_at = runner.catch_up()
    real, asked = gates.answer, []

    def meanwhile_withdrawn(*given: Any) -> Any:
        asked.append(given)
        found = real(*given)
        if len(asked) == 1:
            append(ledger, withdrawn(read_at))
            runner.catch_up()
        return found

    monkeypatch.setattr(gates, "answer", meanwhile_withdrawn)
    # At `read_at` is the approval.
    assert ask(ledger, VIEWS, question(ledger)).verdict == "needs_approval"
    assert len(asked) == 2


def test_a_gate_that_is_asked_while_new_tables_take_over_is_asked_again(
    ledger: Ledger, runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_up(ledger, "CHG-1")
    runner.catch_up()
    wanted = ask(ledger, VIEWS, question(ledger))
    runner.catch_up()
    inner, answers = gates.answer, []

    def answer(asked: Question, *more: Any) -> Any:
        if not answers:
            ask_for_rebuild(ledger.database, VIEWS, ["change_tickets"])
            runner.catch_up()
        answers.append(inner(asked, *more))
        return answers[-1]

    monkeypatch.setattr(gates, "answer", answer)
    again = ask(ledger, VIEWS, question(ledger))
    assert len(answers) == 2
    assert (again.verdict, again.answers) == (wanted.verdict, wanted.answers)


def test_every_decision_of_a_race_comes_out_again(ledger: Ledger, runner: Runner) -> None:
    changes = [f"CHG-{number}" for number in range(4)]
    set_up(ledger, *changes)
    runner.catch_up()
    runner.start()
    answered, ended, faults = threading.Semaphore(0), threading.Event(), []

    def keep_asking(change: str) -> None:
        while not ended.is_set():
            try:
                ask(ledger, VIEWS, question(ledger, change))
            except GateBusyError:
                pass
            except BaseException as error:
                faults.append(error)
                raise
            finally:
                answered.release()

    def let_all_answer() -> None:
        """Wait until somebody has asked, and been answered, after what was said last."""
        while answered.acquire(blocking=False):
            pass
        for _ in range(2 * len(changes)):
            assert answered.acquire(timeout=600)

    threads = [threading.Thread(target=keep_asking, args=(change,)) for change in changes]
    for thread in threads:
        thread.start()
    now = ledger.clock.now_us()
    for number in range(2):
        # All of them share environment:prod; the freeze holds every change, the withdrawal one.
        freeze = {"actor": "person:frank", "freeze_id": f"F-{number}"}
        append(ledger, cloud_event("freeze.declared", **freeze, environments=["prod"], time_zone="UTC",
            start=to_text(now - 10**9), end=to_text(now + 10**10)))  # fmt: skip
        let_all_answer()
        append(ledger, cloud_event("approval.withdrawn", actor="person:bob", change_id="CHG-0"))
        append(ledger, cloud_event("freeze.lifted", **freeze))
        let_all_answer()
        approve(ledger, "CHG-0")
        let_all_answer()
    ended.set()
    for thread in threads:
        thread.join()
    assert not faults
    found = decisions(ledger)
    assert {data["verdict"] for _, data in found} >= {"allow", "deny"}
    assert [at for at, _ in found if not recheck(ledger, VIEWS, at).agrees] == []

"""5.1 Deployments tied to change tickets, both ways: given these facts, this is found, and this is answered."""

import itertools
from typing import Any

import pytest
from asking import against, ask, ready_to_deploy
from changes import (
    ARTIFACT,
    CHG,
    OTHER,
    SCOPE,
    approve,
    assess,
    deploy,
    finding,
    found,
    open_change,
    opened,
    pass_time,
    publish,
    ready,
    request,
    review,
)
from people import enrol
from telling import Story, at
from year import DAY, HOUR, START, TITLE, Change, Year, stamp

from ledger.authority import LEDGER_PRINCIPAL
from projections.readings.changes.facts import change_facts
from projections.readings.changes.scopes import MOST, change_scopes
from projections.readings.changes.tickets import change_tickets
from projections.readings.changes.wordings import wordings
from projections.readings.delivery.deployments import deployments
from projections.readings.delivery.gate_decisions import gate_decisions
from projections.readings.delivery.named_services import named_services
from projections.rules.digests import list_digest

HEAD, OTHER_HEAD, MERGED = "1" * 40, "2" * 40, "3" * 40


def test_a_change_by_the_book_is_no_finding() -> None:
    story = ready()
    deploy(story, artifact=ARTIFACT)
    review(story)
    pass_time(story, 50)
    assert found(story) == {}


def test_a_change_that_starts_before_its_approval_stays_found() -> None:
    story = opened()
    assess(story)
    request(story)
    deploy(story)
    assert found(story) == {"started-without-approval": ["CHG-7"]}
    approve(story)
    assert found(story) == {"started-without-approval": ["CHG-7"]}


@pytest.mark.parametrize("named", ["artifacts", "commits"])
def test_a_deployment_of_which_nobody_says_what_its_scope_names_is_found(named: str) -> None:
    story = opened()
    story.tell("change.submitted", actor="person:alice", **CHG, **{named: [ARTIFACT if named == "artifacts" else HEAD]})
    assess(story)
    request(story)
    approve(story)
    deploy(story, artifact=ARTIFACT if named == "commits" else None)
    assert found(story) == {"artifact-not-said": ["d-1"]}
    # When somebody says it, it is held against the scope.
    said = {"artifact": OTHER} if named == "artifacts" else {"commit": OTHER_HEAD}
    story.tell("deployment.finished", deployment_id="d-1", service="api", environment="prod", outcome="success", **said)
    assert found(story) == {"artifact-not-approved": ["d-1"]}


def test_a_scope_that_is_amended_after_the_start_takes_no_approval_back() -> None:
    story = ready()
    deploy(story)
    story.tell("change.scope_amended", actor="person:alice", **CHG, artifacts=[OTHER])
    assert found(story) == {}


def test_what_is_said_of_a_change_beyond_the_first_hundred_counts_for_nothing_and_is_found_once() -> None:
    story = opened()
    window = {"planned_start": at(0), "planned_end": at(90000), "time_zone": "UTC"}
    for _ in range(MOST - 1):
        taken_back = story.tell("change.scope_amended", actor="person:alice", **CHG, artifacts=[ARTIFACT])
    assert found(story) == {}
    beyond = story.tell("change.scope_amended", actor="person:zoe", **CHG, artifacts=[OTHER])
    story.tell("change.submitted", actor="person:zoe", **CHG, artifacts=[OTHER])
    row = story.row(change_scopes, "CHG-7")
    assert (row.artifacts, row.authors, len(row.versions)) == ((ARTIFACT,), ("person:alice",), MOST)
    assert finding(story, "scope-said-too-often", "CHG-7").positions == (beyond,)
    # What is taken back makes room.
    story.tell("statement.withdrawn", actor="person:alice", position=taken_back, reason="stated-in-error")
    row = story.row(change_scopes, "CHG-7")
    assert (row.artifacts, row.authors) == ((OTHER,), ("person:alice", "person:zoe"))
    story = opened()
    for number in range(MOST + 2):
        story.tell("change.scheduled", actor="person:alice", **CHG, **window | {"planned_end": at(90000 + number)})
        open_change(story, "normal")
    row = story.row(change_scopes, "CHG-7")
    assert (row.planned_end, len(row.windows), len(row.openings)) == (at(90000 + MOST - 1), MOST, MOST)
    assert set(found(story)) == {"scope-said-too-often"}


def test_an_unauthorized_change_is_found_until_it_is_reviewed() -> None:
    story = Story()
    open_change(story, "unauthorized")
    assert found(story) == {"unauthorized-change": ["CHG-7"]}
    review(story)
    assert found(story) == {}


def test_what_is_deployed_for_a_change_that_was_not_authorized_had_no_change() -> None:
    story = Story()
    # Before the act: it lets nobody act, and whoever reviews it ends nothing of what was done.
    open_change(story, "unauthorized")
    deploy(story)
    review(story, "person:eve")
    assert found(story)["deployment-without-change"] == ["d-1"]


def test_an_approved_change_that_nobody_deploys_is_found_when_its_window_ends() -> None:
    story = ready()
    story.tell("change.scheduled", actor="person:alice", **CHG, planned_start=at(20), planned_end=at(30))
    pass_time(story, 10)
    assert found(story) == {}
    pass_time(story, 20)
    assert found(story) == {"approved-and-not-deployed": ["CHG-7"]}


def test_a_deployment_without_a_change_stays_found_when_one_is_opened_and_linked_later() -> None:
    story = Story()
    deploy(story, change=None)
    assert found(story) == {"deployment-without-change": ["d-1"]}
    row = finding(story, "deployment-without-change", "d-1")
    assert (row.severity, row.says) == ("high", "d-1 put api into prod without a change")
    open_change(story)
    story.tell("change.linked", actor="person:ann", change_id="CHG-7", deployment_id="d-1")
    assert set(found(story)) == {"deployment-without-change", "started-without-approval"}
    row = finding(story, "deployment-without-change", "d-1")
    assert row.says == "d-1 put api into prod without a change"
    assert (row.acted_at, row.acted_position, row.known_then) == (at(1), 1, True)
    assert (row.justified_by, row.justified_at, row.justified_position) == ("person:ann", at(5), 5)
    # That it was done for the change, and the change had no approval, nobody could know then.
    assert finding(story, "started-without-approval", "CHG-7").known_then is False


def of_a_narrow_change() -> Story:
    """Something that was deployed for CHG-7 out of its window, not as it was approved; and CHG-8, which has room for it."""
    story = ready()
    story.tell("change.scheduled", actor="person:alice", **CHG, planned_start=at(0), planned_end=at(1))
    open_change(story, change="CHG-8")
    story.tell("change.scope_amended", actor="person:alice", change_id="CHG-8", artifacts=[OTHER])
    deploy(story, artifact=OTHER)
    return story


@pytest.mark.parametrize("who", ["a pipeline", "somebody without power", "whoever deployed", "an operator"])
def test_a_link_to_another_change_ends_nothing_that_was_found_of_a_deployment(who: str) -> None:
    story = of_a_narrow_change()
    before = found(story)
    assert {"artifact-not-approved", "outside-window"} <= set(before)
    by = {"a pipeline": "service:mallory", "somebody without power": "person:mallory", "whoever deployed": "service:ci"}
    if who == "an operator":
        story.tell(
            "change.linked",
            actor="person:olga",
            change_id="CHG-8",
            deployment_id="d-1",
            by=LEDGER_PRINCIPAL,
            token="key:story",
        )
        assert story.row(deployments, "d-1").change_id == "CHG-8"
        after = found(story)
        assert all(after[rule] == before[rule] for rule in ("artifact-not-approved", "outside-window"))
        return
    story.tell("change.linked", actor=by[who], change_id="CHG-8", deployment_id="d-1")
    row = finding(story, "linked-by-who-may-not", "d-1")
    assert row.says == f"d-1 was linked to CHG-8 by {by[who]}, and stays of CHG-7"
    assert found(story) == before | {"linked-by-who-may-not": ["d-1"]}
    assert [done.deployment_id for done in story.row(change_facts, "CHG-7").done] == ["d-1"]
    assert not story.row(change_facts, "CHG-8").done


def test_whoever_linked_a_deployment_may_link_it_to_another_change_and_anybody_from_one_that_nobody_opened() -> None:
    story = ready()
    open_change(story, change="CHG-8")
    deploy(story, change="CHG-TYPO", artifact=ARTIFACT)
    for by, change, stands in (("ann", "CHG-7", "CHG-7"), ("eve", "CHG-8", "CHG-7"), ("ann", "CHG-8", "CHG-8")):
        story.tell("change.linked", actor=f"person:{by}", change_id=change, deployment_id="d-1")
        assert story.row(deployments, "d-1").change_id == stands
    # What was done for no change that there was, was done without one.
    assert finding(story, "deployment-without-change", "d-1").says.endswith(": CHG-TYPO was never opened")


def test_a_link_within_the_lag_ties_a_deployment_to_its_change() -> None:
    story = ready()
    deploy(story, change=None, artifact=OTHER)
    assert found(story) == {"deployment-without-change": ["d-1"]}
    late = ready()
    deploy(late, change=None, artifact=OTHER, time=at(len(late.log) + 2))
    assert "deployment-without-change" in found(late)


def test_a_deployment_that_names_a_change_which_nobody_opened_is_one_without() -> None:
    story = Story()
    deploy(story, change="CHG-TYPO")
    assert finding(story, "deployment-without-change", "d-1").says.endswith(": CHG-TYPO was never opened")


def test_what_is_deployed_under_a_cancelled_change_had_no_leave() -> None:
    story = ready()
    story.tell("change.cancelled", actor="person:alice", **CHG)
    deploy(story, artifact=ARTIFACT)
    assert "was cancelled at" in finding(story, "started-without-approval", "CHG-7").says


def test_a_scope_that_is_amended_to_what_was_deployed_excuses_nothing() -> None:
    story = ready()
    deploy(story, artifact=OTHER)
    story.tell("change.scope_amended", actor="person:alice", **CHG, artifacts=[OTHER])
    assert found(story) == {"artifact-not-approved": ["d-1"]}
    assert finding(story, "artifact-not-approved", "d-1").justified_by == "person:alice"


def test_an_approval_that_is_dated_back_justifies_nothing() -> None:
    story = opened()
    assess(story)
    deploy(story)
    approve(story, time=at(6))
    assert found(story) == {"started-without-approval": ["CHG-7"]}
    row = finding(story, "started-without-approval", "CHG-7")
    assert (row.known_then, row.justified_by, row.justified_at) == (True, "person:bob", at(len(story.log)))


def test_a_deployment_that_is_reported_late_is_judged_at_its_time_and_at_its_recording() -> None:
    story = ready()
    hour = len(story.log)
    story.tell("change.scheduled", actor="person:alice", **CHG, planned_start=at(1), planned_end=at(hour + 2))
    pass_time(story, 5)
    deploy(story, artifact=ARTIFACT, time=at(hour + 1))
    assert set(found(story)) == {"reported-late", "outside-window"}


def test_a_change_that_is_opened_again_as_another_one_stays_what_it_was() -> None:
    story = ready()
    open_change(story, actor="person:zoe")
    assert found(story) == {"opened-twice": ["CHG-7"]}
    row = story.row(change_scopes, "CHG-7")
    assert (row.author, row.authors) == ("person:alice", ("person:alice", "person:zoe"))
    again = ready()
    open_change(again)
    assert found(again) == {}


def test_a_failed_attempt_may_be_repeated_and_the_change_goes_on_until_all_of_it_is_through() -> None:
    story = ready(services=["api", "web"])
    assert story.row(change_tickets, "CHG-7").remaining == ("api in prod", "web in prod")
    where = {"deployment_id": "d-1", "environment": "prod", **CHG}
    states = []
    for service, outcome in (("api", "failure"), ("api", "success"), ("web", "success")):
        story.tell("deployment.started", actor="service:ci", **where, service=service, artifact=ARTIFACT)
        story.tell("deployment.finished", **where, service=service, outcome=outcome)
        row = story.row(change_tickets, "CHG-7")
        states.append((row.state, row.remaining))
    assert states == [
        ("implementing", ("api in prod", "web in prod")),
        ("implementing", ("web in prod",)),
        ("reviewing", ()),
    ]
    assert found(story) == {}


def test_a_finding_calls_a_service_as_others_do_and_stays_one_however_often_it_is_judged() -> None:
    story = Story()
    for outcome in ("failure", "success"):
        story.tell(
            "deployment.finished", deployment_id="d-1", service="pay%20api%2525", environment="prod", outcome=outcome
        )
    row = finding(story, "deployment-without-change", "d-1")
    assert row.says == "d-1 put pay api%25 into prod without a change"
    assert [change.position for change in row.changes] == [1, 2]


def test_another_artifact_than_the_approved_one_is_found() -> None:
    story = ready()
    assert story.row(change_scopes, "CHG-7").artifacts == (ARTIFACT,)
    deploy(story, artifact=OTHER)
    assert found(story) == {"artifact-not-approved": ["d-1"]}


@pytest.mark.parametrize(("start", "is_found"), [(40, True), (1, False)])
def test_a_deployment_outside_its_window_stays_found_whatever_is_planned_later(start: int, is_found: bool) -> None:
    story = ready()
    story.tell("change.scheduled", actor="person:alice", **CHG, planned_start=at(start), planned_end=at(50))
    deploy(story)
    assert ("outside-window" in found(story)) is is_found
    story.tell("change.scheduled", actor="person:alice", **CHG, planned_start=at(1), planned_end=at(60), time=at(1))
    assert ("outside-window" in found(story)) is is_found


def test_an_amended_scope_voids_the_approval_at_the_gate() -> None:
    story = ready_to_deploy()
    story.tell("change.scope_amended", actor="person:alice", change_id="CHG-7", artifacts=[OTHER])
    found = against(ask(story))
    assert found["change-may-start"] == ("insufficient_evidence", "draft")
    assert found["change-is-approved"] == ("needs_approval", "quorum")


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"artifact": "sha256:" + "b" * 64}, ("deny", "other-artifact")),
        ({"artifact": None}, ("insufficient_evidence", "not-said")),
        ({"service": "web"}, ("deny", "other-service")),
        ({"environment": "staging"}, ("deny", "other-environment")),
        ({"commit": "2" * 40}, None),
    ],
)
def test_only_what_was_approved_may_be_deployed(more: dict[str, Any], reason: tuple[str, str] | None) -> None:
    assert against(ask(ready_to_deploy(), **more)).get("deployed-is-approved") == reason


def test_what_is_approved_is_the_scope_as_it_was_submitted_and_not_what_the_change_was_opened_for() -> None:
    story = ready_to_deploy()
    for number, commit in ((1, HEAD), (2, OTHER_HEAD)):
        told = {"repository": "shop", "pull_request": number, "head_sha": commit}
        story.tell("code.proposed", authors=["person:alice"], **told)
        if commit == HEAD:
            story.tell("code.merged", actor="person:alice", merge_sha=MERGED, **told)
    story.tell("change.submitted", actor="person:alice", **CHG, services=["web"], artifacts=[ARTIFACT], commits=[HEAD])
    of = {"service": "web", "commit": HEAD}
    for more, reason in (
        ({}, None),
        ({"commit": MERGED}, None),
        ({"commit": OTHER_HEAD}, ("deny", "other-commit")),
        ({"service": "api"}, ("deny", "other-service")),
    ):
        assert against(ask(story, hours=40, **of | more)).get("deployed-is-approved") == reason
    deploy(story, service="web", commit=OTHER_HEAD)
    assert found(story)["artifact-not-approved"] == ["d-1"]


def test_what_is_promoted_to_production_is_approved_as_what_is_deployed_there() -> None:
    story = ready_to_deploy()
    publish(story, ("verification", "any", "optional"), version="2")
    promoted = {"deployment_id": "d-1", "environment": "staging", "to_environment": "prod", "hours": 40}
    # To staging, no change is needed.
    deploy(story, change=None, environment="staging", artifact=OTHER)
    for more, reason in (
        ({"change_id": None}, ("insufficient_evidence", "no-scope")),
        ({}, ("deny", "other-artifact")),
        ({"to_environment": "qa"}, None),
        ({"to_environment": None}, ("insufficient_evidence", "not-said")),
    ):
        asked = against(ask(story, "promote", **promoted | {"artifact": OTHER} | more))
        assert asked.get("promoted-is-approved") == reason
    deploy(story, "d-2", environment="staging", artifact=ARTIFACT)
    assert ask(story, "promote", **promoted | {"deployment_id": "d-2"}).verdict == "allow"
    story.tell("approval.withdrawn", actor="person:bob", **CHG)
    assert against(ask(story, "promote", **promoted | {"deployment_id": "d-2"})) == {
        "promoted-is-approved": ("needs_approval", "quorum")
    }


@pytest.mark.parametrize(("hours", "verdict"), [(29.9, "deny"), (30, "allow"), (40, "allow"), (40.1, "deny")])
def test_the_window_is_kept(hours: float, verdict: str) -> None:
    story = ready_to_deploy()
    story.tell("change.scheduled", actor="person:alice", change_id="CHG-7", planned_start=at(30), planned_end=at(40))
    outside = {} if verdict == "allow" else {"window-is-open": ("deny", "outside-window")}
    assert against(ask(story, hours=hours)) == outside


@pytest.mark.parametrize(
    ("window", "is_outside"),
    [
        ({"window_start": at(60)}, True),
        ({"window_end": at(3)}, True),
        ({"window_start": at(3), "window_end": at(60)}, False),
    ],
)
def test_the_window_that_the_approved_scope_names_is_kept_too(window: dict[str, str], is_outside: bool) -> None:
    story = ready_to_deploy()
    story.tell("change.submitted", actor="person:alice", **CHG, artifacts=[ARTIFACT], **window)
    assess(story)
    approve(story)
    outside = {"window-is-open": ("deny", "outside-scope")} if is_outside else {}
    assert against(ask(story)) == outside
    # No window that the change is given later is wider.
    story.tell("change.scheduled", actor="person:alice", **CHG, planned_start=at(1), planned_end=at(90))
    assert against(ask(story)) == outside
    deploy(story, artifact=ARTIFACT)
    assert found(story) == ({"outside-window": ["d-1"]} if is_outside else {})


def test_what_is_stated_as_the_digest_of_a_scope_and_is_another_is_found() -> None:
    story = opened()
    story.tell("change.submitted", actor="person:alice", **CHG, scope_digest=OTHER, artifacts=[ARTIFACT])
    assert found(story) == {"stated-digest-differs": ["CHG-7"]}
    row = story.row(change_scopes, "CHG-7")
    other = opened()
    other.tell(
        "change.submitted", actor="person:alice", **CHG, scope_digest=row.versions[-1].digest, artifacts=[ARTIFACT]
    )
    assert found(other) == {}


def test_a_wording_that_is_dated_back_under_an_approval_is_not_approved() -> None:
    story = ready()
    now = len(story.log)
    # Both within the lag: the approver saw the one that was on record.
    story.tell("change.scope_amended", actor="person:alice", **CHG, artifacts=[OTHER], time=at(now - 0.1))
    deploy(story, artifact=OTHER)
    assert "started-without-approval" in found(story)


# -- the gate and the act --------------------------------------------------------------------------------------------------


def decide(story: Story, verdict: str = "allow", **more: Any) -> int:
    """An answer of the gate, as the ledger records one."""
    said = {"change_id": "CHG-7", "service": "api", "environment": "prod", "artifact": ARTIFACT} | more
    asked = at(len(story.log) + 1)
    rules = [{"rule": "x", "version": 1, "verdict": verdict, "reason": "x"}]
    expires = {"expires_at": at(len(story.log) + 3)} if verdict == "allow" else {}
    return story.tell(
        "gate.decided", by="service:ledger", token="key:0", gate="deploy", gate_version=1, verdict=verdict, asked_at=asked,
        read_at=len(story.log), rules=rules, **{name: told for name, told in said.items() if told is not None}, **expires,
    )  # fmt: skip


def gated() -> Story:
    story = ready()
    publish(story, ("deploy-gate", "production", "required"))
    return story


def test_a_deployment_by_an_allow_in_force_is_no_finding() -> None:
    story = gated()
    decide(story)
    deploy(story, artifact=ARTIFACT)
    assert found(story) == {}
    row = story.row(gate_decisions, str(len(story.log) - 2))
    assert (row.gate, row.verdict, row.artifact) == ("deploy", "allow", ARTIFACT)


def test_a_deployment_that_the_gate_was_not_asked_about_is_found() -> None:
    story = gated()
    deploy(story, artifact=ARTIFACT)
    assert found(story) == {"gate-bypassed": ["d-1"]}
    decide(story)
    assert found(story) == {"gate-bypassed": ["d-1"]}


def test_an_allow_that_is_over_or_of_elsewhere_is_none() -> None:
    over = gated()
    decide(over)
    pass_time(over, 5)
    deploy(over, artifact=ARTIFACT)
    assert found(over) == {"gate-bypassed": ["d-1"]}
    # To where something would be promoted, is asked of another gate.
    for named in ({}, {"to_environment": "prod"}):
        elsewhere = gated()
        decide(elsewhere, environment="staging", **named)
        deploy(elsewhere, artifact=ARTIFACT)
        assert found(elsewhere) == {"gate-bypassed": ["d-1"]}


def test_a_deployment_against_the_gate_and_one_of_another_artifact_are_found() -> None:
    denied = gated()
    decide(denied, "deny")
    deploy(denied, artifact=ARTIFACT)
    assert found(denied) == {"deployed-against-the-gate": ["d-1"]}
    # The gate was asked about this very deployment, and the act is the deployment all the same.
    named = gated()
    asked = decide(named, "deny", deployment_id="d-1")
    deploy(named, artifact=ARTIFACT)
    row = finding(named, "deployed-against-the-gate", "d-1")
    assert (row.positions[0], row.acted_position) == (asked, asked + 1)
    other = gated()
    decide(other, artifact=OTHER)
    deploy(other, artifact=ARTIFACT)
    assert found(other) == {"deployed-by-another-artifact": ["d-1"]}


def test_who_asks_the_gate_about_another_artifact_changes_nothing_of_what_it_had_answered() -> None:
    for about in ({"artifact": OTHER}, {"artifact": None}):
        story = gated()
        decide(story)
        decide(story, "deny", **about)
        deploy(story, artifact=ARTIFACT)
        assert found(story) == {}
    story = gated()
    decide(story, artifact=OTHER)
    decide(story, "deny")
    deploy(story, artifact=ARTIFACT)
    assert found(story) == {"deployed-against-the-gate": ["d-1"]}


def test_an_allow_is_for_one_attempt() -> None:
    story = gated()
    decide(story)
    deploy(story, artifact=ARTIFACT)
    story.tell("deployment.started", time=at(len(story.log) - 0.5), actor="service:ci", deployment_id="d-2", service="api",
        environment="prod", artifact=ARTIFACT, **CHG)  # fmt: skip
    assert found(story)["gate-bypassed"] == ["d-2"]


def test_questions_that_come_later_take_no_answer_from_what_was_deployed_before() -> None:
    for verdict, expected in (("allow", {}), ("deny", {"deployed-against-the-gate": ["d-1"]})):
        story = gated()
        decide(story, verdict)
        deploy(story, artifact=ARTIFACT)
        for _ in range(70):
            decide(story)
        assert found(story) == expected


def test_what_is_done_elsewhere_hides_no_use_of_an_allow() -> None:
    story = gated()
    decide(story)
    begun = len(story.log)
    # All of it happens while the `allow` holds.
    story._hours = (begun + 1 + number / 1000 for number in itertools.count(1))  # type: ignore[assignment]
    deploy(story, artifact=ARTIFACT)
    for number in range(70):
        deploy(story, f"dev-{number}", change=None, environment="dev")
    assert found(story) == {}
    deploy(story, "d-2", artifact=ARTIFACT)
    assert "had used" in finding(story, "gate-bypassed", "d-2").says


def plan(story: Story, start: float, end: float, actor: str = "person:alice", **more: Any) -> int:
    times = {"planned_start": at(start), "planned_end": at(end)}
    return story.tell("change.scheduled", **{"actor": actor} | more, **CHG, **times)


def test_nobody_moves_the_window_that_others_planned_without_the_power_to() -> None:
    own = [("service:mallory", "service:mallory"), ("service:mallory", "person:alice"), ("person:eve", "person:eve")]
    for by, actor in own:
        story = ready()
        if by == "person:eve":
            # Who sends the scope once more, as it is, is an author by that; the window is not theirs.
            story.tell("change.submitted", actor="person:eve", **CHG, artifacts=[ARTIFACT])
            assess(story)
        plan(story, 30, 40)
        position = plan(story, 1, 99, actor, by=by)
        deploy(story, artifact=ARTIFACT)
        assert found(story) == {"outside-window": ["d-1"], "planned-by-who-may-not": ["CHG-7"]}
        assert finding(story, "planned-by-who-may-not", "CHG-7").positions == (position,)
    for by in ("person:alice", "service:planner", "service:desk"):
        story = ready()
        enrol(story, "service:planner", types=("change.scheduled",))
        plan(story, 30, 40, "service:desk")
        plan(story, 1, 99, by)
        deploy(story, artifact=ARTIFACT)
        assert found(story) == {}, by


def test_a_service_of_which_the_name_is_spelled_in_another_case_is_found_once() -> None:
    story = Story()
    for number, name in enumerate(("api", "Api", "API", "api")):
        deploy(story, f"d-{number}", service=name, environment="staging", change=None)
    row = finding(story, "service-spelled-in-two-ways", "api")
    assert row.says.startswith("the name api is spelled API, Api, api: ")
    assert len(row.changes) == 2
    assert story.row(named_services, "api").deployments == 4


def test_what_was_tried_elsewhere_is_not_deployed_where_it_was_planned() -> None:
    story = ready()
    plan(story, 1, 12)
    deploy(story, environment="staging", artifact=ARTIFACT)
    pass_time(story, 3)
    assert found(story) == {"approved-and-not-deployed": ["CHG-7"]}
    deploy(story, "d-2", artifact=ARTIFACT)
    assert "approved-and-not-deployed" not in found(story)


def test_a_window_that_recurs_holds_each_time_and_not_between() -> None:
    for wait, expected in ((48, None), (53, ["d-1"])):
        story = ready()
        begin = len(story.log) + 1
        story.tell("change.scheduled", actor="person:alice", **CHG, planned_start=at(begin), planned_end=at(begin + 3),
            recurs="FREQ=DAILY", except_at=[at(begin + 24)])  # fmt: skip
        pass_time(story, wait)
        deploy(story, artifact=ARTIFACT)
        assert found(story).get("outside-window") == expected, wait


def test_a_window_that_nobody_can_compute_is_found_and_holds_nothing() -> None:
    for more in ({"time_zone": "Mars/Phobos", "recurs": "FREQ=DAILY"}, {"planned_end": at(1)}):
        story = ready()
        told = {"planned_start": at(10), "planned_end": at(99)} | more
        story.tell("change.scheduled", actor="person:alice", **CHG, **told)
        deploy(story, artifact=ARTIFACT)
        assert found(story) == {"window-holds-nothing": ["CHG-7"], "outside-window": ["d-1"]}


# -- planted in the year -------------------------------------------------------------------------------------------------


def plant_a_deployment_without_a_change(year: Year, change: Change) -> set[str]:
    # Nothing is ever planned for it: in the window of another change it would be taken for that one's deployment.
    change.service, change.is_opened = "service-unplanned", False
    return {f"deployment-without-change/{change.deployment}"}


def plant_another_artifact(year: Year, change: Change) -> set[str]:
    change.deployed = year.digest()
    return {f"artifact-not-approved/{change.deployment}"}


def plant_a_deployment_of_which_nobody_says_what_it_was(year: Year) -> set[str]:
    at, about = START + 41 * DAY, dict[str, Any](change_id="CHG-unsaid")
    year.say(at, "change.opened", actor="person:dan", **about, change_type="standard", services=["unsaid"],
        environment="prod", title=TITLE)  # fmt: skip
    year.say(at + HOUR, "change.submitted", actor="person:dan", **about, artifacts=[ARTIFACT])
    year.say(at + 2 * HOUR, "deployment.finished", deployment_id="d-unsaid", service="unsaid", environment="prod", **about,
        outcome="success")  # fmt: skip
    return {"artifact-not-said/d-unsaid", "started-without-approval/CHG-unsaid", "deployer-without-grant/d-unsaid"}


def plant_a_deployment_after_its_window(year: Year, change: Change) -> set[str]:
    """Its time passes, and then it is deployed all the same."""
    change.early = 2 * DAY
    return {f"outside-window/{change.deployment}", f"approved-and-not-deployed/{change.id}"}


def plant_a_deployment_that_nobody_approved(year: Year, change: Change) -> set[str]:
    change.is_approved = False
    return {f"started-without-approval/{change.id}"}


def plant_a_change_that_is_never_deployed(year: Year, change: Change) -> set[str]:
    change.is_deployed = False
    return {f"approved-and-not-deployed/{change.id}"}


def plant_a_window_that_a_pipeline_moves(year: Year) -> set[str]:
    at, about = START + 40 * DAY, {"change_id": "CHG-moved"}
    year.say(at, "change.opened", actor="person:dan", **about, change_type="normal", services=["platform"],
        environment="staging", title=TITLE)  # fmt: skip
    for number, who in enumerate(("person:dan", "service:nightly")):
        begin = at + (2 + number) * DAY
        year.say(at + (1 + number) * HOUR, "change.scheduled", actor=who, **about, planned_start=stamp(begin),
            planned_end=stamp(begin + HOUR))  # fmt: skip
    return {"planned-by-who-may-not/CHG-moved"}


def plant_an_unauthorized_change(year: Year, change: Change) -> set[str]:
    change.kind = "unauthorized"
    # It lets nobody act, whenever it was opened.
    return {f"unauthorized-change/{change.id}", f"deployment-without-change/{change.deployment}"}


# -- evasions: what is said afterwards talks nothing away -----------------------------------------------------------------


def plant_a_ticket_that_is_written_and_linked_afterwards(year: Year, change: Change) -> set[str]:
    change.service, change.is_opened = "service-afterwards", False
    after, late = change.begins + HOUR, f"{change.id}-late"
    year.say(after, "change.opened", actor=change.author, change_id=late, change_type="normal", services=[change.service],
        environment="prod", title=TITLE)  # fmt: skip
    year.say(after, "change.submitted", actor=change.author, change_id=late, artifacts=[change.artifact])
    year.say(after + HOUR, "change.linked", by=change.approver, actor=change.approver, change_id=late,
        deployment_id=change.deployment)  # fmt: skip
    return {f"deployment-without-change/{change.deployment}", f"started-without-approval/{late}"}


def plant_a_scope_that_is_amended_to_what_was_deployed_and_a_link_to_a_wider_change(
    year: Year, change: Change
) -> set[str]:
    change.deployed, wider = year.digest(), f"{change.id}-wider"
    before, after = change.begins - 30 * HOUR, change.begins + HOUR
    year.say(after, "change.scope_amended", actor=change.author, change_id=change.id, artifacts=[change.deployed])
    year.say(before, "change.opened", actor=change.author, change_id=wider, change_type="normal", services=[change.service],
        environment="prod", title=TITLE)  # fmt: skip
    year.say(before + HOUR, "change.submitted", actor=change.author, change_id=wider, artifacts=[change.deployed])
    year.say(after, "change.linked", actor=change.author, change_id=wider, deployment_id=change.deployment)
    return {f"artifact-not-approved/{change.deployment}", f"linked-by-who-may-not/{change.deployment}"}


def plant_an_approval_that_is_dated_back(year: Year, change: Change) -> set[str]:
    change.is_approved = False
    year.say(change.begins - 20 * HOUR, "approval.granted", late=30 * HOUR, by=change.approver, actor=change.approver,
        change_id=change.id, role="release-approver")  # fmt: skip
    return {f"started-without-approval/{change.id}"}


def plant_a_deployment_that_is_reported_a_day_later(year: Year, change: Change) -> set[str]:
    """By then its window is over, and it had seemed that nobody used it."""
    change.late = DAY
    return {
        f"reported-late/{change.deployment}",
        f"outside-window/{change.deployment}",
        f"approved-and-not-deployed/{change.id}",
    }


def plant_a_change_that_another_opens_again(year: Year, change: Change) -> set[str]:
    year.say(change.begins - 25 * HOUR, "change.opened", actor="person:frank", change_id=change.id, change_type="emergency",
        services=[change.service], environment="prod", title=TITLE)  # fmt: skip
    return {f"opened-twice/{change.id}"}


def plant_a_change_that_is_amended_without_end(year: Year, change: Change) -> set[str]:
    for _ in range(MOST):
        year.say(change.begins - 28.5 * HOUR, "change.submitted", actor=change.author, change_id=change.id,
            artifacts=[change.artifact])  # fmt: skip
    return {f"scope-said-too-often/{change.id}"}


def plant_a_digest_that_is_not_the_scopes(year: Year, change: Change) -> set[str]:
    year.say(change.begins - 28.5 * HOUR, "change.submitted", actor=change.author, change_id=change.id,
        artifacts=[change.artifact], scope_digest=year.digest())  # fmt: skip
    return {f"stated-digest-differs/{change.id}"}


def plant_a_policy_that_asks_for_the_gate_in_some_places(year: Year) -> set[str]:
    year.settings.append(("deploy-gate", "prod-gated-*", "required"))
    return set()


def plant_a_deployment_that_the_gate_was_not_asked_about(year: Year, change: Change) -> set[str]:
    change.environment = f"prod-gated-{change.deployment}"
    rules = ("gate-bypassed", "artifact-not-approved", "deployer-without-grant")
    return {f"{rule}/{change.deployment}" for rule in rules}


def plant_a_window_that_recurs_by_a_rule_that_nobody_can_compute(year: Year, change: Change) -> set[str]:
    """It is said in time, as the last word, and the change is deployed all the same."""
    year.say(change.begins - HOUR, "change.scheduled", actor=change.author, change_id=change.id,
        planned_start=stamp(change.begins - HOUR), planned_end=stamp(change.begins + HOUR),
        recurs="FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30;COUNT=9999", time_zone="UTC")  # fmt: skip
    return {f"window-holds-nothing/{change.id}"}


def test_the_approval_of_an_emergency_that_an_authority_told_late_counts_when_its_own_list_has_it() -> None:
    story = opened("emergency")
    story.tell("ledger.source_enrolled", actor="person:olga", source="test", door="github", principal="service:github",
        must_sign=False, authority_for=["github:*"])  # fmt: skip
    deploy(story, artifact=ARTIFACT)
    start = len(story.log)
    pass_time(story, 40)
    late = story.tell("approval.granted", by="service:github", actor="github:2", **CHG, time=at(start + 2))
    assert set(found(story)) == {"retro-approval-overdue", "started-without-approval"}
    ids = [str(late)]
    story.tell("source.reconciled", actor="service:github", source="test", period_start=at(0), period_end=at(start + 9),
        listed=ids, listed_count=1, listed_digest=list_digest(ids), missing_count=0, extra_count=0)  # fmt: skip
    assert found(story) == {}


def plant_a_service_by_another_name(year: Year) -> set[str]:
    for number, name in enumerate(("portal", "Portal")):
        year.say(START + (30 + number) * DAY, "deployment.finished", deployment_id=f"d-{name}", service=name,
            environment="staging", outcome="success")  # fmt: skip
    return {"service-spelled-in-two-ways/portal"}


def test_an_approval_is_of_the_wording_that_stood_and_of_no_other_when_that_is_taken_back() -> None:
    for digest in ("named", "called so", None):
        story = opened()
        about = {"actor": "service:ci", **CHG}
        story.tell("change.submitted", **about, artifacts=[OTHER])
        told = story.tell("change.submitted", **about, artifacts=[ARTIFACT], scope_digest=SCOPE)
        version = story.row(change_scopes, "CHG-7").versions[-1]
        approve(story, digest={"named": version.digest, "called so": SCOPE, None: None}[digest])
        row = story.row(change_tickets, "CHG-7")
        assert [approval.counts for approval in row.approvals] == [True]
        assert len(story.row(wordings, "CHG-7").told) == 3
        story.tell("statement.withdrawn", by="service:ci", position=told, reason="x", token="token:ci")
        row = story.row(change_tickets, "CHG-7")
        assert [approval.why for approval in row.approvals] == ["S3: the scope is another one now"], digest
        # Nor is it of what is called as that was, or is dated to before it.
        story.tell("change.submitted", **about, artifacts=[OTHER], scope_digest=version.digest, time=at(5))
        assert not any(approval.counts for approval in story.row(change_tickets, "CHG-7").approvals)
        # The very same, said again, is what a digest names.
        story.tell("change.submitted", **about, artifacts=[ARTIFACT])
        counts = [approval.counts for approval in story.row(change_tickets, "CHG-7").approvals]
        assert counts == [digest == "named"]


def test_what_was_taken_back_before_an_approval_is_not_what_it_is_of() -> None:
    story = opened()
    about = {"actor": "person:alice", **CHG}
    told = story.tell("change.submitted", **about, artifacts=[OTHER])
    story.tell("statement.withdrawn", position=told, reason="x", actor="person:alice", by="person:alice")
    approve(story)
    assert [approval.counts for approval in story.row(change_tickets, "CHG-7").approvals] == [True]

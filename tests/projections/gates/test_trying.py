"""What another policy would have said of what gates decided: each asked again as of then, and the entries read once."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from ledgers import append, cloud_event

import projections
from ledger.clock import to_text
from ledger.ledger import Ledger
from ledger.stewardship.credentials import enrol_source
from projections import VIEWS
from projections.engine import log
from projections.engine.runner import Runner
from projections.gates import asking, trying
from projections.gates.asking import ask
from projections.gates.composition import GATES
from projections.gates.trying import Tried, try_policy
from projections.judging.gate_rule import Question, Rule
from projections.readings.people import settings
from projections.readings.people.policies import POLICY, InForce, Setting

ARTIFACT = "sha256:" + "a" * 64
SETTINGS = (("quorum", "any", "1"), ("risk", "any", "not-required"), ("rollback-triggers", "any", "0"))
EVER = "0001-01-01T00:00:00.000000Z"


@pytest.fixture
def runner(sqlite_ledger: Ledger) -> Iterator[Runner]:
    made = Runner(sqlite_ledger.database, VIEWS, sqlite_ledger.watcher)
    assert made.acquire()
    yield made
    made.close()


def set_up(ledger: Ledger, changes: int) -> None:
    """A policy in force, and changes by alice that bob, whom a source reports, approved."""
    about = {"policy_id": POLICY, "version": "1", "policy_digest": "sha256:" + "9" * 64}
    enrol_source(ledger, "https://ci.example.com/*", door="events", principal=ledger.local_caller().principal,
        actor="person:olga", authority_for=["person:*"])  # fmt: skip
    told = [dict(zip(("name", "applies_to", "value"), setting, strict=True)) for setting in SETTINGS]
    now(
        ledger,
        cloud_event("policy.published", actor="person:olga", **about, settings=told),
        cloud_event("policy.approved", actor="person:oscar", **about),
    )  # fmt: skip
    for number in range(changes):
        about = {"change_id": f"CHG-{number}"}
        append(
            ledger,
            cloud_event("change.opened", actor="person:alice", **about, change_type="normal", services=["api"],
                environment="prod", title="x"),
            cloud_event("change.submitted", actor="person:alice", **about, artifacts=[ARTIFACT]),
            cloud_event("approval.granted", actor="person:bob", **about),
        )  # fmt: skip


def now(ledger: Ledger, *events: dict[str, Any]) -> None:
    append(ledger, *({**event, "time": to_text(ledger.clock.now_us())} for event in events))


def decide(ledger: Ledger, change: str, **more: Any) -> str:
    asked = {"service": "api", "environment": "prod", "artifact": ARTIFACT} | more
    return ask(ledger, VIEWS, Question("deploy", to_text(ledger.clock.now_us()), "service:ci", change, **asked)).verdict


def under(*settings: tuple[str, str, str]) -> InForce:
    return InForce(POLICY, "2", None, tuple(Setting(*setting) for setting in settings))


def tried(ledger: Ledger, policy: InForce, since: str = EVER) -> Tried:
    return try_policy(ledger.database, VIEWS, policy, since)


def test_what_would_have_been_answered_otherwise_is_told_and_nothing_is_recorded(
    sqlite_ledger: Ledger, runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_up(sqlite_ledger, 3)
    runner.catch_up()
    verdicts = [decide(sqlite_ledger, name) for name in ("CHG-0", "CHG-1", "CHG-99")]
    assert verdicts == ["allow", "allow", "insufficient_evidence"]
    # What comes later is not of then.
    append(sqlite_ledger, cloud_event("change.cancelled", actor="person:alice", change_id="CHG-1"))
    runner.catch_up()
    size = sqlite_ledger.size()
    same = tried(sqlite_ledger, under(*SETTINGS))
    assert (same.asked, same.differs, same.is_all) == (3, (), True)
    two = tried(sqlite_ledger, under(("quorum", "any", "2"), *SETTINGS[1:]))
    assert [(d.recorded.change_id, d.recorded.verdict, d.again.verdict) for d in two.differs] == [
        ("CHG-0", "allow", "needs_approval"), ("CHG-1", "allow", "needs_approval"),
    ]  # fmt: skip
    no_trigger = tried(sqlite_ledger, under(*SETTINGS[:2]))
    assert [d.again.verdict for d in no_trigger.differs] == ["deny", "deny", "deny"]
    assert sqlite_ledger.size() == size
    since = to_text(sqlite_ledger.clock.now_us())
    assert tried(sqlite_ledger, under(*SETTINGS), since).asked == 0
    monkeypatch.setattr(trying, "MAX_TRIED", 2)
    last = tried(sqlite_ledger, under(*SETTINGS[:2]))
    assert (last.asked, last.is_all, [d.recorded.change_id for d in last.differs]) == (2, False, ["CHG-1", "CHG-99"])


def test_a_decision_more_costs_what_it_alone_looks_at(
    sqlite_ledger: Ledger, runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_up(sqlite_ledger, 1)
    runner.catch_up()
    for _ in range(8):
        decide(sqlite_ledger, "CHG-0")
    runner.catch_up()
    read = []
    entries = log.SqlLog.entries
    monkeypatch.setattr(log.SqlLog, "entries", lambda self, *a, **m: read.append(1) or entries(self, *a, **m))
    counts = []
    for most in (1, 4, 8):
        monkeypatch.setattr(trying, "MAX_TRIED", most)
        read.clear()
        assert tried(sqlite_ledger, under(*SETTINGS)).asked == most
        counts.append(len(read))
    # About the same change, everything is read once.
    assert counts[0] == counts[1] == counts[2]


def rules_asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list to which the name of every rule is added that is asked from here on."""
    asked: list[str] = []
    call = Rule.__call__
    monkeypatch.setattr(Rule, "__call__", lambda self, *args: asked.append(self.name) or call(self, *args))
    return asked


def test_only_rules_that_asked_for_what_is_another_setting_are_asked_again(
    sqlite_ledger: Ledger, runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_up(sqlite_ledger, 2)
    runner.catch_up()
    for number in range(2):
        decide(sqlite_ledger, f"CHG-{number}")
    runner.catch_up()
    asked = rules_asked(monkeypatch)
    for policy, expected in (
        (under(*SETTINGS), set()),
        # In another order, and what holds already where nothing is said of it.
        (under(*reversed(SETTINGS)), set()),
        (under(*SETTINGS, ("dispose-role", "any", "boss")), set()),
        (under(*SETTINGS[:2]), {"rollback-is-prepared"}),
    ):
        asked.clear()
        tried(sqlite_ledger, policy)
        assert set(asked) == expected
    asked.clear()
    tried(sqlite_ledger, under(("quorum", "any", "2"), *SETTINGS[1:]))
    assert "change-is-approved" in asked
    assert "scans-are-clean" not in asked


def test_whichever_setting_is_another_one_the_same_decisions_differ_as_if_all_rules_were_asked(
    sqlite_ledger: Ledger, runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_up(sqlite_ledger, 2)
    append(
        sqlite_ledger,
        cloud_event("freeze.declared", actor="person:olga", freeze_id="F", environments=["staging"],
            start="2026-01-01T00:00:00Z", end="2027-01-01T00:00:00Z", time_zone="UTC"),
    )  # fmt: skip
    runner.catch_up()
    decide(sqlite_ledger, "CHG-0")
    decide(sqlite_ledger, "CHG-1", environment="staging")
    decide(sqlite_ledger, "CHG-99")
    ask(sqlite_ledger, VIEWS, Question("close", to_text(sqlite_ledger.clock.now_us()), "person:bob", "CHG-0"))
    ask(sqlite_ledger, VIEWS, Question("approve", to_text(sqlite_ledger.clock.now_us()), "person:eve", "CHG-1"))
    runner.catch_up()
    policies = [
        under(*SETTINGS, (declared.name, "any", value))
        for declared in settings.SETTINGS.values()
        for value in (getattr(declared, "choices", ()) or ("boss" if isinstance(declared, settings.Words) else "7",))
        if declared.name not in {name for name, _, _ in SETTINGS}
    ]
    assert len(policies) > 80
    found = [told(sqlite_ledger, policy) for policy in policies]
    monkeypatch.setattr(trying._Again, "_rules", lambda self, data: list(GATES[data["gate"]].rules))
    assert [told(sqlite_ledger, policy) for policy in policies] == found
    assert any(found)


def test_nobody_asks_a_policy_past_what_notes_it() -> None:
    """`settings` without a note, or whether there is a version. What is named here is asked by no gate, or notes it itself."""
    past = re.compile(r"\bpolicy\.(settings\b|version (is|[!=]=))")
    root = Path(projections.__file__).parent
    found = {path.name for path in root.rglob("*.py") if past.search(path.read_text())}
    assert found == {"satisfiable.py", "environments.py", "trail.py"}


def told(ledger: Ledger, policy: InForce) -> list[tuple[int, str]]:
    return [(one.position, one.again.verdict) for one in tried(ledger, policy).differs]


def test_decisions_of_before_settings_were_noted_are_asked_again_whole(
    sqlite_ledger: Ledger, runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_up(sqlite_ledger, 1)
    runner.catch_up()
    data = asking._data(
        ask(sqlite_ledger, VIEWS, Question("deploy", to_text(sqlite_ledger.clock.now_us()), "service:ci", "CHG-0"))
    )
    del data["settings"]
    sqlite_ledger.state("gate.decided", data | {"rules": [{**rule, "settings": []} for rule in data["rules"]]})
    runner.catch_up()
    asked = rules_asked(monkeypatch)
    tried(sqlite_ledger, under(*SETTINGS))
    assert len(asked) == len(GATES["deploy"].rules)


def test_decisions_about_as_many_changes_are_read_together(
    sqlite_ledger: Ledger, runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_up(sqlite_ledger, 7)
    runner.catch_up()
    for number in range(7):
        decide(sqlite_ledger, f"CHG-{number}")
    runner.catch_up()
    said: list[str] = []
    sa.event.listen(sqlite_ledger.database.engine, "before_cursor_execute", lambda _, __, sql, *more: said.append(sql))
    counts = []
    for most in (2, 7):
        monkeypatch.setattr(trying, "MAX_TRIED", most)
        said.clear()
        assert len(tried(sqlite_ledger, under(("quorum", "any", "2"), *SETTINGS[1:])).differs) == most
        counts.append(len(said))
    # Not a statement more for five decisions more.
    assert counts[0] == counts[1]

"""What a gate asks by now changes no decision of before: rules are asked again by their name and version."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import pytest
from golden import gates_pinned, gates_told_otherwise, gates_with_now
from ledgers import append, cloud_event

from ledger.canonical import MAX_INTEGER, encode
from ledger.clock import to_text
from ledger.errors import ConflictError
from ledger.events import CATALOGUE, example
from ledger.ledger import Ledger
from ledger.statement import MAX_STATEMENT_BYTES
from projections import VIEWS
from projections.engine.reads import Look
from projections.engine.runner import Runner
from projections.engine.view import Reads, later
from projections.gates import asking, composition, rechecking
from projections.gates.asking import MAX_ALL_ASKED_FOR, MAX_NAMED, MAX_USED, ask
from projections.gates.composition import GATES, Gate
from projections.gates.rechecking import recheck
from projections.judging.gate_rule import MAX_POSITIONS, RULES, Answer, Question, Rule, Said, gate_rule
from projections.readings.people.policies import InForce
from projections.readings.people.settings import SETTINGS


@pytest.fixture
def runner(sqlite_ledger: Ledger) -> Iterator[Runner]:
    made = Runner(sqlite_ledger.database, VIEWS, sqlite_ledger.watcher)
    assert made.acquire()
    made.catch_up()
    yield made
    made.close()


@pytest.fixture
def own_rules() -> Iterator[None]:
    """Let a test declare rules, and forget them afterwards."""
    before = dict(RULES)
    yield
    RULES.clear()
    RULES.update(before)


def question(ledger: Ledger, gate: str = "deploy", **more: Any) -> Question:
    return Question(
        gate, to_text(ledger.clock.now_us()), "service:ci", "CHG-1", service="api", environment="prod", **more
    )


def decide(ledger: Ledger, **more: Any) -> int:
    receipt = ask(ledger, VIEWS, question(ledger, **more)).receipt
    assert receipt is not None
    return receipt.position


def put(monkeypatch: pytest.MonkeyPatch, gate: str, made: Gate) -> None:
    for module in (asking, rechecking):
        monkeypatch.setattr(module, "GATES", {**GATES, gate: made})


def never(question: Question, reads: Reads, policy: InForce) -> Said:
    """Nothing is let through."""
    return "deny", "never", "never", (1,)


def test_one_more_rule_makes_no_decision_of_before_wrong(
    sqlite_ledger: Ledger, runner: Runner, monkeypatch: pytest.MonkeyPatch, own_rules: None
) -> None:
    before = decide(sqlite_ledger)
    put(monkeypatch, "deploy", Gate(2, (*GATES["deploy"].rules, gate_rule()(never))))
    found = recheck(sqlite_ledger, VIEWS, before)
    assert (found.agrees, found.gone, found.new) == (True, (), ("never",))
    runner.catch_up()
    after = recheck(sqlite_ledger, VIEWS, decide(sqlite_ledger))
    assert (after.agrees, after.new, after.recorded.gate_version) == (True, (), 2)
    assert [said.rule for said in after.recorded.rules][-1] == "never"


def test_a_rule_that_is_gone_is_not_checkable_and_does_not_disagree(
    sqlite_ledger: Ledger, runner: Runner, monkeypatch: pytest.MonkeyPatch, own_rules: None
) -> None:
    rule = gate_rule()(never)
    put(monkeypatch, "deploy", Gate(2, (*GATES["deploy"].rules, rule)))
    position = decide(sqlite_ledger)
    monkeypatch.undo()
    del RULES[rule.name, rule.version]
    found = recheck(sqlite_ledger, VIEWS, position)
    assert (found.recorded.verdict, found.agrees, found.gone) == ("deny", True, (("never", 1),))


def test_a_rule_whose_meaning_changed_is_asked_again_in_the_version_that_decided(
    sqlite_ledger: Ledger, runner: Runner, monkeypatch: pytest.MonkeyPatch, own_rules: None
) -> None:
    first = gate_rule()(never)
    put(monkeypatch, "deploy", Gate(2, (first,)))
    position = decide(sqlite_ledger)

    def always(question: Question, reads: Reads, policy: InForce) -> Said:
        """Everything is let through."""
        return "allow", "always", "always", ()

    put(monkeypatch, "deploy", Gate(3, (gate_rule(version=2, name="never")(always),)))
    found = recheck(sqlite_ledger, VIEWS, position)
    assert found.again is not None
    assert (found.agrees, found.again.verdict, found.new) == (True, "deny", ("never",))


def test_a_decision_that_was_altered_does_not_agree(sqlite_ledger: Ledger, runner: Runner) -> None:
    data = asking._data(ask(sqlite_ledger, VIEWS, question(sqlite_ledger)))
    data["rules"][0] |= {"reason": "in-force", "verdict": "allow"}
    forged = sqlite_ledger.state("gate.decided", data).position
    assert not recheck(sqlite_ledger, VIEWS, forged).agrees


def test_a_question_under_one_key_is_decided_once(sqlite_ledger: Ledger, runner: Runner) -> None:
    first = ask(sqlite_ledger, VIEWS, question(sqlite_ledger, idempotency_key="try-1"))
    append(sqlite_ledger, cloud_event("change.cancelled", actor="person:alice", change_id="CHG-1"))
    runner.catch_up()
    again = ask(sqlite_ledger, VIEWS, question(sqlite_ledger, idempotency_key="try-1"))
    assert again.receipt == first.receipt
    assert (again.verdict, again.read_at) == (first.verdict, first.read_at)
    assert [(a.rule, a.reason) for a in again.answers] == [(a.rule, a.reason) for a in first.answers]
    with pytest.raises(ConflictError, match="another question"):
        ask(sqlite_ledger, VIEWS, question(sqlite_ledger, idempotency_key="try-1", artifact="sha256:" + "0" * 64))
    other = ask(sqlite_ledger, VIEWS, question(sqlite_ledger, idempotency_key="try-2"))
    assert other.receipt != first.receipt


def test_an_allow_that_is_over_is_not_told_once_more_under_its_key(
    sqlite_ledger: Ledger, runner: Runner, monkeypatch: pytest.MonkeyPatch, own_rules: None
) -> None:
    @gate_rule(name="once")
    def always(asked: Question, look: Look, policy: InForce) -> Said:
        """Everything is let through."""
        return "allow", "always", "always", ()

    put(monkeypatch, "deploy", Gate(4, (always,)))
    asked = question(sqlite_ledger, idempotency_key="try-3")
    first = ask(sqlite_ledger, VIEWS, asked)
    assert first.expires_at is not None
    assert ask(sqlite_ledger, VIEWS, dataclasses.replace(asked, asked_at=first.expires_at)).receipt == first.receipt
    with pytest.raises(ConflictError, match="ask under another key"):
        ask(sqlite_ledger, VIEWS, dataclasses.replace(asked, asked_at=later(first.expires_at, minutes=1)))


def last_before(back: int) -> tuple[int, ...]:
    """Return as many positions as a rule may name, the largest that there are but for so many."""
    return tuple(range(MAX_INTEGER - back - MAX_POSITIONS, MAX_INTEGER - back))


def test_the_largest_decision_fits_a_statement(sqlite_ledger: Ledger) -> None:
    longest = {name: value for name, value in example(CATALOGUE["gate.decided"]).items() if name != "rules"}
    for name in ("change_id", "deployment_id", "service", "environment", "to_environment", "policy_id", "gate"):
        longest[name] = "x" * 100
    rules = [
        Answer("r" * 61 + f"{number:03}", MAX_INTEGER, "insufficient_evidence", "w" * 64, "", last_before(number * MAX_USED),
            settings=frozenset(sorted(SETTINGS)[number % 40 :][:48]))
        for number in range(128)
    ]  # fmt: skip
    asked = Question("deploy", "2026-11-28T12:00:00.000000Z", "person:" + "a" * 113)
    made = asking._data(asking.Decision(asked, "deny", tuple(rules), MAX_INTEGER, InForce("p" * 100, "v" * 64)))
    data = (
        longest
        | made
        | {"actor": asked.actor, "artifact": "pkg:" + "x" * 508, "commit": "a" * 64, "links": [MAX_INTEGER] * 16}
    )
    CATALOGUE.validate("gate.decided", data)
    assert len(made["positions"]) == MAX_NAMED
    assert sum(len(rule["settings"]) for rule in made["rules"]) > MAX_ALL_ASKED_FOR
    assert len(encode(data)) < MAX_STATEMENT_BYTES - 1024
    assert sqlite_ledger.state("gate.decided", data).position == 2


def test_every_gate_asks_rules_that_are_declared_each_once() -> None:
    for name, gate in composition.GATES.items():
        assert gate.rules, name
        assert len({rule.name for rule in gate.rules}) == len(gate.rules) <= 128
        assert all(isinstance(rule, Rule) and RULES[rule.name, rule.version] is rule for rule in gate.rules)


def test_a_gate_that_asks_other_rules_has_another_version(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not gates_told_otherwise()
    assert gates_pinned() == gates_with_now(), "python tests/tools/golden.py --write pins a new version"
    gate = GATES["deploy"]
    monkeypatch.setitem(composition.GATES, "deploy", Gate(gate.version, gate.rules[:-1]))  # type: ignore[index]
    assert gates_told_otherwise() == ["deploy"]

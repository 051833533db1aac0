"""The gates: which rules each asks, and that nothing known is no pass. What a rule answers is told beside its practice."""

from typing import Any

import pytest
from asking import WHERE, against, ask, ready_to_deploy
from telling import Story, at

from ledger.errors import NotFoundError
from ledger.events import Event
from projections.engine.asking import Asking
from projections.engine.reads import Rows
from projections.engine.skips import Skips
from projections.engine.view import EntryInfo, View
from projections.gates.asking import answer
from projections.gates.composition import GATES
from projections.judging.gate_rule import Question, strictest


def test_what_was_approved_may_be_deployed() -> None:
    decision = ask(ready_to_deploy())
    assert (decision.verdict, against(decision)) == ("allow", {})
    assert [a.rule for a in decision.answers] == [rule.name for rule in GATES["deploy"].rules]


def test_nothing_known_is_no_pass() -> None:
    decision = ask(Story())
    assert decision.verdict == "deny"
    assert against(decision) == {
        "policy-is-in-force": ("insufficient_evidence", "no-policy"),
        "change-may-start": ("insufficient_evidence", "no-change"),
        "change-is-approved": ("insufficient_evidence", "no-change"),
        "risk-comes-out-again": ("insufficient_evidence", "no-change"),
        "deployed-is-approved": ("insufficient_evidence", "no-scope"),
        "change-is-technically-reviewed": ("insufficient_evidence", "no-change"),
        "window-is-open": ("insufficient_evidence", "no-change"),
        "impact-is-covered": ("insufficient_evidence", "no-change"),
        "rollback-is-prepared": ("deny", "no-trigger"),
    }


@pytest.mark.parametrize("gate", GATES)
def test_no_gate_allows_an_empty_question(gate: str) -> None:
    blank = dict.fromkeys(("change_id", "deployment_id", "service", "environment", "artifact", "actor"))
    assert ask(ready_to_deploy(), gate, **blank).verdict != "allow"


def test_no_rule_at_all_is_no_pass() -> None:
    with pytest.raises(ValueError, match="empty"):
        strictest([])
    with pytest.raises(NotFoundError, match="there are approve, deploy"):
        ask(Story(), "launch")


def test_an_answer_names_what_would_change_it_and_nothing_else() -> None:
    story = ready_to_deploy()
    story.flush()
    question = Question("deploy", at(20), **WHERE)
    look = Asking(story.folder.rows, question.asked_at, Skips(story.log), but=("gate.decided",))
    answer(question, look, len(story.log))

    def would_change(event_type: str, *refs: str) -> bool:
        return any(match.fits(event_type, refs) for match in look.matches)

    assert would_change("approval.withdrawn", "change:CHG-7")
    assert would_change("freeze.declared", "environment:prod", "freeze:F")
    assert would_change("policy.approved", "policy:change-approval")
    assert would_change("statement.withdrawn")
    assert not would_change("deployment.finished", "environment:prod", "service:api")
    assert not would_change("approval.granted", "change:CHG-8")
    assert not would_change("gate.decided", "change:CHG-7", "environment:prod")


class Watched:
    """Rows, and of which views any was looked for."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self.views: set[str] = set()

    def row(self, view: View[Any], key: str) -> Any:
        self.views.add(view.name)
        return self._rows.row(view, key)

    def named(
        self, view: View[Any], event: type[Event], about: str | None = None, limit: int | None = None
    ) -> list[Any]:
        self.views.add(view.name)
        return self._rows.named(view, event, about, limit)

    def where(self, view: View[Any], column: str, value: str) -> list[Any]:
        self.views.add(view.name)
        return self._rows.where(view, column, value)

    def entry(self, position: int) -> EntryInfo:
        return self._rows.entry(position)


def test_a_gate_reads_nothing_of_what_the_policy_knows_nothing_of() -> None:
    """No plan, scan, run, test, secret, backup, reservation, objective, meeting or release is looked for where nobody asks for it."""
    story = ready_to_deploy()
    story.flush()
    rows = Watched(story.folder.rows)
    question = Question("deploy", at(20), commit="9fceb02d0ae598e95dc970b74767f19372d61af8", **WHERE)
    assert answer(question, Asking(rows, question.asked_at, Skips(story.log)), len(story.log)).verdict == "allow"
    assert rows.views == {
        "access_grants", "change_facts", "change_scopes", "compliance_windows", "credentials", "environments",
        "freeze_calendar", "identities", "impacts", "model_promotions", "outcomes", "policies", "principals_sources", "risk_assessments",
        "rollback_triggers", "wordings",
    }  # fmt: skip

"""Remedies: whatever a gate's rule refuses, it says what would make it allow, and who could where the policy names a role for that.

For all rules that gates ask: a new one is under the law without a line.
"""

import ast
import inspect
import re
from collections.abc import Iterator
from textwrap import dedent

import pytest
from asking import WHERE
from changes import opened, publish
from telling import Story, at

from ledger.events import OPERATOR_AREAS
from projections.engine.asking import Asking
from projections.engine.skips import Skips
from projections.gates.composition import GATES
from projections.judging.gate_rule import COMMON, Question, Rule
from projections.readings.people.policies import in_force_now
from projections.readings.people.powers import HOLDERS, ROLE_FOR

ASKED = {rule.name: rule for gate in GATES.values() for rule in gate.rules}
# A type of event in the words of a remedy.
TYPE = re.compile(r"\b[a-z_]+\.[a-z_]+\b")


def reasons(rule: Rule) -> Iterator[str]:
    """Yield the reasons that a rule's own lines give with a verdict that does not allow."""
    source = dedent(inspect.getsource(inspect.unwrap(rule.judge)))
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Return) and isinstance(node.value, ast.Tuple) and len(node.value.elts) == 4:
            verdict, reason = node.value.elts[:2]
            is_allowed = isinstance(verdict, ast.Constant) and verdict.value == "allow"
            if not is_allowed and isinstance(reason, ast.Constant):
                yield str(reason.value)


@pytest.mark.parametrize("name", ASKED)
def test_every_reason_to_refuse_has_a_remedy(name: str) -> None:
    rule = ASKED[name]
    assert rule.remedies
    assert [word for word in reasons(rule) if not {word, ""} & set(rule.remedies) and word not in COMMON] == []


def may_be_said(name: str) -> Iterator[tuple[str, str]]:
    """Yield the reasons of a rule with each type whose role a policy may name, and that their remedy asks for."""
    for reason, remedy in ASKED[name].remedies.items():
        for event_type in TYPE.findall(remedy.words):
            if event_type in HOLDERS and event_type.partition(".")[0] not in OPERATOR_AREAS:
                yield reason, event_type


def held(event_type: str) -> Story:
    """A policy that names a role for a type, and ann who holds it."""
    story = opened()
    publish(story, (ROLE_FOR.name, event_type, "warden"))
    story.tell(
        "access.granted",
        actor="person:olga",
        grant_id="W",
        principal="person:ann",
        principal_kind="human",
        role="warden",
    )
    story.flush()
    return story


@pytest.mark.parametrize(
    ("name", "reason", "event_type"), [(name, *asked) for name in ASKED for asked in may_be_said(name)]
)
def test_where_the_policy_names_a_role_for_what_is_to_be_said_its_holders_are_named(
    name: str, reason: str, event_type: str
) -> None:
    remedy, story = ASKED[name].remedies[reason], held(event_type)
    question = Question("deploy", at(20), **WHERE)
    look = Asking(story.folder.rows, question.asked_at, Skips(story.log))
    assert remedy.able is not None
    assert "person:ann" in set(remedy.able(question, look, in_force_now(look)))


def test_there_are_such_remedies() -> None:
    assert sum(1 for name in ASKED for _ in may_be_said(name)) > 15

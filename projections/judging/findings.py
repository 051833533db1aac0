"""Findings: what is against the rules, in which entries, since when, and what resolved it.

Facts are never refused, so what should not have happened is here. A rule judges a row of a view as it is known now: a freeze
that is declared afterwards, or two logins that are linked, find what they say about the past. This is the view; the rules stand in
`projections.practices`, one practice a file:

    @finding(reviews, severity="medium")
    def review_overdue(row: Review, look: Look) -> Breach | None:
        ...

A rule looks into any reading, through `look`. What it looked at is noted, and it is judged again when that changes or a time has
come that it asked about (`look.has_come`).
"""

from typing import Final

from projections.engine.derived import Derived
from projections.judging.disposing import answered
from projections.readings import READINGS
from projections.readings.people.speaking import clocks_of

findings = Derived(
    "findings",
    version=12,
    reads=READINGS,
    answered=answered,
    lag_minutes=lambda look, at: clocks_of(look, at).lag_s // 60,
    doc="Findings: which rule which subject breaks or broke, in words, in which entries, since when, and what ended it.",
)

# Declares a rule over the rows of a view.
finding: Final = findings.rule


def positions_of(*positions: int | None) -> tuple[int, ...]:
    return tuple(sorted({position for position in positions if position is not None}))


def about_findings() -> frozenset[str]:
    """Return the rules of findings themselves: how they are answered, or go away."""
    return frozenset(rule.name for rule in findings.rules.values() if rule.subject is findings)

"""Outcomes: what became of each change, as it is known now, and the base rates of failure that follow.

An explicit label counts before what a review said; the latest counts. Base rates are kept by day, so that whoever asks
can let old days count less.
"""

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from ledger.conditions import Match
from ledger.events.pir import PirCompleted
from ledger.events.risk import RiskOutcomeLabelled
from projections.change_scopes import ChangeScope, change_scopes
from projections.engine.view import EntryInfo, Moment, Reads, View, replace

Label = Literal["success", "failure"]


@dataclass(frozen=True)
class Labelling:
    """One label that a change was given, and where."""

    label: Label
    by: Literal["label", "review"]
    at: Moment
    position: int


@dataclass(frozen=True)
class Outcome:
    """What became of one change. `at` is when it was labelled first: a correction does not move it in time."""

    change_id: str
    label: Label | None = None
    by: Literal["label", "review"] | None = None
    at: Moment | None = None
    causes: tuple[str, ...] = ()
    position: int | None = None
    labellings: tuple[Labelling, ...] = ()


outcomes = View(
    "outcomes",
    version=1,
    row=Outcome,
    kind="change",
    indexes=("label",),
    doc="Outcomes of changes: success or failure, who said so, and how the label was corrected.",
)


def _labelled(row: Outcome, label: Label, by: Literal["label", "review"], entry: EntryInfo) -> Outcome:
    row = replace(row, labellings=(*row.labellings, Labelling(label, by, entry.time, entry.position)))
    current = current_labelling(row.labellings)
    return replace(row, label=current.label, by=current.by, position=current.position, at=row.at or entry.time)


def current_labelling(labellings: Iterable[Labelling]) -> Labelling:
    """Return the one that counts: the last explicit label, else what the last review said."""
    return max(labellings, key=lambda labelling: (labelling.by == "label", labelling.position))


@outcomes.on(RiskOutcomeLabelled, key=lambda event: event.change_id)
def labelled(row: Outcome, event: RiskOutcomeLabelled, entry: EntryInfo) -> Outcome:
    return _labelled(replace(row, causes=event.causes), event.label, "label", entry)


@outcomes.on(PirCompleted, key=lambda event: event.change_id)
def reviewed(row: Outcome, event: PirCompleted, entry: EntryInfo) -> Outcome:
    """A change failed when it had to be undone, or hurt somebody; "with issues" is not yet a failure."""
    failed = event.rolled_back or event.caused_incidents or event.outcome in ("unsuccessful", "backed_out")
    return _labelled(row, "failure" if failed else "success", "review", entry)


def recounted(outcome: Outcome, position: int) -> list[tuple[Label, int]]:
    """Return what the labelling at a position changes in a count of outcomes: the label before it is taken away, if there
    was one, and the one that counts now is added."""
    earlier = [labelling for labelling in outcome.labellings if labelling.position != position]
    taken = [(current_labelling(earlier).label, -1)] if earlier else []
    return [*taken, *([(outcome.label, 1)] if outcome.label is not None else [])]


# -- base rates ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Day:
    """What was labelled of one day's changes: how many, and how many of them failed."""

    date: str
    changes: int
    failures: int


@dataclass(frozen=True)
class BaseRate:
    """How many changes of a scope failed: of a service in an environment and a type, a service, a team, a template, or all."""

    scope: str
    changes: int = 0
    failures: int = 0
    days: tuple[Day, ...] = ()


EVERYTHING = "all"


def scopes_of(scope: ChangeScope) -> list[str]:
    """Return the scopes that a change counts in, the narrowest first."""
    found = [f"{service}/{scope.environment or 'any'}/{scope.change_type}" for service in scope.services]
    found += [f"service:{service}" for service in scope.services]
    found += [f"team:{scope.team}"] if scope.team else []
    found += [f"template:{scope.template_id}"] if scope.template_id else []
    return [*found, EVERYTHING]


def _scopes(event: Any, entry: EntryInfo) -> list[str]:
    scope = entry.reads.row(change_scopes, event.change_id)
    return scopes_of(scope) if scope else [EVERYTHING]


def _labels(key: str, row: BaseRate) -> tuple[Match, ...]:
    # Labels name their change, not what it was of: all of them are looked through.
    return (Match(),)


base_rates = View(
    "base_rates",
    version=1,
    row=BaseRate,
    kind="base_rate",
    entries_of=_labels,
    reads=(change_scopes, outcomes),
    doc="Base rates of failure: labelled changes by day, for every service, team and template.",
)


@base_rates.on(RiskOutcomeLabelled, PirCompleted, key=_scopes)
def counted(row: BaseRate, event: Any, entry: EntryInfo) -> BaseRate:
    """Count a change once, on the day of its first label; a correction takes the earlier label back."""
    outcome = entry.reads.row(outcomes, event.change_id)
    if outcome is None or outcome.at is None or outcome.label is None:
        return row
    for label, count in recounted(outcome, entry.position):
        row = _added(row, outcome.at[:10], label, count)
    return row


def _added(row: BaseRate, date: str, label: Label, count: int) -> BaseRate:
    failed = count if label == "failure" else 0
    place = bisect_left(row.days, date, key=lambda day: day.date)
    found = row.days[place : place + 1]
    day = found[0] if found and found[0].date == date else Day(date, 0, 0)
    now = Day(date, day.changes + count, day.failures + failed)
    rest = row.days[place + 1 :] if day in found else row.days[place:]
    days = (*row.days[:place], *((now,) if now.changes else ()), *rest)
    return replace(row, changes=row.changes + count, failures=row.failures + failed, days=days)


def failures_of_template(reads: Reads, template_id: str) -> int:
    """Return how many changes of a template failed."""
    row = reads.row(base_rates, f"template:{template_id}")
    return row.failures if row else 0

"""Outcomes: what became of each change, as it is known now, and the base rates of failure that follow.

An explicit label counts before what a review said; the latest counts. Base rates are kept by day, so that whoever asks
can let old days count less.
"""

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

from ledger.events.pir import PirCompleted
from ledger.events.risk import RiskOutcomeLabelled
from projections.engine.tally import Part, Tally
from projections.engine.view import EntryInfo, Moment, Reads, View, replace
from projections.readings.changes.scopes import ChangeScope, change_scopes
from projections.rules.environments import compared

Label = Literal["success", "failure"]
EVERYTHING: Final = "all"


def scopes_of(scope: ChangeScope) -> list[str]:
    """Return the scopes that a change counts in, the narrowest first."""
    found = [
        f"{service}/{compared(scope.environment) if scope.environment else 'any'}/{scope.change_type}"
        for service in scope.services
    ]
    found += [f"service:{service}" for service in scope.services]
    found += [f"team:{scope.team}"] if scope.team else []
    found += [f"template:{scope.template_id}"] if scope.template_id else []
    return [*found, EVERYTHING]


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
    # What it counts in, the narrowest first: as the change's scope was known then.
    scopes: tuple[str, ...] = ()
    causes: tuple[str, ...] = ()
    position: int | None = None
    labellings: tuple[Labelling, ...] = ()


outcomes = View(
    "outcomes",
    version=2,
    row=Outcome,
    kind="change",
    reads=(change_scopes,),
    indexes=("label",),
    doc="Outcomes of changes: success or failure, who said so, and how the label was corrected.",
)


def _labelled(row: Outcome, label: Label, by: Literal["label", "review"], entry: EntryInfo) -> Outcome:
    row = replace(row, labellings=(*row.labellings, Labelling(label, by, entry.time, entry.position)))
    current = current_labelling(row.labellings)
    row = replace(row, label=current.label, by=current.by, position=current.position)
    if row.at is not None:
        return row
    scope = entry.reads.row(change_scopes, row.change_id)
    return replace(row, at=entry.time, scopes=tuple(scopes_of(scope)) if scope is not None else (EVERYTHING,))


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


def _parts(row: Outcome) -> dict[str, Part]:
    """A change counts once in each of its scopes, on the day of its first label."""
    return dict.fromkeys(row.scopes, (row.at[:10], row.label == "failure")) if row.at is not None else {}


def _added(row: BaseRate, part: Part, count: int) -> BaseRate:
    date, is_failure = str(part[0]), part[1]
    failed = count if is_failure else 0
    days = row.days
    # Labels come in about the order of what they are of: mostly the last day is the one.
    place = len(days) - 1 if days and days[-1].date == date else bisect_left(days, date, key=lambda day: day.date)
    is_known = place < len(days) and days[place].date == date
    day = days[place] if is_known else Day(date, 0, 0)
    now = Day(date, day.changes + count, day.failures + failed)
    days = days[:place] + ((now,) if now.changes else ()) + days[place + is_known :]
    return replace(row, changes=row.changes + count, failures=row.failures + failed, days=days)


base_rates = Tally(
    "base_rates",
    version=2,
    row=BaseRate,
    kind="base_rate",
    of=outcomes,
    parts=_parts,
    add=_added,
    doc="Base rates of failure: labelled changes by day, for every service, team and template.",
)


def failures_of_template(reads: Reads, template_id: str) -> int:
    """Return how many changes of a template failed."""
    row = reads.row(base_rates, f"template:{template_id}")
    return row.failures if row else 0

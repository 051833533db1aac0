"""Advice by machines: what each advised on which change, who decided otherwise, and how that turned out.

Advice is no approval (S4). Whether overriding it was right is told by the outcomes, as they are known now.
"""

from dataclasses import dataclass

from ledger.events import Event
from ledger.events.advisory import Advised, AdvisoryIssued, AdvisoryOverridden
from ledger.events.pir import PirCompleted
from ledger.events.risk import RiskOutcomeLabelled
from projections.engine.view import EntryInfo, Moment, View, replace
from projections.readings.risk.outcomes import Label, outcomes


@dataclass(frozen=True)
class Advisory:
    """One piece of advice, and who decided against it."""

    position: int
    at: Moment
    adviser: str
    verdict: Advised
    reasons: tuple[str, ...]
    policy_version: str | None = None
    overridden_by: str | None = None
    overridden_position: int | None = None


@dataclass(frozen=True)
class Advice:
    """The advice on one change. `verdict` and `is_overridden` are of the last; `label` is what became of the change."""

    change_id: str
    adviser: str | None = None
    verdict: Advised | None = None
    is_overridden: bool = False
    label: Label | None = None
    advisories: tuple[Advisory, ...] = ()


advice = View(
    "advice",
    version=1,
    row=Advice,
    kind="change",
    reads=(outcomes,),
    indexes=("adviser", "verdict", "is_overridden"),
    doc="Advice by machines on changes: verdict and reasons, who decided otherwise, and the change's outcome.",
)


def _last(row: Advice) -> Advice:
    last = row.advisories[-1]
    return replace(row, adviser=last.adviser, verdict=last.verdict, is_overridden=last.overridden_by is not None)


@advice.on(AdvisoryIssued, key=lambda event: event.change_id)
def issued(row: Advice, event: AdvisoryIssued, entry: EntryInfo) -> Advice:
    told = Advisory(entry.position, entry.time, event.actor, event.verdict, event.reasons, event.policy_version)
    return _last(replace(row, advisories=(*row.advisories, told)))


@advice.on(AdvisoryOverridden, key=lambda event: event.change_id)
def overridden(row: Advice, event: AdvisoryOverridden, entry: EntryInfo) -> Advice:
    """An override of advice that was not given to this change is none."""
    if event.advisory not in {told.position for told in row.advisories}:
        return row
    advisories = tuple(
        replace(told, overridden_by=event.actor, overridden_position=entry.position)
        if told.position == event.advisory
        else told
        for told in row.advisories
    )
    return _last(replace(row, advisories=advisories))


@advice.on(RiskOutcomeLabelled, PirCompleted, key=lambda event: event.change_id)
def labelled(row: Advice, event: Event, entry: EntryInfo) -> Advice:
    outcome = entry.reads.row(outcomes, row.change_id)
    return replace(row, label=outcome.label if outcome else None)

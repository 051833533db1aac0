"""Rollback triggers: under which measurable conditions a rollback is due, in every wording, and how often each was met."""

from dataclasses import dataclass
from typing import Final

from ledger.events.rollback import Mode, RollbackTriggerDefined, RollbackTriggerFired
from projections.engine.view import LATEST, EntryInfo, Moment, Number, Reads, View, replace
from projections.readings.people.replacing import standing
from projections.readings.people.voices import Spoken, in_one_alone, spoken
from projections.rules.leave import Clocks, Instant, was_there
from projections.rules.triggers import Condition, fires


@dataclass(frozen=True)
class Definition:
    """One wording of a trigger."""

    said: Spoken
    version: str
    service: str
    environment: str | None
    change_id: str | None
    metric: str
    comparator: str
    threshold: Number
    window_s: int
    min_samples: int
    mode: Mode

    @property
    def condition(self) -> Condition:
        return Condition(self.comparator, self.threshold, min(self.window_s, MOST_S), self.min_samples)


@dataclass(frozen=True)
class Trigger:
    """One trigger, as it was defined last."""

    trigger_id: str
    version: str | None = None
    service: str | None = None
    environment: str | None = None
    change_id: str | None = None
    metric: str | None = None
    comparator: str | None = None
    threshold: Number | None = None
    window_s: int | None = None
    min_samples: int | None = None
    mode: Mode | None = None
    defined_position: int | None = None
    # How often by what met it: as it was worded, where it was.
    fired: int = 0
    last_fired_at: Moment | None = None
    last_fired_position: int | None = None
    definitions: tuple[Definition, ...] = ()


def _touched(before: Trigger | None, after: Trigger | None) -> tuple[Moment, Moment]:
    """A wording is a matter of what is done after it."""
    worded = in_one_alone(*(row.definitions if row is not None else () for row in (before, after)))
    return min((one.said.at for one in worded), default=""), LATEST


rollback_triggers = View(
    "rollback_triggers",
    version=4,
    row=Trigger,
    kind="trigger",
    indexes=("service", "environment"),
    touches=_touched,
    doc="Rollback triggers: metric, threshold and window of each, every wording, and when it fired last.",
)


@rollback_triggers.on(RollbackTriggerDefined, key=lambda event: event.trigger_id)
def defined(row: Trigger, event: RollbackTriggerDefined, entry: EntryInfo) -> Trigger:
    return replace(
        row,
        version=event.version,
        service=event.service,
        environment=event.environment,
        change_id=event.change_id,
        metric=event.metric,
        comparator=event.comparator,
        threshold=event.threshold,
        window_s=event.window_s,
        min_samples=event.min_samples,
        mode=event.mode,
        defined_position=entry.position,
        definitions=(*row.definitions, _definition(event, entry)),
    )


def _definition(event: RollbackTriggerDefined, entry: EntryInfo) -> Definition:
    return Definition(
        spoken(entry, event.actor),
        event.version,
        event.service,
        event.environment,
        event.change_id,
        event.metric,
        event.comparator,
        event.threshold,
        event.window_s,
        event.min_samples,
        event.mode,
    )


@rollback_triggers.on(RollbackTriggerFired, key=lambda event: event.trigger_id)
def fired(row: Trigger, event: RollbackTriggerFired, entry: EntryInfo) -> Trigger:
    row = replace(row, service=row.service or event.service)
    if not is_met(row, event):
        return row
    return replace(
        row,
        fired=row.fired + 1,
        last_fired_at=entry.time,
        last_fired_position=entry.position,
    )


def is_met(row: Trigger | None, event: RollbackTriggerFired) -> bool:
    """Say whether what was measured met a trigger in any wording of that version; where none is known, its word is all there is."""
    known = [one.condition for one in (row.definitions if row is not None else ()) if one.version == event.version]
    return not known or any(fires(condition, event.measured, event.samples) for condition in known)


# A window is not longer than a day: whoever says more means a day, and no row has all that was measured since.
MOST_S: Final = 86_400


def definitions_at(
    reads: Reads, row: Trigger, instant: Instant, clocks: Clocks, version: str | None = None
) -> list[Definition]:
    """Return what stands of a trigger when something was done, of what was on record by then; of a version, if one is said.

    Whoever has no power over others' thresholds sets one beside them: then a rollback is due by either.
    """
    there = [
        definition
        for definition in row.definitions
        if version in (None, definition.version) and was_there(definition.said, instant, clocks)
    ]
    return standing(reads, RollbackTriggerDefined.type, there, lambda one: one.environment)

"""Rollback triggers: under which measurable conditions a rollback is due, and how often each was met."""

from dataclasses import dataclass

from ledger.events.rollback import Mode, RollbackTriggerDefined, RollbackTriggerFired
from projections.engine.view import EntryInfo, Moment, Number, View, replace


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
    fired: int = 0
    last_fired_at: Moment | None = None
    last_fired_position: int | None = None


rollback_triggers = View(
    "rollback_triggers",
    version=1,
    row=Trigger,
    kind="trigger",
    indexes=("service", "environment"),
    doc="Rollback triggers: metric, threshold and window of each, and when it fired last.",
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
    )


@rollback_triggers.on(RollbackTriggerFired, key=lambda event: event.trigger_id)
def fired(row: Trigger, event: RollbackTriggerFired, entry: EntryInfo) -> Trigger:
    return replace(
        row,
        service=row.service or event.service,
        fired=row.fired + 1,
        last_fired_at=entry.time,
        last_fired_position=entry.position,
    )

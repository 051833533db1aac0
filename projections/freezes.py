"""Freezes: when nothing is to change, and which changes were let through all the same."""

from dataclasses import dataclass, replace

from ledger.events.freeze import FreezeDeclared, FreezeLifted, FreezeOverrideGranted
from projections.engine.view import EntryInfo, Moment, View, moment


@dataclass(frozen=True, slots=True)
class Override:
    """One change that was let through, by whom, and until when."""

    change_id: str
    requester: str
    granted_by: str
    expires_at: Moment
    position: int


@dataclass(frozen=True, slots=True)
class Freeze:
    """One freeze, as it was declared last. `recorded_at` later than `start_at` tells that it was declared after the fact."""

    freeze_id: str
    environments: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    start_at: Moment | None = None
    end_at: Moment | None = None
    exempt_types: tuple[str, ...] = ()
    declared_by: str | None = None
    declared_position: int | None = None
    recorded_at: Moment | None = None
    lifted_by: str | None = None
    lifted_at: Moment | None = None
    overrides: tuple[Override, ...] = ()


freezes = View(
    "freezes",
    version=1,
    row=Freeze,
    kind="freeze",
    doc="Freezes: what they cover, from when to when, whether they were lifted, and who was let through.",
)


@freezes.on(FreezeDeclared, key=lambda event: event.freeze_id)
def declared(row: Freeze, event: FreezeDeclared, entry: EntryInfo) -> Freeze:
    return replace(
        row,
        environments=event.environments,
        services=event.services,
        start_at=moment(event.start),
        end_at=moment(event.end),
        exempt_types=event.exempt_types,
        declared_by=event.actor,
        declared_position=entry.position,
        recorded_at=entry.recorded_at,
    )


@freezes.on(FreezeLifted, key=lambda event: event.freeze_id)
def lifted(row: Freeze, event: FreezeLifted, entry: EntryInfo) -> Freeze:
    return replace(row, lifted_by=event.actor, lifted_at=entry.time)


@freezes.on(FreezeOverrideGranted, key=lambda event: event.freeze_id)
def override_granted(row: Freeze, event: FreezeOverrideGranted, entry: EntryInfo) -> Freeze:
    override = Override(event.change_id, event.requester, event.actor, moment(event.expires_at), entry.position)
    return replace(row, overrides=(*row.overrides, override))

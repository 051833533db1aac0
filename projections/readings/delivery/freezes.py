"""Freezes: when nothing is to change, and which changes were let through all the same."""

from dataclasses import dataclass

from ledger.events import ref
from ledger.events.freeze import FreezeDeclared, FreezeLifted, FreezeOverrideGranted
from projections.engine.view import EntryInfo, Moment, Reads, View, moment, replace
from projections.rules.duties import s9_requester_does_not_grant


@dataclass(frozen=True)
class Override:
    """One change that was let through, by whom, and until when."""

    change_id: str
    requester: str
    granted_by: str
    granted_at: Moment
    expires_at: Moment
    position: int


@dataclass(frozen=True)
class Freeze:
    """One freeze, as it was declared last. `recorded_at` later than `start_at` tells that it was declared after the fact.

    Where it recurs, `start_at` and `end_at` are of its first time. What it says by tier, pattern, tenant, region and rule is
    shown, and not judged yet.
    """

    freeze_id: str
    environments: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()
    tiers: tuple[str, ...] = ()
    tenants: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    start_at: Moment | None = None
    end_at: Moment | None = None
    time_zone: str | None = None
    recurs: str | None = None
    except_at: tuple[str, ...] = ()
    exempt_types: tuple[str, ...] = ()
    declared_by: str | None = None
    declared_position: int | None = None
    recorded_at: Moment | None = None
    lifted_by: str | None = None
    lifted_at: Moment | None = None
    overrides: tuple[Override, ...] = ()


def _touched(before: Freeze | None, after: Freeze | None) -> tuple[Moment, Moment] | None:
    """A freeze is a matter of the times that it covers, or covered."""
    spans = [(row.start_at, row.end_at) for row in (before, after) if row is not None and row.start_at and row.end_at]
    return (min(start for start, _ in spans), max(end for _, end in spans)) if spans else None


freezes = View(
    "freezes",
    version=3,
    row=Freeze,
    kind="freeze",
    about={"environment": lambda row: row.environments},
    touches=_touched,
    doc="Freezes: what they cover, from when to when, whether they were lifted, and who was let through.",
)


@freezes.on(FreezeDeclared, key=lambda event: event.freeze_id)
def declared(row: Freeze, event: FreezeDeclared, entry: EntryInfo) -> Freeze:
    return replace(
        row,
        environments=event.environments,
        patterns=event.patterns,
        tiers=event.tiers,
        tenants=event.tenants,
        regions=event.regions,
        services=event.services,
        start_at=moment(event.start),
        end_at=moment(event.end),
        time_zone=event.time_zone,
        recurs=event.recurs,
        except_at=event.except_at,
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
    override = Override(
        event.change_id, event.requester, event.actor, entry.time, moment(event.expires_at), entry.position
    )
    return replace(row, overrides=(*row.overrides, override))


# -- asking a freeze ----------------------------------------------------------------------------------------------------


def is_frozen(freeze: Freeze, service: str | None, change_type: str | None, at: Moment) -> bool:
    """Say whether a freeze, one of whose environments it is, holds a change of a type at a time."""
    begun = freeze.start_at is not None and freeze.end_at is not None and freeze.start_at <= at <= freeze.end_at
    lifted = freeze.lifted_at is not None and freeze.lifted_at <= at
    covered = not freeze.services or service in freeze.services
    return begun and not lifted and covered and change_type not in freeze.exempt_types


def freezes_at(
    reads: Reads, environment: str, service: str | None, change_type: str | None, at: Moment
) -> list[Freeze]:
    """Return the freezes that hold a change in an environment at a time, by what is known now."""
    declared = reads.named(freezes, FreezeDeclared, ref("environment", environment))
    # One that was declared again may be of other environments now.
    return [f for f in declared if environment in f.environments and is_frozen(f, service, change_type, at)]


def override_for(freeze: Freeze, change_id: str | None, at: Moment) -> Override | None:
    """Return the override that lets a change through a freeze at a time; S9: one's own does not."""
    return next(
        (
            override
            for override in freeze.overrides
            if override.change_id == change_id
            and override.granted_at <= at <= override.expires_at
            and s9_requester_does_not_grant(override.requester, override.granted_by) is None
        ),
        None,
    )

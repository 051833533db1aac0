"""Freezes: when nothing is to change, and which changes were let through all the same. Every declaration, lift and override of each.

A row keeps what was said. Not whether it holds something: that is asked of it, by what was on record (`frozen`).

What can never count, because of who said it, is not folded (decision 41): each would have all that was done in the freeze judged again.
It is in `doubts`. Where a policy names roles, what comes from whoever had a grant of one on record is folded, and whoever judges asks
whether that gave power.
"""

from dataclasses import dataclass
from typing import Final

from ledger.conditions import Match
from ledger.events.freeze import FreezeDeclared, FreezeLifted, FreezeOverrideGranted
from projections.engine.view import EntryInfo, Moment, View, moment, replace
from projections.readings.environments.terms import Terms, terms_of
from projections.readings.people.powers import READ_BY_POWERS, can_never_count
from projections.readings.people.voices import Spoken, spoken
from projections.rules.calendar import Times, hull, hull_of


@dataclass(frozen=True)
class Lift:
    """Somebody said that a freeze is over."""

    said: Spoken


@dataclass(frozen=True)
class Override:
    """One change that was let through, by whom, and until when."""

    change_id: str
    requester: str
    expires_at: Moment
    said: Spoken


@dataclass(frozen=True)
class Freeze:
    """One freeze. `terms` are all its declarations; the columns before are of the last, and of its first time where it recurs."""

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
    # Of its last lift, where nobody declared it again since.
    lifted_by: str | None = None
    lifted_at: Moment | None = None
    terms: tuple[Terms, ...] = ()
    lifts: tuple[Lift, ...] = ()
    overrides: tuple[Override, ...] = ()


def _touched(before: Freeze | None, after: Freeze | None) -> tuple[Moment, Moment] | None:
    """A freeze is a matter of the times that it covers, or covered."""
    return hull_of(terms.times for row in (before, after) if row is not None for terms in row.terms)


def _said(event: FreezeDeclared | FreezeLifted | FreezeOverrideGranted, entry: EntryInfo) -> Spoken | None:
    """Return who said something of a freeze; None where it can never count."""
    said = spoken(entry, event.actor)
    return None if can_never_count(entry.reads, event.type, said) else said


def _unless_new(row: Freeze) -> Freeze | None:
    return row if row != Freeze(row.freeze_id) else None


freezes = View(
    "freezes",
    version=6,
    row=Freeze,
    kind="freeze",
    touches=_touched,
    reads=READ_BY_POWERS,
    doc="Freezes: what they cover, from when to when, every declaration, lift and override that may count, and who spoke.",
)


@freezes.on(FreezeDeclared, key=lambda event: event.freeze_id)
def declared(row: Freeze, event: FreezeDeclared, entry: EntryInfo) -> Freeze | None:
    if _said(event, entry) is None:
        return _unless_new(row)
    terms = terms_of(event, entry)
    return replace(
        row,
        environments=event.environments,
        patterns=event.patterns,
        tiers=event.tiers,
        tenants=event.tenants,
        regions=event.regions,
        services=event.services,
        start_at=terms.start_at,
        end_at=terms.end_at,
        time_zone=event.time_zone,
        recurs=event.recurs,
        except_at=event.except_at,
        exempt_types=event.exempt_types,
        declared_by=event.actor,
        declared_position=entry.position,
        recorded_at=entry.recorded_at,
        lifted_by=None,
        lifted_at=None,
        terms=(*row.terms, terms),
    )


@freezes.on(FreezeLifted, key=lambda event: event.freeze_id)
def lifted(row: Freeze, event: FreezeLifted, entry: EntryInfo) -> Freeze | None:
    said = _said(event, entry)
    if said is None:
        return _unless_new(row)
    return replace(row, lifted_by=event.actor, lifted_at=said.at, lifts=(*row.lifts, Lift(said)))


@freezes.on(FreezeOverrideGranted, key=lambda event: event.freeze_id)
def override_granted(row: Freeze, event: FreezeOverrideGranted, entry: EntryInfo) -> Freeze | None:
    said = _said(event, entry)
    if said is None:
        return _unless_new(row)
    override = Override(event.change_id, event.requester, moment(event.expires_at), said)
    return replace(row, overrides=(*row.overrides, override))


# -- which there are ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class FreezeSpan:
    """Which freeze may hold from when to when, by any of its declarations."""

    freeze_id: str
    begin: Moment
    until: Moment


@dataclass(frozen=True)
class FreezeCalendar:
    """All freezes, in the order in which they were first declared: one row, so that whoever acts finds theirs in one look."""

    key: str
    spans: tuple[FreezeSpan, ...] = ()


def _spans_touched(before: FreezeCalendar | None, after: FreezeCalendar | None) -> tuple[Moment, Moment] | None:
    old, new = (set(row.spans) if row is not None else set() for row in (before, after))
    spans = old ^ new
    return (min(span.begin for span in spans), max(span.until for span in spans)) if spans else None


ALL: Final = "all"
freeze_calendar = View(
    "freeze_calendar",
    version=3,
    row=FreezeCalendar,
    kind="freeze_calendar",
    entries_of=lambda key, row: (Match((FreezeDeclared.type,)),),
    touches=_spans_touched,
    reads=READ_BY_POWERS,
    doc="The calendar of freezes: which may hold from when to when. One row, under the key `all`.",
)


@freeze_calendar.on(FreezeDeclared, key=lambda event: ALL)
def entered(row: FreezeCalendar, event: FreezeDeclared, entry: EntryInfo) -> FreezeCalendar | None:
    if _said(event, entry) is None:
        return row if row.spans else None
    begin, until = hull(Times(event.start, event.end, event.time_zone, event.recurs))
    for place, span in enumerate(row.spans):
        if span.freeze_id == event.freeze_id:
            wider = FreezeSpan(span.freeze_id, min(span.begin, begin), max(span.until, until))
            return replace(row, spans=(*row.spans[:place], wider, *row.spans[place + 1 :]))
    return replace(row, spans=(*row.spans, FreezeSpan(event.freeze_id, begin, until)))

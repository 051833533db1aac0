"""Freezes: when nothing is to change, and which changes were let through all the same. Every declaration, lift and override of each.

A row keeps what was said; what held at a time is asked of it, by what was on record then:

    declared Monday to Friday 09:00, lifted Tuesday 10:00, declared again Tuesday 12:00
    Tuesday 11:00   nothing holds: it was lifted, and that was on record
    Tuesday 13:00   it holds: declared again
    declared Wednesday, shorter, as of Monday    what was done on Tuesday at 13:00 was done in the freeze all the same

A freeze that nobody knew when they acted accuses them by its last declaration, if that covers the act; and so does one that is
declared again as of before the act.

What can never count, because of who said it, is not folded (decision 41): each would have all that was done in the freeze judged again.
It is in `doubts`. Where a policy names roles, a grant may come a little later: there everything is folded, and whoever judges asks.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from ledger.conditions import Match
from ledger.events import Event
from ledger.events.freeze import FreezeDeclared, FreezeLifted, FreezeOverrideGranted
from projections.engine.view import LATEST, EntryInfo, Moment, Reads, View, moment, replace
from projections.readings.environments.selected import is_selected
from projections.readings.environments.terms import Terms, terms_of
from projections.readings.people.identities import person_of
from projections.readings.people.powers import READ_BY_POWERS, can_never_count, fault_of_speaker
from projections.readings.people.speaking import clocks_of
from projections.readings.people.voices import Spoken, spoken
from projections.rules.calendar import NotComputableError, Span, Times, covering, hull, hull_of, overlapping, upcoming
from projections.rules.leave import Clocks, Instant, was_there


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
    version=5,
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
    version=2,
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


# -- asking a freeze ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Place:
    """Where and of what type something is done. What is not known of it is held by every freeze."""

    environment: str
    service: str | None
    change_type: str | None


@dataclass(frozen=True, slots=True)
class Held:
    """A freeze that holds something by one of its declarations; or may, where `unknown` says why nobody can tell."""

    freeze: Freeze
    terms: Terms
    # Whether it was declared afterwards.
    is_later: bool
    until: Moment
    unknown: str = ""


def freezes_at(reads: Reads, place: Place, instant: Instant) -> Iterator[Held]:
    """Yield the freezes that hold something when it is done, in the order of their first declaration. `reads` is of that time."""
    clocks: Clocks | None = None
    for row in _meeting(reads, instant.at, instant.at):
        clocks = clocks or clocks_of(reads, instant.at)
        if (held := _held(reads, row, place, instant, clocks)) is not None:
            yield held


def freezes_between(reads: Reads, place: Place, plan: Times) -> Iterator[tuple[Held, Span]]:
    """Yield the freezes that hold something planned, as they stand now, and when: the last time of the plan that lies in each.

    Where both recur, the first time of the plan alone is looked at.
    """
    begin, end = hull(plan)
    for row in _meeting(reads, begin, end):
        terms = _standing(reads, row)
        if terms is None:
            continue
        if not is_selected(reads, terms, place.environment, place.service, begin):
            continue
        frozen = terms.times
        first = Span(plan.begin, plan.end)
        try:
            when = overlapping(plan, frozen.begin, frozen.end) if frozen.rule is None else first
            span = overlapping(frozen, when.begin, when.end) if when is not None else None
        except NotComputableError as error:
            yield Held(row, terms, False, LATEST, str(error)), first
        else:
            if when is not None and span is not None:
                yield Held(row, terms, False, span.end), when


def next_freeze(reads: Reads, place: Place, at: Moment, until: Moment) -> Moment | None:
    """Return when the next freeze that holds something begins, or began where one holds at that time; None where none does until then.

    Of freezes as they stand now. Raises NotComputableError where nobody can tell.
    """
    begins = []
    for row in _meeting(reads, at, until):
        terms = _standing(reads, row)
        if terms is None or place.change_type in terms.exempt_types:
            continue
        if is_selected(reads, terms, place.environment, place.service, at):
            span = covering(terms.times, at) or upcoming(terms.times, at)
            begins += [span.begin] if span is not None and span.begin <= until else []
    return min(begins, default=None)


def override_for(
    reads: Reads, freeze: Freeze, change_id: str | None, authors: tuple[str, ...], instant: Instant
) -> Override | None:
    """Return the override that lets a change through a freeze when something is done; S9: one's own does not."""
    clocks = clocks_of(reads, instant.at)
    for override in freeze.overrides if change_id is not None else ():
        if override.change_id != change_id or instant.at > override.expires_at:
            continue
        counts = was_there(override.said, instant, clocks) and _counts(reads, FreezeOverrideGranted, override.said)
        if counts and not is_ones_own(reads, override, authors):
            return override
    return None


def is_ones_own(reads: Reads, override: Override, authors: tuple[str, ...]) -> bool:
    """S9: say whether an override was granted by who asked for it, or by an author of the change; under whichever login."""
    granter = person_of(reads, override.said.actor or override.said.principal)
    return any(person_of(reads, who) == granter for who in (override.requester, *authors))


def _meeting(reads: Reads, begin: Moment, end: Moment) -> Iterator[Freeze]:
    calendar = reads.row(freeze_calendar, ALL)
    for span in calendar.spans if calendar is not None else ():
        if span.begin <= end and begin <= span.until:
            row = reads.row(freezes, span.freeze_id)
            if row is not None:
                yield row


def _held(reads: Reads, row: Freeze, place: Place, instant: Instant, clocks: Clocks) -> Held | None:
    counting = _counting(reads, row)
    known = [terms for terms in counting if was_there(terms.said, instant, clocks)]
    standing = known[-1:] if known and not _was_lifted(reads, row, known[-1], instant, clocks) else []
    # What is declared later excuses nothing, and its last word accuses: of a freeze that nobody knew, or as of before the act.
    later = [t for t in counting[-1:] if t not in known and (not known or t.said.at <= instant.at)]
    for terms in (*standing, *later):
        if place.change_type in terms.exempt_types or not is_selected(
            reads, terms, place.environment, place.service, instant.at
        ):
            continue
        is_later = terms in later
        try:
            span = covering(terms.times, instant.at)
        except NotComputableError as error:
            return Held(row, terms, is_later, LATEST, str(error))
        if span is not None:
            return Held(row, terms, is_later, span.end)
    return None


def _standing(reads: Reads, row: Freeze) -> Terms | None:
    """Return the last declaration that counts, as it stands now; None where it was lifted since."""
    terms = _counting(reads, row)
    if not terms or any(
        lift.said.position > terms[-1].said.position and _counts(reads, FreezeLifted, lift.said) for lift in row.lifts
    ):
        return None
    return terms[-1]


def _was_lifted(reads: Reads, row: Freeze, terms: Terms, instant: Instant, clocks: Clocks) -> bool:
    return any(
        lift.said.position > terms.said.position
        and was_there(lift.said, instant, clocks)
        and _counts(reads, FreezeLifted, lift.said)
        for lift in row.lifts
    )


def _counting(reads: Reads, row: Freeze) -> list[Terms]:
    """Return the declarations that count: by whoever has the power to."""
    return [terms for terms in row.terms if _counts(reads, FreezeDeclared, terms.said)]


def _counts(reads: Reads, event: type[Event], said: Spoken) -> bool:
    return not fault_of_speaker(reads, event.type, said)

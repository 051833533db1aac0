"""Authorities: which principals may report what other people decided, by which sources.

Not what a source says: an authority is believed about whom it knows. A source that is retired was one until then.
"""

from dataclasses import dataclass
from typing import Any

from ledger.authority import is_named
from ledger.conditions import Match
from ledger.events.ledger import LedgerSourceEnrolled, LedgerSourceRetired
from projections.engine.view import EntryInfo, Reads, View, replace


@dataclass(frozen=True)
class Enrolment:
    """One enrolment of a source, from its position to the one that retired it."""

    principal: str
    identities: tuple[str, ...]
    types: tuple[str, ...]
    position: int
    retired_position: int | None = None


@dataclass(frozen=True)
class Authority:
    """One source at one door: whose it is, and the identities it is an authority for (exact, or a prefix with `*`)."""

    at: str
    source: str | None = None
    door: str | None = None
    principal: str | None = None
    identities: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    position: int | None = None
    is_retired: bool = False
    enrolments: tuple[Enrolment, ...] = ()


def _all_about_sources(key: str, row: Any) -> tuple[Match, ...]:
    # These entries carry no ref of the source. There are few of them.
    return (Match(),)


authorities = View(
    "authorities",
    version=3,
    row=Authority,
    kind="authority",
    entries_of=_all_about_sources,
    indexes=("principal",),
    is_carried=False,
    doc="Enrolled sources by door: whose each is, and for whom it may speak.",
)


def _at(event: LedgerSourceEnrolled | LedgerSourceRetired) -> str:
    return f"{event.door}:{event.source}"


@authorities.on(LedgerSourceEnrolled, key=_at)
def enrolled(row: Authority, event: LedgerSourceEnrolled, entry: EntryInfo) -> Authority:
    new = Enrolment(event.principal, event.authority_for, event.types, entry.position)
    return replace(
        row,
        source=event.source,
        door=event.door,
        principal=new.principal,
        identities=new.identities,
        types=new.types,
        position=new.position,
        is_retired=False,
        enrolments=(*_ended(row, entry), new),
    )


@authorities.on(LedgerSourceRetired, key=_at)
def retired(row: Authority, event: LedgerSourceRetired, entry: EntryInfo) -> Authority:
    return replace(row, is_retired=True, enrolments=_ended(row, entry))


def _ended(row: Authority, entry: EntryInfo) -> tuple[Enrolment, ...]:
    """Return the enrolments there were, of which the last is in force no longer."""
    return tuple(replace(e, retired_position=e.retired_position or entry.position) for e in row.enrolments)


# -- by whose sources they are -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class PrincipalsSource:
    """One source of a principal's, from the position at which it was enrolled to the one at which it was retired."""

    source: str
    door: str
    identities: tuple[str, ...]
    types: tuple[str, ...]
    position: int
    retired_position: int | None = None

    def holds(self, position: int | None) -> bool:
        """Say whether it is in force for a statement at a position; now, for none."""
        if position is None:
            return self.retired_position is None
        return self.position < position and (self.retired_position is None or position <= self.retired_position)


@dataclass(frozen=True)
class SourcesOf:
    """A principal, and all sources that were ever enrolled as its own."""

    principal: str
    sources: tuple[PrincipalsSource, ...] = ()


# Whoever asks for whom somebody may speak looks at one row, however many sources others have.
principals_sources = View(
    "principals_sources",
    version=1,
    row=SourcesOf,
    kind="principal",
    entries_of=_all_about_sources,
    reads=(authorities,),
    is_carried=False,
    doc="Principals with enrolled sources: which, for whom each may speak, and from when to when.",
)


def _whose(event: LedgerSourceEnrolled | LedgerSourceRetired, entry: EntryInfo) -> list[str]:
    """Return whose a source is, and was."""
    row = entry.reads.row(authorities, _at(event))
    return [enrolment.principal for enrolment in row.enrolments] if row is not None else []


@principals_sources.on(LedgerSourceEnrolled, key=_whose)
def enrolled_as(row: SourcesOf, event: LedgerSourceEnrolled, entry: EntryInfo) -> SourcesOf:
    new = PrincipalsSource(event.source, event.door, event.authority_for, event.types, entry.position)
    return replace(row, sources=(*_left(row, event, entry), *((new,) if row.principal == event.principal else ())))


@principals_sources.on(LedgerSourceRetired, key=_whose)
def retired_as(row: SourcesOf, event: LedgerSourceRetired, entry: EntryInfo) -> SourcesOf:
    return replace(row, sources=_left(row, event, entry))


def _left(
    row: SourcesOf, event: LedgerSourceEnrolled | LedgerSourceRetired, entry: EntryInfo
) -> tuple[PrincipalsSource, ...]:
    """Return the sources there were, of which the one that is told of is in force no longer."""
    return tuple(
        replace(one, retired_position=entry.position)
        if one.retired_position is None and (one.door, one.source) == (event.door, event.source)
        else one
        for one in row.sources
    )


def sources_of(
    reads: Reads, principal: str, position: int | None = None, event_type: str | None = None
) -> list[tuple[str, tuple[str, ...]]]:
    """Return the sources of a principal, each with the identities it may speak for.

    Those of now, or those for a statement at a position; with a type of event, those alone whose enrolment names it.
    """
    row = reads.row(principals_sources, principal)
    return [
        (one.source, one.identities)
        for one in (row.sources if row is not None else ())
        if one.holds(position) and (event_type is None or is_named(event_type, frozenset(one.types)))
    ]

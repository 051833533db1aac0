"""Authorities: which principals may report what other people decided, by which sources.

Not what a source says: an authority is believed about whom it knows. A source that is retired was one until then.
"""

from dataclasses import dataclass

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

    def holds(self, position: int | None) -> bool:
        """Say whether it is in force for a statement at a position; now, for none."""
        if position is None:
            return self.retired_position is None
        return self.position < position and (self.retired_position is None or position <= self.retired_position)


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


def _all_about_sources(key: str, row: Authority) -> tuple[Match, ...]:
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


def sources_of(
    reads: Reads, principal: str, position: int | None = None, event_type: str | None = None
) -> list[tuple[str, tuple[str, ...]]]:
    """Return the sources of a principal, each with the identities it may speak for.

    Those of now, or those for a statement at a position; with a type of event, those alone whose enrolment names it.
    """
    return [
        (row.source, enrolment.identities)
        for row in reads.named(authorities, LedgerSourceEnrolled)
        if row.source is not None
        for enrolment in row.enrolments
        if enrolment.principal == principal
        and enrolment.holds(position)
        and (event_type is None or is_named(event_type, frozenset(enrolment.types)))
    ]

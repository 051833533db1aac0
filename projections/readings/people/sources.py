"""Authorities: which principals may report what other people decided, by which sources."""

from dataclasses import dataclass

from ledger.conditions import Match
from ledger.events.ledger import LedgerSourceEnrolled, LedgerSourceRetired
from projections.engine.view import EntryInfo, Reads, View, replace


@dataclass(frozen=True)
class Authority:
    """One source at one door: whose it is, and the identities it is an authority for (exact, or a prefix with `*`)."""

    at: str
    source: str | None = None
    door: str | None = None
    principal: str | None = None
    identities: tuple[str, ...] = ()
    position: int | None = None
    is_retired: bool = False


def _all_about_sources(key: str, row: Authority) -> tuple[Match, ...]:
    # These entries carry no ref of the source. There are few of them.
    return (Match(),)


authorities = View(
    "authorities",
    version=1,
    row=Authority,
    kind="authority",
    entries_of=_all_about_sources,
    indexes=("principal",),
    doc="Enrolled sources by door: whose each is, and for whom it may speak.",
)


def _at(event: LedgerSourceEnrolled | LedgerSourceRetired) -> str:
    return f"{event.door}:{event.source}"


@authorities.on(LedgerSourceEnrolled, key=_at)
def enrolled(row: Authority, event: LedgerSourceEnrolled, entry: EntryInfo) -> Authority:
    return Authority(row.at, event.source, event.door, event.principal, event.authority_for, entry.position)


@authorities.on(LedgerSourceRetired, key=_at)
def retired(row: Authority, event: LedgerSourceRetired, entry: EntryInfo) -> Authority:
    return replace(row, is_retired=True)


def sources_of(reads: Reads, principal: str) -> list[tuple[str, tuple[str, ...]]]:
    """Return the sources of a principal, each with the identities it may speak for."""
    return [
        (row.source, row.identities)
        for row in reads.named(authorities, LedgerSourceEnrolled)
        if row.principal == principal and row.source is not None and not row.is_retired
    ]

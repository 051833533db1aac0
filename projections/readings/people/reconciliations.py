"""Reconciliations: what sources list of what they told, month by month; and which evidence counts though it was recorded late.

Not whether a list is right: it is the source's word. A source that was out of reach tells afterwards what had happened before. From an
authority that counts as if it had been on record, where the list that it makes of that time has it:

    12  deployment.started      10:10, recorded at 10:10
    13  approval.granted        10:05 by bob, recorded at 14:30 by the code host, which is an authority for bob
    14  source.reconciled       09:00 to 12:00, made at 15:00 by the code host: lists 13

It is the first list of that time that counts. What that one lacks, no later one brings in: nobody dates a fact back and then lists
it. So lists stay when they are taken back. A list tells of the two years before it was made, and of nothing that came after.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from ledger.authority import is_named, source_matches
from ledger.conditions import Match
from ledger.events import CATALOGUE, Event
from ledger.events.source import SourceReconciled
from ledger.words import number_of
from projections.engine.listing import Listing
from projections.engine.reads import Rows
from projections.engine.view import EntryInfo, Moment, Reads, View, later, moment, replace
from projections.readings.people.powers import fault_of_speaker
from projections.readings.people.sources import sources_of
from projections.readings.people.voices import Spoken, authority_of, has_root_power, is_vouched, spoken
from projections.rules.digests import list_digest
from projections.rules.leave import Recorded

DAYS_TOLD: Final = 2 * 365


@dataclass(frozen=True)
class SourceList:
    """One list of a source: of which time and which types of facts. `contradiction` says what of it cannot be so.

    What it lists is in the entry; `missing` and `extra` are the ids that it names, of as many as it counts.
    """

    said: Spoken
    begin: Moment
    end: Moment
    types: tuple[str, ...]
    missing_count: int
    missing: tuple[str, ...]
    extra_count: int
    extra: tuple[str, ...]
    contradiction: str = ""

    def is_of(self, event_type: str, at: Moment) -> bool:
        """Say whether it lists facts of a type and a time. Its end is the next one's beginning."""
        return self.begin <= at < self.end and self.has_types((event_type,))

    def has_types(self, types: tuple[str, ...]) -> bool:
        """Say whether it lists facts of all of some types; without any, of every type."""
        if not self.types or not types:
            return not self.types
        return all(is_named(name, frozenset(self.types)) for name in types)

    def covers(self, other: "SourceList") -> bool:
        """Say whether it is of all that another one is of."""
        return self.begin <= other.begin and other.end <= self.end and self.has_types(other.types)


@dataclass(frozen=True)
class SourceMonth:
    """The lists of one source that reach into one month, in the order of the record."""

    name: str
    source: str | None = None
    month: str | None = None
    lists: tuple[SourceList, ...] = ()


source_lists = View(
    "source_lists",
    version=2,
    row=SourceMonth,
    kind="source_month",
    # No ref names a source. There are few of them.
    entries_of=lambda key, row: (Match((SourceReconciled.type,)),),
    indexes=("source", "month"),
    keeps_withdrawn=True,
    doc="Lists of sources: what each source itself lists of a month, what the ledger lacked of it, and what it had beside.",
)


def _name(source: str, month: str) -> str:
    return f"{source}@{month}"


def _span(event: SourceReconciled, entry: EntryInfo) -> tuple[Moment, Moment]:
    """Return from when to when a list tells: of no longer than two years, and of nothing that came after it."""
    made = spoken(entry, event.actor).at
    return max(moment(event.period_start), later(made, days=-DAYS_TOLD)), min(moment(event.period_end), made)


def _months(event: SourceReconciled, entry: EntryInfo) -> Iterator[str]:
    begin, end = _span(event, entry)
    year, month = int(begin[:4]), int(begin[5:7])
    while (named := f"{year:04}-{month:02}") <= end[:7] and begin < end:
        yield _name(event.source, named)
        year, month = (year, month + 1) if month < 12 else (year + 1, 1)


@source_lists.on(SourceReconciled, key=_months)
def listed(row: SourceMonth, event: SourceReconciled, entry: EntryInfo) -> SourceMonth:
    source, _, month = row.name.rpartition("@")
    begin, end = _span(event, entry)
    told = SourceList(
        spoken(entry, event.actor),
        begin,
        end,
        event.types,
        event.missing_count,
        event.missing,
        event.extra_count,
        event.extra,
        _contradiction(event),
    )
    return replace(row, source=source, month=month, lists=(*row.lists, told))


def _contradiction(event: SourceReconciled) -> str:
    """Say what of a list cannot be so, as far as it names what it counts; empty where nothing speaks against it."""
    if len(event.listed) > event.listed_count:
        return f"it names {number_of(len(event.listed), 'id')}, and counts {event.listed_count}"
    if len(event.missing) > event.missing_count or len(event.extra) > event.extra_count:
        return "it names more ids that are missing, or extra, than it counts"
    if len(event.listed) < event.listed_count:
        return ""
    if (digest := list_digest(event.listed)) != event.listed_digest:
        return f"its digest is {digest}, and was stated as {event.listed_digest}"
    if others := sorted(set(event.missing) - set(event.listed)):
        return f"{others[0]} is missing, and not listed"
    if both := sorted(set(event.extra) & set(event.listed)):
        return f"{both[0]} is extra, and listed"
    return ""


# -- whose list it is ----------------------------------------------------------------------------------------------------


def is_its_own(reads: Reads, source: str, told: SourceList) -> bool:
    """Say whether a list was made by the source itself: by whose it is enrolled as, from there, and in nobody else's name."""
    enrolled = authority_of(reads, told.said)
    return (
        not told.contradiction
        and any(source_matches(p, source) and source_matches(p, told.said.source) for p, _ in enrolled)
        and not fault_of_speaker(reads, SourceReconciled.type, told.said)
    )


def clears(reads: Reads, source: str, told: SourceList) -> bool:
    """Say whether a list may say that nothing is missing any more: the source's own, or an operator's."""
    is_operators = has_root_power(reads, SourceReconciled.type, told.said) and not told.contradiction
    return is_operators or is_its_own(reads, source, told)


def is_listed(reads: Rows, said: Recorded) -> bool:
    """Say whether something that was recorded late counts all the same: an authority said it, and its own first list of that time has it.

    An authority for the actor, or for the type of fact, was enrolled as one when the fact was recorded, and made the list itself.
    """
    entry = reads.entry(said.position)
    fact = spoken(entry, getattr(entry.event, "actor", None))
    if not _is_by_authority(reads, entry.type, fact):
        return False
    row = reads.row(source_lists, _name(entry.source, fact.at[:7]))
    for told in row.lists if row is not None else ():
        if not told.is_of(entry.type, fact.at) or told.said.principal != fact.principal:
            continue
        if is_its_own(reads, entry.source, told):
            # The ids are in the entry alone: of thousands of lists, few are asked.
            event = reads.entry(told.said.position).event
            return isinstance(event, SourceReconciled) and entry.statement["id"] in (*event.listed, *event.missing)
    return False


def _is_by_authority(reads: Reads, event_type: str, fact: Spoken) -> bool:
    return is_vouched(reads, fact) or any(
        source_matches(pattern, fact.source)
        for pattern, _ in sources_of(reads, fact.principal, fact.position, event_type)
    )


# -- what came after all -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Arrival:
    """One fact that a list had called missing, and that was recorded afterwards."""

    line: str
    fact: str = ""
    position: int = 0
    at: Moment | None = None
    recorded_at: Moment | None = None
    type: str = ""
    withdrawn_position: int | None = None


arrivals = Listing(
    "arrivals",
    version=2,
    row=Arrival,
    about="fact",
    reads=(source_lists,),
    doc="Arrivals: facts that a source's list had called missing, and that came afterwards.",
)


def fact_name(source: str, event_id: str) -> str:
    """Return how a fact is named: by its source, and its id there."""
    return f"{source} {event_id}"


def _awaited(event: Event, entry: EntryInfo) -> str | None:
    row = entry.reads.row(source_lists, _name(entry.source, min(entry.time, entry.recorded_at)[:7]))
    event_id = entry.statement["id"]
    is_awaited = row is not None and any(event_id in told.missing for told in row.lists)
    return fact_name(entry.source, event_id) if is_awaited else None


# Whatever the catalogue has, and comes to have.
@arrivals.on(*CATALOGUE.values(), key=_awaited)
def arrived(row: Arrival, event: Event, entry: EntryInfo) -> Arrival:
    return replace(row, at=entry.time, recorded_at=entry.recorded_at, type=entry.type)

"""Imports of history: which credential brought in what had happened before, up to which time; and when the ledger itself began.

Not what was brought in: those are entries like all others, marked where it matters.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from ledger.authority import source_matches
from ledger.conditions import AFTER_ALL, Match
from ledger.events import ref
from ledger.events.ledger import LedgerImportClosed, LedgerImportOpened, LedgerOpened
from projections.engine.reads import Rows
from projections.engine.view import EntryInfo, Moment, Reads, View, moment, replace
from projections.readings.people.reconciliations import is_listed
from projections.readings.people.speaking import clocks_of
from projections.readings.people.voices import Spoken
from projections.rules.leave import Clocks, Instant, Recorded, instants, never


@dataclass(frozen=True)
class Import:
    """One import: by which credential, of which sources, up to which time, and between which entries."""

    import_id: str
    credential: str = ""
    sources: tuple[str, ...] = ()
    until: Moment | None = None
    opened_position: int | None = None
    closed_position: int | None = None


imports = View(
    "imports",
    version=2,
    row=Import,
    kind="import",
    indexes=("credential",),
    is_carried=False,
    doc="Imports of history: by which credential, of which sources, up to which time, and between which entries.",
)


@imports.on(LedgerImportOpened, key=lambda event: event.import_id)
def opened(row: Import, event: LedgerImportOpened, entry: EntryInfo) -> Import:
    """An import has one life: opened again under the same id, it is as it was."""
    if row.opened_position is not None:
        return row
    return Import(row.import_id, event.credential, event.sources, moment(event.until), entry.position)


@imports.on(LedgerImportClosed, key=lambda event: event.import_id)
def closed(row: Import, event: LedgerImportClosed, entry: EntryInfo) -> Import:
    return row if row.closed_position is not None else replace(row, closed_position=entry.position)


def is_history(reads: Reads, said: Spoken) -> bool:
    """Say whether something was recorded within an import of its credential, and had happened before the time that this brings in."""
    return any(
        row.opened_position is not None
        and row.until is not None
        and row.credential == said.credential
        and row.opened_position < said.position < (row.closed_position or said.position + 1)
        and said.at <= row.until
        and any(source_matches(pattern, said.source) for pattern in row.sources)
        for row in reads.named(imports, LedgerImportOpened, ref("credential", said.credential))
    )


# -- the beginning --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Beginning:
    """When a ledger recorded its first entry."""

    name: str
    at: Moment | None = None


THIS: Final = "ledger"
beginnings = View(
    "beginnings",
    version=2,
    row=Beginning,
    kind="beginning",
    entries_of=lambda key, row: (Match((LedgerOpened.type,)),),
    is_carried=False,
    doc="When this ledger began to record.",
)


@beginnings.on(LedgerOpened, key=lambda event: THIS)
def begun(row: Beginning, event: LedgerOpened, entry: EntryInfo) -> Beginning:
    return replace(row, at=entry.recorded_at)


def instants_of(reads: Rows, act: Recorded, *, is_history: bool = False) -> tuple[Instant, ...]:
    """Return the times at which an act is judged, by the policy in force at its time.

    What travelled slowly counts at each: what an authority said before, and its own list has.
    """
    row = reads.row(beginnings, THIS)
    clocks = clocks_of(reads, act.at)
    if row is not None and row.at is not None:
        clocks = Clocks(clocks.lag_s, clocks.skew_s, row.at)
    late: Callable[[Recorded], bool] = getattr(reads, "late", never)
    return instants(act, clocks, is_history=is_history, travelled=lambda said: is_listed(reads, said), late=late)


def by_a_deadline(reads: Rows, time: Moment) -> Instant:
    """Return the instant of a deadline: what was done and on record by then counts, and what travelled slowly."""
    return Instant(time, time, AFTER_ALL, lambda said: is_listed(reads, said))

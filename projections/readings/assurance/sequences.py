"""Sequences: which of the numbers that a source counts its facts by are on record, as runs without a gap.

By the CloudEvents extension `sequence`, where it is a count: an integer, or a text of digits, below a thousand million, and of no other
`sequencetype` than `Integer`. What orders by times, or by texts, leaves no gaps that mean anything. A count that begins anew finds its
numbers taken: of what was lost after that nothing is known, until it is further than before.

    1, 2, 3, 6, 7, 5   ->   1 to 3 and 5 to 7: 4 is missing

Each who tells in a source's name is counted alone: nobody fills, or takes beforehand, the numbers of another.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from ledger.conditions import Match
from ledger.events import CATALOGUE, Event
from projections.engine.view import EntryInfo, Moment, View, replace

# A count is below it; ten digits and more are mostly times.
MAX_NUMBER: Final = 999_999_999
# So many runs are kept of a source: of more, the first two are taken together.
MAX_RUNS: Final = 200


@dataclass(frozen=True)
class Stretch:
    """Numbers of which none is missing, and the entries of the first and of the last. `since` is when the first was known that
    something before it was missing.
    """

    first: int
    last: int
    first_position: int
    last_position: int
    since: Moment


@dataclass(frozen=True)
class Sequence:
    """One source that counts, as one principal tells it: `counter` is both. `forgotten` is how many numbers were missing between runs that
    are not told apart any more.
    """

    counter: str
    source: str | None = None
    principal: str | None = None
    runs: tuple[Stretch, ...] = ()
    forgotten: int = 0

    @property
    def gaps(self) -> list[tuple[Stretch, Stretch]]:
        """Return the runs between which numbers are missing."""
        return list(pairwise(self.runs))


sequences = View(
    "sequences",
    version=2,
    row=Sequence,
    kind="sequence",
    # No ref names a source, and any entry of it may have a number.
    entries_of=lambda key, row: (Match(),),
    indexes=("source",),
    keeps_withdrawn=True,
    doc="Sequences of sources that count what they tell: the numbers that are on record, and between which some are missing.",
)


def number_of(entry: EntryInfo) -> int | None:
    """Return the number that a source gave an entry, where it counts."""
    said = entry.statement.get("sequence")
    if said is None or isinstance(said, bool) or entry.statement.get("sequencetype", "Integer") != "Integer":
        return None
    text = str(said)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 and int(text) <= MAX_NUMBER else None


def _counter(event: Event, entry: EntryInfo) -> str | None:
    return f"{entry.source} {entry.by['principal']}" if number_of(entry) is not None else None


# Whatever the catalogue has, and comes to have.
@sequences.on(*CATALOGUE.values(), key=_counter)
def counted(row: Sequence, event: Event, entry: EntryInfo) -> Sequence:
    number = number_of(entry)
    if number is None:
        return row
    row = replace(row, source=entry.source, principal=entry.by["principal"])
    new = Stretch(number, number, entry.position, entry.position, entry.recorded_at)
    runs = _with(row.runs, new)
    if len(runs) <= MAX_RUNS:
        return replace(row, runs=runs)
    low, high, *others = runs
    return replace(row, runs=(_joined(low, high), *others), forgotten=row.forgotten + high.first - low.last - 1)


def _with(runs: tuple[Stretch, ...], new: Stretch) -> tuple[Stretch, ...]:
    """Return runs with one more number. Mostly it follows on the last."""
    place = len(runs)
    while place and runs[place - 1].first > new.first:
        place -= 1
    low = runs[place - 1] if place else None
    if low is not None and new.first <= low.last:
        return runs
    before, after = runs[:place], runs[place:]
    if low is not None and low.last + 1 == new.first:
        before, new = before[:-1], _joined(low, new)
    if after and new.last + 1 == after[0].first:
        new, after = _joined(new, after[0]), after[1:]
    return (*before, new, *after)


def _joined(low: Stretch, high: Stretch) -> Stretch:
    return Stretch(low.first, high.last, low.first_position, high.last_position, min(low.since, high.since))

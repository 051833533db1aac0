"""P10 and P12: what a ledger weighs, and whether appending slows down as it grows or is read.

One ledger grows; copies of it are kept at the sizes that are compared. P12 holds the copy of the small one against the large one in
turns. The rate while an audit runs is held against the rate while a neighbour merely computes: what is asked is whether the audit's
*reading* costs the appends anything, and on a machine of two cores any neighbour does.
"""

import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from benchmarks import auditing
from benchmarks.appending import append, append_through_writer
from benchmarks.events import groups
from benchmarks.measure import Rates, Row, beside, limit, take_turns, timed
from benchmarks.places import Keys, Place, SqlitePlace, create, reporter
from benchmarks.prepared import Prepared
from benchmarks.serving import python
from ledger.ledger import Ledger
from ledger.log.database import Database
from ledger.log.writer import Writer

GROUP = 100
SMALLEST = 1000
WEIGHT = {"SQLite": 350, "PostgreSQL": 850}


@dataclass(frozen=True)
class Sizes:
    """At how many entries things are measured. Audits: `audits` times, at `audited` entries and four times as many."""

    small: int
    audited: int
    large: int
    groups_per_round: int
    rounds: int
    audits: int


def measure(place: Place, keys: Keys, directory: Path, sizes: Sizes, prepared: Prepared | None) -> list[Row]:
    """Return the lines of P4, P5, P7, P10, P11 and P12 for one kind of database. SQLite's ledgers are `prepared`, and not made here."""
    audited = (sizes.audited, 4 * sizes.audited) if sizes.audits else ()
    wanted = sorted({SMALLEST, sizes.small, *audited, sizes.large})
    if prepared is None:
        urls = _grown(place, keys, wanted)
    else:
        assert isinstance(place, SqlitePlace)
        urls = {size: place.take(prepared.grown(size), f"grown-{size}") for size in wanted}
        keys = prepared.keys
    stored, entries = place.stored_bytes(f"grown-{sizes.large}")
    weight = (stored - entries) / sizes.large
    rows = []
    if audited:
        # All of it where it was kept from another run, else a fifth.
        audited_at = sizes.large if prepared is not None and prepared.is_kept else audited[1]
        rows += auditing.measure(place.name, urls[audited_at], keys, directory, rounds=sizes.audits)
        rows.append(auditing.memory(place.name, {size: urls[size] for size in audited}))
    proved = sorted({SMALLEST, min(100_000, sizes.large), sizes.large})
    rows += auditing.proofs(place.name, {size: urls[size] for size in proved if size in urls})
    rows.append(
        limit(
            "P10",
            f"bytes beyond the entry, {place.name}, {sizes.large:,} entries",
            weight,
            "bytes/entry",
            at_most=WEIGHT[place.name],
            note=f"an entry has {entries / sizes.large:.0f}",
            spread=(weight, weight),
        )
    )
    for size in (sizes.large, sizes.small):
        place.settle(f"grown-{size}")
    return rows + _rates(place, keys, urls[sizes.small], urls[sizes.large], sizes)


def _grown(place: Place, keys: Keys, sizes: Sequence[int]) -> dict[int, str]:
    """Grow one ledger, and copy it at every size."""
    name = "grown"
    create(place.new(name), keys)
    urls = {}
    for size in sizes:
        _grow(place.url(name), keys, size)
        urls[size] = place.copy(name, f"grown-{size}")
    return urls


def _grow(url: str, keys: Keys, to: int) -> None:
    """Append until the ledger has `to` entries, and close it."""
    ledger = Ledger.open(Database(url), keys.entry)
    caller, writer = reporter(ledger), Writer(ledger.append_group)
    try:
        size = ledger.size()
        work = groups(GROUP, first=size + 1)
        append_through_writer(ledger, caller, writer, islice(work, (to - size) // GROUP))
        append(ledger, caller, next(work)[: (to - size) % GROUP])
    finally:
        writer.close()
        ledger.close()


def _rates(place: Place, keys: Keys, small_url: str, large_url: str, sizes: Sizes) -> list[Row]:
    small, large = (Ledger.open(Database(url), keys.entry) for url in (small_url, large_url))

    def appender(ledger: Ledger) -> Callable[[int], int]:
        caller, work = reporter(ledger), groups(GROUP, first=ledger.size() + 1)
        return lambda _: sum(append(ledger, caller, group) for group in islice(work, sizes.groups_per_round))

    at_small, at_large = f"at {sizes.small:,}", f"at {sizes.large:,}"
    work = appender(large)
    try:
        rates = take_turns({at_small: timed(appender(small)), at_large: timed(work)}, sizes.rounds)
        what = f"append, {place.name}, groups of {GROUP}, {sizes.large:,} entries"
        rows = [beside("P12", what, rates, at_large, at_small, at_least=0.9)]
        busy = Rates()
        for name, command in (("computing", ["compute"]), ("audit", ["audit", large_url])):
            with _neighbour(command):
                busy.rounds |= take_turns({name: timed(work)}, sizes.rounds).rounds
    finally:
        small.close()
        large.close()
    note = f"alone {rates.median(at_large):,.0f}"
    what = f"append, {place.name}, groups of {GROUP}, while an audit runs"
    return [*rows, beside("P12", what, busy, "audit", "computing", at_least=0.9, note=note)]


@contextmanager
def _neighbour(command: list[str]) -> Iterator[None]:
    """Run a child process for the time of the block."""
    child = subprocess.Popen(python("-m", "benchmarks.children", *command), stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout is not None
        if child.stdout.readline().strip() != "ready":
            raise RuntimeError(f"the neighbour {command[0]} did not start")
        yield
        if child.poll() is not None:
            raise RuntimeError(f"the neighbour {command[0]} ended by itself, with {child.returncode}")
    finally:
        child.terminate()
        child.wait()

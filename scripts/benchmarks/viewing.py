"""P6 and P8: folding views anew, and asking them, on ledgers of one made-up year, small and large."""

import shutil
import sqlite3
import statistics
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from year import Year, tell  # type: ignore[import-not-found,unused-ignore]

from benchmarks.measure import Row, limit, quartiles
from benchmarks.prepared import Prepared, opened
from ledger.clock import to_text
from ledger.ledger import Ledger
from ledger.log.reading import read_entries
from projections import VIEWS
from projections.engine.runner import Runner, share_interpreter
from projections.engine.serving import list_rows, read_row, row_as_of
from projections.engine.sql_store import SqlStore
from projections.engine.view import EntryInfo
from projections.engine.view_set import BATCH
from projections.gates.asking import ask
from projections.judging.gate_rule import Question
from projections.readings.changes.tickets import change_tickets
from projections.readings.changes.timeline import change_timeline
from projections.readings.delivery.deployments import deployments

ASKED = 60


def measure(directory: Path, prepared: Prepared, sizes: Sequence[int], large: Sequence[int]) -> list[Row]:
    """Return the lines of P6 and P8 for years of so many changes, the smallest first; of `large` ones those of P8 alone: their views
    were folded once.
    """
    rows: list[Row] = []
    # As a server does before it follows the log.
    share_interpreter()
    for changes in sizes:
        year = Year(services=max(20, min(200, changes // 20)), changes=changes)
        ledger = tell(year, str(directory / f"year-{changes}.db"))
        rows += _folding(ledger) + _asking(ledger, f"CHG-{changes // 2}")
        ledger.close()
    for changes in large:
        path = directory / f"folded-{changes}.db"
        shutil.copyfile(prepared.folded(changes), path)
        ledger = opened(path, prepared.keys)
        rows += _asking(ledger, f"CHG-{changes // 2}")
        ledger.close()
        path.unlink()
    return rows


def _bare(ledger: Ledger) -> float:
    """Return the rate that no rebuild comes over: every entry read, parsed and validated, and written as one row, in the same batches."""
    scratch = ledger.database.path.with_suffix(".bare") if ledger.database.path else Path(":memory:")
    written = sqlite3.connect(scratch, isolation_level=None)
    written.execute("PRAGMA journal_mode=WAL")
    written.execute("CREATE TABLE bare (position INTEGER PRIMARY KEY, is_known BOOLEAN, entry BLOB)")
    start, at = time.perf_counter(), 0
    with ledger.database.read() as connection:
        while page := list(read_entries(connection, after=at, limit=BATCH)):
            rows = [(e.position, EntryInfo(e.document).event is not None, e.entry) for e in page]
            written.execute("BEGIN")
            written.executemany("INSERT INTO bare VALUES (?, ?, ?)", rows)
            written.execute("COMMIT")
            at = page[-1].position
    rate = at / (time.perf_counter() - start)
    written.close()
    scratch.unlink()
    return rate


def _folding(ledger: Ledger) -> list[Row]:
    size, bare = ledger.size(), _bare(ledger)

    def of_bare(rate: float) -> str:
        return f"{rate / bare:.2f} of what reads, parses, validates and writes an entry: {bare:,.0f}"

    one = Runner(ledger.database, (*deployments.reads, deployments), ledger.watcher)
    one.acquire()
    start = time.perf_counter()
    one.catch_up()
    alone = size / (time.perf_counter() - start)
    one.close()
    runner = Runner(ledger.database, VIEWS, ledger.watcher)
    runner.acquire()
    waits, ended = [], threading.Event()

    def keep_appending() -> None:
        while not ended.is_set():
            begun = time.perf_counter()
            ledger.state("ledger.time_passed", {"until": to_text(ledger.clock.now_us())})
            waits.append((time.perf_counter() - begun) * 1000)
            ended.wait(0.02)

    appending = threading.Thread(target=keep_appending)
    start = time.perf_counter()
    appending.start()
    runner.catch_up()
    together = size / (time.perf_counter() - start)
    ended.set()
    appending.join()
    runner.catch_up()
    runner.close()
    of = f"SQLite, {size:,} entries"
    return [
        limit(
            "P6",
            f"rebuild, view deployments and what it reads, {of}",
            alone,
            "entries/s",
            at_least=30_000,
            note=of_bare(alone),
        ),
        limit(
            "P6",
            f"rebuild, all {len(VIEWS)} views, {of}",
            together,
            "entries/s",
            at_least=8_000,
            note=of_bare(together),
        ),
        limit(
            "P6", f"append during a rebuild, {of}", _p95(waits), "ms", at_most=50, note=f"p95; longest {max(waits):.0f}"
        ),
    ]


def questions(ledger: Ledger, change: str) -> dict[str, Callable[[], None]]:
    """Return what P8 asks about a change, in a ledger whose views are folded: by name, a function that asks once."""
    store = SqlStore(ledger.database, VIEWS)
    with ledger.database.read() as connection:
        ticket = read_row(connection, change_tickets, change).rows[0]
        lines = list_rows(connection, change_timeline, where={"change_id": change}).rows
        middle = lines[len(lines) // 2]["position"]
    where = (ticket["services"][0], ticket["environment"])

    def gate() -> None:
        now = to_text(ledger.clock.now_us())
        ask(ledger, VIEWS, Question("deploy", now, "service:ci", change, None, *where, "sha256:" + "0" * 64))

    def read(work: Callable[..., object]) -> Callable[[], None]:
        def reading() -> None:
            with ledger.database.read() as connection:
                work(connection)

        return reading

    return {
        "gate deploy": gate,
        "list of tickets, a page by state": read(
            lambda connection: list_rows(connection, change_tickets, where={"state": "scheduled"})
        ),
        "its timeline, a page, the latest first": read(
            lambda connection: list_rows(connection, change_timeline, where={"change_id": change}, sort="-line")
        ),
        "ticket": read(lambda connection: read_row(connection, change_tickets, change)),
        "ticket as of its middle": read(
            lambda connection: row_as_of(
                connection,
                store,
                change_tickets,
                change,
                middle,
            )
        ),
    }


def _asking(ledger: Ledger, change: str) -> list[Row]:
    size = ledger.size()
    runner = Runner(ledger.database, VIEWS, ledger.watcher)
    runner.acquire()
    rows = []
    for name, work in questions(ledger, change).items():
        taken = []
        for _ in range(ASKED):
            start = time.perf_counter()
            work()
            taken.append((time.perf_counter() - start) * 1000)
            # The views follow as they do behind a server, off this clock.
            runner.catch_up()
        rows.append(
            limit(
                "P8",
                f"{name}, SQLite, {size:,} entries",
                _p95(taken),
                "ms",
                at_most=25,
                note=f"p95 of {ASKED}; median {statistics.median(taken):.1f}",
                spread=quartiles(taken),
            )
        )
    runner.close()
    return rows


def _p95(values: list[float]) -> float:
    return sorted(values)[int(len(values) * 0.95)] if values else 0.0

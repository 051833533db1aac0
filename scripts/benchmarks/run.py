"""All of it, in order: `--quick` in some minutes; everything takes a good deal longer."""

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from rich.console import Console

from benchmarks import appending, comparing, growing, paging, profiling, report, serving, starting, viewing
from benchmarks.busy import Watch
from benchmarks.growing import Sizes
from benchmarks.measure import Row
from benchmarks.places import Keys, PostgresPlace, SqlitePlace
from benchmarks.prepared import Prepared
from benchmarks.report import Part


@dataclass(frozen=True)
class Scale:
    """How long each part is measured."""

    rounds: int
    sqlite: Sizes
    postgres: Sizes
    http_seconds: float
    http_rounds: int
    http_on_postgres: bool
    # Changes of the years that views are folded from.
    years: tuple[int, ...]
    # Of those that are only asked, where ledgers are kept: a million entries are folded in the better part of an hour.
    asked: tuple[int, ...] = ()


QUICK = Scale(
    rounds=3,
    sqlite=Sizes(small=10_000, audited=10_000, large=100_000, groups_per_round=5, rounds=4, audits=1),
    postgres=Sizes(small=5_000, audited=0, large=20_000, groups_per_round=5, rounds=4, audits=0),
    http_seconds=0.6,
    http_rounds=2,
    http_on_postgres=False,
    years=(150, 600),
)
FULL = Scale(
    rounds=15,
    sqlite=Sizes(small=10_000, audited=50_000, large=1_000_000, groups_per_round=20, rounds=11, audits=3),
    postgres=Sizes(small=10_000, audited=25_000, large=250_000, groups_per_round=12, rounds=11, audits=1),
    http_seconds=2.0,
    http_rounds=5,
    http_on_postgres=True,
    years=(700, 7_000),
    asked=(77_500,),
)
ROOT = Path(__file__).resolve().parents[2]


def main() -> int:
    """Measure, print the table and write the JSON file. The exit status says whether it could be measured, not how it went."""
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="some minutes; figures are coarser and ledgers smaller")
    parser.add_argument(
        "--only",
        metavar="PART",
        choices=("append", "http", "grown", "views", "pages", "start"),
        help="append, http, grown, views, pages or start",
    )
    parser.add_argument(
        "--years",
        type=int,
        nargs="+",
        metavar="CHANGES",
        help="of the years that views are folded from; 77500 are a million entries",
    )
    parser.add_argument("--database", choices=("sqlite", "postgres"), help="leave the other one out")
    parser.add_argument(
        "--output", type=Path, help="where the JSON goes, by default build/bench-TIME.json: every run is kept"
    )
    parser.add_argument("--against", type=Path, metavar="FILE", help="compare with the JSON of an earlier run")
    parser.add_argument(
        "--ledgers",
        type=Path,
        metavar="DIR",
        default=os.environ.get("CHANGE_LEDGER_BENCH_LEDGERS"),
        help="where ledgers that take long to make are kept for the next run; or CHANGE_LEDGER_BENCH_LEDGERS. Without --quick, also views "
        "of a million entries, which are asked",
    )
    parser.add_argument(
        "--profile",
        metavar="BAR",
        type=str.upper,
        choices=profiling.WORKS,
        help="only write a flame graph of the work of a bar",
    )
    arguments = parser.parse_args()
    # Read before anything is measured: a run of an hour is not lost to a wrong name.
    try:
        then, before = comparing.read(arguments.against) if arguments.against else ({}, [])
    except (OSError, ValueError) as error:
        parser.error(str(error))
    if arguments.profile:
        profiling.profile(arguments.profile, ROOT / "build" / f"profile-{arguments.profile}.svg", arguments.ledgers)
        return 0
    output = arguments.output or ROOT / "build" / f"bench-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.json"
    from postgres import private_server  # type: ignore[import-not-found,unused-ignore]

    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="ledger-bench-") as name, private_server() as server:
        postgres = PostgresPlace(server.url)
        about = report.machine(Path(name), postgres.version())
        rows: list[Row] = []
        parts: list[Part] = []
        try:
            _measure(arguments, Path(name), postgres, rows, parts)
        finally:
            # What a part measured before another part failed is worth keeping; the traceback follows it.
            postgres.close()
            seconds = time.monotonic() - start
            rows.sort(key=lambda row: int(row.budget[1:]))
            report.show(rows, about, seconds, parts)
            report.write(output, rows, about, arguments.quick, seconds, parts)
            if then:
                report.show_changes(comparing.compare(before, rows), then, about)
    return 0


def _measure(
    arguments: argparse.Namespace, directory: Path, postgres: PostgresPlace, rows: list[Row], parts: list[Part]
) -> None:
    scale = QUICK if arguments.quick else FULL
    keys, sqlite = Keys(directory), SqlitePlace(directory)
    prepared = Prepared(arguments.ledgers or directory / "prepared", is_kept=arguments.ledgers is not None)
    todo: list[tuple[str, str, Callable[[], list[Row]]]] = []
    for of, place, sizes in (("sqlite", sqlite, scale.sqlite), ("postgres", postgres, scale.postgres)):
        todo.append(("append", of, partial(appending.measure, place, keys, sizes=(1, 10, 100), rounds=scale.rounds)))
        if place is sqlite or scale.http_on_postgres:
            http = partial(serving.measure, place, keys, seconds=scale.http_seconds, rounds=scale.http_rounds)
            todo.append(("http", of, http))
        ready = prepared if place is sqlite else None
        todo.append(("grown", of, partial(growing.measure, place, keys, directory, sizes, ready)))
    progress = Console(stderr=True)
    years = tuple(arguments.years or scale.years)
    large = scale.asked if prepared.is_kept and not arguments.years else ()
    todo.append(("views", "sqlite", partial(viewing.measure, directory, prepared, years, large)))
    todo.append(("pages", "sqlite", partial(paging.measure, directory, prepared, (*years, *large))))
    todo.append(("start", "sqlite", partial(starting.measure, directory, scale.rounds)))
    for part, of, measure in todo:
        if arguments.only in (None, part) and arguments.database in (None, of):
            watch, start = Watch(), time.monotonic()
            found = measure()
            seconds = round(time.monotonic() - start, 1)
            busy = watch.ended()
            parts.append(Part(f"{part}, {of}", seconds, busy))
            rows += [replace(row, busy=busy.is_much) for row in found]
            progress.print(f"{part}, {of}: {seconds} s", style="dim", highlight=False)

"""All of it, in order: `--quick` in about two minutes; everything takes a good deal longer."""

import argparse
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rich.console import Console

from benchmarks import appending, growing, report, serving, starting, viewing
from benchmarks.growing import Sizes
from benchmarks.measure import Row
from benchmarks.places import Keys, PostgresPlace, SqlitePlace


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
)
ROOT = Path(__file__).resolve().parents[2]


def main() -> int:
    """Measure, print the table and write the JSON file. The exit status says whether it could be measured, not how it went."""
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="about two minutes; figures are coarser and ledgers smaller"
    )
    parser.add_argument(
        "--only",
        metavar="PART",
        choices=("append", "http", "grown", "views", "start"),
        help="append, http, grown, views or start",
    )
    parser.add_argument(
        "--years",
        type=int,
        nargs="+",
        metavar="CHANGES",
        help="of the years that views are folded from; 77500 are a million entries",
    )
    parser.add_argument("--database", choices=("sqlite", "postgres"), help="leave the other one out")
    parser.add_argument("--output", type=Path, default=ROOT / "build" / "bench.json", help="where the JSON goes")
    arguments = parser.parse_args()
    from postgres import private_server  # type: ignore[import-not-found,unused-ignore]

    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="ledger-bench-") as name, private_server() as server:
        postgres = PostgresPlace(server.url)
        about = report.machine(Path(name), postgres.version())
        rows: list[Row] = []
        try:
            _measure(arguments, Path(name), postgres, rows)
        finally:
            # What a part measured before another part failed is worth keeping; the traceback follows it.
            postgres.close()
            seconds = time.monotonic() - start
            rows.sort(key=lambda row: int(row.budget[1:]))
            report.show(rows, about, seconds)
            report.write(arguments.output, rows, about, arguments.quick, seconds)
    return 0


def _measure(arguments: argparse.Namespace, directory: Path, postgres: PostgresPlace, rows: list[Row]) -> None:
    scale = QUICK if arguments.quick else FULL
    keys, sqlite = Keys(directory), SqlitePlace(directory)
    parts: list[tuple[str, str, Callable[[], list[Row]]]] = []
    for of, place, sizes in (("sqlite", sqlite, scale.sqlite), ("postgres", postgres, scale.postgres)):
        parts.append(("append", of, partial(appending.measure, place, keys, sizes=(1, 10, 100), rounds=scale.rounds)))
        if place is sqlite or scale.http_on_postgres:
            http = partial(serving.measure, place, keys, seconds=scale.http_seconds, rounds=scale.http_rounds)
            parts.append(("http", of, http))
        parts.append(("grown", of, partial(growing.measure, place, keys, directory, sizes)))
    progress = Console(stderr=True)
    parts.append(("views", "sqlite", partial(viewing.measure, directory, tuple(arguments.years or scale.years))))
    parts.append(("start", "sqlite", partial(starting.measure, directory, scale.rounds)))
    for part, of, measure in parts:
        if arguments.only in (None, part) and arguments.database in (None, of):
            start = time.monotonic()
            rows += measure()
            progress.print(f"{part}, {of}: {time.monotonic() - start:.1f} s", style="dim", highlight=False)

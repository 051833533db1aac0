"""The tables and the JSON file; and the machine that all figures are from."""

import json
import os
import platform
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from benchmarks.busy import Busy
from benchmarks.comparing import Change
from benchmarks.measure import Row

PACKAGES = (
    "cryptography",
    "eventsourcing",
    "fastapi",
    "httptools",
    "orjson",
    "psycopg",
    "psycopg-pool",
    "pydantic",
    "sqlalchemy",
    "uvicorn",
    "uvloop",
)
WIDTH = 178


def machine(directory: Path, postgres: str) -> dict[str, Any]:
    """Describe what was measured on: a figure without its machine says nothing."""
    root = Path(__file__).resolve().parents[2]
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=root, capture_output=True, text=True, check=False
    )
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit.stdout.strip(),
        "cores": os.cpu_count(),
        "processor": _processor(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "postgres": postgres,
        "packages": {name: _version(name) for name in PACKAGES},
        "fsync_us": round(_fsync_us(directory)),
    }


@dataclass(frozen=True)
class Part:
    """What was measured in one piece, and how busy others were."""

    name: str
    seconds: float
    busy: Busy


def show(rows: Sequence[Row], about: dict[str, Any], seconds: float, parts: Sequence[Part]) -> None:
    """Print the one table."""
    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    table = Table(box=SIMPLE_HEAD, pad_edge=False, title=None)
    for heading in ("", "work"):
        table.add_column(heading)
    table.add_column("ours", justify="right", no_wrap=True)
    table.add_column("floor or peer")
    for heading in ("theirs", "ratio", "bar"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    table.add_column("note", style="dim")
    before = ""
    for row in rows:
        if before and row.budget != before:
            table.add_section()
        before = row.budget
        table.add_row(
            row.budget,
            row.work,
            f"{_figure(row.ours)} {row.unit}",
            row.beside,
            "" if row.theirs is None else _figure(row.theirs),
            "" if row.ratio is None else f"{row.ratio:.2f}",
            row.bar,
            "" if row.met is None else ("[green]met[/]" if row.met else "[red]missed[/]") + ("?" if row.busy else ""),
            row.note,
        )
    console.print(table)
    judged = [row for row in rows if row.met is not None]
    console.print(
        f"{sum(bool(row.met) for row in judged)} of {len(judged)} bars met, in {seconds:.0f} s. "
        f"{about['cores']} cores, {about['processor']}, Python {about['python']}, SQLite {about['sqlite']}, "
        f"PostgreSQL {about['postgres']}, fsync {about['fsync_us']} µs, commit {about['commit']}",
        highlight=False,
    )
    for part in parts:
        if part.busy.is_much:
            console.print(
                f"{part.name}: others had {part.busy.others:.0%} of the machine before or after it, {part.busy.stolen:.0%} was stolen: "
                "too busy to judge (verdicts with a question mark)",
                highlight=False,
            )


def show_changes(changes: Sequence[Change], then: dict[str, Any], about: dict[str, Any]) -> None:
    """Print how each bar stands against an earlier run."""
    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    table = Table("", "work", "floor or peer", box=SIMPLE_HEAD, pad_edge=False)
    for heading in ("then", "spread", "now", "spread"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for change in changes:
        pair = [cell for row in (change.then, change.now) for cell in (_precise(row.judged), _spread(row))]
        table.add_row(
            change.now.budget, change.now.work, change.now.beside, *pair, change.verdict + "?" * change.is_busy
        )
    console.print(table)
    machine = then["machine"]
    console.print(f"then: {machine['at']}, commit {machine['commit']}", highlight=False)
    if (machine["processor"], machine["cores"]) != (about["processor"], about["cores"]):
        console.print(f"on another machine: {machine['cores']} cores, {machine['processor']}", highlight=False)


def write(
    path: Path, rows: Sequence[Row], about: dict[str, Any], quick: bool, seconds: float, parts: Sequence[Part]
) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    document = {
        "machine": about,
        "quick": quick,
        "seconds": round(seconds, 1),
        "parts": [asdict(part) for part in parts],
        "rows": [row.to_json() for row in rows],
    }
    path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")


def _precise(value: float) -> str:
    return f"{value:,.2f}" if value < 100 else f"{value:,.0f}"


def _spread(row: Row) -> str:
    return "" if row.spread is None else "–".join(map(_precise, row.spread))


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _processor() -> str:
    try:
        info = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in info.splitlines() if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _fsync_us(directory: Path) -> float:
    """Return the median time of appending 4 KiB to a file and syncing it: what no durable commit can undercut."""
    taken = []
    with tempfile.NamedTemporaryFile(dir=directory) as file:
        for _ in range(100):
            start = time.perf_counter()
            os.write(file.fileno(), bytes(4096))
            os.fsync(file.fileno())
            taken.append(time.perf_counter() - start)
    return 1e6 * statistics.median(taken)

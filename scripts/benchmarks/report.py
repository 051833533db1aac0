"""The table and the JSON file; and the machine that all figures are from."""

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
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

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
        "load_before": round(os.getloadavg()[0], 2),
    }


def show(rows: Sequence[Row], about: dict[str, Any], seconds: float) -> None:
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
            "" if row.met is None else "[green]met[/]" if row.met else "[red]missed[/]",
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
    if os.getloadavg()[0] > (os.cpu_count() or 1) + 2 or about["load_before"] > 0.5:
        console.print(
            f"the machine was busy before this began (load {about['load_before']}): ratios lean on it, rates are too low"
        )


def write(path: Path, rows: Sequence[Row], about: dict[str, Any], quick: bool, seconds: float) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    document = {"machine": about, "quick": quick, "seconds": round(seconds, 1), "rows": [row.to_json() for row in rows]}
    path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")


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

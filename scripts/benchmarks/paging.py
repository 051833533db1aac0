"""P14: pages of the console, asked of a server as a browser asks, over the views of a made-up year. That no page reads more rows than
it shows is for the tests to count.
"""

import shutil
import time
from collections.abc import Sequence
from pathlib import Path

import httpx
from servers import running_server  # type: ignore[import-not-found,unused-ignore]

from benchmarks.measure import Row, limit, quartiles
from benchmarks.prepared import Prepared, fold, opened
from ledger.ledger import Ledger
from ledger.log.database import Database
from ledger.stewardship.credentials import issue_token

ASKED = 20
AT_MOST_MS = 200
# The pages of the console that show rows; of each kind of page about one thing, one.
PAGES = (
    "/console/", "/console/changes", "/console/changes/{change}", "/console/findings",
    "/console/entries", "/console/gates", "/console/running", "/console/calendar", "/console/risk", "/console/delivery",
    "/console/access", "/console/board", "/console/ledger", "/console/views",
)  # fmt: skip


def measure(directory: Path, prepared: Prepared, sizes: Sequence[int]) -> list[Row]:
    """Return the lines of P14 for years of so many changes."""
    return [_pages(directory / f"pages-{changes}", prepared, changes) for changes in sizes]


def token_for(ledger: Ledger) -> str:
    """Issue a token that may see every page, and close the ledger."""
    _, token, _ = issue_token(
        ledger, actor="person:olga", principal="service:pages", kind="service", roles=["auditor", "analyst"]
    )
    ledger.close()
    return token


def _pages(directory: Path, prepared: Prepared, changes: int) -> Row:
    directory.mkdir()
    path = directory / "ledger.db"
    shutil.copyfile(prepared.folded(changes), path)
    shutil.copytree(prepared.keys.directory / "keys", directory / "keys")
    # A year's checkpoint key is nobody's: its server signs entries alone.
    (directory / "keys" / "checkpoint.pem").unlink()
    token = token_for(opened(path, prepared.keys))
    ledger = Ledger.open(Database(path), prepared.keys.entry)
    fold(ledger)
    size = ledger.size()
    ledger.close()
    with (
        running_server(directory, tokens={"all": token}, CHANGE_LEDGER_VIEWS="none") as server,
        httpx.Client(base_url=server.url, timeout=600) as client,
    ):
        answer = client.post("/console/sign-in", data={"token": token})
        if answer.status_code != 303:
            raise RuntimeError(f"expected to be signed in, found {answer.status_code}: {answer.text[:300]}")
        taken = {page: _asked(client, page.format(change=f"CHG-{changes // 2}")) for page in PAGES}
    p95 = {page: sorted(times)[int(len(times) * 0.95)] for page, times in taken.items()}
    slowest, *others = sorted(p95, key=lambda page: -p95[page])
    return limit(
        "P14",
        f"console, the slowest of {len(PAGES)} pages, SQLite, {size:,} entries",
        p95[slowest],
        "ms",
        at_most=AT_MOST_MS,
        note=f"p95 of {ASKED}: {slowest}; then " + ", ".join(f"{page} {p95[page]:.0f}" for page in others[:2]),
        spread=quartiles(taken[slowest]),
    )


def _asked(client: httpx.Client, page: str) -> list[float]:
    taken = []
    for number in range(ASKED + 1):
        start = time.perf_counter()
        answer = client.get(page)
        if answer.status_code != 200:
            raise RuntimeError(f"expected the page {page}, found {answer.status_code}: {answer.text[:300]}")
        # The first reads what all others have from memory.
        if number:
            taken.append((time.perf_counter() - start) * 1000)
    return taken

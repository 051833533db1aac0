"""A flame graph of the work of a bar: `scripts/bench --profile BAR`. That work alone, again and again, with no floor or peer beside it.

`python -m benchmarks.profiling BAR FILE DIRECTORY` is what py-spy looks at: it works for some seconds on the ledger in a file, with the
keys of a directory. A server is looked at for as long as it has load. The start of the program is in the graph too, as a branch of its own.

P10 and P11 are of bytes: they have no time to show.
"""

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import httpx
from rich.console import Console

from benchmarks.appending import append
from benchmarks.events import groups
from benchmarks.paging import PAGES, token_for
from benchmarks.places import Keys, create, reporter
from benchmarks.prepared import Prepared, fold, opened
from benchmarks.serving import BATCH, BATCH_CLIENTS, CLIENTS, Load, python, serving, settings_of
from benchmarks.viewing import questions
from ledger.audit.of_database import audit_database
from ledger.ledger import Ledger
from ledger.log.database import Database
from ledger.log.tree import inclusion_proof
from projections import VIEWS
from projections.engine.runner import Runner

SECONDS: Final = 10
A_SECOND: Final = 100
SMALL, AUDITED, LARGE, CHANGES = 10_000, 40_000, 1_000_000, 60


def _append(ledger: Ledger) -> Iterator[None]:
    caller = reporter(ledger)
    for group in groups(100, first=ledger.size() + 1):
        append(ledger, caller, group)
        yield


def _audit(ledger: Ledger) -> Iterator[None]:
    while True:
        audit_database(ledger.database, signatures=False, workers=1)
        yield


def _audit_signatures(ledger: Ledger) -> Iterator[None]:
    while True:
        audit_database(ledger.database)
        yield


def _rebuild(ledger: Ledger) -> Iterator[None]:
    runner = Runner(ledger.database, VIEWS, ledger.watcher)
    runner.acquire()
    while runner.step():
        yield


def _prove(ledger: Ledger) -> Iterator[None]:
    size = ledger.size()
    with ledger.database.read() as connection:
        while True:
            for position in range(1, size, 50):
                inclusion_proof(connection, position, size)
            yield


def _ask(ledger: Ledger) -> Iterator[None]:
    fold(ledger)
    while True:
        for ask in questions(ledger, f"CHG-{CHANGES // 2}").values():
            ask()
            yield


# What a bar's work is, and how many entries the ledger has on which it is done; of a year where it is folded.
IN_PROCESS: Final[dict[str, tuple[Callable[[Ledger], Iterator[None]], int | None]]] = {
    "P1": (_append, SMALL),
    "P4": (_audit, AUDITED),
    "P5": (_audit_signatures, AUDITED),
    "P6": (_rebuild, None),
    "P7": (_prove, SMALL),
    "P8": (_ask, None),
    "P12": (_append, LARGE),
}
# A server under load: how many events a request.
SERVED: Final = {"P2": 1, "P9": 1, "P3": BATCH}
WORKS: Final = sorted({*IN_PROCESS, *SERVED, "P13", "P14"}, key=lambda bar: int(bar[1:]))


def profile(bar: str, output: Path, ledgers: Path | None) -> None:
    """Write the flame graph of a bar's work. Raises RuntimeError where py-spy cannot look, and subprocess errors as they come."""
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="ledger-profile-") as name:
        directory = Path(name)
        prepared = Prepared(ledgers or directory / "prepared", is_kept=ledgers is not None)
        if bar in SERVED:
            _serve(bar, output, directory)
        elif bar == "P14":
            _serve_pages(output, directory, prepared)
        elif bar == "P13":
            subprocess.run([*_spy(output, 1000), *python("-m", "api.cli", "--help")], check=True)
        else:
            size = IN_PROCESS[bar][1]
            path = directory / "ledger.db"
            shutil.copyfile(prepared.year(CHANGES) if size is None else prepared.grown(size), path)
            work = python("-m", "benchmarks.profiling", bar, str(path), str(prepared.keys.directory))
            subprocess.run([*_spy(output), *work], check=True)
            if not _worked(path).exists():
                # py-spy ends well in any case.
                raise RuntimeError(f"the work of {bar} was not done: it says why above")
    Console().print(f"{bar}: {output}", highlight=False)


def _spy(output: Path, a_second: int = A_SECOND) -> list[str]:
    spy = shutil.which("py-spy") or str(Path(sys.executable).parent / "py-spy")
    return [spy, "record", "--subprocesses", "--rate", str(a_second), "--output", str(output), "--"]


def _serve(bar: str, output: Path, directory: Path) -> None:
    keys, url = Keys(directory), f"sqlite:///{directory / 'served.db'}"
    token, load = create(url, keys), Load()
    command = python("-m", "api.cli", "serve", "--port", "0", more=settings_of(directory, url))
    try:
        with serving([*_spy(output), *command], directory, by_interrupt=True) as front:
            batch, clients = SERVED[bar], CLIENTS if SERVED[bar] == 1 else BATCH_CLIENTS
            answer = load.put(front.port, token, seconds=SECONDS / 4, clients=clients, batch=batch)
            # P9 is asked at half of the greatest rate.
            rate = answer.events / answer.seconds / 2 if bar == "P9" else None
            load.put(front.port, token, seconds=SECONDS, clients=clients, batch=batch, rate=rate)
    finally:
        load.close()


def _serve_pages(output: Path, directory: Path, prepared: Prepared) -> None:
    path = directory / "pages.db"
    shutil.copyfile(prepared.year(CHANGES), path)
    shutil.copytree(prepared.keys.directory / "keys", directory / "keys")
    (directory / "keys" / "checkpoint.pem").unlink()
    token = token_for(opened(path, prepared.keys))
    ledger = Ledger.open(Database(path), prepared.keys.entry)
    fold(ledger)
    ledger.close()
    command = python(
        "-m", "api.cli", "serve", "--views", "none", "--port", "0", more=settings_of(directory, f"sqlite:///{path}")
    )
    with (
        serving([*_spy(output), *command], directory, by_interrupt=True) as front,
        httpx.Client(base_url=f"http://127.0.0.1:{front.port}", timeout=600) as client,
    ):
        client.post("/console/sign-in", data={"token": token})
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            for page in PAGES:
                client.get(page.format(change=f"CHG-{CHANGES // 2}")).raise_for_status()


def main(bar: str, path: str, directory: str) -> None:
    ledger = Ledger.open(Database(path), Keys(Path(directory)).entry)
    end = time.monotonic() + SECONDS
    for _ in IN_PROCESS[bar][0](ledger):
        if time.monotonic() > end:
            break
    ledger.close()
    _worked(Path(path)).touch()


def _worked(path: Path) -> Path:
    return path.with_suffix(".worked")


if __name__ == "__main__":
    main(*sys.argv[1:])

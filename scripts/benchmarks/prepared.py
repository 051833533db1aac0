"""Ledgers that take long to make: made once, and kept in a directory that `--ledgers` names. Copies are measured, never they themselves.

They are made by the program itself, in groups as large as it takes; nothing is synced meanwhile, for which their connections are
told so: what is not finished is thrown away, not measured.
"""

import shutil
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from year import Year, tell  # type: ignore[import-not-found,unused-ignore]

from benchmarks.appending import append
from benchmarks.events import groups
from benchmarks.places import Keys, SqlitePlace, create, reporter
from ledger.clock import Clock
from ledger.ledger import Ledger
from ledger.log.database import Database
from ledger.log.reading import read_head
from projections import VIEWS
from projections.engine.runner import Runner

GROUP = 1000


class Prepared:
    """The ledgers of one directory, in SQLite files, all of them of the keys beside them."""

    def __init__(self, directory: Path, *, is_kept: bool) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.is_kept = is_kept
        self.keys = Keys(directory)
        self._place = SqlitePlace(directory)

    def grown(self, size: int) -> Path:
        """Return a ledger of `size` entries of the events that all parts append, without views."""
        return self._made(f"grown-{size}", lambda url: self._grow(url, size))

    def year(self, changes: int) -> Path:
        """Return a ledger of a year of so many changes, without views. 77500 are a million entries."""

        def tell_it(url: str) -> None:
            year = Year(services=max(20, min(200, changes // 20)), changes=changes)
            tell(year, url, self.keys.entry).close()

        return self._made(f"year-{changes}", tell_it)

    def folded(self, changes: int) -> Path:
        """Return the ledger of such a year with all views at its end. Where it was folded by another program, what that did otherwise is
        folded anew.
        """
        path = self._place.path(f"folded-{changes}")
        if not path.exists():
            unfinished = self._place.path(f"making-folded-{changes}")
            shutil.copyfile(self.year(changes), unfinished)
            unfinished.rename(path)
        ledger = opened(path, self.keys)
        fold(ledger)
        ledger.close()
        self._place.stored_bytes(path.stem)
        return path

    def _made(self, name: str, make: Callable[[str], None]) -> Path:
        path, unfinished = self._place.path(name), f"making-{name}"
        if not path.exists():
            for part in path.parent.glob(f"{unfinished}.db*"):
                part.unlink()
            make(self._place.url(unfinished))
            # Its write-ahead log is copied into it, so that the file alone is the ledger.
            self._place.stored_bytes(unfinished)
            self._place.path(unfinished).rename(path)
        return path

    def _grow(self, url: str, size: int) -> None:
        smaller = [n for path in self._place.path("grown-0").parent.glob("grown-*.db") if (n := _size_of(path)) < size]
        if smaller:
            self._place.copy(f"grown-{max(smaller)}", url.rpartition("/")[2].removesuffix(".db"))
        else:
            create(url, self.keys)
        database = Database(url)
        sa.event.listen(database.engine, "connect", _do_not_sync)
        ledger = Ledger.open(database, self.keys.entry)
        try:
            caller, left = reporter(ledger), size - ledger.size()
            work = groups(GROUP, first=ledger.size() + 1)
            for group in islice(work, left // GROUP):
                append(ledger, caller, group)
            append(ledger, caller, next(work)[: left % GROUP])
        finally:
            ledger.close()


def opened(path: Path, keys: Keys) -> Ledger:
    """Open a ledger with a clock that stands where its last entry was recorded: a year may end after today."""
    database = Database(path)
    with database.read() as connection:
        last = read_head(connection).recorded_at
    return Ledger.open(database, keys.entry, clock=Clock(wall_ns=lambda: last * 1000, steady_ns=lambda: last * 1000))


def fold(ledger: Ledger) -> None:
    """Bring all views to the end of a ledger."""
    runner = Runner(ledger.database, VIEWS, ledger.watcher)
    runner.acquire()
    runner.catch_up()
    runner.close()


def _size_of(path: Path) -> int:
    return int(path.stem.rpartition("-")[2])


def _do_not_sync(connection: Any, _record: object) -> None:
    connection.execute("PRAGMA synchronous = OFF")

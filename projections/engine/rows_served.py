"""`RowsServed`: rows as the tables of the views hold them, in one snapshot of the database: what gates and their like read.

Not how they stood (`projections.engine.rows_then`), nor as they stand while entries are folded (`rows_now`).
"""

from collections.abc import Sequence
from threading import Lock
from typing import Any, Final, TypeVar
from weakref import WeakKeyDictionary

from sqlalchemy.engine import Connection

from ledger.conditions import Match
from ledger.events import Event
from ledger.log.database import Database
from projections.engine.derived import Judged
from projections.engine.log import WITHDRAWN, SqlLog, TakenBack
from projections.engine.skips import Skips
from projections.engine.sql_store import SqlStore
from projections.engine.view import EntryInfo, Limit, View

R = TypeVar("R")
# What was taken back, by database: whoever asks reads on from where the last one came to. That never changes, and only grows.
_taken: Final[WeakKeyDictionary[Database, TakenBack]] = WeakKeyDictionary()
_reading_on: Final = Lock()


def _taken_back(database: Database, log: SqlLog) -> TakenBack:
    """Return what was taken back, as far as a log shows it at least."""
    with _reading_on:
        taken = _taken.get(database) or TakenBack(log, up_to=0)
        for entry in log.entries([Match((WITHDRAWN,))], after=taken.last, up_to=None):
            taken.add(log, entry)
        _taken[database] = taken
    return taken


class RowsServed:
    """Rows as they are served at a position, each read once."""

    def __init__(self, connection: Connection, store: SqlStore, position: int, skips: Skips) -> None:
        self._database = store.database
        self._store = store.on(connection)
        self._log = SqlLog(connection)
        self._skips = skips
        self._position = position
        self._rows: dict[tuple[str, str], Any] = {}
        self._taken: TakenBack | None = None

    def row(self, view: View[R], key: str) -> R | None:
        return self._load(view, (key,)).get(key)

    def named(self, view: View[R], event: type[Event], about: str | None = None, limit: Limit = None) -> list[R]:
        if isinstance(view, Judged):
            named = self.named(view.of, event, about, limit)
            return list(self._load(view, [getattr(row, view.of.key) for row in named]).values())
        keys: dict[str, None] = {}
        if self._taken is None:
            self._taken = _taken_back(self._database, self._log)
        at = self._position
        for entry in self._taken.latest(self._log, event.type, about, up_to=at, known=at, limit=limit):
            before, entry.reads = entry.reads, self
            keys |= dict.fromkeys(self._skips.keys(view, entry))
            entry.reads = before
        return list(self._load(view, tuple(keys)).values())

    def where(self, view: View[R], column: str, value: str) -> list[R]:
        return list(self._load(view, sorted(self._store.find(view, column, value))).values())

    def entry(self, position: int) -> EntryInfo:
        return self._log.entry(position)

    def _load(self, view: View[R], keys: Sequence[str]) -> dict[str, R]:
        missing = [key for key in keys if (view.name, key) not in self._rows]
        found = self._store.load(view, missing)
        self._rows |= {(view.name, key): found.get(key) for key in missing}
        rows = {key: self._rows[view.name, key] for key in keys}
        return {key: row for key, row in rows.items() if row is not None}

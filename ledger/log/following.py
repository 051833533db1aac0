"""Following the log: waiting for what comes next, and entries as they come."""

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import sqlalchemy as sa

from ledger.conditions import Match
from ledger.log.database import NOTIFY_CHANNEL, Database
from ledger.log.reading import StoredEntry, read_entries, read_size

# SQLite has no notifications: a process that waits asks this often whether another has written. The question reads
# one page.
SQLITE_POLL_S: Final = 0.02


class Watcher:
    """Tells whoever waits that the ledger has grown, by this process or by another. One thread, started with the first to wait.

    `poll_s` is how often a file of SQLite is looked at.
    """

    def __init__(self, database: Database, *, poll_s: float = SQLITE_POLL_S) -> None:
        self._database = database
        self._poll_s = poll_s
        self._grown = threading.Condition()
        self._size = 0
        self._thread: threading.Thread | None = None
        self._closing = threading.Event()
        self._listeners: set[Callable[[int], None]] = set()

    def wait(self, beyond: int, timeout: float) -> int:
        """Return the size of the ledger once it is over `beyond`, or as it is after `timeout` seconds."""
        self._start()
        with self._grown:
            self._grown.wait_for(lambda: self._size > beyond or self._closing.is_set(), timeout)
            return self._size

    def listen(self, listener: Callable[[int], None]) -> Callable[[], None]:
        """Call `listener(size)` whenever the ledger has grown, from another thread; returns what ends it."""
        self._listeners.add(listener)
        self._start()
        return lambda: self._listeners.discard(listener)

    def grown_to(self, size: int) -> None:
        """Tell of growth that this process itself has made, so that nobody waits for the poll."""
        with self._grown:
            if size <= self._size:
                return
            self._size = size
            self._grown.notify_all()
        for listener in tuple(self._listeners):
            listener(size)

    def close(self) -> None:
        self._closing.set()
        with self._grown:
            self._grown.notify_all()
        if self._thread is not None:
            self._thread.join()

    def _start(self) -> None:
        with self._grown:
            if self._thread is None and not self._closing.is_set():
                watch = self._watch_sqlite if self._database.is_sqlite else self._watch_postgresql
                self._thread = threading.Thread(target=watch, name="watch", daemon=True)
                self._thread.start()

    def _watch_sqlite(self) -> None:
        with self._database.engine.connect() as connection:
            version = None
            while not self._closing.is_set():
                found = connection.exec_driver_sql("PRAGMA data_version").scalar()
                if found != version:
                    version = found
                    self.grown_to(read_size(connection))
                    connection.rollback()
                self._closing.wait(self._poll_s)

    def _watch_postgresql(self) -> None:
        while not self._closing.is_set():
            try:
                with self._database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                    connection.exec_driver_sql(f"LISTEN {NOTIFY_CHANNEL}")
                    driver: Any = connection.connection.dbapi_connection
                    while not self._closing.is_set():
                        self.grown_to(read_size(connection))
                        for _ in driver.notifies(timeout=0.5, stop_after=1):
                            pass
            except sa.exc.DBAPIError:
                # The server went away; whoever waits goes on waiting, and what was missed is read by
                # position afterwards.
                self._closing.wait(0.5)


class Subscription(Iterator[StoredEntry]):
    """Entries after `after`, in order, without gap or repeat: blocks at the end until more is appended, or ends at `until`."""

    def __init__(
        self,
        database: Database,
        watcher: Watcher,
        matches: Sequence[Match] = (),
        *,
        after: int = 0,
        until: int | None = None,
    ) -> None:
        self._database = database
        self._watcher = watcher
        self._matches = matches
        self._after = after
        self._until = until
        self._page: Iterator[StoredEntry] = iter(())
        self._stopped = False

    def stop(self) -> None:
        self._stopped = True

    def __next__(self) -> StoredEntry:
        while not self._stopped:
            for stored in self._page:
                self._after = max(self._after, stored.position)
                return stored
            with self._database.read() as connection:
                size = read_size(connection)
                page = list(read_entries(connection, self._matches, after=self._after, up_to=self._until))
            if page:
                self._page = iter(page)
            elif self._until is not None and size >= self._until:
                break
            else:
                self._after = max(self._after, size)
                self._watcher.wait(self._after, timeout=0.5)
        raise StopIteration

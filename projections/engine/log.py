"""The log as folds read it: entries by position, by type and ref. From the database, or from memory for tests and checks."""

from collections.abc import Iterator, Sequence
from typing import Final, Protocol

from sqlalchemy.engine import Connection

from ledger.conditions import Match
from ledger.events import ref
from ledger.log.reading import read_entries, read_entry, read_latest
from projections.engine.view import EntryInfo

PAGE: Final = 1000
WITHDRAWN: Final = "statement.withdrawn"


class Log(Protocol):
    """Entries, as far as they are looked at."""

    def entry(self, position: int) -> EntryInfo:
        """Return the entry at a position. Raises ledger.errors.NotFoundError where there is none."""

    def entries(self, matches: Sequence[Match], *, up_to: int | None) -> Iterator[EntryInfo]:
        """Yield the entries up to a position that match any of `matches`, in order; all of them for None."""

    def latest(self, match: Match, *, up_to: int, limit: int | None = None) -> Iterator[EntryInfo]:
        """Yield the entries up to a position that match, the last first."""


class SqlLog:
    """The log behind a connection. What it reads is of that connection's snapshot."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def entry(self, position: int) -> EntryInfo:
        return EntryInfo(read_entry(self._connection, position).document)

    def entries(self, matches: Sequence[Match], *, up_to: int | None) -> Iterator[EntryInfo]:
        for stored in read_entries(self._connection, matches, up_to=up_to, limit=None):
            yield EntryInfo(stored.document)

    def pages(self, matches: Sequence[Match], *, after: int = 0, up_to: int | None) -> Iterator[EntryInfo]:
        """Yield the entries after a position that match, in order, read page by page: for a walk over much of the log."""
        while page := list(read_entries(self._connection, matches, after=after, up_to=up_to, limit=PAGE)):
            yield from (EntryInfo(stored.document) for stored in page)
            after = page[-1].position

    def latest(self, match: Match, *, up_to: int, limit: int | None = None) -> Iterator[EntryInfo]:
        for stored in read_latest(self._connection, match, up_to=up_to, limit=limit):
            yield EntryInfo(stored.document)


def taken_back_by(log: Log, withdrawal: EntryInfo) -> EntryInfo | None:
    """Return the entry that a `statement.withdrawn` takes back; None when it is another type, or has no effect.

    It has one when it comes from the principal whose statement it was, or from an operator.
    """
    original = original_of(log, withdrawal)
    if original is None:
        return None
    own = original.by["principal"] == withdrawal.by["principal"]
    return original if own or _is_operator(log, withdrawal) else None


def original_of(log: Log, entry: EntryInfo) -> EntryInfo | None:
    """Return the entry that a `statement.withdrawn` is about; None when it is another type, or names no earlier entry."""
    if entry.type != WITHDRAWN:
        return None
    position = entry.statement["data"]["position"]
    return log.entry(position) if position < entry.position else None


class TakenBack:
    """Which entries were taken back, and where. Read from the log once, and kept up by whoever folds: `add`.

    A statement is taken back once: who withdraws it again changes nothing.
    """

    def __init__(self, log: Log, *, up_to: int | None = None) -> None:
        # By the position of what was taken back.
        self.at: dict[int, int] = {}
        # Views and positions: whose rows each was of, when it was recorded, and when it was taken back. That never changes.
        self.keys: dict[tuple[str, int], tuple[str, ...]] = {}
        self.rows: dict[tuple[str, int], frozenset[str]] = {}
        if up_to is None or up_to > 0:
            for entry in log.entries([Match((WITHDRAWN,))], up_to=up_to):
                self.add(log, entry)

    def add(self, log: Log, entry: EntryInfo) -> EntryInfo | None:
        """Return what an entry takes back, or None when it is another type, or has no effect."""
        if entry.type != WITHDRAWN or entry.statement["data"]["position"] in self.at:
            return None
        original = taken_back_by(log, entry)
        if original is not None:
            self.at[original.position] = entry.position
        return original


def _is_operator(log: Log, entry: EntryInfo) -> bool:
    issued = Match(("ledger.credential_issued",), (ref("credential", entry.by["credential"]),))
    for found in log.latest(issued, up_to=entry.position, limit=1):
        return "operator" in found.statement["data"]["roles"]
    return False

"""`ViewSet`: views at one position, their tables, and what folds the next batch of entries into them.

Not when a batch is folded, nor what becomes of the states of the views: that is the runner's. Nothing is written here but rows, in a
transaction that the runner has begun.
"""

from collections.abc import Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ledger.log.database import Database
from ledger.log.reading import read_entries
from projections.engine.folding import Folder
from projections.engine.log import SqlLog
from projections.engine.noted import NO_NOTES
from projections.engine.sql_store import Prepared, RowRefusedError, SqlStore
from projections.engine.tables import states
from projections.engine.view import EntryInfo, View

BATCH: Final = 250


class ViewSet:
    """Views that are at the same position, their tables, and what folds into them.

    `states` is where it stands how far they have come; `most` entries are folded at once, or fewer.
    """

    def __init__(
        self,
        database: Database,
        views: Sequence[View[Any]],
        position: int,
        *,
        most: int = BATCH,
        states: sa.Table = states,
        suffix: str = "",
    ) -> None:
        self.views = list(views)
        self.position = position
        self.states = states
        self.suffix = suffix
        self.store = SqlStore(database, views, suffix)
        self.folder: Folder | None = None
        # What the last batch touched.
        self.ready: list[Prepared] = []
        # Of views that are filled: those that will take the place of what is served. The others are there to be read by them.
        self.anew: list[View[Any]] = []
        self.most = most
        self._at_once = most
        self._refused: dict[tuple[str, int], str] = {}
        self._folded = 0
        self._database = database

    def narrow(self, refusal: RowRefusedError) -> None:
        """Begin again from what is stored, and fold half as much: until one entry is left, at which the view stops."""
        if self._folded == 1:
            self._refused[refusal.view, self.position + 1] = refusal.reason
        self._at_once = max(1, self._folded // 2)
        self.folder = None

    def fold_next(self, up_to: int | None = None) -> int:
        """Fold the next entries, none after `up_to`. Returns the position reached; nothing is written yet."""
        with self._database.read() as connection:
            log = SqlLog(connection)
            self.store.on(connection)
            if self.folder is None:
                self.folder = Folder(self.views, self.store, log, self._refused)
            self.folder.rows.log = log
            stored = read_entries(connection, after=self.position, up_to=up_to, limit=self._at_once)
            page = [EntryInfo(entry.document) for entry in stored]
            self._folded = len(page)
            self.folder.fold(page)
            rows, notes = self.folder.rows, self.folder.notes
            self.ready = [
                self.store.prepare(
                    view,
                    rows.touched[view.name],
                    rows.counted[view.name],
                    rows.before[view.name],
                    notes.get(view.name, NO_NOTES),
                )
                for view in self.views
                if view.name in rows.touched or view.name in rows.counted or view.name in notes
            ]
        return page[-1].position if page else self.position

    def save(self, connection: Connection) -> None:
        """Write what the last batch touched, within the connection's transaction."""
        for prepared in self.ready:
            self.store.save(connection, prepared)

    def move_to(self, position: int) -> None:
        """Go on after a batch that was written."""
        self.position = position
        if self.folder is not None:
            self.views = [view for view in self.views if view.name not in self.folder.failures]
            self.folder.forget()

    def pace(self, *, is_too_slow: bool, least: int) -> None:
        """Choose how many entries are folded at once, by how long the last ones took to write: twice as many each time, up to the most."""
        if is_too_slow:
            self._at_once = max(min(least, self._at_once), self._folded // 2)
        elif self._folded == self._at_once:
            self._at_once = min(self.most, self._at_once * 2)

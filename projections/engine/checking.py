"""`check`: what is served, against the same views folded anew from the entries alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from ledger.errors import LedgerError
from ledger.log.database import Database
from ledger.log.reading import read_entries
from projections.engine.folding import Folder
from projections.engine.log import SqlLog
from projections.engine.progress import is_served, read_states, with_dependents, with_inputs
from projections.engine.store import MemoryStore, digest_of
from projections.engine.tables import SqlStore
from projections.engine.view import EntryInfo, View

PAGE: Final = 1000


@dataclass(frozen=True, slots=True)
class Checked:
    """A view as it is served, against the same view folded anew from the entries alone."""

    name: str
    position: int
    served: str
    folded: str

    @property
    def is_equal(self) -> bool:
        return self.served == self.folded


def check(database: Database, views: Sequence[View[Any]]) -> list[Checked]:
    """Fold all views anew, in memory, up to where they are served, and compare the digests."""
    with database.read() as connection:
        known = read_states(connection)
        # While a view is filled anew, those that read it stand where they are.
        waiting = with_dependents(views, [view.name for view in views if not is_served(view, known)])
        served = [view for view in views if view not in waiting]
        if not served:
            raise LedgerError("no view is served yet: nothing to check")
        position = known[served[0].name].position
        stored = SqlStore(database, served).on(connection)
        digests = {view.name: digest_of(stored, view) for view in served}
        memory = MemoryStore()
        inputs = with_inputs(views, served)
        folder = Folder(inputs, memory, SqlLog(connection))
        at = 0
        while page := [
            EntryInfo(entry.document) for entry in read_entries(connection, after=at, up_to=position, limit=PAGE)
        ]:
            folder.fold(page)
            for view in inputs:
                memory.save(view, folder.rows.touched.get(view.name, {}), folder.rows.counted.get(view.name, {}))
            folder.rows.forget()
            at = page[-1].position
    return [Checked(view.name, position, digests[view.name], digest_of(memory, view)) for view in served]

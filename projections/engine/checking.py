"""`check`: what is served, against the same views folded anew from the entries alone, and every finding judged anew.

The folding notes what rules look at, and judges again when that changes; so it would repeat its own fault where it noted too
little. Therefore every rule judges every subject once more at the end, and nothing that was noted counts.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ledger.errors import LedgerError
from ledger.log.database import Database
from ledger.log.reading import read_entries
from projections.engine.answers import Answers
from projections.engine.derived import Derived, Ruled
from projections.engine.folding import Folder
from projections.engine.lenses import Lens
from projections.engine.log import SqlLog
from projections.engine.progress import is_served, read_states, with_dependents, with_inputs
from projections.engine.reads import Followed, Judging
from projections.engine.sql_store import SqlStore
from projections.engine.store import MemoryStore, Store, digest_of
from projections.engine.view import EntryInfo, Moment, View

PAGE: Final = 1000


@dataclass(frozen=True, slots=True)
class Checked:
    """A view as it is served, against the same view folded anew from the entries alone.

    `judged_otherwise` are findings that stand, and should not, or the other way round: their rules say so.
    """

    name: str
    position: int
    served: str
    folded: str
    judged_otherwise: tuple[str, ...] = ()

    @property
    def is_equal(self) -> bool:
        return self.served == self.folded and not self.judged_otherwise


def check(
    database: Database, views: Sequence[View[Any]], on_progress: Callable[[int, int], None] = lambda done, size: None
) -> list[Checked]:
    """Fold all views anew, in memory, up to where they are served, compare the digests, and judge every finding anew.

    `on_progress` is told how many entries were folded, of how many.
    """
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
        at, now = 0, ""
        while page := [
            EntryInfo(entry.document) for entry in read_entries(connection, after=at, up_to=position, limit=PAGE)
        ]:
            folder.fold(page)
            folder.save_in(memory)
            at, now = page[-1].position, page[-1].recorded_at
            on_progress(at, position)
        otherwise = {
            judge.view.name: judged_otherwise(judge.view, folder.rows, memory, now)
            for judge in folder.judges
            if judge.view.name not in folder.failures
        }
    return [
        Checked(view.name, position, digests[view.name], digest_of(memory, view), otherwise.get(view.name, ()))
        for view in served
    ]


def judged_otherwise(view: Ruled[Any], rows: Followed, store: Store, now: Moment) -> tuple[str, ...]:
    """Return the ids of the judgements that are not what their rules say of the rows as they stand, at a time."""
    standing: dict[str, Any] = {}
    for row in map(view.load, store.texts(view)):
        if not isinstance(view, Derived):
            standing[getattr(row, view.key)] = row
        elif row.verdict is not None:
            standing[row.finding_id] = row.verdict
    found: dict[str, Any] = {}
    # What was kept of answers while entries were folded is not believed here.
    answers = Answers(rows)
    for rule in view.rules.values():
        for text in store.texts(rule.subject):
            row = rule.subject.load(text)
            look = Judging(rows, now, lambda read: Lens(read, lambda column: None), answers=answers)
            subject = getattr(row, rule.subject.key)
            if (said := view.judged(rule, subject, row, look)) is not None:
                found[view.key_of(rule, subject)] = said
    return tuple(sorted(name for name in {*standing, *found} if standing.get(name) != found.get(name)))

"""How far each view has come: the state of its table, and what follows from it for views that read it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ledger.log.database import Database
from ledger.log.reading import read_entry, read_size
from projections.engine import tables
from projections.engine.tables import fillings, states
from projections.engine.view import View


@dataclass(frozen=True, slots=True)
class State:
    """How far the served table of a view has come. A negative `version` asks for a rebuild."""

    name: str
    version: int
    generation: int
    shape: str
    position: int
    failed_at: int | None
    failure: str | None

    @property
    def made_by(self) -> int:
        """The version of the folds that made the rows which are served."""
        return abs(self.version)

    def is_by(self, view: View[Any]) -> bool:
        """Say whether the rows that are served were made by the folds that a view has, and lie in its columns."""
        return (self.made_by, self.shape) == (view.version, tables.shape_of(view))


_COLUMNS: Final = tuple(State.__dataclass_fields__)
_QUERIES: Final = {table: sa.select(*(table.c[name] for name in _COLUMNS)) for table in (states, fillings)}


def read_states(connection: Connection, table: sa.Table = states) -> dict[str, State]:
    """Return the state of every view that has a table; none before the first runner. Of `fillings`, of those that are filled."""
    if not sa.inspect(connection).has_table(table.name):
        return {}
    found = [State(*row) for row in connection.execute(_QUERIES[table])]
    return {state.name: state for state in found}


def put_state(connection: Connection, table: sa.Table, state: State) -> None:
    """Write the state of a view in the place of the one that is there, within the connection's transaction."""
    connection.execute(sa.delete(table).where(table.c.name == state.name))
    connection.execute(sa.insert(table), {name: getattr(state, name) for name in _COLUMNS})


@dataclass(frozen=True, slots=True)
class Progress:
    """How far all views have come with the ledger: the one that is last, by how many entries, and which have stopped, where."""

    size: int
    position: int
    # When the first entry was recorded that one of them has not seen.
    since: str | None
    stopped: Mapping[str, int]
    unbuilt: tuple[str, ...]

    @property
    def behind(self) -> int:
        return self.size - self.position


def progress(connection: Connection, views: Sequence[View[Any]]) -> Progress:
    """Return how far views have come, as they are served."""
    known, size = read_states(connection), read_size(connection)
    unbuilt = tuple(view.name for view in views if view.name not in known)
    served = [known[view.name] for view in views if view.name in known]
    position = 0 if unbuilt else min((state.position for state in served), default=size)
    since = read_entry(connection, position + 1).document["recorded_at"] if position < size else None
    stopped = {state.name: state.failed_at for state in served if state.failed_at is not None}
    return Progress(size, position, since, stopped, unbuilt)


def with_dependents(views: Sequence[View[Any]], names: Iterable[str]) -> list[View[Any]]:
    """Return the views named and all that read them, directly or not, in the order of `views`."""
    found = set(names)
    for view in views:
        if any(read.name in found for read in view.reads):
            found.add(view.name)
    return [view for view in views if view.name in found]


def with_inputs(views: Sequence[View[Any]], wanted: Sequence[View[Any]]) -> list[View[Any]]:
    """Return the views wanted and all that they read, in the order of `views`."""
    found = {view.name for view in wanted}
    for view in reversed(views):
        if view.name in found:
            found |= {read.name for read in view.reads}
    return [view for view in views if view.name in found]


def is_served(view: View[Any], known: Mapping[str, State]) -> bool:
    """Say whether a view has a table that its folds made, and goes on."""
    state = known.get(view.name)
    return state is not None and _is_current(view, state) and state.failed_at is None


def has_failed(view: View[Any], known: Mapping[str, State]) -> bool:
    """Say whether a view stopped with the folds it still has: folding again would stop at the same entry."""
    state = known.get(view.name)
    return state is not None and _is_current(view, state) and state.failed_at is not None


def _is_current(view: View[Any], state: State) -> bool:
    return state.is_by(view) and state.version > 0


def ask_anew(connection: Connection, views: Iterable[View[Any]]) -> None:
    """Note that views are to be filled anew, within the connection's transaction."""
    names = [view.name for view in views]
    anew = sa.update(states).where(states.c.name.in_(names)).values(version=-sa.func.abs(states.c.version))
    connection.execute(anew)


def ask_for_rebuild(database: Database, views: Sequence[View[Any]], names: Iterable[str]) -> list[str]:
    """Ask whichever process runs the views to fold some of them anew, with those that read them. Returns their names."""
    asked = with_dependents(views, names)
    with database.write() as connection:
        tables.make_here(connection)
        ask_anew(connection, asked)
    return [view.name for view in asked]

"""Reading views: lists with filters, one row, and rows as they stood. What HTTP and the command line show."""

import base64
import hashlib
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

import orjson
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ledger.errors import NotFoundError, StatementError
from ledger.log.reading import position_at, read_size
from projections.engine.filters import TEXT, Kind, comparable, conditions, filterable, kind_of
from projections.engine.listing import POSITION, WITHDRAWN_POSITION, Listing
from projections.engine.log import SqlLog
from projections.engine.progress import State, read_states
from projections.engine.rows_then import RowsThen
from projections.engine.skips import Skips
from projections.engine.sql_store import SqlStore, whole
from projections.engine.tables import ROW, has_columns_of, table_of
from projections.engine.tally import Part, Tally
from projections.engine.view import Moment, View

R = TypeVar("R")
MAX_LIMIT: Final = 1000


class ViewNotReadyError(NotFoundError):
    """A view is not served yet, stopped, or has not reached the position that was asked for."""


@dataclass(frozen=True, slots=True)
class Page:
    """Rows of a view, by which version of its folds, the position they are true at, and the cursor of the page that follows.

    `total` is how many rows all pages have, where that was asked; `skipped` are entries that the view, or one that it reads, steps
    over.
    """

    version: int
    position: int
    rows: list[dict[str, Any]]
    next: str | None = None
    total: int | None = None
    skipped: list[int] = field(default_factory=list)


def state_of(connection: Connection, view: View[Any]) -> State:
    """Return the state of a view's served table. Raises ViewNotReadyError while there is none."""
    state = read_states(connection).get(view.name)
    if state is None:
        raise ViewNotReadyError(f"the view {view.name} is being built for the first time; ask again in a moment")
    return state


def list_rows(
    connection: Connection,
    view: View[Any],
    *,
    where: Mapping[str, str],
    sort: str | None = None,
    limit: int = 100,
    cursor: str | None = None,
    total: bool = False,
    as_of: int | None = None,
) -> Page:
    """Return a page of the rows that the filters in `where` leave, sorted by a column (`-column`: downwards), then by key.

    With `total`, how many rows they leave is counted: all of them are looked at. With `as_of`, the lines of a `Listing` as they
    stood at a position. Raises StatementError for a filter, a sort, a cursor or a view that does not go with it, and
    ViewNotReadyError when the view has not come to the position.
    A cursor names the last row of a page: what is written meanwhile moves no row onto two pages, or onto none.
    """
    t = table_of(view).c
    known = filterable(view)
    # First what was asked: whoever asks wrongly is not told to come again.
    chosen = conditions(connection, view, where)
    name, down = (sort.removeprefix("-"), sort.startswith("-")) if sort else (view.key, False)
    if name not in known:
        raise StatementError(f"{view.name} is sorted by {', '.join(known)}; found {name[:80]!r}"[:1500], "/sort")
    state = state_of(connection, view)
    if (where or sort) and not has_columns_of(view, state.shape):
        raise ViewNotReadyError(
            f"the view {view.name} is being built with other columns: ask without filters or sort, or again in a moment"
        )
    if as_of is not None:
        chosen.append(_stood_at(view, state, as_of, where, sort))
    sorted_by = comparable(connection, view, name)
    query = sa.select(t[view.key], t[ROW]).where(*chosen)
    if cursor is not None:
        query = query.where(
            _after(
                sorted_by, t[view.key], down, _parse_cursor(cursor, _list_id(view, where, sort), kind_of(view, name))
            )
        )
    column = sorted_by.desc() if down else sorted_by.asc()
    order = [column] if name == view.key else [column.nulls_last(), t[view.key]]
    query = query.order_by(*order).limit(limit + 1)
    texts = whole(connection, view, {row[0]: row[1] for row in connection.execute(query)})
    found = [_as_of(orjson.loads(text), as_of) for text in texts.values()]
    count = sa.select(sa.func.count()).select_from(table_of(view)).where(*chosen)
    there_are = connection.execute(count).scalar_one() if total else None
    position = state.position if as_of is None else as_of
    skipped = Skips(SqlLog(connection)).under(view, position)
    if len(found) <= limit:
        return Page(state.made_by, position, found, None, there_are, skipped)
    last = found[limit - 1]
    more = cursor_of(view, where, sort, last[name], last[view.key])
    return Page(state.made_by, position, found[:limit], more, there_are, skipped)


def last_lines(
    connection: Connection, view: Listing[Any], column: str, spans: Iterable[tuple[str, str]]
) -> list[dict[str, Any]]:
    """Return of each span of values, both ends included, the line whose value is the last one; where there is none, none.

    Lines that were taken back are left out. The column has to be indexed: each span costs one look-up. Raises ViewNotReadyError.
    """
    state = state_of(connection, view)
    if not has_columns_of(view, state.shape):
        raise ViewNotReadyError(f"the view {view.name} is being built; ask again in a moment")
    t = table_of(view).c
    query = (
        sa.select(t[ROW])
        .where(t[column] >= sa.bindparam("first"), t[column] <= sa.bindparam("last"), t[WITHDRAWN_POSITION].is_(None))
        .order_by(t[column].desc(), t[view.key].desc())
        .limit(1)
    )
    found = (connection.execute(query, {"first": first, "last": last}).scalar() for first, last in spans)
    return [orjson.loads(text) for text in found if text is not None]


def _stood_at(
    view: View[Any], state: State, position: int, where: Mapping[str, str], sort: str | None
) -> sa.ColumnElement[bool]:
    """Return the condition of lines that there were at a position. Where each was taken back, the column says as of now."""
    if not isinstance(view, Listing):
        raise StatementError(f"rows of {view.name} are had as they stood one by one: name the key of one", "/as_of")
    later = [name for name in (*where, (sort or "").removeprefix("-")) if name.startswith(WITHDRAWN_POSITION)]
    if later:
        raise StatementError(f"expected no {WITHDRAWN_POSITION} beside as_of: it may lie after that", f"/{later[0]}")
    if not state.is_by(view):
        raise ViewNotReadyError(f"the view {view.name} is being built; ask again in a moment")
    if state.position < position:
        raise ViewNotReadyError(
            f"the view {view.name} is at position {state.position}, not yet at {position}; ask again"
        )
    return table_of(view).c[POSITION] <= position


def _as_of(row: dict[str, Any], position: int | None) -> dict[str, Any]:
    if position is None or (row[WITHDRAWN_POSITION] or 0) <= position:
        return row
    return row | {WITHDRAWN_POSITION: None}


def cursor_of(view: View[Any], where: Mapping[str, str], sort: str | None, value: Any, key: str) -> str:
    """Return the cursor of the page that begins after a row: with this value in the column that is sorted by, and this key.

    It is of this list alone: in another it would leave out rows, or show them twice.
    """
    return base64.urlsafe_b64encode(orjson.dumps([_list_id(view, where, sort), value, key])).decode()


def _list_id(view: View[Any], where: Mapping[str, str], sort: str | None) -> str:
    asked = orjson.dumps([view.name, sort or view.key, sorted(where.items())])
    return hashlib.sha256(asked).hexdigest()[:16]


def _parse_cursor(cursor: str, list_id: str, kind: Kind) -> tuple[Any, str]:
    """Return the values of the row that a page ended with: of the column it is sorted by, and the key."""
    try:
        found, value, key = orjson.loads(base64.urlsafe_b64decode(cursor.encode()))
        if found == list_id:
            text = value if isinstance(value, str | None) else orjson.dumps(value).decode()
            return None if text is None else kind.parse(text, "after"), TEXT.parse(key, "after")
    except (ValueError, TypeError, StatementError):
        pass
    raise StatementError(
        "expected after to be what an earlier page of this view, with the same filters and sort, called next", "/after"
    )


def _after(column: sa.ColumnElement[Any], key: sa.Column[Any], down: bool, last: tuple[Any, str]) -> Any:
    """Return the condition of rows that come after one: by a column, those without a value last, and then by key."""
    value, last_key = last
    if column is key:
        return key < last_key if down else key > last_key
    if value is None:
        return sa.and_(column.is_(None), key > last_key)
    value = sa.literal(value, column.type)
    further = column < value if down else column > value
    return sa.or_(further, column.is_(None), sa.and_(column == value, key > last_key))


def read_row(connection: Connection, view: View[Any], key: str) -> Page:
    """Return one row, as it stands. Raises NotFoundError where there is none."""
    state = state_of(connection, view)
    t = table_of(view).c
    text = connection.execute(sa.select(t[ROW]).where(t[view.key] == key)).scalar()
    if text is None:
        raise NotFoundError(f"{view.name} has no row {key!r} at position {state.position}"[:300])
    row = orjson.loads(whole(connection, view, {key: text})[key])
    skipped = Skips(SqlLog(connection)).under(view, state.position)
    return Page(state.made_by, state.position, [row], skipped=skipped)


def views_with(connection: Connection, views: Sequence[View[Any]], key: str) -> list[View[Any]]:
    """Return the views, of those that are served, that have a row under a key."""
    known = read_states(connection)
    served = [view for view in views if view.name in known]
    return [
        view
        for view in served
        if connection.execute(sa.select(sa.exists().where(table_of(view).c[view.key] == key))).scalar()
    ]


class Stored:
    """Rows as they are served: where to look for the entries of a row, and what rows keep of their own past."""

    def __init__(self, connection: Connection, store: SqlStore) -> None:
        self._store = store.on(connection)
        self._states = read_states(connection)
        self._ahead: dict[tuple[str, str], Any] = {}

    def read_ahead(self, views: Iterable[View[Any]], keys: Collection[str]) -> None:
        """Load the rows of some views under some keys, with a statement for each view, in the place of those before."""
        self._ahead = {}
        for view in views:
            found = self._store.load(view, keys) if self._is_by_its_folds(view) else {}
            self._ahead |= {(view.name, key): found.get(key) for key in keys}

    def row(self, view: View[R], key: str) -> R | None:
        if (view.name, key) in self._ahead:
            ahead: R | None = self._ahead[view.name, key]
            return ahead
        # What other folds made tells nothing of these.
        row: R | None = self._store.load(view, (key,)).get(key) if self._is_by_its_folds(view) else None
        return row

    def require(self, view: View[Any], position: int) -> None:
        if not self._is_by_its_folds(view):
            raise ViewNotReadyError(f"the view {view.name} is being built; ask again in a moment")
        if (at := self._states[view.name].position) < position:
            raise ViewNotReadyError(f"the view {view.name} is at position {at}, not yet at {position}; ask again")

    def parts(self, view: Tally[Any], key: str, up_to: int) -> list[tuple[Part, int]]:
        return self._store.parts(view, key, up_to)

    def _is_by_its_folds(self, view: View[Any]) -> bool:
        return view.name in self._states and self._states[view.name].is_by(view)


def position_as_of(connection: Connection, when: int | Moment) -> int:
    """Return the last position that there was at a position or time."""
    return min(when if isinstance(when, int) else position_at(connection, when), read_size(connection))


def row_as_of(
    connection: Connection, store: SqlStore, view: View[Any], key: str, position: int, *, until: Moment | None = None
) -> Page:
    """Return one row as it stood at a position, folded again from its entries.

    With `until` the row holds only what had happened by that time, as it was known at the position. Raises
    ViewNotReadyError when it rests on counts or findings that do not reach the position yet, NotFoundError for no row.
    """
    if view.keeps_past and until is not None:
        raise StatementError(
            f"{view.name} follows from rows: ask as_of a position or a time, without known_at", "/known_at"
        )
    log = SqlLog(connection)
    skips = Skips(log)
    row = RowsThen(log, Stored(connection, store), up_to=position, until=until, skips=skips).row(view, key, position)
    if row is None:
        raise NotFoundError(f"{view.name} had no row {key!r} at position {position}"[:300])
    return Page(view.version, position, [orjson.loads(view.dump(row))], skipped=skips.under(view, position))


# With these a spreadsheet takes a text for a formula; the wide forms are the same to some of them.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_is_number: Final = re.compile(r"-?[0-9]+(\.[0-9]+)?").fullmatch


def cells(view: View[Any], row: Mapping[str, Any]) -> Sequence[Any]:
    """Return a row as the cells of a line of CSV: lists and nested parts as JSON, and no text that a spreadsheet would compute.

    A text that begins as a formula does gets an apostrophe before it, unless it is a number.
    """
    return [cell(row[name]) for name in view.read_columns]


def cell(value: Any) -> Any:
    """Return one value as such a cell; a flag as it is in JSON, and in a filter."""
    if isinstance(value, str):
        return f"'{value}" if value.startswith(_FORMULA) and not _is_number(value) else value
    return value if value is None or type(value) is int else orjson.dumps(value).decode()

"""What views answer, whoever asks: their states, lists of rows, and one row as it stands, stood, or was known to stand."""

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from ledger.clock import from_text, to_text
from ledger.errors import NotFoundError, StatementError, no_such
from ledger.ledger import Ledger
from ledger.log.reading import read_size
from projections import VIEWS
from projections.engine.asking import await_position
from projections.engine.filters import read_time
from projections.engine.listing import Listing
from projections.engine.log import SqlLog
from projections.engine.progress import progress, read_states, with_inputs
from projections.engine.serving import (
    Page,
    Stored,
    ViewNotReadyError,
    list_rows,
    position_as_of,
    read_row,
    row_as_of,
    views_with,
)
from projections.engine.sql_store import SqlStore
from projections.engine.view import View

# How long `?min_position=` waits.
WAIT_S: Final = 10.0
# Of the eight places of long questions (`long_at_once`): the other readers are to have some.
MAX_WAITING_READS: Final = 4
_places: Final = threading.BoundedSemaphore(MAX_WAITING_READS)


def states_of(connection: Any, *, shows_failures: bool) -> dict[str, Any]:
    """Say of every view what its rows are, its version, the position it has come to, and where it stopped if it did."""
    known, size = read_states(connection), read_size(connection)
    return {"size": size, "views": [_described(view, known.get(view.name), shows_failures) for view in VIEWS]}


def _described(view: View[Any], state: Any, shows_failures: bool) -> dict[str, Any]:
    served = {
        "position": state.position if state else 0,
        "served_version": state.made_by if state else None,
        "failed_at": state.failed_at if state else None,
        # What a fold said may quote the entry.
        "failure": state.failure if state and shows_failures else None,
    }
    return {
        "name": view.name,
        "version": view.version,
        "doc": view.doc,
        "key": view.key,
        "reads": [read.name for read in view.reads],
        "types": sorted(view.folds),
        **served,
    }


def kept_up(ledger: Ledger) -> dict[str, Any]:
    """Say how far the views are, in numbers and names: no text of an entry, nor of the database."""
    with ledger.database.read() as connection:
        found = progress(connection, VIEWS)
    lag_us = ledger.clock.now_us() - from_text(found.since) if found.since is not None else 0
    return {
        "position": found.position,
        "behind": found.behind,
        "since": found.since,
        "lag_s": max(0, lag_us // 1_000_000),
        "stopped": dict(found.stopped),
        "unbuilt": list(found.unbuilt),
    }


def reached(ledger: Ledger) -> tuple[int, int]:
    """Return the position that every view which goes on has come to, and the size of the ledger."""
    with ledger.database.read() as connection:
        known, size = read_states(connection), read_size(connection)
    going = (known[view.name] for view in VIEWS if view.name in known)
    return min((state.position for state in going if state.failed_at is None), default=size), size


def wait_for(ledger: Ledger, view: View[Any], position: int) -> None:
    """Return when a view has come to a position, or raise ViewNotReadyError after a while."""
    if position == 0:
        return
    with ledger.database.read() as connection:
        size = read_size(connection)
    if position > size:
        raise StatementError(f"expected min_position up to {size}, the size of the ledger", "/min_position")
    _await(ledger, [view], position)


def catch_up_with(ledger: Ledger, *views: View[Any]) -> None:
    """Return when views have come to where the ledger is now, or raise ViewNotReadyError after a while."""
    with ledger.database.read() as connection:
        size = read_size(connection)
    _await(ledger, views, size)


def _await(ledger: Ledger, views: Sequence[View[Any]], position: int) -> None:
    """Wait for views in one of few places: whoever waits holds a thread, and gates, health and other readers need them too."""
    with ledger.database.read() as connection:
        known = read_states(connection)
    if all(view.name in known and known[view.name].position >= position for view in views):
        return
    if not _places.acquire(blocking=False):
        raise ViewNotReadyError(
            f"the views are behind position {position}, and {MAX_WAITING_READS} readers wait for them already; ask again"
        )
    try:
        await_position(ledger.database, ledger.watcher, views, position, within_s=WAIT_S)
    finally:
        _places.release()


def read_when(text: str | None, name: str) -> int | str | None:
    """Return what `as_of` or `known_at` names: a position, a time as rows hold it, or None. Raises StatementError naming the parameter."""
    if text is None:
        return None
    if text.isascii() and text.isdigit() and len(text) <= 16:
        return int(text)
    try:
        return read_time(text)
    except ValueError as error:
        raise StatementError(f"expected {name} to be a position, or a time with offset: {error}", f"/{name}") from None


def _answer(view: View[Any], page: Page, body: dict[str, Any]) -> dict[str, Any]:
    skipped = {"skipped": page.skipped} if page.skipped else {}
    return {"view": view.name, "version": page.version, "position": page.position, **skipped, **body}


def items_of(view: View[Any], page: Page) -> dict[str, Any]:
    """Return a page of a list as doors give it: the rows, the cursor of the next page, and the total where it was asked."""
    more = {"next": page.next} if page.next else {}
    counted = {"total": page.total} if page.total is not None else {}
    return _answer(view, page, {"items": page.rows} | more | counted)


def row_of(
    ledger: Ledger, view: View[Any], key: str, when: int | str | None, known: int | str | None
) -> dict[str, Any]:
    """Return one row as doors give it: as it stands, or as it stood `when`, as it was `known` then.

    Raises NotFoundError where there is no row, StatementError for a `known` without a time, ViewNotReadyError.
    """
    if known is not None and not isinstance(when, str):
        raise StatementError("expected as_of to be a time beside known_at: what had happened by then", "/as_of")
    if when is None:
        with ledger.database.read() as connection:
            page = read_row(connection, view, key)
    else:
        page = _row_as_of(ledger, view, key, when, known)
    return _answer(view, page, {"row": as_read(ledger, view, page, when).rows[0]})


def as_read(ledger: Ledger, view: View[Any], page: Page, when: int | str | None) -> Page:
    """Return rows with what is computed as of when they are asked: now, a time, or when the entry of a position was recorded."""
    if view.read_row is view.row:
        return page
    at = time_of(ledger, when) if isinstance(when, int) else when or to_text(ledger.clock.now_us())
    return replace(page, rows=[view.read_at(row, at) for row in page.rows])


def time_of(ledger: Ledger, position: int) -> str:
    """Return when the entry at a position was recorded; of more than there is the last one, of none the first."""
    with ledger.database.read() as connection:
        return SqlLog(connection).entry(max(1, position_as_of(connection, position))).recorded_at


def _row_as_of(ledger: Ledger, view: View[Any], key: str, when: int | str, known: int | str | None) -> Page:
    """Return a row as it stood at `when`; with `known`, what had happened by then, as it was known at `known`."""
    until = when if known is not None and isinstance(when, str) else None
    with ledger.database.read() as connection:
        position = position_as_of(connection, when if known is None else known)
    # All else is folded from the entries themselves, however far the tables are.
    kept = [read for read in with_inputs(VIEWS, [view]) if read.keeps_past]
    if position > 0 and not (view.keeps_past and until is not None):
        _await(ledger, kept, position)
    with ledger.database.read() as connection:
        return row_as_of(connection, SqlStore(ledger.database, VIEWS), view, key, position, until=until)


def views_holding(ledger: Ledger, key: str) -> list[View[Any]]:
    """Return the views that have a row under a key."""
    with ledger.database.read() as connection:
        return views_with(connection, VIEWS, key)


def view_named(name: str) -> View[Any]:
    """Return a view. Raises NotFoundError where there is none."""
    for view in VIEWS:
        if view.name == name:
            return view
    listed_by = "GET /v1/views lists all"
    if name.endswith(".csv"):
        listed_by = f"A list is had as CSV by format=csv: GET /v1/views/{name.removesuffix('.csv')[:80]}?format=csv"
    raise NotFoundError(no_such("view", name, [view.name for view in VIEWS], listed_by=listed_by))


def list_of(
    ledger: Ledger,
    view: View[Any],
    where: Mapping[str, str],
    *,
    sort: str | None = None,
    limit: int = 100,
    cursor: str | None = None,
    total: bool = False,
    as_of: int | str | None = None,
) -> Page:
    """Return a page of a view's rows; of a `Listing`, as they stood `as_of` a position or time. Raises as `list_rows` does."""
    position = None
    if as_of is not None:
        # Lists of other views are not had as they stood, which `list_rows` says.
        position = come_to(ledger, view, as_of) if isinstance(view, Listing) else 0
    with ledger.database.read() as connection:
        page = list_rows(
            connection, view, where=where, sort=sort, limit=limit, cursor=cursor, total=total, as_of=position
        )
    return as_read(ledger, view, page, as_of)


def come_to(ledger: Ledger, view: View[Any], when: int | str) -> int:
    """Return the last position that there was at a position or time, once a view that keeps its past has come there.

    Raises ViewNotReadyError where it does not in time, or is being made anew.
    """
    with ledger.database.read() as connection:
        position = position_as_of(connection, when)
    _await(ledger, [view], position)
    with ledger.database.read() as connection:
        Stored(connection, SqlStore(ledger.database, VIEWS)).require(view, position)
    return position


def one_of(names: Iterable[str]) -> str:
    """Return names as the filter `COLUMN__in` takes them. What has a comma in it cannot be asked for among others; no name is one."""
    return ",".join(name for name in dict.fromkeys(names) if name and "," not in name) or "-"


def answer_of(ledger: Ledger, view: View[Any], key: str | None, asked: dict[str, str]) -> dict[str, Any]:
    """Answer as HTTP does, without it: one row, as it stands or stood, or the first rows of a list."""
    asked = dict(asked)
    wait_for(ledger, view, int(asked.pop("min_position", "0")))
    if key is not None:
        if others := sorted(asked.keys() - {"as_of", "known_at"}):
            raise StatementError(f"one row is had whole: expected no {others[0]} beside the key", f"/{others[0]}")
        when, known = (read_when(asked.get(name), name) for name in ("as_of", "known_at"))
        return row_of(ledger, view, key, when, known)
    where = {name: value for name, value in asked.items() if name not in ("sort", "as_of", "limit", "after")}
    limit, as_of = int(asked.get("limit", "100")), read_when(asked.get("as_of"), "as_of")
    page = list_of(ledger, view, where, sort=asked.get("sort"), limit=limit, cursor=asked.get("after"), as_of=as_of)
    return items_of(view, page)

"""`/v1/views`: what the past means. Every view has the same routes, made from its row model."""

import csv
import io
import threading
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, create_model

from api.http.auth import OPERATOR, CurrentLedger, KnownCaller
from api.http.questions import Route, Total, link_to_next
from api.http.routes.events import MAX_POSITION, PROBLEMS
from ledger.errors import NotFoundError, StatementError, no_such
from ledger.ledger import Ledger
from ledger.log.reading import read_size
from projections import VIEWS
from projections.engine.asking import await_position
from projections.engine.filters import filters_of, parameter_of, read_time
from projections.engine.progress import read_states, with_inputs
from projections.engine.serving import (
    MAX_LIMIT,
    Page,
    ViewNotReadyError,
    cells,
    cursor_of,
    list_rows,
    position_as_of,
    read_row,
    row_as_of,
)
from projections.engine.tables import SqlStore
from projections.engine.view import View

router = APIRouter(tags=["views"], route_class=Route)
# How long `?min_position=` waits.
WAIT_S: Final = 10.0
# Of the forty threads that answer.
MAX_WAITING_READS: Final = 8
_places: Final = threading.BoundedSemaphore(MAX_WAITING_READS)

MinPosition = Annotated[
    int,
    Query(ge=0, le=MAX_POSITION, description="Wait until the view has come to this position: to read one's own write."),
]
When = Annotated[
    str | None,
    Query(max_length=40, examples=["2026-11-23T12:00:00Z"], description="A position, or a time with offset."),
]


@router.get("/v1/views", summary="List views", responses=PROBLEMS)
def list_views(caller: KnownCaller, ledger: CurrentLedger) -> dict[str, Any]:
    """Every view: what its rows are, its version, the position it has come to, and where it stopped if it did; operators are told why."""
    with ledger.database.read() as connection:
        known, size = read_states(connection), read_size(connection)
    shows = caller.token is not None and OPERATOR in caller.token.roles
    return {"size": size, "views": [_described(view, known.get(view.name), shows) for view in VIEWS]}


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


def _wait(ledger: Ledger, view: View[Any], position: int) -> None:
    """Return when a view has come to a position, or raise ViewNotReadyError after a while."""
    if position == 0:
        return
    with ledger.database.read() as connection:
        size = read_size(connection)
    if position > size:
        raise StatementError(f"expected min_position up to {size}, the size of the ledger", "/min_position")
    _await(ledger, [view], position)


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


def _when(text: str | None, name: str) -> int | str | None:
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


def _items(view: View[Any], page: Page) -> dict[str, Any]:
    more = {"next": page.next} if page.next else {}
    counted = {"total": page.total} if page.total is not None else {}
    return _answer(view, page, {"items": page.rows} | more | counted)


def _row(ledger: Ledger, view: View[Any], key: str, when: int | str | None, known: int | str | None) -> dict[str, Any]:
    if known is not None and not isinstance(when, str):
        raise StatementError("expected as_of to be a time beside known_at: what had happened by then", "/as_of")
    if when is None:
        with ledger.database.read() as connection:
            page = read_row(connection, view, key)
    else:
        page = _row_as_of(ledger, view, key, when, known)
    return _answer(view, page, {"row": page.rows[0]})


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


def view_named(name: str) -> View[Any]:
    """Return a view. Raises NotFoundError where there is none."""
    for view in VIEWS:
        if view.name == name:
            return view
    raise NotFoundError(no_such("view", name, [view.name for view in VIEWS]))


def answer_of(ledger: Ledger, view: View[Any], key: str | None, asked: dict[str, str]) -> dict[str, Any]:
    """Answer as HTTP does, without it: one row, as it stands or stood, or the first rows of a list."""
    if key is not None:
        if others := sorted(asked.keys() - {"as_of", "known_at"}):
            raise StatementError(f"one row is had whole: expected no {others[0]} beside the key", f"/{others[0]}")
        when, known = (_when(asked.get(name), name) for name in ("as_of", "known_at"))
        return _row(ledger, view, key, when, known)
    where = {name: value for name, value in asked.items() if name != "sort"}
    with ledger.database.read() as connection:
        page = list_rows(connection, view, where=where, sort=asked.get("sort"))
    return _items(view, page)


def _list_of(view: View[Any]) -> Callable[..., Response]:
    filters = filters_of(view)

    def rows(
        request: Request,
        caller: KnownCaller,
        ledger: CurrentLedger,
        sort: Annotated[
            str | None,
            Query(max_length=80, examples=[f"-{view.key}"], description="A column; `-column` for the greatest first."),
        ] = None,
        limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = 100,
        after: Annotated[
            str | None,
            Query(
                max_length=8192,
                examples=[cursor_of(view, {}, None, "A", "A")],
                description="What the page before called `next`.",
            ),
        ] = None,
        total: Total = False,
        min_position: MinPosition = 0,
        format: Literal["json", "csv"] = "json",
    ) -> Response:
        _wait(ledger, view, min_position)
        where = {name: value for name, value in request.query_params.items() if name in filters}
        with ledger.database.read() as connection:
            page = list_rows(connection, view, where=where, sort=sort, limit=limit, cursor=after, total=total)
        headers = link_to_next(request, page.next)
        if format == "csv":
            return _csv(view, page, headers)
        return JSONResponse(_items(view, page), headers=headers)

    return rows


def _csv(view: View[Any], page: Page, headers: dict[str, str]) -> Response:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(view.columns)
    writer.writerows(cells(view, row) for row in page.rows)
    headers |= {"X-Position": str(page.position)}
    if page.next:
        headers["X-Next"] = page.next
    if page.total is not None:
        headers["X-Total"] = str(page.total)
    return Response(out.getvalue(), media_type="text/csv", headers=headers)


def _row_of(view: View[Any]) -> Callable[..., Response]:
    def row(
        key: Annotated[str, Path(max_length=200)],
        caller: KnownCaller,
        ledger: CurrentLedger,
        min_position: MinPosition = 0,
        as_of: When = None,
        known_at: When = None,
    ) -> Response:
        when, known = _when(as_of, "as_of"), _when(known_at, "known_at")
        _wait(ledger, view, min_position)
        return JSONResponse(_row(ledger, view, key, when, known))

    return row


def _model(view: View[Any], **body: Any) -> type[BaseModel]:
    """Return the shape of an answer, for the description of the API."""
    name = "".join(part.capitalize() for part in view.name.split("_")) + "".join(field.capitalize() for field in body)
    fields: dict[str, Any] = {"view": str, "version": int, "position": int, **body}
    fields = {field: (shape, ...) for field, shape in fields.items()}
    if "items" in body:
        fields |= {"next": (str | None, None), "total": (int | None, None)}
    made: type[BaseModel] = create_model(name, **fields)
    return made


def _mount(view: View[Any]) -> None:
    page = _model(view, items=list[view.row])  # type: ignore[name-defined]
    filters = [parameter_of(view, name) for name in filters_of(view)]
    router.add_api_route(
        f"/v1/views/{view.name}",
        _list_of(view),
        methods=["GET"],
        name=f"list_{view.name}",
        summary=f"Rows of {view.name}",
        description=view.doc,
        responses={**PROBLEMS, 200: {"model": page, "content": {"text/csv": {"schema": {"type": "string"}}}}},
        openapi_extra={"parameters": filters},
    )
    router.add_api_route(
        f"/v1/views/{view.name}/{{key:path}}",
        _row_of(view),
        methods=["GET"],
        name=f"read_{view.name}",
        summary=f"One row of {view.name}",
        description=f"{view.doc} With as_of, as it stood then; with known_at too, what had happened by as_of as it was known then.",
        responses={**PROBLEMS, 200: {"model": _model(view, row=view.row)}},
    )


for _view in VIEWS:
    _mount(_view)

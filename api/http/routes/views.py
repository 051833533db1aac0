"""`/v1/views`: what the past means. All views have the same two routes; what one may be asked comes from its row model.
Operators have them folded anew, and step over entries.

The description of the API names each view by itself (`api.http.description_of_views`).
"""

import asyncio
from collections.abc import Callable, Collection
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse

from api.desk.stewardship import By
from api.desk.tending import SkipRequest, SomeViews, rebuild_in, skip_in, views_named
from api.desk.views import items_of, list_of, read_when, row_of, states_of, view_named, wait_for
from api.http.auth import OPERATOR, KnownCaller
from api.http.body import body_of, read_model
from api.http.programs import LINES, answer_of_command
from api.http.questions import Route, Total, link_to_next, parameters_of
from api.http.shapes import MAX_KEY, PROBLEMS, MinPosition
from api.http.spreadsheets import csv_of
from api.http.state import CurrentLedger
from projections.engine.filters import filters_of
from projections.engine.listing import Listing
from projections.engine.serving import MAX_LIMIT
from projections.engine.view import View

AS_OF = "as_of"

ViewName = Annotated[str, Path(max_length=80)]
When = Annotated[
    str | None,
    Query(max_length=40, examples=["2026-11-23T12:00:00Z"], description="A position, or a time with offset."),
]


def list_parameters(view: View[Any]) -> tuple[str, ...]:
    """Return what a list of a view may be asked beside what every list may. Only lines are asked how they stood."""
    return (*filters_of(view), *((AS_OF,) if isinstance(view, Listing) else ()))


class ListRoute(Route):
    """A route whose parameters are those of the view that its path names."""

    def asks(self) -> Callable[[Request], tuple[Collection[str], Collection[str]]]:
        """Return what says which parameters a request may have: what every list takes, and the filters of the view."""
        once, several = parameters_of(self)

        def known(request: Request) -> tuple[Collection[str], Collection[str]]:
            return (*once, *list_parameters(view_named(request.path_params["view"]))), several

        return known


router = APIRouter(tags=["views"], route_class=Route)


@router.get("/v1/views", summary="List views", responses=PROBLEMS)
def list_views(caller: KnownCaller, ledger: CurrentLedger) -> dict[str, Any]:
    """Every view: what its rows are, its version, the position it has come to, and where it stopped if it did; operators are told why."""
    shows = caller.token is not None and OPERATOR in caller.token.roles
    with ledger.database.read() as connection:
        return states_of(connection, shows_failures=shows)


@router.post(
    "/v1/views/check",
    summary="Check views",
    responses=PROBLEMS | LINES,
    openapi_extra=body_of(SomeViews),
)
async def check_views(request: Request, caller: KnownCaller) -> StreamingResponse:
    """They are folded anew, with those that they read, compared with what is served, and their findings judged anew.

    Runs in its own process, one at a time. The last line is the report. It is this server's own word.
    """
    wanted = await read_model(request, SomeViews)
    views = views_named(wanted.views)
    return answer_of_command(request, "views", "check", "--progress-json", *(view.name for view in views))


@router.post(
    "/v1/views/rebuild",
    status_code=202,
    summary="Fold views anew",
    responses=PROBLEMS,
    openapi_extra=body_of(SomeViews),
)
async def rebuild_views(request: Request, caller: KnownCaller, ledger: CurrentLedger) -> dict[str, Any]:
    """Beside what is served, with the views that read them: the answer says which. Whichever process runs the views does it."""
    wanted = await read_model(request, SomeViews)
    return await asyncio.to_thread(rebuild_in, ledger.database, wanted)


@router.post(
    "/v1/views/skip",
    status_code=201,
    summary="Step over an entry",
    responses=PROBLEMS,
    openapi_extra=body_of(SkipRequest),
)
async def skip_entry(request: Request, caller: KnownCaller, ledger: CurrentLedger) -> dict[str, Any]:
    """A view steps over the entry at which it stopped, until its next version; recorded. The answer says what is folded anew."""
    wanted = await read_model(request, SkipRequest)
    return await asyncio.to_thread(skip_in, ledger, By.of(caller), wanted)


def list_view(
    request: Request,
    view: ViewName,
    caller: KnownCaller,
    ledger: CurrentLedger,
    sort: Annotated[str | None, Query(max_length=80, description="A column; `-column` for the greatest first.")] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = 100,
    after: Annotated[str | None, Query(max_length=8192, description="What the page before called `next`.")] = None,
    total: Total = False,
    min_position: MinPosition = 0,
    format: Literal["json", "csv"] = "json",
) -> Response:
    """Rows of a view: narrowed by its filters, sorted, and by pages."""
    found = view_named(view)
    wait_for(ledger, found, min_position)
    filters = filters_of(found)
    where = {name: value for name, value in request.query_params.items() if name in filters}
    as_of = read_when(request.query_params.get(AS_OF), AS_OF)
    rows = list_of(ledger, found, where, sort=sort, limit=limit, cursor=after, total=total, as_of=as_of)
    headers = link_to_next(request, rows.next)
    if format == "csv":
        return csv_of(found, rows, headers)
    return JSONResponse(items_of(found, rows), headers=headers)


router.add_api_route("/v1/views/{view}", list_view, methods=["GET"], responses=PROBLEMS, route_class_override=ListRoute)


@router.get("/v1/views/{view}/{key:rest}", responses=PROBLEMS)
def read_view(
    view: ViewName,
    key: Annotated[str, Path(max_length=MAX_KEY)],
    caller: KnownCaller,
    ledger: CurrentLedger,
    min_position: MinPosition = 0,
    as_of: When = None,
    known_at: When = None,
) -> Response:
    """With as_of, as it stood then; with known_at too, what had happened by as_of as it was known then."""
    found = view_named(view)
    when, known = read_when(as_of, AS_OF), read_when(known_at, "known_at")
    wait_for(ledger, found, min_position)
    return JSONResponse(row_of(ledger, found, key, when, known))

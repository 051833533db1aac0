"""`/v1/views`: what the past means. Every view has the same routes, made from its row model."""

from collections.abc import Callable
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, create_model

from api.desk.views import items_of, list_of, read_when, row_of, states_of, wait_for
from api.http.auth import OPERATOR, KnownCaller
from api.http.questions import Route, Total, link_to_next
from api.http.shapes import PROBLEMS, MinPosition
from api.http.spreadsheets import csv_of
from api.http.state import CurrentLedger
from projections import VIEWS
from projections.engine.filters import filters_of, parameter_of
from projections.engine.listing import Listing
from projections.engine.serving import MAX_LIMIT, cursor_of
from projections.engine.view import View

router = APIRouter(tags=["views"], route_class=Route)

When = Annotated[
    str | None,
    Query(max_length=40, examples=["2026-11-23T12:00:00Z"], description="A position, or a time with offset."),
]
_AS_OF: dict[str, Any] = {
    "name": "as_of",
    "in": "query",
    "required": False,
    "schema": {"type": "string", "maxLength": 40},
    "example": "2026-11-23T12:00:00Z",
    "description": "As the lines stood then: a position, or a time with offset.",
}


@router.get("/v1/views", summary="List views", responses=PROBLEMS)
def list_views(caller: KnownCaller, ledger: CurrentLedger) -> dict[str, Any]:
    """Every view: what its rows are, its version, the position it has come to, and where it stopped if it did; operators are told why."""
    shows = caller.token is not None and OPERATOR in caller.token.roles
    with ledger.database.read() as connection:
        return states_of(connection, shows_failures=shows)


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
        wait_for(ledger, view, min_position)
        where = {name: value for name, value in request.query_params.items() if name in filters}
        # Only lines have it as a parameter.
        as_of = read_when(request.query_params.get(_AS_OF["name"]), _AS_OF["name"])
        page = list_of(ledger, view, where, sort=sort, limit=limit, cursor=after, total=total, as_of=as_of)
        headers = link_to_next(request, page.next)
        if format == "csv":
            return csv_of(view, page, headers)
        return JSONResponse(items_of(view, page), headers=headers)

    return rows


def _row_of(view: View[Any]) -> Callable[..., Response]:
    def row(
        key: Annotated[str, Path(max_length=200)],
        caller: KnownCaller,
        ledger: CurrentLedger,
        min_position: MinPosition = 0,
        as_of: When = None,
        known_at: When = None,
    ) -> Response:
        when, known = read_when(as_of, "as_of"), read_when(known_at, "known_at")
        wait_for(ledger, view, min_position)
        return JSONResponse(row_of(ledger, view, key, when, known))

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
    if isinstance(view, Listing):
        filters.append(_AS_OF)
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
        f"/v1/views/{view.name}/{{key:rest}}",
        _row_of(view),
        methods=["GET"],
        name=f"read_{view.name}",
        summary=f"One row of {view.name}",
        description=f"{view.doc} With as_of, as it stood then; with known_at too, what had happened by as_of as it was known then.",
        responses={**PROBLEMS, 200: {"model": _model(view, row=view.row)}},
    )


for _view in VIEWS:
    _mount(_view)

"""Lists: rows of a view as the address asks for them, whichever page shows them. Its routes take the filters of their view."""

import re
from collections.abc import Callable, Collection
from typing import Any, Final

from fastapi import Request
from fastapi.responses import JSONResponse, RedirectResponse, Response

from api.console.columns import columns_of, facets_of, shown
from api.console.days import read_moment
from api.console.pages import PageRoute, Visit, page
from api.console.words import address, with_query
from api.desk.views import items_of, list_of, view_named
from api.http.spreadsheets import csv_of
from projections.engine.filters import filterable, filters_of
from projections.engine.listing import Listing
from projections.engine.serving import Page
from projections.engine.view import View
from projections.judging.findings import findings
from projections.readings.changes.tickets import change_tickets

LIMIT: Final = 50
# Views whose lists have a page of their own, by its path.
OWN: Final[dict[str, View[Any]]] = {
    "/console/changes": change_tickets,
    **dict.fromkeys(("/console/findings", "/console/findings.json", "/console/findings.csv"), findings),
}
# What pages of their own ask beside the filters of their view.
MORE: Final[dict[View[Any], tuple[str, ...]]] = {findings: ("owner",)}
# Of a list, beside its filters.
_ASKED: Final = ("sort", "after", "limit", "total", "columns", "as_of")
_is_limit: Final = re.compile("[0-9]{1,5}").fullmatch


class ListRoute(PageRoute):
    """A route whose parameters are those of a view: its own, or the one that its path names."""

    def asks(self) -> Callable[[Request], tuple[Collection[str], Collection[str]]]:
        """Return what says which parameters a request may have: the filters of its view, and what every list takes."""

        def known(request: Request) -> tuple[Collection[str], Collection[str]]:
            own = OWN.get(self.path_format)
            view = own or view_named(split_name(request.path_params["view"])[0])
            return (*filters_of(view), *_ASKED, *(MORE.get(own, ()) if own else ())), ()

        return known


def split_name(name: str) -> tuple[str, str]:
    """Return the name of a view, and how its rows are wanted: "" as a page, else `.json` or `.csv`."""
    plain, dot, kind = name.rpartition(".")
    return (plain, dot + kind) if kind in ("json", "csv") and dot else (name, "")


def list_page(
    visit: Visit,
    view: View[Any],
    *,
    beside: str = "",
    template: str = "list.html",
    path: tuple[str, ...] = (),
    of_rows: Callable[[list[dict[str, Any]]], dict[str, Any]] = lambda rows: {},
    listed: Callable[..., Page] = list_of,
    **more: Any,
) -> Response:
    """Return a list of a view as the address asks for it; fields of its form that were left empty ask for nothing.

    `path` is that of the page, and of its rows beneath, where it has one of its own. `of_rows` adds what else it shows of its rows.
    `listed` answers as `list_of` does.
    """
    query = visit.query
    if any(value == "" for value in query.values()):
        some = {name: value for name, value in query.items() if value != ""}
        return RedirectResponse(with_query(visit.path, some), 303)
    where = {name: value for name, value in query.items() if name in filters_of(view)}
    as_of = query.get("as_of")
    found = listed(
        visit.ledger,
        view,
        where,
        sort=query.get("sort"),
        limit=_limit(query.get("limit")),
        cursor=query.get("after"),
        total=query.get("total") == "true",
        as_of=read_moment(as_of or "", "as_of"),
    )
    if beside == ".json":
        return JSONResponse(items_of(view, found))
    if beside == ".csv":
        return csv_of(view, found, {})
    own = path or ("views", view.name)
    columns = [c for c in columns_of(view) if c.name in filterable(view)]
    is_wide = query.get("columns") == "all"
    return page(
        visit,
        template,
        position=found.position,
        is_live=as_of is None,
        view=view,
        found=found,
        columns=columns if is_wide else shown(view, found.rows),
        there_are=len(columns),
        is_wide=is_wide,
        facets=list(facets_of(view)),
        where=where,
        query=query,
        sort=query.get("sort") or view.key,
        as_of=as_of or "",
        base=address(*own),
        beside_base=address("views", view.name),
        is_listing=isinstance(view, Listing),
        **{"title": view.name.replace("_", " ")} | more | of_rows(found.rows),
    )


def _limit(text: str | None) -> int:
    return min(1000, max(1, int(text))) if text is not None and _is_limit(text) else LIMIT

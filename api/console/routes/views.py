"""Every view: its list and its rows, by machinery. A new practice is here with the view that it brings, and needs no page."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Path
from fastapi.responses import JSONResponse, RedirectResponse, Response

from api.console.beside import kind_of, rows_beside
from api.console.columns import columns_of
from api.console.days import moment_of
from api.console.listing import ListRoute, list_page, split_name
from api.console.pages import KnownVisit, PageRoute, Visit, page
from api.console.words import about, address, with_query
from api.desk.entries import page_of
from api.desk.views import row_of, states_of, view_named
from api.http.auth import OPERATOR
from api.http.shapes import MAX_KEY
from ledger.conditions import Match
from ledger.errors import LedgerError, NotFoundError
from projections import VIEWS
from projections.engine.view import View

LIMIT: Final = 50
# Of a view in the list of all.
COLUMNS: Final = (
    "name",
    "version",
    "doc",
    "key",
    "reads",
    "types",
    "position",
    "served_version",
    "failed_at",
    "failure",
)

router = APIRouter(route_class=PageRoute, include_in_schema=False)
ViewName = Annotated[str, Path(max_length=80)]
Key = Annotated[str, Path(max_length=MAX_KEY)]


@router.get("/console/views")
@router.get("/console/views.json")
@router.get("/console/views.csv")
def views(visit: KnownVisit) -> Response:
    """All views, with what their rows are and how far they have come."""
    with visit.ledger.database.read() as connection:
        states = states_of(connection, shows_failures=visit.may(OPERATOR))
    if kind := kind_of(visit):
        return rows_beside(kind, states["size"], states["views"], COLUMNS)
    return page(visit, "views.html", title="Views", states=states)


def rows(visit: KnownVisit, view: ViewName) -> Response:
    """Rows of a view: narrowed, sorted and paged by the address alone."""
    found, beside = split_name(view)
    return list_page(visit, view_named(found), beside=beside)


router.add_api_route("/console/views/{view}", rows, route_class_override=ListRoute)


@router.get("/console/views/{view}/{key:rest}")
def row(visit: KnownVisit, view: ViewName, key: Key, as_of: str | None = None, known_at: str | None = None) -> Response:
    """One row, with all that it holds; as it stands, as it stood, and as it was known then."""
    name, beside = split_name(view)
    found = view_named(name)
    if "" in (as_of, known_at):
        return RedirectResponse(with_query(visit.path, {}, as_of=as_of or None, known_at=known_at or None), 303)
    then = moment_of(visit.ledger, as_of or "", known_at or "")
    answer = row_of(visit.ledger, found, key, then.when, then.known)
    if beside:
        return JSONResponse(answer)
    return page(
        visit,
        "row.html",
        position=answer["position"],
        title=f"{found.kind.replace('_', ' ')} {key}",
        view=found,
        key=key,
        answer=answer,
        columns=columns_of(found),
        as_of=as_of or "",
        known_at=known_at or "",
    )


@router.get("/console/about/{ref:rest}")
def about_ref(visit: KnownVisit, ref: Annotated[str, Path(max_length=160)]) -> Response:
    """Whatever there is about a thing: its rows, the lists that name it, and the entries."""
    kind, _, value = ref.partition(":")
    if not value or about(kind, value) != address("about", ref):
        return RedirectResponse(about(kind, value), 303)
    rows = [(view, found) for view in VIEWS if view.kind == kind and (found := _row_or_none(visit, view, value))]
    named = [
        (view, column.name)
        for view in VIEWS
        for column in columns_of(view)
        if column.names == kind and not column.is_list and column.name != view.key and column.name in view.indexes
    ]
    entries = page_of(visit.ledger, [Match(refs=(ref,))], after=0, limit=LIMIT, since=None, until=None, total=True)
    if not rows and not entries["items"]:
        raise NotFoundError(f"nothing was recorded about {ref[:120]}")
    return page(
        visit,
        "about.html",
        title=f"{kind.replace('_', ' ')} {value}",
        ref=ref,
        rows=rows,
        named=named,
        value_asked=value,
        entries=entries,
    )


def _row_or_none(visit: Visit, view: View[Any], key: str) -> dict[str, Any] | None:
    """Return a row, or None where there is none yet, or the view does not answer now: the others are shown."""
    try:
        return row_of(visit.ledger, view, key, None, None)
    except LedgerError:
        return None

"""Running where: which artifact of each service is in each environment, since when, and by which change; now, or on a given day."""

from datetime import date
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query
from fastapi.responses import RedirectResponse, Response

from api.console.pages import KnownVisit, PageRoute, Visit, page
from api.console.sentences import names_of_findings
from api.console.words import with_query
from api.desk.running import running_in
from api.desk.views import list_of, read_when
from ledger.errors import StatementError
from projections.engine.serving import ViewNotReadyError
from projections.judging.findings import findings

router = APIRouter(route_class=PageRoute, include_in_schema=False)
# What runs as nobody deployed it.
DIVERGED: Final = "drifted-without-a-change,drifted"
SOME: Final = 20
_EXPECTED: Final = "expected at to be a day, such as 2026-11-23, or a time with offset, such as 2026-11-23T12:00:00Z"


@router.get("/console/running")
def running(
    visit: KnownVisit,
    at: Annotated[str, Query(max_length=40)] = "",
    environment: Annotated[str, Query(max_length=200)] = "",
    after: Annotated[str | None, Query(max_length=2000)] = None,
) -> Response:
    """What ran last in each place, now or at the end of a day, whatever came after."""
    if "" in visit.query.values():
        return RedirectResponse(with_query(visit.path, {k: v for k, v in visit.query.items() if v}), 303)
    when = _when(at) if at else None
    found = running_in(visit.ledger, at=when, environment=environment or None, cursor=after)
    cells: dict[str, dict[str, Any]] = {}
    for row in found.rows:
        service, _, where = row["place"].partition("@")
        cells.setdefault(service, {})[where] = row
    drift = [] if at else _diverged(visit)
    return page(
        visit,
        "running.html",
        title="Running where",
        position=found.position,
        is_live=not at,
        at=at,
        when=when,
        environment=environment,
        services=cells,
        environments=sorted({name for held in cells.values() for name in held}),
        drift=drift,
        names=names_of_findings(visit.ledger, drift or ()),
        next=found.next,
        query=visit.query,
    )


def _when(at: str) -> str:
    """Return a time; of a day its end."""
    try:
        return f"{date.fromisoformat(at)}T23:59:59.999999Z"
    except ValueError:
        pass
    try:
        when = read_when(at, "at")
    except StatementError:
        when = None
    if not isinstance(when, str):
        raise StatementError(_EXPECTED, "/at")
    return when


def _diverged(visit: Visit) -> list[dict[str, Any]] | None:
    """Return the open findings about what is not as it was deployed; None while they do not answer."""
    try:
        return list_of(visit.ledger, findings, {"rule__in": DIVERGED, "is_open": "true"}, limit=SOME).rows
    except ViewNotReadyError:
        return None

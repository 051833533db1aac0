"""Running where: which artifact of each service is in each environment, since when, and by which change; now, or on a given day."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Query
from fastapi.responses import RedirectResponse, Response

from api.console.beside import kind_of, rows_beside
from api.console.days import read_day
from api.console.pages import KnownVisit, PageRoute, Visit, page
from api.console.sentences import names_of_findings
from api.console.words import with_query
from api.desk.running import running_in
from api.desk.views import list_of
from projections.engine.serving import ViewNotReadyError
from projections.judging.findings import findings
from projections.readings.delivery.cutovers import cutovers

router = APIRouter(route_class=PageRoute, include_in_schema=False)
# What runs as nobody deployed it.
DIVERGED: Final = "drifted-without-a-change,drifted"
SOME: Final = 20
# Of a cutover, and the deployment that it was of.
COLUMNS: Final = (*cutovers.read_columns, "deployment")


@router.get("/console/running")
@router.get("/console/running.json")
@router.get("/console/running.csv")
def running(
    visit: KnownVisit,
    at: Annotated[str, Query(max_length=40)] = "",
    environment: Annotated[str, Query(max_length=200)] = "",
    after: Annotated[str | None, Query(max_length=2000)] = None,
) -> Response:
    """What ran last in each place, now or at the end of a day, whatever came after."""
    if "" in visit.query.values():
        return RedirectResponse(with_query(visit.path, {k: v for k, v in visit.query.items() if v}), 303)
    when = read_day(at, "at") if at else None
    found = running_in(visit.ledger, at=when, environment=environment or None, cursor=after)
    if kind := kind_of(visit):
        return rows_beside(kind, found.position, found.rows, COLUMNS, **({"next": found.next} if found.next else {}))
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


def _diverged(visit: Visit) -> list[dict[str, Any]] | None:
    """Return the open findings about what is not as it was deployed; None while they do not answer."""
    try:
        return list_of(visit.ledger, findings, {"rule__in": DIVERGED, "is_open": "true"}, limit=SOME).rows
    except ViewNotReadyError:
        return None

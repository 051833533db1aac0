"""Running where: which artifact of each service is in each environment, since when, and by which change; now, or on a given day."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Query
from fastapi.responses import RedirectResponse, Response

from api.console.pages import KnownVisit, PageRoute, page
from api.desk.views import list_of, read_when
from ledger.errors import StatementError
from projections.readings.delivery.deployments import deployments

router = APIRouter(route_class=PageRoute, include_in_schema=False)
# So many deployments are looked back on: what was deployed before them is not shown, and the page says so.
LOOKED_BACK: Final = 500


@router.get("/console/running")
def running(visit: KnownVisit, at: Annotated[str, Query(max_length=40)] = "") -> Response:
    """The last deployment to have ended well, of each service in each environment."""
    if "at" in visit.query and not at:
        return RedirectResponse(visit.path, 303)
    when = read_when(at or None, "at")
    if isinstance(when, int):
        raise StatementError("expected at to be a time with offset, such as 2026-11-23T12:00:00Z", "/at")
    where = {"outcome": "success"} | ({"finished_at__lte": when} if when else {"finished_at__null": "false"})
    found = list_of(visit.ledger, deployments, where, sort="-finished_at", limit=LOOKED_BACK)
    cells: dict[str, dict[str, dict[str, Any]]] = {}
    for row in found.rows:
        if row["service"] and row["environment"]:
            cells.setdefault(row["service"], {}).setdefault(row["environment"], _cell(row, when))
    return page(
        visit,
        "running.html",
        title="Running where",
        position=found.position,
        is_live=not at,
        at=at,
        services=dict(sorted(cells.items())),
        environments=sorted({name for held in cells.values() for name in held}),
        is_all=found.next is None,
        looked_back=LOOKED_BACK,
    )


def _cell(row: dict[str, Any], when: str | None) -> dict[str, Any]:
    """Return what is shown of a deployment; what was rolled back by then runs no more."""
    is_undone = row["rolled_back_at"] is not None and (when is None or row["rolled_back_at"] <= when)
    artifact = row["rolled_back_to"] if is_undone else row["artifact"] or row["commit"]
    return {
        "deployment_id": row["deployment_id"],
        "change_id": row["change_id"],
        "artifact": artifact,
        "since": row["rolled_back_at"] if is_undone else row["finished_at"],
        "is_undone": is_undone,
        "verdict": row["verdict"],
    }

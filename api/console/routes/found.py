"""Findings: what rules found in what was recorded, how grave, since when, and by which entries."""

from fastapi import APIRouter
from fastapi.responses import Response

from api.console.listing import ListRoute, list_page
from api.console.pages import KnownVisit, PageRoute
from api.console.routes.today import SEVERITIES, counted
from projections.judging.findings import findings

router = APIRouter(route_class=PageRoute, include_in_schema=False)


def found(visit: KnownVisit) -> Response:
    """Findings, with the rule that each breaks in words."""
    return list_page(
        visit,
        findings,
        path=("findings",),
        template="findings.html",
        title="Findings",
        rules=findings.rules,
        counts={severity: counted(visit, severity) for severity in SEVERITIES},
    )


router.add_api_route("/console/findings", found, route_class_override=ListRoute)

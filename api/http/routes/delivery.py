"""`/v1/delivery`: the five metrics of a service, a team or all, over any time."""

from typing import Annotated, Any

from fastapi import APIRouter, Query

from api.desk.delivery import figures_in
from api.desk.views import wait_for
from api.http.auth import KnownCaller
from api.http.questions import Route
from api.http.shapes import PROBLEMS, MinPosition
from api.http.state import CurrentLedger
from projections.readings.delivery.deliveries import deliveries

router = APIRouter(tags=["delivery"], route_class=Route)
Name = Annotated[str | None, Query(max_length=100, examples=["payments"], description="All of them without it.")]
Time = Annotated[
    str | None,
    Query(max_length=40, examples=["2026-11-01T00:00:00Z"], description="A time with offset; no bound without it."),
]


@router.get("/v1/delivery", summary="The metrics of delivery over any time", responses=PROBLEMS)
def figures(
    caller: KnownCaller,
    ledger: CurrentLedger,
    service: Name = None,
    team: Name = None,
    since: Time = None,
    until: Time = None,
    min_position: MinPosition = 0,
) -> dict[str, Any]:
    """The five metrics of deployments first seen from `since` on and before `until`, and the ids of the deployments.

    By the same definitions as the view `delivery`, which has them by service and month, with what restated each.
    """
    wait_for(ledger, deliveries, min_position)
    return figures_in(ledger, service=service, team=team, since=since, until=until)

"""`/v1/calendar.ics`: what is frozen, met for and watched, as a calendar that other programs read."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response

from api.desk.calendar_file import MEDIA_TYPE, calendar_file
from api.desk.views import wait_for
from api.http.auth import KnownCaller
from api.http.questions import Route
from api.http.shapes import PROBLEMS, MinPosition
from api.http.state import CurrentLedger
from projections.readings.delivery.freezes import freezes

router = APIRouter(tags=["calendar"], route_class=Route)
Time = Annotated[str | None, Query(max_length=40, examples=["2026-11-01T00:00:00Z"], description="A time with offset.")]
Kinds = Annotated[
    str | None,
    Query(
        max_length=80,
        examples=["freeze,meeting"],
        description="Which: freeze, compliance_window, meeting, change, override. The first three without it.",
    ),
]


@router.get(
    "/v1/calendar.ics",
    summary="The calendar of freezes, windows and meetings",
    response_class=Response,
    responses=PROBLEMS,
)
def calendar(
    caller: KnownCaller,
    ledger: CurrentLedger,
    since: Time = None,
    until: Time = None,
    kinds: Kinds = None,
    min_position: MinPosition = 0,
) -> Response:
    """What holds from `since` on and before `until`, each time of what recurs by itself.

    From a month ago on, and three months ahead, where nothing is said. A freeze that was lifted is cancelled.
    """
    wait_for(ledger, freezes, min_position)
    return Response(calendar_file(ledger, since=since, until=until, kinds=kinds), media_type=MEDIA_TYPE)

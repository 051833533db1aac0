"""`/v1/catalogue`: what a pipeline author may send, with an example of each."""

from typing import Annotated, Any

from fastapi import APIRouter, Path

from api.desk.catalogue import describe
from api.http.auth import KnownCaller
from api.http.questions import Route
from api.http.shapes import PROBLEMS
from ledger.errors import NotFoundError
from ledger.events import CATALOGUE

router = APIRouter(tags=["catalogue"], route_class=Route)


@router.get("/v1/catalogue", summary="All event types", responses=PROBLEMS)
def catalogue(caller: KnownCaller) -> list[dict[str, Any]]:
    """Type, meaning and sentence of every event type."""
    return [
        {key: described[key] for key in ("type", "doc", "says", "appended_by")}
        for described in map(describe, CATALOGUE.values())
    ]


@router.get("/v1/catalogue/{type}", summary="One event type", responses=PROBLEMS)
def event_type(
    type: Annotated[str, Path(max_length=64, examples=["deployment.started"])], caller: KnownCaller
) -> dict[str, Any]:
    """JSON Schema of `data`, sentence, refs and an example that can be posted as it is."""
    if type not in CATALOGUE:
        raise NotFoundError(CATALOGUE.no_such(type))
    return describe(CATALOGUE[type])

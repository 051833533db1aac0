"""`/v1/catalogue`: what a pipeline author may send, with an example of each."""

from typing import Annotated, Any

from fastapi import APIRouter, Path

from api.http.auth import KnownCaller
from api.http.questions import Route
from api.http.routes.events import PROBLEMS
from ledger.errors import NotFoundError
from ledger.events import CATALOGUE, OPERATOR_AREAS, RESERVED_AREAS, Event, example

router = APIRouter(tags=["catalogue"], route_class=Route)


def describe(event_class: type[Event]) -> dict[str, Any]:
    """Return what there is to know about an event type."""
    area = event_class.area()
    return {
        "type": event_class.type,
        "doc": " ".join((event_class.__doc__ or "").split()),
        "says": event_class.says,
        "refs": {field: kind for kind, field, _ in event_class.ref_fields},
        "erasable": list(event_class.erasable_fields),
        "appended_by": "the ledger"
        if area in RESERVED_AREAS
        else "operators"
        if area in OPERATOR_AREAS
        else "reporters",
        "example": {
            "specversion": "1.0",
            "id": "7f1c2a9e-0c2b-4b59-9a35-3f3b6f3f2f10",
            "source": "https://ci.example.com/payments",
            "type": event_class.type,
            "time": "2026-11-23T12:00:00Z",
            "data": example(event_class),
        },
        "schema": event_class.model_json_schema(),
    }


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

"""What there is to know about event types, whoever asks."""

from typing import Any

from ledger.events import OPERATOR_AREAS, RESERVED_AREAS, Event, example


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

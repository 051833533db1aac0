"""What many routes declare alike: positions, reasons, media types, and the problems that each may answer. Not the shapes of answers."""

from typing import Annotated, Any, Final

import orjson
from fastapi import Path, Query
from fastapi.responses import Response

from api.desk.problems import MEDIA_TYPE
from ledger.events.identifiers import Label

MAX_POSITION: Final = 2**53 - 1
TEXT: Final = "text/plain; charset=utf-8"
# Of what never changes under its address.
FOREVER: Final = "max-age=31536000, immutable"
Position = Annotated[int, Path(ge=1, le=MAX_POSITION, description="Place in the ledger, from 1.")]
MinPosition = Annotated[
    int,
    Query(ge=0, le=MAX_POSITION, description="Wait until the view has come to this position: to read one's own write."),
]
# Of a row, such as of what was found about a service in an environment: longer than any that a view makes.
MAX_KEY: Final = 1000
Reason = Annotated[Label, Query(examples=["gdpr-17"], description="Why, in one word.")]

_PROBLEM: Final[dict[str, Any]] = {
    "description": "A problem document that names the place (RFC 9457).",
    "content": {MEDIA_TYPE: {"schema": {"type": "object", "required": ["title", "status", "detail"]}}},
}
PROBLEMS: Final[dict[int | str, dict[str, Any]]] = dict.fromkeys(
    (400, 401, 403, 404, 409, 412, 413, 415, 422, 429, 503), _PROBLEM
)


def json_answer(status: int, document: Any, headers: dict[str, str] | None = None) -> Response:
    """Return an answer in JSON, encoded once."""
    return Response(orjson.dumps(document), status, headers, media_type="application/json")

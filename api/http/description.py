"""The description of the API (OpenAPI): what the routes declare, and what holds for all of them, said in one place.

FastAPI describes parameters and bodies. Added here are the answers of every route, by their shapes; problems; who may
(from the table of roles); and names by which programs that make clients tell things apart. A route whose answers are
not described cannot be mounted.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic import TypeAdapter

from api.http import answers, auth
from api.http.description_of_views import PARTS, of_each_view
from api.intake import FORMATS, SIGNED
from ledger.errors import SetupError

BYTES: Final = "application/octet-stream"
TEXT: Final = "text/plain"
EVENTS: Final = answers.Receipt | answers.Receipts | answers.Batch
DRY: Final = answers.Preview | answers.PreviewBatch

# Of each route, by status: the shape of a JSON answer, or the media type of another.
ANSWERS: Final[Mapping[tuple[str, str], Mapping[int, Any]]] = {
    ("GET", "/healthz"): {200: answers.Health},
    ("GET", "/readyz"): {200: answers.ServerReadiness},
    ("GET", "/readyz/views"): {200: answers.ViewsReadiness},
    ("GET", "/v1/ledger"): {200: answers.LedgerInfo},
    ("GET", "/checkpoint"): {200: TEXT},
    ("GET", "/tile/{level}/{path}"): {200: BYTES},
    ("GET", "/tile/entries/{path}"): {200: BYTES},
    ("GET", "/tile/signatures/{path}"): {200: BYTES},
    ("GET", "/v1/ledger/checkpoints"): {200: answers.CheckpointPage},
    ("GET", "/v1/ledger/consistency"): {200: answers.Consistency},
    ("GET", "/v1/ledger/keys"): {200: list[answers.KeyInfo]},
    ("POST", "/v1/ledger/keys"): {201: answers.Receipt},
    ("DELETE", "/v1/ledger/keys/{role}/{key_id}"): {200: answers.Receipt},
    ("GET", "/v1/events/{position}/proof"): {200: TEXT},
    ("GET", "/v1/dossiers/{ref}"): {200: answers.DossierDocument},
    ("POST", "/v1/ledger/heads"): {201: answers.Receipt},
    ("GET", "/v1/catalogue"): {200: list[answers.EventTypeLine]},
    ("GET", "/v1/catalogue/{type}"): {200: answers.EventType},
    ("POST", "/v1/events"): {200: EVENTS | DRY, 201: EVENTS, 207: answers.Batch | answers.PreviewBatch},
    ("GET", "/v1/events"): {200: answers.EntryPage},
    ("GET", "/v1/events/stream"): {200: "text/event-stream"},
    ("GET", "/v1/events/{position}"): {200: answers.Entry},
    ("GET", "/v1/events/{position}/entry"): {200: answers.EntryDocument},
    ("GET", "/v1/events/{position}/envelope"): {200: answers.Envelope},
    ("GET", "/v1/events/{position}/evidence/{sha256}"): {200: BYTES},
    ("DELETE", "/v1/events/{position}/texts"): {200: answers.Receipt},
    ("DELETE", "/v1/events/{position}/evidence/{sha256}"): {200: answers.Receipt},
    ("POST", "/v1/ledger/verify"): {200: "application/x-ndjson"},
    ("GET", "/v1/ledger/credentials"): {200: list[answers.CredentialInfo]},
    ("POST", "/v1/ledger/credentials"): {201: answers.IssuedToken},
    ("DELETE", "/v1/ledger/credentials/{credential}"): {200: answers.Receipt},
    ("GET", "/v1/ledger/sources"): {200: list[answers.SourceInfo]},
    ("POST", "/v1/ledger/sources"): {201: answers.Receipt},
    ("DELETE", "/v1/ledger/sources"): {200: answers.Receipt},
    ("GET", "/v1/ledger/trust-rules"): {200: list[answers.TrustRuleInfo]},
    ("POST", "/v1/ledger/trust-rules"): {201: answers.EnrolledTrustRule},
    ("GET", "/v1/ledger/imports"): {200: list[answers.ImportInfo]},
    ("POST", "/v1/ledger/imports"): {201: answers.Receipt},
    ("DELETE", "/v1/ledger/imports/{import_id}"): {200: answers.Receipt},
    ("GET", "/v1/ledger/tools"): {200: list[answers.ToolInfo]},
    ("POST", "/v1/ledger/tools"): {201: answers.Receipt},
    ("GET", "/v1/views"): {200: answers.ViewList},
    ("POST", "/v1/views/check"): {200: "application/x-ndjson"},
    ("POST", "/v1/views/rebuild"): {202: answers.FoldedAnew},
    ("POST", "/v1/views/skip"): {201: answers.SteppedOver},
    ("GET", "/v1/delivery"): {200: answers.DeliveryAnswer},
    ("GET", "/v1/calendar.ics"): {200: "text/calendar"},
    ("GET", "/v1/risk/backtest"): {200: answers.BacktestAnswer},
    ("GET", "/v1/risk/fit"): {200: answers.FitAnswer},
    ("GET", "/v1/gates"): {200: answers.GateList},
    ("POST", "/v1/gates/{gate}"): {200: answers.RecordedAnswer},
    ("GET", "/v1/gates/{gate}/what-if"): {200: answers.GateAnswer},
    ("GET", "/v1/gates/decisions/{position}/recheck"): {200: answers.Recheck},
    ("POST", "/v1/policies/check"): {200: answers.PolicyCheck},
    ("POST", "/v1/policies/try"): {200: answers.PolicyTried},
    **{("POST", known.path): dict.fromkeys((200, 201, 202), answers.Taken) for known in FORMATS},
}
_SECURITY: Final = {
    "token": {"type": "http", "scheme": "bearer", "description": "A token that an operator issued."},
    **{
        f"{known.name}_signature": {
            "type": "apiKey",
            "in": "header",
            "name": known.signature.name,
            "description": "The sender's HMAC over the body.",
        }
        for known in FORMATS
        if known.signature is not None
    },
}
# Of a route, where no token is shown.
_BY_SIGNATURE: Final = {("POST", known.path): f"{known.name}_signature" for known in SIGNED.values()}
_WORDS: Final = {
    200: "As asked.", 201: "Recorded.", 202: "Kept, and recorded as not understood.", 207: "A batch, item by item.",
    400: "Not a request that makes sense.", 401: "Not authenticated.", 403: "Not allowed.", 404: "Not found.",
    408: "Too slow.", 409: "Recorded with another content, or busy.", 412: "The append condition failed.",
    413: "Too large.", 415: "Not a media type that is read here.", 422: "Not admissible: `place` says where.",
    429: "Too many requests: `Retry-After` says when.", 503: "Not now: `Retry-After` says when.",
}  # fmt: skip
_REF: Final = "#/components/schemas/{model}"
_WITH_BODY: Final = (400, 408, 409, 412, 413, 415)


def described(route: APIRoute) -> bool:
    """Say whether the answers of a route are described: here, or view by view."""
    is_here = all((method, route.path_format) in ANSWERS for method in route.methods or ())
    return is_here or route.path_format in PARTS or not route.include_in_schema


def describe(app: FastAPI) -> dict[str, Any]:
    """Return the description of an app's routes. Raises SetupError where two things have one name."""
    document = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
    parts: dict[str, Any] = document.setdefault("components", {})
    parts["securitySchemes"] = _SECURITY
    schemas: dict[str, Any] = parts.setdefault("schemas", {})
    problem = {"application/problem+json": {"schema": _shape(answers.Problem, schemas)}}
    served_by, shapes = of_each_view(document["paths"], ref_template=_REF)
    for name, shape in shapes.items():
        _put(name, _without_defaults(shape), schemas)
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            route = (method.upper(), served_by.get((method.upper(), path), path))
            operation["parameters"] = [_without_null(parameter) for parameter in operation.get("parameters", ())]
            _name_bodies(operation, schemas)
            found = operation["responses"]
            operation["responses"] = {
                str(status): _answer(found.get(str(status), {}), status, shape, schemas)
                for status, shape in ANSWERS.get(route, {}).items()
            } or {"200": found["200"]}
            for status in _problems_of(route, operation):
                words = found.get(str(status), {}).get("description", "")
                operation["responses"][str(status)] = {
                    "description": _WORDS[status]
                    if words.startswith("A problem document")
                    else words or _WORDS[status],
                    "content": problem,
                }
            operation["security"] = _security_of(route)
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    return document


def _answer(found: Mapping[str, Any], status: int, shape: Any, schemas: dict[str, Any]) -> dict[str, Any]:
    if isinstance(shape, str):
        schema = {"type": "string"} | ({"format": "binary"} if shape == BYTES else {})
        content = {shape: {"schema": schema}}
    else:
        example = found.get("content", {}).get("application/json", {}).get("example")
        content = {"application/json": {"schema": _shape(shape, schemas)} | ({"example": example} if example else {})}
    words = found.get("description", "")
    return {"description": _WORDS[status] if words in ("", "Successful Response") else words, "content": content}


def _shape(shape: Any, schemas: dict[str, Any]) -> dict[str, Any]:
    """Return a reference to a shape, and put it and what it is made of among the schemas."""
    made = TypeAdapter(shape).json_schema(mode="validation", ref_template=_REF)
    for name, part in made.pop("$defs", {}).items():
        _put(name, _without_defaults(part), schemas)
    if "properties" in made:
        return _put(made["title"], _without_defaults(made), schemas)
    return made


def _without_defaults(schema: dict[str, Any]) -> dict[str, Any]:
    """What is left out of an answer is not there; it does not stand for null."""
    properties = {
        name: {key: value for key, value in part.items() if key != "default"}
        for name, part in schema.get("properties", {}).items()
    }
    return schema | ({"properties": properties} if properties else {})


def _put(name: str, schema: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    if schemas.setdefault(name, schema) != schema:
        raise SetupError(f"two schemas of the API are called {name}: give one of their classes another name")
    return {"$ref": f"#/components/schemas/{name}"}


def _name_bodies(operation: dict[str, Any], schemas: dict[str, Any]) -> None:
    """Put the schemas of bodies that have a title, and their parts, among the schemas: programs name what they make after them."""
    for content in operation.get("requestBody", {}).get("content", {}).values():
        # A copy: the description is made anew for every app, of the same routes.
        schema = dict(content["schema"])
        for name, part in schema.pop("$defs", {}).items():
            _put(name, part, schemas)
        if "title" in schema:
            content["schema"] = _put(schema["title"], schema, schemas)
        elif "title" in (items := schema.get("unevaluatedItems", {})):
            content["schema"] = {**schema, "unevaluatedItems": _put(items["title"], items, schemas)}


def _without_null(parameter: dict[str, Any]) -> dict[str, Any]:
    """A parameter that need not be there is not one that may be null: no query can say null."""
    schema = dict(parameter["schema"])
    some = [shape for shape in schema.pop("anyOf", ()) if shape != {"type": "null"}]
    if len(some) == 1:
        schema = some[0] | schema
    elif some:
        schema["anyOf"] = some
    return parameter | {"schema": schema}


def _problems_of(route: tuple[str, str], operation: Mapping[str, Any]) -> Sequence[int]:
    found = {422, 429, 503}
    if auth.ROUTES[route] != auth.PUBLIC:
        found |= {401, 403}
    if route[0] != "GET":
        found |= {404, 409}
    if "requestBody" in operation:
        found.update(_WITH_BODY)
    if route == ("GET", "/v1/events/stream"):
        found.add(400)
    if "{" in route[1] or route[0] == "GET":
        found.add(404)
    return sorted(found)


def _security_of(route: tuple[str, str]) -> list[dict[str, list[str]]]:
    roles = auth.ROUTES[route]
    if roles == auth.PUBLIC:
        return []
    return [{_BY_SIGNATURE.get(route, "token"): []}]

"""Reading a request's body: counted while it is read, so that nobody can fill the memory."""

import re
from collections.abc import AsyncIterator
from tempfile import SpooledTemporaryFile
from typing import Any, Final, TypeVar

from fastapi import Request
from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect

from api.http.problems import RequestError, worded
from ledger.errors import StatementTooLargeError

BATCH: Final = "application/cloudevents-batch+json"
# Of a body whose sender is not known; what is longer is spooled to disk.
IN_MEMORY_BYTES: Final = 65_536
_parameter: Final = re.compile(r';\s*([^=;\s"]+)\s*=\s*("(?:[^"\\]|\\.)*"|[^;]*)')


async def read_body(request: Request, limit: int) -> bytes:
    """Return the body, or raise StatementTooLargeError as soon as it is longer than `limit` bytes."""
    return b"".join([chunk async for chunk in _chunks(request, limit)])


async def read_unknown_body(request: Request, limit: int) -> bytes:
    """Return the body of a sender that is not known before it is read: spooled to disk, and within the share of its network.

    Raises ClientDisconnect when its connection was dropped in favour of others.
    """
    connection = request.scope["connection"]
    with SpooledTemporaryFile(IN_MEMORY_BYTES) as spool, connection.shared.holding(connection) as hold:
        async for chunk in _chunks(request, limit):
            if not hold(len(chunk)):
                raise ClientDisconnect
            spool.write(chunk)
        spool.seek(0)
        return spool.read()


async def _chunks(request: Request, limit: int) -> AsyncIterator[bytes]:
    announced = request.headers.get("content-length", "0")
    if announced.isdigit() and int(announced) > limit:
        raise StatementTooLargeError(f"expected a body of at most {limit} bytes, {announced} are announced")
    if any(
        coding.strip().lower() not in ("", "identity")
        for line in request.headers.getlist("content-encoding")
        for coding in line.split(",")
    ):
        raise RequestError(415, "Unsupported encoding", "expected a body that is not compressed")
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise StatementTooLargeError(f"expected a body of at most {limit} bytes")
        yield chunk


def check_charset(request: Request) -> None:
    """Raise RequestError for JSON that its header says is not in UTF-8, which is the only encoding that JSON has (RFC 8259 §8.1)."""
    for header in request.headers.getlist("content-type"):
        for name, value in _parameter.findall(header):
            charset = value.strip().strip('"').lower()
            if name.lower() == "charset" and charset not in ("utf-8", "us-ascii"):
                raise RequestError(415, "Unsupported charset", f"expected charset=utf-8, found {charset[:40]!r}")


def media_type(request: Request) -> str:
    """Return the media type of a body, without its parameters."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


Model = TypeVar("Model", bound=BaseModel)
# What operators ask for is short.
MAX_ASKED_BYTES = 65_536


async def read_model(request: Request, model: type[Model], *, or_nothing: bool = False) -> Model:
    """Return the body as a model; with `or_nothing` no body at all stands for `{}`. For routes that must know the caller before they
    read what a stranger sends.
    """
    check_charset(request)
    body = await read_body(request, MAX_ASKED_BYTES)
    if not body and not or_nothing:
        raise RequestError(422, "Not admissible", "expected a JSON object, found an empty body", "/")
    try:
        return model.model_validate_json(body or b"{}")
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        words, place = worded(first)
        raise RequestError(422, "Not admissible", words, place) from None


def body_of(model: type[BaseModel], *, required: bool = True) -> dict[str, Any]:
    """Return the OpenAPI description of a body that `read_model` reads."""
    content = {"application/json": {"schema": model.model_json_schema()}}
    return {"requestBody": {"required": required, "content": content}}

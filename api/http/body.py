"""Reading a request's body: counted while it is read, so that nobody can fill the memory."""

from collections.abc import Callable
from tempfile import SpooledTemporaryFile
from typing import Any, Final

from fastapi import Request
from pydantic import BaseModel
from starlette.requests import ClientDisconnect

from api.desk.posted import Model, check_charset, model_of
from api.desk.problems import RequestError
from ledger.errors import NoRoomError, StatementTooLargeError

# Of a body whose sender is not known; what is longer is spooled to disk.
IN_MEMORY_BYTES: Final = 65_536


async def read_body(request: Request, limit: int) -> bytes:
    """Return the body, or raise StatementTooLargeError as soon as it is longer than `limit` bytes."""
    parts: list[bytes] = []
    await _read(request, limit, parts.append)
    return b"".join(parts)


async def read_unknown_body(request: Request, limit: int) -> bytes:
    """Return the body of a sender that is not known before it is read: spooled to disk, and within the share of its network.

    Raises ClientDisconnect when its connection was dropped in favour of others.
    """
    connection = request.scope["connection"]
    with SpooledTemporaryFile(IN_MEMORY_BYTES) as spool, connection.shared.holding(connection) as hold:

        def take(chunk: bytes) -> None:
            if not hold(len(chunk)):
                raise ClientDisconnect
            try:
                spool.write(chunk)
            except OSError as error:
                raise NoRoomError(
                    "there is no room left for bodies of senders that are not known yet: an operator has to make some; then try again"
                ) from error

        await _read(request, limit, take)
        spool.seek(0)
        return spool.read()


async def _read(request: Request, limit: int, take: Callable[[bytes], object]) -> None:
    """Give a body to `take`, chunk by chunk. Raises ClientDisconnect when its sender leaves before it is whole."""
    announced = request.headers.get("content-length", "0")
    if announced.isascii() and announced.isdigit() and int(announced) > limit:
        raise StatementTooLargeError(f"expected a body of at most {limit} bytes, {announced} are announced")
    for line in request.headers.getlist("content-encoding"):
        if any(coding.strip().lower() not in ("", "identity") for coding in line.split(",")):
            raise RequestError(415, "Unsupported encoding", "expected a body that is not compressed")
    size, more = 0, True
    while more:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        chunk, more = message.get("body", b""), message.get("more_body", False)
        size += len(chunk)
        if size > limit:
            raise StatementTooLargeError(f"expected a body of at most {limit} bytes")
        take(chunk)


# What operators ask for is short.
MAX_ASKED_BYTES = 65_536


async def read_model(request: Request, model: type[Model], *, or_nothing: bool = False) -> Model:
    """Return the body as a model; with `or_nothing` no body at all stands for `{}`. For routes that must know the caller before they
    read what a stranger sends.
    """
    check_charset(request.headers)
    body = await read_body(request, MAX_ASKED_BYTES)
    if not body and not or_nothing:
        raise RequestError(422, "Not admissible", "expected a JSON object, found an empty body", "/")
    return model_of(model, body or b"{}")


def body_of(model: type[BaseModel], *, required: bool = True) -> dict[str, Any]:
    """Return the OpenAPI description of a body that `read_model` reads."""
    schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
    content = {"application/json": {"schema": schema}}
    return {"requestBody": {"required": required, "content": content}}

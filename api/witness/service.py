"""The service of a witness over HTTP (C2SP tlog-witness).

The rules are `signing.witness`, which keeps nothing. Not part of the ledger's own service: a witness runs on the machine
of somebody who does not believe the ledger.

    take the lock -> read what was cosigned last -> decide and sign -> write it durably -> release -> answer
"""

import time
from collections.abc import Callable
from typing import Final

from fastapi import FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import PlainTextResponse, Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from api.desk.problems import RequestError
from api.http.body import read_body
from api.witness.memory import WitnessStore, log
from ledger.errors import SetupError, StatementTooLargeError
from signing.witness import (
    SIZE_MEDIA_TYPE,
    Witness,
    WitnessRefusalError,
)

MAX_REQUEST_BYTES: Final = 65_536


def create_witness_app(witness: Witness, store: WitnessStore, clock: Callable[[], float] = time.time) -> FastAPI:
    """Return the service of a witness. `clock` gives unix seconds."""
    app = FastAPI(
        title="Change Ledger witness", docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False
    )
    origins = {store.name_of(origin): origin for origin in witness.logs}

    @app.post("/add-checkpoint")
    async def add_checkpoint(request: Request) -> Response:
        body = await read_body(request, MAX_REQUEST_BYTES)
        return PlainTextResponse(str(await run_in_threadpool(store.cosign, witness, body, clock)))

    @app.get("/{name}/checkpoint")
    def monitor(name: str) -> Response:
        note = store.read(origins[name], witness.key) if name in origins else None
        if note is None:
            return PlainTextResponse("no checkpoint of this log was cosigned\n", 404)
        return PlainTextResponse(str(note))

    async def refused(_: Request, error: Exception) -> Response:
        return _refusal(error)

    for kind in (
        WitnessRefusalError,
        StatementTooLargeError,
        SetupError,
        RequestError,
        HTTPException,
        ClientDisconnect,
    ):
        app.add_exception_handler(kind, refused)
    return app


def _refusal(error: Exception) -> Response:
    """Return the answer of tlog-witness to what is refused: the reason as text, or the size to begin from."""
    if isinstance(error, WitnessRefusalError) and error.status == 409:
        # As a header, since a media type of text is given a charset otherwise.
        return Response(f"{error.size}\n", 409, {"Content-Type": SIZE_MEDIA_TYPE})
    if isinstance(error, SetupError):
        # Paths and what the disk said are for the operator.
        log.error("the witness does not cosign: %s", error)
        return PlainTextResponse("this witness cannot read or keep its memory; its log says more\n", 503)
    if isinstance(error, HTTPException):
        return PlainTextResponse(f"{error.detail}\n", error.status_code, error.headers)
    status = 413 if isinstance(error, StatementTooLargeError) else getattr(error, "status", 400)
    return PlainTextResponse(f"{str(error)[:1000]}\n", status)

"""Witnesses over HTTP, both sides: a witness's memory and its service, and a ledger asking one (C2SP tlog-witness).

The rules are `signing.witness`, which keeps nothing. Not part of the ledger's own service: a witness runs on the machine
of somebody who does not believe the ledger.

    take the lock -> read what was cosigned last -> decide and sign -> write it durably -> release -> answer
"""

import fcntl
import hashlib
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx
from fastapi import FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import PlainTextResponse, Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from api.body import read_body
from api.problems import RequestError
from ledger.errors import LedgerError, SetupError, StatementTooLargeError
from ledger.published.durable import write_durably
from signing.checkpoint import parse_checkpoint, parse_size
from signing.errors import KeyFormatError, VerificationError
from signing.notes import (
    COSIGNATURE,
    Note,
    NoteKey,
    SignatureLine,
    check_note,
    parse_note,
    parse_signature_line,
    parse_verifier_key,
)
from signing.witness import (
    SIZE_MEDIA_TYPE,
    Witness,
    WitnessRefusalError,
    check_cosigned,
    format_request,
    parse_request,
    remembered,
)

MAX_REQUEST_BYTES: Final = 65_536
MAX_ANSWER_BYTES: Final = 16_384
# How far a witness's clock may be ahead of ours.
MAX_AHEAD_S: Final = 600
# How long the body of an answer may take; httpx limits the wait for each piece of it, not for the whole.
MAX_ANSWER_S: Final = 15.0
_PLAIN: Final = {"Accept-Encoding": "identity"}
log = logging.getLogger("change_ledger")


class WitnessError(LedgerError):
    """A witness did not cosign: it refused, did not answer, or answered with something else."""


# -- a witness -------------------------------------------------------------------------------------------------------


class WitnessStore:
    """What a witness remembers: for every log the last checkpoint that it cosigned, a file each.

    Any number of threads and processes may share the directory. A log without a file was never cosigned: nothing here
    notices that a whole memory was removed, or replaced by an older one.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._mutex = threading.Lock()
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)

    @staticmethod
    def name_of(origin: str) -> str:
        """Return the name of a log's file, which is also its place in the monitoring URL."""
        return hashlib.sha256(origin.encode()).hexdigest()

    def read(self, origin: str, key: NoteKey) -> Note | None:
        """Return the checkpoint of a log that was cosigned last, None when there is none. Raises SetupError when it cannot be read.

        It is durable: a write that failed halfway may have left one that a power failure would take back.
        """
        with self._locked():
            if (note := self._read(origin, key)) is not None:
                directory = os.open(self.directory, os.O_RDONLY)
                try:
                    os.fsync(directory)
                finally:
                    os.close(directory)
            return note

    def cosign(self, witness: Witness, body: bytes, clock: Callable[[], float]) -> SignatureLine:
        """Check a checkpoint against what is remembered, remember it, and return the line: one step, for all processes.

        Raises WitnessRefusalError; SetupError when the memory cannot be read, which is never taken for an empty one, or
        cannot be kept.
        """
        *_, submitted = parse_request(body)
        origin = witness.origin_of(submitted)
        with self._locked():
            known = self._read(origin, witness.key)
            last = remembered(str(known).encode(), origin) if known is not None else None
            note, line = witness.cosign(body, last, int(clock()))
            # Dies here: nothing was promised.
            write_durably(self.directory / self.name_of(origin), str(note).encode())
            # Dies here, or failed in there after the rename: nobody has the line; the log asks again, and is told the size.
        return line

    def _read(self, origin: str, key: NoteKey) -> Note | None:
        try:
            data = (self.directory / self.name_of(origin)).read_bytes()
        except FileNotFoundError:
            return None
        try:
            note = parse_note(data)
            # What this witness did not sign is not its memory, whoever wrote it.
            check_cosigned(note, [key], at_least=1)
            remembered(data, origin)
        except VerificationError as error:
            raise SetupError(
                f"the memory of {ascii(origin)[:160]} in {self.directory} cannot be read: {error}; this log is not "
                "cosigned until its file is restored"
            ) from error
        return note

    @contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            with self._mutex, (self.directory / "lock").open("ab") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                yield
        except OSError as error:
            raise SetupError(f"the memory in {self.directory} cannot be kept: {error}") from error


def create_witness_app(witness: Witness, store: WitnessStore, clock: Callable[[], float] = time.time) -> FastAPI:
    """Return the service of a witness. `clock` gives unix seconds."""
    app = FastAPI(title="Change Ledger witness", docs_url=None, redoc_url=None, openapi_url=None)
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


# -- asking one ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class WitnessAddress:
    """A witness by the key that is trusted for it, and where it answers."""

    key: NoteKey
    url: str

    @classmethod
    def parse(cls, line: str) -> "WitnessAddress":
        """Read `<verifier key> <URL>`. Raises SetupError saying what is wrong."""
        vkey, _, url = line.strip().partition(" ")
        try:
            key = parse_verifier_key(vkey)
            address = httpx.URL(url.strip())
        except (KeyFormatError, httpx.InvalidURL) as error:
            raise SetupError(f"expected a witness as '<verifier key> <URL>': {error}") from error
        if key.type != COSIGNATURE:
            raise SetupError(
                f"expected the verifier key of a witness (type 04), found {key.name} of type {key.type:02x}"
            )
        if address.scheme not in ("http", "https") or not address.host or address.query or address.fragment:
            raise SetupError(f"expected an http or https URL of the witness {key.name}, found {ascii(url)[:80]}")
        return cls(key, str(address).rstrip("/"))


def ask(
    address: WitnessAddress,
    *,
    checkpoint: Note,
    known_size: int,
    prove: Callable[[int], list[bytes]],
    client: httpx.Client,
    now: int,
) -> SignatureLine:
    """Return a witness's line over a checkpoint. `known_size` is what it cosigned last, as far as is known; `now` in unix seconds.

    `prove(size)` returns the consistency proof from a size. Raises WitnessError for everything but a line that verifies.
    """
    name = address.key.name
    size = parse_checkpoint(checkpoint.text).size
    status, said = _post(address, format_request(known_size, prove(known_size), checkpoint), client)
    if status == 409:
        told = _size_of(name, said)
        if told > size:
            raise WitnessError(
                f"{name} has cosigned size {told} already, over {size}: somebody else signs for this log, or what was "
                "signed is forgotten here"
            )
        status, said = _post(address, format_request(told, prove(told), checkpoint), client)
    if status != 200:
        raise WitnessError(f"{name} answered {status}: {_shown(said)}")
    line, time_stated = _line_of(address, checkpoint, said)
    if not 0 < time_stated <= now + MAX_AHEAD_S:
        raise WitnessError(f"{name} states the time {time_stated}, and it is {now} here")
    return line


def _line_of(address: WitnessAddress, checkpoint: Note, said: bytes) -> tuple[SignatureLine, int]:
    """Return the line of the witness's key among those that it answered with, and its time. Lines of other keys are passed over."""
    key = address.key
    try:
        lines = [parse_signature_line(line) for line in said.decode().removesuffix("\n").split("\n")]
        # Without the lines beneath the checkpoint: one that is there already is no answer.
        check_note(Note(checkpoint.text, tuple(lines)), [key])
        line = next(line for line in lines if (line.name, line.key_id) == (key.name, key.id))
        return line, check_cosigned(Note(checkpoint.text, (line,)), [key], at_least=1)[key]
    except (VerificationError, UnicodeDecodeError) as error:
        raise WitnessError(f"{key.name} answered with no line that verifies: {_shown(str(error).encode())}") from error


def _post(address: WitnessAddress, body: bytes, client: httpx.Client) -> tuple[int, bytes]:
    """Return status and body of the answer. Not what its headers make of it: no redirect is followed, nothing unpacked."""
    name, url, said = address.key.name, f"{address.url}/add-checkpoint", b""
    end = time.monotonic() + MAX_ANSWER_S
    try:
        with client.stream("POST", url, content=body, headers=_PLAIN, follow_redirects=False) as answer:
            for chunk in answer.iter_raw():
                said += chunk
                if len(said) > MAX_ANSWER_BYTES:
                    raise WitnessError(f"{name} answered with over {MAX_ANSWER_BYTES} bytes")
                if time.monotonic() > end:
                    raise WitnessError(f"{name} did not finish its answer in {MAX_ANSWER_S} s")
            return answer.status_code, said
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise WitnessError(
            f"{name} did not answer: {type(error).__name__} {_shown(str(error).encode())}".rstrip()
        ) from error


def _size_of(name: str, said: bytes) -> int:
    try:
        return parse_size(said.decode().removesuffix("\n"))
    except (VerificationError, UnicodeDecodeError) as error:
        raise WitnessError(f"{name} answered 409 without a size: {_shown(said)}") from error


def _shown(said: bytes) -> str:
    """Return what somebody else said, for a person: one line, 200 characters at most."""
    return "".join(c if c.isprintable() else " " for c in said[:1000].decode(errors="replace")).strip()[:200]

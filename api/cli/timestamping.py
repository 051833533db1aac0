"""`timestamp`: has an authority (RFC 3161) vouch for the last checkpoint, and records that."""

import re
import time
from pathlib import Path
from typing import Annotated, Final

import httpx
import typer

from api.cli.common import commands_of, where
from api.cli.terminal import console
from api.opening import open_ledger
from ledger.errors import SetupError
from ledger.ledger import LOCAL_OPERATOR
from ledger.log.checkpoints import read_checkpoint
from ledger.published.durable import read_bounded
from ledger.published.timestamps import message_of
from ledger.stewardship.commitments import record_timestamp
from signing.errors import VerificationError
from signing.timestamps import (
    MAX_RESPONSE_BYTES,
    REQUEST_MEDIA_TYPE,
    RESPONSE_MEDIA_TYPE,
    check_response,
    make_request,
    read_certificates,
)

app = commands_of()

TIMEOUT_S: Final = 30


@app.command()
def timestamp(
    context: typer.Context,
    authority: Annotated[str, typer.Option(help="URL of the timestamp authority; it is recorded.")],
    certificate: Annotated[Path, typer.Option(help="PEM file of the root certificates to trust for it.")],
) -> None:
    """Have a timestamp authority vouch for the last signed checkpoint. Its answer is verified, then recorded as evidence."""
    place = where(context)
    if place.server is not None:
        raise SetupError("a timestamp is recorded on the machine itself, with the entry key, not over HTTP")
    _check_url(authority)
    roots = read_certificates(read_bounded(certificate))
    ledger = open_ledger(place.settings)
    try:
        with ledger.database.read() as connection:
            stored = read_checkpoint(connection)
        message = message_of(stored)
        request = make_request(message)
        response = ask(authority, request)
        # Before it is recorded: an entry cannot be taken back.
        vouched = check_response(response, message, roots, request=request)
        receipt = record_timestamp(
            ledger, stored, response, authority=authority, timestamp=vouched, actor=LOCAL_OPERATOR
        )
    finally:
        ledger.close()
    console.print(f"timestamp  {vouched:%Y-%m-%dT%H:%M:%SZ}")
    console.print(f"size       {stored.size}")
    console.print(f"recorded at position {receipt.position}")


def _check_url(url: str) -> None:
    """Raise SetupError for what could not be recorded, or should not be: entries are for ever."""
    if not re.fullmatch(r"https?://[!-~]+", url) or len(url) > 256:
        raise SetupError(f"--authority is an http or https URL of at most 256 ASCII characters, found {url!r}"[:200])
    if httpx.URL(url).userinfo:
        raise SetupError("--authority is recorded in the ledger for ever: give a URL without a user and a password")


def ask(authority: str, request: bytes) -> bytes:
    """Post a request to an authority and return its answer (RFC 3161 §3.4). Raises SetupError and VerificationError in words."""
    deadline = time.monotonic() + TIMEOUT_S
    # As it is: nobody unpacks for us what may have been packed to become large.
    headers = {"Content-Type": REQUEST_MEDIA_TYPE, "Accept": RESPONSE_MEDIA_TYPE, "Accept-Encoding": "identity"}
    body = b""
    try:
        with httpx.stream("POST", authority, content=request, headers=headers, timeout=TIMEOUT_S) as answer:
            media_type = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
            if answer.status_code != 200 or media_type != RESPONSE_MEDIA_TYPE:
                raise VerificationError(
                    f"expected 200 and {RESPONSE_MEDIA_TYPE} from {authority}, found {answer.status_code} and {ascii(media_type)[:100]}"
                )
            for part in answer.iter_raw():
                body += part
                if len(body) > MAX_RESPONSE_BYTES:
                    raise VerificationError(f"expected at most {MAX_RESPONSE_BYTES} bytes from {authority}, found more")
                if time.monotonic() > deadline:
                    raise SetupError(f"{authority} did not answer within {TIMEOUT_S} s")
    except httpx.HTTPError as error:
        raise SetupError(f"{authority} cannot be asked: {error or type(error).__name__}") from error
    return body

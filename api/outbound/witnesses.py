"""Asking witnesses to cosign a checkpoint (C2SP tlog-witness): addresses, one request, and how their answers are distrusted."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import httpx

from ledger.errors import LedgerError, SetupError
from signing.checkpoint import parse_checkpoint, parse_size
from signing.errors import KeyFormatError, VerificationError
from signing.notes import (
    COSIGNATURE,
    Note,
    NoteKey,
    SignatureLine,
    check_note,
    parse_signature_line,
    parse_verifier_key,
)
from signing.witness import (
    check_cosigned,
    format_request,
)

MAX_ANSWER_BYTES: Final = 16_384


# How far a witness's clock may be ahead of ours.
MAX_AHEAD_S: Final = 600


# How long the body of an answer may take; httpx limits the wait for each piece of it, not for the whole.
MAX_ANSWER_S: Final = 15.0


_PLAIN: Final = {"Accept-Encoding": "identity"}


class WitnessError(LedgerError):
    """A witness did not cosign: it refused, did not answer, or answered with something else."""


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

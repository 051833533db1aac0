"""Timestamps of checkpoints: the entry that keeps one, and what an audit asks of it.

    ledger.timestamped   size, root, authority, timestamp
      evidence 1         the checkpoint as it was published; its exact bytes are what was timestamped
      evidence 2         the authority's response in DER

Not who asks an authority (`api.cli.timestamping`), nor whether a key of this log signed the checkpoint: that is judged by
the keyring, as for every other checkpoint.
"""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from ledger.log.checkpoints import StoredCheckpoint
from ledger.statement import Evidence
from signing.checkpoint import parse_checkpoint
from signing.errors import VerificationError
from signing.notes import parse_note
from signing.timestamps import RESPONSE_MEDIA_TYPE, Certificates, check_response

EVENT_TYPE: Final = "ledger.timestamped"
NOTE_MEDIA_TYPE: Final = "text/plain"
_MEDIA_TYPES: Final = [NOTE_MEDIA_TYPE, RESPONSE_MEDIA_TYPE]


def message_of(stored: StoredCheckpoint) -> bytes:
    """Return what is timestamped: a checkpoint as it is published, with the cosignatures that it has by then."""
    return str(stored.note).encode()


def entry_of(
    stored: StoredCheckpoint, response: bytes, *, authority: str, timestamp: datetime
) -> tuple[dict[str, Any], tuple[Evidence, ...]]:
    """Return the data and the evidence of the entry that keeps a timestamp. `authority` is the URL of whoever timestamped."""
    data = {
        "size": stored.checkpoint.size,
        "root": stored.checkpoint.root.hex(),
        "authority": authority,
        "timestamp": _to_text(timestamp),
    }
    return data, (Evidence.of(message_of(stored), NOTE_MEDIA_TYPE), Evidence.of(response, RESPONSE_MEDIA_TYPE))


def check(document: Mapping[str, Any], bodies: Mapping[str, bytes], roots: Certificates) -> datetime:
    """Return the time at which the checkpoint of a `ledger.timestamped` entry was timestamped. Raises VerificationError.

    `document` is the parsed entry; `bodies` are its pieces of evidence by their digests in hex. What retention removed
    cannot be checked any more, and fails.
    """
    try:
        statement, origin = document["statement"], document["ledger"]
        data = statement["data"]
        expected = int(data["size"]), str(data["root"])
        kept = [(str(item["media_type"]), str(item["sha256"])) for item in document["evidence"]]
        said = str(data["timestamp"])
        if statement["type"] != EVENT_TYPE or [media_type for media_type, _ in kept] != _MEDIA_TYPES:
            raise VerificationError(f"expected a {EVENT_TYPE} with evidence of {' and '.join(_MEDIA_TYPES)}")
    except (KeyError, TypeError, ValueError) as error:
        raise VerificationError(f"not an entry of {EVENT_TYPE}: {type(error).__name__} {error}"[:200]) from error
    note, response = (_body(bodies, digest) for _, digest in kept)
    checkpoint = parse_checkpoint(parse_note(note).text)
    if checkpoint.origin.partition("#")[0] != origin:
        raise VerificationError(
            f"expected a checkpoint of {ascii(origin)[:160]}, found one of {ascii(checkpoint.origin)[:160]}"
        )
    if (found := (checkpoint.size, checkpoint.root.hex())) != expected:
        raise VerificationError(
            f"expected a checkpoint of size {expected[0]} with the root {expected[1]}, found {found[0]} and {found[1]}"
        )
    time = check_response(response, note, roots)
    if _to_text(time) != said:
        raise VerificationError(f"the entry says {said}, the timestamp {_to_text(time)}")
    return time


def _body(bodies: Mapping[str, bytes], digest: str) -> bytes:
    body = bodies.get(digest)
    if body is None:
        raise VerificationError(f"the evidence {digest} is not kept: it never was, or retention removed it")
    if (found := hashlib.sha256(body).hexdigest()) != digest:
        raise VerificationError(f"expected evidence with the digest {digest}, found {found}")
    return body


def _to_text(time: datetime) -> str:
    """Return a time as events carry it: UTC, with Z."""
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")

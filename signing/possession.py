"""Signatures about keys: a key that proves to be held by whoever enrols it, and a checkpoint key that lets a new entry key in.

Both are DSSE signatures of payload types of their own, so that neither can be taken from anything else that a key signs,
over short canonical JSON:

    >>> possession_body("ledger.example.com/prod", "entry")
    b'{"ledger":"ledger.example.com/prod","role":"entry"}'

Which keys may be enrolled, and when a recovery is in order, is for `ledger.enrolment`.
"""

import json
from collections.abc import Sequence
from typing import Any, Final

from signing import dsse
from signing.keys import Signer, VerifyingKey

POSSESSION_PAYLOAD_TYPE: Final = "application/vnd.change-ledger.key-possession.v1+json"
RECOVERY_PAYLOAD_TYPE: Final = "application/vnd.change-ledger.key-recovery.v1+json"


def possession_body(origin: str, role: str) -> bytes:
    """Return the payload that a key signs to be enrolled in a role of a ledger."""
    return _canonical({"ledger": origin, "role": role})


def prove_possession(key: Signer, origin: str, role: str) -> bytes:
    """Return the raw signature (64 bytes) by which a key shows that it is held."""
    return dsse.sign(key, POSSESSION_PAYLOAD_TYPE, possession_body(origin, role))


def check_possession(public_key: bytes, origin: str, role: str, signature: bytes) -> None:
    """Raise VerificationError unless a signature shows that a key is held by whoever enrols it in this role of this ledger."""
    VerifyingKey(public_key).check(signature, dsse.pae(POSSESSION_PAYLOAD_TYPE, possession_body(origin, role)))


def recovery_body(*, origin: str, public_key: bytes, last_entry: str, ended: Sequence[str]) -> bytes:
    """Return the payload by which a checkpoint key lets a new entry key in.

    `last_entry` is the hex leaf hash of the entry after which it is let in, which fixes the whole history before; `ended` are
    the ids of the entry keys that it replaces.
    """
    return _canonical(
        {"ended": list(ended), "last_entry": last_entry, "ledger": origin, "public_key": public_key.hex()}
    )


def endorse_recovery(checkpoint_key: Signer, body: bytes) -> bytes:
    """Return the raw signature of a checkpoint key over a recovery."""
    return dsse.sign(checkpoint_key, RECOVERY_PAYLOAD_TYPE, body)


def check_endorsement(checkpoint_key: bytes, body: bytes, signature: bytes) -> None:
    """Raise VerificationError unless a checkpoint key let this entry key in."""
    VerifyingKey(checkpoint_key).check(signature, dsse.pae(RECOVERY_PAYLOAD_TYPE, body))


def _canonical(document: dict[str, Any]) -> bytes:
    # Origins, roles and digests are ASCII: there this is RFC 8785.
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode("ascii")

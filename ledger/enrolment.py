"""Which keys may be enrolled, and when one may be recovered. The same rules at the doors and in the audit: pure, over a keyring.

A key is enrolled with a signature by itself over origin and role; one key has one role; and a key that everybody can sign
with has none. A ledger made before that rule has enrolments without proofs: they are not faults, up to the first that carries one.

When no entry key is left with those who run the ledger, the checkpoint key lets a new one in:

    7  ledger.key_revoked     entry key A, from position 1 on: A signs nothing after 7
    8  ledger.key_recovered   entry key B, after the entry with the hash of 7; ended: what was valid (here nothing)
                              signed by B, as entries are, and inside by the checkpoint key that is valid at 8
"""

import base64
from collections.abc import Mapping
from typing import Any, Final

from signing.errors import SigningError
from signing.keyring import Keyring, Role
from signing.keys import key_id
from signing.known_keys import why_anybody_signs
from signing.possession import (
    POSSESSION_PAYLOAD_TYPE,
    check_endorsement,
    check_possession,
    possession_body,
    recovery_body,
)

ROLES: Final[tuple[Role, ...]] = ("entry", "checkpoint", "producer", "witness")


def key_fault(keyring: Keyring, public_key: bytes) -> str | None:
    """Say why a key may not be enrolled in whatever role, or None."""
    if (reason := why_anybody_signs(public_key)) is not None:
        return (
            f"anybody can sign with the key {public_key.hex()[:16]}…: {reason}; make one: change-ledger keys new FILE"
        )
    identifier = key_id(public_key)
    for role in ROLES:
        if any(record.key_id == identifier for record in keyring.numbered(role)):
            return f"this key is enrolled as {role} already: a key is enrolled once, and has one role"
    return None


def possession_fault(origin: str, role: str, public_key: bytes, possession: str | None) -> str | None:
    """Say why a signature (base64) does not show that a key is held, or None. Witnesses show it by their first cosignature."""
    if role == "witness":
        return None if possession is None else "a witness signs no challenge: its first cosignature shows what it holds"
    body = possession_body(origin, role)
    wanted = (
        f"expected the base64 of the signature by the new key itself over the DSSE pre-authentication encoding of the payload "
        f"type {POSSESSION_PAYLOAD_TYPE} and the payload {body.decode()}, that is over: DSSEv1 "
        f"{len(POSSESSION_PAYLOAD_TYPE)} {POSSESSION_PAYLOAD_TYPE} {len(body)} {body.decode()}; "
        f"change-ledger keys prove {role} KEY.pem --origin {origin} prints it"
    )
    if possession is None:
        return f"nothing shows that whoever enrols the key holds it: {wanted}"
    try:
        check_possession(public_key, origin, role, base64.b64decode(possession, validate=True))
    except (SigningError, ValueError, TypeError) as error:
        return f"{wanted}; found another: {error}"
    return None


def recovery_fault(keyring: Keyring, origin: str, position: int, data: Mapping[str, Any]) -> str | None:
    """Say why an entry key is not let in at `position`, or None. Its `last_entry` is for the caller to compare with the chain."""
    public_key = bytes.fromhex(data["public_key"])
    ended = list(data.get("ended", ()))
    if (fault := key_fault(keyring, public_key)) is not None:
        return fault
    if (valid := sorted(record.key_id for record in keyring.valid_at("entry", position))) != sorted(ended):
        return f"it ends the entry keys {[k[:16] for k in ended]}, and valid are {[k[:16] for k in valid]}"
    body = recovery_body(origin=origin, public_key=public_key, last_entry=data["last_entry"], ended=ended)
    for record in keyring.valid_at("checkpoint", position):
        if record.key_id == data["checkpoint_key"]:
            try:
                check_endorsement(record.public_key, body, base64.b64decode(data["endorsement"], validate=True))
            except (SigningError, ValueError, TypeError) as error:
                return f"the checkpoint key {record.key_id[:16]}… did not let it in: {error}"
            return None
    return f"no checkpoint key {str(data['checkpoint_key'])[:16]}… is valid at position {position}"

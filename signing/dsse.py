"""DSSE envelopes: the pre-authentication encoding, sign, verify.

Not a parser of payloads: the caller reads the bytes, after `verify` has returned.

Source: the Dead Simple Signing Envelope, protocol 1.0.2. What is signed is

    PAE(type, body) = "DSSEv1" SP LEN(type) SP type SP LEN(body) SP body

with lengths in ASCII decimal bytes, so that no two pairs (type, body) share an encoding:

    >>> pae("http://example.com/HelloWorld", b"hello world")
    b'DSSEv1 29 http://example.com/HelloWorld 11 hello world'
"""

import base64
import binascii
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from signing.errors import VerificationError
from signing.keys import SIGNATURE_SIZE, Signer, VerifyingKey


def pae(payload_type: str, body: bytes) -> bytes:
    """Return the bytes that a DSSE signature covers."""
    type_bytes = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(type_bytes), type_bytes, len(body), body)


def sign(signer: Signer, payload_type: str, body: bytes) -> bytes:
    """Return the raw 64-byte Ed25519 signature over the PAE."""
    return signer.sign(pae(payload_type, body))


@dataclass(frozen=True)
class Signature:
    keyid: str
    sig: bytes


@dataclass(frozen=True)
class Envelope:
    """A payload, its type, and who signed it. The payload is not to be looked into before `verify`."""

    payload_type: str
    payload: bytes
    signatures: tuple[Signature, ...]

    def to_json(self) -> dict[str, Any]:
        return {
            "payload": base64.b64encode(self.payload).decode(),
            "payloadType": self.payload_type,
            "signatures": [{"keyid": s.keyid, "sig": base64.b64encode(s.sig).decode()} for s in self.signatures],
        }

    @classmethod
    def from_json(cls, document: Any) -> "Envelope":
        """Read an envelope from parsed JSON. Raises VerificationError naming the first part that is not as DSSE says."""
        try:
            payload_type, payload = document["payloadType"], _from_base64(document["payload"])
            signatures = tuple(
                Signature(str(item.get("keyid", "")), _from_base64(item["sig"])) for item in document["signatures"]
            )
        except (KeyError, TypeError, AttributeError, binascii.Error, ValueError) as error:
            raise VerificationError(
                f"not a DSSE envelope: expected payload, payloadType and signatures[].sig in base64, found a fault at {error}"
            ) from error
        # JSON can say half of a surrogate pair, which has no encoding that anybody could sign.
        if not isinstance(payload_type, str) or payload_type.encode(errors="ignore").decode() != payload_type:
            raise VerificationError("not a DSSE envelope: payloadType is no text")
        return cls(payload_type, payload, signatures)


def listed_in(document: Any) -> list[Any] | None:
    """Return the bundles in a list as a code host hands them out: its API answers `{"attestations": [{"bundle": …}]}`, and its tool prints
    `[{"attestation": {"bundle": …}}]`. None for what is no such list.
    """
    listed = document.get("attestations") if isinstance(document, dict) else document
    if not isinstance(listed, list) or not listed:
        return None
    held = (one.get("attestation", one) if isinstance(one, dict) else None for one in listed)
    found = [one.get("bundle") if isinstance(one, dict) else None for one in held]
    return found if all(isinstance(one, dict) and "dsseEnvelope" in one for one in found) else None


def envelopes_in(body: bytes) -> list[Envelope]:
    """Return the envelopes of a file: one, one a line, or those of a list, each bare or in a Sigstore bundle. Raises VerificationError for
    anything else.
    """
    # What is nested thousands deep is no envelope, and ends nobody's audit.
    try:
        whole = json.loads(body)
        documents = [whole] if (listed := listed_in(whole)) is None else listed
    except (ValueError, RecursionError):
        try:
            documents = [json.loads(line) for line in body.splitlines() if line.strip()]
        except (ValueError, RecursionError) as error:
            raise VerificationError(f"not DSSE envelopes: {error}") from error
    if not documents:
        raise VerificationError("not DSSE envelopes: the file is empty")
    return [Envelope.from_json(one.get("dsseEnvelope", one) if isinstance(one, dict) else one) for one in documents]


def _from_base64(text: str) -> bytes:
    """Return the bytes of base64 in either alphabet: DSSE lets signers use both, and verifiers MUST accept both."""
    return base64.b64decode(text.replace("-", "+").replace("_", "/"), validate=True)


def verify(envelope: Envelope, payload_type: str, keys: Iterable[VerifyingKey]) -> list[str]:
    """Return the ids of the keys that signed this envelope.

    A signature by an unknown key is passed over; one that names a known key and fails, refuses the whole envelope. No
    signature by a known key is an error too: an empty "all of" is not a pass.
    """
    if envelope.payload_type != payload_type:
        raise VerificationError(f"expected the payload type {payload_type}, found {envelope.payload_type}")
    known = {key.key_id: key for key in keys}
    if not known:
        raise VerificationError("no keys to verify with: expected at least one")
    message = pae(envelope.payload_type, envelope.payload)
    accepted: list[str] = []
    for signature in envelope.signatures:
        if (key := known.get(signature.keyid)) is None:
            continue
        if len(signature.sig) != SIGNATURE_SIZE:
            raise VerificationError(f"expected a signature of {SIGNATURE_SIZE} bytes, found {len(signature.sig)}")
        key.check(signature.sig, message)
        if key.key_id not in accepted:
            accepted.append(key.key_id)
    if not accepted:
        found = ", ".join(s.keyid[:16] for s in envelope.signatures) or "none"
        raise VerificationError(f"no signature by a known key: known {sorted(k[:16] for k in known)}, found {found}")
    return accepted

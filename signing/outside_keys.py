"""Public keys of others, by which they sign envelopes that were not made for a ledger: Ed25519, and ECDSA on P-256 with SHA-256.

Not the keys of the ledger or of its producers, which are Ed25519 alone and prove that somebody holds them (`signing.keyring`): a builder
signs with what its key service gives it, and signs no challenge of ours. A key is its SubjectPublicKeyInfo (RFC 5280 §4.1.2.7) in DER, as
`openssl pkey -pubout -outform DER` writes it, and its id the hex SHA-256 of that, as of every key here. ECDSA signatures are the ASN.1
sequence of r and s (RFC 3279 §2.2.3), as Sigstore and the clouds' key services make them.
"""

import base64
import hashlib
from functools import lru_cache
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from signing.errors import KeyFormatError, VerificationError
from signing.known_keys import why_anybody_signs

KINDS: Final = ("ed25519", "ecdsa-p256")


class OutsideKey:
    """One key of somebody else's, parsed once and used often. Raises KeyFormatError for one of another kind, or that anybody signs with."""

    def __init__(self, spki: bytes) -> None:
        try:
            key = serialization.load_der_public_key(spki)
        except (ValueError, UnsupportedAlgorithm) as error:
            raise KeyFormatError(f"expected a public key as SubjectPublicKeyInfo in DER: {error}"[:300]) from error
        if isinstance(key, Ed25519PublicKey):
            self.kind = KINDS[0]
            if (reason := why_anybody_signs(key.public_bytes_raw())) is not None:
                raise KeyFormatError(f"anybody can sign with this key: {reason}")
        elif isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, SECP256R1):
            self.kind = KINDS[1]
        else:
            found = getattr(getattr(key, "curve", None), "name", type(key).__name__)
            raise KeyFormatError(f"expected an Ed25519 key, or an ECDSA key on P-256; found {found}")
        # One key has one id, however its bytes were written.
        self.spki = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        self.key_id = hashlib.sha256(self.spki).hexdigest()
        self._key: Ed25519PublicKey | EllipticCurvePublicKey = key

    def check(self, signature: bytes, message: bytes) -> None:
        """Raise VerificationError unless `signature` is this key's over `message`."""
        try:
            if isinstance(self._key, Ed25519PublicKey):
                self._key.verify(signature, message)
            else:
                self._key.verify(signature, message, ECDSA(hashes.SHA256()))
        except InvalidSignature:
            raise VerificationError(f"the signature is not by key {self.key_id[:16]}… over these bytes") from None


@lru_cache(maxsize=256)
def outside_key(text: str) -> OutsideKey:
    """Return the key of the base64 of its DER. Raises KeyFormatError."""
    try:
        spki = base64.b64decode(text, validate=True)
    except ValueError as error:
        raise KeyFormatError(f"expected a public key in base64: {error}") from error
    return OutsideKey(spki)


def outside_key_of_pem(pem: bytes) -> OutsideKey:
    """Return the key of a PEM file that holds a public one. Raises KeyFormatError."""
    try:
        key = serialization.load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise KeyFormatError(f"expected a public key in PEM: {error}"[:300]) from error
    return OutsideKey(key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo))

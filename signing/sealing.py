"""Sealed bytes: what somebody keeps for us and can neither read nor change. ChaCha20-Poly1305 (RFC 8439).

Not for the log: nothing that is recorded is sealed. A key seals some millions of messages with random nonces of 12 bytes;
whoever needs more derives another key.
"""

from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from signing.errors import VerificationError

NONCE_SIZE: Final = 12
_TAG_SIZE: Final = 16


def seal(key: bytes, nonce: bytes, message: bytes) -> bytes:
    """Return a message sealed with a key of 32 bytes: the nonce, which is used once, and what nobody else can read."""
    return nonce + ChaCha20Poly1305(key).encrypt(nonce, message, None)


def unseal(key: bytes, sealed: bytes) -> bytes:
    """Return the message that was sealed with a key. Raises VerificationError for anything else."""
    if len(sealed) < NONCE_SIZE + _TAG_SIZE:
        raise VerificationError(
            f"sealed bytes have at least {NONCE_SIZE + _TAG_SIZE} bytes: expected more than {len(sealed)}"
        )
    try:
        return ChaCha20Poly1305(key).decrypt(sealed[:NONCE_SIZE], sealed[NONCE_SIZE:], None)
    except InvalidTag as error:
        raise VerificationError("expected bytes that were sealed with this key, found others") from error

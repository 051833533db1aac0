"""Public keys of others, by which they sign envelopes that were not made for a ledger: Ed25519, ECDSA on P-256 or P-384, and RSA.

Not the keys of the ledger or of its producers, which are Ed25519 alone and prove that somebody holds them (`signing.keyring`): a builder
signs with what its key service gives it, and signs no challenge of ours. A key is its SubjectPublicKeyInfo (RFC 5280 §4.1.2.7) in DER, as
`openssl pkey -pubout -outform DER` writes it, and its id the hex SHA-256 of that, as of every key here. ECDSA signatures are the ASN.1
sequence of r and s (RFC 3279 §2.2.3), as Sigstore and the clouds' key services make them.

An envelope does not say by which scheme it was signed, and signers of one kind of key have several. So each that is in use is tried: on
P-384 with SHA-384 or SHA-256, and of RSA (RFC 8017) PSS, with a salt of any length, and PKCS #1 v1.5, with any of SHA-2. None is weaker
than another here: what a signature by one scheme shows, no other takes back.
"""

import base64
import hashlib
from collections.abc import Callable
from functools import lru_cache, partial
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, SECP384R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from signing.errors import KeyFormatError, VerificationError
from signing.known_keys import why_anybody_signs

KINDS: Final = ("ed25519", "ecdsa-p256", "ecdsa-p384", "rsa")
# Shorter keys of RSA are broken while what they signed is still relied on; longer ones take long to check, and nobody has them.
RSA_BITS: Final = range(2048, 4097)
_CURVES: Final[dict[type, tuple[str, tuple[hashes.HashAlgorithm, ...]]]] = {
    SECP256R1: ("ecdsa-p256", (hashes.SHA256(),)),
    SECP384R1: ("ecdsa-p384", (hashes.SHA384(), hashes.SHA256())),
}
_DIGESTS: Final = (hashes.SHA256(), hashes.SHA384(), hashes.SHA512())


EXPECTED: Final = (
    f"an Ed25519 key, an ECDSA key on P-256 or P-384, or an RSA key of {RSA_BITS[0]} to {RSA_BITS[-1]} bits with an exponent of "
    "65537 to 63 bits"
)
# With a smaller one a signature can be made up where anybody who checks is careless; nobody makes such keys any more (FIPS 186-5 §5.1).
# One as long as the modulus makes a check a hundred times as long; libraries commonly take none beyond 64 bits.
_EXPONENTS: Final = range(65537, 2**63)


class OutsideKey:
    """One key of somebody else's, parsed once and used often. Raises KeyFormatError for one of another kind, or that anybody signs with."""

    def __init__(self, spki: bytes) -> None:
        try:
            key = serialization.load_der_public_key(spki)
        except (ValueError, UnsupportedAlgorithm) as error:
            raise KeyFormatError(f"expected a public key as SubjectPublicKeyInfo in DER: {error}"[:300]) from error
        self._attempts: tuple[Callable[[bytes, bytes], None], ...]
        if isinstance(key, Ed25519PublicKey):
            self.kind = "ed25519"
            if (reason := why_anybody_signs(key.public_bytes_raw())) is not None:
                raise KeyFormatError(f"anybody can sign with this key: {reason}")
            self._attempts = (key.verify,)
        elif isinstance(key, EllipticCurvePublicKey) and type(key.curve) in _CURVES:
            self.kind, digests = _CURVES[type(key.curve)]
            self._attempts = tuple(partial(_by_curve, key, digest) for digest in digests)
        elif isinstance(key, RSAPublicKey) and key.key_size in RSA_BITS and key.public_numbers().e in _EXPONENTS:
            self.kind = "rsa"
            self._attempts = tuple(partial(by, key, digest) for by in (_by_pkcs1, _by_pss) for digest in _DIGESTS)
        else:
            raise KeyFormatError(f"expected {EXPECTED}; found {_name_of(key)}")
        # One key has one id, however its bytes were written.
        self.spki = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        self.key_id = hashlib.sha256(self.spki).hexdigest()

    def check(self, signature: bytes, message: bytes) -> None:
        """Raise VerificationError unless `signature` is this key's over `message`."""
        for attempt in self._attempts:
            try:
                attempt(signature, message)
            except InvalidSignature:
                continue
            return
        raise VerificationError(f"the signature is not by key {self.key_id[:16]}… over these bytes")


def _by_curve(key: EllipticCurvePublicKey, digest: hashes.HashAlgorithm, signature: bytes, message: bytes) -> None:
    key.verify(signature, message, ECDSA(digest))


def _by_pkcs1(key: RSAPublicKey, digest: hashes.HashAlgorithm, signature: bytes, message: bytes) -> None:
    key.verify(signature, message, padding.PKCS1v15(), digest)


def _by_pss(key: RSAPublicKey, digest: hashes.HashAlgorithm, signature: bytes, message: bytes) -> None:
    key.verify(signature, message, padding.PSS(padding.MGF1(digest), padding.PSS.AUTO), digest)


def _name_of(key: object) -> str:
    size = getattr(key, "key_size", None)
    curve = getattr(getattr(key, "curve", None), "name", None)
    if isinstance(key, RSAPublicKey):
        return f"RSA of {size} bits with an exponent of {key.public_numbers().e.bit_length()} bits"
    return curve or (f"{type(key).__name__} of {size} bits" if size else type(key).__name__)


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

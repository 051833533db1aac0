"""Keys of others: every scheme by which their signers sign is checked, and nothing else passes."""

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    SECP384R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)

from signing.errors import VerificationError
from signing.outside_keys import KINDS, OutsideKey

MESSAGE = b"DSSEv1 1 t 4 body"
P256, P384, RSA = (
    generate_private_key(SECP256R1()),
    generate_private_key(SECP384R1()),
    rsa.generate_private_key(65537, 3072),
)
PSS = padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.DIGEST_LENGTH)
SIGNED = {
    "ecdsa-p256": (P256, P256.sign(MESSAGE, ECDSA(hashes.SHA256()))),
    # Cosign hashes with SHA-256, whatever the curve; key services, as the curve is long.
    "ecdsa-p384": (P384, P384.sign(MESSAGE, ECDSA(hashes.SHA384()))),
    "ecdsa-p384 with sha-256": (P384, P384.sign(MESSAGE, ECDSA(hashes.SHA256()))),
    "rsa": (RSA, RSA.sign(MESSAGE, padding.PKCS1v15(), hashes.SHA256())),
    "rsa with sha-512": (RSA, RSA.sign(MESSAGE, padding.PKCS1v15(), hashes.SHA512())),
    "rsa by pss": (RSA, RSA.sign(MESSAGE, PSS, hashes.SHA256())),
    "rsa by pss with the longest salt": (
        RSA,
        RSA.sign(MESSAGE, padding.PSS(padding.MGF1(hashes.SHA384()), padding.PSS.MAX_LENGTH), hashes.SHA384()),
    ),
}
WEAK = {
    "ecdsa-p256 with sha-1": (P256, P256.sign(MESSAGE, ECDSA(hashes.SHA1()))),
    "rsa with sha-1": (RSA, RSA.sign(MESSAGE, padding.PKCS1v15(), hashes.SHA1())),
    "nothing": (RSA, b""),
    "zeros": (P384, bytes(96)),
}


def outside(key: EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> OutsideKey:
    spki = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    return OutsideKey(key.public_key().public_bytes(*spki))


@pytest.mark.parametrize("how", SIGNED)
def test_what_a_key_signed_by_any_scheme_of_its_kind_is_its_and_nothing_else_is(how: str) -> None:
    key, signature = SIGNED[how]
    known = outside(key)
    assert known.kind == how.partition(" ")[0]
    assert known.kind in KINDS
    known.check(signature, MESSAGE)
    for wrong in (signature[:-1], signature[:-1] + bytes([signature[-1] ^ 1]), b""):
        with pytest.raises(VerificationError):
            known.check(wrong, MESSAGE)
    with pytest.raises(VerificationError):
        known.check(signature, MESSAGE + b"!")


@pytest.mark.parametrize("how", WEAK)
def test_a_weak_digest_or_no_signature_is_none(how: str) -> None:
    key, signature = WEAK[how]
    with pytest.raises(VerificationError):
        outside(key).check(signature, MESSAGE)

"""Ed25519 keys and key ids: make, load, save.

Not a key store: which key may sign what, and from when to when, is the business of `signing.keyring`.
A key id is the lower-case hex SHA-256 of the public key's SubjectPublicKeyInfo in DER (RFC 8410), computed by OpenSSL
and `sha256sum` alone.
"""

import hashlib
import os
from pathlib import Path
from typing import Final, Protocol

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from signing.errors import KeyFormatError, VerificationError
from signing.files import read_at_most

# Longer than any key in PEM with whatever stands beside it. What has no end is no key, and is not read to it.
MAX_PEM_BYTES: Final = 1 << 16

SIGNATURE_SIZE = 64
PUBLIC_KEY_SIZE = 32
# RFC 8410 §4: the DER prefix of every Ed25519 SubjectPublicKeyInfo; the 32 key bytes follow.
_SPKI_PREFIX = bytes.fromhex("302a300506032b6570032100")


def key_id(public_key: bytes) -> str:
    """Return the key id of a raw 32-byte Ed25519 public key."""
    if len(public_key) != PUBLIC_KEY_SIZE:
        raise KeyFormatError(f"an Ed25519 public key has {PUBLIC_KEY_SIZE} bytes, found {len(public_key)}")
    return hashlib.sha256(_SPKI_PREFIX + public_key).hexdigest()


class Signer(Protocol):
    """What a signing key must offer, wherever it lives: a file today, a KMS or an HSM by the same three names."""

    @property
    def public_key(self) -> bytes: ...

    @property
    def key_id(self) -> str: ...

    def sign(self, message: bytes) -> bytes: ...


class SigningKey:
    """An Ed25519 private key held in this process."""

    def __init__(self, private_key: Ed25519PrivateKey) -> None:
        self.public_key = private_key.public_key().public_bytes_raw()
        self.key_id = key_id(self.public_key)
        self.sign = private_key.sign
        self._private_key = private_key

    def __repr__(self) -> str:
        return f"SigningKey({self.key_id[:12]}…)"

    @classmethod
    def generate(cls) -> "SigningKey":
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def from_seed(cls, seed: bytes) -> "SigningKey":
        """Make the key of a 32-byte RFC 8032 seed: for published vectors and deterministic tests."""
        return cls(Ed25519PrivateKey.from_private_bytes(seed))

    @classmethod
    def from_pem(cls, pem: bytes) -> "SigningKey":
        try:
            private_key = serialization.load_pem_private_key(pem, password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise KeyFormatError(f"expected an unencrypted PKCS#8 PEM private key: {error}") from error
        if not isinstance(private_key, Ed25519PrivateKey):
            raise KeyFormatError(f"expected an Ed25519 private key, found {type(private_key).__name__}")
        return cls(private_key)

    def to_pem(self) -> bytes:
        return self._private_key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )


def save(key: SigningKey, path: Path) -> None:
    """Write a private key as PKCS#8 PEM, mode 0600. Refuses to overwrite: a lost signing key cannot be made again."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(key.to_pem())
            file.flush()
            # Before anything is signed by it that is on a disk already.
            os.fsync(file.fileno())
    except OSError:
        # Half a key is none, and would be taken for one that is there.
        path.unlink()
        raise


def _read(path: Path) -> bytes:
    return read_at_most(path, MAX_PEM_BYTES)


def load(path: Path) -> SigningKey:
    """Read a private key from PEM. Refuses a file that others than its owner can read, as ssh does."""
    try:
        mode = path.stat().st_mode
        pem = _read(path)
    except OSError as error:
        raise KeyFormatError(f"cannot read the private key {path}: {error.strerror}") from error
    if mode & 0o077:
        raise KeyFormatError(f"{path} is open to others (mode {mode & 0o777:04o}); run: chmod 600 {path}")
    return SigningKey.from_pem(pem)


def load_public(path: Path) -> bytes:
    """Read the raw public key of a PEM file that holds a public or a private Ed25519 key."""
    try:
        pem = _read(path)
    except OSError as error:
        raise KeyFormatError(f"cannot read the key {path}: {error.strerror}") from error
    if b"PRIVATE KEY" in pem:
        return load(path).public_key
    try:
        public_key = serialization.load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise KeyFormatError(f"expected a key in PEM, found none in {path}: {error}"[:300]) from error
    if not isinstance(public_key, Ed25519PublicKey):
        raise KeyFormatError(f"expected an Ed25519 public key in {path}, found {type(public_key).__name__}")
    return public_key.public_bytes_raw()


def load_signer(reference: str) -> Signer:
    """Return the signer that a setting names: `env:NAME` (PEM in a variable of the environment), `file:PATH`, or a path.

    The one place to add another kind (PKCS#11, a KMS): a scheme, and an object with the three names of `Signer`.
    """
    scheme, _, rest = reference.partition(":")
    match scheme:
        case "env":
            if not (pem := os.environ.get(rest)):
                raise KeyFormatError(f"expected a private key in PEM in the environment variable {rest}, found none")
            return SigningKey.from_pem(pem.encode())
        case "file":
            return load(Path(rest))
    return load(Path(reference))


class VerifyingKey:
    """An Ed25519 public key, parsed once and used often."""

    def __init__(self, public_key: bytes) -> None:
        self.key_id = key_id(public_key)
        self.public_key = public_key
        self._verify = Ed25519PublicKey.from_public_bytes(public_key).verify

    def check(self, signature: bytes, message: bytes) -> None:
        """Raise VerificationError unless `signature` (64 bytes) is this key's over `message` (RFC 8032)."""
        try:
            self._verify(signature, message)
        except InvalidSignature:
            raise VerificationError(f"the signature is not by key {self.key_id[:16]}… over these bytes") from None

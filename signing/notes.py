"""Note verifier keys (C2SP signed-note): how a public key is written down to be pinned.

    <name>+<8 hex of the key id>+<base64(type || public key)>,  key id = SHA-256(name || 0x0A || type || public key)[:4]

Signed notes themselves come with checkpoints.
"""

import base64
import hashlib

from signing.errors import KeyFormatError
from signing.keys import PUBLIC_KEY_SIZE

ED25519 = 0x01


def note_key_id(name: str, public_key: bytes) -> bytes:
    """Return the four bytes by which a note's signature line names its key."""
    return hashlib.sha256(name.encode() + b"\n" + bytes([ED25519]) + public_key).digest()[:4]


def check_name(name: str) -> None:
    """Raise KeyFormatError unless a key may be called so: not empty, no white space of any script, no plus."""
    if not name or "+" in name or any(c.isspace() for c in name):
        raise KeyFormatError(f"expected a key name without blanks and +, found {name!r}"[:120])


def format_verifier_key(name: str, public_key: bytes) -> str:
    """Return the line by which a public key is pinned."""
    check_name(name)
    encoded = base64.b64encode(bytes([ED25519]) + public_key).decode()
    return f"{name}+{note_key_id(name, public_key).hex()}+{encoded}"


def parse_verifier_key(text: str) -> tuple[str, bytes]:
    """Return name and raw public key. Raises KeyFormatError saying which part is wrong."""
    name, _, rest = text.partition("+")
    check_name(name)
    identifier, _, encoded = rest.partition("+")
    try:
        data = base64.b64decode(encoded.encode("ascii"), validate=True)
    except ValueError as error:
        raise KeyFormatError(f"the last part of a verifier key is base64: {error}") from error
    if len(data) != PUBLIC_KEY_SIZE + 1 or data[0] != ED25519:
        raise KeyFormatError(f"expected <name>+<key id>+<base64 of 01 and an Ed25519 key>, found {ascii(text)[:80]}")
    try:
        written = format_verifier_key(name, data[1:])
    except UnicodeEncodeError as error:
        raise KeyFormatError(f"expected a key name of valid Unicode: {error}") from error
    if identifier != (expected := note_key_id(name, data[1:]).hex()):
        raise KeyFormatError(f"expected the key id {expected}, found {ascii(identifier)[:40]}")
    if written != text:
        raise KeyFormatError(f"expected {written}, found {ascii(text)[:160]}")
    return name, data[1:]

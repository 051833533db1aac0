"""A client of a log that knows only the C2SP specifications (and how this log signs entries): nothing of ours is imported."""

import base64
import hashlib
from collections.abc import Callable

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

Get = Callable[[str], bytes]


def leaf(entry: bytes) -> bytes:
    return hashlib.sha256(b"\0" + entry).digest()


def node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\1" + left + right).digest()


def root(hashes: list[bytes]) -> bytes:
    """Return the RFC 6962 root over leaf hashes, as the definition says."""
    if len(hashes) == 1:
        return hashes[0]
    split = 1 << ((len(hashes) - 1).bit_length() - 1)
    return node(root(hashes[:split]), root(hashes[split:]))


def tile_path(level: int | str, number: int, width: int = 256) -> str:
    groups = [f"{number % 1000:03d}"]
    while number := number // 1000:
        groups.insert(0, f"x{number % 1000:03d}")
    return f"tile/{level}/{'/'.join(groups)}" + (f".p/{width}" if width < 256 else "")


def tiles(size: int) -> list[tuple[int, int]]:
    """Return number and width of the tiles of level 0 of a tree of a size."""
    return [(number, min(256, size - number * 256)) for number in range(-(-size // 256))]


def open_checkpoint(note: bytes, vkey: str) -> tuple[str, int, bytes]:
    """Return origin, size and root of a checkpoint that a verifier key signed (signed-note, tlog-checkpoint)."""
    name, key_id, encoded = vkey.split("+", 2)
    key = base64.b64decode(encoded)
    assert key[0] == 1
    assert hashlib.sha256(name.encode() + b"\n" + key).digest()[:4].hex() == key_id
    text, _, lines = note.rpartition(b"\n\n")
    text += b"\n"
    [line] = [line for line in lines.decode().splitlines() if line.startswith(f"\u2014 {name} ")]
    blob = base64.b64decode(line.rsplit(" ", 1)[1])
    assert blob[:4].hex() == key_id
    Ed25519PublicKey.from_public_bytes(key[1:]).verify(blob[4:], text)
    origin, size, encoded_root = text.decode().splitlines()[:3]
    return origin, int(size), base64.b64decode(encoded_root)


def fetch_leaves(get: Get, size: int) -> list[bytes]:
    """Return all leaf hashes, from the tiles of level 0."""
    data = b"".join(get(tile_path(0, number, width)) for number, width in tiles(size))
    assert len(data) == 32 * size
    return [data[i : i + 32] for i in range(0, len(data), 32)]


def fetch_entries(get: Get, size: int) -> list[bytes]:
    """Return all entries, from their bundles."""
    found: list[bytes] = []
    for number, width in tiles(size):
        data, count = get(tile_path("entries", number, width)), 0
        while data:
            length = int.from_bytes(data[:2])
            assert len(data) >= 2 + length
            found.append(data[2 : 2 + length])
            data, count = data[2 + length :], count + 1
        assert count == width
    return found


def fetch_signatures(get: Get, size: int) -> list[tuple[int, bytes]]:
    """Return (key number, signature) of every entry."""
    data = b"".join(get(tile_path("signatures", number, width)) for number, width in tiles(size))
    assert len(data) == 66 * size
    return [(int.from_bytes(data[i : i + 2]), data[i + 2 : i + 66]) for i in range(0, len(data), 66)]


def check_signature(public_key: bytes, payload_type: str, body: bytes, signature: bytes) -> None:
    """Check a DSSE signature."""
    message = f"DSSEv1 {len(payload_type)} {payload_type} {len(body)} ".encode() + body
    Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)

"""Entries in a file, and what the machine can verify of them at best: Ed25519 on every core, and nothing else.

Light on purpose: every process that verifies imports this module, and its import is on the clock.

    file = records;  record = length of the entry (4 bytes, big-endian) || signature (64) || entry
"""

import struct
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

SIGNATURE_SIZE = 64


def records(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield signature and entry of every record."""
    at, unpack = 0, struct.Struct(">I").unpack_from
    while at < len(data):
        start = at + 4 + SIGNATURE_SIZE
        end = start + unpack(data, at)[0]
        yield data[at + 4 : start], data[start:end]
        at = end


def verify_file(path: str, public_key: bytes, payload_type: bytes) -> int:
    """Verify every signature in a file; return how many there were."""
    verify = Ed25519PublicKey.from_public_bytes(public_key).verify
    head = b"DSSEv1 %d %b " % (len(payload_type), payload_type)
    count = 0
    for signature, entry in records(Path(path).read_bytes()):
        verify(signature, b"%b%d %b" % (head, len(entry), entry))
        count += 1
    return count


def verify_files(paths: list[str], public_key: bytes, payload_type: bytes, workers: int) -> int:
    """Verify files in `workers` processes that are started for it, as those of an audit are; return how many signatures there were."""
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        parts = [pool.submit(verify_file, path, public_key, payload_type) for path in paths]
        return sum(part.result() for part in parts)

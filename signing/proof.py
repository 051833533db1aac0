"""Proof files (C2SP tlog-proof): one entry's inclusion under a checkpoint, in a file that is checked without a network.

c2sp.org/tlog-proof@v1
extra <base64>            only when there is some; nothing vouches for it
index <n>
<base64 of a hash>        one a line, from the leaf's sibling up
<blank line>
<checkpoint, with all its signature lines>
"""

import base64
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from signing.checkpoint import Checkpoint, check_checkpoint, encode_hash, parse_hash, parse_size
from signing.errors import VerificationError
from signing.merkle import check_inclusion
from signing.notes import Note, NoteKey, parse_note

HEADER: Final = "c2sp.org/tlog-proof@v1"
MAX_HASHES: Final = 63


@dataclass(frozen=True)
class Proof:
    """Where an entry stands (`index`, from 0), its audit path, and the checkpoint above it."""

    index: int
    hashes: tuple[bytes, ...]
    checkpoint: Note
    extra: bytes | None = None

    def __str__(self) -> str:
        extra = [] if self.extra is None else [f"extra {base64.b64encode(self.extra).decode()}"]
        lines = [HEADER, *extra, f"index {self.index}", *map(encode_hash, self.hashes)]
        return "".join(f"{line}\n" for line in lines) + f"\n{self.checkpoint}"


def parse_proof(data: bytes) -> Proof:
    """Read a proof file. Raises VerificationError saying what is wrong; nothing is verified yet."""
    head, blank, checkpoint = data.partition(b"\n\n")
    try:
        first, *lines = head.decode("ascii").split("\n")
    except UnicodeDecodeError as error:
        raise VerificationError(f"expected a tlog-proof: {error}") from error
    if first != HEADER or not blank:
        raise VerificationError(f"expected a file that begins with {HEADER}, found {ascii(first)[:60]}")
    extra = None
    if lines and lines[0].startswith("extra "):
        encoded = lines.pop(0).removeprefix("extra ")
        try:
            extra = base64.b64decode(encoded, validate=True)
        except ValueError as error:
            raise VerificationError(f"the extra line is not base64: {error}") from error
        if base64.b64encode(extra).decode() != encoded:
            raise VerificationError("the extra line is not canonical base64")
    if not lines or not lines[0].startswith("index "):
        raise VerificationError("expected a line 'index <n>'")
    index = parse_size(lines.pop(0).removeprefix("index "))
    if len(lines) > MAX_HASHES:
        raise VerificationError(f"expected at most {MAX_HASHES} hashes, found {len(lines)}")
    return Proof(index, tuple(parse_hash(line) for line in lines), parse_note(checkpoint), extra)


def check_proof(proof: Proof, leaf_hash: bytes, keys: Iterable[NoteKey]) -> Checkpoint:
    """Return the checkpoint under which an entry stands at `proof.index`. Raises VerificationError.

    `keys` are the log's; whether enough witnesses cosigned is for `signing.witness.check_cosigned`.
    """
    checkpoint = check_checkpoint(proof.checkpoint, keys)
    check_inclusion(
        index=proof.index, size=checkpoint.size, leaf_hash=leaf_hash, proof=proof.hashes, root=checkpoint.root
    )
    return checkpoint

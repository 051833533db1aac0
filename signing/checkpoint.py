"""Checkpoints (C2SP tlog-checkpoint): signed tree heads. A checkpoint says: all entries up to here, and no others.

    <origin>
    <tree size>
    <base64 of the root>
    <blank line>
    — <origin> <base64(key id || signature)>

A log never signs two checkpoints of which neither is a prefix of the other; `ledger.published.signer` remembers what was signed.
"""

import base64
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from signing.errors import EmptyTreeError, VerificationError
from signing.keys import Signer
from signing.merkle import EMPTY_ROOT, HASH_SIZE
from signing.notes import Note, NoteKey, check_note, parse_note, sign_note

MAX_SIZE: Final = (1 << 63) - 1
_is_size = re.compile(r"0|[1-9][0-9]{0,18}").fullmatch


@dataclass(frozen=True)
class Checkpoint:
    """The head of a tree, as its log states it. `extensions` are lines that mean nothing here and are signed with the rest."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The text of the note."""
        return "".join(f"{line}\n" for line in (self.origin, self.size, encode_hash(self.root), *self.extensions))


def parse_size(text: str) -> int:
    """Return a tree size in decimal without leading zeros."""
    if not text.isascii() or not _is_size(text) or int(text) > MAX_SIZE:
        raise VerificationError(f"expected a tree size in decimal, found {ascii(text)[:60]}")
    return int(text)


def encode_hash(value: bytes) -> str:
    """Return a hash as checkpoints and proofs write it: base64 with padding."""
    return base64.b64encode(value).decode()


def parse_hash(text: str) -> bytes:
    """Return a SHA-256 hash written in base64."""
    try:
        found = base64.b64decode(text.encode("ascii"), validate=True)
    except ValueError:
        found = b""
    if len(found) != HASH_SIZE or encode_hash(found) != text:
        raise VerificationError(f"expected the base64 of a hash of {HASH_SIZE} bytes, found {ascii(text)[:60]}")
    return found


def parse_checkpoint(text: str) -> Checkpoint:
    """Return the checkpoint that a note's text states. Raises VerificationError naming the line that is wrong."""
    lines = text.removesuffix("\n").split("\n")
    if not text.endswith("\n") or len(lines) < 3 or not all(lines):
        raise VerificationError("expected a checkpoint: lines with origin, size and root, none of them empty")
    origin, size, root, *extensions = lines
    checkpoint = Checkpoint(origin, parse_size(size), parse_hash(root), tuple(extensions))
    if checkpoint.size == 0 and checkpoint.root != EMPTY_ROOT:
        raise EmptyTreeError(f"expected the root of the empty tree at size 0, found {checkpoint.root.hex()}")
    return checkpoint


def sign_checkpoint(checkpoint: Checkpoint, signer: Signer) -> Note:
    """Return the signed note of a checkpoint. The key's name is the origin."""
    return Note(checkpoint.text, (sign_note(checkpoint.text, checkpoint.origin, signer),))


def check_checkpoint(data: bytes | Note, keys: Iterable[NoteKey]) -> Checkpoint:
    """Return the checkpoint of a note that one of a log's keys signed. Raises VerificationError.

    Keys whose name is not the origin do not count: a checkpoint is the word of the log that it names.
    """
    note = data if isinstance(data, Note) else parse_note(data)
    origin = note.text.partition("\n")[0]
    of_origin = [key for key in keys if key.name == origin]
    if not of_origin:
        raise VerificationError(f"no key of the log {ascii(origin)[:160]} is known")
    check_note(note, of_origin)
    return parse_checkpoint(note.text)

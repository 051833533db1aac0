"""What an audit makes of checkpoints: whose word they are, and which entries they anchor. Pure, as the walk is.

A checkpoint's root is held against the tree that the walk makes of the entries themselves, when its range is joined.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from ledger.authority import Authority
from ledger.faults import Kind
from signing.checkpoint import Checkpoint, check_checkpoint
from signing.errors import KeyFormatError, SigningError, VerificationError
from signing.keys import key_id
from signing.notes import COSIGNATURE, Note, NoteKey, check_note, parse_note, parse_signature_line
from signing.witness import check_cosigned


class RawCheckpoint(NamedTuple):
    """A checkpoint as it is kept, before anybody has looked at it: its size, its note, and (witness, line) of each cosignature."""

    size: int
    note: str
    cosignatures: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Claim:
    """Something that states the root of the tree at a size: which fault it is when it does not hold, and who signed it."""

    size: int
    root: bytes
    kind: Kind
    signed_by: tuple[str, ...] = ()  # key ids
    witnesses: int = 0


@dataclass(frozen=True)
class Head:
    """What the walk has made of the tree at a size, from the start of its range on, and the claims about it."""

    size: int
    nodes: tuple[bytes, ...]
    claims: tuple[Claim, ...]


class Commitment(NamedTuple):
    """What a `ledger.heads_committed` at `position` says of the heads of all refs as of an earlier position."""

    position: int
    as_of: int
    ref_count: int
    root: str


def read_commitment(position: int, data: Mapping[str, Any]) -> Commitment:
    """Return the commitment of an entry's data. What is not one is a commitment that cannot hold."""
    as_of, ref_count, root = data.get("as_of"), data.get("ref_count"), data.get("root")
    if type(as_of) is int and 0 < as_of < position and type(ref_count) is int and isinstance(root, str):
        return Commitment(position, as_of, ref_count, root)
    return Commitment(position, position, -1, "")


class Finding(NamedTuple):
    """A fault in words, without its position, which is the size."""

    kind: Kind
    detail: str


def of_given(checkpoint: Checkpoint) -> Claim:
    """Return the claim of a checkpoint that the auditor brought along: where it holds, it anchors, because it lay outside."""
    return Claim(checkpoint.size, checkpoint.root, Kind.CHECKPOINT_CONTRADICTED, (), 1)


def witness_keys(authority: Authority, size: int) -> list[NoteKey]:
    """Return the witnesses whose cosignatures count for a checkpoint of a size."""
    return [
        NoteKey(record.name, record.public_key, COSIGNATURE) for record in authority.keyring.valid_at("witness", size)
    ]


def read_claim(
    raw: RawCheckpoint, authority: Authority, trusted: Collection[bytes] | None = None
) -> Iterator[Claim | Finding]:
    """Yield the claim of a stored checkpoint, when it is one, and what is wrong with it.

    `trusted` are the public keys of the witnesses that the auditor believes; None believes those that the ledger names.
    """
    try:
        note = parse_note(raw.note.encode(errors="replace"))
        checkpoint = check_checkpoint(note, authority.checkpoint_keys(raw.size))
        if str(note) != raw.note:
            raise VerificationError("it is not written as a note is written")
        if checkpoint.size != raw.size:
            raise VerificationError(f"it is kept as the checkpoint of size {raw.size}, and states {checkpoint.size}")
    except (SigningError, ValueError, TypeError) as error:
        yield Finding(Kind.CHECKPOINT_WRONG, str(error))
        return
    keys = authority.checkpoint_keys(raw.size)
    signed, names = check_note(note, keys), {(key.name, key.id) for key in keys}
    # In a file they stand beneath the log's own line, in the database in a table of their own.
    beneath = [
        (line.name, str(line).removesuffix("\n")) for line in note.lines if (line.name, line.key_id) not in names
    ]
    witnesses, findings = _cosigners(note, raw._replace(cosignatures=(*beneath, *raw.cosignatures)), authority, trusted)
    yield from findings
    ids = [key_id(key.public_key) for key in signed]
    # What a key signed after it may have leaked still has to fit, but it anchors nothing.
    believed = tuple(i for i in ids if not authority.keyring.find("checkpoint", i).distrusted_at(raw.size))
    yield Claim(raw.size, checkpoint.root, Kind.CHECKPOINT_WRONG, believed, witnesses)


def _cosigners(
    note: Note, raw: RawCheckpoint, authority: Authority, trusted: Collection[bytes] | None
) -> tuple[int, list[Finding]]:
    known = witness_keys(authority, raw.size)
    count, findings = 0, []
    for witness, line in raw.cosignatures:
        try:
            parsed = parse_signature_line(line)
            if parsed.name != witness:
                raise VerificationError(f"it is kept as the line of {witness}, and is {parsed.name}'s")
            [key] = check_cosigned(Note(note.text, (parsed,)), known, at_least=1)
            record = authority.keyring.find("witness", key_id(key.public_key))
            count += (trusted is None or key.public_key in trusted) and not record.distrusted_at(raw.size)
        except (KeyFormatError, VerificationError) as error:
            findings.append(Finding(Kind.COSIGNATURE_WRONG, f"a cosignature over size {raw.size}: {error}"[:300]))
    return count, findings


def claims_by_size(claims: Iterable[Claim], start: int, count: int) -> dict[int, list[Claim]]:
    """Return the claims about the sizes that a range reaches."""
    found: dict[int, list[Claim]] = {}
    for claim in claims:
        if start <= claim.size < start + count:
            found.setdefault(claim.size, []).append(claim)
    return found


def revocations(authority: Authority) -> Sequence[int]:
    """Return the positions at which keys were revoked: what was anchored before them stands."""
    records = [record for role in ("entry", "producer") for record in authority.keyring.numbered(role)]
    return sorted({record.revoked_at for record in records if record.revoked_at is not None})

"""Dossiers: every entry about one ref, and the proof that none was left out.

An entry's `refs` carry its ordinal and the position of the entry before it, so the entries about a ref form a chain of
their own inside the leaves: none can be left out at the start or in the middle. That none is left out at the end is what
the ledger commits to (`ledger.published.heads`): a dossier is complete *up to that position, as the ledger committed it*.

`check_dossier` needs nothing but the document and the log's checkpoint keys.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson
from sqlalchemy.engine import Connection

from ledger.conditions import Match
from ledger.errors import NotFoundError, StatementError
from ledger.log.checkpoints import StoredCheckpoint
from ledger.log.reading import StoredEntry, read_entries
from ledger.log.tree import tree_of
from ledger.published.heads import HeadProof, Heads, check_head
from signing.checkpoint import Checkpoint, check_checkpoint, encode_hash, parse_hash
from signing.errors import VerificationError
from signing.merkle import check_inclusion, leaf_hash, prove_inclusion
from signing.notes import NoteKey

MAX_ENTRIES: Final = 10_000
COMMITTED: Final = "ledger.heads_committed"


def make_dossier(
    connection: Connection, ref: str, published: StoredCheckpoint, commitment: StoredEntry, heads: Heads
) -> dict[str, Any]:
    """Return the dossier of a ref under a checkpoint that covers the commitment.

    Raises StatementError for a ref with over 10,000 entries: that is what an export is for.
    """
    size = published.size
    entries = list(read_entries(connection, [Match(refs=(ref,))], up_to=size, limit=MAX_ENTRIES + 1))
    if len(entries) > MAX_ENTRIES:
        raise StatementError(f"expected a ref of at most {MAX_ENTRIES} entries, found more about {ref}", "/ref")
    if commitment.position > size:
        raise NotFoundError(
            f"the commitment at position {commitment.position} is not under the checkpoint of {size} yet"
        )
    hashes = tree_of(connection, size)

    def proved(stored: StoredEntry) -> dict[str, Any]:
        proof = prove_inclusion(index=stored.position - 1, size=size, range_hash=hashes)
        return {
            "position": stored.position,
            "entry": stored.entry.decode(),
            "proof": [encode_hash(value) for value in proof],
        }

    return {
        "ref": ref,
        "complete_up_to": heads.as_of,
        "checkpoint": str(published.note),
        "commitment": proved(commitment),
        "heads": [leaf.to_json() for leaf in heads.prove(ref)],
        "entries": [proved(stored) for stored in entries],
    }


@dataclass(frozen=True)
class Dossier:
    """A dossier that holds: which entries, complete up to where, and which came after that."""

    ref: str
    checkpoint: Checkpoint
    complete_up_to: int
    entries: tuple[dict[str, Any], ...]  # parsed

    @property
    def positions(self) -> list[int]:
        return [entry["position"] for entry in self.entries]


def check_dossier(document: Any, keys: Iterable[NoteKey]) -> Dossier:
    """Return what a dossier proves under the log's checkpoint keys. Raises VerificationError at the first thing that does not hold."""
    try:
        ref, note, stated = document["ref"], document["checkpoint"], document["complete_up_to"]
        entries, commitment, leaves = document["entries"], document["commitment"], document["heads"]
        if not (
            isinstance(ref, str) and isinstance(note, str) and isinstance(entries, list) and isinstance(leaves, list)
        ):
            raise TypeError("ref and checkpoint are strings, entries and heads are arrays")
    except (KeyError, TypeError) as error:
        raise VerificationError(f"not a dossier: {error}") from error
    checkpoint = check_checkpoint(note.encode(errors="replace"), keys)
    committed = _proved(commitment, checkpoint)
    try:
        statement = committed["statement"]
        data = statement["data"]
        as_of, ref_count, root = data["as_of"], data["ref_count"], bytes.fromhex(data["root"])
        if (
            statement["type"] != COMMITTED
            or type(as_of) is not int
            or type(ref_count) is not int
            or not 0 < as_of < committed["position"]
        ):
            raise ValueError(f"it is {statement['type']} at position {committed['position']}")
    except (KeyError, TypeError, ValueError) as error:
        raise VerificationError(f"expected an entry {COMMITTED}: {error}") from error
    count, last = check_head(ref, [HeadProof.from_json(leaf) for leaf in leaves], size=ref_count, root=root)
    proved = [_proved(item, checkpoint) for item in entries]
    _check_chain(ref, proved)
    covered = [entry["position"] for entry in proved if entry["position"] <= as_of]
    if len(covered) != count or (covered and covered[-1] != last):
        raise VerificationError(
            f"the ledger committed to {count} entries about {ref} up to position {as_of}, the last at {last}; "
            f"found {len(covered)}, the last at {covered[-1] if covered else 'none'}"
        )
    if type(stated) is not int or stated != as_of:
        raise VerificationError(f"it says complete up to {stated!r}, and is up to {as_of}")
    return Dossier(ref, checkpoint, as_of, tuple(proved))


def _proved(item: Any, checkpoint: Checkpoint) -> dict[str, Any]:
    """Return the parsed entry of an item whose inclusion under the checkpoint holds."""
    try:
        position, entry, hashes = item["position"], item["entry"].encode(), item["proof"]
        if type(position) is not int or not isinstance(hashes, list):
            raise TypeError("a position is an integer, a proof an array")
        proof = [parse_hash(value) for value in hashes]
    except (KeyError, TypeError, AttributeError, UnicodeEncodeError) as error:
        raise VerificationError(f"expected position, entry and proof: {error}") from error
    check_inclusion(
        index=position - 1, size=checkpoint.size, leaf_hash=leaf_hash(entry), proof=proof, root=checkpoint.root
    )
    try:
        document: dict[str, Any] = orjson.loads(entry)
        if document["position"] != position or document["ledger"] != checkpoint.origin.partition("#")[0]:
            raise ValueError(f"it says position {document['position']} of {document['ledger']}")
        document["statement"]["type"], document["refs"].items()
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise VerificationError(f"the entry at position {position} cannot be read: {error}") from error
    return document


def _check_chain(ref: str, entries: Sequence[dict[str, Any]]) -> None:
    """Follow the back-pointers of a ref from its first entry on."""
    before = 0
    for ordinal, entry in enumerate(entries, 1):
        if (found := entry["refs"].get(ref)) != [ordinal, before]:
            raise VerificationError(
                f"position {entry['position']}: expected {ref} as number {ordinal} after position {before}, found {found}: "
                "an entry about it was left out, or put in"
            )
        before = entry["position"]

"""What somebody holds outside the database, held against it: receipts, and what the signer remembers."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy.engine import Connection

from ledger.audit.checkpoints import RawCheckpoint
from ledger.audit.reading import fold_authority, last_position, page
from ledger.audit.sources import stored_checkpoints
from ledger.errors import LostHistoryError, SignerStoppedError
from ledger.faults import Fault, Kind
from ledger.published.signer import verified
from signing.merkle import leaf_hash
from signing.notes import Note


def check_receipts(connection: Connection, receipts: Sequence[tuple[int, bytes]]) -> list[Fault]:
    """Return the receipts that the ledger does not keep: another entry at the position, or none."""
    faults = []
    for position, entry_hash in receipts:
        row = next(page(connection, position - 1, position), None)
        found = leaf_hash(row.entry).hex() if row else "nothing"
        if found != entry_hash.hex():
            faults.append(Fault(position, Kind.RECEIPT_BROKEN, f"the receipt says {entry_hash.hex()}, found {found}"))
    return faults


class Compared(NamedTuple):
    """What contradicts the signer's memory, or why it says nothing about this ledger."""

    faults: list[Fault]
    note: str = ""


def check_memory(connection: Connection, note: Note) -> Compared:
    """Hold the database against what the signer remembers: it keeps every checkpoint as soon as it remembers it."""
    authority, _ = fold_authority(connection)
    end = last_position(connection)
    try:
        remembered = verified(note, authority)
    except LostHistoryError as error:
        return Compared([Fault(end, Kind.CHECKPOINT_CONTRADICTED, str(error))])
    except SignerStoppedError as error:
        return Compared([], str(error))
    size, kept = remembered.size, stored_checkpoints(connection, remembered.size, 1)
    if not size or remembered.origin != authority.checkpoint_origin or any(_is_over(raw, note) for raw in kept):
        return Compared([])
    if size > end:
        detail = f"the signer remembers a checkpoint of size {size}, and the ledger ends at {end}"
        return Compared([Fault(end, Kind.CHECKPOINT_CONTRADICTED, detail)])
    detail = (
        f"the signer remembers a checkpoint of size {size}, and {'another one' if kept else 'none'} of that size is kept: it was "
        "deleted, or the signer was stopped before it could keep it, and then change-ledger checkpoint does"
    )
    return Compared([Fault(size, Kind.CHECKPOINT_MISSING, detail)])


def _is_over(raw: RawCheckpoint, note: Note) -> bool:
    """Say whether a checkpoint that is kept states what a note does."""
    return raw.note.partition("\n\n")[0] + "\n" == note.text

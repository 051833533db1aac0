"""Removals: erasable texts, and pieces of evidence. What the entry says about them stays: digests, and that they are gone.

Recorded first, removed then. Dies in between: the entry says that they were removed, and they are there; the command is
given again, and is recorded again.
"""

from ledger.entry import Receipt
from ledger.errors import NotFoundError
from ledger.ledger import Ledger
from ledger.log.beside import delete_evidence, delete_texts, read_evidence, read_texts
from ledger.log.reading import read_entry


def erase_texts(ledger: Ledger, position: int, *, actor: str, reason: str, by: str | None = None) -> Receipt:
    """Delete the erasable texts of an entry. Raises NotFoundError when none are kept."""
    with ledger.database.read() as connection:
        read_entry(connection, position)
        erased = len(read_texts(connection, position))
    if not erased:
        raise NotFoundError(f"no texts are kept for position {position}: there were none, or they were erased before")
    data = {"position": position, "erased": erased, "reason": reason}
    receipt = ledger.act("ledger.texts_erased", data, actor=actor, by=by)
    with ledger.database.write() as connection:
        delete_texts(connection, position)
    return receipt


def remove_evidence(
    ledger: Ledger, position: int, sha256: bytes, *, actor: str, reason: str, by: str | None = None
) -> Receipt:
    """Delete a piece of evidence of an entry. Its digest stays witnessed there. Raises NotFoundError when it is not kept."""
    with ledger.database.read() as connection:
        read_evidence(connection, position, sha256)
    data = {"position": position, "sha256": sha256.hex(), "reason": reason}
    receipt = ledger.act("ledger.evidence_removed", data, actor=actor, by=by)
    with ledger.database.write() as connection:
        delete_evidence(connection, position, sha256)
    return receipt

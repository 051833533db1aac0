"""What the ledger commits to before others: the heads of all refs, a dossier under them, and what an authority timestamped.

Not checkpoints (`ledger.published.signer`), nor how any of these is checked (`ledger.published`).
"""

from datetime import datetime
from typing import Any

from ledger.clock import from_text
from ledger.entry import Receipt
from ledger.errors import NotFoundError
from ledger.ledger import Ledger
from ledger.log.checkpoints import StoredCheckpoint
from ledger.log.reading import read_entry, read_heads, read_last, read_size
from ledger.published import timestamps
from ledger.published.dossier import COMMITTED, make_dossier
from ledger.published.heads import Heads


def commit_heads(ledger: Ledger, *, actor: str | None = None) -> Receipt:
    """Commit to the last position of every ref as of now. Computed outside the lock: appends go on meanwhile."""
    with ledger.database.read() as connection:
        size = read_size(connection)
        heads = Heads(size, read_heads(connection, size))
    data = {"as_of": size, "ref_count": len(heads), "root": heads.root.hex()}
    receipt = ledger.state(COMMITTED, data | ({"actor": actor} if actor else {}))
    ledger.committed_heads.keep(heads)
    return receipt


def commit_heads_if_due(ledger: Ledger, every_s: int) -> Receipt | None:
    """Commit unless the last commitment is younger than `every_s` seconds, or nothing came after it."""
    with ledger.database.read() as connection:
        last = read_last(connection, COMMITTED) or read_entry(connection, 1)
        size = read_size(connection)
    age_us = ledger.clock.now_us() - from_text(last.document["recorded_at"])
    return commit_heads(ledger) if size > last.position and age_us >= every_s * 1_000_000 else None


def dossier(ledger: Ledger, ref: str, published: StoredCheckpoint) -> dict[str, Any]:
    """Return every entry about a ref under a checkpoint, with the proof that up to the last commitment none is left out.

    Raises NotFoundError while the checkpoint covers no commitment.
    """
    with ledger.database.read() as connection:
        commitment = read_last(connection, COMMITTED, up_to=published.size)
        if commitment is None:
            raise NotFoundError(
                f"no commitment to the heads of all refs is under the checkpoint of size {published.size} yet: "
                "change-ledger heads or POST /v1/ledger/heads makes one, and so does a schedule"
            )
        as_of = commitment.statement["data"]["as_of"]
        heads = ledger.committed_heads.as_of(as_of, lambda: read_heads(connection, as_of))
        return make_dossier(connection, ref, published, commitment, heads)


def record_timestamp(
    ledger: Ledger,
    stored: StoredCheckpoint,
    response: bytes,
    *,
    authority: str,
    timestamp: datetime,
    actor: str,
    by: str | None = None,
) -> Receipt:
    """Append that `authority` (a URL) timestamped a checkpoint. `timestamp` is what `check_response` returned for it."""
    data, evidence = timestamps.entry_of(stored, response, authority=authority, timestamp=timestamp)
    return ledger.act(timestamps.EVENT_TYPE, data, actor=actor, by=by, evidence=evidence)

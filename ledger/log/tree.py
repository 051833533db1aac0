"""The Merkle tree of a database: its tiles, and hashes of ranges made from them. Proofs are for `signing.merkle`.

Leaf hashes stand beside the entries, the nodes at the heights of tiles in `nodes`, as they were when the append
committed; a proof reads the tiles on its way, O(log size) hashes at any size. Whether they are right, the audit says.
"""

import struct
from functools import partial
from typing import Any

from sqlalchemy.engine import Connection

from ledger.errors import NotFoundError
from ledger.log.checkpoints import StoredCheckpoint
from signing.keys import SIGNATURE_SIZE
from signing.merkle import HASH_SIZE, TILE_HEIGHT, prove_consistency, prove_inclusion
from signing.proof import Proof
from signing.tiles import ENTRIES, SIGNATURES, RangeHashes, Tile, format_bundle, format_signatures


def read_tile(connection: Connection, tile: Tile) -> bytes:
    """Return the bytes of a tile, an entry bundle or a signature tile. Raises NotFoundError when it reaches beyond the ledger."""
    first, last = tile.first, tile.first + tile.width
    if tile.level in (ENTRIES, SIGNATURES, 0):
        columns = {ENTRIES: "entry", SIGNATURES: "key_number, signature", 0: "leaf_hash"}[tile.level]
        # Positions count from 1.
        sql = f"SELECT {columns} FROM entries WHERE position > {first} AND position <= {last} ORDER BY position"
    else:
        height = TILE_HEIGHT * int(tile.level)
        sql = f'SELECT hash FROM nodes WHERE height = {height} AND "index" >= {first} AND "index" < {last} ORDER BY "index"'
    # By the driver: a proof is a few of these, and little else.
    rows = connection.exec_driver_sql(sql).all()
    if len(rows) != tile.width:
        raise NotFoundError(f"{tile.path} is not there: the ledger has {len(rows)} of its {tile.width}")
    try:
        if tile.level == ENTRIES:
            return format_bundle([_blob(entry) for (entry,) in rows])
        if tile.level == SIGNATURES:
            return format_signatures([(number, _blob(signature, SIGNATURE_SIZE)) for number, signature in rows])
        hashes = b"".join([node for (node,) in rows])
        if len(hashes) != tile.width * HASH_SIZE:
            raise ValueError(f"expected {tile.width * HASH_SIZE} bytes of hashes, found {len(hashes)}")
        return hashes
    except (TypeError, ValueError, OverflowError, struct.error) as error:
        raise NotFoundError(f"{tile.path} is damaged: {error}; run: change-ledger verify") from error


def _blob(value: Any, size: int | None = None) -> bytes:
    """Return bytes, of a size. `bytes(7)` would be seven of them, and a record is filled up with zeros."""
    if not isinstance(value, bytes) or (size is not None and len(value) != size):
        raise ValueError(f"expected {size or 'some'} bytes, found {ascii(value)[:40]}")
    return value


def tree_of(connection: Connection, size: int) -> RangeHashes:
    """Return the hashes of ranges of the first `size` entries."""
    return RangeHashes(size, partial(read_tile, connection))


def inclusion_proof(connection: Connection, position: int, size: int) -> list[bytes]:
    """Return the audit path of the entry at `position` in the tree of the first `size` entries."""
    if not 1 <= position <= size:
        raise NotFoundError(f"position {position} is not among the first {size}")
    return prove_inclusion(index=position - 1, size=size, range_hash=tree_of(connection, size))


def proof_of(connection: Connection, position: int, published: StoredCheckpoint) -> Proof:
    """Return the proof file of an entry under a checkpoint. Raises NotFoundError while the checkpoint does not cover it."""
    if position > published.size:
        raise NotFoundError(
            f"position {position} is not under a published checkpoint yet; the last one covers {published.size}"
        )
    return Proof(position - 1, tuple(inclusion_proof(connection, position, published.size)), published.note)


def consistency_proof(connection: Connection, old_size: int, new_size: int) -> list[bytes]:
    """Return the proof that the first `old_size` entries are a prefix of the first `new_size`."""
    return prove_consistency(old_size=old_size, new_size=new_size, range_hash=tree_of(connection, new_size))

"""Export: the ledger as a directory of files that any web server or object store can hold (C2SP tlog-tiles, and ours beside it).

    checkpoint                     the last one, cosigned: written last, so that everything under it is there
    tile/…  tile/entries/…  tile/signatures/…
    checkpoints/<size>             every one there was, cosigned;  checkpoints/index names their sizes
    evidence/<2 digits>/<digest>   the bytes that entries witness, as far as they are kept
    texts/<N>.jsonl                erasable texts of 256 entries with their salts, as far as they were not erased

Run again, it writes what is new, and takes away what was erased since. Not a backup: credentials' secrets and keys are
not in it.
"""

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ledger.canonical import encode
from ledger.conditions import Match
from ledger.errors import LostHistoryError, SetupError
from ledger.events.identifiers import HEX64
from ledger.log import tables
from ledger.log.checkpoints import StoredCheckpoint, read_checkpoint, read_checkpoints
from ledger.log.database import Database
from ledger.log.reading import blob, read_entries
from ledger.log.tree import read_tile, tree_of
from signing.checkpoint import parse_checkpoint
from signing.errors import VerificationError
from signing.merkle import TILE_WIDTH, leaf_hash
from signing.notes import parse_note
from signing.tiles import ENTRIES, SIGNATURES, Tile, beside, parse_bundle, split_hashes, tiles_of

CHECKPOINT: Final = "checkpoint"
INDEX: Final = "checkpoints/index"


@dataclass(frozen=True)
class Exported:
    """What an export has done: from which size to which, and how many files it wrote."""

    since: int
    size: int
    files: int


# A digest becomes a path and a key of a lookup: nothing else may.
is_digest: Final = re.compile(HEX64).fullmatch


def evidence_path(sha256: str) -> str:
    """Return where a piece of evidence lies, by the hex digest of its bytes."""
    return f"evidence/{sha256[:2]}/{sha256}"


def texts_path(number: int) -> str:
    """Return where the texts of 256 entries lie: numbered as the bundles of entries are."""
    return f"texts/{Tile(ENTRIES, number).path.removeprefix('tile/entries/')}.jsonl"


def format_texts(rows: Iterable[tuple[int, str, bytes, str]]) -> bytes:
    """Return the lines of (position, field, salt, text)."""
    lines = [{"position": p, "field": field, "salt": salt.hex(), "text": text} for p, field, salt, text in rows]
    return b"".join(encode(line) + b"\n" for line in lines)


def export(database: Database, target: Path, *, texts: bool = True, evidence: bool = True) -> Exported:
    """Write what the last checkpoint covers into `target`, or what it has more than the checkpoint that lies there.

    Raises NotFoundError before the first checkpoint, LostHistoryError when what lies there is not a prefix of this ledger.
    """
    target.mkdir(parents=True, exist_ok=True)
    with database.read() as connection:
        last = read_checkpoint(connection)
        since = _exported_size(connection, target, last)
        for name, wanted in (("texts", texts), ("evidence", evidence)):
            if not wanted and (target / name).exists():
                raise SetupError(
                    f"{target} holds {name} already, and what is erased has to vanish from there: export with them, or into a "
                    "new directory"
                )
        _refuse_newer_deletions(connection, last.size)
        files = _Files(target)
        for tile in tiles_of(last.size, since=since):
            data = read_tile(connection, tile)
            if tile.level == 0:
                # Before anything that lies there is replaced: it may be the last good copy.
                bundle = read_tile(connection, beside(tile, ENTRIES))
                _check_bundle(tile, data, bundle)
                files.write(beside(tile, ENTRIES).path, bundle)
                files.write(beside(tile, SIGNATURES).path, read_tile(connection, beside(tile, SIGNATURES)))
            files.write(tile.path, data)
            if tile.width == TILE_WIDTH:
                files.remove_partials(tile)
        # Where there are none yet, they come from the first on: an earlier export may have left them out.
        if texts:
            _export_texts(connection, files, since if (target / "texts").exists() else 0, last.size)
        if evidence:
            _export_evidence(connection, files, since if (target / "evidence").exists() else 0, last.size)
        _export_checkpoints(connection, files, since, last)
    # Everything under it is on the disk before the checkpoint that vouches for it.
    os.sync()
    files.write(CHECKPOINT, str(last.note).encode())
    return Exported(since, last.size, files.written)


def _refuse_newer_deletions(connection: Connection, size: int) -> None:
    """Raise SetupError when something was erased that the checkpoint does not say was: whoever reads the files could not tell."""
    match = Match(types=("ledger.texts_erased", "ledger.evidence_removed"))
    for stored in read_entries(connection, [match], after=size, limit=1):
        raise SetupError(
            f"the entry at position {stored.position} erases something, and the last checkpoint covers {size}: sign one first "
            "(change-ledger checkpoint; a server does so within a second), then export again"
        )


def _check_bundle(tile: Tile, hashes: bytes, bundle: bytes) -> None:
    """Raise LostHistoryError unless the entries are those of which the tree was made."""
    entries = parse_bundle(beside(tile, ENTRIES), bundle)
    for position, (entry, leaf) in enumerate(zip(entries, split_hashes(tile, hashes), strict=True), tile.first + 1):
        if leaf_hash(entry) != leaf:
            raise LostHistoryError(
                f"the entry at position {position} is not the one that was recorded: nothing is exported over an earlier export. "
                "See docs/howto/respond-to-a-broken-chain.md"
            )


def _exported_size(connection: Connection, target: Path, last: StoredCheckpoint) -> int:
    """Return the size of what lies in the directory, 0 when it is empty."""
    path = target / CHECKPOINT
    if not path.exists():
        if any(target.iterdir()) and not (target / "tile").exists():
            raise SetupError(f"{target} holds other files: expected an empty directory, or an export of this ledger")
        return 0
    try:
        found = parse_checkpoint(parse_note(path.read_bytes()).text)
    except VerificationError as error:
        raise SetupError(f"{path} cannot be read: {error}; export into a new directory") from error
    if found.size > last.size or tree_of(connection, found.size).root() != found.root:
        raise LostHistoryError(
            f"{target} holds {found.size} entries of {found.origin} that are not the first ones of this ledger: one of the "
            "two was rewritten or restored. Keep that directory, and see docs/howto/respond-to-a-broken-chain.md"
        )
    return found.size


def _export_checkpoints(connection: Connection, files: "_Files", since: int, last: StoredCheckpoint) -> None:
    # The last one that lies there may have been cosigned since.
    for stored in read_checkpoints(connection, after=max(0, since - 1)):
        files.write(f"checkpoints/{stored.size}", str(stored.note).encode())
    c = tables.checkpoints.c.size
    sizes = connection.execute(sa.select(c).where(c <= last.size).order_by(c)).scalars()
    files.write(INDEX, "".join(f"{size}\n" for size in sizes).encode())


def _deletions(connection: Connection, event_type: str, since: int, size: int) -> Iterator[dict[str, object]]:
    for stored in read_entries(connection, [Match(types=(event_type,))], after=since, up_to=size, limit=None):
        yield stored.statement["data"]


def _export_texts(connection: Connection, files: "_Files", since: int, size: int) -> None:
    # Recorded first, deleted then: what was recorded is not exported, whatever still lies there.
    erased = {int(str(data["position"])) for data in _deletions(connection, "ledger.texts_erased", since, size)}
    t = tables.texts.c
    fresh = range(since // TILE_WIDTH, -(-size // TILE_WIDTH))
    for number in sorted({(position - 1) // TILE_WIDTH for position in erased}.union(fresh)):
        first = number * TILE_WIDTH
        query = sa.select(t.position, t.field, t.salt, t.text).where(
            t.position > first, t.position <= min(size, first + TILE_WIDTH)
        )
        rows = [row for row in connection.execute(query.order_by(t.position, t.field)) if row.position not in erased]
        if rows:
            files.write(texts_path(number), format_texts((p, field, blob(salt), text) for p, field, salt, text in rows))
        else:
            files.remove(texts_path(number))


def _export_evidence(connection: Connection, files: "_Files", since: int, size: int) -> None:
    v = tables.evidence.c
    removed = {
        (int(str(data["position"])), str(data["sha256"]))
        for data in _deletions(connection, "ledger.evidence_removed", since, size)
    }
    query = sa.select(v.position, v.sha256, v.body).where(v.position > since, v.position <= size).order_by(v.position)
    for position, sha256, body in connection.execution_options(yield_per=16).execute(query):
        if (position, blob(sha256).hex()) not in removed:
            files.write(evidence_path(blob(sha256).hex()), blob(body))
    for sha256 in sorted({sha256 for _, sha256 in removed}):
        kept = sa.select(v.position).where(v.sha256 == bytes.fromhex(sha256), v.position <= size)
        # Another entry may witness the same bytes.
        if all((position, sha256) in removed for position in connection.execute(kept).scalars()):
            files.remove(evidence_path(sha256))


class _Files:
    """The directory: every file appears whole or not at all."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._part = root / f".{os.getpid()}.part"
        self.written = 0
        # One that was killed may have left what was erased since.
        for left in root.glob(".*.part"):
            left.unlink()

    def write(self, name: str, data: bytes) -> None:
        path = self._root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        self._part.write_bytes(data)
        self._part.replace(path)
        self.written += 1

    def remove(self, name: str) -> None:
        (self._root / name).unlink(missing_ok=True)

    def remove_partials(self, tile: Tile) -> None:
        """Remove the partial tiles of one that is now full, and those of what lies beside it."""
        for full in (tile, *((beside(tile, ENTRIES), beside(tile, SIGNATURES)) if tile.level == 0 else ())):
            folder = self._root / f"{full.path}.p"
            if folder.is_dir():
                for path in folder.iterdir():
                    path.unlink()
                folder.rmdir()

"""The audit of files: an export, or any log laid out by C2SP tlog-tiles, in a directory or behind a web server.

No server of ours and no database is asked. Rows come from bundles, hash tiles and signature tiles; there are no columns and
no caches to check, but every byte of every file that is there must be the one that the entries and the checkpoint make it.
"""

import secrets as random_source
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import orjson

from ledger.audit.checkpoints import Commitment, of_given, read_commitment
from ledger.audit.files_beside import check_beside
from ledger.audit.fingerprints import Fingerprints
from ledger.audit.log_files import Files, FilesSource, check_upper, read_head, read_or_none, refuse_another_format
from ledger.audit.parallel import Progress, walk_ranges
from ledger.audit.progress import Resumable
from ledger.audit.ranges import whole_tiles
from ledger.audit.report import Pin, Report, make_report
from ledger.audit.summary import Summary, beyond_the_end
from ledger.audit.timestamps import read_timestamps
from ledger.audit.walk import Job
from ledger.authority import AUTHORITY_TYPES, Authority
from ledger.errors import LedgerError, SetupError
from ledger.faults import Fault, Kind
from ledger.published.dossier import COMMITTED
from ledger.published.durable import said
from ledger.published.export import CHECKPOINT, INDEX, evidence_path
from signing import tiles
from signing.checkpoint import Checkpoint
from signing.errors import SigningError, VerificationError
from signing.keys import SIGNATURE_SIZE
from signing.merkle import HASH_SIZE, TILE_HEIGHT, TILE_WIDTH, leaf_hash
from signing.notes import Note
from signing.tiles import ENTRIES, SIGNATURES, Tile

# What an entry that decides who may do what holds somewhere; parsing says whether it is one.
_LEDGER_TYPE: Final = b'"type":"ledger.'
_SIGNATURE_RECORD: Final = 2 + SIGNATURE_SIZE
_REMOVED: Final = "ledger.evidence_removed"
_DELETION_TYPES: Final = ("ledger.texts_erased", _REMOVED)


def audit_files(
    files: Files,
    *,
    pin: Pin | None = None,
    signatures: bool = True,
    workers: int | None = None,
    given: Sequence[Checkpoint] = (),
    receipts: Sequence[tuple[int, bytes]] = (),
    state: Path | None = None,
    on_progress: Progress = lambda done, size: None,
) -> Report:
    """Audit the files of one of our ledgers, all of them. Raises SetupError when there is nothing to check."""
    note, head = read_head(files)
    refuse_another_format(files, head)
    stored, faults = _read_checkpoints(files, note, head)
    source = FilesSource(files, head.size, stored)
    read = _fold(source, head.size)
    authority, genesis = read.authority, read.genesis
    if (
        genesis
        and not authority.origin
        and read_or_none(files, Tile(SIGNATURES, 0, min(TILE_WIDTH, head.size)).path) is None
    ):
        raise SetupError(
            f"{head.origin} is not in a format that I read: a C2SP log whose first entry opens no ledger, and whose entries nobody "
            "signed. To check hashes, tree and checkpoint alone: --opaque"
        )
    stamped = read_timestamps(
        read.timestamps, lambda _, digest: read_or_none(files, evidence_path(digest)), pin.authorities if pin else None
    )
    faults += stamped.faults
    if not authority.origin:
        faults.append(Fault(1, Kind.GENESIS_MISSING, "position 1 is not a ledger.opened that can be read"))
    job = Job(
        authority=authority,
        secrets=Fingerprints.draw(random_source.token_bytes(40)),
        signatures=signatures,
        given=(*map(of_given, given), *stamped.claims),
        commitments=tuple(read.commitments),
        trusted_witnesses=pin.witnesses if pin else None,
    )
    progress = Resumable(state, job, genesis, f"files under {head.root.hex()}") if state else None
    job, summary = (progress.job, progress.summary) if progress else (job, Summary.of(job))
    walk_ranges(
        source, job, summary, whole_tiles(head.size), workers, lambda done: on_progress(done, head.size), progress
    )
    if rest := head.size - summary.size:
        start = summary.size + 1
        summary.add(job.walk(source.rows(start, rest), start, rest, source.checkpoints(start, rest)))
        summary.faults += source.take_faults()
    on_progress(summary.size, head.size)
    if not summary.faults and summary.root() != head.root:
        faults.append(Fault(head.size, Kind.CHECKPOINT_WRONG, f"the entries make the root {summary.root().hex()}"))
    summary.faults += [*faults, *check_upper(files, summary), *beyond_the_end(given, summary)]
    summary.faults += _check_receipts(source, receipts, head.size)
    known = {CHECKPOINT, INDEX, *(f"checkpoints/{size}" for size in stored)}
    notes = [*stamped.notes, *check_beside(files, source, summary, read.deletions, known)]
    summary.faults += _check_every_file(files, head.size, known)
    if progress:
        progress.done()
    return make_report(summary, authority, pin=pin, genesis=genesis, signatures=signatures, notes=notes)


def _read_checkpoints(files: Files, note: Note, head: Checkpoint) -> tuple[dict[int, str], list[Fault]]:
    """Return the notes by size that the files hold, and what is wrong with their index. An index is not needed."""
    stored, faults = {}, []
    try:
        lines = files.read(INDEX).decode().split("\n")
        sizes = [int(line) for line in lines[:-1]]
        if "".join(f"{size}\n" for size in sizes) != "\n".join(lines) or sizes != sorted(set(sizes)):
            raise ValueError("expected sizes in order, one a line")
        if not sizes or sizes[0] < 1 or sizes[-1] != head.size:
            raise ValueError(f"expected it to end with {head.size}, the size of the checkpoint")
        for size in sizes:
            stored[size] = files.read(f"checkpoints/{size}").decode(errors="replace")
    except OSError as error:
        if stored or not isinstance(error, FileNotFoundError) or INDEX not in str(error.filename or error):
            faults.append(
                Fault(
                    head.size, Kind.CHECKPOINT_MISSING, f"the index names a checkpoint that is not there: {said(error)}"
                )
            )
    except (ValueError, UnicodeDecodeError) as error:
        faults.append(Fault(head.size, Kind.CHECKPOINT_MISSING, f"the index of checkpoints cannot be read: {error}"))
    if stored.get(head.size, str(note)) != str(note):
        faults.append(Fault(head.size, Kind.CHECKPOINT_WRONG, f"checkpoints/{head.size} is not the same as checkpoint"))
    return stored | {head.size: str(note)}, faults


@dataclass
class _Read:
    """What a first pass over the entries finds of those that say how the others are judged."""

    authority: Authority = field(default_factory=Authority)
    genesis: bytes = b""
    deletions: list[tuple[int, str]] = field(default_factory=list)  # (position, digest); of texts, without one
    commitments: list[Commitment] = field(default_factory=list)
    timestamps: list[tuple[int, bytes]] = field(default_factory=list)


def _fold(source: FilesSource, size: int) -> _Read:
    """Fold who may do what, and find what was deleted from beside the log. Nothing is believed yet: the walk checks all."""
    read = _Read()
    for tile in source.tiles_of(1, size):
        try:
            entries = source.bundle(tile)
        except (OSError, VerificationError):
            continue  # Reported by the walk.
        if tile.number == 0:
            read.genesis = leaf_hash(entries[0])
        for position, entry in enumerate(entries, tile.first + 1):
            if _LEDGER_TYPE not in entry:
                continue
            try:
                statement = orjson.loads(entry)["statement"]
                if statement["type"] in AUTHORITY_TYPES:
                    read.authority.fold(position, statement["type"], statement["data"])
                elif statement["type"] in _DELETION_TYPES:
                    sha256 = statement["data"]["sha256"] if statement["type"] == _REMOVED else ""
                    read.deletions.append((int(statement["data"]["position"]), str(sha256)))
                elif statement["type"] == COMMITTED:
                    read.commitments.append(read_commitment(position, statement["data"]))
                elif statement["type"] == "ledger.timestamped":
                    read.timestamps.append((position, entry))
            except (ValueError, KeyError, TypeError, AttributeError, LedgerError, SigningError):
                continue  # Reported by the walk, or what stands on it is.
    return read


def _check_receipts(source: FilesSource, receipts: Sequence[tuple[int, bytes]], size: int) -> Iterator[Fault]:
    for position, entry_hash in receipts:
        row = next((r for r in source.rows(position, 1) if r.position == position), None) if position <= size else None
        found = leaf_hash(row.entry).hex() if row else "nothing"
        if found != entry_hash.hex():
            yield Fault(position, Kind.RECEIPT_BROKEN, f"the receipt says {entry_hash.hex()}, found {found}")


def _check_every_file(files: Files, size: int, known: set[str]) -> Iterator[Fault]:
    """Where files can be listed: older partial tiles must be the beginnings of what they grew to, and nothing else may lie there."""
    names = files.names()
    if names is None:
        return
    current = {tile.path for tile in tiles.tiles_of(size)}
    for name in names:
        if name in known:
            continue
        try:
            tile = tiles.parse_path(name)
        except VerificationError:
            yield Fault(size, Kind.FILE_UNKNOWN, f"{name.encode(errors='replace').decode()} is no file of an export")
            continue
        level = tile.level if isinstance(tile.level, int) else 0
        count = size >> (TILE_HEIGHT * level)
        whole = replace(tile, width=min(TILE_WIDTH, count - tile.first))
        if tile == whole and (replace(tile, level=level)).path in current:
            continue
        data = read_or_none(files, whole.path) if 0 < whole.width >= tile.width else None
        if data is None or files.read(name) != _beginning(tile, data):
            yield Fault(min(tile.first + 1, size), Kind.TILE_WRONG, f"{name} is not the beginning of {whole.path}")


def _beginning(tile: Tile, data: bytes) -> bytes:
    """Return what a narrower tile holds of the bytes of a wider one."""
    if tile.level != ENTRIES:
        return data[: tile.width * (HASH_SIZE if isinstance(tile.level, int) else _SIGNATURE_RECORD)]
    end = 0
    for _ in range(tile.width):
        end += 2 + int.from_bytes(data[end : end + 2])
    return data[:end]

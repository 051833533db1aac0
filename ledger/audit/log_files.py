"""The files of a log, as C2SP tlog-tiles lays them out: reading them, wherever they lie. It judges nothing: the audits do.

`ledger.audit.of_files` audits one of our ledgers, `ledger.audit.of_any_log` anybody's log.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Protocol, runtime_checkable

from ledger.audit.checkpoints import RawCheckpoint
from ledger.audit.ranges import Row
from ledger.audit.summary import Summary
from ledger.errors import SetupError
from ledger.faults import Fault, Kind
from ledger.published.durable import read_below, said
from ledger.published.export import CHECKPOINT
from signing import tiles
from signing.checkpoint import Checkpoint, parse_checkpoint
from signing.errors import VerificationError
from signing.merkle import TILE_HEIGHT, TILE_WIDTH
from signing.notes import Note, parse_note
from signing.tiles import ENTRIES, SIGNATURES, Tile

# Where logs of certificates (static-ct-api) keep their entries.
DATA: Final = "data"


# What a checkpoint says of the size is a stranger's word: where more bundles than these cannot be read, nothing is audited.
MAX_UNREADABLE: Final = 1000


@runtime_checkable
class Files(Protocol):
    """The files of a log, by their paths. It can be pickled."""

    def read(self, path: str) -> bytes:
        """Return the bytes of a file. Raises FileNotFoundError when it is not there."""

    def names(self) -> Iterator[str] | None:
        """Yield the paths of all files, or return None where they cannot be listed."""


class Directory:
    """Files in a directory, which somebody else may have filled: links are not followed, and only regular files are read."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def read(self, path: str) -> bytes:
        return read_below(self.root, path)

    def names(self) -> Iterator[str] | None:
        return self._names()

    def _names(self) -> Iterator[str]:
        # By hand: what recurses ends where a stranger nested deeper.
        waiting = [""]
        while waiting:
            folder = waiting.pop()
            with os.scandir(self.root / folder) as found:
                items = sorted(((item.name, item.is_dir(follow_symlinks=False)) for item in found), reverse=True)
            waiting += [f"{folder}{name}/" for name, is_folder in items if is_folder]
            yield from (f"{folder}{name}" for name, is_folder in reversed(items) if not is_folder)


class FilesSource:
    """Rows and checkpoints from files. What cannot be read is kept as faults, to be asked for after the rows."""

    def __init__(self, files: Files, size: int, checkpoints: dict[int, str]) -> None:
        self._files = files
        self._size = size
        self._checkpoints = checkpoints
        self.faults: list[Fault] = []
        self._unreadable = 0

    def _read(self, tile: Tile) -> bytes:
        return self._files.read(tile.path)

    def tiles_of(self, start: int, count: int) -> Iterator[Tile]:
        """Yield the hash tiles of level 0 that a range of positions touches, each as wide as the log makes it."""
        for number in range((start - 1) // TILE_WIDTH, -(-(start + count - 1) // TILE_WIDTH)):
            yield Tile(0, number, min(TILE_WIDTH, self._size - number * TILE_WIDTH))

    def bundle(self, tile: Tile) -> list[bytes]:
        """Return the entries below a tile. Raises OSError or VerificationError, and SetupError where too many cannot be read."""
        bundle = tiles.beside(tile, ENTRIES)
        try:
            return tiles.parse_bundle(bundle, self._read(bundle))
        except (OSError, VerificationError) as error:
            self._unreadable += 1
            if self._unreadable > MAX_UNREADABLE:
                raise SetupError(
                    f"nothing to check: the checkpoint is of {self._size} entries, and more than {MAX_UNREADABLE} of their bundles "
                    f"cannot be read, the last of them {said(error)}"
                ) from error
            raise

    def rows(self, start: int, count: int) -> Iterator[Row]:
        for tile in self.tiles_of(start, count):
            try:
                entries = self.bundle(tile)
                hashes = tiles.split_hashes(tile, self._read(tile))
                beside = tiles.beside(tile, SIGNATURES)
                signatures = tiles.parse_signatures(beside, self._read(beside))
            except (OSError, VerificationError) as error:
                self.faults.append(Fault(tile.first + 1, Kind.TILE_WRONG, said(error)[:300]))
                continue
            for number, (entry, leaf, (key_number, signature)) in enumerate(
                zip(entries, hashes, signatures, strict=True), tile.first + 1
            ):
                yield Row(number, key_number, leaf, signature, entry)

    def checkpoints(self, start: int, count: int) -> list[RawCheckpoint]:
        return [RawCheckpoint(size, note) for size, note in self._checkpoints.items() if start <= size < start + count]

    def take_faults(self) -> list[Fault]:
        faults, self.faults = self.faults, []
        return faults


def read_head(files: Files) -> tuple[Note, Checkpoint]:
    """Return the checkpoint of a log's files. Raises SetupError when there is none: nothing to check is not a pass."""
    try:
        note = parse_note(files.read(CHECKPOINT))
        head = parse_checkpoint(note.text)
    except FileNotFoundError as error:
        raise SetupError(
            "nothing to check: there is no checkpoint, so this is not a log, or not a whole one"
        ) from error
    except (OSError, VerificationError) as error:
        raise SetupError(f"nothing to check: the checkpoint cannot be read: {said(error)}") from error
    if head.size == 0:
        raise SetupError("nothing to check: the checkpoint is of an empty log, and an empty log is not a sound one")
    return note, head


def refuse_another_format(files: Files, head: Checkpoint) -> None:
    """Raise SetupError for a log whose entries are kept in another way: that is not a forgery, and gets no verdict."""
    first = Tile(0, 0, min(TILE_WIDTH, head.size))
    if read_or_none(files, tiles.beside(first, ENTRIES).path) is not None:
        return
    data = Tile(DATA, 0, first.width)
    for path in (data.path, f"{data.path.partition('.p/')[0]}"):
        if read_or_none(files, path) is not None:
            raise SetupError(
                f"{head.origin} is not in a format that I read: its entries lie in tile/data, as static-ct-api has it; expected "
                "tile/entries, as C2SP tlog-tiles has it"
            )


def read_or_none(files: Files, path: str) -> bytes | None:
    """Return the bytes of a file, or None when it is not there."""
    try:
        return files.read(path)
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        return None


def check_upper(files: Files, summary: Summary) -> Iterator[Fault]:
    """Hold the tiles above the leaves against the nodes that the leaves make."""
    for tile in tiles.tiles_of(summary.size):
        if tile.level == 0:
            continue
        height = TILE_HEIGHT * int(tile.level)
        expected = [summary.nodes.get((height, tile.first + i)) for i in range(tile.width)]
        try:
            found = tiles.split_hashes(tile, files.read(tile.path))
        except (OSError, VerificationError) as error:
            yield Fault((tile.first << height) + 1, Kind.TILE_WRONG, said(error)[:300])
            continue
        for number, (node, made) in enumerate(zip(found, expected, strict=True), tile.first):
            if node != made:
                position = min((number << height) + 1, summary.size)
                yield Fault(position, Kind.NODE_WRONG, f"node {number} at height {height} is not what the leaves make")

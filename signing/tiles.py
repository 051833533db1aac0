"""Tiles (C2SP tlog-tiles): how a Merkle tree and its entries are cut into files that never change.

A tile of level L holds up to 256 hashes: the tree's nodes at height 8·L, from index 256·N on. An *entry bundle* holds
the entries below a tile of level 0, a *signature tile* their signatures (ours: `uint16` key number, 64 bytes). Paths:

    >>> Tile(0, 1234067).path
    'tile/0/x001/x234/067'
    >>> Tile("entries", 273, 112).path
    'tile/entries/273.p/112'

Not a store: where the bytes of a tile come from (a database, a directory, a web server) is the caller's `read`.
"""

import re
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from signing.errors import VerificationError
from signing.keys import SIGNATURE_SIZE
from signing.merkle import EMPTY_ROOT, HASH_SIZE, TILE_HEIGHT, TILE_WIDTH, node_hash

MAX_LEVEL: Final = 63
ENTRIES: Final = "entries"
SIGNATURES: Final = "signatures"
_RECORD: Final = struct.Struct(f">H{SIGNATURE_SIZE}s")
_is_path = re.compile(
    r"tile/(?P<level>entries|signatures|[0-9]|[1-5][0-9]|6[0-3])"
    r"/(?P<number>(?:x[0-9]{3}/){0,6}[0-9]{3})(?:\.p/(?P<width>[1-9][0-9]{0,2}))?"
).fullmatch


@dataclass(frozen=True, slots=True)
class Tile:
    """Which tile: its level (or "entries", "signatures"), its number, and how wide it is; 256 is full."""

    level: int | str
    number: int
    width: int = TILE_WIDTH

    @property
    def path(self) -> str:
        digits = f"{self.number:03d}"
        digits = digits.zfill(-(-len(digits) // 3) * 3)
        groups = [digits[i : i + 3] for i in range(0, len(digits), 3)]
        number = "/".join([*(f"x{group}" for group in groups[:-1]), groups[-1]])
        return f"tile/{self.level}/{number}" + (f".p/{self.width}" if self.width < TILE_WIDTH else "")

    @property
    def first(self) -> int:
        """The index of its first hash, entry or signature."""
        return self.number * TILE_WIDTH


def parse_path(path: str) -> Tile:
    """Return the tile of a path such as `tile/0/x001/067.p/5`. Raises VerificationError unless it is written as tlog-tiles says."""
    found = _is_path(path)
    if found is not None:
        level = found["level"]
        number = int(found["number"].replace("x", "").replace("/", ""))
        tile = Tile(int(level) if level.isdigit() else level, number, int(found["width"] or TILE_WIDTH))
        # What is not written as `path` writes it (leading groups of zeros, a partial tile of 256) is another name.
        if tile.path == path:
            return tile
    raise VerificationError(f"expected tile/<L>/<N>[.p/<W>] as tlog-tiles says, found {path[:80]!r}")


def tiles_of(size: int, *, since: int = 0) -> Iterator[Tile]:
    """Yield the hash tiles of a tree of `size` leaves that a tree of `since` leaves had not, or had narrower; levels from below."""
    for level in range(MAX_LEVEL + 1):
        count, before = size >> (TILE_HEIGHT * level), since >> (TILE_HEIGHT * level)
        if count == 0:
            return
        for number in range(before // TILE_WIDTH, -(-count // TILE_WIDTH)):
            tile = Tile(level, number, min(TILE_WIDTH, count - number * TILE_WIDTH))
            if tile.first + tile.width > before:
                yield tile


def beside(tile: Tile, level: str) -> Tile:
    """Return the entry bundle or signature tile that lies beside a hash tile of level 0."""
    return Tile(level, tile.number, tile.width)


# -- bytes -----------------------------------------------------------------------------------------------------------


def split_hashes(tile: Tile, data: bytes) -> list[bytes]:
    """Return the hashes of a tile. Raises VerificationError when there are not `tile.width` of them."""
    if len(data) != tile.width * HASH_SIZE:
        raise VerificationError(f"{tile.path}: expected {tile.width * HASH_SIZE} bytes, found {len(data)}")
    return [data[i : i + HASH_SIZE] for i in range(0, len(data), HASH_SIZE)]


def format_bundle(entries: Sequence[bytes]) -> bytes:
    """Return an entry bundle: each entry after its length as a big-endian uint16."""
    return b"".join(part for entry in entries for part in (len(entry).to_bytes(2), entry))


def parse_bundle(tile: Tile, data: bytes) -> list[bytes]:
    """Return the entries of a bundle. Raises VerificationError unless it holds exactly `tile.width` of them."""
    entries: list[bytes] = []
    at = 0
    while at < len(data):
        start = at + 2
        at = start + int.from_bytes(data[start - 2 : start])
        if start > len(data) or at > len(data):
            raise VerificationError(f"{tile.path}: entry {tile.first + len(entries)} is cut off")
        entries.append(data[start:at])
    if len(entries) != tile.width:
        raise VerificationError(f"{tile.path}: expected {tile.width} entries, found {len(entries)}")
    return entries


def format_signatures(records: Sequence[tuple[int, bytes]]) -> bytes:
    """Return a signature tile of pairs (key number, signature)."""
    return b"".join(_RECORD.pack(number, signature) for number, signature in records)


def parse_signatures(tile: Tile, data: bytes) -> list[tuple[int, bytes]]:
    """Return the pairs (key number, signature) of a tile. Raises VerificationError when there are not `tile.width` of them."""
    if len(data) != tile.width * _RECORD.size:
        raise VerificationError(f"{tile.path}: expected {tile.width * _RECORD.size} bytes, found {len(data)}")
    return list(_RECORD.iter_unpack(data))


# -- hashes of ranges ------------------------------------------------------------------------------------------------


class RangeHashes:
    """Tree hashes of ranges of the first `size` leaves, from tiles that `read` returns: what `prove_…` asks for.

    Each tile is read at most once. For a proof those are the tiles above the leaf and along the tree's right edge: not
    more than two for every level, so O(log size).
    """

    def __init__(self, size: int, read: Callable[[Tile], bytes]) -> None:
        self.size = size
        self._read = read
        self._tiles: dict[tuple[int, int], list[bytes]] = {}

    def __call__(self, begin: int, end: int) -> bytes:
        """Return MTH(D[begin:end]). `begin` is a multiple of every subtree in the range, as in all ranges of a proof."""
        if not 0 <= begin <= end <= self.size:
            raise ValueError(f"expected a range within {self.size} leaves, found {begin} to {end}")
        subtrees = []
        while begin < end:
            height = (end - begin).bit_length() - 1
            subtrees.append(self._subtree(height, begin >> height))
            begin += 1 << height
        if not subtrees:
            return EMPTY_ROOT
        found = subtrees.pop()
        while subtrees:
            found = node_hash(subtrees.pop(), found)
        return found

    def root(self) -> bytes:
        return self(0, self.size)

    def _subtree(self, height: int, index: int) -> bytes:
        """Return a node of the tree: stored at the heights of tiles, hashed from up to 128 of those between them."""
        level, rest = divmod(height, TILE_HEIGHT)
        first = index << rest
        row = self._tile(level, first // TILE_WIDTH)[first % TILE_WIDTH :][: 1 << rest]
        while len(row) > 1:
            # node_hash, written out: a proof hashes some hundreds of these.
            row = [sha256(b"\x01" + row[i] + row[i + 1]).digest() for i in range(0, len(row), 2)]
        return row[0]

    def _tile(self, level: int, number: int) -> list[bytes]:
        found = self._tiles.get((level, number))
        if found is None:
            count = self.size >> (TILE_HEIGHT * level)
            tile = Tile(level, number, min(TILE_WIDTH, count - number * TILE_WIDTH))
            found = self._tiles[level, number] = split_hashes(tile, self._read(tile))
        return found

"""Heads: how often every ref occurred and where last, under one Merkle root, so that a dossier can be shown to be complete.

    leaf = SHA-256(0x00 || canonical JSON of [ref, count, last position])      sorted by the ref's UTF-8
    root = the RFC 6962 tree hash over them, at positions up to `as_of`        -> `ledger.heads_committed`

A leaf's inclusion proves where a ref was last; two leaves side by side prove that a ref between them never occurred.
Whether a commitment is true is found by a full audit, which makes every one again. No database is read here.
"""

import threading
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ledger.canonical import MAX_INTEGER, encode
from signing.checkpoint import encode_hash, parse_hash
from signing.errors import VerificationError
from signing.merkle import EMPTY_ROOT, TILE_HEIGHT, Frontier, check_inclusion, leaf_hash, prove_inclusion
from signing.tiles import RangeHashes, Tile


def head_leaf(ref: str, count: int, last: int) -> bytes:
    """Return the leaf hash of one ref's head."""
    return leaf_hash(encode([ref, count, last]))


def heads_root(heads: Mapping[str, Sequence[int]]) -> bytes:
    """Return the root over (count, last position) by ref."""
    frontier = Frontier()
    for ref in sorted(heads):  # Refs are ASCII: the order of strings is that of their bytes.
        frontier.append(head_leaf(ref, *heads[ref]))
    return frontier.root()


@dataclass(frozen=True)
class HeadProof:
    """One leaf of a commitment: its index, its ref, count and last position, and its audit path."""

    index: int
    ref: str
    count: int
    last: int
    hashes: tuple[bytes, ...]

    def to_json(self) -> dict[str, Any]:
        return {
            "index": self.index,
            "ref": self.ref,
            "count": self.count,
            "last": self.last,
            "proof": [encode_hash(value) for value in self.hashes],
        }

    @classmethod
    def from_json(cls, document: Any) -> "HeadProof":
        """Read a leaf with its path. Raises VerificationError."""
        try:
            index, ref, count, last, hashes = (document[name] for name in ("index", "ref", "count", "last", "proof"))
            if not isinstance(hashes, list):
                raise TypeError("expected a proof to be an array")
            if not (isinstance(ref, str) and ref.isascii() and type(count) is type(last) is type(index) is int):
                raise TypeError("expected a ref of ASCII, and integers")
            if not 0 <= min(index, count, last) <= max(index, count, last) <= MAX_INTEGER:
                raise TypeError("expected integers that a ledger writes")
            return cls(index, ref, count, last, tuple(parse_hash(value) for value in hashes))
        except (KeyError, TypeError, AttributeError) as error:
            raise VerificationError(f"not the proof of a ref's head: {error}") from error

    def check(self, size: int, root: bytes) -> None:
        """Raise VerificationError unless this leaf stands in the commitment of `size` refs under `root`."""
        leaf = head_leaf(self.ref, self.count, self.last)
        check_inclusion(index=self.index, size=size, leaf_hash=leaf, proof=self.hashes, root=root)


class Heads:
    """All heads as of a position, to prove from. Holds every ref in memory."""

    def __init__(self, as_of: int, heads: Iterable[tuple[str, int, int]]) -> None:
        """`heads` come sorted by ref."""
        self.as_of = as_of
        self._heads = list(heads)
        self._refs = [ref for ref, _, _ in self._heads]
        self._levels: dict[int, list[bytes]] = {}
        frontier = Frontier()
        for head in self._heads:
            leaf = head_leaf(*head)
            self._levels.setdefault(0, []).append(leaf)
            frontier.append(leaf, lambda height, _, node: self._levels.setdefault(height, []).append(node))
        self.root = frontier.root()

    def __len__(self) -> int:
        return len(self._heads)

    def prove(self, ref: str) -> list[HeadProof]:
        """Return the leaf of a ref; where it never occurred, the leaves on either side of its place."""
        at = bisect_left(self._refs, ref)
        if at < len(self._refs) and self._refs[at] == ref:
            return [self._leaf(at)]
        return [self._leaf(index) for index in (at - 1, at) if 0 <= index < len(self._refs)]

    def _leaf(self, index: int) -> HeadProof:
        hashes = prove_inclusion(index=index, size=len(self), range_hash=RangeHashes(len(self), self._read))
        return HeadProof(index, *self._heads[index], tuple(hashes))

    def _read(self, tile: Tile) -> bytes:
        level = self._levels[TILE_HEIGHT * int(tile.level)]
        return b"".join(level[tile.first : tile.first + tile.width])


class CommittedHeads:
    """The heads that the last commitment is about: made once, kept until the next."""

    def __init__(self) -> None:
        self._making = threading.Lock()
        self._kept: Heads | None = None

    def keep(self, heads: Heads) -> None:
        self._kept = heads

    def as_of(self, position: int, read: Callable[[], Iterable[tuple[str, int, int]]]) -> Heads:
        """Return the heads as of a position. Of several that ask at once, one makes them."""
        with self._making:
            if (kept := self._kept) is None or kept.as_of != position:
                kept = self._kept = Heads(position, read())
            return kept


def check_head(ref: str, leaves: Sequence[HeadProof], *, size: int, root: bytes) -> tuple[int, int]:
    """Return (count, last position) that a commitment proves for a ref, (0, 0) when it proves that there is none.

    Raises VerificationError unless `leaves` are that ref's leaf, or the neighbours of its empty place.
    """
    for leaf in leaves:
        leaf.check(size, root)
    if len(leaves) == 1 and leaves[0].ref == ref:
        return leaves[0].count, leaves[0].last
    if not leaves:
        if size != 0 or root != EMPTY_ROOT:
            raise VerificationError(f"expected the leaf of {ref}, or its neighbours, found none")
        return 0, 0
    below = [leaf for leaf in leaves if leaf.ref < ref]
    above = [leaf for leaf in leaves if leaf.ref > ref]
    if len(below) > 1 or len(above) > 1 or len(below) + len(above) != len(leaves):
        raise VerificationError(f"expected the leaf of {ref}, or its two neighbours")
    # Without a neighbour below the place is the first; without one above, the last.
    place = below[0].index + 1 if below else 0
    if place != (above[0].index if above else size):
        raise VerificationError(f"the leaves do not stand side by side: {ref} may lie between them")
    return 0, 0

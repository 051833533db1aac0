"""RFC 6962: hashes, the incremental frontier of a Merkle tree, and proofs of inclusion and consistency.

Not a store: the caller keeps what `Frontier.append` completes, and gives `prove_…` the hashes of ranges
(`signing.tiles.RangeHashes` makes them from tiles). What makes a proof and what checks one share no code but the hashes.

    leaf = SHA-256(0x00 || data)            RFC 6962 §2.1
    node = SHA-256(0x01 || left || right)

A tree of n leaves is a row of perfect subtrees, one for every bit set in n, the largest on the left. Their roots are
the *frontier*: all that is needed to go on appending, at most 64 hashes for any tree that can exist.

    >>> frontier = Frontier()
    >>> frontier.root().hex()[:16]
    'e3b0c44298fc1c14'
    >>> frontier.append(leaf_hash(b""))
    >>> frontier.root().hex()[:16]
    '6e340b9cffb37a98'

An *inclusion proof* of a leaf is the row of sibling hashes on its way to the root; a *consistency proof* of two sizes is
the row of hashes from which both roots can be made, so that the smaller tree is a prefix of the larger.
"""

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

from signing.errors import VerificationError

HASH_SIZE = 32
EMPTY_ROOT = hashlib.sha256(b"").digest()
# tlog-tiles: a tile holds 2^8 hashes, so the nodes worth keeping stand at heights 8, 16, 24, …
TILE_HEIGHT = 8
TILE_WIDTH = 1 << TILE_HEIGHT
# No tree that is checked here has more: a size is a signed 64-bit integer in every format around it.
MAX_LEAVES = 1 << 63

_sha256 = hashlib.sha256


def leaf_hash(data: bytes) -> bytes:
    return _sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return _sha256(b"\x01" + left + right).digest()


class Frontier:
    """The roots of the perfect subtrees of a tree, and its size.

    `on_node(height, index, hash)` is called for every node completed at a tile height (8, 16, …), so that it can be
    kept. `start` is where a *partial* frontier begins: the leaf index of its first leaf, which lets ranges be hashed
    in parallel and joined by `extend`. A partial frontier needs a start that is a multiple of the largest subtree it
    will grow.
    """

    def __init__(self, size: int = 0, nodes: Sequence[bytes] = (), *, start: int = 0) -> None:
        if len(nodes) != size.bit_count():
            raise ValueError(f"a tree of {size} leaves has {size.bit_count()} frontier nodes, found {len(nodes)}")
        self.size = size
        self.start = start
        self.nodes = list(nodes)

    def append(self, leaf: bytes, on_node: Callable[[int, int, bytes], None] | None = None) -> None:
        size, nodes, node, height = self.size, self.nodes, leaf, 0
        # Each trailing 1 bit of the size is a finished subtree as tall as the one just made: they join.
        while size & 1:
            node = _sha256(b"\x01" + nodes.pop() + node).digest()
            size >>= 1
            height += 1
            if on_node is not None and height % TILE_HEIGHT == 0:
                on_node(height, (self.start + self.size) >> height, node)
        nodes.append(node)
        self.size += 1

    def extend(self, other: "Frontier") -> None:
        """Join the frontier of the range that follows this one."""
        if other.start != self.start + self.size:
            raise ValueError(f"expected a range that starts at leaf {self.start + self.size}, found {other.start}")
        remaining = other.size
        for node in other.nodes:
            width = 1 << (remaining.bit_length() - 1)
            remaining -= width
            if self.size % width:
                raise ValueError(
                    f"a subtree of {width} leaves cannot stand at leaf {self.size}: ranges must be aligned"
                )
            size = self.size // width
            while size & 1:
                node = node_hash(self.nodes.pop(), node)
                size >>= 1
            self.nodes.append(node)
            self.size += width

    def root(self) -> bytes:
        """Return the RFC 6962 tree hash of what was appended so far."""
        if not self.nodes:
            return EMPTY_ROOT
        root = self.nodes[-1]
        for node in reversed(self.nodes[:-1]):
            root = node_hash(node, root)
        return root

    def to_bytes(self) -> bytes:
        return b"".join(self.nodes)

    @classmethod
    def from_bytes(cls, size: int, data: bytes) -> "Frontier":
        if len(data) != HASH_SIZE * size.bit_count():
            raise ValueError(f"a frontier of {size} leaves has {size.bit_count()} hashes, found {len(data)} bytes")
        return cls(size, [data[i : i + HASH_SIZE] for i in range(0, len(data), HASH_SIZE)])


# -- making proofs ---------------------------------------------------------------------------------------------------

# The tree hash of the leaves from `begin` to `end - 1`: MTH(D[begin:end]) of RFC 6962 §2.1.
RangeHash = Callable[[int, int], bytes]


def prove_inclusion(*, index: int, size: int, range_hash: RangeHash) -> list[bytes]:
    """Return the audit path of a leaf in the tree of the first `size` leaves (RFC 6962 §2.1.1), nearest sibling first."""
    if not 0 <= index < size:
        raise ValueError(f"expected the index of one of {size} leaves, found {index}")
    path, begin, end = [], 0, size
    while end - begin > 1:
        middle = begin + _split(end - begin)
        if index < middle:
            path.append((middle, end))
            end = middle
        else:
            path.append((begin, middle))
            begin = middle
    return [range_hash(*part) for part in reversed(path)]


def prove_consistency(*, old_size: int, new_size: int, range_hash: RangeHash) -> list[bytes]:
    """Return the proof that the first `old_size` leaves are a prefix of the first `new_size` (RFC 6962 §2.1.2)."""
    if not 0 <= old_size <= new_size:
        raise ValueError(f"expected sizes in order, found {old_size} and {new_size}")
    if old_size in (0, new_size):
        return []
    path, begin, end = [], 0, new_size
    # SUBPROOF: down to the subtree that the old tree ends with.
    while old_size != end:
        middle = begin + _split(end - begin)
        if old_size <= middle:
            path.append((middle, end))
            end = middle
        else:
            path.append((begin, middle))
            begin = middle
    if begin:
        path.append((begin, end))
    return [range_hash(*part) for part in reversed(path)]


def _split(count: int) -> int:
    """Return the largest power of two smaller than `count`."""
    return 1 << ((count - 1).bit_length() - 1)


# -- checking proofs -------------------------------------------------------------------------------------------------


def check_inclusion(*, index: int, size: int, leaf_hash: bytes, proof: Sequence[bytes], root: bytes) -> None:
    """Raise VerificationError unless `proof` shows a leaf to be number `index` of the `size` leaves under `root` (RFC 9162 §2.1.3.2)."""
    _check_numbers(index=index, size=size)
    _check_hashes(leaf_hash, root, *_check_proof(proof))
    if not index < size:
        raise VerificationError(f"expected the index of one of {size} leaves, found {index}")
    fn, sn, found = index, size - 1, leaf_hash
    for sibling in proof:
        if sn == 0:
            raise VerificationError(f"expected a shorter inclusion proof than {len(proof)} hashes for size {size}")
        if fn & 1 or fn == sn:
            found = node_hash(sibling, found)
            while not fn & 1 and fn != 0:
                fn, sn = fn >> 1, sn >> 1
        else:
            found = node_hash(found, sibling)
        fn, sn = fn >> 1, sn >> 1
    if sn != 0:
        raise VerificationError(f"expected a longer inclusion proof than {len(proof)} hashes for size {size}")
    _check_equal("inclusion proof", found, root)


def check_consistency(
    *, old_size: int, new_size: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]
) -> None:
    """Raise VerificationError unless `proof` shows the older tree to be a prefix of the newer (RFC 9162 §2.1.4.2).

    The empty tree is a prefix of every tree, and has one root.
    """
    _check_numbers(old_size=old_size, new_size=new_size)
    _check_hashes(old_root, new_root, *_check_proof(proof))
    if old_size > new_size:
        raise VerificationError(f"expected the older size first, found {old_size} and {new_size}")
    for size, root in ((old_size, old_root), (new_size, new_root)):
        if size == 0:
            _check_equal("root of the empty tree", root, EMPTY_ROOT)
    if old_size in (0, new_size):
        if proof:
            raise VerificationError(f"expected no hashes between sizes {old_size} and {new_size}, found {len(proof)}")
        if old_size == new_size:
            _check_equal("root of the same size", new_root, old_root)
        return
    # "If first is an exact power of 2, then prepend first_hash to the consistency_path array."
    path = [old_root, *proof] if old_size & (old_size - 1) == 0 else list(proof)
    if not path:
        raise VerificationError(
            f"expected a consistency proof between sizes {old_size} and {new_size}, found no hashes"
        )
    fn, sn = old_size - 1, new_size - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    old = new = path[0]
    for node in path[1:]:
        if sn == 0:
            raise VerificationError(f"expected a shorter consistency proof than {len(proof)} hashes")
        if fn & 1 or fn == sn:
            old, new = node_hash(node, old), node_hash(node, new)
            while not fn & 1 and fn != 0:
                fn, sn = fn >> 1, sn >> 1
        else:
            new = node_hash(new, node)
        fn, sn = fn >> 1, sn >> 1
    if sn != 0:
        raise VerificationError(f"expected a longer consistency proof than {len(proof)} hashes")
    _check_equal("consistency proof, older tree", old, old_root)
    _check_equal("consistency proof, newer tree", new, new_root)


def _check_numbers(**numbers: Any) -> None:
    for name, value in numbers.items():
        if type(value) is not int or not 0 <= value < MAX_LEAVES:
            found = f"an integer of {value.bit_length()} bits" if type(value) is int else type(value).__name__
            raise VerificationError(f"expected {name} to be an integer from 0 to 2^63 - 1, found {found}")


def _check_proof(proof: Any) -> Sequence[Any]:
    if isinstance(proof, bytes | str) or not isinstance(proof, Sequence):
        raise VerificationError(f"expected a proof to be a sequence of hashes, found {type(proof).__name__}")
    return proof


def _check_hashes(*hashes: Any) -> None:
    for value in hashes:
        if not isinstance(value, bytes) or len(value) != HASH_SIZE:
            found = f"{len(value)} bytes" if isinstance(value, bytes) else type(value).__name__
            raise VerificationError(f"expected hashes of {HASH_SIZE} bytes, found {found}")


def _check_equal(what: str, found: bytes, expected: bytes) -> None:
    if found != expected:
        raise VerificationError(f"{what}: expected the root {expected.hex()}, found {found.hex()}")

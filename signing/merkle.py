"""RFC 6962 hashes and the incremental frontier of a Merkle tree.

Not a store: the caller keeps what `Frontier.append` completes. Proofs come beside this, from the same hashes.

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
"""

import hashlib
from collections.abc import Callable, Sequence

HASH_SIZE = 32
EMPTY_ROOT = hashlib.sha256(b"").digest()
# tlog-tiles: a tile holds 2^8 hashes, so the nodes worth keeping stand at heights 8, 16, 24, …
TILE_HEIGHT = 8
TILE_WIDTH = 1 << TILE_HEIGHT

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

"""The Merkle tree of RFC 6962 §2.1, as the RFC writes it: recursive, over whole lists, slow, easy to believe."""

import hashlib
from collections.abc import Sequence


def textbook_leaf(data: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + data).digest()


def textbook_root(leaves: Sequence[bytes]) -> bytes:
    """Return MTH over leaf hashes."""
    n = len(leaves)
    if n == 0:
        return hashlib.sha256(b"").digest()
    if n == 1:
        return leaves[0]
    # "let k be the largest power of two smaller than n"
    k = 1
    while k * 2 < n:
        k *= 2
    return hashlib.sha256(b"\x01" + textbook_root(leaves[:k]) + textbook_root(leaves[k:])).digest()


def textbook_nodes(leaves: Sequence[bytes], height: int, first: int = 0) -> dict[tuple[int, int], bytes]:
    """Return every complete node at one height, by (height, index); `first` is the leaf index of the first leaf."""
    width = 1 << height
    return {
        (height, (first + start) // width): textbook_root(leaves[start : start + width])
        for start in range(0, len(leaves) - width + 1, width)
    }


def textbook_inclusion(index: int, leaves: Sequence[bytes]) -> list[bytes]:
    """Return PATH(m, D[n]) over leaf hashes."""
    n = len(leaves)
    if n == 1:
        return []
    k = 1
    while k * 2 < n:
        k *= 2
    if index < k:
        return [*textbook_inclusion(index, leaves[:k]), textbook_root(leaves[k:])]
    return [*textbook_inclusion(index - k, leaves[k:]), textbook_root(leaves[:k])]


def textbook_consistency(old_size: int, leaves: Sequence[bytes]) -> list[bytes]:
    """Return PROOF(m, D[n]) over leaf hashes, for 0 < m <= n."""
    return _subproof(old_size, leaves, whole=True)


def _subproof(m: int, leaves: Sequence[bytes], *, whole: bool) -> list[bytes]:
    n = len(leaves)
    if m == n:
        return [] if whole else [textbook_root(leaves)]
    k = 1
    while k * 2 < n:
        k *= 2
    if m <= k:
        return [*_subproof(m, leaves[:k], whole=whole), textbook_root(leaves[k:])]
    return [*_subproof(m - k, leaves[k:], whole=False), textbook_root(leaves[:k])]

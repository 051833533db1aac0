"""The frontier of a Merkle tree, held against published roots and a textbook implementation."""

import hashlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textbook_tree import textbook_leaf, textbook_nodes, textbook_root

from signing.merkle import EMPTY_ROOT, Frontier, leaf_hash, node_hash

REFERENCE = json.loads((Path(__file__).parents[1] / "vectors" / "ct-reference-tree.json").read_text())


def frontier_of(leaves: list[bytes], *, start: int = 0) -> Frontier:
    frontier = Frontier(start=start)
    for leaf in leaves:
        frontier.append(leaf)
    return frontier


def numbered_leaves(count: int) -> list[bytes]:
    return [leaf_hash(b"%d" % number) for number in range(count)]


@pytest.mark.parametrize("size", range(len(REFERENCE["roots"])))
def test_the_published_reference_tree_has_the_published_roots(size: int) -> None:
    leaves = [leaf_hash(bytes.fromhex(leaf)) for leaf in REFERENCE["leaves"][:size]]
    assert frontier_of(leaves).root().hex() == REFERENCE["roots"][size]
    assert textbook_root(leaves).hex() == REFERENCE["roots"][size]


def test_an_empty_tree_has_the_hash_of_nothing_as_its_root() -> None:
    assert Frontier().root() == EMPTY_ROOT == hashlib.sha256(b"").digest()


def test_leaves_and_nodes_are_hashed_in_separate_domains() -> None:
    left, right = leaf_hash(b"l"), leaf_hash(b"r")
    assert leaf_hash(b"l") == hashlib.sha256(b"\x00l").digest()
    assert node_hash(left, right) == hashlib.sha256(b"\x01" + left + right).digest()
    assert leaf_hash(left + right) != node_hash(left, right)


@given(st.lists(st.binary(max_size=40), max_size=70))
def test_every_root_equals_the_textbook(data: list[bytes]) -> None:
    frontier = Frontier()
    leaves: list[bytes] = []
    for item in data:
        leaves.append(textbook_leaf(item))
        frontier.append(leaf_hash(item))
        assert frontier.root() == textbook_root(leaves)
    assert frontier.size == len(data)


@given(st.integers(0, 5000))
def test_the_root_of_a_tree_of_any_size_equals_the_textbook(size: int) -> None:
    leaves = numbered_leaves(size)
    assert frontier_of(leaves).root() == textbook_root(leaves)


@st.composite
def aligned_splits(draw: st.DrawFn) -> list[int]:
    """Sizes of ranges, each of which starts at a multiple of the largest subtree it grows."""
    sizes: list[int] = []
    start = 0
    for _ in range(draw(st.integers(1, 8))):
        most = 400 if start == 0 else 2 * (start & -start) - 1
        sizes.append(draw(st.integers(1, min(most, 400))))
        start += sizes[-1]
    return sizes


@given(aligned_splits())
def test_ranges_joined_at_any_aligned_split_equal_appending_one_by_one(sizes: list[int]) -> None:
    leaves = numbered_leaves(sum(sizes))
    whole, start = Frontier(), 0
    for size in sizes:
        whole.extend(frontier_of(leaves[start : start + size], start=start))
        start += size
        assert whole.size == start
        assert whole.nodes == frontier_of(leaves[:start]).nodes
    assert whole.root() == textbook_root(leaves)
    whole.append(leaf_hash(b"one more"))
    assert whole.root() == textbook_root([*leaves, leaf_hash(b"one more")])


@given(st.integers(0, 300), st.integers(1, 300))
def test_joining_two_ranges_is_either_refused_or_right(first: int, second: int) -> None:
    leaves = numbered_leaves(first + second)
    whole = frontier_of(leaves[:first])
    before = (whole.size, list(whole.nodes))
    try:
        whole.extend(frontier_of(leaves[first:], start=first))
    except ValueError:
        assert first % (1 << (second.bit_length() - 1)) != 0
        assert (whole.size, whole.nodes) == before
    else:
        assert whole.nodes == frontier_of(leaves).nodes


def test_a_range_that_does_not_follow_is_refused() -> None:
    leaves = numbered_leaves(12)
    whole = frontier_of(leaves[:4])
    with pytest.raises(ValueError, match="starts at leaf 4, found 8"):
        whole.extend(frontier_of(leaves[8:], start=8))


@given(st.integers(0, 3000), st.integers(0, 40))
def test_a_frontier_that_was_written_and_read_goes_on_as_if_nothing_had_been(size: int, more: int) -> None:
    leaves = numbered_leaves(size + more)
    kept = frontier_of(leaves[:size]).to_bytes()
    again = Frontier.from_bytes(size, kept)
    assert again.to_bytes() == kept
    assert len(kept) == 32 * size.bit_count()
    for leaf in leaves[size:]:
        again.append(leaf)
    assert again.root() == textbook_root(leaves)


@pytest.mark.parametrize(
    ("size", "length"), [(0, 32), (1, 0), (1, 31), (1, 33), (3, 32), (3, 96), (4, 64), (255, 7 * 32)]
)
def test_frontier_bytes_of_another_length_are_refused(size: int, length: int) -> None:
    with pytest.raises(ValueError, match="frontier"):
        Frontier.from_bytes(size, bytes(length))


@pytest.mark.parametrize(("size", "nodes"), [(0, 1), (1, 0), (3, 1), (7, 2), (8, 3)])
def test_a_frontier_of_another_number_of_nodes_is_refused(size: int, nodes: int) -> None:
    with pytest.raises(ValueError, match="frontier nodes"):
        Frontier(size, [bytes(32)] * nodes)


def reported_nodes(leaves: list[bytes], *, start: int = 0) -> list[tuple[tuple[int, int], bytes]]:
    seen: list[tuple[tuple[int, int], bytes]] = []
    frontier = Frontier(start=start)
    for leaf in leaves:
        frontier.append(leaf, lambda height, index, node: seen.append(((height, index), node)))
    return seen


@pytest.mark.parametrize("size", [0, 1, 255, 256, 257, 511, 512, 1023, 1100])
def test_the_nodes_reported_are_exactly_the_complete_ones_at_height_eight(size: int) -> None:
    leaves = numbered_leaves(size)
    seen = reported_nodes(leaves)
    assert dict(seen) == textbook_nodes(leaves, 8)
    assert len(seen) == size // 256


def test_the_nodes_reported_are_exactly_the_complete_ones_at_heights_eight_and_sixteen() -> None:
    leaves = numbered_leaves(65536 + 300)
    seen = reported_nodes(leaves)
    assert dict(seen) == textbook_nodes(leaves, 8) | textbook_nodes(leaves, 16)
    assert len(seen) == 257 + 1


def test_a_range_reports_its_nodes_by_their_place_in_the_whole_tree() -> None:
    leaves = numbered_leaves(512 + 40)
    assert dict(reported_nodes(leaves, start=1024)) == textbook_nodes(leaves, 8, first=1024)


def test_no_node_is_reported_before_it_is_complete() -> None:
    frontier = Frontier()
    for number, leaf in enumerate(numbered_leaves(600), 1):
        seen: list[int] = []
        frontier.append(leaf, lambda height, _index, _node, seen=seen: seen.append(height))
        assert seen == ([8] if number % 256 == 0 else [])

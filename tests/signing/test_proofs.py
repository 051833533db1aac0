"""Inclusion and consistency proofs: every one up to a size, against a textbook; and every mutation refused."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import make_vectors
import pytest
from hypothesis import given
from hypothesis import strategies as st
from textbook_tree import textbook_consistency, textbook_inclusion, textbook_nodes, textbook_root

from signing.errors import VerificationError
from signing.merkle import (
    EMPTY_ROOT,
    check_consistency,
    check_inclusion,
    leaf_hash,
    prove_consistency,
    prove_inclusion,
)
from signing.tiles import RangeHashes, Tile

SIZES = 300
DATA = [b"%d" % number for number in range(SIZES)]
LEAVES = [leaf_hash(data) for data in DATA]
VECTORS = Path(__file__).parents[1] / "vectors"


def read_tile(tile: Tile) -> bytes:
    """Return a tile of the tree over `LEAVES`, made by the textbook."""
    nodes = textbook_nodes(LEAVES, 8 * int(tile.level))
    return b"".join(nodes[8 * int(tile.level), tile.first + number] for number in range(tile.width))


@pytest.fixture(scope="module")
def roots() -> list[bytes]:
    return [textbook_root(LEAVES[:size]) for size in range(SIZES + 1)]


@pytest.mark.parametrize("size", range(1, SIZES + 1))
def test_every_inclusion_proof_of_a_size_is_the_textbooks_and_holds(size: int, roots: list[bytes]) -> None:
    from_tiles = RangeHashes(size, read_tile)
    assert from_tiles.root() == roots[size]
    for index in range(size):
        proof = prove_inclusion(index=index, size=size, range_hash=from_tiles)
        if size <= 70 or index % 7 == size % 7:
            assert proof == textbook_inclusion(index, LEAVES[:size])
        check_inclusion(index=index, size=size, leaf_hash=LEAVES[index], proof=proof, root=roots[size])


@pytest.mark.parametrize("new", range(1, SIZES + 1))
def test_every_consistency_proof_to_a_size_is_the_textbooks_and_holds(new: int, roots: list[bytes]) -> None:
    from_tiles = RangeHashes(new, read_tile)
    for old in range(new + 1):
        proof = prove_consistency(old_size=old, new_size=new, range_hash=from_tiles)
        if old and (new <= 70 or old % 7 == new % 7):
            assert proof == textbook_consistency(old, LEAVES[:new])
        check_consistency(old_size=old, new_size=new, old_root=roots[old], new_root=roots[new], proof=proof)


def test_what_is_not_in_the_tree_is_not_proved() -> None:
    ranges = RangeHashes(7, read_tile)
    for index, size in ((7, 7), (-1, 7), (0, 0)):
        with pytest.raises(ValueError, match="expected the index"):
            prove_inclusion(index=index, size=size, range_hash=ranges)
    for old, new in ((8, 7), (-1, 7)):
        with pytest.raises(ValueError, match="expected sizes in order"):
            prove_consistency(old_size=old, new_size=new, range_hash=ranges)


@pytest.mark.parametrize("size", [10**3, 10**5, 10**6, 10**9])
def test_a_proof_reads_two_tiles_a_level_at_most(size: int) -> None:
    read: list[Tile] = []

    def made_up(tile: Tile) -> bytes:
        read.append(tile)
        return bytes(32 * tile.width)

    levels = next(level for level in range(8) if size >> (8 * level) == 0)
    for index in (0, size // 3, size - 1):
        read.clear()
        prove_inclusion(index=index, size=size, range_hash=RangeHashes(size, made_up))
        assert len(read) == len(set(read)) <= 2 * levels
        read.clear()
        prove_consistency(old_size=index + 1, new_size=size, range_hash=RangeHashes(size, made_up))
        assert len(read) == len(set(read)) <= 2 * levels


# -- refusals --------------------------------------------------------------------------------------------------------


def vectors(kind: str) -> Iterator[Any]:
    for path in sorted((VECTORS / kind).glob("*.json")):
        yield pytest.param(json.loads(path.read_text()), id=path.stem)


def check(kind: str, vector: dict[str, Any]) -> None:
    found = {k: bytes.fromhex(v) if isinstance(v, str) else v for k, v in vector.items() if k != "want_error"}
    found["proof"] = [bytes.fromhex(node) for node in vector["proof"]]
    if kind == "inclusion":
        check_inclusion(**({"leaf_hash": found.pop("leaf")} | found))
    else:
        check_consistency(**found)


@pytest.mark.parametrize(
    ("kind", "vector"),
    [pytest.param(kind, *p.values, id=f"{kind}-{p.id}") for kind in make_vectors.MAKERS for p in vectors(kind)],
)
def test_a_vector_is_judged_as_its_file_says(kind: str, vector: dict[str, Any]) -> None:
    if vector["want_error"]:
        with pytest.raises(VerificationError):
            check(kind, vector)
    else:
        check(kind, vector)


def test_the_vectors_are_what_their_maker_makes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for kind in (*make_vectors.MAKERS, "checkpoints"):
        (tmp_path / kind).mkdir()
    monkeypatch.setattr(make_vectors, "VECTORS", tmp_path)
    make_vectors.main()
    made = {path.relative_to(tmp_path): path.read_bytes() for path in tmp_path.rglob("*.*")}
    folders = {path.parts[0] for path in made}
    kept = {p.relative_to(VECTORS): p.read_bytes() for f in folders for p in (VECTORS / f).iterdir()}
    assert made == kept


@pytest.mark.parametrize(("index", "size"), [(0, 2), (5, 7), (128, 200), (255, 256), (256, 257)])
def test_every_bit_of_an_inclusion_proof_counts(index: int, size: int, roots: list[bytes]) -> None:
    proof = textbook_inclusion(index, LEAVES[:size])
    good = {"index": index, "size": size, "leaf_hash": LEAVES[index], "proof": proof, "root": roots[size]}
    for altered in mutations(good):
        with pytest.raises(VerificationError):
            check_inclusion(**altered)


@pytest.mark.parametrize(("old", "new"), [(1, 2), (3, 7), (4, 7), (128, 200), (200, 256), (256, 257)])
def test_every_bit_of_a_consistency_proof_counts(old: int, new: int, roots: list[bytes]) -> None:
    proof = textbook_consistency(old, LEAVES[:new])
    good = {"old_size": old, "new_size": new, "old_root": roots[old], "new_root": roots[new], "proof": proof}
    for altered in mutations(good):
        with pytest.raises(VerificationError):
            check_consistency(**altered)


def mutations(good: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for name, value in good.items():
        if isinstance(value, bytes):
            yield from (good | {name: flipped(value, bit)} for bit in range(256))
        elif isinstance(value, list):
            for place, node in enumerate(value):
                yield from (
                    good | {name: [*value[:place], flipped(node, bit), *value[place + 1 :]]} for bit in range(256)
                )
    # A proof binds leaf, place and root; a size it binds only as far as the way to the leaf tells sizes apart.
    if "index" in good:
        yield from (
            good | {"index": good["index"] ^ (1 << bit)}
            for bit in range(64)
            if good["index"] ^ (1 << bit) != good["index"]
        )


def flipped(value: bytes, bit: int) -> bytes:
    return bytes(byte ^ (1 << bit % 8) if place == bit // 8 else byte for place, byte in enumerate(value))


ANYTHING = st.one_of(
    st.integers(),
    st.just(2**200),
    st.just(10**5000),
    st.booleans(),
    st.none(),
    st.text(max_size=3),
    st.binary(max_size=40),
    st.floats(),
)
HASHES = st.lists(st.one_of(st.binary(min_size=32, max_size=32), st.binary(max_size=40), st.none()), max_size=100)
PROOFS = st.one_of(HASHES, st.tuples(), st.none(), st.binary(), st.text(), st.integers())


@given(ANYTHING, ANYTHING, st.one_of(st.just(EMPTY_ROOT), ANYTHING), PROOFS, ANYTHING)
def test_a_checker_of_inclusion_takes_anything_and_refuses_it_in_one_way(
    index: Any, size: Any, leaf: Any, proof: Any, root: Any
) -> None:
    with pytest.raises(VerificationError):
        check_inclusion(index=index, size=size, leaf_hash=leaf, proof=proof, root=root)


@given(ANYTHING, ANYTHING, ANYTHING, st.one_of(ANYTHING, st.just(bytes(32))), PROOFS)
def test_a_checker_of_consistency_takes_anything_and_refuses_it_in_one_way(
    old_size: Any, new_size: Any, old_root: Any, new_root: Any, proof: Any
) -> None:
    with pytest.raises(VerificationError):
        check_consistency(old_size=old_size, new_size=new_size, old_root=old_root, new_root=new_root, proof=proof)


@given(st.integers(0, 2**70), st.integers(0, 2**70), st.lists(st.just(bytes(32)), max_size=100))
def test_no_row_of_zeros_is_a_proof(index: int, size: int, proof: list[bytes]) -> None:
    with pytest.raises(VerificationError):
        check_inclusion(index=index, size=size, leaf_hash=bytes(32), proof=proof, root=b"r" * 32)
    with pytest.raises(VerificationError):
        check_consistency(old_size=index, new_size=size, old_root=bytes(32), new_root=b"r" * 32, proof=proof)

"""Tiles: paths and bytes as tlog-tiles says, and nothing that is written otherwise."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signing.errors import VerificationError
from signing.tiles import (
    ENTRIES,
    SIGNATURES,
    Tile,
    beside,
    format_bundle,
    format_signatures,
    parse_bundle,
    parse_path,
    parse_signatures,
    split_hashes,
    tiles_of,
)

ENTRY = st.one_of(st.binary(max_size=40), st.just(b""), st.just(bytes(65_535)))


@pytest.mark.parametrize(
    ("tile", "path"),
    [
        (Tile(0, 1234067), "tile/0/x001/x234/067"),
        (Tile(0, 0), "tile/0/000"),
        (Tile(0, 999), "tile/0/999"),
        (Tile(0, 1000), "tile/0/x001/000"),
        (Tile(63, 7, 1), "tile/63/007.p/1"),
        (Tile(ENTRIES, 273, 112), "tile/entries/273.p/112"),
        (Tile(SIGNATURES, 273, 255), "tile/signatures/273.p/255"),
    ],
)
def test_a_path_is_written_as_tlog_tiles_says(tile: Tile, path: str) -> None:
    assert tile.path == path
    assert parse_path(path) == tile


@given(st.sampled_from([*range(64), ENTRIES, SIGNATURES]), st.integers(0, 10**15), st.integers(1, 256))
def test_a_path_is_read_as_it_was_written(level: int | str, number: int, width: int) -> None:
    tile = Tile(level, number, width)
    assert parse_path(tile.path) == tile


@pytest.mark.parametrize(
    "path",
    [
        "",
        "tile",
        "tile/0",
        "tile/0/",
        "tile/0/0",
        "tile/0/0000",
        "tile/0/x000/001",
        "tile/0/001/002",
        "tile/0/x001/x002",
        "tile/0/X001/002",
        "tile/00/000",
        "tile/64/000",
        "tile/-1/000",
        "tile/data/000",
        "tile/Entries/000",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/05",
        "tile/0/000.p/",
        "tile/0/000.p",
        "tile/0/000.p/-1",
        "tile/0/000/",
        "/tile/0/000",
        "tile/0/000\n",
        "tile/0/\u0660\u0660\u0660",
        "tile/0/../0/000",
    ],
)
def test_a_path_that_is_written_otherwise_is_refused(path: str) -> None:
    with pytest.raises(VerificationError):
        parse_path(path)


def test_the_trees_of_the_specification_have_its_tiles() -> None:
    of_70000 = list(tiles_of(70_000))
    assert [sum(tile.level == level for tile in of_70000) for level in range(3)] == [274, 2, 1]
    assert of_70000[273] == Tile(0, 273, 112)
    assert of_70000[274:] == [Tile(1, 0), Tile(1, 1, 17), Tile(2, 0, 1)]
    assert list(tiles_of(256)) == [Tile(0, 0), Tile(1, 0, 1)]
    assert list(tiles_of(0)) == []


@given(st.integers(0, 200_000), st.integers(0, 3000))
def test_what_a_tree_has_more_is_what_changed(since: int, more: int) -> None:
    before, after = set(tiles_of(since)), set(tiles_of(since + more))
    assert set(tiles_of(since + more, since=since)) == after - before


def test_what_lies_beside_a_tile_is_as_wide() -> None:
    assert beside(Tile(0, 3, 7), ENTRIES) == Tile(ENTRIES, 3, 7)


@given(st.lists(ENTRY, min_size=1, max_size=5))
def test_a_bundle_is_read_as_it_was_written(entries: list[bytes]) -> None:
    tile = Tile(ENTRIES, 0, len(entries))
    assert parse_bundle(tile, format_bundle(entries)) == entries


def test_a_bundle_that_is_cut_off_short_or_too_long_is_refused() -> None:
    tile, data = Tile(ENTRIES, 0, 3), format_bundle([b"one", b"", b"three"])
    for cut in range(len(data)):
        with pytest.raises(VerificationError):
            parse_bundle(tile, data[:cut])
    for longer in (data + b"\0", data + b"\0\0", data + format_bundle([b"four"])):
        with pytest.raises(VerificationError):
            parse_bundle(tile, longer)


def test_an_entry_that_fits_no_bundle_is_an_error() -> None:
    with pytest.raises(OverflowError):
        format_bundle([bytes(65_536)])


@given(st.lists(st.tuples(st.integers(0, 65_535), st.binary(min_size=64, max_size=64)), min_size=1, max_size=5))
def test_a_signature_tile_is_read_as_it_was_written(records: list[tuple[int, bytes]]) -> None:
    data = format_signatures(records)
    assert parse_signatures(Tile(SIGNATURES, 0, len(records)), data) == records
    for width in (len(records) - 1, len(records) + 1):
        with pytest.raises(VerificationError):
            parse_signatures(Tile(SIGNATURES, 0, width), data)


def test_a_tile_of_another_width_is_refused() -> None:
    assert split_hashes(Tile(0, 0, 2), bytes(64)) == [bytes(32), bytes(32)]
    for size in (0, 32, 63, 65, 96):
        with pytest.raises(VerificationError):
            split_hashes(Tile(0, 0, 2), bytes(size))

"""The tree of a database: its tiles, byte for byte, and proofs from them that cost little and hold."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import sqlalchemy as sa
from ledgers import append, cloud_event, create_ledger, keep_checkpoint
from sqlalchemy.engine import Connection
from textbook_tree import textbook_leaf, textbook_nodes, textbook_root

from ledger.errors import NotFoundError
from ledger.ledger import Ledger
from ledger.log import tables
from ledger.log.checkpoints import read_checkpoint
from ledger.log.database import Database
from ledger.log.tree import consistency_proof, inclusion_proof, proof_of, read_tile, tree_of
from signing.merkle import Frontier, check_consistency, check_inclusion
from signing.tiles import (
    ENTRIES,
    SIGNATURES,
    Tile,
    beside,
    parse_bundle,
    parse_signatures,
    split_hashes,
    tiles_of,
)

EDGES = (1, 2, 255, 256, 257, 511, 512, 513, 767, 768, 769)
LARGE = 256**2 + 256 + 257
LARGE_EDGES = (1, 256, 257, 32768, 65535, 65536, 65537, 65792, 65793, LARGE)


def grow_to(ledger: Ledger, size: int) -> None:
    while (missing := size - ledger.size()) > 0:
        append(ledger, *(cloud_event() for _ in range(min(1000, missing))))


def fill(database: Database, size: int) -> None:
    """Write the leaves and nodes of a large tree, without the entries that would be below them."""
    leaves = [textbook_leaf(str(n).encode()) for n in range(size)]
    nodes: list[dict[str, Any]] = []
    frontier = Frontier()
    for leaf in leaves:
        frontier.append(leaf, lambda h, i, node: nodes.append({"height": h, "index": i, "hash": node}))
    nothing = {"type_id": 1, "key_number": 0, "signature": b"", "entry": b""}
    with database.engine.connect() as connection:
        connection.exec_driver_sql("BEGIN")
        connection.execute(
            sa.insert(tables.entries),
            [nothing | {"position": n, "leaf_hash": leaf} for n, leaf in enumerate(leaves, 1)],
        )
        connection.execute(sa.insert(tables.nodes), nodes)
        connection.commit()


def rows(connection: Connection) -> list[Any]:
    e = tables.entries.c
    return list(connection.execute(sa.select(e.entry, e.leaf_hash, e.key_number, e.signature).order_by(e.position)))


@contextmanager
def counting(database: Database) -> Iterator[list[str]]:
    """The SQL statements that are executed in here."""
    statements: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        statements.append(statement)

    sa.event.listen(database.engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        sa.event.remove(database.engine, "before_cursor_execute", note)


def every_tile_is_right(connection: Connection, sizes: tuple[int, ...], leaves: list[bytes]) -> None:
    nodes = textbook_nodes(leaves, 8) | textbook_nodes(leaves, 16)
    known = {0: leaves, 1: _row(nodes, 8), 2: _row(nodes, 16)}
    seen = set()
    for size in sizes:
        for tile in tiles_of(size):
            if tile not in seen:
                seen.add(tile)
                level = int(tile.level)
                assert split_hashes(tile, read_tile(connection, tile)) == known[level][tile.first :][: tile.width], tile
    assert {level for level, row in known.items() if row} == {tile.level for tile in seen}


def _row(nodes: dict[tuple[int, int], bytes], height: int) -> list[bytes]:
    return [node for (at, _), node in sorted(nodes.items()) if at == height]


def proofs_hold(connection: Connection, sizes: tuple[int, ...], leaves: list[bytes]) -> None:
    roots = {size: textbook_root(leaves[:size]) for size in sizes}
    for size in sizes:
        assert tree_of(connection, size).root() == roots[size]
        for position in {p for p in (1, 2, 256, 257, 65536, size // 2, size - 1, size) if 1 <= p <= size}:
            proof = inclusion_proof(connection, position, size)
            assert len(proof) <= (size - 1).bit_length()
            check_inclusion(
                index=position - 1, size=size, leaf_hash=leaves[position - 1], proof=proof, root=roots[size]
            )
        for old in (old for old in sizes if old <= size):
            check_consistency(
                old_size=old,
                new_size=size,
                old_root=roots[old],
                new_root=roots[size],
                proof=consistency_proof(connection, old, size),
            )
        assert consistency_proof(connection, 0, size) == []


def proofs_are_cheap(database: Database, size: int, levels: int) -> None:
    """Two tiles for every level, whatever the entry: so many statements, and 256 hashes each."""
    olds = [o for o in (1, 255, 256, 257, 300, size // 3, size // 2, 65535, 65536, 65537, size - 1, size) if o <= size]
    with database.read() as connection:
        for old in olds:
            for prove in (
                lambda: inclusion_proof(connection, old, size),  # noqa: B023
                lambda: consistency_proof(connection, old, size),  # noqa: B023
                lambda: [tree_of(connection, size).root()],
            ):
                with counting(database) as statements:
                    proof = prove()
                assert len(statements) <= 2 * levels, (old, statements)
                assert len(proof) <= 2 * (size - 1).bit_length()
                hashes = sum(len(connection.exec_driver_sql(statement).all()) for statement in statements)
                assert hashes <= 2 * 256 * levels


def test_every_tile_holds_what_the_entries_say(ledger: Ledger) -> None:
    grow_to(ledger, EDGES[-1])
    with ledger.database.read() as connection:
        stored = rows(connection)
        leaves = [textbook_leaf(row.entry) for row in stored]
        every_tile_is_right(connection, EDGES, leaves)
        for size in EDGES:
            for tile in (tile for tile in tiles_of(size) if tile.level == 0):
                expected = stored[tile.first :][: tile.width]
                bundle, signatures = beside(tile, ENTRIES), beside(tile, SIGNATURES)
                assert parse_bundle(bundle, read_tile(connection, bundle)) == [row.entry for row in expected]
                assert parse_signatures(signatures, read_tile(connection, signatures)) == [
                    (row.key_number, row.signature) for row in expected
                ]


def test_what_reaches_beyond_the_ledger_is_not_there(ledger: Ledger) -> None:
    grow_to(ledger, 300)
    missing = {
        Tile(0, 1): "tile/0/001 is not there: the ledger has 44 of its 256",
        Tile(0, 1, 45): r"tile/0/001\.p/45 is not there: the ledger has 44 of its 45",
        Tile(0, 2, 1): r"tile/0/002\.p/1 is not there: the ledger has 0 of its 1",
        Tile(1, 0, 2): r"tile/1/000\.p/2 is not there: the ledger has 1 of its 2",
        Tile(1, 0): "tile/1/000 is not there: the ledger has 1 of its 256",
        Tile(2, 0, 1): r"tile/2/000\.p/1 is not there: the ledger has 0 of its 1",
        Tile(63, 0, 1): r"tile/63/000\.p/1 is not there",
        Tile(ENTRIES, 1, 45): r"tile/entries/001\.p/45 is not there: the ledger has 44 of its 45",
        Tile(SIGNATURES, 2, 1): r"tile/signatures/002\.p/1 is not there",
        Tile(0, 10**12, 1): "tile/0/x001/x000/x000/x000/000.* is not there: the ledger has 0 of its 1",
    }
    with ledger.database.read() as connection:
        for tile, message in missing.items():
            with pytest.raises(NotFoundError, match=message):
                read_tile(connection, tile)
        assert len(read_tile(connection, Tile(0, 1, 44))) == 44 * 32
        with pytest.raises(NotFoundError, match="is not there: the ledger has"):
            tree_of(connection, 301).root()


def test_proofs_hold_against_the_textbook_tree(ledger: Ledger) -> None:
    grow_to(ledger, EDGES[-1])
    with ledger.database.read() as connection:
        proofs_hold(connection, EDGES, [textbook_leaf(row.entry) for row in rows(connection)])


def test_a_position_that_a_tree_has_not_cannot_be_proved(ledger: Ledger) -> None:
    grow_to(ledger, 5)
    with ledger.database.read() as connection:
        for position, size in ((0, 5), (6, 5), (-1, 5), (1, 0)):
            with pytest.raises(NotFoundError, match=f"position {position} is not among the first {size}"):
                inclusion_proof(connection, position, size)


def test_a_proof_file_is_under_the_published_checkpoint(ledger: Ledger) -> None:
    grow_to(ledger, 5)
    note = keep_checkpoint(ledger, cosigned=True)
    grow_to(ledger, 6)
    with ledger.database.read() as connection:
        published = read_checkpoint(connection)
        proof = proof_of(connection, 3, published)
        assert (proof.index, proof.checkpoint) == (2, published.note)
        assert proof.checkpoint.text == note.text
        assert list(proof.hashes) == inclusion_proof(connection, 3, 5)
        with pytest.raises(
            NotFoundError, match="position 6 is not under a published checkpoint yet; the last one covers 5"
        ):
            proof_of(connection, 6, published)


def test_a_proof_reads_two_tiles_for_every_level(ledger: Ledger) -> None:
    grow_to(ledger, EDGES[-1])
    proofs_are_cheap(ledger.database, 255, 1)
    proofs_are_cheap(ledger.database, EDGES[-1], 2)


def test_a_tree_of_three_levels_is_proved_as_cheaply(sqlite_url: str) -> None:
    database = Database(sqlite_url)
    database.migrate()
    fill(database, LARGE)
    leaves = [textbook_leaf(str(n).encode()) for n in range(LARGE)]
    with database.read() as connection:
        every_tile_is_right(connection, LARGE_EDGES[-6:], leaves)
        proofs_hold(connection, LARGE_EDGES[-4:], leaves)
    proofs_are_cheap(database, LARGE, 3)
    database.close()


@pytest.mark.slow
def test_a_ledger_that_has_grown_to_three_levels_is_the_same(database_url: str) -> None:
    ledger = create_ledger(database_url)
    grow_to(ledger, LARGE)
    with ledger.database.read() as connection:
        stored = rows(connection)
        leaves = [textbook_leaf(row.entry) for row in stored]
        every_tile_is_right(connection, LARGE_EDGES, leaves)
        proofs_hold(connection, LARGE_EDGES, leaves)
        last = Tile(ENTRIES, 256)
        assert parse_bundle(last, read_tile(connection, last)) == [row.entry for row in stored[65536:65792]]
    proofs_are_cheap(ledger.database, LARGE, 3)
    ledger.close()


# -- damage ------------------------------------------------------------------------------------------------------------


def alter(database: Database, table: str, statement: str) -> None:
    kind = "delete" if statement.startswith("DELETE") else "update"
    trigger = f"DROP TRIGGER IF EXISTS {table}_refuses_{kind}" + ("" if database.is_sqlite else f" ON {table}")
    with database.engine.connect() as connection:
        connection.exec_driver_sql(trigger)
        connection.exec_driver_sql(statement)
        connection.commit()


def test_a_leaf_or_node_that_is_missing_is_named(ledger: Ledger) -> None:
    grow_to(ledger, 300)
    alter(ledger.database, "entries", "DELETE FROM entries WHERE position = 280")
    with ledger.database.read() as connection:
        with pytest.raises(NotFoundError, match=r"tile/0/001\.p/44 is not there: the ledger has 43 of its 44"):
            inclusion_proof(connection, 290, 300)
        # A proof that does not pass there is made.
        assert len(consistency_proof(connection, 100, 256)) > 0
    alter(ledger.database, "nodes", "DELETE FROM nodes")
    with (
        ledger.database.read() as connection,
        pytest.raises(NotFoundError, match=r"tile/1/000\.p/1 is not there: the ledger has 0 of its 1"),
    ):
        inclusion_proof(connection, 257, 257)


def test_a_leaf_or_node_that_is_not_a_hash_is_damaged_in_words(ledger: Ledger) -> None:
    grow_to(ledger, 300)
    for table, tile in (("entries", Tile(0, 0)), ("nodes", Tile(1, 0, 1))):
        column, where = ("leaf_hash", "WHERE position = 7") if table == "entries" else ("hash", "")
        alter(ledger.database, table, f"UPDATE {table} SET {column} = (SELECT signature FROM entries LIMIT 1) {where}")
        message = f"{tile.path} is damaged: expected {tile.width * 32} bytes of hashes, found {tile.width * 32 + 32}"
        with (
            ledger.database.read() as connection,
            pytest.raises(NotFoundError, match=f"{message}.*change-ledger verify"),
        ):
            read_tile(connection, tile)


@pytest.mark.parametrize("value", ["'a text'", "7", "1.5"])
def test_what_sqlite_lets_somebody_put_in_the_place_of_bytes_is_damage(sqlite_ledger: Ledger, value: str) -> None:
    grow_to(sqlite_ledger, 300)
    for table, column, tile in (
        ("entries", "leaf_hash", Tile(0, 0)),
        ("nodes", "hash", Tile(1, 0, 1)),
        ("entries", "signature", Tile(SIGNATURES, 0)),
        ("entries", "entry", Tile(ENTRIES, 0)),
        ("entries", "key_number", Tile(SIGNATURES, 0)),
    ):
        if column == "key_number" and value == "7":
            continue
        alter(sqlite_ledger.database, table, f"UPDATE {table} SET {column} = {value}")
        with sqlite_ledger.database.read() as connection, pytest.raises(NotFoundError, match="damaged"):
            read_tile(connection, tile)


def test_a_signature_that_is_too_short_or_too_long_is_damage(ledger: Ledger) -> None:
    for other in ("leaf_hash", "entry"):
        alter(ledger.database, "entries", f"UPDATE entries SET signature = {other}")
        with (
            ledger.database.read() as connection,
            pytest.raises(NotFoundError, match=r"tile/signatures/000\.p/1 is damaged: expected 64 bytes"),
        ):
            read_tile(connection, Tile(SIGNATURES, 0, 1))


def test_entries_and_keys_that_do_not_fit_their_tile_are_damage(sqlite_ledger: Ledger) -> None:
    alter(sqlite_ledger.database, "entries", "UPDATE entries SET entry = zeroblob(65536), key_number = 65536")
    with sqlite_ledger.database.read() as connection:
        for level in (ENTRIES, SIGNATURES):
            with pytest.raises(NotFoundError, match=f"tile/{level}/000.p/1 is damaged"):
                read_tile(connection, Tile(level, 0, 1))


def test_a_text_or_number_in_the_place_of_an_entry_is_damage(sqlite_ledger: Ledger) -> None:
    for value in ("'a text'", "7", "70000", "-1", "1.5"):
        alter(sqlite_ledger.database, "entries", f"UPDATE entries SET entry = {value}")
        with sqlite_ledger.database.read() as connection, pytest.raises(NotFoundError, match="damaged"):
            read_tile(connection, Tile(ENTRIES, 0, 1))

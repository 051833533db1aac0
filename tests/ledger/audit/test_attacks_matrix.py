"""Attacks as one table: which parties notice each of them, and, by their absence, who cannot.

Every knob is turned in a world of its own and every party looks. A party that is not named for a knob looked and saw nothing.

| knob | who notices |
|---|---|
| edit_column | audit |
| edit_bytes | audit, checkpoint, receipt, export |
| edit_bytes_and_leaf | audit, checkpoint, receipt, export, signer, witness |
| drop_entry | audit, receipt, export, signer, witness |
| drop_two_adjacent | audit, receipt, export, signer, witness |
| swap_two | audit, checkpoint, receipt, export, signer, witness |
| relink_without_keys | audit, checkpoint, receipt, export, signer, witness |
| resign_with_entry_key | checkpoint, receipt, export, signer, witness |
| truncate_tail | checkpoint, receipt, export, signer, witness |
| backdate_recorded_at | checkpoint, receipt, export, signer, witness |
| delete_checkpoints | nobody |
| rewrite_after_last_anchor | nobody |
| resign_under_fresh_keys | audit, checkpoint, receipt, export, signer, witness |
"""

import contextlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ledgers import CHECKPOINT_KEY, ENTRY_KEY, ORIGIN, append, cloud_event
from simulator import LOG_KEY, World, edited, without

from ledger.audit.log_files import Directory
from ledger.audit.of_files import audit_files
from ledger.errors import LedgerError
from ledger.ledger import Ledger
from ledger.log.checkpoints import store_checkpoint
from ledger.log.database import Database
from ledger.log.tree import tree_of
from ledger.published.export import export
from signing.checkpoint import Checkpoint, check_checkpoint, sign_checkpoint
from signing.keys import SigningKey
from signing.witness import WitnessRefusalError

FRESH_ENTRY, FRESH_CHECKPOINT = SigningKey.from_seed(b"1" * 32), SigningKey.from_seed(b"2" * 32)
KNOBS: dict[str, Callable[[World], None]] = {}


def knob(turn: Callable[[World], None]) -> Callable[[World], None]:
    KNOBS[turn.__name__] = turn
    return turn


@knob
def edit_column(world: World) -> None:
    world.execute("UPDATE entries SET type_id = (SELECT min(id) FROM event_types) WHERE position = 5")


FLIP = "CAST(replace(CAST(entry AS TEXT), '\"success\"', '\"failure\"') AS BLOB)"


@knob
def edit_bytes(world: World) -> None:
    world.execute(f"UPDATE entries SET entry = {FLIP} WHERE position = 5")


@knob
def edit_bytes_and_leaf(world: World) -> None:
    import sqlite3

    from signing.merkle import leaf_hash

    world.execute(f"UPDATE entries SET entry = {FLIP} WHERE position = 5")
    with contextlib.closing(sqlite3.connect(world.path)) as c:
        [entry] = c.execute("SELECT entry FROM entries WHERE position = 5").fetchone()
        c.execute("UPDATE entries SET leaf_hash = ? WHERE position = 5", (leaf_hash(entry),))
        c.commit()


@knob
def drop_entry(world: World) -> None:
    world.execute("DELETE FROM entries WHERE position = 5")


@knob
def drop_two_adjacent(world: World) -> None:
    world.execute("DELETE FROM entries WHERE position IN (5, 6)")


@knob
def swap_two(world: World) -> None:
    world.execute(
        "UPDATE entries SET position = -1 WHERE position = 5",
        "UPDATE entries SET position = 5 WHERE position = 6",
        "UPDATE entries SET position = 6 WHERE position = -1",
    )


@knob
def relink_without_keys(world: World) -> None:
    world.replace(world.forge(edited(5, outcome="failure"), entry_key=ENTRY_KEY))
    world.execute("UPDATE entries SET signature = zeroblob(64) WHERE position >= 5")


@knob
def resign_with_entry_key(world: World) -> None:
    world.replace(world.forge(edited(5, outcome="failure")))


@knob
def truncate_tail(world: World) -> None:
    world.replace(world.forge(without(world.size, world.size - 1)))


@knob
def backdate_recorded_at(world: World) -> None:
    def earlier(documents: list[dict[str, Any]]) -> list[dict[str, Any]]:
        # As early as the one before it allows: further back, the audit would see the clock go backwards.
        before = next(d["recorded_at"] for d in reversed(documents) if d["recorded_at"] < documents[-1]["recorded_at"])
        last = documents[-1]["recorded_at"]
        for document in documents:
            document["recorded_at"] = before if document["recorded_at"] == last else document["recorded_at"]
        return documents

    world.replace(world.forge(earlier))


@knob
def delete_checkpoints(world: World) -> None:
    world.execute("DELETE FROM checkpoints", "DELETE FROM cosignatures")


@knob
def rewrite_after_last_anchor(world: World) -> None:
    ledger = world.open()
    append(ledger, cloud_event())
    ledger.close()
    world.replace(world.forge(edited(world.size + 1, outcome="failure")))


@knob
def resign_under_fresh_keys(world: World) -> None:
    def fresh(documents: list[dict[str, Any]]) -> list[dict[str, Any]]:
        data = documents[0]["statement"]["data"]
        data |= {"entry_key": FRESH_ENTRY.public_key.hex(), "checkpoint_key": FRESH_CHECKPOINT.public_key.hex()}
        for document in documents:
            if document["recorded_by"]["credential"].startswith("key:"):
                document["recorded_by"]["credential"] = f"key:{FRESH_ENTRY.key_id[:16]}"
        return [d for d in documents if d["statement"]["type"] != "ledger.heads_committed"]

    world.replace(world.forge(fresh, entry_key=FRESH_ENTRY))


# -- the parties -----------------------------------------------------------------------------------------------------


def audit(world: World) -> bool:
    return world.audit().verdict != "sound"


def checkpoint(world: World) -> bool:
    return "checkpoint-contradicted" in world.kinds(given=[check_checkpoint(world.held, [LOG_KEY])])


def receipt(world: World) -> bool:
    return "receipt-broken" in world.kinds(receipts=[(r.position, r.entry_hash) for r in world.receipts] + world.last)


def _keys(world: World) -> tuple[SigningKey, SigningKey]:
    fresh = FRESH_ENTRY.public_key.hex() in str(world.documents()[0])
    return (FRESH_ENTRY, FRESH_CHECKPOINT) if fresh else (ENTRY_KEY, CHECKPOINT_KEY)


def _thief_signs(world: World, path: Path) -> tuple[Ledger, Any]:
    """One more entry, and a checkpoint over all, by whichever keys this history stands on."""
    entry_key, key = _keys(world)
    ledger = Ledger.open(Database(f"sqlite:///{path}"), entry_key)
    append(ledger, cloud_event())
    with ledger.database.engine.begin() as connection:
        size = ledger.size()
        note = sign_checkpoint(Checkpoint(ORIGIN, size, tree_of(connection, size).root()), key)
        store_checkpoint(connection, note)
    return ledger, note


def export_holder(world: World) -> bool:
    assert audit_files(Directory(world.directory / "export"), pin=world.pin, workers=1).verdict == "sound"
    database = None
    try:
        ledger, _ = _thief_signs(world, world.copy("for-export.db"))
        database = ledger.database
        export(database, world.directory / "export")
    except LedgerError:
        return True
    finally:
        if database is not None:
            ledger.close()
    return False


def signer(world: World) -> bool:
    entry_key, key = _keys(world)
    try:
        ledger = Ledger.open(Database(f"sqlite:///{world.copy('for-signer.db')}"), entry_key)
    except LedgerError:
        return True
    append(ledger, cloud_event())
    from ledger.published.signer import CheckpointSigner

    found = CheckpointSigner(ledger.database, key, world.memory, ledger.current_authority)
    assert found.acquire()
    before = world.memory.path.read_bytes()
    try:
        found.sign()
    except LedgerError:
        return True
    finally:
        found.release()
        ledger.close()
        world.memory.path.write_bytes(before)
    return False


def witness(world: World) -> bool:
    try:
        ledger, note = _thief_signs(world, world.copy("for-witness.db"))
    except LedgerError:
        return True
    try:
        world.ask_witness(ledger.database, note)
    except (WitnessRefusalError, LedgerError) as error:
        world.status = getattr(error, "status", None)
        return True
    finally:
        ledger.close()
    return False


PARTIES = {
    "audit": audit,
    "checkpoint": checkpoint,
    "receipt": receipt,
    "export": export_holder,
    "signer": signer,
    "witness": witness,
}
ROWS = {
    name: set() if who == "nobody" else set(who.split(", "))
    for name, who in re.findall(r"^\| (\w+) \| ([\w, ]+) \|$", __doc__ or "", re.M)
    if name != "knob"
}


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = World(tmp_path)
    ledger = made.open()
    with ledger.database.read() as connection:
        from ledger.log.reading import read_entry

        stored = read_entry(connection, made.size)
    made.last = [(stored.position, stored.leaf_hash)]
    made.status = None
    ledger.close()
    return made


def test_the_table_has_one_row_for_every_knob() -> None:
    assert list(ROWS) == list(KNOBS)


@pytest.mark.parametrize("name", KNOBS)
def test_each_knob_is_noticed_by_just_those_whom_the_table_names(world: World, name: str) -> None:
    KNOBS[name](world)
    noticed = {party for party, looks in PARTIES.items() if looks(world)}
    assert noticed == ROWS[name]

"""Attacks, one test a knob: who notices, and who cannot.

| knob | noticed by |
|---|---|
| edit bytes, drop, swap, two adjacent deletions | the audit alone |
| edit and link again, without keys | the audit alone: the signatures |
| re-sign with the stolen entry key, checkpoints kept | the audit alone: the checkpoints |
| re-sign with the stolen entry key, checkpoints deleted | the signer, an old checkpoint, a receipt, an export; not the audit alone |
| re-sign with the entry and the checkpoint key | an old checkpoint, the witness, a receipt, an export; not the audit alone |
| cut off the tail, put an old backup back | the signer, an old checkpoint, a receipt; not the audit alone |
| roll the signer's memory back as well | an old checkpoint, the witness; nobody inside |
| fork, show two histories | the witness, and two auditors who compare |
| backdate | nobody: `time` is a claim; a lowered `recorded_at` is noticed by the audit alone |
| use a revoked key | the audit alone; what was signed before is listed as affected |
| re-sign everything under fresh keys | the pin alone |
| commit false heads, leave a ref off | the audit alone |
| forge a witness line | the audit alone, and whoever checks the checkpoint |
"""

import shutil
from pathlib import Path
from typing import Any

import pytest
from ledgers import CHECKPOINT_KEY, ENTRY_KEY, ORIGIN, append, cloud_event, enrol_entry_key
from simulator import LOG_KEY, World, edited, without

from ledger.audit.log_files import Directory
from ledger.audit.of_files import audit_files
from ledger.errors import LostHistoryError
from ledger.ledger import Ledger
from ledger.log.checkpoints import store_checkpoint
from ledger.log.database import Database
from ledger.log.tree import consistency_proof, tree_of
from ledger.published.export import export
from ledger.published.heads import Heads
from ledger.published.signer import Memory
from ledger.statement import Statement
from ledger.stewardship import commitments
from ledger.stewardship.commitments import commit_heads
from ledger.stewardship.keys import revoke_key
from signing.checkpoint import Checkpoint, check_checkpoint, parse_checkpoint, sign_checkpoint
from signing.errors import VerificationError
from signing.keys import SigningKey
from signing.merkle import check_consistency
from signing.notes import Note
from signing.witness import cosign


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def held(world: World) -> list[Checkpoint]:
    """What an auditor holds: the checkpoint that was published last."""
    return [check_checkpoint(world.held, [LOG_KEY])]


def receipts(world: World) -> list[tuple[int, bytes]]:
    return [(receipt.position, receipt.entry_hash) for receipt in world.receipts]


def signed_by_the_thief(world: World, path: Path) -> Note:
    """A checkpoint over a forged history, by the stolen checkpoint key."""
    ledger = world.open(path)
    with ledger.database.read() as connection:
        size = ledger.size()
        note = sign_checkpoint(Checkpoint(ORIGIN, size, tree_of(connection, size).root()), CHECKPOINT_KEY)
    ledger.close()
    return note


def signer_refuses(world: World, *, memory: Memory | None = None) -> None:
    ledger = world.open()
    signer = world.signer(ledger, memory)
    assert signer.acquire()
    try:
        with pytest.raises(LostHistoryError):
            signer.sign()
    finally:
        signer.release()
        ledger.close()


def test_nothing_is_found_where_nobody_attacks(world: World) -> None:
    report = world.audit(given=held(world), receipts=receipts(world))
    assert (report.verdict, report.checkpoint_size, report.anchored_size) == ("sound", world.size, world.size)
    assert audit_files(Directory(world.directory / "export"), pin=world.pin, workers=1).verdict == "sound"


# -- with the database alone -----------------------------------------------------------------------------------------


def test_edited_bytes_are_found_by_the_audit_alone(world: World) -> None:
    world.execute("UPDATE entries SET entry = replace(entry, 'success', 'failure') WHERE position = 5")
    assert "entry-altered" in world.kinds()


def test_a_dropped_entry_is_found_by_the_audit_alone(world: World) -> None:
    world.execute("DELETE FROM entries WHERE position = 5")
    assert "missing" in world.kinds()


def test_two_adjacent_deletions_are_found_by_the_audit_alone(world: World) -> None:
    world.execute("DELETE FROM entries WHERE position IN (5, 6)")
    assert "missing" in world.kinds()


def test_two_adjacent_deletions_with_positions_moved_up_are_found_by_the_audit_alone(world: World) -> None:
    moved = f"UPDATE entries SET position = position - 2 WHERE position > 6 AND position <= {world.size}"
    world.execute("DELETE FROM entries WHERE position IN (5, 6)", moved)
    assert {"position-wrong", "link-broken"} <= world.kinds()


def test_two_swapped_entries_are_found_by_the_audit_alone(world: World) -> None:
    world.execute(
        "UPDATE entries SET position = -1 WHERE position = 5",
        "UPDATE entries SET position = 5 WHERE position = 6",
        "UPDATE entries SET position = 6 WHERE position = -1",
    )
    assert {"position-wrong", "link-broken"} <= world.kinds()


def test_a_history_linked_again_without_the_key_is_found_by_the_audit_alone(world: World) -> None:
    forged = world.forge(edited(5, outcome="failure"), entry_key=ENTRY_KEY)
    signatures = "(SELECT o.signature FROM original.entries o WHERE o.position = entries.position)"
    world.execute(f"ATTACH '{world.path}' AS original", f"UPDATE entries SET signature = {signatures}", path=forged)
    assert world.kinds(forged) == {"signature-wrong"}


# -- with the entry key ----------------------------------------------------------------------------------------------


def test_a_history_signed_again_is_found_by_the_audit_alone_while_checkpoints_are_kept(world: World) -> None:
    forged = world.forge(edited(5, outcome="failure"))
    for table in ("checkpoints", "cosignatures"):
        copy = f"INSERT INTO {table} SELECT * FROM original.{table}"
        world.execute(f"ATTACH '{world.path}' AS original", copy, path=forged)
    assert world.kinds(forged) == {"checkpoint-wrong"}


def test_a_history_signed_again_without_checkpoints_is_found_by_all_who_hold_something_and_not_by_the_audit_alone(
    world: World,
) -> None:
    forged = world.forge(edited(5, outcome="failure"))
    assert world.audit(forged).verdict == "sound"
    assert world.kinds(forged, given=held(world)) == {"checkpoint-contradicted"}
    assert world.kinds(forged, receipts=receipts(world)) == {"receipt-broken"}
    world.replace(forged)
    signer_refuses(world)
    export_still_stands_and_differs(world)


def export_still_stands_and_differs(world: World) -> None:
    assert audit_files(Directory(world.directory / "export"), pin=world.pin, workers=1).verdict == "sound"
    ledger = world.open()
    with pytest.raises(LostHistoryError, match="not the first ones of this ledger"):
        export_again(world, ledger)
    ledger.close()


def export_again(world: World, ledger: Ledger) -> None:
    """Export over the directory that was exported before, once the forged history has a checkpoint."""
    with ledger.database.engine.begin() as connection:
        size = ledger.size()
        root = tree_of(connection, size).root()
        store_checkpoint(connection, sign_checkpoint(Checkpoint(ORIGIN, size, root), CHECKPOINT_KEY))
    export(ledger.database, world.directory / "export")


# -- with both keys --------------------------------------------------------------------------------------------------


def test_a_history_signed_again_with_both_keys_is_found_outside_alone(world: World) -> None:
    forged = world.forge(edited(5, outcome="failure"))
    note = signed_by_the_thief(world, forged)
    assert world.audit(forged).verdict == "sound"
    ledger = world.open(forged)
    assert world.witness_refuses(ledger.database, note) == 422
    ledger.close()
    assert world.kinds(forged, given=held(world)) == {"checkpoint-contradicted"}
    # The two notes are evidence that convinces anybody: one log, one size, two roots, both signed by it.
    ours, theirs = check_checkpoint(world.held, [LOG_KEY]), check_checkpoint(note, [LOG_KEY])
    assert (ours.origin, ours.size) == (theirs.origin, theirs.size)
    assert ours.root != theirs.root


def test_what_came_after_the_last_anchor_may_be_rewritten_by_whoever_has_all_keys(world: World) -> None:
    # The window that the report states: nobody outside has seen these entries.
    ledger = world.open()
    append(ledger, cloud_event())
    ledger.close()
    report = world.audit()
    assert (report.size, report.anchored_size) == (world.size + 1, world.size)
    forged = world.forge(edited(world.size + 1, outcome="failure"))
    assert world.audit(forged, given=held(world), receipts=receipts(world)).verdict == "sound"


def test_a_ledger_signed_again_under_fresh_keys_is_found_by_the_pin_alone(world: World) -> None:
    entry_key, checkpoint_key = SigningKey.from_seed(b"1" * 32), SigningKey.from_seed(b"2" * 32)

    def fresh(documents: list[dict[str, Any]]) -> list[dict[str, Any]]:
        data = documents[0]["statement"]["data"]
        data |= {"entry_key": entry_key.public_key.hex(), "checkpoint_key": checkpoint_key.public_key.hex()}
        for document in documents:
            if document["recorded_by"]["credential"].startswith("key:"):
                document["recorded_by"]["credential"] = f"key:{entry_key.key_id[:16]}"
        return [d for d in documents if d["statement"]["type"] != "ledger.heads_committed"]

    forged = world.forge(fresh, entry_key=entry_key)
    assert world.audit(forged, pinned=False).verdict == "consistent"
    assert world.kinds(forged) == {"not-pinned-genesis"}


# -- time ------------------------------------------------------------------------------------------------------------


def test_a_cut_off_tail_is_found_by_who_remembers_and_not_by_the_audit_alone(world: World) -> None:
    forged = world.forge(without(world.size, world.size - 1))
    assert world.audit(forged).verdict == "sound"
    assert world.kinds(forged, given=held(world)) == {"checkpoint-contradicted"}
    world.replace(forged)
    signer_refuses(world)


def test_an_old_backup_is_found_by_who_remembers_and_not_by_the_audit_alone(world: World) -> None:
    backup = world.copy()
    ledger = world.open()
    appended = append(ledger, cloud_event())
    world.sign(ledger)
    ledger.close()
    later = [(outcome.receipts[0].position, outcome.receipts[0].entry_hash) for outcome in appended]
    world.replace(backup)
    assert world.audit().verdict == "sound"
    assert world.kinds(receipts=later) == {"receipt-broken"}
    signer_refuses(world)


def test_a_signer_whose_memory_was_rolled_back_too_is_found_outside_alone(world: World, tmp_path: Path) -> None:
    backup = world.copy()
    memory = tmp_path / "old-memory"
    shutil.copy(world.memory.path, memory)
    ledger = world.open()
    append(ledger, cloud_event(), cloud_event())
    seen = check_checkpoint(world.sign(ledger), [LOG_KEY])
    ledger.close()
    world.replace(backup)
    shutil.copy(memory, world.memory.path)
    ledger = world.open()
    append(ledger, cloud_event())
    signer = world.signer(ledger)
    assert signer.acquire()
    note = signer.sign()
    signer.release()
    assert note is not None, "nobody inside can know"
    assert world.witness_refuses(ledger.database, note) in (400, 409)
    ledger.close()
    assert world.kinds(given=[seen]) == {"checkpoint-contradicted"}


def test_a_claimed_time_in_the_past_is_only_a_claim(world: World) -> None:
    ledger = world.open()
    [outcome] = append(ledger, cloud_event() | {"time": "2016-01-01T00:00:00Z"})
    ledger.close()
    assert outcome.receipts[0].recorded_at > "2026"
    assert world.audit().verdict == "sound"


def test_a_lowered_time_of_recording_is_found_by_the_audit_alone(world: World) -> None:
    year = 'CAST(replace(CAST(entry AS TEXT), \'"recorded_at":"20\', \'"recorded_at":"19\') AS BLOB)'
    backwards = f"UPDATE entries SET entry = {year} WHERE position = 9"
    world.execute(backwards)
    assert {"clock-backwards", "entry-altered"} <= world.kinds()


# -- two histories ---------------------------------------------------------------------------------------------------


def test_two_histories_are_found_by_the_witness_and_by_two_auditors_who_compare(world: World) -> None:
    other = world.copy("other.db")
    notes = []
    for path in (world.path, other):
        ledger = world.open(path)
        append(ledger, cloud_event())
        notes.append((path, signed_by_the_thief(world, path)))
        ledger.close()
    first, second = (world.open(path) for path, _ in notes)
    with first.database.engine.begin() as connection:
        store_checkpoint(connection, notes[0][1])
    world.ask_witness(first.database, notes[0][1])
    assert world.witness_refuses(second.database, notes[1][1]) == 422
    # Each alone is sound to an auditor; compared, no proof connects them.
    assert world.audit().verdict == world.audit(other).verdict == "sound"
    one, two = (parse_checkpoint(note.text) for _, note in notes)
    append(second, cloud_event())
    with second.database.read() as connection:
        proof = consistency_proof(connection, one.size, one.size + 1)
        newer = tree_of(connection, one.size + 1).root()
    with pytest.raises(VerificationError):
        check_consistency(old_size=one.size, new_size=one.size + 1, old_root=one.root, new_root=newer, proof=proof)
    assert two.root != one.root
    for ledger in (first, second):
        ledger.close()


# -- keys ------------------------------------------------------------------------------------------------------------


def test_a_revoked_key_that_signs_on_is_found_by_the_audit_alone_and_what_it_signed_before_is_listed(
    world: World,
) -> None:
    successor = SigningKey.from_seed(b"n" * 32)
    ledger = world.open()
    enrol_entry_key(ledger, successor, "successor")
    revoke_key(ledger, ENTRY_KEY.key_id, role="entry", from_position=10, reason="leaked", actor="person:root")
    revoked_at = ledger.size()
    ledger.close()
    report = world.audit()
    assert report.verdict == "sound"
    affected = {item.position: item.anchored for item in report.affected}
    assert affected == {p: p <= world.size for p in range(10, revoked_at + 1)}
    # The thief signs on, and has to write past the recorder, which refuses.
    later = world.copy("later.db")
    after = Ledger.open(Database(f"sqlite:///{later}"), successor)
    append(after, cloud_event())
    after.close()
    signed = "UPDATE entries SET key_number = 0 WHERE position = (SELECT max(position) FROM entries)"
    world.execute(signed, path=later)
    assert "signature-wrong" in world.kinds(later)


# -- what a dossier stands on ----------------------------------------------------------------------------------------


def test_false_heads_are_found_by_the_audit_alone(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = world.open()
    monkeypatch.setattr(
        commitments, "Heads", lambda size, heads: Heads(size, [h for h in heads if not h[0].startswith("change:")])
    )
    position = commit_heads(ledger).position
    ledger.close()
    assert [(f.position, f.kind) for f in world.audit().faults] == [(position, "heads-commitment-wrong")]


def test_a_ref_left_off_an_entry_is_found_by_the_audit_alone(world: World) -> None:
    def leave_off(statement: Statement) -> tuple[str, ...]:
        return tuple(ref for ref in statement.refs if not ref.startswith("change:CHG-1"))

    forged = world.forge(lambda documents: documents, refs=leave_off)
    assert "refs-wrong" in world.kinds(forged)


# -- witnesses -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("forgery", ["another key", "an unknown name", "another checkpoint"])
def test_a_forged_witness_line_is_found_by_the_audit_alone(world: World, forgery: str) -> None:
    thief = SigningKey.from_seed(b"t" * 32)
    text = world.old.text if forgery == "another checkpoint" else world.held.text
    name = "witness.unknown" if forgery == "an unknown name" else world.witness.name
    line = world.held.lines[1] if forgery == "another checkpoint" else cosign(text, name, thief, 1)
    if forgery == "another checkpoint":
        size = parse_checkpoint(world.old.text).size
    else:
        size = world.size
    world.execute(
        f"DELETE FROM cosignatures WHERE size = {size}",
        f"INSERT INTO cosignatures (size, witness, line) VALUES ({size}, '{name}', '{str(line).strip()}')",
    )
    [fault] = world.audit().faults
    assert (fault.position, fault.kind) == (size, "cosignature-wrong")

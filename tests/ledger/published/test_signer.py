"""The signer of checkpoints: what it signs, when it refuses, what an operator can mend, and that no crash makes it lie."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path

import pytest
import sqlalchemy as sa
from ledgers import CHECKPOINT_KEY, ENTRY_KEY, ORIGIN, WITNESS, WITNESS_KEY, WITNESSED_AT, create_ledger, possession
from signers import STEPS, Disk, Host, consistent, disk_full, in_child, kill_itself, open_copy, wait_until

from ledger.audit.of_database import audit_database
from ledger.audit.report import Pin
from ledger.errors import LostHistoryError, SetupError, SignerStoppedError
from ledger.ledger import Ledger
from ledger.log import tables
from ledger.log.database import Database
from ledger.log.tree import consistency_proof
from ledger.published.signer import Memory
from ledger.stewardship.keys import enrol_key, retire_key, revoke_key
from ledger.stewardship.recovery import record_restoration
from signing.checkpoint import Checkpoint, check_checkpoint, parse_checkpoint, sign_checkpoint
from signing.errors import VerificationError
from signing.keys import SigningKey
from signing.merkle import check_consistency, leaf_hash
from signing.notes import NoteKey, parse_note
from signing.witness import cosign

OPERATOR = "service:local-operator"
SECOND_KEY = SigningKey.from_seed(b"2" * 32)
STRANGER = SigningKey.from_seed(b"s" * 32)
KEY = NoteKey(ORIGIN, CHECKPOINT_KEY.public_key)


@pytest.fixture
def host(ledger: Ledger, tmp_path: Path) -> Iterator[Host]:
    made = Host.new(ledger, tmp_path / "signer" / "checkpoint")
    yield made
    made.signer.release()


@pytest.fixture
def sqlite_host(sqlite_ledger: Ledger, tmp_path: Path) -> Iterator[Host]:
    made = Host.new(sqlite_ledger, tmp_path / "signer" / "checkpoint")
    yield made
    made.signer.release()


@pytest.fixture
def restored(sqlite_host: Host, tmp_path: Path) -> Iterator[Host]:
    """A host that signed sizes 4 and 9, and whose database is a backup of size 6, with the checkpoint of size 4."""
    sqlite_host.signed(3)
    sqlite_host.grow(2)
    for name in ("backup.db", "stale.db"):
        sqlite_host.ledger.database.backup(tmp_path / name)
    sqlite_host.signed(3)
    ledger = open_copy(tmp_path / "backup.db")
    made = Host(ledger, sqlite_host.path)
    yield made
    made.signer.release()
    ledger.close()


def genesis(ledger: Ledger) -> Pin:
    with ledger.database.engine.connect() as connection:
        first = sa.select(tables.entries.c.leaf_hash).where(tables.entries.c.position == 1)
        return Pin(genesis=connection.execute(first).scalar_one())


# -- signing -----------------------------------------------------------------------------------------------------------


def test_each_growth_is_signed_once_and_is_consistent_with_the_one_before(host: Host) -> None:
    for count in (1, 2, 5, 1, 300):
        host.signed(count)
        assert host.sign() is None
    leaves, kept = host.leaves(), host.kept()
    assert [size for size, _ in kept] == [2, 4, 9, 10, 310]
    consistent([note for _, note in kept], leaves)
    assert host.path.read_text() == kept[-1][1]
    with host.ledger.database.read() as connection:
        before = Checkpoint(ORIGIN, 0, leaf_hash(b""))
        for _, note in kept:
            checkpoint = check_checkpoint(note.encode(), [KEY])
            if before.size:
                check_consistency(
                    old_size=before.size,
                    new_size=checkpoint.size,
                    old_root=before.root,
                    new_root=checkpoint.root,
                    proof=consistency_proof(connection, before.size, checkpoint.size),
                )
            before = checkpoint
    assert audit_database(host.ledger.database, pin=genesis(host.ledger)).verdict == "sound"


def test_the_genesis_alone_is_signed_and_a_restart_finds_nothing_new(host: Host) -> None:
    note = host.sign()
    assert note is not None
    assert parse_checkpoint(note.text).size == 1
    assert host.again().sign() is None
    assert host.kept() == [(1, str(note))]


def test_the_memory_is_for_its_owner_alone(sqlite_host: Host) -> None:
    sqlite_host.signed()
    assert sqlite_host.path.stat().st_mode & 0o777 == 0o600
    assert sqlite_host.path.parent.stat().st_mode & 0o077 == 0


# -- one at a time -----------------------------------------------------------------------------------------------------


def test_one_of_two_signers_holds_the_lock_and_the_other_signs_after_it(host: Host, database_url: str) -> None:
    other = Host(Ledger.open(Database(database_url), ENTRY_KEY), host.path)
    assert host.signer.acquire()
    assert host.signer.acquire()
    assert not other.signer.acquire()
    host.grow()
    with other.refusing(SignerStoppedError, "another process signs checkpoints: this one does not hold the lock"):
        other.signer.sign()
    assert host.sign() is not None
    host.signer.release()
    with host.refusing(SignerStoppedError, "does not hold the lock"):
        host.signer.sign()
    other.signed()
    assert not host.signer.acquire()
    other.signer.release()
    other.ledger.close()


def test_another_process_takes_over_when_the_one_that_signs_is_killed(host: Host, database_url: str) -> None:
    listening, speaking = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            there = Host(Ledger.open(Database(database_url), ENTRY_KEY), host.path)
            there.signed()
            os.write(speaking, b"1")
            signal.pause()
        finally:
            os._exit(1)
    try:
        os.close(speaking)
        assert os.read(listening, 1) == b"1"
        assert not host.signer.acquire()
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(listening)
    wait_until(host.signer.acquire)
    assert host.signer.sign() is None
    note = host.signed()
    assert [size for size, _ in host.kept()] == [2, parse_checkpoint(note.text).size]
    consistent([text for _, text in host.kept()], host.leaves())


@pytest.mark.postgres
def test_a_signer_whose_connection_was_lost_signs_nothing_until_it_has_the_lock_again(
    new_postgres: Callable[[], str], tmp_path: Path
) -> None:
    host = Host.new(create_ledger(new_postgres()), tmp_path / "checkpoint")
    host.signed()
    host.grow()
    try:
        with host.ledger.database.engine.connect() as connection:
            connection.exec_driver_sql(
                "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' "
                "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
            )
        with host.refusing(SignerStoppedError, "does not hold the lock"):
            host.signer.sign()
        with host.refusing(SignerStoppedError, "does not hold the lock"):
            host.signer.sign()
        assert host.sign() is not None
    finally:
        host.signer.release()
        host.ledger.close()


# -- refusals ----------------------------------------------------------------------------------------------------------


def test_without_a_memory_nothing_is_signed(sqlite_host: Host) -> None:
    sqlite_host.signed()
    sqlite_host.grow()
    sqlite_host.path.unlink()
    with sqlite_host.refusing(
        SignerStoppedError, r"no memory at .* and the ledger is not empty.*signer take-over FILE"
    ):
        sqlite_host.sign()


@pytest.mark.parametrize(
    "garbage",
    [b"", b"\0" * 200, b"\xff\xfe\n\n", b"a text\n\n", f"{ORIGIN}\n2\nAAAA\n\n".encode()],
    ids=["empty", "zeros", "not a text", "no signature", "a checkpoint without a signature"],
)
def test_a_memory_that_cannot_be_read_signs_nothing(sqlite_host: Host, garbage: bytes) -> None:
    sqlite_host.signed()
    sqlite_host.grow()
    sqlite_host.path.write_bytes(garbage)
    with sqlite_host.refusing(SignerStoppedError, "the signer's memory .* cannot be read: .*signer take-over FILE"):
        sqlite_host.sign()


def test_a_memory_that_is_half_of_a_note_signs_nothing(sqlite_host: Host) -> None:
    note = str(sqlite_host.signed()).encode()
    sqlite_host.grow()
    for length in range(len(note)):
        sqlite_host.path.write_bytes(note[:length])
        with sqlite_host.refusing(SignerStoppedError, "cannot be read|not a checkpoint of this ledger"):
            sqlite_host.sign()


def test_a_directory_in_the_place_of_the_memory_signs_nothing(sqlite_host: Host) -> None:
    sqlite_host.path.unlink()
    sqlite_host.path.mkdir()
    assert sqlite_host.signer.acquire()
    with pytest.raises(SignerStoppedError, match=r"cannot be read: .*Is a directory"):
        sqlite_host.signer.sign()
    assert sqlite_host.kept() == []


def test_the_memory_of_another_ledger_signs_nothing(sqlite_host: Host) -> None:
    sqlite_host.grow()
    Memory(sqlite_host.path).write(sign_checkpoint(Checkpoint("ledger.test/other", 1, b"r" * 32), CHECKPOINT_KEY))
    with sqlite_host.refusing(
        SignerStoppedError, "not a checkpoint of this ledger: no key of the log 'ledger.test/other'"
    ):
        sqlite_host.sign()


def test_a_memory_that_a_stranger_signed_signs_nothing(sqlite_host: Host) -> None:
    checkpoint = parse_checkpoint(sqlite_host.signed().text)
    sqlite_host.grow()
    Memory(sqlite_host.path).write(sign_checkpoint(checkpoint, STRANGER))
    with sqlite_host.refusing(SignerStoppedError, "not a checkpoint of this ledger: no signature by a known key"):
        sqlite_host.sign()


def test_a_memory_whose_size_was_altered_signs_nothing(sqlite_host: Host) -> None:
    note = str(sqlite_host.signed())
    sqlite_host.grow()
    sqlite_host.path.write_text(note.replace("\n2\n", "\n1\n", 1))
    with sqlite_host.refusing(SignerStoppedError, "not a checkpoint of this ledger"):
        sqlite_host.sign()


def test_an_old_backup_is_not_signed(restored: Host) -> None:
    lost = "the database ends at position 6, and a checkpoint of size 9 was signed.*an old backup was restored"
    with restored.refusing(LostHistoryError, lost):
        restored.sign()
    # Nor when it has grown past what was lost.
    restored.grow(8)
    with restored.refusing(LostHistoryError, "the first 9 entries are not those.*history was rewritten"):
        restored.sign()


def test_a_tail_that_was_cut_off_is_noticed(host: Host) -> None:
    host.signed(4)
    is_sqlite, database = host.ledger.database.is_sqlite, host.ledger.database
    with database.engine.connect() as connection:
        connection.exec_driver_sql(
            "DROP TRIGGER entries_refuses_delete" if is_sqlite else "DROP TRIGGER entries_refuses_delete ON entries"
        )
        connection.execute(sa.delete(tables.entries).where(tables.entries.c.position == 5))
        connection.commit()
    with host.refusing(LostHistoryError, "the tree of the first 5 entries is not whole: tile/0/000.p/5 is not there"):
        host.sign()
    with database.engine.connect() as connection:
        connection.execute(sa.update(tables.head).values(size=4))
        connection.commit()
    with host.refusing(LostHistoryError, "the database ends at position 4, and a checkpoint of size 5 was signed"):
        host.sign()


def test_a_database_that_was_rewritten_is_not_signed(
    database_url: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    first = create_ledger(f"sqlite:///{tmp_path / 'first.db'}")
    before = Host.new(first, tmp_path / "checkpoint")
    before.signed(5)
    # The same name and the same keys, as an insider has them, and another history.
    second = create_ledger(database_url)
    after = Host(second, before.path)
    after.grow(7)
    with after.refusing(LostHistoryError, "the first 6 entries are not those of the checkpoint.*history was rewritten"):
        after.sign()
    for each in (before, after):
        each.signer.release()
        each.ledger.close()


def test_a_leaf_or_node_that_was_altered_under_the_memory_stops_the_signer(host: Host) -> None:
    host.signed(299)
    host.grow()
    for table, statement in (
        ("nodes", "UPDATE nodes SET hash = (SELECT leaf_hash FROM entries WHERE position = 1)"),
        ("entries", "UPDATE entries SET leaf_hash = signature WHERE position = 280"),
    ):
        trigger = f"DROP TRIGGER {table}_refuses_update"
        with host.ledger.database.engine.connect() as connection:
            connection.exec_driver_sql(trigger if host.ledger.database.is_sqlite else f"{trigger} ON {table}")
            connection.exec_driver_sql(statement)
            connection.commit()
        with host.refusing(LostHistoryError, "history was rewritten|is not whole"):
            host.sign()


def test_a_memory_behind_what_another_host_signed_signs_nothing(host: Host, tmp_path: Path) -> None:
    host.signed()
    here = host.path.read_bytes()
    host.signed()
    host.path.write_bytes(here)
    host.grow()
    with host.refusing(
        SignerStoppedError,
        "remembers size 2, and a checkpoint of size 3 is in the database: another host signed.*signer take-over FILE",
    ):
        host.sign()


# -- keys --------------------------------------------------------------------------------------------------------------


def enrol_second(host: Host) -> None:
    enrol_key(
        host.ledger,
        SECOND_KEY.public_key,
        role="checkpoint",
        name=ORIGIN,
        possession=possession(SECOND_KEY, "checkpoint"),
        actor=OPERATOR,
    )


def test_keys_are_rotated_with_an_overlap_and_what_the_old_one_signed_stays_good(host: Host) -> None:
    host.signed()
    enrol_second(host)
    at_enrolment = host.ledger.size()
    second = host.again(SECOND_KEY)
    with second.refusing(SignerStoppedError, f"may not sign size {at_enrolment}: key-not-valid"):
        second.sign()
    # Both are valid from here on.
    second.signed()
    first = second.again()
    first.signed()
    retire_key(host.ledger, CHECKPOINT_KEY.key_id, role="checkpoint", actor=OPERATOR)
    last = host.ledger.size()
    note = first.sign()
    assert note is not None
    assert parse_checkpoint(note.text).size == last
    first.grow()
    with first.refusing(
        SignerStoppedError, f"{CHECKPOINT_KEY.key_id[:16]}… may not sign size {last + 1}: key-not-valid"
    ):
        first.sign()
    second = first.again(SECOND_KEY)
    assert second.sign() is not None
    keys = host.ledger.current_authority().checkpoint_keys()
    for size, note in host.kept():
        assert check_checkpoint(note.encode(), keys).size == size
    assert audit_database(host.ledger.database, pin=genesis(host.ledger)).verdict == "sound"
    second.signer.release()


def test_a_revoked_key_signs_nothing_and_its_successor_goes_on(sqlite_host: Host) -> None:
    sqlite_host.signed()
    enrol_second(sqlite_host)
    revoke_key(
        sqlite_host.ledger,
        CHECKPOINT_KEY.key_id,
        role="checkpoint",
        from_position=2,
        reason="key-leaked",
        actor=OPERATOR,
    )
    sqlite_host.grow()
    with sqlite_host.refusing(SignerStoppedError, "may not sign size 5: key-revoked"):
        sqlite_host.sign()
    second = sqlite_host.again(SECOND_KEY)
    assert second.sign() is not None
    second.signer.release()


def test_a_key_that_was_never_enrolled_signs_nothing(sqlite_host: Host) -> None:
    sqlite_host.grow()
    stranger = sqlite_host.again(STRANGER)
    with stranger.refusing(SignerStoppedError, "no checkpoint key with the id .* is enrolled"):
        stranger.sign()
    stranger.signer.release()


# -- taking over -------------------------------------------------------------------------------------------------------


def test_a_host_without_a_memory_takes_over_from_the_last_published_checkpoint(host: Host, tmp_path: Path) -> None:
    note = host.signed(3)
    cosigned = note.with_lines((cosign(note.text, WITNESS, WITNESS_KEY, WITNESSED_AT),))
    host.signer.release()
    other = Host(host.ledger, tmp_path / "elsewhere" / "checkpoint")
    assert other.signer.take_over(parse_note(str(cosigned).encode())) == parse_checkpoint(note.text)
    # What witnesses signed beneath it is kept by itself.
    assert other.path.read_text() == str(note)
    other.signed()
    consistent([text for _, text in host.kept()], host.leaves())
    other.signer.release()
    host.grow()
    with host.refusing(SignerStoppedError, "remembers size 4, and a checkpoint of size 5 is in the database"):
        host.sign()
    host.signer.take_over(parse_note(other.path.read_bytes()))
    assert host.sign() is not None


def test_a_memory_that_cannot_be_read_is_mended_by_taking_over(sqlite_host: Host) -> None:
    note = sqlite_host.signed()
    sqlite_host.path.write_bytes(b"garbage")
    sqlite_host.signer.take_over(note)
    sqlite_host.signed()
    consistent([text for _, text in sqlite_host.kept()], sqlite_host.leaves())


def test_taking_over_is_refused_from_a_checkpoint_older_than_what_is_known(host: Host) -> None:
    old, last = host.signed(), host.signed()
    with host.refusing(
        SignerStoppedError, "expected the last checkpoint that was published, of size 3; found one of size 2"
    ):
        host.signer.take_over(old)
    host.path.unlink()
    with host.refusing(SignerStoppedError, "of size 3; found one of size 2"):
        host.signer.take_over(old)
    host.signer.take_over(last)


def test_taking_over_is_refused_from_a_checkpoint_older_than_the_memory_of_a_lost_tail(restored: Host) -> None:
    old = parse_note(restored.kept()[0][1].encode())
    with restored.refusing(SignerStoppedError, "of size 9; found one of size 4"):
        restored.signer.take_over(old)


def test_taking_over_is_refused_from_what_is_not_a_checkpoint_of_this_ledger(sqlite_host: Host) -> None:
    own = parse_checkpoint(sqlite_host.signed().text)
    other = Checkpoint("ledger.test/other", own.size, own.root)
    with sqlite_host.refusing(SignerStoppedError, "no key of the log 'ledger.test/other' is known"):
        sqlite_host.signer.take_over(sign_checkpoint(other, CHECKPOINT_KEY))
    with sqlite_host.refusing(SignerStoppedError, "no signature by a known key"):
        sqlite_host.signer.take_over(sign_checkpoint(own, STRANGER))
    with sqlite_host.refusing(SignerStoppedError, "not a checkpoint of this ledger"):
        sqlite_host.signer.take_over(
            parse_note(str(sign_checkpoint(own, CHECKPOINT_KEY)).replace("\n2\n", "\n3\n", 1).encode())
        )
    with pytest.raises(VerificationError):
        sqlite_host.signer.take_over(parse_note(own.text.encode()))


def test_taking_over_is_refused_from_a_checkpoint_that_the_database_contradicts(host: Host) -> None:
    host.signed(3)
    with host.refusing(LostHistoryError, "the first 4 entries are not those of the checkpoint"):
        host.signer.take_over(sign_checkpoint(Checkpoint(ORIGIN, 4, b"r" * 32), CHECKPOINT_KEY))
    with host.refusing(LostHistoryError, "the database ends at position 4, and a checkpoint of size 40 was signed"):
        host.signer.take_over(sign_checkpoint(Checkpoint(ORIGIN, 40, b"r" * 32), CHECKPOINT_KEY))


# -- restoring ---------------------------------------------------------------------------------------------------------


def restore(host: Host) -> None:
    """As the operator's command does."""
    if not host.signer.must_begin_again():
        record_restoration(host.ledger, host.signer.lost(), actor=OPERATOR, reason="disk-lost")
    host.signer.begin_again()


def test_a_restored_ledger_goes_on_under_a_name_of_its_own_and_is_sound(restored: Host) -> None:
    before = parse_checkpoint(restored.path.read_text().partition("\n\n")[0] + "\n")
    assert restored.signer.lost() == before
    assert (before.origin, before.size) == (ORIGIN, 9)
    restore(restored)
    note = restored.sign()
    assert note is not None
    assert (parse_checkpoint(note.text).origin, parse_checkpoint(note.text).size) == (f"{ORIGIN}#2", 7)
    restored.signed(5)
    kept = restored.kept()
    assert [size for size, _ in kept] == [4, 7, 12]
    consistent([kept[0][1]], restored.leaves())
    consistent([text for _, text in kept[1:]], restored.leaves(), origin=f"{ORIGIN}#2")
    pin = genesis(restored.ledger)
    assert audit_database(restored.ledger.database, pin=pin).verdict == "sound"
    told = audit_database(restored.ledger.database, pin=pin, given=[before])
    assert [fault.kind for fault in told.faults] == ["checkpoint-contradicted"]
    with restored.ledger.database.read() as connection:
        recorded = connection.execute(sa.select(tables.entries.c.entry).where(tables.entries.c.position == 7))
        assert f'"lost_root":"{before.root.hex()}","lost_size":9'.encode() in recorded.scalar_one()


def test_a_restoration_that_a_crash_cut_in_two_is_finished(restored: Host) -> None:
    assert not restored.signer.must_begin_again()
    record_restoration(restored.ledger, restored.signer.lost(), actor=OPERATOR, reason="disk-lost")
    with restored.refusing(LostHistoryError, "the database ends at position 7, and a checkpoint of size 9"):
        restored.sign()
    restored = restored.again()
    assert restored.signer.must_begin_again()
    restored.grow(5)
    with restored.refusing(LostHistoryError, "history was rewritten"):
        restored.sign()
    restore(restored)
    assert not restored.signer.must_begin_again()
    note = restored.sign()
    assert note is not None
    assert note.text.startswith(f"{ORIGIN}#2\n12\n")


def test_a_second_restoration_is_a_third_ledger_and_an_older_backup_is_still_refused(
    restored: Host, tmp_path: Path
) -> None:
    restore(restored)
    restored.signed()
    restored.ledger.database.backup(tmp_path / "second.db")
    restored.signed(4)
    restored.signer.release()
    stale = Host(open_copy(tmp_path / "stale.db"), restored.path)
    with stale.refusing(LostHistoryError, f"a checkpoint of {ORIGIN}#2 was signed, and .* nothing of its restoration"):
        stale.sign()
    with stale.refusing(LostHistoryError, "nothing of its restoration"):
        stale.signer.take_over(parse_note(stale.kept()[-1][1].encode()))
    with stale.refusing(LostHistoryError, "nothing of its restoration"):
        stale.signer.lost()
    again = Host(open_copy(tmp_path / "second.db"), restored.path)
    with again.refusing(LostHistoryError, "the database ends at position 8, and a checkpoint of size 12 was signed"):
        again.sign()
    assert again.signer.lost().origin == f"{ORIGIN}#2"
    restore(again)
    note = again.sign()
    assert note is not None
    assert note.text.startswith(f"{ORIGIN}#3\n9\n")
    again.signed(3)
    assert audit_database(again.ledger.database, pin=genesis(again.ledger)).verdict == "sound"
    with stale.refusing(LostHistoryError, f"a checkpoint of {ORIGIN}#3 was signed, and .* nothing of its restoration"):
        stale.sign()
    for each in (again, stale):
        each.signer.release()
        each.ledger.close()


def test_another_host_takes_over_a_restored_ledger(restored: Host, tmp_path: Path) -> None:
    old = restored.path.read_bytes()
    restore(restored)
    note = restored.sign()
    assert note is not None
    restored.signer.release()
    other = Host(restored.ledger, tmp_path / "other" / "checkpoint")
    other.path.parent.mkdir()
    # It remembers more than the new incarnation has, of the one before.
    other.path.write_bytes(old)
    other.signer.take_over(note)
    assert other.signed().text.startswith(f"{ORIGIN}#2\n8\n")
    other.signer.release()


def test_a_ledger_that_lost_nothing_is_not_restored(sqlite_host: Host) -> None:
    sqlite_host.signed()
    with sqlite_host.refusing(SetupError, "nothing was lost: the database holds all that was signed"):
        sqlite_host.signer.lost()
    memory = sqlite_host.path.read_bytes()
    sqlite_host.signed()
    sqlite_host.path.write_bytes(memory)
    with sqlite_host.refusing(SetupError, "nothing was lost, but the signer stands: .* another host signed"):
        sqlite_host.signer.lost()
    sqlite_host.path.unlink()
    with sqlite_host.refusing(SetupError, "no memory at .* what was lost is not known.*signer take-over FILE"):
        sqlite_host.signer.lost()


# -- crashes -----------------------------------------------------------------------------------------------------------

FAILURES = list(product(STEPS, ("before", "after")))


def database_gone() -> None:
    raise sa.exc.OperationalError("COMMIT", None, OSError("the connection was lost"))


def fail_at(disk: Disk, at: tuple[str, str]) -> None:
    disk.at, disk.fail = at, database_gone if at[0] in ("insert", "commit") else disk_full


def keeps_the_law(host: Host, disk: Disk | None = None) -> None:
    """Nothing false was ever let out: not in the table, not in the memory; and nothing before a power failure could not undo it."""
    notes = [note for _, note in host.kept()]
    remembered = disk.remembered if disk else []
    consistent([*notes, *(note for note in remembered if not note.startswith(f"{ORIGIN}\n0\n"))], host.leaves())
    if disk:
        assert disk.too_early == []


def test_whichever_step_fails_no_note_leaves_and_the_next_signer_goes_on(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    host.signed()
    disk = Disk(monkeypatch, host)
    for at in FAILURES:
        host.grow()
        fail_at(disk, at)
        with pytest.raises(
            (OSError, sa.exc.OperationalError, SignerStoppedError), match=r"No space left|connection was lost"
        ):
            host.sign()
        assert disk.at is None, at
        keeps_the_law(host, disk)
        host.again().sign()
        assert (host.kept()[-1][0], host.kept()[-1][1]) == (host.ledger.size(), host.path.read_text()), at
        keeps_the_law(host, disk)
    assert audit_database(host.ledger.database, pin=genesis(host.ledger)).verdict == "sound"


@pytest.mark.parametrize("every", [7, pytest.param(1, marks=pytest.mark.slow)])
def test_two_failures_in_a_row_are_no_worse_than_one(
    sqlite_host: Host, monkeypatch: pytest.MonkeyPatch, every: int
) -> None:
    sqlite_host.signed()
    disk = Disk(monkeypatch, sqlite_host)
    for number, (first, second) in enumerate(list(product(FAILURES, FAILURES))[::every]):
        sqlite_host.grow()
        for at in (first, second):
            fail_at(disk, at)
            with contextlib.suppress(OSError, sa.exc.OperationalError, SignerStoppedError):
                sqlite_host.sign()
            if number % 2:
                sqlite_host.again().grow()
        disk.at = None
        if number % 3 == 0:
            # The power fails: what was not synced is gone.
            sqlite_host.path.write_bytes(disk.durable)
        sqlite_host.again().sign()
        assert sqlite_host.kept()[-1] == (sqlite_host.ledger.size(), sqlite_host.path.read_text()), (first, second)
    keeps_the_law(sqlite_host, disk)


def test_a_signer_that_is_killed_at_any_step_is_followed_by_one_that_goes_on(host: Host, database_url: str) -> None:
    host.signed()
    for at in FAILURES:
        host.grow()
        host.signer.release()

        def sign_and_be_killed(at: tuple[str, str] = at) -> None:
            there = Host(Ledger.open(Database(database_url), ENTRY_KEY), host.path)
            disk = Disk(pytest.MonkeyPatch(), there)
            disk.at, disk.fail = at, kill_itself
            there.sign()

        assert in_child(sign_and_be_killed) == -signal.SIGKILL, at
        keeps_the_law(host)
        wait_until(host.again().signer.acquire)
        host.sign()
        assert host.kept()[-1] == (host.ledger.size(), host.path.read_text()), at
    keeps_the_law(host)
    assert audit_database(host.ledger.database, pin=genesis(host.ledger)).verdict == "sound"


def test_a_full_disk_stops_the_signer_and_it_goes_on_when_there_is_room(
    sqlite_host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sqlite_host.signed()
    place = tmp_path / "full"
    place.mkdir()
    tried = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8k", "tmpfs", place], check=False, capture_output=True)
    mounted = tried.returncode == 0
    try:
        full = Host(sqlite_host.ledger, place / "checkpoint")
        full.path.write_bytes(sqlite_host.path.read_bytes())
        filler = place / "filler"
        if mounted:
            with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
                while True:
                    file.write(b"f" * 512)
        else:
            # Nobody may mount here: a disk that says so.
            fail_at(Disk(monkeypatch, full), ("write", "before"))
        full.grow()
        sqlite_host.signer.release()
        with full.refusing((OSError, SignerStoppedError), "No space left on device"):
            full.sign()
        filler.unlink(missing_ok=True)
        assert full.sign() is not None
        keeps_the_law(full)
        full.signer.release()
    finally:
        if mounted:
            subprocess.run(["umount", place], check=True)

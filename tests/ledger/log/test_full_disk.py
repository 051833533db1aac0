"""A disk without room: what is said of it, what is left behind, and that all goes on when there is room again."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa
from ledgers import append, cloud_event, create_ledger

from api.cli import pins
from api.desk.problems import of_error
from ledger.audit.of_database import audit_database
from ledger.audit.report import Pin
from ledger.ledger import Ledger
from ledger.log.database import Database, is_outage
from ledger.log.reading import read_entry
from signing import keys
from signing.merkle import leaf_hash

KEYS = [keys.SigningKey.from_seed(bytes([number]) * 32).public_key for number in (1, 2, 3)]


@contextmanager
def room_for(size: int) -> Iterator[None]:
    """Let no file grow beyond so many bytes: a disk that is full, for this process alone."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def of_few_more_pages(connection: sa.Connection) -> None:
    """Let a database of SQLite's have hardly more pages than it has: what it says then, it says of a full disk."""
    pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one() + 16
    connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")


def full(url: str) -> sa.exc.DBAPIError:
    """Return what the driver raises where the disk is full: SQLite itself, and PostgreSQL as it says so."""
    database = Database(url)
    statement = "DO $$ BEGIN RAISE EXCEPTION 'no space' USING ERRCODE = '53100'; END $$"
    with database.engine.connect() as connection:
        if database.is_sqlite:
            of_few_more_pages(connection)
            statement = "CREATE TABLE more AS SELECT zeroblob(1000000)"
        with pytest.raises(sa.exc.DBAPIError) as raised:
            connection.exec_driver_sql(statement)
    database.close()
    return raised.value


def append_long_ones(ledger: Ledger) -> None:
    for number in range(200):
        append(ledger, cloud_event("change.opened", id=f"long-{number}", title="x" * 16_000))


def test_a_full_disk_is_told_as_one(database_url: str) -> None:
    ledger = create_ledger(database_url)
    error = full(database_url)
    assert is_outage(error)
    told = of_error(error)
    assert told["status"] == 503
    assert "the disk of the database is full" in told["detail"]
    ledger.close()


def test_what_was_acknowledged_before_the_disk_was_full_stays_and_the_rest_comes_when_there_is_room(
    sqlite_ledger: Ledger,
) -> None:
    ledger = sqlite_ledger
    append(ledger, cloud_event())
    connection = ledger.recorder._connection
    assert connection is not None
    of_few_more_pages(connection)
    with pytest.raises(sa.exc.OperationalError, match="full"):
        append_long_ones(ledger)
    acknowledged = ledger.recorder.acknowledged
    assert ledger.size() == acknowledged > 2
    # The process has thrown the connection away: the next one has room.
    append(ledger, cloud_event(id="again"))
    assert ledger.size() == acknowledged + 1
    with ledger.database.read() as reading:
        pin = Pin(genesis=leaf_hash(read_entry(reading, 1).entry))
    assert audit_database(ledger.database, pin=pin, workers=1).faults == ()


def test_a_backup_without_room_leaves_nothing_in_the_way_of_the_next(sqlite_ledger: Ledger, tmp_path: Path) -> None:
    append(sqlite_ledger, cloud_event())
    target = tmp_path / "copy.db"
    with room_for(8192), pytest.raises(Exception, match="disk"):
        sqlite_ledger.database.backup(target)
    assert not target.exists()
    sqlite_ledger.database.backup(target)
    assert target.stat().st_size > 8192


def test_half_a_key_is_not_left_behind(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "entry.pem"
    with room_for(40), pytest.raises(OSError, match="large"):
        keys.save(keys.SigningKey.generate(), path)
    assert not path.exists()
    key = keys.SigningKey.generate()
    keys.save(key, path)
    with pytest.raises(FileExistsError):
        keys.save(keys.SigningKey.generate(), path)
    assert keys.load_signer(str(path)).public_key == key.public_key


def test_half_a_pin_is_not_left_behind(tmp_path: Path) -> None:
    path = tmp_path / "known"
    pins.write(path, "a.example/one", b"1" * 32, KEYS[0])
    before = path.read_bytes()
    with room_for(len(before) + 20), pytest.raises(OSError, match="large"):
        pins.write(path, "b.example/two", b"2" * 32, KEYS[1])
    assert path.read_bytes() == before
    pins.write(path, "c.example/three", b"3" * 32, KEYS[2])
    known = [pins.read(path, origin) for origin in ("a.example/one", "b.example/two", "c.example/three")]
    assert [pin.genesis if pin else None for pin in known] == [b"1" * 32, None, b"3" * 32]

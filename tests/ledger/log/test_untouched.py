"""A stranger's SQLite file is read, and nothing about it changes: not the file, not what lies beside it, not its directory."""

import hashlib
import os
import pickle
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa
from ledgers import append, cloud_event, create_ledger

from ledger.audit.of_database import audit_database
from ledger.errors import SetupError
from ledger.log.database import Database
from ledger.log.reading import read_size
from ledger.log.untouched import untouched

SIZE = 21
State = dict[str, tuple[int, int, int, str]]


def state_of(directory: Path) -> State:
    """Everything about a directory that reading it could change."""
    places = [directory, *sorted(directory.iterdir())]
    return {
        path.name: (
            (found := path.stat()).st_mode,
            found.st_size,
            found.st_mtime_ns,
            hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "",
        )
        for path in places
    }


@pytest.fixture
def open_one(tmp_path: Path) -> Iterator[Path]:
    """A ledger that is open, with entries in its log that are not in its file yet."""
    directory = tmp_path / "open"
    directory.mkdir()
    path = directory / "ledger.db"
    with closing(create_ledger(str(path))) as ledger:
        append(ledger, *(cloud_event() for _ in range(SIZE - 1)))
        yield path


def left(open_one: Path, tmp_path: Path, *ends: str) -> Path:
    """Return what lies where a process died, or what somebody copied: of an open ledger, the file and some of what is beside it."""
    directory = tmp_path / "left"
    directory.mkdir()
    for end in ("", *ends):
        shutil.copyfile(f"{open_one}{end}", directory / f"ledger.db{end}")
    return directory / "ledger.db"


@pytest.mark.parametrize("ends", [("-wal", "-shm"), ("-wal",)], ids=["with its index", "without an index"])
@pytest.mark.parametrize("mode", [0o755, 0o555], ids=["writable", "read-only"])
def test_what_stands_in_the_log_counts_and_nothing_changes(
    open_one: Path, tmp_path: Path, ends: tuple[str, ...], mode: int
) -> None:
    path = left(open_one, tmp_path, *ends)
    path.parent.chmod(mode)
    try:
        before = state_of(path.parent)
        with untouched(path) as database:
            report = audit_database(database, workers=1)
        assert (report.size, report.faults) == (SIZE, ())
        assert state_of(path.parent) == before
    finally:
        path.parent.chmod(0o755)


@pytest.mark.parametrize("mode", [0o755, 0o555], ids=["writable", "read-only"])
def test_a_file_that_was_closed_is_read_alone(tmp_path: Path, mode: int) -> None:
    directory = tmp_path / "closed"
    directory.mkdir()
    with closing(create_ledger(str(directory / "ledger.db"))) as ledger:
        append(ledger, cloud_event())
    assert not any(path.name.endswith(("-wal", "-shm")) for path in directory.iterdir())
    directory.chmod(mode)
    try:
        before = state_of(directory)
        with untouched(directory / "ledger.db") as database:
            assert audit_database(database, workers=1).size == 2
        assert state_of(directory) == before
    finally:
        directory.chmod(0o755)


OPEN_AND_WAIT = """
import sys
sys.path[:0] = [{tools!r}]
from ledgers import ENTRY_KEY
from ledger.ledger import Ledger
from ledger.log.database import Database
ledger = Ledger.open(Database({path!r}), ENTRY_KEY)
print("open", flush=True)
sys.stdin.read()
"""


def test_a_ledger_that_another_process_has_open_is_read_as_it_is(open_one: Path, tmp_path: Path) -> None:
    path = left(open_one, tmp_path, "-wal", "-shm")
    code = OPEN_AND_WAIT.format(tools=str(Path(__file__).parents[2] / "tools"), path=str(path))
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])}
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        before = state_of(path.parent)
        with untouched(path) as database:
            assert audit_database(database, workers=1).size == SIZE
        assert state_of(path.parent) == before
        process.stdin.close()
        assert process.wait() == 0


def test_what_a_journal_would_take_back_is_taken_back_in_a_copy(tmp_path: Path) -> None:
    directory = tmp_path / "begun"
    directory.mkdir()
    path = directory / "ledger.db"
    with closing(create_ledger(str(path))) as ledger:
        append(ledger, cloud_event())
    # A process died in the middle of a transaction that was partly in the file, in the mode that keeps a journal.
    died = f"""
import os, sqlite3
connection = sqlite3.connect({str(path)!r}, isolation_level=None)
connection.execute("PRAGMA journal_mode = DELETE")
connection.execute("PRAGMA cache_size = 1")
connection.execute("BEGIN IMMEDIATE")
connection.execute("UPDATE head SET size = 77")
connection.execute("CREATE TABLE much AS WITH n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n LIMIT 999) SELECT zeroblob(9999) FROM n")
os._exit(1)
"""
    assert subprocess.run([sys.executable, "-c", died], check=False).returncode == 1
    before = state_of(directory)
    assert before["ledger.db-journal"][1] > 0
    with untouched(path) as database, database.read() as connection:
        assert read_size(connection) == 2
    assert state_of(directory) == before


def test_a_file_that_is_written_to_while_it_is_read_alone_is_no_ground_for_a_report(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    create_ledger(str(path)).close()
    with pytest.raises(SetupError, match="written to while it was read"), untouched(path):
        path.write_bytes(path.read_bytes() + b"\0")


def test_nothing_can_be_written_through_it(open_one: Path, tmp_path: Path) -> None:
    create_ledger(str(tmp_path / "closed.db")).close()
    for path in (tmp_path / "closed.db", left(open_one, tmp_path, "-wal", "-shm")):
        with untouched(path) as database, pytest.raises(sa.exc.OperationalError), database.write() as connection:
            connection.exec_driver_sql("UPDATE head SET size = 1")


def test_another_process_opens_it_again_in_the_same_way(tmp_path: Path) -> None:
    path = tmp_path / "a %20?&=.db"
    create_ledger(path).close()  # type: ignore[arg-type]
    before = state_of(tmp_path)
    with untouched(path) as database:
        again: Database = pickle.loads(pickle.dumps(database))
        with closing(again), again.read() as connection:
            assert read_size(connection) == 1
    assert state_of(tmp_path) == before


def test_a_file_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="no database at"), untouched(tmp_path / "none.db"):
        pass
    assert list(tmp_path.iterdir()) == []


ENDLESS = "WITH RECURSIVE r(size, note) AS (SELECT 1, '' UNION ALL SELECT size + 1, note FROM r) SELECT * FROM r"


@pytest.mark.parametrize(
    ("made", "found"),
    [
        (f"CREATE VIEW checkpoints AS {ENDLESS}", "a view"),
        (f"CREATE VIEW Checkpoints AS {ENDLESS}", "a view"),
        ("CREATE VIRTUAL TABLE checkpoints USING fts5(size, note)", "a virtual table"),
    ],
)
def test_what_only_has_the_name_of_a_table_is_not_read(open_one: Path, tmp_path: Path, made: str, found: str) -> None:
    """A view without an end kept whoever audited it waiting for ever."""
    path = left(open_one, tmp_path, "-wal")
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DROP TABLE checkpoints")
        connection.execute(made)
        connection.commit()
    with pytest.raises(SetupError, match=f"expected a table checkpoints, found {found}"), untouched(path):
        pass


def test_a_strangers_file_does_not_fill_the_disk(open_one: Path, tmp_path: Path) -> None:
    path = left(open_one, tmp_path, "-wal")
    # Holes take no room where they are, and all of it where they are copied.
    os.truncate(path, shutil.disk_usage(tempfile.gettempdir()).free)
    with pytest.raises(SetupError, match=r"expected at most half of them\. Set TMPDIR"), untouched(path):
        pass


def test_a_schema_of_two_versions_is_no_program_error(open_one: Path, tmp_path: Path) -> None:
    path = left(open_one, tmp_path, "-wal")
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("INSERT INTO alembic_version VALUES ('another')")
        connection.commit()
    with untouched(path) as database, pytest.raises(SetupError, match=r"the schema is at .*another"):
        database.check_schema()


def test_the_name_of_a_file_need_be_no_text(tmp_path: Path) -> None:
    made, place = tmp_path / "ledger.db", tmp_path / os.fsdecode(b"\xff%41?x")
    create_ledger(str(made)).close()
    made.rename(place)
    with untouched(place) as database, database.read() as connection:
        assert read_size(connection) == 1

"""Somebody else's SQLite file, opened to be read so that neither it, nor what lies beside it, nor its directory changes.

Not for one's own ledger: `Database` sets that up to be written, and SQLite by itself writes beside a file that it only
reads (an empty `-wal`, an index in `-shm`), and folds the log that it finds into the file when it closes.

    ledger.db                     nobody has it open: immutable, no lock is taken
    ledger.db  -wal  -shm         open somewhere, or its process died: read-only with its log, which SQLite indexes in memory
    ledger.db  -wal               copied out of its place: what stands in the log counts, and without -shm SQLite would make one.
    ledger.db  -journal           Both are read from a copy of the files in a directory for temporary files

Source: https://www.sqlite.org/wal.html#read_only_databases and, for `readonly_shm`, unixOpenSharedMemory in SQLite's
os_unix.c, since 3.22.
"""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from ledger.errors import SetupError
from ledger.log import tables
from ledger.log.database import Database

IMMUTABLE: Final = "mode=ro&immutable=1"
WITH_ITS_LOG: Final = "mode=ro&readonly_shm=1"


@contextmanager
def untouched(path: Path) -> Iterator[Database]:
    """Open the file of a stranger's ledger. Raises SetupError when it is not there, or was written to while it was read unlocked."""
    if not path.is_file():
        raise SetupError(f"there is no database at {path}")
    # SQLite resolves links, and so finds what lies beside the file itself.
    path = path.resolve()
    log, index, journal = (path.with_name(path.name + end) for end in ("-wal", "-shm", "-journal"))
    if log.exists() and index.exists():
        with _opened(path, WITH_ITS_LOG) as database:
            yield database
    elif _holds_something(log) or _holds_something(journal):
        with tempfile.TemporaryDirectory(prefix="change-ledger-") as directory:
            for file in (path, log, journal):
                if file.exists():
                    _check_room(file, directory)
                    shutil.copyfile(file, Path(directory, file.name))
            # What is committed in the log belongs to the copy; what was begun in the journal is taken back there.
            with _opened(Path(directory, path.name), "mode=rw") as database:
                yield database
    else:
        before = _state(path, log, journal)
        with _opened(path, IMMUTABLE) as database:
            yield database
        if _state(path, log, journal) != before:
            raise SetupError(
                f"{path} was written to while it was read: expected a file that nobody has open. Audit it again"
            )


@contextmanager
def _opened(path: Path, how: str) -> Iterator[Database]:
    database = Database(path, untouched=how)
    try:
        _check_tables(database, path)
        yield database
    finally:
        database.close()


def _check_room(file: Path, directory: str) -> None:
    """Raise SetupError for a file that would take the auditor's disk: a stranger's may be said to be of any length, and hold nothing."""
    size, free = file.stat().st_size, shutil.disk_usage(directory).free
    if size > free // 2:
        raise SetupError(
            f"{file} has {size} bytes, and is to be copied to {tempfile.gettempdir()}, where {free} are free: expected at most half of "
            "them. Set TMPDIR to a larger place, or ask for a copy that `change-ledger backup` made"
        )


def _check_tables(database: Database, path: Path) -> None:
    """Raise SetupError where something else has the name of a table: a view may have no end, and a virtual table runs a program."""
    names = {*tables.metadata.tables, "alembic_version"}
    with database.engine.connect() as connection:
        for kind, name, sql in connection.exec_driver_sql("SELECT type, lower(name), sql FROM sqlite_master"):
            if name in names and (kind != "table" or not str(sql).upper().startswith("CREATE TABLE")):
                what = f"virtual {kind}" if kind == "table" else kind
                raise SetupError(f"{path} is no ledger's: expected a table {name}, found a {what} of that name")


def _holds_something(path: Path) -> bool:
    return path.exists() and path.stat().st_size > 0


def _state(path: Path, *beside: Path) -> tuple[int, int, int, list[bool]]:
    found = path.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns, [_holds_something(file) for file in beside]

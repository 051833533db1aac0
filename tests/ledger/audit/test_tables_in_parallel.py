"""The tables beside the log, read by the processes that walk the ranges: in other pieces, and with the same verdicts."""

import shutil
import sqlite3
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
from ledgers import append, cloud_event, create_ledger

from ledger.audit import of_database, parallel, tables
from ledger.audit.of_database import audit_database
from ledger.audit.report import Report
from ledger.log.database import Database

# Three ranges of two tiles, a shorter one, and some entries that are in none.
RANGE, SIZE = 512, 1_800
TILES_END = 1_792


class InThisProcess:
    """A pool whose work is done at once, where it was asked for."""

    def __init__(self, workers: int, context: object, begin: Callable[..., None], given: tuple[Any, ...]) -> None:
        begin(*given)

    def __enter__(self) -> "InThisProcess":
        return self

    def __exit__(self, *raised: object) -> None:
        pass

    def submit(self, work: Callable[..., Any], *given: Any) -> Future[Any]:
        done: Future[Any] = Future()
        done.set_result(work(*given))
        return done


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("parallel") / "ledger.db"
    ledger = create_ledger(f"sqlite:///{path}")
    append(ledger, *(cloud_event() for _ in range(SIZE - ledger.size())))
    ledger.close()
    return path


def audit(path: Path, workers: int) -> Report:
    database = Database(path)
    with pytest.MonkeyPatch.context() as patched:
        for module in (of_database, parallel, tables):
            patched.setattr(module, "RANGE", RANGE)
        patched.setattr(parallel, "ProcessPoolExecutor", InThisProcess)
        report = audit_database(database, workers=workers, signatures=False)
    database.close()
    return report


def test_a_sound_ledger_is_sound_by_many_processes_as_by_one(made: Path) -> None:
    one, two = audit(made, 1), audit(made, 2)
    assert one == two
    assert (one.faults, one.entries) == ((), SIZE)


def test_processes_walk_all_but_what_no_tile_is_full_of(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    walked, walk = list[tuple[int, int]](), parallel._walk_in_worker

    def noted(job: Any, start: int, count: int) -> Any:
        walked.append((start, count))
        return walk(job, start, count)

    monkeypatch.setattr(parallel, "_walk_in_worker", noted)
    audit(made, 2)
    assert walked == [(1, 512), (513, 512), (1025, 512), (1537, 256)]


@pytest.mark.parametrize(
    "edit",
    [
        "DELETE FROM entry_refs WHERE position = {position}",
        "UPDATE entry_refs SET type_id = type_id + 1000 WHERE position = {position}",
        "UPDATE entry_refs SET ref_id = 1 << 50 WHERE position = {position} AND ref_id = (SELECT max(ref_id) FROM entry_refs)",
        "INSERT INTO entry_refs SELECT max(ref_id) + {position}, {position}, 1 FROM entry_refs",
        "INSERT INTO entry_refs SELECT ref_id, -position, type_id FROM entry_refs WHERE position = {position}",
        "DELETE FROM statements WHERE position = {position}",
        "UPDATE statements SET id = 'another' || position WHERE position = {position}",
        "INSERT INTO statements SELECT source_id, 'again' || position, position FROM statements WHERE position = {position}",
        "UPDATE refs SET count = count + 1 WHERE last_position = {position}",
    ],
)
def test_a_row_that_is_wrong_is_found_by_many_processes_as_by_one(made: Path, tmp_path: Path, edit: str) -> None:
    path = tmp_path / "forged.db"
    shutil.copyfile(made, path)
    connection = sqlite3.connect(path)
    for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
        connection.execute(f"DROP TRIGGER {name}")
    # In the first range, on both sides of the ends of the last two, and at the end of all.
    places = (5, 3 * RANGE, 3 * RANGE + 1, TILES_END, TILES_END + 1, SIZE)
    changed = sum(connection.execute(edit.format(position=p)).rowcount for p in places)
    connection.commit()
    connection.close()
    one, two = audit(path, 1), audit(path, 2)
    assert one == two
    assert changed
    assert one.faults

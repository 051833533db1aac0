"""Turns among those who write one file: nobody has it twice, it goes to who waits, and who never gets it begins all the same."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from ledgers import append, cloud_event, submission
from waiting import wait_for

from ledger.ledger import Ledger
from ledger.log import database
from ledger.log.database import Database

WAIT = 30.0


@pytest.fixture
def two(tmp_path: Path) -> Iterator[tuple[Database, Database]]:
    """One file, opened twice, as two processes do, and by two names."""
    (tmp_path / "elsewhere").symlink_to(tmp_path)
    made = Database(tmp_path / "ledger.db"), Database(tmp_path / "elsewhere" / "ledger.db")
    yield made
    for each in made:
        each.close()


def test_of_two_processes_one_has_the_turn(two: tuple[Database, Database]) -> None:
    one, other = (each.turn for each in two)
    assert one.try_take()
    assert not other.try_take()
    assert not one.try_take()
    one.give_back()
    with other:
        assert not one.try_take()
    assert one.try_take()
    one.give_back()


def test_who_waits_gets_the_turn_of_another_process(two: tuple[Database, Database]) -> None:
    one, other = (each.turn for each in two)
    had = threading.Event()

    def wait() -> None:
        with other:
            had.set()

    with one:
        waiting = threading.Thread(target=wait)
        waiting.start()
        assert not had.wait(0.05)
    assert had.wait(WAIT)
    waiting.join(WAIT)


def test_who_waits_in_another_process_comes_before_whoever_had_the_turn_last(two: tuple[Database, Database]) -> None:
    one, other = (each.turn for each in two)
    had, let_go = threading.Event(), threading.Event()

    def wait() -> None:
        with other:
            had.set()
            let_go.wait(WAIT)

    def is_waited_for() -> bool:
        if mark.try_take():
            mark.give_back()
            return False
        return True

    assert two[0].path is not None
    mark = database._TurnFile(two[0].path, "next")
    with one:
        waiting = threading.Thread(target=wait)
        waiting.start()
        wait_for(is_waited_for)
    # However often it is asked for again: many short transactions leave nobody out.
    assert not any(one.try_take() for _ in range(1000))
    assert had.wait(WAIT)
    let_go.set()
    waiting.join(WAIT)
    mark.close()


def test_whoever_has_taken_a_turn_without_waiting_gives_it_back_from_any_thread(
    two: tuple[Database, Database],
) -> None:
    one, other = (each.turn for each in two)
    assert one.try_take()
    giving = threading.Thread(target=one.give_back)
    giving.start()
    giving.join(WAIT)
    assert other.try_take()
    other.give_back()


def test_a_turn_that_is_never_given_back_is_no_lock(
    sqlite_ledger: Ledger, two: tuple[Database, Database], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "BUSY_TIMEOUT_MS", 20)
    hung = Database(str(sqlite_ledger.database.url))
    with hung.turn:
        append(sqlite_ledger, cloud_event())
    hung.close()
    assert sqlite_ledger.size() == 2


def test_who_takes_no_turns_and_writes_is_waited_for_by_the_thread_alone(sqlite_ledger: Ledger) -> None:
    foreign = sa.create_engine(sqlite_ledger.database.url, isolation_level="AUTOCOMMIT")
    wanted = [submission(sqlite_ledger, cloud_event())]
    with foreign.connect() as connection:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        assert sqlite_ledger.begin_group(wanted) is None
        connection.exec_driver_sql("ROLLBACK")
    foreign.dispose()
    commit = sqlite_ledger.begin_group(wanted)
    assert commit is not None
    commit()
    assert sqlite_ledger.size() == 2


def test_where_no_file_can_be_made_the_database_says_why(tmp_path: Path) -> None:
    nowhere = Database(tmp_path / "missing" / "ledger.db")
    with pytest.raises(sa.exc.OperationalError, match="unable to open database file"), nowhere.write():
        pass
    assert nowhere.turn.try_take()
    nowhere.turn.give_back()
    nowhere.close()

"""What a PostgreSQL database must be, what of its settings counts for nothing, and who of its sessions stops whom."""

import os
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa
from ledgers import ENTRY_KEY, append, cloud_event, create_ledger, submission

from ledger.errors import SetupError
from ledger.ledger import Ledger
from ledger.log.database import LOCKS, Database, is_outage


def ordered(url: str, *statements: str) -> None:
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
    engine.dispose()


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
def test_a_database_that_cannot_hold_every_text_is_refused(new_postgres: Callable[[], str], encoding: str) -> None:
    url = sa.make_url(new_postgres())
    server, name = url.render_as_string(hide_password=False), f"{url.database}_{encoding.lower()}"
    ordered(server, f"CREATE DATABASE {name} ENCODING '{encoding}' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'")
    database = Database(url.set(database=name).render_as_string(hide_password=False))
    with pytest.raises(SetupError, match=f"encoded in {encoding}; expected UTF8"):
        database.migrate()
    database.close()
    ordered(server, f"DROP DATABASE {name}")


def test_settings_of_a_database_change_nothing_of_what_is_written(new_postgres: Callable[[], str]) -> None:
    url = new_postgres()
    name = sa.make_url(url).database
    ordered(
        url,
        f"ALTER DATABASE {name} SET client_encoding = 'LATIN1'",
        f"ALTER DATABASE {name} SET default_transaction_isolation = 'serializable'",
    )
    ledger = create_ledger(url)
    [outcome] = append(ledger, cloud_event("change.opened", title="\u0141\u00f3d\u017a \u6f22"))
    assert type(outcome).__name__ == "Recorded"
    ledger.close()
    database = Database(url)
    with database.write() as connection:
        found = [connection.exec_driver_sql(f"SHOW {s}").scalar() for s in ("client_encoding", "transaction_isolation")]
    database.close()
    assert found == ["UTF8", "read committed"]


HURDLES = {
    "statement_timeout": "'1ms'",
    "lock_timeout": "'1ms'",
    "idle_in_transaction_session_timeout": "'1ms'",
    "default_transaction_read_only": "on",
    "datestyle": "'German, DMY'",
    "timezone": "'America/St_Johns'",
    "bytea_output": "'escape'",
    "extra_float_digits": "-15",
}


@pytest.mark.parametrize("setting", HURDLES)
def test_no_setting_of_a_database_keeps_it_from_being_written(new_postgres: Callable[[], str], setting: str) -> None:
    url = new_postgres()
    ordered(url, f"ALTER DATABASE {sa.make_url(url).database} SET {setting} = {HURDLES[setting]}")
    ledger = create_ledger(url)
    appended = append(ledger, *[cloud_event() for _ in range(200)])
    size = ledger.size()
    ledger.close()
    assert {type(outcome).__name__ for outcome in appended} == {"Recorded"}
    assert size > 200


@pytest.fixture
def pair(new_postgres: Callable[[], str], monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Ledger, Ledger]]:
    """Two processes' ledgers on one database, less patient than real ones."""
    monkeypatch.setattr("ledger.log.database.IDLE_HOLDER_MS", 500, raising=False)
    monkeypatch.setattr("ledger.log.database.BUSY_TIMEOUT_MS", 5000)
    first = create_ledger(new_postgres())
    second = Ledger.open(Database(first.database.url.render_as_string(hide_password=False)), ENTRY_KEY)
    yield first, second
    second.close()
    first.close()


def test_a_process_that_hangs_under_the_lock_stops_no_other(pair: tuple[Ledger, Ledger]) -> None:
    hanging, other = pair
    document = cloud_event()
    commit = hanging.recorder.begin_group([submission(hanging, document)])
    assert commit is not None
    with ThreadPoolExecutor(1) as pool:
        [outcome] = pool.submit(append, other, cloud_event()).result(timeout=60)
    assert type(outcome).__name__ == "Recorded"
    # Back again, it learns that nothing of its group was written; sent again, it is.
    with pytest.raises(sa.exc.DBAPIError) as failed:
        commit()
    assert is_outage(failed.value)
    [again] = append(hanging, document)
    assert type(again).__name__ == "Recorded"


def test_who_locks_a_table_of_the_ledger_keeps_no_caller_waiting_for_ever(pair: tuple[Ledger, Ledger]) -> None:
    ledger, _ = pair
    stranger = sa.create_engine(ledger.database.url)
    with stranger.begin() as holding:
        holding.exec_driver_sql("LOCK TABLE entries IN ACCESS EXCLUSIVE MODE")
        with ThreadPoolExecutor(1) as pool, pytest.raises(sa.exc.DBAPIError) as failed:
            pool.submit(append, ledger, cloud_event()).result(timeout=60)
    stranger.dispose()
    assert is_outage(failed.value)
    [again] = append(ledger, cloud_event())
    assert type(again).__name__ == "Recorded"


def test_a_server_that_is_gone_is_noticed_at_both_ends(new_postgres: Callable[[], str]) -> None:
    """What both ends ask of the network: the default is hours, in which a thread waits for an answer that never comes."""
    database = Database(new_postgres())
    with database.read() as connection:
        there = connection.exec_driver_sql("SHOW tcp_user_timeout").scalar()
        driver = connection.connection.dbapi_connection
        assert driver is not None
        with socket.socket(fileno=os.dup(driver.pgconn.socket)) as here:
            asked = [
                here.getsockopt(socket.IPPROTO_TCP, number) for number in (socket.TCP_KEEPIDLE, socket.TCP_USER_TIMEOUT)
            ]
    database.close()
    assert (there, asked) == ("25000", [10, 25_000])


def test_a_stranger_with_a_lock_of_ours_is_named(
    new_postgres: Callable[[], str], caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever may connect may take it. The signer and the views then stand by as behind a process of ours, and the log says who it is."""
    url = sa.make_url(new_postgres())
    role = f"stranger_{url.database}"
    ordered(url.render_as_string(hide_password=False), f"CREATE ROLE {role} LOGIN")
    ours, other = (
        Database(url.render_as_string(hide_password=False)),
        Database(url.render_as_string(hide_password=False)),
    )
    stranger = sa.create_engine(ours.url.set(username=role), isolation_level="AUTOCOMMIT")
    with stranger.connect() as holding:
        holding.exec_driver_sql(f"SELECT pg_advisory_lock({LOCKS['views']})")
        process = holding.exec_driver_sql("SELECT pg_backend_pid()").scalar()
        assert [ours.try_lock("views"), ours.try_lock("views")] == [None, None]
    stranger.dispose()
    [record] = caplog.records
    assert f"the database role {role} (process {process} of PostgreSQL) has the lock of the views" in record.message
    # One of our own is no news.
    held = ours.try_lock("views")
    assert held is not None
    assert other.try_lock("views") is None
    assert len(caplog.records) == 1
    held.release()
    for database in (ours, other):
        database.close()
    ordered(url.render_as_string(hide_password=False), f"DROP ROLE {role}")

"""What a PostgreSQL database must be, and what of its settings counts for nothing."""

from collections.abc import Callable

import pytest
import sqlalchemy as sa
from ledgers import append, cloud_event, create_ledger

from ledger.errors import SetupError
from ledger.log.database import Database


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

"""Append-only as a fact of the database: what its own triggers and grants refuse, whoever asks.

What is found after the triggers were taken away is in `test_tampering`.
"""

import re
import sqlite3
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from ledgers import ENTRY_KEY, append, cloud_event, create_ledger, enrol_witness, keep_checkpoint

from ledger.audit.of_database import audit_database
from ledger.audit.report import Pin
from ledger.errors import SetupError
from ledger.ledger import Ledger
from ledger.log import tables
from ledger.log.database import Database
from ledger.log.reading import read_entry
from ledger.log.recorder import Recorded, Submission
from ledger.statement import Evidence
from ledger.stewardship.credentials import issue_token
from ledger.stewardship.removal import erase_texts, remove_evidence
from projections import VIEWS
from projections.engine.runner import Runner

GUARDED = (*tables.APPEND_ONLY, *tables.DELETABLE, *tables.MOVING)
NO_UPDATE = [
    pytest.param(table, column.name, id=f"{table}.{column.name}")
    for table in (*tables.APPEND_ONLY, *tables.DELETABLE)
    for column in tables.metadata.tables[table].columns
]


def keys_of(table: str) -> list[str]:
    return list(tables.metadata.tables[table].primary_key.columns.keys())


def columns_of(table: str) -> list[str]:
    return list(tables.metadata.tables[table].columns.keys())


def fill(ledger: Ledger) -> int:
    """Append until every table has a row, the stored nodes of the tree too. Returns the position that has evidence."""
    enrol_witness(ledger)
    append(ledger, cloud_event("change.opened"), *[cloud_event() for _ in range(258)])
    statement = ledger.admission.admit(cloud_event(), evidence=(Evidence.of(b"a report", "text/plain"),))
    outcome = ledger.append(Submission((statement,), ledger.local_caller()))
    assert isinstance(outcome, Recorded)
    keep_checkpoint(ledger, cosigned=True)
    return outcome.receipts[0].position


@pytest.fixture(scope="module")
def sqlite_full(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    ledger = create_ledger(f"sqlite:///{tmp_path_factory.mktemp('full') / 'ledger.db'}")
    fill(ledger)
    yield ledger.database
    ledger.close()


@pytest.fixture(scope="module")
def postgresql_full(postgres_url: str) -> Iterator[Database]:
    admin = sa.create_engine(postgres_url, isolation_level="AUTOCOMMIT")
    name = f"append_only_{uuid.uuid4().hex[:12]}"
    with admin.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    ledger = create_ledger(sa.make_url(postgres_url).set(database=name).render_as_string(hide_password=False))
    fill(ledger)
    yield ledger.database
    ledger.close()
    with admin.connect() as connection:
        connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")
    admin.dispose()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def full(request: pytest.FixtureRequest) -> Database:
    """A ledger with rows in every table and its triggers in place: nothing that is tried on it may change it."""
    database: Database = request.getfixturevalue(f"{request.param}_full")
    return database


def rows(database: Database, table: str) -> list[dict[str, Any]]:
    found = tables.metadata.tables[table]
    with database.engine.connect() as connection:
        query = sa.select(found).order_by(*found.primary_key.columns)
        return [dict(row) for row in connection.execute(query).mappings()]


def contents(database: Database) -> dict[str, Sequence[Any]]:
    """Return all rows of all tables, as the driver has them: every test here reads them several times."""
    with database.engine.connect() as connection:
        return {
            name: connection.exec_driver_sql(
                f"SELECT * FROM {name} ORDER BY {', '.join(chr(34) + key + chr(34) for key in keys_of(name))}"
            ).all()
            for name in tables.metadata.tables
        }


def assert_refused(database: Database, *statements: Any, match: str = "append-only") -> None:
    """One of `statements`, one transaction, is refused with `match`, and everything is as it was."""
    before = contents(database)
    with pytest.raises(sa.exc.DBAPIError, match=match):
        run(database, *statements)
    assert contents(database) == before


def run(database: Database, *statements: Any) -> None:
    """Run statements in one transaction."""
    with database.engine.connect() as connection:
        if database.is_sqlite:
            connection.exec_driver_sql("BEGIN")
        try:
            for statement in statements:
                if isinstance(statement, str):
                    connection.exec_driver_sql(statement)
                else:
                    connection.execute(statement)
        except BaseException:
            connection.exec_driver_sql("ROLLBACK")
            raise
        connection.exec_driver_sql("COMMIT")


def quoted(value: Any, database: Database) -> str:
    if isinstance(value, bytes):
        return f"x'{value.hex()}'" if database.is_sqlite else f"'\\x{value.hex()}'::bytea"
    return f"'{value}'" if isinstance(value, str) else str(value)


def insert_sql(database: Database, table: str, row: dict[str, Any], verb: str = "INSERT") -> str:
    columns = ", ".join(f'"{name}"' for name in row)
    return f"{verb} INTO {table} ({columns}) VALUES ({', '.join(quoted(v, database) for v in row.values())})"


# -- what both databases refuse ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("table", "column"), NO_UPDATE)
def test_an_update_is_refused(full: Database, table: str, column: str) -> None:
    assert_refused(full, f'UPDATE {table} SET "{column}" = "{column}"')
    other = rows(full, table)[-1][column]
    forged = other + 1 if isinstance(other, int) else other + (b"x" if isinstance(other, bytes) else "x")
    assert_refused(full, f'UPDATE {table} SET "{column}" = {quoted(forged, full)}')


@pytest.mark.parametrize("table", [*tables.APPEND_ONLY, *tables.MOVING])
def test_a_delete_is_refused(full: Database, table: str) -> None:
    assert_refused(full, f"DELETE FROM {table}")
    [key, *_] = tables.metadata.tables[table].primary_key.columns
    assert_refused(full, sa.delete(tables.metadata.tables[table]).where(key == rows(full, table)[-1][key.name]))


@pytest.mark.parametrize("table", GUARDED)
def test_a_second_row_of_the_same_key_is_refused(full: Database, table: str) -> None:
    assert_refused(full, insert_sql(full, table, rows(full, table)[0]), match="append-only|duplicate|UNIQUE")


@pytest.mark.parametrize("position", ["-1", "0", "1", "size", "size + 2", "size + 1000000"])
def test_an_entry_anywhere_but_after_the_last_one_is_refused(full: Database, position: str) -> None:
    last = rows(full, "entries")[-1]
    forged = last | {"position": eval(position, {"size": last["position"]})}
    assert_refused(full, insert_sql(full, "entries", forged), match="append-only|duplicate")


def test_entries_that_leave_a_gap_among_themselves_are_refused(full: Database) -> None:
    last = rows(full, "entries")[-1]
    forged = [last | {"position": last["position"] + step} for step in (1, 3)]
    assert_refused(full, sa.insert(tables.entries).values(forged))
    assert_refused(full, *(insert_sql(full, "entries", row) for row in forged))


def test_an_entry_slipped_in_before_the_first_is_refused_in_a_group_that_follows(full: Database) -> None:
    last = rows(full, "entries")[-1]
    forged = [last | {"position": position} for position in (last["position"] + 1, 0)]
    assert_refused(full, sa.insert(tables.entries).values(forged))


def test_texts_and_evidence_may_be_deleted_and_nothing_else(ledger: Ledger) -> None:
    fill(ledger)
    for table in tables.DELETABLE:
        with ledger.database.engine.begin() as connection:
            assert connection.execute(sa.delete(tables.metadata.tables[table])).rowcount > 0


# -- SQLite -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def raw(sqlite_full: Database) -> Iterator[sqlite3.Connection]:
    """A connection as any program would make it: without the settings that this one chooses."""
    connection = sqlite3.connect(str(sqlite_full.url.database), isolation_level=None)
    yield connection
    connection.close()


def assert_sqlite_refuses(database: Database, raw: sqlite3.Connection, *statements: str) -> None:
    before = contents(database)
    for recursive in ("OFF", "ON"):
        raw.execute(f"PRAGMA recursive_triggers = {recursive}")
        for statement in statements:
            raw.execute("BEGIN")
            with pytest.raises(sqlite3.IntegrityError, match="append-only"):
                raw.execute(statement)
            raw.execute("ROLLBACK")
    assert contents(database) == before


@pytest.mark.parametrize("verb", ["INSERT OR REPLACE", "REPLACE", "INSERT OR ROLLBACK", "INSERT OR ABORT"])
@pytest.mark.parametrize("table", GUARDED)
def test_sqlite_refuses_to_replace_a_row_by_its_key(
    sqlite_full: Database, raw: sqlite3.Connection, table: str, verb: str
) -> None:
    row = rows(sqlite_full, table)[0]
    before = contents(sqlite_full)
    for recursive in ("OFF", "ON"):
        raw.execute(f"PRAGMA recursive_triggers = {recursive}")
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            raw.execute(insert_sql(sqlite_full, table, row, verb))
    assert contents(sqlite_full) == before


@pytest.mark.parametrize("table", ["event_types", "sources"])
def test_sqlite_refuses_to_replace_a_name_under_another_id(
    sqlite_full: Database, raw: sqlite3.Connection, table: str
) -> None:
    """The key is new, the name is not: replacing would delete the row that has it, without any DELETE trigger."""
    forged = rows(sqlite_full, table)[0] | {"id": 7_000}
    assert_sqlite_refuses(sqlite_full, raw, insert_sql(sqlite_full, table, forged, "INSERT OR REPLACE"))


@pytest.mark.parametrize("table", GUARDED)
def test_sqlite_refuses_an_upsert(sqlite_full: Database, raw: sqlite3.Connection, table: str) -> None:
    row = rows(sqlite_full, table)[0]
    column = list(row)[-1]
    upsert = insert_sql(sqlite_full, table, row) + f' ON CONFLICT DO UPDATE SET "{column}" = "{column}"'
    assert_sqlite_refuses(sqlite_full, raw, upsert)


def test_sqlite_refuses_an_entry_without_a_position(sqlite_full: Database, raw: sqlite3.Connection) -> None:
    """An INTEGER PRIMARY KEY that is NULL would be numbered by SQLite itself."""
    last = rows(sqlite_full, "entries")[-1]
    del last["position"]
    assert_sqlite_refuses(sqlite_full, raw, insert_sql(sqlite_full, "entries", last))


def test_sqlite_refuses_to_delete_a_ref_by_giving_another_one_its_name(
    sqlite_full: Database, raw: sqlite3.Connection
) -> None:
    first, second, *_ = (row["ref"] for row in rows(sqlite_full, "refs"))
    assert_sqlite_refuses(sqlite_full, raw, f"UPDATE OR REPLACE refs SET ref = '{first}' WHERE ref = '{second}'")


def test_a_refused_change_on_sqlite_leaves_the_ledger_appending(sqlite_ledger: Ledger) -> None:
    append(sqlite_ledger, cloud_event())
    with pytest.raises(sa.exc.IntegrityError), sqlite_ledger.database.engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM entries")
    [outcome] = append(sqlite_ledger, cloud_event())
    assert outcome.receipts[0].position == 3


# -- PostgreSQL -------------------------------------------------------------------------------------------------------


@pytest.mark.postgres
@pytest.mark.parametrize("table", GUARDED)
def test_postgresql_refuses_to_truncate(postgresql_full: Database, table: str) -> None:
    assert_refused(postgresql_full, f"TRUNCATE {table}")
    assert_refused(postgresql_full, f"TRUNCATE {table} CASCADE")


@pytest.mark.postgres
def test_postgresql_refuses_to_truncate_everything_at_once(postgresql_full: Database) -> None:
    assert_refused(postgresql_full, f"TRUNCATE {', '.join(tables.metadata.tables)}")


@pytest.mark.postgres
@pytest.mark.parametrize("table", [*tables.APPEND_ONLY[1:], *tables.DELETABLE])
def test_postgresql_refuses_an_upsert(postgresql_full: Database, table: str) -> None:
    row = rows(postgresql_full, table)[0]
    keys = ", ".join(f'"{key}"' for key in keys_of(table))
    column = list(row)[-1]
    insert = insert_sql(postgresql_full, table, row)
    assert_refused(postgresql_full, f'{insert} ON CONFLICT ({keys}) DO UPDATE SET "{column}" = EXCLUDED."{column}"')


@pytest.mark.postgres
@pytest.mark.parametrize("action", ["DELETE", "UPDATE SET key_number = 7"])
def test_postgresql_refuses_to_merge(postgresql_full: Database, action: str) -> None:
    merge = "MERGE INTO entries e USING (SELECT 1 AS position) s ON e.position = s.position WHEN MATCHED THEN"
    assert_refused(postgresql_full, f"{merge} {action}")


@pytest.mark.postgres
def test_postgresql_refuses_to_copy_entries_past_a_gap(postgresql_full: Database) -> None:
    before = contents(postgresql_full)
    with postgresql_full.engine.connect() as connection:
        driver: Any = connection.connection.dbapi_connection
        last = rows(postgresql_full, "entries")[-1]
        with (
            pytest.raises(Exception, match="append-only"),
            driver.cursor() as cursor,
            cursor.copy("COPY entries FROM STDIN") as copy,
        ):
            copy.write_row(tuple((last | {"position": last["position"] + 2}).values()))
    assert contents(postgresql_full) == before


# -- PostgreSQL: the role that appends and owns nothing ------------------------------------------------------------------


@pytest.fixture
def application(
    new_postgres: Callable[[], str], postgres_url: str
) -> Iterator[tuple[Ledger, Callable[[], Database], str]]:
    """A ledger as its owner opened it, a maker of databases as the application's role, and the name of that role."""
    owner = create_ledger(new_postgres())
    role, password = f"app_{uuid.uuid4().hex[:12]}", uuid.uuid4().hex
    with owner.database.engine.begin() as connection:
        connection.exec_driver_sql(f"CREATE ROLE {role} LOGIN PASSWORD '{password}'")
        tables.grant_to(connection, role)
    url = owner.database.url.set(username=role, password=password).render_as_string(hide_password=False)
    made: list[Database] = []

    def make() -> Database:
        made.append(Database(url))
        return made[-1]

    yield owner, make, role
    for database in made:
        database.close()
    with owner.database.engine.begin() as connection:
        connection.exec_driver_sql(f"DROP OWNED BY {role}")
        connection.exec_driver_sql(f"DROP ROLE {role}")
    owner.close()


Application = tuple[Ledger, Callable[[], Database], str]


@pytest.mark.postgres
def test_the_applications_role_appends_erases_removes_and_audits(application: Application) -> None:
    owner, make, _ = application
    ledger = Ledger.open(make(), ENTRY_KEY)
    witnessed = fill(ledger)
    [opened] = append(ledger, cloud_event("change.opened"))
    erase_texts(ledger, opened.receipts[0].position, actor="person:dpo", reason="gdpr-17")
    sha256 = Evidence.of(b"a report", "text/plain").sha256
    remove_evidence(ledger, witnessed, sha256, actor="service:retention", reason="retention")
    issue_token(ledger, actor="person:root", principal="service:ci", kind="service", roles=["reporter"])
    with owner.database.read() as connection:
        genesis = read_entry(connection, 1).leaf_hash
    report = audit_database(make(), pin=Pin(genesis=genesis))
    assert (report.verdict, report.faults, report.size) == ("sound", (), ledger.size())
    ledger.close()


@pytest.mark.postgres
def test_the_applications_role_cannot_give_grants_and_is_told_who_can(application: Application) -> None:
    _, make, role = application
    # PostgreSQL only warns, and gives nothing.
    with make().engine.begin() as connection, pytest.raises(SetupError, match="for the owner of the tables"):
        tables.grant_to(connection, role)


@pytest.mark.postgres
def test_the_applications_role_owns_nothing_and_is_no_superuser(application: Application) -> None:
    owner, _, role = application
    query = """
        SELECT c.relname FROM pg_class c JOIN pg_roles r ON r.oid = c.relowner WHERE r.rolname = %(role)s
        UNION ALL SELECT p.proname FROM pg_proc p JOIN pg_roles r ON r.oid = p.proowner WHERE r.rolname = %(role)s
        UNION ALL SELECT rolname FROM pg_roles
            WHERE rolname = %(role)s AND (rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls)
    """
    with owner.database.engine.connect() as connection:
        assert connection.exec_driver_sql(query, {"role": role}).all() == []


FORBIDDEN = [
    *(f"TRUNCATE {table}" for table in tables.metadata.tables),
    *(f"DROP TABLE {table}" for table in tables.metadata.tables),
    *(f"ALTER TABLE {table} DISABLE TRIGGER ALL" for table in GUARDED),
    *(f"ALTER TABLE {table} OWNER TO CURRENT_USER" for table in GUARDED),
    *(
        f'UPDATE {table} SET "{column}" = "{column}"'
        for table in (*tables.APPEND_ONLY, *tables.DELETABLE, "secrets")
        for column in columns_of(table)
    ),
    *(f"DELETE FROM {table}" for table in (*tables.APPEND_ONLY, *tables.MOVING, "secrets", "alembic_version")),
    *(f"DROP TRIGGER {table}_refuses_truncate ON {table}" for table in GUARDED),
    "DROP TRIGGER entries_follow_the_head ON entries",
    "DROP FUNCTION follow_the_head() CASCADE",
    "CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$",
    "CREATE TRIGGER mine BEFORE INSERT ON entries FOR EACH ROW EXECUTE FUNCTION refuse_change()",
    "CREATE RULE mine AS ON INSERT TO entries DO INSTEAD NOTHING",
    "ALTER TABLE entries ADD COLUMN more text",
    "SET session_replication_role = replica",
    "INSERT INTO secrets (name, value) VALUES ('forged', '')",
    "UPDATE alembic_version SET version_num = 'forged'",
    "CREATE TABLE public.entries_too (position bigint)",
]


@pytest.mark.postgres
def test_the_applications_role_cannot_take_the_guards_away_nor_reach_around_them(application: Application) -> None:
    owner, make, _ = application
    fill(owner)
    before = contents(owner.database)
    database, done = make(), []
    for statement in FORBIDDEN:
        with database.engine.connect() as connection:
            try:
                connection.exec_driver_sql(statement)
                connection.commit()
                done.append(statement)
            except sa.exc.DBAPIError:
                connection.rollback()
    assert done == []
    assert contents(owner.database) == before


@pytest.mark.postgres
def test_the_applications_role_makes_the_tables_of_views_in_their_own_schema(application: Application) -> None:
    owner, make, role = application
    ledger = Ledger.open(make(), ENTRY_KEY)
    [opened] = append(owner, cloud_event("change.opened"))
    runner = Runner(ledger.database, VIEWS, ledger.watcher)
    assert runner.catch_up() == opened.receipts[0].position
    runner.close()
    query = "SELECT schemaname, tableowner FROM pg_tables WHERE tablename LIKE %(pattern)s"
    with ledger.database.engine.connect() as connection:
        found = connection.exec_driver_sql(query, {"pattern": r"view\_%"}).all()
    ledger.close()
    assert set(found) == {("views", role)}
    # With how far those have come that are served, and those that are filled.
    assert len(found) == len(VIEWS) + 2


@pytest.mark.postgres
def test_an_analyst_with_the_grants_of_the_page_reads_the_tables_of_views_that_are_there_and_those_to_come(
    application: Application,
) -> None:
    owner, make, role = application
    page = (Path(__file__).resolve().parents[3] / "docs" / "howto" / "query-with-sql.md").read_text()
    [grants] = [block for block in re.findall(r"```sql\n(.*?)```", page, re.DOTALL) if "GRANT" in block]
    analyst = f"analyst_{uuid.uuid4().hex[:12]}"
    grants = re.sub(r"\banalyst\b", analyst, re.sub(r"\bapp\b", role, grants))
    as_application = make().engine
    with as_application.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE views.view_there (key text)")
    with owner.database.engine.begin() as connection:
        connection.exec_driver_sql(f"CREATE ROLE {analyst}")
        connection.exec_driver_sql(grants)
    with as_application.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE views.view_to_come (key text)")
    with owner.database.engine.begin() as connection:
        connection.exec_driver_sql(f"SET LOCAL ROLE {analyst}")
        for table in ("views.view_there", "views.view_to_come"):
            assert connection.exec_driver_sql(f"SELECT key FROM {table}").all() == []
        with pytest.raises(sa.exc.DBAPIError, match="permission denied"):
            connection.exec_driver_sql("DELETE FROM views.view_there")
    with owner.database.engine.begin() as connection:
        connection.exec_driver_sql(f"DROP OWNED BY {analyst}")
        connection.exec_driver_sql(f"DROP ROLE {analyst}")


@pytest.mark.postgres
def test_the_applications_role_moves_the_head_and_the_triggers_still_refuse_the_rest(application: Application) -> None:
    owner, make, _ = application
    fill(owner)
    database = make()
    last = rows(database, "entries")[-1]
    assert_refused(database, insert_sql(database, "entries", last | {"position": last["position"] + 2}))


@pytest.mark.postgres
def test_a_role_that_was_granted_nothing_reads_nothing(application: Application) -> None:
    owner, _, _ = application
    with owner.database.engine.begin() as connection:
        connection.exec_driver_sql("SET LOCAL ROLE pg_monitor")
        with pytest.raises(sa.exc.DBAPIError, match="permission denied"):
            connection.exec_driver_sql("SELECT entry FROM entries")


# -- the schema -------------------------------------------------------------------------------------------------------


def test_the_migrated_schema_is_the_one_that_the_tables_declare(database_url: str) -> None:
    database = Database(database_url)
    database.migrate()
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, tables.metadata) == []
    database.close()


def test_migrating_again_changes_nothing(ledger: Ledger) -> None:
    before = contents(ledger.database)
    ledger.database.migrate()
    ledger.database.check_schema()
    assert contents(ledger.database) == before


def test_every_guard_that_is_declared_is_in_the_migrated_schema(database_url: str) -> None:
    database = Database(database_url)
    database.migrate()
    declared = {ddl.split()[2] for ddl in tables.guards(database.engine.dialect.name) if ddl.startswith("CREATE TRIG")}
    query = (
        "SELECT name FROM sqlite_master WHERE type = 'trigger'"
        if database.is_sqlite
        else "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal AND tgenabled = 'O'"
    )
    with database.engine.connect() as connection:
        assert set(connection.exec_driver_sql(query).scalars()) == declared
    database.close()


def test_no_table_of_the_log_is_without_a_guard() -> None:
    assert {*GUARDED, "secrets"} == set(tables.metadata.tables)

"""The one module that opens engines: SQLite or PostgreSQL, set up so that what was committed stays.

Not the schema (`ledger.log.tables`), nor statements (`ledger.log.sql`). Long, because whatever differs between the two databases
stands here: how they are opened, locked, migrated, backed up, and what their errors mean.

Hot statements are Core expressions compiled once per dialect (`Hot`) and executed by the driver with positional rows.
"""

import contextlib
import fcntl
import json
import logging
import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from functools import cache, partial
from pathlib import Path
from typing import IO, Any, Final, Protocol
from urllib.parse import quote

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import URL, Connection, CursorResult, make_url

from ledger.errors import LostHistoryError, SetupError
from ledger.log.tables import VIEWS_SCHEMA

# As much as a checkpoint of 1,000 pages leaves, and then some.
JOURNAL_BYTES: Final = 1 << 23
# How long a writer waits for what others hold, on either database.
BUSY_TIMEOUT_MS: Final = 30_000
# How long a process of PostgreSQL's may hold what every append needs and do nothing: one that hangs, or whose host is gone, is ended
# there, and stops no other.
IDLE_HOLDER_MS: Final = 10_000
# libpq's and the server's side of one thing: a peer that is gone is noticed within half a minute, and not after the hours that
# systems take by default. Both ends ask; a thread that waits for an answer would otherwise wait on when the database is back.
_TCP_PATIENCE_S: Final = {"idle": 10, "interval": 5, "count": 3}
_UNACKNOWLEDGED_MS: Final = 25_000
CONNECT_TIMEOUT_S: Final = 10
# How often a process asks for its turn while another has it: that is a call of the system.
TURN_POLL_S: Final = 0.0005
NOTIFY_CHANNEL: Final = "change_ledger"
# Any number will do, as long as nobody else on the server locks it.
LOCK_ID: Final = 7_264_001
LOCKS: Final = {"signer": LOCK_ID + 1, "views": LOCK_ID + 2}
_STRANGER_WITH_LOCK: Final = """
SELECT a.usename, a.pid FROM pg_locks l JOIN pg_stat_activity a USING (pid)
WHERE l.locktype = 'advisory' AND l.granted AND l.classid = 0 AND l.objid = %s AND l.objsubid = 1 AND a.datname = current_database()
AND a.usename <> current_user"""
log = logging.getLogger("change_ledger")
# Alembic keeps the migration that is running in a module.
_migrating: Final = threading.Lock()
# Entries are about a kilobyte; on pages of 4 KiB a tenth of the file would be left-over space.
SQLITE_PAGE_SIZE: Final = 8192


class Lock(Protocol):
    """A lock that one process has among all that use a database. It goes with the process, however that ends."""

    def is_held(self) -> bool: ...

    def release(self) -> None: ...


class _FileLock:
    """On SQLite: a lock on a file beside the database. All who use the database are on this machine."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def is_held(self) -> bool:
        return not self._file.closed

    def release(self) -> None:
        self._file.close()


class _AdvisoryLock:
    """On PostgreSQL: an advisory lock, held by a connection of its own. The server takes it back when the connection is gone."""

    def __init__(self, connection: Connection, number: int) -> None:
        self._connection = connection
        self._number = number

    def is_held(self) -> bool:
        try:
            self._connection.exec_driver_sql("SELECT 1")
        except sa.exc.SQLAlchemyError:
            return False  # Lost with its connection; asked again, SQLAlchemy says so in an error of its own.
        return True

    def release(self) -> None:
        # Unlocked before it is closed: the server takes its time to notice that a client has gone.
        with contextlib.suppress(sa.exc.SQLAlchemyError):
            self._connection.exec_driver_sql(f"SELECT pg_advisory_unlock({self._number})")
        self._connection.invalidate()
        self._connection.close()


class Turn:
    """To be had around every transaction that writes, from before its beginning to after its end. One thread has it at a time.

    This one costs nothing and is always to be had: PostgreSQL's locks go to whoever waits longest.
    """

    def take(self) -> None:
        """Wait for one's turn."""

    def try_take(self) -> bool:
        """Take the turn unless somebody has it, or waits for it. Who took it so may give it back from another thread."""
        return True

    def give_back(self) -> None: ...

    def close(self) -> None: ...

    def __enter__(self) -> None:
        self.take()

    def __exit__(self, *raised: object) -> None:
        self.give_back()


class _FileTurn(Turn):
    """A lock that goes to whoever waits for it, and not again to the one that has just given it back.

    SQLite has one writer, and whoever waits for it asks again after 1, 2, 5 … 100 ms: many short transactions of one thread or
    process leave another out for a long time. So there are two locks, among threads and, by files beside the database, among
    processes: whoever waits has `next`, which the one that has just given `now` back must have before it may have that again.
    Among processes this is a courtesy and no lock: whoever does not get it within SQLite's own patience begins all the same,
    and SQLite refuses.
    """

    def __init__(self, path: Path) -> None:
        self._next = threading.Lock()
        self._now = threading.Lock()
        self._files = (_TurnFile(path, "next"), _TurnFile(path, "turn"))

    def take(self) -> None:
        next_file, now_file = self._files
        with self._next:
            self._now.acquire()
            try:
                end = time.monotonic() + BUSY_TIMEOUT_MS / 1000
                next_file.wait(end)
                try:
                    now_file.wait(end)
                finally:
                    next_file.give_back()
            except BaseException:
                self._now.release()
                raise

    def try_take(self) -> bool:
        if not self._next.acquire(blocking=False):
            return False
        try:
            if not self._now.acquire(blocking=False):
                return False
            if self._try_files():
                return True
            self._now.release()
            return False
        finally:
            self._next.release()

    def give_back(self) -> None:
        self._files[1].give_back()
        self._now.release()

    def close(self) -> None:
        for file in self._files:
            file.close()

    def _try_files(self) -> bool:
        next_file, now_file = self._files
        if not next_file.try_take():
            return False
        try:
            return now_file.try_take()
        finally:
            next_file.give_back()


class _TurnFile:
    """One of the two files of a turn, made when it is asked for."""

    def __init__(self, path: Path, name: str) -> None:
        self._path = path
        self._name = name
        self._file: int | None = None
        # Closed with whoever forgets to: nothing is lost with it.
        self._closes: Callable[[], object] = lambda: None

    def wait(self, end: float) -> None:
        """Wait for the lock, but not longer than until a time of the monotonic clock."""
        while not self.try_take() and time.monotonic() < end:
            time.sleep(TURN_POLL_S)

    def try_take(self) -> bool:
        if self._file is None:
            # Two names of one database are one lock.
            path = self._path.resolve()
            try:
                self._file = os.open(
                    path.with_name(f"{path.name}-{self._name}.lock"), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600
                )
            except OSError:
                return True  # Whoever cannot make a file here cannot write either, and SQLite says why.
            self._closes = weakref.finalize(self, os.close, self._file)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def give_back(self) -> None:
        if self._file is not None:
            fcntl.flock(self._file, fcntl.LOCK_UN)

    def close(self) -> None:
        self._closes()
        self._file = None


# SQLSTATE: a class of psycopg's OperationalError that is about what was written, and no outage: a limit of the program.
_PROGRAM_LIMIT: Final = "54"
_DISK_FULL: Final = "53100"
# What a driver raises for values, before or in the database. `DBAPIError` is looked at more closely.
WRITING_ERRORS: Final = (sa.exc.SQLAlchemyError, ValueError, TypeError, ArithmeticError)


def _is_program_limit(error: sa.exc.DBAPIError) -> bool:
    return str(getattr(error.orig, "sqlstate", None) or "").startswith(_PROGRAM_LIMIT)


def is_outage(error: BaseException) -> bool:
    """Say whether a database failed for a reason that does not lie in what it was asked or given, so that trying again can help."""
    if not isinstance(error, sa.exc.DBAPIError):
        return isinstance(error, sa.exc.TimeoutError)
    if error.connection_invalidated:
        return True
    if getattr(error.orig, "sqlite_errorcode", None) == sqlite3.SQLITE_ERROR:
        return False  # A statement that it cannot take: too many terms, or a table that is not there.
    if _is_program_limit(error):
        return False
    return isinstance(error, (sa.exc.OperationalError, sa.exc.InterfaceError, sa.exc.InternalError))


def outage_in_words(error: BaseException) -> str:
    """Say of an outage what whoever runs the ledger has to know: that there is no room, or that nobody answers."""
    cause = getattr(error, "orig", None)
    is_full = (
        getattr(cause, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
        or getattr(cause, "sqlstate", None) == _DISK_FULL
    )
    return "the disk of the database is full" if is_full else "the database does not answer"


def is_lock_timeout(error: BaseException) -> bool:
    """Say whether PostgreSQL gave a statement up because others held what it needed for longer than `lock_timeout` (55P03)."""
    return isinstance(error, sa.exc.DBAPIError) and getattr(error.orig, "sqlstate", None) == "55P03"


def is_about_values(error: BaseException) -> bool:
    """Say whether a database or its driver refused values: the same ones are refused again."""
    if isinstance(error, sa.exc.DBAPIError):
        return _is_program_limit(error) or isinstance(error, sa.exc.DataError)
    return isinstance(error, ValueError | TypeError | ArithmeticError | sa.exc.StatementError)


@dataclass(frozen=True)
class Hot:
    """The SQL of a statement that was compiled once, to be executed with tuples."""

    sql: str


def url_of(place: str | Path) -> URL:
    """Return the URL of a database: of a path as it is, whatever characters it has; of a text with `://` as SQLAlchemy reads it."""
    if isinstance(place, str) and "://" in place:
        return make_url(place)
    # A name of SQLite's own, such as :memory:, is the name of a file here.
    return URL.create("sqlite", database=os.path.join(os.curdir, place))


class Database:
    """An engine, and what differs between the two dialects. `place` is a URL of SQLAlchemy's, or the path of a SQLite file.

    `untouched` is how a stranger's SQLite file is opened to be read alone (`ledger.log.untouched`). `answer_within_s` is how long
    PostgreSQL may leave a statement unanswered, None for as long as it takes. It can be pickled, for another process to open it again.
    """

    def __init__(
        self, place: str | Path, untouched: str | None = None, *, answer_within_s: float | None = None
    ) -> None:
        self.url = url_of(place)
        self._untouched = untouched
        name = self.url.get_backend_name()
        if name == "sqlite" and untouched is not None:
            # A path is bytes, whatever they mean.
            path = quote(os.fsencode(os.path.abspath(self.url.database or "")))
            uri = f"file:{path}?{untouched}"
            self.engine = sa.create_engine(self.url, creator=lambda: _connect_untouched(uri))
        elif name == "sqlite":
            self.engine = sa.create_engine(self.url, connect_args={"timeout": BUSY_TIMEOUT_MS / 1000})
            sa.event.listen(self.engine, "connect", _prepare_sqlite)
        elif name == "postgresql":
            self.url = self.url.set(drivername="postgresql+psycopg")
            # Prepared from the first use on: the hot statements are few. But planned anew each time: a
            # plan made when the tables were empty scans them for ever after.
            arguments = {"prepare_threshold": 1, "options": _session_options(), **_network_patience(self.url)}
            self.engine = sa.create_engine(self.url, connect_args=arguments, pool_pre_ping=True, pool_size=10)
            if answer_within_s is not None:
                sa.event.listen(self.engine, "do_connect", partial(_connect_bounded, answer_within_s))
        else:
            raise SetupError(f"expected a database of sqlite or postgresql, found {name!r}")
        self.is_sqlite = name == "sqlite"
        self.turn = _FileTurn(Path(self.url.database or "")) if self.is_sqlite else Turn()
        self._file: tuple[int, int] | None = None
        self._told_of: dict[str, object] = {}
        self._positional = self.engine.dialect if self.is_sqlite else postgresql.psycopg.dialect(paramstyle="format")  # type: ignore[no-untyped-call]

    def __reduce__(self) -> tuple[type["Database"], tuple[str, str | None]]:
        return Database, (self.url.render_as_string(hide_password=False), self._untouched)

    def hot(self, statement: sa.ClauseElement, *names: str) -> Hot:
        """Compile a statement whose parameters, in the order in which they stand, are `names`."""
        compiled = statement.compile(dialect=self._positional, column_keys=list(names))
        order = list(compiled.positiontup)  # type: ignore[attr-defined]
        if order != list(names):
            raise SetupError(
                f"expected the parameters {list(names)} in this order, the compiler made {order}: {compiled}"
            )
        return Hot(str(compiled))

    def read_any_text(self) -> None:
        """Read texts that are not valid UTF-8 as well, with replacement characters: an audit must not stop at them."""
        if self.is_sqlite:
            sa.event.listen(self.engine, "connect", _read_any_text)
            self.engine.dispose()

    @property
    def path(self) -> Path | None:
        """The file of a SQLite database."""
        return Path(self.url.database or "") if self.is_sqlite else None

    def close(self) -> None:
        self.engine.dispose()
        self.turn.close()

    # -- connections ---------------------------------------------------------------------------------------------

    def connect_for_writing(self) -> Connection:
        """Return a connection whose transactions are begun and ended by `begin`, COMMIT and ROLLBACK, explicitly."""
        connection = self.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        if self.path is None:
            _refuse_unsafe_postgresql(connection)
            connection.exec_driver_sql(f"SET idle_in_transaction_session_timeout = {IDLE_HOLDER_MS}")
        else:
            self._file = _identity_of(self.path)
        return connection

    def check_writable(self) -> None:
        """Raise SetupError for a PostgreSQL that could lose what was acknowledged."""
        connection = self.connect_for_writing()
        # Not for the pool: what reads may think between two statements for as long as it likes.
        connection.invalidate()
        connection.close()

    def check_same_file(self) -> None:
        """Raise LostHistoryError when the file that was opened for writing is not at its path any more.

        A file that was replaced lives on for whoever has it open: appends would be acknowledged, and gone with the process.
        """
        if self.path is not None and self._file != (found := _identity_of(self.path)):
            raise LostHistoryError(f"{self.path} is not the file this process has opened (found {found or 'none'})")

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection with one snapshot, for a short read."""
        with self.engine.connect() as connection:
            if self.is_sqlite:
                connection.exec_driver_sql("BEGIN")
            elif not connection.in_transaction():
                connection.execute(sa.text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A short transaction that changes rows: all of them, or none."""
        with self.turn, self.engine.begin() as connection:
            if self.is_sqlite:
                # The driver was told to begin none by itself.
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            yield connection

    def begin(self, connection: Connection, *, patient: bool = True) -> None:
        """Begin the transaction of an append, in one's `turn`. On SQLite this takes the write lock; on PostgreSQL the head row does.

        Whoever is not `patient` is refused at once where somebody that takes no turns is writing.
        """
        if patient or not self.is_sqlite:
            connection.exec_driver_sql("BEGIN IMMEDIATE" if self.is_sqlite else "BEGIN")
            return
        connection.exec_driver_sql("PRAGMA busy_timeout = 0")
        try:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        finally:
            connection.exec_driver_sql(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")

    def lookup(
        self, connection: Connection, sql: dict[str, str], values: Sequence[Any]
    ) -> CursorResult[*tuple[Any, ...]]:
        """Run a query over an array of values: JSON on SQLite, arrays on PostgreSQL, one statement either way."""
        if self.is_sqlite:
            return connection.exec_driver_sql(sql["sqlite"], (json.dumps(values),))
        if values and isinstance(values[0], list | tuple):
            return connection.exec_driver_sql(
                sql["postgresql"], tuple(list(column) for column in zip(*values, strict=True))
            )
        return connection.exec_driver_sql(sql["postgresql"], (list(values),))

    def try_lock(self, name: str) -> Lock | None:
        """Take a lock that one process has at a time, or return None while another has it."""
        if self.path is not None:
            # Beside the file itself: two names of one database are one lock.
            path = self.path.resolve()
            file = path.with_name(f"{path.name}-{name}.lock").open("ab")
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.close()
                return None
            return _FileLock(file)
        connection = self.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        if connection.exec_driver_sql(f"SELECT pg_try_advisory_lock({LOCKS[name]})").scalar():
            return _AdvisoryLock(connection, LOCKS[name])
        self._tell_of_strangers(connection, name)
        connection.close()
        return None

    def _tell_of_strangers(self, connection: Connection, name: str) -> None:
        """Write down, once, that another role has a lock of ours: whoever may connect may take it, and nothing else says who it was."""
        holder = connection.exec_driver_sql(_STRANGER_WITH_LOCK, (LOCKS[name],)).one_or_none()
        if holder is not None and holder != self._told_of.get(name):
            log.error(
                "the database role %s (process %d of PostgreSQL) has the lock of the %s, and none of ours: nobody else does that work "
                "meanwhile. End that session, and let only roles that need it CONNECT",
                *holder,
                name,
            )
        self._told_of[name] = holder

    # -- schema --------------------------------------------------------------------------------------------------

    def migrate(self) -> None:
        """Bring the schema to this version of the program. Safe to run again."""
        if self.path is not None:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            # It holds erasable texts: for its owner alone. What SQLite puts beside it takes the same mode.
            self.path.touch(mode=0o600)
        with _migrating, self.engine.begin() as connection:
            if not self.is_sqlite:
                _refuse_other_encodings(connection)
            # One at a time: of two processes that set up one database, the second finds it done.
            if self.is_sqlite:
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            else:
                # However long the first takes. For its tables it waits no longer than others do: they wait behind it.
                connection.exec_driver_sql("SET LOCAL lock_timeout = 0")
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({LOCK_ID})")
                connection.exec_driver_sql(f"SET LOCAL lock_timeout = {BUSY_TIMEOUT_MS}")
            if _heads_of(connection) == (_newest(),):
                return
            config = _alembic_config()
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    def check_schema(self) -> None:
        """Raise SetupError unless the schema is the one this program expects."""
        if self.path is not None and not self.path.exists():
            raise SetupError(f"there is no ledger at {self.path}; run: change-ledger init --origin NAME")
        try:
            with self.engine.connect() as connection:
                found = _heads_of(connection)
        except sa.exc.OperationalError as error:
            raise SetupError(f"cannot open the database: {error.orig}") from error
        expected = _newest()
        if not found:
            raise SetupError("the database holds no ledger; run: change-ledger init --origin NAME")
        if found != (expected,):
            at = " and ".join(found)[:200]
            raise SetupError(f"the schema is at {at}, this program expects {expected}; run: change-ledger migrate")

    def backup(self, target: Path) -> None:
        """Copy a SQLite database into a new file while it is in use, consistent as of one moment."""
        if not self.is_sqlite:
            raise SetupError("expected a SQLite database; back PostgreSQL up with pg_basebackup or pg_dump")
        if target.exists():
            raise SetupError(f"{target} exists: expected a new file")
        # It holds what the ledger holds: for its owner alone.
        target.touch(mode=0o600)
        try:
            with self.engine.connect() as connection, contextlib.closing(sqlite3.connect(target.absolute())) as copy:
                connection.connection.dbapi_connection.backup(copy)  # type: ignore[union-attr]
        except BaseException:
            # A disk that is full, a command that is stopped: half a copy is no backup, and stands in the way of the next.
            target.unlink(missing_ok=True)
            raise


def _connect_bounded(answer_within_s: float, _dialect: object, _record: object, cargs: Any, cparams: Any) -> Any:
    # A driver that SQLite has no use for.
    from ledger.log.bounded import BoundedConnection

    connection = BoundedConnection.connect(*cargs, **cparams)
    connection.answer_within_s = answer_within_s
    return connection


def _session_options() -> str:
    """Return the settings of every session of PostgreSQL's, whatever its database or role were set to."""
    settings = {
        "plan_cache_mode": "force_custom_plan",
        "jit": "off",
        "search_path": f"public,{VIEWS_SCHEMA}",
        # Texts are Unicode.
        "client_encoding": "UTF8",
        # A transaction that waited for the head row reads it again.
        "default_transaction_isolation": r"read\ committed",
        "default_transaction_read_only": "off",
        # A batch of views that took too long once takes as long when it is tried again.
        "statement_timeout": 0,
        "idle_in_transaction_session_timeout": 0,
        "lock_timeout": BUSY_TIMEOUT_MS,
        **{f"tcp_keepalives_{name}": value for name, value in _TCP_PATIENCE_S.items()},
        "tcp_user_timeout": _UNACKNOWLEDGED_MS,
    }
    return " ".join(f"-c {name}={value}" for name, value in settings.items())


def _network_patience(url: URL) -> dict[str, int]:
    """Return how long libpq waits for a server that does not answer on the network. What the URL says itself, counts."""
    patience = {f"keepalives_{name}": value for name, value in _TCP_PATIENCE_S.items()}
    patience |= {"tcp_user_timeout": _UNACKNOWLEDGED_MS, "connect_timeout": CONNECT_TIMEOUT_S}
    return {name: value for name, value in patience.items() if name not in url.query}


def _identity_of(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def _heads_of(connection: Connection) -> tuple[str, ...]:
    """Return where a database's schema is; nowhere before the first migration."""
    return MigrationContext.configure(connection).get_current_heads()


@cache
def _newest() -> str | None:
    """Return where this program expects it. Read once: the files of all migrations are looked at."""
    return ScriptDirectory.from_config(_alembic_config()).get_current_head()


def _alembic_config() -> Config:
    config = Config()
    # Alembic reads a percent sign as the beginning of a variable's name.
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    return config


def _prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    # Transactions are begun explicitly: the driver's own implicit BEGIN would defer the lock.
    connection.isolation_level = None
    connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
    connection.execute(f"PRAGMA page_size = {SQLITE_PAGE_SIZE}")
    # Two processes that open a new file at once may collide here before the busy timeout applies.
    for attempt in range(50):
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            break
        except sqlite3.OperationalError:
            if attempt == 49:
                raise
            time.sleep(0.02)
    # FULL: a commit is on the disk before COMMIT returns. NORMAL would lose the last ones on power failure.
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA recursive_triggers = ON")
    # Without it the log beside the file keeps the greatest length that a slow reader ever made it grow to.
    connection.execute(f"PRAGMA journal_size_limit = {JOURNAL_BYTES}")
    connection.execute("PRAGMA cache_size = -65536")
    connection.execute("PRAGMA mmap_size = 268435456")
    # Numbers are texts there; this is how queries compare them. No table or index depends on it.
    connection.create_collation("decimal", _compare_decimals)


def _connect_untouched(uri: str) -> sqlite3.Connection:
    connection = sqlite3.connect(uri, uri=True, timeout=BUSY_TIMEOUT_MS / 1000, check_same_thread=False)
    connection.isolation_level = None
    # What SQLite advises for files of others: no functions in their views, no trust in their pages. No mmap_size either: a file that
    # shrinks under it ends the process.
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA cell_size_check = ON")
    connection.create_collation("decimal", _compare_decimals)
    return connection


def _compare_decimals(one: str, other: str) -> int:
    return int(Decimal(one).compare(Decimal(other)))


def _read_any_text(connection: sqlite3.Connection, _record: object) -> None:
    connection.text_factory = lambda data: data.decode(errors="replace")


def _refuse_other_encodings(connection: Connection) -> None:
    """Raise SetupError unless a database holds every text that a door admits. In LATIN1 half of them were refused."""
    encoding = connection.exec_driver_sql("SHOW server_encoding").scalar()
    if encoding != "UTF8":
        raise SetupError(
            f"the database is encoded in {encoding}; expected UTF8: CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0"
        )


def _refuse_unsafe_postgresql(connection: Connection) -> None:
    _refuse_other_encodings(connection)
    for setting in ("fsync", "synchronous_commit"):
        value = connection.exec_driver_sql(f"SHOW {setting}").scalar()
        if value == "off":
            raise SetupError(
                f"PostgreSQL runs with {setting} = off: acknowledged entries could be lost. Expected it on"
            )

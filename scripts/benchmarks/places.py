"""Where databases are made: files of SQLite, and a private PostgreSQL server. Copies are exact, so that two contenders start from the
same pages.
"""

import shutil
import sqlite3
from pathlib import Path
from typing import Any, Protocol

import psycopg

from ledger.authority import Caller
from ledger.ledger import Ledger
from ledger.log.database import Database
from ledger.stewardship.credentials import issue_token
from signing import keys
from signing.keys import SigningKey

ORIGIN = "ledger.example.com/bench"


class Place(Protocol):
    """A kind of database."""

    name: str

    def url(self, name: str) -> str:
        """Return SQLAlchemy's URL of a database that need not exist yet."""

    def new(self, name: str) -> str:
        """Make an empty database and return its URL."""

    def copy(self, name: str, to: str) -> str:
        """Copy a database that nobody has open, and return the copy's URL."""

    def stored_bytes(self, name: str) -> tuple[int, int]:
        """Return the bytes that a database takes, and how many of them are entries."""

    def settle(self, name: str) -> None:
        """Do now what the server would do in the background after much was written."""


class SqlitePlace:
    """Files in a directory."""

    name = "SQLite"

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def url(self, name: str) -> str:
        return f"sqlite:///{self.path(name)}"

    def path(self, name: str) -> Path:
        return self._directory / f"{name}.db"

    def new(self, name: str) -> str:
        return self.url(name)

    def copy(self, name: str, to: str) -> str:
        shutil.copyfile(self.path(name), self.path(to))
        return self.url(to)

    def take(self, path: Path, name: str) -> str:
        """Copy a file from elsewhere, and return the copy's URL."""
        shutil.copyfile(path, self.path(name))
        return self.url(name)

    def stored_bytes(self, name: str) -> tuple[int, int]:
        connection = sqlite3.connect(self.path(name))
        try:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            entries: int = connection.execute("SELECT sum(length(entry)) FROM entries").fetchone()[0]
        finally:
            connection.close()
        return self.path(name).stat().st_size, entries

    def settle(self, name: str) -> None:
        """A file has no background."""


class PostgresPlace:
    """Databases on one server. `url` is that of its maintenance database."""

    name = "PostgreSQL"

    def __init__(self, url: str) -> None:
        self._url = url.replace("postgresql+psycopg://", "postgresql://")
        self._admin = psycopg.connect(self._url, autocommit=True)

    def close(self) -> None:
        self._admin.close()

    def plain_url(self, name: str) -> str:
        """Return the URL that the driver itself takes."""
        return f"{self._url.rpartition('/')[0]}/{name}"

    def url(self, name: str) -> str:
        return self.plain_url(name).replace("postgresql://", "postgresql+psycopg://")

    def new(self, name: str) -> str:
        self._run(f'CREATE DATABASE "{name}"')
        return self.url(name)

    def copy(self, name: str, to: str) -> str:
        self._run(f'CREATE DATABASE "{to}" TEMPLATE "{name}"')
        return self.url(to)

    def stored_bytes(self, name: str) -> tuple[int, int]:
        with psycopg.connect(self.plain_url(name)) as connection:
            size = "SELECT sum(pg_total_relation_size(oid)) FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
            return int(_one(connection, size)), int(_one(connection, "SELECT sum(octet_length(entry)) FROM entries"))

    def settle(self, name: str) -> None:
        with psycopg.connect(self.plain_url(name), autocommit=True) as connection:
            connection.execute("VACUUM ANALYZE")
            connection.execute("CHECKPOINT")

    def version(self) -> str:
        return str(_one(self._admin, "SHOW server_version"))

    def _run(self, command: str) -> None:
        self._admin.execute(command.encode())


def _one(connection: "psycopg.Connection[tuple[Any, ...]]", query: str) -> Any:
    row = connection.execute(query.encode()).fetchone()
    if row is None:
        raise LookupError(f"expected one row from {query}")
    return row[0]


class Keys:
    """The keys of all ledgers here, in the directory where the server looks for them; made where there are none."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.entry, self.checkpoint = (_key(directory / "keys" / name) for name in ("entry.pem", "checkpoint.pem"))


def _key(path: Path) -> SigningKey:
    if not path.exists():
        keys.save(SigningKey.generate(), path)
    return keys.load(path)


def create(url: str, of: Keys) -> str:
    """Make a ledger with one reporter in an empty database, close it, and return the reporter's token."""
    ledger = Ledger.create(Database(url), origin=ORIGIN, entry_key=of.entry, checkpoint_key=of.checkpoint.public_key)
    try:
        _, token, _ = issue_token(
            ledger, actor="person:operator", principal="service:payments-ci", kind="service", roles=["reporter"]
        )
    finally:
        ledger.close()
    return token


def reporter(ledger: Ledger) -> Caller:
    """Return the caller that the doors make of the reporter's token."""
    [credential] = ledger.authority.credentials.values()
    return Caller(credential.id, credential.principal, "token", credential)

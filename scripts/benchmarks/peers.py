"""What others do with the same events: no peer links, signs and keeps refs at once, so each is told with what it leaves out.

eventsourcing DCB       tags in a table of their own; no links, no signatures, no check of shapes or duplicates
eventsourcing classic   a stream and a version for each event; no tags, links or signatures
pgcrypto trigger        a table whose trigger chains rows by SHA-256; no refs, no signatures, no duplicates
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import orjson
import psycopg

from benchmarks.places import Place, PostgresPlace


@dataclass(frozen=True)
class Peer:
    """`prepare` makes of a group of entries what the peer takes, and is not timed; `append` makes that durable."""

    prepare: Callable[[Sequence[bytes]], Any]
    append: Callable[[Any], object]


class NotHereError(Exception):
    """The peer is not installed, or the server cannot do it. The message goes into the table."""


def of(place: Place, size: int) -> dict[str, Callable[[], Peer]]:
    """Return the peers for a kind of database, by name; SQLite has none. Calling one makes its database."""
    if isinstance(place, PostgresPlace):
        return {
            "eventsourcing DCB": lambda: _dcb(place, f"dcb-{size}"),
            "eventsourcing classic": lambda: _classic(place, f"classic-{size}"),
            "pgcrypto trigger": lambda: _trigger(place, f"trigger-{size}"),
        }
    return {}


def _datastore(place: PostgresPlace, name: str) -> Any:
    try:
        from eventsourcing.postgres import PostgresDatastore
    except ImportError as error:
        raise NotHereError(f"not installed: {error.name}") from error
    place.new(name)
    parts = urlsplit(place.plain_url(name))
    return PostgresDatastore(
        dbname=name,
        host=parts.hostname or "",
        port=parts.port or 5432,
        user=parts.username or "",
        password=parts.password or "",
    )


def _dcb(place: PostgresPlace, name: str) -> Peer:
    datastore = _datastore(place, name)
    from eventsourcing.dcb.api import DCBEvent
    from eventsourcing.dcb.postgres_tt import PostgresDCBRecorderTT

    recorder = PostgresDCBRecorderTT(datastore)
    recorder.create_table()

    def event(entry: bytes) -> DCBEvent:
        document = orjson.loads(entry)
        return DCBEvent(type=document["statement"]["type"], data=entry, tags=list(document["refs"]))

    return Peer(lambda entries: [event(entry) for entry in entries], recorder.append)


def _classic(place: PostgresPlace, name: str) -> Peer:
    datastore = _datastore(place, name)
    from eventsourcing.persistence import StoredEvent
    from eventsourcing.postgres import PostgresApplicationRecorder

    recorder = PostgresApplicationRecorder(datastore)
    recorder.create_table()

    def event(entry: bytes) -> StoredEvent:
        document = orjson.loads(entry)
        return StoredEvent(UUID(int=document["position"]), 1, document["statement"]["type"], entry)

    return Peer(lambda entries: [event(entry) for entry in entries], recorder.insert_events)


_TRIGGER = """
CREATE TABLE audit_log (
    id bigserial PRIMARY KEY, recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    type text NOT NULL, event bytea NOT NULL, prev bytea NOT NULL, hash bytea NOT NULL
);
CREATE FUNCTION chain() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    PERFORM pg_advisory_xact_lock(1);
    SELECT hash INTO NEW.prev FROM audit_log ORDER BY id DESC LIMIT 1;
    NEW.prev := coalesce(NEW.prev, decode(repeat('00', 32), 'hex'));
    NEW.hash := digest(NEW.prev || int8send(NEW.id) || convert_to(NEW.type, 'UTF8') || NEW.event, 'sha256');
    RETURN NEW;
END $$;
CREATE TRIGGER chain BEFORE INSERT ON audit_log FOR EACH ROW EXECUTE FUNCTION chain();
"""


def _trigger(place: PostgresPlace, name: str) -> Peer:
    place.new(name)
    connection = psycopg.connect(place.plain_url(name), autocommit=True, prepare_threshold=1)
    try:
        connection.execute("CREATE EXTENSION pgcrypto")
    except psycopg.Error as error:
        connection.close()
        raise NotHereError("the server's binaries have no pgcrypto") from error
    connection.execute(_TRIGGER)
    insert = "INSERT INTO audit_log (type, event) SELECT * FROM unnest(%b::text[], %b::bytea[])"

    def columns(entries: Sequence[bytes]) -> tuple[list[str], list[bytes]]:
        return [orjson.loads(entry)["statement"]["type"] for entry in entries], list(entries)

    return Peer(columns, lambda rows: connection.execute(insert, rows))

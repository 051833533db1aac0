"""Tampering with the database: whatever row of whatever table is touched, the audit says where, and says all of it.

The guards are taken away first, as somebody who owns the database would. Most tests work on a copy of one small ledger;
the tree's stored nodes need a longer one. What the guards themselves refuse is in `test_append_only`.
"""

import hashlib
import itertools
import os
import shutil
import sqlite3
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
import sqlalchemy as sa
from ledgers import (
    CHECKPOINT_KEY,
    ENTRY_KEY,
    ORIGIN,
    append,
    cloud_event,
    create_ledger,
    enrol_witness,
    keep_checkpoint,
    possession,
    submission,
)

from ledger.audit.of_database import audit_database
from ledger.audit.report import Pin, Report
from ledger.authority import Caller
from ledger.canonical import encode
from ledger.clock import Clock
from ledger.entry import ENTRY_PAYLOAD_TYPE
from ledger.errors import LedgerStoppedError, SetupError, UnauthenticatedError
from ledger.ledger import Ledger
from ledger.log import tables
from ledger.log.database import Database
from ledger.log.recorder import Recorded, Refused, Submission
from ledger.statement import Evidence
from ledger.stewardship.credentials import issue_token, revoke_token
from ledger.stewardship.keys import enrol_key
from ledger.stewardship.removal import erase_texts, remove_evidence
from signing import dsse
from signing.keys import SigningKey
from signing.merkle import Frontier, leaf_hash

ROOT = Path(__file__).parents[3]
SECOND_KEY = SigningKey.from_seed(b"s" * 32)
STRANGERS_KEY = SigningKey.from_seed(b"x" * 32)

# For every column: the kinds of fault that name a change of it.
KINDS = {
    "entries.position": {"missing", "position-wrong"},
    "entries.type_id": {"column-type"},
    "entries.key_number": {"key-unknown", "signature-wrong"},
    "entries.leaf_hash": {"entry-altered"},
    "entries.signature": {"signature-wrong"},
    "entries.entry": {"entry-altered"},
    "nodes.height": {"node-wrong"},
    "nodes.index": {"node-wrong"},
    "nodes.hash": {"node-wrong"},
    "event_types.id": {"event-types-wrong"},
    "event_types.name": {"event-types-wrong"},
    "sources.id": {"sources-wrong"},
    "sources.name": {"sources-wrong"},
    "statements.source_id": {"statement-row-wrong"},
    "statements.id": {"statement-row-wrong"},
    "statements.position": {"statement-row-wrong"},
    "refs.ref": {"ref-head-wrong"},
    "refs.id": {"ref-head-wrong"},
    "refs.count": {"ref-head-wrong"},
    "refs.last_position": {"ref-head-wrong"},
    "entry_refs.ref_id": {"entry-refs-wrong"},
    "entry_refs.position": {"entry-refs-wrong"},
    "entry_refs.type_id": {"entry-refs-wrong"},
    "head.id": {"head-id", "head-missing"},
    "head.size": {"head-size", "beyond-head", "missing"},
    "head.last_leaf": {"head-last-leaf"},
    "head.frontier": {"head-frontier"},
    "head.recorded_at": {"head-recorded-at"},
    "head.authority_position": {"head-authority-position"},
    "head.entry_keys": {"head-entry-keys"},
    "texts.position": {"text-missing"},
    "texts.field": {"text-missing"},
    "texts.salt": {"text-altered"},
    "texts.text": {"text-altered"},
    "submitted.position": {"submitted-wrong"},
    "submitted.digest": {"submitted-wrong"},
    "evidence.position": {"evidence-missing"},
    "evidence.sha256": {"evidence-missing"},
    "evidence.body": {"evidence-altered"},
    "checkpoints.size": {"checkpoint-wrong", "checkpoint-beyond-head"},
    "checkpoints.note": {"checkpoint-wrong"},
    "cosignatures.size": {"checkpoint-wrong", "cosignature-wrong", "checkpoint-beyond-head"},
    "cosignatures.witness": {"cosignature-wrong"},
    "cosignatures.line": {"cosignature-wrong"},
    "secrets.name": {"secret-replaced"},
    "secrets.value": {"secret-replaced"},
}
COLUMNS = [(table.name, column.name) for table in tables.metadata.sorted_tables for column in table.columns]
TABLES = [table.name for table in tables.metadata.sorted_tables]


# -- one ledger to be copied and broken -------------------------------------------------------------------------------


@dataclass
class Story:
    """What was put into the ledger, by position."""

    genesis: bytes
    size: int
    credential: str
    issued: int
    opened: list[int]
    evidence: list[int]
    by_token: list[int]
    erased: int


def tell(url: str, *, length: int = 0) -> Story:
    """Make a ledger with rows in every table: two keys, a token, texts, evidence, an erasure, a removal, checkpoints."""
    ledger = create_ledger(url)
    credential, token, receipt = issue_token(
        ledger,
        actor="service:local-operator",
        principal="service:payments-ci",
        kind="service",
        roles=["reporter"],
        areas=["change", "deployment"],
        sources=["https://ci.example.com/*"],
    )
    issued = receipt.position
    caller = Caller(credential, "service:payments-ci", "token", ledger.authority.authenticate(token, 0))
    opened = [
        cloud_event("change.opened", title="Raise the size of the pool", description="Twice as many connections"),
        cloud_event("change.opened", title="Move to the new cluster"),
        cloud_event("change.opened", title="To be erased", description="And this, too"),
    ]
    positions = [outcome.receipts[0].position for outcome in append(ledger, *opened)]
    witnessed = [
        ledger.append(
            Submission((ledger.admission.admit(cloud_event(), evidence=(Evidence.of(body, "text/plain"),)),), caller)
        )
        for body in (b"scanner report one", b"scanner report two", b"to be removed")
    ]
    enrol_key(
        ledger,
        SECOND_KEY.public_key,
        role="entry",
        name="second",
        possession=possession(SECOND_KEY, "entry"),
        actor="service:local-operator",
    )
    erase_texts(ledger, positions[2], actor="person:dpo", reason="gdpr-17")
    sha256 = Evidence.of(b"to be removed", "text/plain").sha256
    remove_evidence(ledger, witnessed[2].receipts[0].position, sha256, actor="service:retention", reason="retention")
    by_token = [ledger.append(submission(ledger, cloud_event(), caller=caller)).receipts[0].position for _ in range(8)]
    second = Ledger.open(Database(url), SECOND_KEY)
    append(second, *[cloud_event() for _ in range(5)])
    other = [cloud_event() | {"source": "https://ci.example.com/orders"} for _ in range(5)]
    append(ledger, *other)
    enrol_witness(ledger)
    append(ledger, cloud_event())
    for size in (9, 14, ledger.size()):
        keep_checkpoint(ledger, size, cosigned=size > 14)
    if length:
        append(second, *[cloud_event() for _ in range(length - ledger.size())])
    size = ledger.size()
    with ledger.database.read() as connection:
        genesis_entry = connection.execute(
            sa.select(tables.entries.c.leaf_hash).where(tables.entries.c.position == 1)
        ).scalar_one()
    second.close()
    ledger.close()
    return Story(
        genesis=bytes(genesis_entry),
        size=size,
        credential=credential,
        issued=issued,
        opened=positions[:2],
        evidence=[outcome.receipts[0].position for outcome in witnessed[:2]],
        by_token=by_token,
        erased=positions[2],
    )


@dataclass
class Victim:
    """A copy of the ledger without guards, and the ways to break it."""

    database: Database
    story: Story
    # With --all, more of what is alike is tried.
    is_thorough: bool = False

    @property
    def size(self) -> int:
        return self.story.size

    def audit(self, *, pinned: bool = True, **more: Any) -> Report:
        pin = Pin(genesis=self.story.genesis) if pinned else None
        return audit_database(self.database, pin=pin, workers=1, on_progress=_not_for_ever, **more)

    def rows(self, table: str) -> list[dict[str, Any]]:
        found = tables.metadata.tables[table]
        with self.database.engine.connect() as connection:
            query = sa.select(found).order_by(*found.primary_key.columns)
            return [dict(row) for row in connection.execute(query).mappings()]

    def row(self, table: str, **key: Any) -> dict[str, Any]:
        [row] = [row for row in self.rows(table) if all(row[name] == value for name, value in key.items())]
        return row

    def update(self, table: str, row: dict[str, Any], **values: Any) -> None:
        found = tables.metadata.tables[table]
        with self.database.engine.begin() as connection:
            done = connection.execute(sa.update(found).where(*_is(found, row)).values(values))
            assert done.rowcount == 1

    def delete(self, table: str, row: dict[str, Any]) -> None:
        found = tables.metadata.tables[table]
        with self.database.engine.begin() as connection:
            assert connection.execute(sa.delete(found).where(*_is(found, row))).rowcount == 1

    def insert(self, table: str, row: dict[str, Any]) -> None:
        with self.database.engine.begin() as connection:
            connection.execute(sa.insert(tables.metadata.tables[table]).values(row))

    def entry(self, position: int) -> dict[str, Any]:
        return self.row("entries", position=position)

    @contextmanager
    def changed(self, table: str, row: dict[str, Any], **values: Any) -> Iterator[None]:
        """One row is otherwise for a while."""
        self.update(table, row, **values)
        try:
            yield
        finally:
            self.delete(table, row | values)
            self.insert(table, row)

    def forget_checkpoints(self) -> None:
        """Delete the checkpoints with the cosignatures: what was signed over the tree would give every rewriting away."""
        for table in UNMISSED:
            for row in self.rows(table):
                self.delete(table, row)

    def rewrite(self, edit: Callable[[dict[str, Any]], None], *, keys: Sequence[SigningKey] = ()) -> None:
        """Edit documents, and make leaves, links, nodes and head fit again. Checkpoints are gone afterwards.

        Everything is signed anew by `keys`, in the order of key numbers; without any, the old signatures stay.
        """
        self.forget_checkpoints()
        frontier, last_leaf, nodes = Frontier(), bytes(32), []
        rows = self.rows("entries")
        recorded_at = ""
        with self.database.engine.begin() as connection:
            for row in rows:
                document = orjson.loads(row["entry"])
                edit(document)
                document["prev"] = last_leaf.hex()
                entry = encode(document)
                last_leaf = leaf_hash(entry)
                frontier.append(last_leaf, lambda height, index, node: nodes.append((height, index, node)))
                values = {"entry": entry, "leaf_hash": last_leaf}
                if keys:
                    values["signature"] = keys[row["key_number"]].sign(dsse.pae(ENTRY_PAYLOAD_TYPE, entry))
                connection.execute(
                    sa.update(tables.entries).where(tables.entries.c.position == row["position"]).values(values)
                )
                recorded_at = document["recorded_at"]
            for height, index, node in nodes:
                n = tables.nodes.c
                connection.execute(
                    sa.update(tables.nodes).where(n.height == height, n.index == index).values(hash=node)
                )
            head = {"last_leaf": last_leaf, "frontier": frontier.to_bytes(), "recorded_at": _microseconds(recorded_at)}
            if keys:
                head["entry_keys"] = ",".join(key.key_id for key in keys)
            connection.execute(sa.update(tables.head).values(head))


def _microseconds(text: str) -> int:
    return (datetime.fromisoformat(text) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def _is(table: sa.Table, row: dict[str, Any]) -> list[sa.ColumnElement[bool]]:
    return [column == row[column.name] for column in table.primary_key.columns]


def _not_for_ever(done: int, _size: int) -> None:
    assert done < 3_000_000, "the audit walks through millions of positions that are not there"


def _take_guards_away(database: Database) -> None:
    with database.engine.begin() as connection:
        if database.is_sqlite:
            for name in (
                connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'trigger'").scalars().all()
            ):
                connection.exec_driver_sql(f"DROP TRIGGER {name}")
        else:
            for name in TABLES:
                connection.exec_driver_sql(f"ALTER TABLE {name} DISABLE TRIGGER ALL")


@dataclass
class Original:
    """A database that is copied for every test."""

    url: sa.URL
    story: Story

    @contextmanager
    def copy(self, directory: Path) -> Iterator[Victim]:
        if self.url.get_backend_name() == "sqlite":
            path = directory / "copy.db"
            shutil.copyfile(str(self.url.database), path)
            database = Database(f"sqlite:///{path}")
            _take_guards_away(database)
            yield Victim(database, self.story)
            database.close()
            return
        with _postgres_database(self.url.set(database="postgres"), template=self.url.database) as url:
            database = Database(url.render_as_string(hide_password=False))
            _take_guards_away(database)
            yield Victim(database, self.story)
            database.close()


@contextmanager
def _postgres_database(server: sa.URL, *, template: str | None = None) -> Iterator[sa.URL]:
    admin = sa.create_engine(server, isolation_level="AUTOCOMMIT")
    name = f"tampering_{uuid.uuid4().hex[:12]}"
    with admin.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}" + (f" TEMPLATE {template}" if template else ""))
    yield server.set(database=name)
    with admin.connect() as connection:
        connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")
    admin.dispose()


@contextmanager
def _original(request: pytest.FixtureRequest, factory: pytest.TempPathFactory, length: int) -> Iterator[Original]:
    if request.param == "sqlite":
        url = sa.make_url(f"sqlite:///{factory.mktemp('original') / 'ledger.db'}")
        yield Original(url, tell(str(url), length=length))
        return
    server = sa.make_url(request.getfixturevalue("postgres_url"))
    with _postgres_database(server) as url:
        yield Original(url, tell(url.render_as_string(hide_password=False), length=length))


DATABASES = ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)]


@pytest.fixture(scope="module", params=DATABASES)
def original(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Original]:
    with _original(request, tmp_path_factory, 0) as made:
        yield made


@pytest.fixture(scope="module", params=DATABASES)
def long_original(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Original]:
    """Over 512 entries: two stored nodes of the tree."""
    with _original(request, tmp_path_factory, 520) as made:
        yield made


@pytest.fixture
def victim(original: Original, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Victim]:
    with original.copy(tmp_path) as made:
        made.is_thorough = request.config.getoption("--all")
        yield made


@pytest.fixture
def long_victim(long_original: Original, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Victim]:
    with long_original.copy(tmp_path) as made:
        made.is_thorough = request.config.getoption("--all")
        yield made


# -- the untouched ledger ---------------------------------------------------------------------------------------------


def test_the_untouched_ledger_is_sound_under_its_pin_and_only_consistent_without(victim: Victim) -> None:
    report = victim.audit()
    assert (report.verdict, report.exit_status, report.faults) == ("sound", 0, ())
    assert (report.size, report.entries) == (victim.size, victim.size)
    without = victim.audit(pinned=False)
    assert (without.verdict, without.exit_status, without.faults) == ("consistent", 3, ())


def test_without_signatures_the_ledger_is_not_called_sound(victim: Victim) -> None:
    report = victim.audit(signatures=False)
    assert (report.verdict, report.exit_status) == ("consistent", 3)


def test_guards_that_were_taken_away_are_noted(victim: Victim) -> None:
    expected = {ddl.split()[2] for ddl in tables.guards(victim.database.engine.dialect.name) if " TRIGGER " in ddl[:16]}
    notes = " ".join(victim.audit().notes)
    assert [name for name in sorted(expected) if name not in notes] == []


# -- every column of every table --------------------------------------------------------------------------------------


def _forgeries(table: sa.Table, column: str, row: dict[str, Any], rows: list[dict[str, Any]]) -> Iterator[Any]:
    """Yield values that do not belong there: a little altered, emptied, and taken from other rows."""
    value = row[column]
    forged: list[Any]
    if isinstance(value, bytes):
        forged = [value[:-1] + bytes([value[-1] ^ 1]), b"", value + b"\0"]
    elif isinstance(value, str):
        forged = [value + "x", ""]
    else:
        forged = [value + (1 if isinstance(table.c[column].type, sa.SmallInteger) else 1_000_000), value - 1, -1]
    forged += sorted({other[column] for other in rows})[:3]
    keys = [
        set(_keys(table)),
        *(set(c.columns.keys()) for c in table.constraints if isinstance(c, sa.UniqueConstraint)),
    ]
    for new in dict.fromkeys(forged):
        changed = row | {column: new}
        # What the database would refuse as a second row of the same key is nobody's forgery.
        taken = any(all(other[name] == changed[name] for name in key) for key in keys for other in rows)
        if new != value and not (taken and any(column in key for key in keys)):
            yield new


def _places(table: str, row: dict[str, Any], size: int) -> set[int]:
    """The positions at which a fault of this row may be named."""
    match table:
        case "nodes":
            return {(row["index"] << row["height"]) + 1}
        case "event_types" | "sources":
            return {row["id"]}
        case "refs":
            return {row["last_position"]}
        case "head":
            return {size}
        case "secrets":
            return {1}
        case "checkpoints" | "cosignatures":
            return {row["size"]}
        case _:
            return {row["position"]}


def test_the_table_of_kinds_knows_every_column() -> None:
    assert KINDS.keys() == {f"{table}.{column}" for table, column in COLUMNS}


def _try_every_forgery(victim: Victim, name: str, column: str) -> None:
    table, kinds = tables.metadata.tables[name], KINDS[f"{name}.{column}"]
    rows = victim.rows(name)
    assert rows, f"the story has no row in {name}"
    missed = []
    chosen = {0: rows[0], len(rows) // 2: rows[len(rows) // 2], len(rows) - 1: rows[-1]}
    if not victim.is_thorough:
        # Each forgery is an audit: one row stands for all, another one on either database.
        chosen = {0: rows[-1] if victim.database.is_sqlite else rows[len(rows) // 2]}
    for row in chosen.values():
        for forged in _forgeries(table, column, row, rows):
            places = _places(name, row, victim.size)
            if column == "size":
                places |= {1, min(forged, victim.size) + 1, forged, victim.size}
            what = f"{name}.{column} of {_key(table, row)}: {_short(row[column])} -> {_short(forged)}"
            with victim.changed(name, row, **{column: forged}):
                try:
                    report = victim.audit()
                except Exception as error:  # noqa: BLE001 - every forgery is tried, and all that break the audit are named
                    missed.append(f"{what}: the audit broke with {type(error).__name__}: {error}")
                    continue
            named = {(fault.position, fault.kind) for fault in report.faults}
            if not any((place, kind) in named for place in places for kind in kinds):
                missed.append(f"{what}: expected {sorted(kinds)} at {sorted(places)}, found {sorted(named)[:6]}")
            elif (report.verdict, report.exit_status) != ("faults", 1):
                missed.append(f"{what}: the verdict is {report.verdict}")
    assert missed == []
    assert victim.audit().verdict == "sound"


def _keys(table: sa.Table) -> list[str]:
    return list(table.primary_key.columns.keys())


def _key(table: sa.Table, row: dict[str, Any]) -> str:
    return ", ".join(_short(row[name]) for name in _keys(table))


def _short(value: Any) -> str:
    return value.hex()[:12] if isinstance(value, bytes) else str(value)[:40]


@pytest.mark.parametrize(
    ("table", "column"), [pytest.param(*pair, id=".".join(pair)) for pair in COLUMNS if pair[0] != "nodes"]
)
def test_a_changed_value_is_reported_where_it_stands(victim: Victim, table: str, column: str) -> None:
    _try_every_forgery(victim, table, column)


@pytest.mark.parametrize("column", tables.nodes.columns.keys())
def test_a_changed_node_is_reported_where_its_leaves_begin(long_victim: Victim, column: str) -> None:
    _try_every_forgery(long_victim, "nodes", column)


# Nothing else depends on a checkpoint or a cosignature: who holds one still holds it, and the signer remembers the last.
UNMISSED = ("checkpoints", "cosignatures")


@pytest.mark.parametrize("table", [name for name in TABLES if name not in ("nodes", *UNMISSED)])
def test_a_deleted_row_is_reported_as_missing(victim: Victim, table: str) -> None:
    kinds = {
        "entries": {"missing"},
        "head": {"head-missing"},
    }.get(table) or {kind for name, of_column in KINDS.items() if name.startswith(f"{table}.") for kind in of_column}
    rows = victim.rows(table)
    missed = []
    chosen = {0: rows[0], len(rows) // 2: rows[len(rows) // 2], len(rows) - 1: rows[-1]}
    if not victim.is_thorough:
        # Each forgery is an audit: one row stands for all, another one on either database.
        chosen = {0: rows[-1] if victim.database.is_sqlite else rows[len(rows) // 2]}
    for row in chosen.values():
        victim.delete(table, row)
        places = {1, victim.size} if table == "head" else _places(table, row, victim.size)
        report = victim.audit()
        if not any(fault.position in places and fault.kind in kinds for fault in report.faults):
            missed.append((_key(tables.metadata.tables[table], row), report.faults[:5]))
        victim.insert(table, row)
    assert missed == []


def test_a_deleted_node_is_reported(long_victim: Victim) -> None:
    for row in long_victim.rows("nodes"):
        long_victim.delete("nodes", row)
        [fault] = long_victim.audit().faults
        assert (fault.position, fault.kind) == ((row["index"] << row["height"]) + 1, "node-wrong")
        long_victim.insert("nodes", row)


def test_every_row_of_a_table_deleted_is_never_a_pass(victim: Victim) -> None:
    for table in TABLES:
        if table in ("entries", "nodes", *UNMISSED):
            continue
        rows = victim.rows(table)
        for row in rows:
            victim.delete(table, row)
        assert (table, victim.audit().verdict) == (table, "faults")
        for row in rows:
            victim.insert(table, row)
    assert victim.audit().verdict == "sound"


@pytest.mark.parametrize("table", [name for name in TABLES if name != "entries"])
def test_an_inserted_row_is_reported(victim: Victim, table: str) -> None:
    forged: dict[str, dict[str, Any]] = {
        "nodes": {"height": 8, "index": 0, "hash": bytes(32)},
        "event_types": {"id": 7_000, "name": "change.forged"},
        "sources": {"id": 7_000, "name": "https://forged.example.com"},
        "statements": {"source_id": victim.rows("sources")[0]["id"], "id": "forged", "position": 3},
        "refs": {"ref": "change:FORGED", "id": 192, "count": 1, "last_position": 3},
        "entry_refs": victim.rows("entry_refs")[0] | {"position": victim.size},
        "head": victim.rows("head")[0] | {"id": 2},
        "texts": {"position": victim.story.by_token[0], "field": "title", "salt": bytes(32), "text": "forged"},
        "submitted": {"position": victim.story.by_token[0], "digest": bytes(32)},
        "evidence": {
            "position": victim.story.by_token[0],
            "sha256": Evidence.of(b"forged", "text/plain").sha256,
            "body": b"forged",
        },
        "secrets": {"name": "forged", "value": b"forged"},
        "checkpoints": {"size": 10, "note": victim.rows("checkpoints")[0]["note"]},
        "cosignatures": {"size": 14, "witness": "forged.example", "line": victim.rows("cosignatures")[0]["line"]},
    }
    victim.insert(table, forged[table])
    report = victim.audit()
    assert report.verdict == "faults"
    if "position" in forged[table]:
        assert forged[table]["position"] in {fault.position for fault in report.faults}


def test_a_text_put_back_after_its_erasure_is_reported(victim: Victim) -> None:
    position = victim.story.erased
    victim.insert("texts", {"position": position, "field": "title", "salt": bytes(32), "text": "To be erased"})
    assert (position, "text-not-erased") in {(f.position, f.kind) for f in victim.audit().faults}


def test_evidence_put_back_after_its_removal_is_reported(victim: Victim) -> None:
    body = b"to be removed"
    sha256 = Evidence.of(body, "text/plain").sha256
    [position] = [row["position"] for row in victim.rows("entries") if sha256.hex().encode() in row["entry"][:300]]
    victim.insert("evidence", {"position": position, "sha256": sha256, "body": body})
    assert [(f.position, f.kind) for f in victim.audit().faults] == [(position, "evidence-not-removed")]


# -- entries: moved, inserted, replaced, rewritten --------------------------------------------------------------------


def test_a_swapped_pair_is_reported_at_both_positions(victim: Victim) -> None:
    first, second = victim.entry(9), victim.entry(20)
    victim.update("entries", first, **{**second, "position": 9})
    victim.update("entries", second, **{**first, "position": 20})
    report = victim.audit()
    assert report.faults[0].position == 9
    assert {(9, "position-wrong"), (20, "position-wrong")} <= {(f.position, f.kind) for f in report.faults}


def test_an_entry_past_the_head_is_reported(victim: Victim) -> None:
    victim.insert("entries", victim.entry(victim.size) | {"position": victim.size + 1})
    assert (victim.size + 1, "beyond-head") in {(f.position, f.kind) for f in victim.audit().faults}


def test_an_entry_at_position_0_is_reported(victim: Victim) -> None:
    victim.insert("entries", victim.entry(victim.size) | {"position": 0})
    assert (0, "beyond-head") in {(f.position, f.kind) for f in victim.audit().faults}


def test_an_entry_past_a_head_that_was_moved_with_it_is_reported(victim: Victim) -> None:
    last, head = victim.entry(victim.size), victim.rows("head")[0]
    document = orjson.loads(last["entry"]) | {"position": victim.size + 1, "prev": last["leaf_hash"].hex()}
    entry = encode(document)
    frontier = Frontier.from_bytes(victim.size, head["frontier"])
    frontier.append(leaf_hash(entry))
    victim.insert("entries", last | {"position": victim.size + 1, "entry": entry, "leaf_hash": leaf_hash(entry)})
    victim.update(
        "head", head, size=victim.size + 1, last_leaf=leaf_hash(entry), frontier=frontier.to_bytes()
    )  # fmt: skip
    report = victim.audit()
    assert (victim.size + 1, "signature-wrong") in {(f.position, f.kind) for f in report.faults}
    assert min(f.position for f in report.faults if f.kind != "ref-head-wrong") == victim.size + 1


def test_a_cut_off_tail_is_reported_even_when_the_head_was_moved_back(victim: Victim) -> None:
    head, shorter = victim.rows("head")[0], victim.size - 3
    frontier = Frontier()
    rows = victim.rows("entries")
    for row in rows[:shorter]:
        frontier.append(row["leaf_hash"])
    for row in rows[shorter:]:
        victim.delete("entries", row)
    moved = {"size": shorter, "last_leaf": rows[shorter - 1]["leaf_hash"], "frontier": frontier.to_bytes()}
    victim.update("head", head, **moved)
    report = victim.audit()
    assert report.verdict == "faults"
    # The tables beside the log remember what was cut off.
    assert shorter + 1 in {fault.position for fault in report.faults}


def test_a_replaced_entry_is_reported_at_its_position_and_where_the_chain_breaks(victim: Victim) -> None:
    row = victim.entry(12)
    entry = row["entry"].replace(b'"success"', b'"failure"')
    assert entry != row["entry"]
    victim.update("entries", row, entry=entry, leaf_hash=leaf_hash(entry))
    named = [(f.position, f.kind) for f in victim.audit().faults]
    assert named[0] == (12, "signature-wrong")
    assert (13, "link-broken") in named


def test_an_entry_replaced_by_another_signed_one_is_reported(victim: Victim) -> None:
    other = victim.entry(20)
    victim.update("entries", victim.entry(12), **{**other, "position": 12})
    named = [(f.position, f.kind) for f in victim.audit().faults]
    assert named[0][0] == 12
    assert (12, "position-wrong") in named


def test_an_edited_entry_that_was_linked_again_lacks_the_signature(victim: Victim) -> None:
    def edit(document: dict[str, Any]) -> None:
        if document["position"] == 12:
            document["statement"]["data"]["outcome"] = "failure"

    victim.rewrite(edit)
    report = victim.audit()
    # The entries after it have another `prev`, so none of their signatures fits either; nothing else gives it away.
    assert {f.kind for f in report.faults} == {"signature-wrong"}
    assert [f.position for f in report.faults] == list(range(12, victim.size + 1))


def test_an_edited_entry_that_was_linked_again_is_not_found_without_signatures(victim: Victim) -> None:
    """What --no-signatures means, and why its verdict is never `sound`."""
    victim.rewrite(lambda d: d["statement"]["data"].update({"outcome": "failure"} if d["position"] == 12 else {}))
    report = victim.audit(signatures=False)
    assert (report.verdict, report.exit_status, report.faults) == ("consistent", 3, ())


def test_a_ledger_signed_again_under_fresh_keys_is_told_by_the_pin_alone(victim: Victim) -> None:
    fresh = [SigningKey.from_seed(b"1" * 32), SigningKey.from_seed(b"2" * 32)]
    renamed = {old.key_id[:16]: new.key_id[:16] for old, new in zip((ENTRY_KEY, SECOND_KEY), fresh, strict=True)}

    def edit(document: dict[str, Any]) -> None:
        data = document["statement"]["data"]
        if document["statement"]["type"] == "ledger.opened":
            data |= {"entry_key": fresh[0].public_key.hex(), "checkpoint_key": STRANGERS_KEY.public_key.hex()}
        if document["statement"]["type"] == "ledger.key_enrolled" and data["role"] == "entry":
            # It shows what it signs with, as the doors ask for.
            data |= {"public_key": fresh[1].public_key.hex(), "possession": possession(fresh[1], "entry")}
        kind, _, name = document["recorded_by"]["credential"].partition(":")
        if kind == "key":
            document["recorded_by"]["credential"] = f"key:{renamed[name]}"
        if document["position"] == 12:
            data["outcome"] = "failure"

    victim.rewrite(edit, keys=fresh)
    without = victim.audit(pinned=False)
    assert (without.verdict, without.exit_status, without.faults) == ("consistent", 3, ())
    report = victim.audit()
    assert [(f.position, f.kind) for f in report.faults] == [(1, "not-pinned-genesis")]
    assert (report.verdict, report.exit_status) == ("faults", 1)
    by_key = audit_database(victim.database, pin=Pin(ORIGIN, None, CHECKPOINT_KEY.public_key), workers=1)
    assert [f.kind for f in by_key.faults] == ["not-pinned-key"]


def test_a_pinned_checkpoint_key_anchors_what_it_has_signed(victim: Victim) -> None:
    pin = Pin(ORIGIN, None, CHECKPOINT_KEY.public_key)
    assert audit_database(victim.database, pin=pin, workers=1).verdict == "sound"


def test_a_pin_without_a_genesis_anchors_nothing_where_its_key_has_signed_nothing(victim: Victim) -> None:
    victim.forget_checkpoints()
    for pin in (Pin(), Pin(origin=ORIGIN), Pin(ORIGIN, None, CHECKPOINT_KEY.public_key)):
        report = audit_database(victim.database, pin=pin, workers=1)
        assert (report.verdict, report.exit_status) == ("consistent", 3)


def test_a_pin_of_another_origin_is_a_fault(victim: Victim) -> None:
    pin = Pin("ledger.test/two", victim.story.genesis)
    assert [f.kind for f in audit_database(victim.database, pin=pin, workers=1).faults] == ["not-pinned-origin"]


def test_three_bad_positions_are_all_listed_and_the_first_one_first(victim: Victim) -> None:
    victim.update("entries", victim.entry(27), signature=bytes(64))
    victim.update("entries", victim.entry(6), entry=victim.entry(6)["entry"].replace(b"success", b"failure"))
    victim.delete("entries", victim.entry(15))
    report = victim.audit()
    assert report.faults[0].position == 6
    assert {(6, "entry-altered"), (15, "missing"), (27, "signature-wrong")} <= {
        (f.position, f.kind) for f in report.faults
    }
    assert list(report.faults) == sorted(report.faults)


def test_a_part_of_the_ledger_names_the_faults_of_that_part(victim: Victim) -> None:
    for position in (6, 15, 27):
        victim.update("entries", victim.entry(position), signature=bytes(64))
    report = victim.audit(first=10, last=20)
    assert [(f.position, f.kind) for f in report.faults] == [(15, "signature-wrong")]
    assert report.entries == 11


@pytest.mark.parametrize("breakage", ["deleted", "halved", "emptied"])
def test_a_broken_head_hides_no_other_fault(victim: Victim, breakage: str) -> None:
    victim.update("entries", victim.entry(25), signature=bytes(64))
    head = victim.rows("head")[0]
    if breakage == "deleted":
        victim.delete("head", head)
    else:
        victim.update("head", head, size=10 if breakage == "halved" else 0)
    named = {(f.position, f.kind) for f in victim.audit().faults}
    assert (25, "signature-wrong") in named
    assert any(kind.startswith("head-") or kind == "beyond-head" for _, kind in named)


def test_a_head_that_claims_a_huge_size_does_not_make_the_audit_endless(victim: Victim) -> None:
    victim.update("head", victim.rows("head")[0], size=2**50)
    report = victim.audit()
    assert report.verdict == "faults"
    assert victim.size + 1 in {fault.position for fault in report.faults}


# -- bytes that are no entry ------------------------------------------------------------------------------------------


def _malformed(document: dict[str, Any]) -> Iterator[bytes]:
    yield from (b"", b"{", b"[]", b"null", b'"x"', b"1", b"{}", b"\xff\xfe", b"[" * 3000, b'{"statement":{}}')
    for path in _paths(document):
        for value in (None, [], "x", -1, "remove"):
            copy = orjson.loads(orjson.dumps(document))
            parent = copy
            for step in path[:-1]:
                parent = parent[step]
            if parent[path[-1]] == value:
                continue
            if value == "remove":
                del parent[path[-1]]
            else:
                parent[path[-1]] = value
            yield orjson.dumps(copy, option=orjson.OPT_SORT_KEYS)


def _paths(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield (*at, key)
        yield from _paths(item, (*at, key))


def test_bytes_that_are_no_entry_are_a_fault_and_never_break_the_audit(
    sqlite_url: str, request: pytest.FixtureRequest
) -> None:
    """Whatever parses as JSON and is no entry, in the place of entries of which more than the walk reads something."""
    # Every fifth of them, unless all are asked for: each is an audit.
    step = 1 if request.config.getoption("--all") else 5
    victim = Victim(Database(sqlite_url), tell(sqlite_url))
    _take_guards_away(victim.database)
    erasure = next(row["position"] for row in victim.rows("entries") if b"ledger.texts_erased" in row["entry"])
    missed = []
    for position in (1, victim.story.issued, victim.story.opened[0], victim.story.evidence[0], erasure):
        row = victim.entry(position)
        for entry in itertools.islice(_malformed(orjson.loads(row["entry"])), position % step, None, step):
            # Whoever writes the bytes writes the leaf too.
            victim.update("entries", row, entry=entry, leaf_hash=leaf_hash(entry))
            try:
                found = {fault.position for fault in victim.audit(signatures=False).faults}
            except Exception as error:  # noqa: BLE001 - all that break the audit are named
                missed.append(f"{position}: {type(error).__name__}: {error}: {_difference(entry, row['entry'])}")
                continue
            # Without signatures, what is canonical and well formed is betrayed only by the link of the entry after it.
            if not found & {position, position + 1}:
                missed.append(f"{position}: not reported: {_difference(entry, row['entry'])}")
        victim.update("entries", row, entry=row["entry"], leaf_hash=row["leaf_hash"])
    assert missed == []
    victim.database.close()


def _difference(entry: bytes, before: bytes) -> str:
    start = next((at for at, (a, b) in enumerate(zip(entry, before, strict=False)) if a != b), 0)
    return entry[max(start - 20, 0) : start + 40].decode(errors="replace")


def test_values_of_another_storage_class_are_faults_and_never_break_the_audit(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """SQLite takes any value in any column; whoever has the file can write one."""
    # One or two of them for each column, others for the next, unless all are asked for: each is an audit.
    step = 1 if request.config.getoption("--all") else 5
    missed: list[str] = []
    originals = {}
    for length in (0, 260):
        url = sa.make_url(f"sqlite:///{tmp_path / f'original-{length}.db'}")
        originals[length] = Original(url, tell(str(url), length=length))
    for number, (table, column) in enumerate(COLUMNS):
        original = originals[260 if table == "nodes" else 0]
        # The last three are the value itself, as a cast would read it, in another class: no lookup finds it any more.
        same = (f'CAST("{column}" AS BLOB)', f"CAST(\"{column}\" || 'x' AS BLOB)", f"(\"{column}\" || '.5')")
        for literal in ("'text'", "1.5", "CAST(x'ff' AS TEXT)", *same)[number % step :: step]:
            with original.copy(tmp_path) as victim:
                if not _changed_to(victim, table, column, literal):
                    continue
                try:
                    if victim.audit().verdict != "faults":
                        missed.append(f"{table}.{column} = {literal}: not reported")
                except (Exception, AssertionError) as error:  # noqa: BLE001 - all that break the audit are named
                    missed.append(f"{table}.{column} = {literal}: {type(error).__name__}: {error}"[:150])
    assert missed == []


def _changed_to(victim: Victim, table: str, column: str, literal: str) -> bool:
    """Write an SQL literal into a column of the last row. False when the database refuses, or has that value already."""
    keys = _keys(tables.metadata.tables[table])
    raw = sqlite3.connect(str(victim.database.url.database), isolation_level=None)
    raw.text_factory = bytes
    order = ", ".join(f'"{key}" DESC' for key in keys)
    quoted = f'SELECT quote("{column}") FROM {table} ORDER BY 1'
    before = raw.execute(quoted).fetchall()
    names = ", ".join(f'"{key}"' for key in keys)
    try:
        raw.execute(
            f'UPDATE {table} SET "{column}" = {literal} WHERE ({names}) = (SELECT {names} FROM {table} ORDER BY {order} LIMIT 1)'
        )
    except sqlite3.IntegrityError:
        return False  # An INTEGER PRIMARY KEY is the one column that SQLite itself keeps to its type.
    finally:
        after = raw.execute(quoted).fetchall()
        raw.close()
    return bool(after != before)


def test_a_row_that_lookups_no_longer_find_lets_nobody_record_the_same_event_twice_unnoticed(
    sqlite_ledger: Ledger,
) -> None:
    """The table of statements as SQLite compares it, not as a cast reads it, is what duplicates are found by."""
    event = cloud_event()
    append(sqlite_ledger, event)
    _take_guards_away(sqlite_ledger.database)
    with sqlite_ledger.database.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE statements SET source_id = CAST(source_id AS BLOB) WHERE position = 2")
    append(sqlite_ledger, event)
    assert 2 in {fault.position for fault in audit_database(sqlite_ledger.database, workers=1).faults}


# -- who recorded it --------------------------------------------------------------------------------------------------


def _slip_in(victim: Victim, *, sign: Callable[[bytes], bytes], with_head: bool) -> int:
    """Put a `ledger.credential_issued` after the last entry, as its neighbour at `issued` looks."""
    position, head = victim.size + 1, victim.rows("head")[0]
    model = victim.entry(victim.story.issued)
    document = orjson.loads(model["entry"])
    document |= {"position": position, "prev": victim.entry(victim.size)["leaf_hash"].hex()}
    document["recorded_at"] = orjson.loads(victim.entry(victim.size)["entry"])["recorded_at"]
    document["refs"] = {"credential:token:000000000000": [1, 0]}
    document["statement"]["id"] = "slipped-in"
    document["statement"]["data"] |= {
        "credential": "token:000000000000",
        "token_sha256": "0" * 64,
        "roles": ["operator"],
    }
    entry = encode(document)
    victim.insert(
        "entries",
        model
        | {
            "position": position,
            "entry": entry,
            "leaf_hash": leaf_hash(entry),
            "signature": sign(dsse.pae(ENTRY_PAYLOAD_TYPE, entry)),
        },
    )
    if with_head:
        frontier = Frontier.from_bytes(victim.size, head["frontier"])
        frontier.append(leaf_hash(entry))
        moved = {"size": position, "last_leaf": leaf_hash(entry), "frontier": frontier.to_bytes()}
        victim.update("head", head, **moved, authority_position=position)
    return position


def test_a_credential_slipped_in_with_a_forged_signature_is_reported(victim: Victim) -> None:
    position = _slip_in(victim, sign=STRANGERS_KEY.sign, with_head=True)
    assert (position, "signature-wrong") in {(f.position, f.kind) for f in victim.audit().faults}


def test_a_credential_slipped_in_past_the_head_is_reported(victim: Victim) -> None:
    position = _slip_in(victim, sign=STRANGERS_KEY.sign, with_head=False)
    assert (position, "beyond-head") in {(f.position, f.kind) for f in victim.audit().faults}


@pytest.mark.parametrize("with_head", [False, True])
def test_a_credential_slipped_in_opens_no_door(victim: Victim, with_head: bool) -> None:
    _slip_in(victim, sign=STRANGERS_KEY.sign, with_head=with_head)
    with pytest.raises(LedgerStoppedError, match="does not verify"):
        Ledger.open(victim.database, ENTRY_KEY)


def _recorded(victim: Victim, position: int, **recorded_by: str) -> Report:
    """The audit after `recorded_by` of one entry was changed and everything signed again with the ledger's own keys."""

    def edit(document: dict[str, Any]) -> None:
        if document["position"] == position:
            document["recorded_by"] |= recorded_by

    victim.rewrite(edit, keys=[ENTRY_KEY, SECOND_KEY])
    return victim.audit()


@pytest.mark.parametrize(
    ("recorded_by", "kind"),
    [
        ({"credential": "token:999999999999"}, "credential-unknown"),
        ({"principal": "person:mallory"}, "recorded-by-forged"),
        ({"trust": "hmac"}, "credential-unknown"),
        ({"trust": "asserted"}, "recorded-by-forged"),
        (
            {"credential": "key:0123456789abcdef", "principal": "service:ledger", "trust": "asserted"},
            "recorded-by-forged",
        ),
        ({"credential": "hmac:999999999999", "trust": "hmac"}, "credential-unknown"),
    ],
)
def test_an_entry_recorded_by_nobody_known_is_reported_although_it_is_well_signed(
    victim: Victim, recorded_by: dict[str, str], kind: str
) -> None:
    position = victim.story.by_token[3]
    report = _recorded(victim, position, **recorded_by)
    assert [(f.position, f.kind) for f in report.faults] == [(position, kind)]


def test_an_entry_of_a_reserved_area_recorded_by_a_token_is_reported(victim: Victim) -> None:
    token = {"credential": victim.story.credential, "principal": "service:payments-ci", "trust": "token"}
    position = next(r["position"] for r in victim.rows("entries") if b"ledger.texts_erased" in r["entry"])
    assert [(f.position, f.kind) for f in _recorded(victim, position, **token).faults] == [(position, "reserved-area")]


class Clockwork:
    """A wall clock that moves when told; the steady clock moves with it."""

    def __init__(self) -> None:
        self.now_ns = 1_795_435_200_000_000_000

    def __call__(self) -> int:
        return self.now_ns


def _by_token(ledger: Ledger, token: str, *, lying: bool, **event: Any) -> Any:
    """Append a deployment by a token. A lying door asked nobody for permission, and says that it did."""
    held = next(c for c in ledger.authority.credentials.values() if c.token_sha256 == _sha256(token))
    caller = Caller(held.id, held.principal, "token", None if lying else held)
    permitted_at = ledger.authority.position if lying else -1
    return ledger.append(submission(ledger, cloud_event() | event, caller=caller, permitted_at=permitted_at))


def _sha256(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _token(ledger: Ledger, **more: Any) -> tuple[str, str]:
    wanted = {"roles": ["reporter"], "kind": "service", "actor": "person:root", "principal": "service:ci"} | more
    credential, token, _ = issue_token(ledger, **wanted)
    return credential, token


def _only_fault(ledger: Ledger) -> tuple[int, str]:
    [fault] = audit_database(ledger.database, workers=1).faults
    return fault.position, fault.kind


@pytest.mark.parametrize(
    ("limits", "event"),
    [
        ({"areas": ["change", "approval"]}, {}),
        ({"sources": ["https://ci.example.com/orders"]}, {}),
        ({"roles": ["auditor"]}, {}),
        ({"areas": ["*"], "sources": ["https://ci.example.com/payment"]}, {}),
    ],
)
def test_an_entry_by_a_token_outside_its_scope_is_refused_and_a_lying_door_is_found_out(
    ledger: Ledger, limits: dict[str, Any], event: dict[str, Any]
) -> None:
    _, token = _token(ledger, **limits)
    assert isinstance(_by_token(ledger, token, lying=False, **event), Refused)
    assert audit_database(ledger.database, workers=1).faults == ()
    lied = _by_token(ledger, token, lying=True, **event)
    assert _only_fault(ledger) == (lied.receipts[0].position, "credential-outside-scope")


def test_an_entry_by_a_revoked_token_is_refused_and_a_lying_door_is_found_out(ledger: Ledger) -> None:
    credential, token = _token(ledger)
    assert isinstance(_by_token(ledger, token, lying=False), Recorded)
    revoke_token(ledger, credential, actor="person:root", reason="leaked")
    refused = _by_token(ledger, token, lying=False)
    assert isinstance(refused, Refused)
    assert isinstance(refused.error, UnauthenticatedError)
    assert audit_database(ledger.database, workers=1).faults == ()
    lied = _by_token(ledger, token, lying=True)
    assert _only_fault(ledger) == (lied.receipts[0].position, "credential-revoked")


def test_an_entry_after_a_tokens_end_is_refused_and_a_lying_door_is_found_out(database_url: str) -> None:
    clockwork = Clockwork()
    ledger = create_ledger(database_url, clock=Clock(wall_ns=clockwork, steady_ns=clockwork))
    _, token = _token(ledger, expires_at="2026-11-23T13:00:00Z")
    assert isinstance(_by_token(ledger, token, lying=False), Recorded)
    clockwork.now_ns += 3_600_000_000_000
    refused = _by_token(ledger, token, lying=False)
    assert isinstance(refused, Refused)
    assert isinstance(refused.error, UnauthenticatedError)
    lied = _by_token(ledger, token, lying=True)
    assert _only_fault(ledger) == (lied.receipts[0].position, "credential-expired")
    ledger.close()


def test_an_entry_before_its_token_was_issued_is_reported(victim: Victim) -> None:
    """By a holder of the ledger's keys: an entry names a token that is issued only at the end."""
    position = victim.story.opened[0]
    token = {"credential": "token:000000000000", "principal": "service:payments-ci", "trust": "token"}
    victim.rewrite(
        lambda d: d["recorded_by"].update(token) if d["position"] == position else None, keys=[ENTRY_KEY, SECOND_KEY]
    )
    assert (position, "credential-unknown") in {(f.position, f.kind) for f in victim.audit().faults}
    _slip_in(victim, sign=ENTRY_KEY.sign, with_head=True)
    assert (position, "credential-not-issued") in {(f.position, f.kind) for f in victim.audit().faults}


def test_an_entry_by_a_stranger_of_whom_the_log_knows_nothing_is_found_out(ledger: Ledger) -> None:
    stranger = Caller("token:999999999999", "service:stranger", "token")
    lied = ledger.append(submission(ledger, cloud_event(), caller=stranger, permitted_at=ledger.authority.position))
    assert _only_fault(ledger) == (lied.receipts[0].position, "credential-unknown")


def test_a_clock_that_goes_back_without_a_correction_is_reported(victim: Victim) -> None:
    def edit(document: dict[str, Any]) -> None:
        if document["position"] == 20:
            document["recorded_at"] = "2001-01-01T00:00:00.000000Z"

    victim.rewrite(edit, keys=[ENTRY_KEY, SECOND_KEY])
    assert (20, "clock-backwards") in {(f.position, f.kind) for f in victim.audit().faults}


@pytest.mark.parametrize(
    ("edit", "kind"),
    [
        ({"ledger": "ledger.test/two"}, "foreign-entry"),
        ({"position": 21}, "position-wrong"),
        ({"refs": {}}, "refs-wrong"),
        ({"entry": 2}, "entry-malformed"),
        ({"comment": "more than an entry has"}, "entry-malformed"),
    ],
)
def test_what_a_holder_of_the_keys_gets_wrong_is_reported(victim: Victim, edit: dict[str, Any], kind: str) -> None:
    victim.rewrite(lambda d: d.update(edit) if d["position"] == 20 else None, keys=[ENTRY_KEY, SECOND_KEY])
    assert (20, kind) in {(f.position, f.kind) for f in victim.audit().faults}


def test_a_forged_back_pointer_is_reported(victim: Victim) -> None:
    """An entry left out of the chain of its change, by somebody who holds the keys."""

    def edit(document: dict[str, Any]) -> None:
        if document["position"] == 28:
            name = next(name for name in document["refs"] if name.startswith("environment:"))
            document["refs"][name] = [1, 0]

    victim.rewrite(edit, keys=[ENTRY_KEY, SECOND_KEY])
    assert (28, "back-pointer-wrong") in {(f.position, f.kind) for f in victim.audit().faults}


def test_a_key_used_before_it_was_enrolled_is_reported(victim: Victim) -> None:
    """Position 6 signed by the second key, which was enrolled later."""
    row = victim.entry(4)
    signature = SECOND_KEY.sign(dsse.pae(ENTRY_PAYLOAD_TYPE, row["entry"]))
    victim.update("entries", row, key_number=1, signature=signature)
    assert (4, "key-not-valid") in {(f.position, f.kind) for f in victim.audit().faults}


# -- nothing to check -------------------------------------------------------------------------------------------------


def test_a_database_without_a_schema_could_not_be_checked(database_url: str) -> None:
    database = Database(database_url)
    with pytest.raises(SetupError):
        audit_database(database)
    database.close()


def test_an_empty_ledger_could_not_be_checked(database_url: str) -> None:
    database = Database(database_url)
    database.migrate()
    with pytest.raises(SetupError, match="nothing to check"):
        audit_database(database)
    database.close()


def test_a_ledger_without_its_entries_is_never_a_pass(victim: Victim) -> None:
    with victim.database.engine.begin() as connection:
        connection.execute(sa.delete(tables.entries))
    with pytest.raises(SetupError):
        victim.audit()


def test_a_ledger_without_entries_and_head_could_not_be_checked(victim: Victim) -> None:
    with victim.database.engine.begin() as connection:
        connection.execute(sa.delete(tables.entries))
        connection.execute(sa.delete(tables.head))
    with pytest.raises(SetupError):
        victim.audit()


def test_a_part_outside_the_ledger_could_not_be_checked(victim: Victim) -> None:
    for first, last in ((0, 5), (victim.size + 1, None), (9, 8)):
        with pytest.raises(SetupError):
            victim.audit(first=first, last=last)


@pytest.mark.parametrize("state", ["no file", "no schema", "no ledger", "no entries"])
def test_the_command_exits_with_2_when_there_is_nothing_to_check(tmp_path: Path, state: str) -> None:
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    if state == "no schema":
        sqlite3.connect(tmp_path / "ledger.db").close()
        (tmp_path / "ledger.db").touch()
    if state == "no ledger":
        database = Database(url)
        database.migrate()
        database.close()
    if state == "no entries":
        tell(url)
        database = Database(url)
        _take_guards_away(database)
        with database.engine.begin() as connection:
            connection.execute(sa.delete(tables.entries))
        database.close()
    environment = os.environ | {"CHANGE_LEDGER_KNOWN_LEDGERS": str(tmp_path / "known-ledgers"), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-m", "api.cli", "--directory", str(tmp_path), "verify"],
        env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert (done.returncode, "Traceback" in done.stderr) == (2, False), done.stderr[-800:]

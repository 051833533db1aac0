"""A world with a ledger, its signer, a witness, an auditor, a client, and an attacker with knobs.

The attacker owns the database and, where a knob says so, the keys. `forge` makes a whole other history that is consistent
in every table, as somebody with the entry key can.
"""

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson
import sqlalchemy as sa
from ledgers import (
    CHECKPOINT_KEY,
    ENTRY_KEY,
    ORIGIN,
    WITNESS,
    WITNESS_KEY,
    WITNESSED_AT,
    append,
    cloud_event,
    create_ledger,
    enrol_witness,
)

from ledger.audit.of_database import audit_database
from ledger.audit.report import Pin, Report
from ledger.authority import Caller
from ledger.canonical import encode
from ledger.clock import Clock, from_text
from ledger.entry import Receipt
from ledger.events import CATALOGUE, refs_of
from ledger.ledger import Ledger
from ledger.log import tables
from ledger.log.checkpoints import store_cosignature
from ledger.log.database import Database
from ledger.log.reading import read_entry
from ledger.log.recorder import Recorded, Submission
from ledger.log.tree import consistency_proof
from ledger.published.export import export
from ledger.published.signer import CheckpointSigner, Memory
from ledger.statement import Statement
from ledger.stewardship.commitments import commit_heads
from signing.checkpoint import Checkpoint, parse_checkpoint
from signing.keys import SigningKey
from signing.merkle import leaf_hash
from signing.notes import Note, NoteKey
from signing.witness import Witness, WitnessRefusalError, format_request

Document = dict[str, Any]
LOG_KEY = NoteKey(ORIGIN, CHECKPOINT_KEY.public_key)


class World:
    """A ledger of about twenty entries, signed and cosigned at two sizes; what everybody outside holds of it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.path = directory / "ledger.db"
        self.memory = Memory(directory / "signer")
        self.memory.begin(ORIGIN, CHECKPOINT_KEY)
        self.witness = Witness(WITNESS, WITNESS_KEY, {ORIGIN: (LOG_KEY,)})
        self.witnessed: Checkpoint | None = None
        ledger = create_ledger(f"sqlite:///{self.path}")
        enrol_witness(ledger)
        outcomes = append(ledger, *[cloud_event() for _ in range(8)])
        self.receipts: list[Receipt] = [o.receipts[0] for o in outcomes if isinstance(o, Recorded)]
        self.old = self.sign(ledger)
        commit_heads(ledger)
        append(ledger, *[cloud_event() for _ in range(7)])
        self.held = self.sign(ledger)
        self.size = ledger.size()
        with ledger.database.read() as connection:
            self.pin = Pin(ORIGIN, leaf_hash(read_entry(connection, 1).entry))
        export(ledger.database, directory / "export")
        ledger.close()
        self.backup = directory / "backup.db"

    # -- who does their work ---------------------------------------------------------------------------------------

    def open(self, path: Path | None = None) -> Ledger:
        return Ledger.open(Database(f"sqlite:///{path or self.path}"), ENTRY_KEY)

    def signer(self, ledger: Ledger, memory: Memory | None = None) -> CheckpointSigner:
        return CheckpointSigner(ledger.database, CHECKPOINT_KEY, memory or self.memory, ledger.current_authority)

    def sign(self, ledger: Ledger) -> Note:
        """Sign the head, have it cosigned, keep both, and return the published note."""
        signer = self.signer(ledger)
        assert signer.acquire()
        try:
            note = signer.sign()
        finally:
            signer.release()
        assert note is not None
        return self.ask_witness(ledger.database, note)

    def ask_witness(self, database: Database, note: Note) -> Note:
        """Have a checkpoint cosigned, as a ledger asks for it. Raises WitnessRefusalError."""
        size = parse_checkpoint(note.text).size
        old = self.witnessed.size if self.witnessed else 0
        with database.read() as connection:
            proof = consistency_proof(connection, old, size) if 0 < old <= size else []
        kept, line = self.witness.cosign(format_request(old, proof, note), self.witnessed, WITNESSED_AT)
        self.witnessed = parse_checkpoint(kept.text)
        with database.engine.begin() as connection:
            store_cosignature(connection, size, line)
        return note.with_lines([line])

    def witness_refuses(self, database: Database, note: Note) -> int:
        """Return the status with which the witness refuses a checkpoint."""
        try:
            self.ask_witness(database, note)
        except WitnessRefusalError as refusal:
            return refusal.status
        raise AssertionError("the witness cosigned it")

    def audit(self, path: Path | None = None, *, pinned: bool = True, **more: Any) -> Report:
        database = Database(f"sqlite:///{path or self.path}")
        try:
            return audit_database(database, pin=self.pin if pinned else None, workers=1, **more)
        finally:
            database.close()

    def kinds(self, path: Path | None = None, **more: Any) -> set[str]:
        return {fault.kind for fault in self.audit(path, **more).faults}

    # -- the attacker ----------------------------------------------------------------------------------------------

    def copy(self, name: str = "copy.db") -> Path:
        """Copy the database, as a backup or to show another history."""
        target = self.directory / name
        with closing(sqlite3.connect(self.path)) as source, closing(sqlite3.connect(target)) as copy:
            source.backup(copy)
        return target

    def execute(self, *statements: str, path: Path | None = None) -> None:
        """Run SQL with every guard taken away."""
        with closing(sqlite3.connect(path or self.path)) as connection:
            for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
                connection.execute(f"DROP TRIGGER {name}")
            for statement in statements:
                connection.execute(statement)
            connection.commit()

    def documents(self, path: Path | None = None) -> list[Document]:
        with closing(sqlite3.connect(path or self.path)) as connection:
            return [orjson.loads(row[0]) for row in connection.execute("SELECT entry FROM entries ORDER BY position")]

    def forge(
        self,
        edit: Callable[[list[Document]], list[Document]],
        *,
        entry_key: SigningKey = ENTRY_KEY,
        refs: Callable[[Statement], tuple[str, ...]] = lambda statement: statement.refs,
        name: str = "forged.db",
    ) -> Path:
        """Make another history in every table, signed by `entry_key`. Checkpoints are left out: the attacker deletes them."""
        target = self.directory / name
        database = Database(f"sqlite:///{target}")
        database.migrate()
        with closing(sqlite3.connect(self.path)) as connection:
            [pepper] = connection.execute("SELECT value FROM secrets").fetchone()
        with database.engine.begin() as connection:
            connection.execute(sa.insert(tables.secrets).values(name=tables.SECRET, value=pepper))
        times = _Times()
        ledger = Ledger(database, entry_key, origin=ORIGIN, clock=Clock(times.wall, times.wall))
        for document in edit(self.documents()):
            times.now = from_text(document["recorded_at"])
            by = document["recorded_by"]
            caller = Caller(by["credential"], by["principal"], by["trust"], is_ledger=True)
            statement = _statement(document["statement"])
            outcome = ledger.append(Submission((statement._replace(refs=refs(statement)),), caller))
            assert isinstance(outcome, Recorded), outcome
        ledger.close()
        return target

    def replace(self, path: Path) -> None:
        """Put another database in the place of the ledger's."""
        for suffix in ("-wal", "-shm"):
            self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)
        shutil.copy(path, self.path)


class _Times:
    """A clock that stands at the time of the entry that is forged."""

    now = 0

    def wall(self) -> int:
        return self.now * 1000


def _statement(document: Document) -> Statement:
    body = encode(document)
    refs = tuple(refs_of(CATALOGUE[document["type"]], document["data"]))
    digest = leaf_hash(body)
    return Statement(body, document["source"], document["id"], document["type"], document["data"], refs, digest)


def edited(position: int, **data: Any) -> Callable[[list[Document]], list[Document]]:
    """Return an edit that changes the data of one entry."""

    def edit(documents: list[Document]) -> list[Document]:
        documents[position - 1]["statement"]["data"] |= data
        return documents

    return edit


def without(*positions: int) -> Callable[[list[Document]], list[Document]]:
    """Return an edit that leaves entries out."""
    return lambda documents: [d for d in documents if d["position"] not in positions]

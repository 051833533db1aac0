"""Ledgers for tests: fixed keys, events that are admissible as they are, and appending in one line."""

import base64
import itertools
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ledger.authority import Caller
from ledger.ledger import Ledger
from ledger.log.checkpoints import store_checkpoint, store_cosignature
from ledger.log.database import Database
from ledger.log.recorder import Outcome, Submission
from ledger.log.tree import tree_of
from ledger.statement import Statement
from ledger.stewardship.keys import enrol_key
from signing.checkpoint import Checkpoint, sign_checkpoint
from signing.keys import SigningKey
from signing.notes import Note
from signing.possession import prove_possession
from signing.witness import cosign

ORIGIN = "ledger.test/one"
ENTRY_KEY = SigningKey.from_seed(b"e" * 32)
CHECKPOINT_KEY = SigningKey.from_seed(b"c" * 32)
WITNESS, WITNESS_KEY = "witness.test", SigningKey.from_seed(b"w" * 32)
WITNESSED_AT = 1_795_435_200


def create_ledger(url: str | Path, **more: Any) -> Ledger:
    """Make a ledger with the test keys in an empty database. On SQLite its tables are a copy of others that were made once."""
    path = Path(str(url).removeprefix("sqlite:///"))
    if (isinstance(url, Path) or url.startswith("sqlite:///")) and not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.touch(mode=0o600)
        path.write_bytes(_tables())
    return Ledger.create(
        Database(url), origin=ORIGIN, entry_key=ENTRY_KEY, checkpoint_key=CHECKPOINT_KEY.public_key, **more
    )


@cache
def _tables() -> bytes:
    """Return a SQLite database with the tables of a ledger and nothing in them, as migrations make it."""
    with TemporaryDirectory() as directory:
        path = Path(directory) / "ledger.db"
        database = Database(f"sqlite:///{path}")
        database.migrate()
        database.close()
        return path.read_bytes()


def possession(key: SigningKey, role: str, origin: str = ORIGIN) -> str:
    """Return what a key signs to be enrolled, in base64."""
    return base64.b64encode(prove_possession(key, origin, role)).decode()


_numbers = itertools.count(1)


def cloud_event(event_type: str = "deployment.finished", /, *, id: str | None = None, **data: Any) -> dict[str, Any]:
    """Return a CloudEvents event that is admissible as it is; keyword arguments go into its data."""
    number = next(_numbers)
    defaults: dict[str, dict[str, Any]] = {
        "deployment.finished": {
            "deployment_id": f"deploy-{number}",
            "change_id": f"CHG-{number % 7}",
            "service": f"service-{number % 3}",
            "environment": "prod",
            "outcome": "success",
        },
        "change.opened": {
            "actor": "person:alice",
            "change_id": f"CHG-{number}",
            "change_type": "normal",
            "services": ["payments-api"],
            "environment": "prod",
            "title": "Raise the size of the pool",
        },
    }
    return {
        "specversion": "1.0",
        "id": id or f"test-{number}",
        "source": "https://ci.example.com/payments",
        "type": event_type,
        "time": "2026-11-23T12:00:00Z",
        "data": defaults.get(event_type, {}) | data,
    }


def admit(ledger: Ledger, event: dict[str, Any]) -> Statement:
    return ledger.admission.admit(event)


def submission(ledger: Ledger, *events: dict[str, Any], caller: Caller | None = None, **more: Any) -> Submission:
    """Return a submission of events, by the local caller unless another is given."""
    return Submission(tuple(admit(ledger, event) for event in events), caller or ledger.local_caller(), **more)


def append(ledger: Ledger, *events: dict[str, Any]) -> list[Outcome]:
    """Append events, each its own submission, in one group; return the outcomes."""
    return ledger.append_group([submission(ledger, event) for event in events])


def enrol_entry_key(ledger: Ledger, key: SigningKey, name: str) -> int:
    """Enrol one more key that signs entries; return the position after which it is valid."""
    proof = possession(key, "entry")
    return enrol_key(ledger, key.public_key, role="entry", name=name, possession=proof, actor="person:root").position


def enrol_witness(ledger: Ledger) -> int:
    """Make the test's witness known to a ledger; return the position after which its cosignatures count."""
    return enrol_key(
        ledger, WITNESS_KEY.public_key, role="witness", name=WITNESS, actor="service:local-operator"
    ).position


def keep_checkpoint(ledger: Ledger, size: int | None = None, *, cosigned: bool = False) -> Note:
    """Sign the tree of the first `size` entries (all) and keep it, as the signer and a witness do; return the log's note."""
    size = size or ledger.size()
    with ledger.database.engine.begin() as connection:
        note = sign_checkpoint(Checkpoint(ORIGIN, size, tree_of(connection, size).root()), CHECKPOINT_KEY)
        store_checkpoint(connection, note)
        if cosigned:
            store_cosignature(connection, size, cosign(note.text, WITNESS, WITNESS_KEY, WITNESSED_AT))
    return note

"""The kinds of faults: each is found by some code, and some test makes an audit find it. Those that no other test makes are made here."""

import ast
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

import pytest
import rfc8785
from ledgers import ORIGIN, append, cloud_event, create_ledger, possession

from ledger.audit.of_database import audit_database
from ledger.authority import Caller
from ledger.faults import Kind
from ledger.log import tables
from ledger.log.database import Database
from ledger.log.recorder import Submission
from ledger.statement import STATEMENT_PAYLOAD_TYPE, Evidence
from ledger.stewardship.credentials import issue_token, revoke_token
from ledger.stewardship.keys import enrol_key
from signing import dsse
from signing.keys import SigningKey

ROOT = Path(__file__).parents[3]
PRODUCER = SigningKey.from_seed(b"p" * 32)
SOURCE = "https://ci.example.com/payments"


def words(paths: Iterable[Path]) -> set[str]:
    trees = [ast.parse(path.read_text()) for path in paths]
    return {str(node.value) for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Constant)}


def test_every_kind_is_found_by_some_code() -> None:
    named = {
        node.attr
        for path in [*(ROOT / "ledger/audit").glob("*.py"), ROOT / "ledger/authority.py"]
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "Kind"
    }
    # Put together from the name of a column or a table; and what `signing`, which knows no faults, says of a key.
    made = {f"head-{column.name.replace('_', '-')}" for column in tables.head.columns}
    made |= {f"{table.name.replace('_', '-')}-wrong" for table in (tables.event_types, tables.sources)}
    made |= words([ROOT / "signing" / "keyring.py"])
    assert {str(kind) for kind in Kind if kind.name not in named} - made == set()


def test_some_test_makes_an_audit_find_every_kind() -> None:
    tests = list((ROOT / "tests").rglob("test_*.py"))
    assert set(Kind) - words(tests) == set()


def tell(path: Path) -> None:
    """2: a key of a producer; 3: a token; 4: signed, by the token; 5: evidence; 6: the token is revoked; 7: another entry."""
    with closing(create_ledger(str(path))) as ledger:
        proof = possession(PRODUCER, "producer")
        about = {"role": "producer", "name": "service:ci", "sources": [SOURCE], "possession": proof}
        enrol_key(ledger, PRODUCER.public_key, actor="person:root", **about)  # type: ignore[arg-type]
        credential, _, _ = issue_token(
            ledger, actor="person:root", principal="service:ci", kind="service", roles=["reporter"]
        )
        payload = rfc8785.dumps(cloud_event() | {"ledger": ORIGIN, "source": SOURCE})
        signature = dsse.Signature(PRODUCER.key_id, dsse.sign(PRODUCER, STATEMENT_PAYLOAD_TYPE, payload))
        statement = ledger.admission.admit_signed(payload, (signature,))
        caller = Caller(credential, "service:ci", "signed", ledger.authority.credentials[credential])
        ledger.append(Submission((statement,), caller))
        evidence = (Evidence.of(b"a report", "text/plain"),)
        ledger.append(Submission((ledger.admission.admit(cloud_event(), evidence=evidence),), ledger.local_caller()))
        revoke_token(ledger, credential, actor="person:root", reason="left")
        append(ledger, cloud_event())


def altered(position: int, old: str, new: str) -> str:
    """Return the statement that puts another text of the same meaning to JSON into an entry's bytes."""
    return f"UPDATE entries SET entry = CAST(replace(CAST(entry AS TEXT), '{old}', '{new}') AS BLOB) WHERE position = {position}"


# What was done to the file, and the position at which it is told: of what is hidden, the last that is not.
MADE: dict[str, tuple[int, str]] = {
    "authority-hidden": (3, "UPDATE entries SET type_id = (SELECT type_id FROM entries WHERE position = 7) WHERE position = 6"),
    "authority-unreadable": (2, altered(2, '"public_key":"', '"public_key":"no hexadecimal')),
    "evidence-unwitnessed": (7, "INSERT INTO evidence (position, sha256, body) VALUES (7, zeroblob(32), 'x')"),
    "genesis-missing": (1, altered(1, '"type":"ledger.opened"', '"type":"ledger.closed"')),
    "key-outside-sources": (4, altered(2, f'"sources":["{SOURCE}"]', '"sources":["https://elsewhere.example.com/*"]')),
    "storage-class-wrong": (5, "UPDATE evidence SET body = 'a report'"),
    "type-unknown": (7, altered(7, '"type":"deployment.finished"', '"type":"deployment.invented"')),
}  # fmt: skip


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("told") / "ledger.db"
    tell(path)
    return path


@pytest.mark.parametrize("kind", MADE)
def test_what_was_done_to_the_file_is_found(told: Path, tmp_path: Path, kind: str) -> None:
    position, done = MADE[kind]
    path = tmp_path / "ledger.db"
    path.write_bytes(told.read_bytes())
    with closing(sqlite3.connect(path, isolation_level=None)) as file:
        for (name,) in file.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            file.execute(f"DROP TRIGGER {name}")
        assert file.execute(done).rowcount >= 1
    with closing(Database(path)) as database:
        found = {(fault.position, str(fault.kind)) for fault in audit_database(database, workers=1).faults}
    assert (position, kind) in found


def test_nothing_is_found_before_anything_is_done(told: Path) -> None:
    with closing(Database(told)) as database:
        assert audit_database(database, workers=1).faults == ()

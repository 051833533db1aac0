"""Ledgers that an earlier program wrote verify, export, answer and fold for ever. `tools/old_ledgers.py` says what they hold."""

import json
import lzma
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from old_ledgers import exported, folded, positions

from ledger.audit.log_files import Directory
from ledger.audit.of_database import audit_database
from ledger.audit.of_files import audit_files
from ledger.audit.report import Pin
from ledger.events import CATALOGUE
from ledger.log.database import Database
from ledger.log.following import Watcher
from ledger.log.reading import read_size
from ledger.published.export import export
from projections import VIEWS
from projections.engine.checking import check
from projections.engine.runner import Runner
from signing.notes import parse_verifier_key

VECTORS = Path(__file__).parent / "vectors" / "ledgers"
each = pytest.mark.parametrize("name", ["every-type", "odd-times"])


def expected_of(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((VECTORS / f"{name}.json").read_text())
    return found


def pin_of(expected: dict[str, Any]) -> Pin:
    key = parse_verifier_key(expected["vkey"])
    return Pin(key.name, bytes.fromhex(expected["genesis"]), key.public_key)


@pytest.fixture
def database(name: str, tmp_path: Path) -> Iterator[Database]:
    path = tmp_path / "ledger.db"
    path.write_bytes(lzma.decompress((VECTORS / f"{name}.db.xz").read_bytes()))
    opened = Database(f"sqlite:///{path}")
    opened.migrate()
    yield opened
    opened.close()


@each
def test_an_old_ledger_is_sound_under_its_pin(name: str, database: Database) -> None:
    expected = expected_of(name)
    report = audit_database(database, pin=pin_of(expected))
    assert (report.faults, report.verdict) == ((), "sound")
    assert (report.size, report.root.hex()) == (expected["size"], expected["root"])


@each
def test_an_old_ledger_is_exported_as_the_same_bytes_and_these_are_sound(
    name: str, database: Database, tmp_path: Path
) -> None:
    expected = expected_of(name)
    assert exported(database) == expected["export"]
    export(database, tmp_path / "files")
    report = audit_files(Directory(tmp_path / "files"), pin=pin_of(expected))
    assert (report.faults, report.verdict, report.root.hex()) == ((), "sound", expected["root"])


@each
def test_an_old_ledger_answers_what_it_answered(name: str, database: Database) -> None:
    expected = expected_of(name)
    with database.read() as connection:
        assert positions(connection, read_size(connection)) == expected["positions"]


def test_the_old_ledger_has_every_event_type_of_its_day_and_all_are_known() -> None:
    types = expected_of("every-type")["types"]
    assert len(types) == 76
    assert set(types) <= set(CATALOGUE)


@pytest.mark.parametrize("name", ["every-type"])
def test_an_old_ledger_folds_to_the_same_rows_while_a_view_has_its_version(name: str, database: Database) -> None:
    digests, failures = folded(database)
    assert not failures
    known = expected_of(name)["views"]
    same = {view.name for view in VIEWS if known.get(view.name, {}).get("version") == view.version}
    assert {view: digests[view] for view in same} == {view: known[view]["digest"] for view in same}


@each
def test_an_old_ledger_is_served_as_it_is_folded(name: str, database: Database) -> None:
    runner = Runner(database, VIEWS, Watcher(database))
    assert runner.acquire()
    runner.catch_up()
    runner.close()
    checked = check(database, VIEWS)
    with database.read() as connection:
        size = read_size(connection)
    assert {view.name: (view.position, view.is_equal) for view in checked} == {
        view.name: (size, True) for view in VIEWS
    }

"""The log that SQLite keeps beside the file: long while a reader holds it, and short again when that has left."""

from pathlib import Path

import pytest
import sqlalchemy as sa
from ledgers import append, cloud_event

from ledger.ledger import Ledger
from ledger.log import database, tables


def test_the_journal_shrinks_again_when_a_reader_has_left(
    sqlite_ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "JOURNAL_BYTES", 1 << 16)
    sqlite_ledger.database.engine.dispose()
    sqlite_ledger.recorder.close()
    ledger = Ledger.open(sqlite_ledger.database, sqlite_ledger._signer)
    journal = tmp_path / "ledger.db-wal"
    with ledger.database.read() as reader:
        reader.execute(sa.select(tables.head.c.size)).all()
        while journal.stat().st_size < 1 << 23:
            append(ledger, *(cloud_event() for _ in range(200)))
    # The journal begins anew with an append after one that moved all of it into the file.
    for _ in range(20):
        append(ledger, cloud_event())
    assert journal.stat().st_size < 1 << 22
    ledger.close()

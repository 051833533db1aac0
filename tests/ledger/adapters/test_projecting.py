"""The how-to about projecting with `eventsourcing`: its program follows the log, is killed, and counts every entry once."""

import re
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from eventsourcing.dcb.api import DCBEvent
from eventsourcing.persistence import ProgrammingError
from ledgers import append, cloud_event
from servers import ROOT, environment_for
from waiting import wait_for

from ledger.adapters.dcb import DatabaseDCBRecorder
from ledger.ledger import Ledger
from projections import VIEWS
from projections.engine.runner import Runner
from projections.engine.sql_store import SqlStore
from projections.readings.delivery.deployments import deployments

PAGE = ROOT / "docs" / "howto" / "project-with-eventsourcing.md"


@contextmanager
def projecting(ledger: Ledger, directory: Path) -> Iterator[subprocess.Popen[bytes]]:
    (code,) = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    (directory / "count_deployments.py").write_text(code)
    url = ledger.database.engine.url.render_as_string(hide_password=False)
    command = [sys.executable, "count_deployments.py", url, str(directory / "counts.db")]
    with subprocess.Popen(command, cwd=directory, env=environment_for(directory)) as process:
        try:
            yield process
        finally:
            process.kill()


def counted(directory: Path) -> dict[tuple[str, str], int]:
    if not (directory / "counts.db").exists():
        return {}
    with closing(sqlite3.connect(directory / "counts.db")) as rows:
        if not rows.execute("SELECT 1 FROM sqlite_master WHERE name = 'counts'").fetchone():
            return {}
        return {(service, outcome): n for service, outcome, n in rows.execute("SELECT * FROM counts")}


def deploy(ledger: Ledger, numbers: range) -> None:
    append(
        ledger,
        *(
            cloud_event(
                deployment_id=f"d-{n}", service=f"s-{n % 3}", environment="prod", outcome=("success", "failure")[n % 2]
            )
            for n in numbers
        ),
    )


def test_a_projection_of_that_library_goes_on_after_a_kill_and_says_what_ours_says(
    ledger: Ledger, tmp_path: Path
) -> None:
    deploy(ledger, range(200))
    with projecting(ledger, tmp_path) as first:
        wait_for(lambda: sum(counted(tmp_path).values()) > 5)
        first.kill()
    deploy(ledger, range(200, 250))
    with projecting(ledger, tmp_path):
        wait_for(lambda: sum(counted(tmp_path).values()) >= 250)
        # What is appended while it runs is followed too.
        deploy(ledger, range(250, 260))
        wait_for(lambda: sum(counted(tmp_path).values()) >= 260)
    runner = Runner(ledger.database, VIEWS, ledger.watcher)
    assert runner.acquire()
    runner.catch_up()
    runner.close()
    with ledger.database.read() as connection:
        store = SqlStore(ledger.database, VIEWS).on(connection)
        rows = [deployments.load(text) for text in store.texts(deployments)]
    assert counted(tmp_path) == Counter((row.service, row.outcome) for row in rows)


def test_where_there_is_no_ledger_it_says_so_and_ends(tmp_path: Path) -> None:
    (code,) = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    (tmp_path / "count_deployments.py").write_text(code)
    sqlite3.connect(tmp_path / "empty.db").close()
    for place, said in (("nowhere/ledger.db", "there is no ledger at"), ("empty.db", "holds no ledger")):
        command = [sys.executable, "count_deployments.py", f"sqlite:///{place}", "counts.db"]
        done = subprocess.run(
            command, cwd=tmp_path, env=environment_for(tmp_path), capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 1, done
        assert done.stderr.startswith("count_deployments: ")
        assert said in done.stderr
        assert "Traceback" not in done.stderr
    assert not (tmp_path / "nowhere").exists()


def test_what_only_reads_appends_nothing(ledger: Ledger) -> None:
    recorder = DatabaseDCBRecorder(ledger.database, ledger.watcher)
    with pytest.raises(ProgrammingError, match="LedgerDCBRecorder"):
        recorder.append([DCBEvent("deployment.finished", b"{}", [])])
    assert [read.position for read in recorder.read()] == [1]

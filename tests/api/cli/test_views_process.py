"""`serve --views` and `views run`: who folds, who notices that somebody is gone, and in which order things end."""

import os
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from placed_ledgers import make_ledger_at
from programs import kill, program, run
from servers import Server, environment_for, event, running_server
from views_processes import kill_views, views_process, views_processes, wait_for_views
from waiting import wait_for

from ledger.log.database import Database
from projections import VIEWS
from projections.engine.checking import check


def deployment(number: int) -> dict[str, object]:
    where = {"service": "payments-api", "environment": "prod", "change_id": "CHG-7"}
    return event("deployment.started", id=f"d-{number}", deployment_id=f"d-{number}", actor="service:ci", **where)


def read_own_write(server: Server, number: int) -> None:
    """Record a deployment and read it in a view: whoever folds, it is there."""
    receipt = server.record(deployment(number))
    # Not for the process to start: that takes as long as it takes.
    wait_for_views(server)
    answer = server.get(f"/v1/views/deployments/d-{number}", params={"min_position": receipt["position"]})
    assert answer.status_code == 200, answer.text


def are_what_a_rebuild_gives(url: str) -> bool:
    database = Database(url)
    try:
        found = check(database, VIEWS)
        return len(found) == len(VIEWS) and all(view.is_equal for view in found)
    finally:
        database.close()


def is_gone(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    return False


@pytest.mark.parametrize("place", ["inside", "beside"])
def test_what_is_recorded_is_read_wherever_the_views_are_folded(tmp_path: Path, place: str) -> None:
    with running_server(tmp_path, CHANGE_LEDGER_VIEWS=place) as server:
        for number in range(5):
            read_own_write(server, number)
        asked = {"change_id": "CHG-7", "environment": "prod", "service": "payments-api", "artifact": f"sha256:{0:064}"}
        answer = server.client().post("/v1/gates/deploy", json=asked)
        assert answer.status_code == 200, answer.text
        assert len(views_processes(tmp_path)) == (place == "beside")
    assert are_what_a_rebuild_gives(server.database_url)


def test_a_views_process_that_was_killed_is_started_again_and_that_is_told(tmp_path: Path) -> None:
    with running_server(tmp_path, CHANGE_LEDGER_VIEWS="beside") as server:
        read_own_write(server, 1)
        killed = kill_views(server)
        told = wait_for(lambda: server.get("/readyz/views", by="nobody").json()["views"]["problem"])
        assert told.startswith("the process that folds the views was killed by signal 9; it is started again in")
        # Appends do not depend on it, and neither does readiness for them.
        receipt = server.record(deployment(2))
        assert server.get("/readyz", by="nobody").status_code == 200
        wait_for_views(server)
        assert views_process(server) != killed
        assert wait_for_views(server)["views"]["problem"] is None  # type: ignore[index]
        answer = server.get("/v1/views/deployments/d-2", params={"min_position": receipt["position"]})
        assert answer.status_code == 200
        assert told in (tmp_path / "server.err").read_text()
    assert are_what_a_rebuild_gives(server.database_url)


def test_a_server_that_is_told_to_stop_leaves_nobody_behind(tmp_path: Path) -> None:
    with running_server(tmp_path, CHANGE_LEDGER_VIEWS="beside") as server:
        read_own_write(server, 1)
        folding = views_process(server)
        # To whoever stops a service, all of its processes are one: the views go on until the front has ended.
        os.kill(folding, signal.SIGTERM)
        os.kill(folding, signal.SIGINT)
        read_own_write(server, 2)
        assert views_process(server) == folding
        assert server.stop() in (0, -signal.SIGTERM)
        assert is_gone(folding)
        assert (tmp_path / "server.err").read_text() == ""
    assert are_what_a_rebuild_gives(server.database_url)
    assert server.audit().verdict == "sound"


def test_a_front_that_is_killed_leaves_no_views_process_behind(tmp_path: Path) -> None:
    with running_server(tmp_path, CHANGE_LEDGER_VIEWS="beside") as server:
        read_own_write(server, 1)
        folding = views_process(server)
        kill(server.process)
        wait_for(lambda: is_gone(folding))


def test_what_is_wrong_is_told_before_anything_listens_or_is_started(tmp_path: Path) -> None:
    done = subprocess.run(
        program("--directory", tmp_path, "serve", "--port", "0", "--views", "beside"),
        env=environment_for(tmp_path), capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stdout == ""
    assert "run: change-ledger init" in done.stderr
    assert views_processes(tmp_path) == []
    refused = run("--directory", tmp_path, "views", "run")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "run: change-ledger init" in refused.stderr


@contextmanager
def views_command(directory: Path, *words: str) -> Iterator["subprocess.Popen[str]"]:
    """`change-ledger views run` as a process, from the line on that says that it runs."""
    process = subprocess.Popen(
        program("--directory", directory, *words, "views", "run"),
        env=environment_for(directory), stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "running the views\n"
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
            assert process.wait(600) in (0, -signal.SIGTERM)
        process.stdout.close()


def test_views_that_a_server_leaves_to_others_are_folded_by_a_command(tmp_path: Path) -> None:
    with running_server(tmp_path, CHANGE_LEDGER_VIEWS="none") as server:
        receipt = server.record(deployment(1))
        said = server.get("/readyz/views", by="nobody").json()["detail"]
        # The first few of them, and how many more: not a hundred names.
        assert re.fullmatch(r"views are not kept up: \w+, \w+, \w+ and \d+ more being built for the first time", said)
        with views_command(tmp_path) as first, views_command(tmp_path):
            wait_for_views(server)
            answer = server.get("/v1/views/deployments/d-1", params={"min_position": receipt["position"]})
            assert answer.status_code == 200
            # Of two one folds; when it is gone, the other does.
            kill(first)
            read_own_write(server, 2)
    assert are_what_a_rebuild_gives(server.database_url)


@pytest.mark.postgres
def test_two_fronts_on_postgresql_share_one_process_of_views(tmp_path: Path, new_postgres: Callable[[], str]) -> None:
    url = new_postgres()
    one, other = tmp_path / "one", tmp_path / "other"
    tokens = make_ledger_at(one, url)
    other.mkdir()
    (other / "keys").mkdir(mode=0o700)
    (other / "keys" / "entry.pem").write_bytes((one / "keys" / "entry.pem").read_bytes())
    (other / "keys" / "entry.pem").chmod(0o600)
    more = {"CHANGE_LEDGER_DATABASE_URL": url}
    with (
        running_server(one, tokens=tokens, CHANGE_LEDGER_VIEWS="beside", **more) as first,
        running_server(other, tokens=tokens, CHANGE_LEDGER_VIEWS="none", **more) as second,
    ):
        for number, server in enumerate((first, second, first, second)):
            read_own_write(server, number)
        kill_views(first)
        receipt = second.record(deployment(9))
        wait_for_views(second)
        for server in (first, second):
            answer = server.get("/v1/views/deployments/d-9", params={"min_position": receipt["position"]})
            assert answer.status_code == 200
        assert views_processes(other) == []
    assert are_what_a_rebuild_gives(url)

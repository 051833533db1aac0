"""A server whose disk is full: whoever asks whether it is ready is told so, until there is room again."""

import resource
from pathlib import Path

from servers import ROOT, check_problem, event, running_server


def test_a_server_is_not_ready_while_the_disk_is_full_and_is_again_when_there_is_room(tmp_path: Path) -> None:
    """No write of the process to a file succeeds: so it has its own, and is not forked of another."""
    with running_server(tmp_path / "var", tree=ROOT, CHANGE_LEDGER_VIEWS="none") as server:
        server.record(event())
        ready = server.get("/readyz", by="nobody")
        assert ready.status_code == 200
        before = resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (0, before[1]))
        refused = server.post(event(id="kept-out"))
        check_problem(refused, 503)
        for _ in range(2):
            check_problem(server.get("/readyz", by="nobody"), 503)
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, before)
        # Nobody has appended since: it finds out by itself, and says no more in the ledger than that.
        size = server.size()
        for _ in range(3):
            assert server.get("/readyz", by="nobody").status_code == 200
        assert [entry["entry"]["statement"]["type"] for entry in server.entries(size)] == ["ledger.time_passed"]
        assert server.post(event(id="kept-out")).status_code == 201

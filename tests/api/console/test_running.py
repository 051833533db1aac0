"""What runs where, now and on a given day, however much came after; by deployments, promotions and rollbacks."""

import re
from typing import Any

import pytest
from browsing import look, read_page, signed_in, tell, wait_for_views
from servers import Server, event

WHERE: dict[str, Any] = {"service": "ran-api", "environment": "Ran"}
DAYS = 14


def at_noon(day: int) -> str:
    return f"2025-05-{day:02}T12:00:00Z"


@pytest.fixture(scope="module")
def told(server: Server) -> None:
    """One deployment a day; that of day 12 was promoted, that of day 13 rolled back, and that of day 14 was none."""
    for day in range(1, DAYS + 1):
        said = WHERE | {"deployment_id": f"ran-{day:02}", "change_id": f"CHG-R{day:02}"}
        # What is told where it begins is not told again where it ends.
        for one in (
            event("deployment.started", **said, artifact=artifact(day)),
            event("deployment.finished", **said, outcome="success"),
        ):
            position = server.record(one | {"time": at_noon(day)})["position"]
    more = {"deployment_id": "ran-12", "service": "ran-api", "environment": "Ran", "to_environment": "Ran-next"}
    server.record(event("deployment.promoted", actor="person:ann", **more) | {"time": at_noon(12)})
    tell(server, "statement.withdrawn", actor="person:bob", position=position, reason="mistaken")
    back = {"rollback_id": "RB-R", "deployment_id": "ran-13", "to_artifact": artifact(11), "outcome": "success"}
    done = event("rollback.completed", **WHERE | back) | {"time": "2025-05-13T18:00:00Z"}
    wait_for_views(server, server.record(done)["position"])


def artifact(day: int) -> str:
    return f"sha256:{day:02}{0:062}"


def text_of(server: Server, **asked: str) -> str:
    with signed_in(server, "auditor") as client:
        query = "&".join(f"{name}={value}" for name, value in asked.items())
        return re.sub(r"\s+", " ", read_page(look(client, f"/console/running?{query}")).text)


def test_what_ran_on_a_day_is_told_however_much_came_after(server: Server, told: None) -> None:
    first = text_of(server, environment="ran", at="2025-05-01")
    assert "ran-01 · CHG-R01" in first
    assert "ran-02" not in first
    assert artifact(1)[7:19] in first
    assert "since 1 May 2025, 12:00" in first
    assert "ran-01" not in text_of(server, environment="ran", at="2025-05-01T11:59:00Z")
    # A day is over at its end.
    assert "ran-13" in text_of(server, environment="ran", at="2025-05-13T17:00:00Z")
    assert "rolled back" in text_of(server, environment="ran", at="2025-05-13")
    assert "Nothing is known to run" in text_of(server, environment="ran", at="2024-01-01")


def test_what_was_promoted_runs_and_what_was_rolled_back_or_never_was_does_not(server: Server, told: None) -> None:
    now = text_of(server, environment="ran")
    assert "ran-14" not in now
    assert "ran-13 · CHG-R13" in now
    assert "rolled back since 13 May 2025, 18:00" in now
    assert "ran-12" in text_of(server, environment="ran-next")


def test_a_day_that_is_none_is_refused(server: Server, told: None) -> None:
    with signed_in(server, "auditor") as client:
        for wrong in ("yesterday", "12", "2025-13-01"):
            assert client.get(f"/console/running?at={wrong}").status_code == 422
        assert client.get("/console/running?at=").status_code == 303

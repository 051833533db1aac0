"""A change as it stood: all that its page shows is of one moment, what hangs on the change as well as the ticket itself."""

from typing import Any

import httpx
import pytest
from browsing import read_page, signed_in, wait_for_views
from servers import LONG_AGO, Server, event

CHANGE = "CHG-70"


@pytest.fixture(scope="module")
def told(server: Server) -> dict[str, int]:
    """A change without approval that was deployed, reviewed and looked at by a gate; and the review taken back."""
    of: dict[str, Any] = {"change_id": CHANGE}
    where: dict[str, Any] = {"service": "api-70", "environment": "prod"}
    at = {
        "opened": server.record(event("change.opened", actor="person:alice", **of, services=["api-70"])),
        "started": server.record(event("deployment.started", deployment_id="D-70", **of, **where)),
        "finished": server.record(event("deployment.finished", deployment_id="D-70", **of, **where, outcome="failure")),
        "reviewed": server.record(
            event(
                "pir.opened", actor="person:bob", pir_id="PIR-70", **of, due_at="2025-07-01T00:00:00Z", mandatory=False
            )
        ),
    }
    # A gate answers by views that are there.
    wait_for_views(server, at["reviewed"]["position"])
    at["asked"] = server.client().post("/v1/gates/deploy", json=of | where).json()["receipt"]
    positions = {name: receipt["position"] for name, receipt in at.items()}
    withdrawn = event("statement.withdrawn", actor="person:bob", position=positions["reviewed"], reason="mistaken")
    positions["withdrawn"] = server.record(withdrawn)["position"]
    wait_for_views(server, positions["withdrawn"])
    return positions


def text_of(client: httpx.Client, **asked: Any) -> str:
    answer = client.get(f"/console/changes/{CHANGE}", params=asked)
    assert answer.status_code == 200, answer.text[:500]
    return read_page(answer.text).text


def test_what_hangs_on_a_change_is_of_the_moment_that_is_looked_at(server: Server, told: dict[str, int]) -> None:
    with signed_in(server, "auditor") as client:
        opened, started, finished, reviewed, asked = (
            text_of(client, as_of=told[name]) for name in ("opened", "started", "finished", "reviewed", "asked")
        )
        now = text_of(client)
    assert "It was not deployed" in opened
    assert "open finding" not in opened
    assert "D-70" in started
    assert "failure" not in started
    assert "open finding" in started
    assert "failure" in finished
    assert ["PIR-70: open" in page for page in (finished, reviewed, asked, now)] == [False, True, True, False]
    assert ["No gate was asked" in page for page in (reviewed, asked, now)] == [True, False, False]


def test_what_was_recorded_later_was_not_known_then(server: Server, told: dict[str, int]) -> None:
    with signed_in(server, "auditor") as client:
        # All of it happened in one instant of long ago; what is told of that instant came bit by bit.
        known = text_of(client, as_of=LONG_AGO, known_at=told["started"])
        later = text_of(client, as_of=LONG_AGO, known_at=told["withdrawn"])
    assert "as it was known then" in known
    assert "failure" not in known
    assert "failure" in later
    assert "open finding" in known

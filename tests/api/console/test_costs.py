"""What pages cost: no page does more for a longer ledger than for a shorter one, once there is more than it shows.

Measured where it cannot hide: by the steps of the database's own machine, whatever statements they are of. A scan of all rows takes four
times as many on a ledger of four times the length.
"""

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from year import Year, tell

from api.app import create_app
from api.console.templating import PAGES
from api.desk.views import list_of
from api.settings import Settings, ViewsPlace
from ledger.ledger import Ledger
from ledger.stewardship.credentials import issue_token
from projections import VIEWS
from projections.engine.runner import Runner
from projections.judging.findings import findings
from projections.readings.changes.tickets import change_tickets

CHANGES = (60, 240)
# So many steps are counted as one.
STEP = 100
# Of what is looked up in a tree of four times as many rows, and of rows that say more.
GROWS, MORE = 1.5, 10


class Opened:
    """A ledger with a history, served in this process, and somebody who looks at it."""

    def __init__(self, directory: Path, changes: int) -> None:
        self.steps = 0
        self.ledger = tell(Year(services=8, changes=changes, planted=0), f"sqlite:///{directory / 'ledger.db'}")
        wanted = {
            "actor": "person:tester",
            "principal": "person:ada",
            "kind": "human",
            "roles": ["auditor", "reporter"],
        }
        self.token = issue_token(self.ledger, **wanted)[1]
        runner = Runner(self.ledger.database, VIEWS, self.ledger.watcher)
        assert runner.acquire()
        runner.catch_up()
        runner.close()
        self.app = create_app(Settings(directory=directory, views=ViewsPlace.NONE))

    def paths(self) -> list[str]:
        """Return a page of each kind, those of rows among them: of what is in the middle of the year."""
        changes = [row["change_id"] for row in list_of(self.ledger, change_tickets, {}, sort="opened_at").rows]
        found = list_of(self.ledger, findings, {}, limit=1).rows
        return [
            *(path for _, path in PAGES),
            f"/console/changes/{changes[30]}",
            *(f"/console/findings/{row['finding_id'].replace('/', '%2F')}" for row in found),
            "/console/delivery?service=service-1",
            "/console/calendar?scale=week",
            "/console/running?at=2026-03-01",
            "/console/views/deployments?service=service-1",
            f"/console/entries?ref=change:{changes[30]}",
            "/console/go?q=nothing-is-called-so",
        ]

    async def looked_at(self) -> dict[str, int]:
        """Return how many steps each page takes. The second time: what is made once is not what a page costs."""
        taken = {}
        async with self.app.router.lifespan_context(self.app):
            self._listen(self.app.state.ledger)
            way = httpx.ASGITransport(self.app, client=("127.0.0.1", 4711))
            async with httpx.AsyncClient(transport=way, base_url="http://127.0.0.1") as client:
                signed = await client.post("/console/sign-in", data={"token": self.token})
                assert signed.status_code == 303, signed.text
                for number, path in enumerate(self.paths()):
                    for _ in range(2):
                        self.steps = 0
                        answer = await client.get(path)
                        assert answer.status_code == 200, (path, answer.text[:500])
                    # By number: rows are called otherwise in another ledger.
                    taken[f"{number} {path}"] = self.steps
        return taken

    def _listen(self, ledger: Ledger) -> None:
        def taken(connection: Any, *_: Any) -> None:
            connection.set_progress_handler(self._count, STEP)

        sa.event.listen(ledger.database.engine, "checkout", taken)

    def _count(self) -> int:
        self.steps += 1
        return 0


@pytest.fixture(scope="module")
def steps(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, int]]:
    taken = []
    for changes in CHANGES:
        opened = Opened(tmp_path_factory.mktemp("pages"), changes)
        with pytest.MonkeyPatch.context() as patched:
            # Its clock stands where the year's does.
            patched.setattr("api.app.open_ledger", lambda settings, ledger=opened.ledger: ledger)
            taken.append(asyncio.run(opened.looked_at()))
    return taken


def test_no_page_costs_more_on_a_longer_ledger(steps: list[dict[str, int]]) -> None:
    few, many = (list(taken.values()) for taken in steps)
    grown = {
        path: (short, long)
        for path, short, long in zip(steps[1], few, many, strict=True)
        if long > GROWS * short + MORE
    }
    assert grown == {}


def test_the_steps_are_counted(steps: list[dict[str, int]]) -> None:
    assert all(taken > 0 for taken in steps[0].values()), steps[0]

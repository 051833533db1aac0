"""Pages of a ledger with a history, served in this process: what they cost and what they are given can be looked at."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from year import Year, tell

from api.app import create_app
from api.console.templating import PAGES
from api.desk.views import list_of
from api.settings import Settings, ViewsPlace
from ledger.stewardship.credentials import issue_token
from projections import VIEWS
from projections.engine.runner import Runner
from projections.judging.findings import findings
from projections.readings.changes.board import board_meetings
from projections.readings.changes.tickets import change_tickets
from projections.readings.people.access_reviews import access_reviews
from signing.keys import SigningKey


class Pages:
    """A ledger of a year, and somebody who looks at it, as an auditor."""

    def __init__(
        self,
        directory: Path,
        changes: int,
        planted: int = 0,
        key: SigningKey | None = None,
        first: int | None = None,
    ) -> None:
        year = Year(services=8, changes=changes, planted=planted)
        self.ledger = tell(year, f"sqlite:///{directory / 'ledger.db'}", key, first)
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
            *(f"/console/access/{row['review_id']}" for row in list_of(self.ledger, access_reviews, {}, limit=1).rows),
            *(f"/console/board/{row['meeting_id']}" for row in list_of(self.ledger, board_meetings, {}, limit=1).rows),
            f"/console/views/change_scopes/{changes[30]}",
            "/console/about/service:service-1",
            "/console/entries/40",
            "/console/delivery?service=service-1",
            "/console/calendar?scale=week",
            "/console/calendar?at=2026-07-15",
            "/console/running?at=2026-03-01",
            "/console/findings",
            "/console/findings?is_open=true&severity=high",
            "/console/findings?is_open=true&owner=person:ann",
            "/console/findings?is_open=true&as_of=2026-03-01",
            "/console/delivery?as_of=2026-03-01",
            "/console/risk?as_of=2026-03-01",
            "/console/board?as_of=2026-03-01",
            "/console/gates?at=2026-03-01",
            f"/console/gates?gate=deploy&change_id={changes[30]}&environment=prod",
            "/console/views/deployments?service=service-1",
            f"/console/entries?ref=change:{changes[30]}",
            "/console/go?q=nothing-is-called-so",
        ]

    @asynccontextmanager
    async def signed_in(self) -> AsyncIterator[httpx.AsyncClient]:
        """Give a client that signed in. The clock of the server stands where the year's does."""
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr("api.app.open_ledger", lambda settings: self.ledger)
            async with self.app.router.lifespan_context(self.app):
                way = httpx.ASGITransport(self.app, client=("127.0.0.1", 4711))
                async with httpx.AsyncClient(transport=way, base_url="http://127.0.0.1") as client:
                    signed = await client.post("/console/sign-in", data={"token": self.token})
                    assert signed.status_code == 303, signed.text
                    yield client

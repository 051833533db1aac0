"""Pages of a ledger with a history, served in this process: what they cost and what they are given can be looked at."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from shared import made_once
from year import Year, tell

from api.app import create_app
from api.console.templating import PAGES
from api.desk.views import list_of
from api.settings import Settings, ViewsPlace
from ledger.clock import from_text
from ledger.ledger import Ledger
from ledger.log.database import Database
from ledger.log.reading import read_entry
from ledger.stewardship.credentials import issue_token
from projections import VIEWS
from projections.engine.runner import Runner
from projections.judging.findings import findings
from projections.readings.changes.board import board_meetings
from projections.readings.changes.tickets import change_tickets
from projections.readings.people.access_reviews import access_reviews
from signing.keys import SigningKey

KEY = SigningKey.from_seed(b"p" * 32)


class Pages:
    """A copy of a ledger of a year with its views, and somebody who looks at it, as an auditor.

    Such a ledger takes longer to make than most tests of its pages, so those with the same arguments are copies of one. With `first`,
    only so many facts of the year are told.
    """

    def __init__(
        self, directory: Path, shared: Path, changes: int = 60, planted: int = 1, first: int | None = None
    ) -> None:
        def make(place: Path) -> None:
            ledger = tell(
                Year(services=8, changes=changes, planted=planted), f"sqlite:///{place / 'ledger.db'}", KEY, first
            )
            wanted = {"actor": "person:tester", "principal": "person:ada", "kind": "human"}
            (place / "token").write_text(issue_token(ledger, **wanted, roles=["auditor", "reporter"])[1])
            runner = Runner(ledger.database, VIEWS, ledger.watcher)
            assert runner.acquire()
            runner.catch_up()
            runner.close()
            ledger.close()

        made = made_once(shared / f"year-{changes}-{planted}-{first}", make)
        shutil.copytree(made, directory, dirs_exist_ok=True)
        self.token = (directory / "token").read_text()
        self.ledger = _opened(f"sqlite:///{directory / 'ledger.db'}")
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
                async with httpx.AsyncClient(transport=way, base_url="http://127.0.0.1", verify=False) as client:
                    signed = await client.post("/console/sign-in", data={"token": self.token})
                    assert signed.status_code == 303, signed.text
                    yield client


def _opened(url: str) -> Ledger:
    """Open a ledger whose clock stands where its last entry was recorded."""
    ledger = Ledger.open(Database(url), KEY)
    with ledger.database.read() as connection:
        last_ns = from_text(read_entry(connection, ledger.size()).document["recorded_at"]) * 1000
    ledger.clock.wall_ns = ledger.clock.steady_ns = lambda: last_ns
    return ledger

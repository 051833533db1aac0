"""`create_app(settings)`: the one place where everything is wired."""

import asyncio
import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.routing import APIRoute

from api import auth, problems
from api.routes import catalogue, entries, events, health, intake, integrity
from api.settings import Settings
from ledger.database import Database
from ledger.errors import SetupError
from ledger.ledger import Ledger
from ledger.writer import Writer
from signing import keys

TIME_PASSED_AFTER_S = 3600
log = logging.getLogger("change_ledger")

DESCRIPTION = """An event-sourced audit and change ledger. Pipelines post statements as CloudEvents; each becomes a
hash-chained, signed entry; auditors verify all of them."""


def open_ledger(settings: Settings) -> Ledger:
    """Open the ledger that the settings name, with the entry key they name."""
    database = Database(settings.database)
    # Before the key: who has no ledger yet is to be told so, and not of a missing file.
    database.check_schema()
    return Ledger.open(database, keys.load(settings.entry_key_path))


def create_app(settings: Settings) -> FastAPI:
    """Return the application. The ledger is opened when it starts and closed, with everything queued appended, when it stops."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        ledger = open_ledger(settings)
        app.state.ledger = ledger
        app.state.writer = Writer(ledger.append_group, max_waiting=settings.max_waiting)
        app.state.verifying = asyncio.Lock()
        hourly = asyncio.create_task(_mark_time(app))
        try:
            yield
        finally:
            hourly.cancel()
            await asyncio.to_thread(app.state.writer.close)
            ledger.close()

    app = FastAPI(
        title="Change Ledger",
        version="0.1.0",
        description=DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
    )
    app.state.settings = settings
    app.state.closing = asyncio.Event()
    # One event for every open stream: set to wake it.
    app.state.streams = set()
    app.state.environment = {**os.environ, "CHANGE_LEDGER_KNOWN_LEDGERS": str(settings.known_ledgers_path)}
    problems.install(app)
    for module in (health, events, entries, intake, catalogue, integrity):
        for route in module.router.routes:
            if isinstance(route, APIRoute) and any(
                (method, route.path) not in auth.ROUTES for method in route.methods or ()
            ):
                raise SetupError(
                    f"the route {route.methods} {route.path} is not in the table of roles (api.auth.ROUTES)"
                )
        app.include_router(module.router)
    return app


def end_streams(app: FastAPI) -> None:
    """Let every open stream end: a server that stops waits for its answers."""
    app.state.closing.set()
    for stream in list(app.state.streams):
        stream.set()


async def _mark_time(app: FastAPI) -> None:
    """Append `ledger.time_passed` when nothing else was appended for an hour, so that what falls due has an entry to stand on."""
    ledger: Ledger = app.state.ledger
    while True:
        await asyncio.sleep(TIME_PASSED_AFTER_S / 60)
        try:
            await asyncio.to_thread(ledger.mark_time, TIME_PASSED_AFTER_S)
        except Exception:
            # The edge of this task: an hour's mark that fails must not end the next one. The appends
            # themselves report what is wrong.
            log.exception("could not mark the passing of time")

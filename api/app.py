"""`create_app(settings)`: the one place where everything is wired."""

import asyncio
import logging
import os
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import cached_property, partial
from typing import Any

import orjson
from fastapi import FastAPI, Request

from api.console import MODULES as PAGES
from api.console.sessions import Sessions
from api.console.signed_in import credential_shown
from api.desk.submitting import Submitting
from api.desk.views import reached
from api.http import auth, problems
from api.http.access_log import access_log_of
from api.http.description import describe, described
from api.http.edge import Edge, handled
from api.http.failures import Failures
from api.http.limits import Rate
from api.http.questions import Route
from api.http.routes import (
    calendar,
    catalogue,
    credentials,
    declarations,
    delivery,
    dossiers,
    entries,
    events,
    gates,
    health,
    intake,
    integrity,
    policies,
    proofs,
    risk,
    tiles,
    views,
)
from api.http.shares import Shares
from api.http.straight import straight_to
from api.http.streams import Shared, Streams
from api.opening import open_ledger, open_signer, open_witnesses
from api.outbound.publishing import Publisher
from api.settings import Settings, ViewsPlace
from api.views_process import ViewsProcess
from ledger.errors import SetupError
from ledger.ledger import Ledger
from ledger.log.writer import Writer
from ledger.stewardship.clock import mark_time
from ledger.stewardship.commitments import commit_heads_if_due
from projections import VIEWS
from projections.engine.runner import Runner, share_interpreter

MODULES = (
    health, events, entries, intake, catalogue, integrity, credentials, declarations, proofs, dossiers, tiles, views, gates, risk,
    policies, delivery, calendar,
    *PAGES,
)  # fmt: skip
# As many as the framework takes for what it does not answer in the loop.
THREADS = 40
TIME_PASSED_AFTER_S = 3600
# How often it is asked whether something is due.
SCHEDULE_S = 60
FAILURES_KEPT_AFTER_MINUTES = 60
log = logging.getLogger("change_ledger")

DESCRIPTION = """An event-sourced audit and change ledger. Pipelines post statements as CloudEvents; each becomes a
hash-chained, signed entry; auditors verify all of them."""


class App(FastAPI):
    """The application, and its description. Requests go to its edge."""

    edge: Edge

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer a request; what else a server says is for FastAPI."""
        if scope["type"] == "http":
            scope["app"] = self
            await self.edge(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)

    def openapi(self) -> dict[str, Any]:
        """Return the description of the API, made once."""
        if self.openapi_schema is None:
            self.openapi_schema = describe(self)
        return self.openapi_schema

    @cached_property
    def openapi_json(self) -> bytes:
        """The same as it is sent, made once: whoever asks needs no token, and to write it takes longer than to answer anything else."""
        return orjson.dumps(self.openapi())


def create_app(settings: Settings) -> FastAPI:
    """Return the application. The ledger is opened when it starts and closed, with everything queued appended, when it stops."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        share_interpreter()
        # The loop's own are as few as there are cores and four: one sender's places are more.
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(THREADS, "aside"))
        ledger = open_ledger(settings)
        app.state.ledger = ledger
        app.state.failures = Failures(ledger.clock.now_us())
        app.state.sessions = Sessions(ledger.admission.pepper, ledger.random)
        app.state.writer = Writer(
            ledger.append_group,
            # A file is written without waiting for another machine; of a server, every statement is such a wait.
            begin_group=ledger.begin_group if ledger.database.is_sqlite else None,
            max_waiting=settings.max_waiting,
        )
        app.state.walking = asyncio.Lock()
        # For all pages that follow: how far the views are.
        app.state.reached = Shared(partial(reached, ledger))
        signer = open_signer(settings, ledger.database, ledger.current_authority)
        app.state.publisher = Publisher(
            ledger, signer, open_witnesses(settings, ledger), policy=settings.witness_policy
        )
        app.state.submitting = Submitting(
            ledger,
            app.state.writer,
            app.state.publisher.wait_for,
            auth.rates_checked(settings.limits, app.state.check_room),
        )
        app.state.views = _views_of(settings, ledger)
        if app.state.views is not None:
            app.state.views.start()
        hourly = asyncio.create_task(_keep_schedule(app))
        try:
            yield
        finally:
            hourly.cancel()
            await _keep_failures(app)
            await asyncio.to_thread(app.state.writer.close)
            # After the last append: its checkpoint covers everything that was acknowledged.
            await asyncio.to_thread(app.state.publisher.close)
            # After whoever waits for them: they are kept up until the last answer.
            if app.state.views is not None:
                await asyncio.to_thread(app.state.views.close)
            ledger.close()
            if access_log is not None:
                access_log.flush()

    access_log = access_log_of(settings.access_log, settings.directory)
    app = App(
        title="Change Ledger",
        version="0.1.0",
        generate_unique_id_function=lambda route: route.name,
        description=DESCRIPTION,
        lifespan=lifespan,
        openapi_url=None,
        # A redirect is made of the header Host, before anybody is known.
        redirect_slashes=False,
        docs_url=None,
        redoc_url=None,
    )
    app.state.settings = settings
    app.state.rate = Rate(settings.limits.credential_per_minute)
    app.state.check_room = auth.room_checked(settings.limits)
    app.state.shares = Shares(settings.limits)
    app.state.streams = Streams()
    app.state.environment = {**os.environ, "CHANGE_LEDGER_KNOWN_LEDGERS": str(settings.known_ledgers_path)}
    routes = [route for module in MODULES for route in module.router.routes]
    for route in routes:
        if not isinstance(route, Route):
            raise SetupError(f"the route {route} does not look at its query: make its router with route_class=Route")
        if not described(route):
            raise SetupError(f"the answers of {route.methods} {route.path} are not described (api.description.ANSWERS)")
        if any((method, route.path_format) not in auth.ROUTES for method in route.methods or ()):
            raise SetupError(f"the route {route.methods} {route.path} is not in the table of roles (api.auth.ROUTES)")
    problems.install(app, [route for route in routes if isinstance(route, Route)])
    for module in MODULES:
        app.include_router(module.router)
    app.edge = Edge(
        handled(app),
        access_log=access_log,
        limits=settings.limits,
        shares=app.state.shares,
        # A copy: what a look notes about a session is not for whoever answers.
        shown_by=lambda scope: auth.shown_by(app.state.ledger, scope) or credential_shown(Request(dict(scope))),
        doors={path for (_, path), roles in auth.ROUTES.items() if roles == auth.BY_SIGNATURE},
        straight={
            (method, route.path_format): straight_to(route, events.append_plainly)
            for route in routes
            if isinstance(route, Route) and route.endpoint is events.append
            for method in route.methods or ()
        },
    )
    return app


def _views_of(settings: Settings, ledger: Ledger) -> Runner | ViewsProcess | None:
    """Return what folds the views on behalf of this process; None where others do."""
    match settings.views:
        case ViewsPlace.INSIDE:
            return Runner(ledger.database, VIEWS, ledger.watcher)
        case ViewsPlace.BESIDE:
            return ViewsProcess(settings)
        case ViewsPlace.NONE:
            return None


def end_streams(app: FastAPI) -> None:
    """Let every open stream end: a server that stops waits for its answers."""
    app.state.streams.close()


def _tell_failures(app: FastAPI) -> None:
    if (line := app.state.failures.line()) is not None:
        log.warning(line)


async def _keep_failures(app: FastAPI) -> None:
    """Record which authentications failed since this was last done. What cannot be recorded now is the next time."""
    _tell_failures(app)
    ledger, failures = app.state.ledger, app.state.failures
    if (entry := failures.entry()) is None:
        return
    try:
        await asyncio.to_thread(ledger.state, "ledger.authentication_failures", entry)
    except Exception:
        # The edge of this task: what cannot be recorded is kept for the next hour, and nothing else ends.
        log.exception("failed authentications could not be recorded")
    else:
        failures.kept(entry, ledger.clock.now_us())


async def _keep_schedule(app: FastAPI) -> None:
    """State what is due by time alone: `ledger.time_passed` after an hour without entries, and the heads of all refs once an hour."""
    ledger: Ledger = app.state.ledger
    every_s: int = app.state.settings.commit_heads_every_s
    minutes = 0
    while True:
        _tell_failures(app)
        if minutes and minutes % FAILURES_KEPT_AFTER_MINUTES == 0:
            await _keep_failures(app)
        minutes += 1
        try:
            await asyncio.to_thread(mark_time, ledger, TIME_PASSED_AFTER_S)
            if every_s:
                await asyncio.to_thread(commit_heads_if_due, ledger, every_s)
        except Exception:
            # The edge of this task: an hour's mark that fails must not end the next one. The appends
            # themselves report what is wrong.
            log.exception("could not state what is due by time")
        await asyncio.sleep(SCHEDULE_S)

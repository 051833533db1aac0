"""A ledger in a database that this process opens."""

from collections.abc import Iterator
from typing import Any, Final

from api.cli.doors import Answer
from api.desk import stewardship
from api.desk.delivery import figures_in
from api.desk.entries import check_refs, check_types, shown, shown_at
from api.desk.gates import asked_in, recheck_in
from api.desk.policies import PolicyText, PolicyTrial, checked_in, tried_in, works_alone
from api.desk.posted import Posted, Said, model_of
from api.desk.risk import backtest_in, fit_in
from api.desk.stewardship import (
    By,
    ImportRequest,
    KeyRequest,
    SourceRequest,
    TokenRequest,
    ToolRequest,
    TrustRuleRequest,
)
from api.desk.submitting import Wishes, answered, prepare
from api.desk.taking import Body, take_at_once
from api.desk.tending import SkipRequest, SomeViews, rebuild_in, skip_in, views_named
from api.desk.views import answer_of, states_of, view_named
from api.intake import FILES
from api.opening import open_ledger, open_to_read
from api.settings import Settings
from ledger.audit.reading import fold_authority
from ledger.clock import Clock
from ledger.conditions import Match
from ledger.errors import NotFoundError, StatementTooLargeError, no_such
from ledger.events.gate import Asked
from ledger.ledger import LOCAL_OPERATOR, Ledger
from ledger.log.database import Database
from ledger.log.following import Subscription, Watcher
from ledger.log.reading import read_size
from projections import VIEWS
from projections.engine.runner import Runner

# Whoever holds the entry key shows no credential.
LOCALLY: Final = By(LOCAL_OPERATOR)


class LocalDoor:
    """A ledger in a database. Whoever holds its entry key is its operator; nobody asks who that is, and entries say `asserted`."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._opened: Ledger | None = None
        self._read: Ledger | None = None

    @property
    def ledger(self) -> Ledger:
        """The ledger, opened for appending."""
        if self._opened is None:
            self._opened = open_ledger(self._settings)
        return self._opened

    @property
    def reading(self) -> Ledger:
        """The ledger, opened to be read: whoever reads needs no private key."""
        if self._read is None:
            self._read = open_to_read(self._settings)
        return self._read

    def append(self, events: list[Any]) -> list[Answer]:
        said = Posted(tuple(Said(event, f"/{number}") for number, event in enumerate(events)), "each")
        prepared = prepare(self.ledger, self.ledger.local_caller(), said, Wishes())
        outcomes = self.ledger.append_group(list(prepared.submissions))
        items: list[Answer] = answered(prepared, outcomes).document["items"]
        return items

    def take(self, name: str, content: bytes, said: dict[str, str]) -> tuple[int, dict[str, Any]]:
        known = FILES.get(name)
        if known is None:
            raise NotFoundError(no_such("format of files", name, FILES))
        if len(content) > self._settings.max_body_bytes:
            raise StatementTooLargeError(
                f"expected a file of at most {self._settings.max_body_bytes} bytes, found {len(content)}; max_body_bytes says how long"
            )
        caller = self.ledger.local_caller()
        return take_at_once(self.ledger, Body(known, {}, content, lambda _: caller, known.context(said)))

    def size(self) -> int:
        with self._database().read() as connection:
            return read_size(connection)

    def show(self, position: int) -> dict[str, Any]:
        return shown_at(self._database(), position)

    def works_alone(self) -> bool | None:
        return works_alone(self._database(), Clock().now_us())

    def follow(
        self, after: int, event_type: str | None, ref: str | None, *, until_end: bool
    ) -> Iterator[dict[str, Any]]:
        database = self._database()
        check_types(database, (event_type,) if event_type else ())
        check_refs((ref,) if ref else ())
        watcher = Watcher(database)
        match = Match((event_type,) if event_type else (), (ref,) if ref else ())
        with database.read() as connection:
            size = read_size(connection)
        subscription = Subscription(
            database, watcher, [match] if match != Match() else (), after=after, until=size if until_end else None
        )
        try:
            for stored in subscription:
                yield shown(stored)
        finally:
            watcher.close()

    def issue_token(self, wanted: dict[str, Any]) -> dict[str, Any]:
        return stewardship.issue_token(self.ledger, LOCALLY, model_of(TokenRequest, wanted))

    def revoke_token(self, credential: str, reason: str, from_position: int | None) -> dict[str, Any]:
        return stewardship.revoke_token(self.ledger, LOCALLY, credential, reason, from_position)

    def tokens(self) -> list[dict[str, Any]]:
        return stewardship.tokens(self.reading.current_authority())

    def enrol_source(self, wanted: dict[str, Any]) -> dict[str, Any]:
        return stewardship.enrol_source(self.ledger, LOCALLY, model_of(SourceRequest, wanted))

    def sources(self) -> list[dict[str, Any]]:
        with self._database().read() as connection:
            return stewardship.sources(fold_authority(connection)[0])

    def retire_source(self, source: str, door: str) -> dict[str, Any]:
        return stewardship.retire_source(self.ledger, LOCALLY, source, door)

    def enrol_trust_rule(self, wanted: dict[str, Any]) -> dict[str, Any]:
        return stewardship.enrol_trust_rule(self.ledger, LOCALLY, model_of(TrustRuleRequest, wanted))

    def trust_rules(self) -> list[dict[str, Any]]:
        with self._database().read() as connection:
            return stewardship.trust_rules(fold_authority(connection)[0])

    def open_import(self, wanted: dict[str, Any]) -> dict[str, Any]:
        return stewardship.open_import(self.ledger, LOCALLY, model_of(ImportRequest, wanted))

    def close_import(self, import_id: str) -> dict[str, Any]:
        return stewardship.close_import(self.ledger, LOCALLY, import_id)

    def imports(self) -> list[dict[str, Any]]:
        return stewardship.imports(self._database())

    def publish_tool(self, wanted: dict[str, Any]) -> dict[str, Any]:
        return stewardship.publish_tool(self.ledger, LOCALLY, model_of(ToolRequest, wanted))

    def tools(self) -> list[dict[str, Any]]:
        return stewardship.tools(self._database())

    def origin(self) -> str:
        with self._database().read() as connection:
            return fold_authority(connection)[0].origin

    def keys(self) -> list[dict[str, Any]]:
        with self._database().read() as connection:
            return stewardship.keys_of(fold_authority(connection)[0])

    def enrol_key(self, wanted: dict[str, Any]) -> dict[str, Any]:
        return stewardship.enrol_key(self.ledger, LOCALLY, model_of(KeyRequest, wanted))

    def end_key(self, role: str, key_id: str, reason: str, from_position: int | None) -> dict[str, Any]:
        return stewardship.end_key(self.ledger, LOCALLY, role, key_id, reason, from_position)

    def erase(self, position: int, reason: str) -> dict[str, Any]:
        return stewardship.erase_texts(self.ledger, LOCALLY, position, reason)

    def ask(self, gate: str, question: dict[str, Any]) -> dict[str, Any]:
        _folded_up(self.ledger.database, self.ledger.watcher)
        return asked_in(self.ledger, gate, model_of(Asked, question), LOCAL_OPERATOR)

    def recheck(self, position: int) -> dict[str, Any]:
        return recheck_in(self.reading, position)

    def check_policy(self, wanted: dict[str, Any]) -> dict[str, Any]:
        self._catch_up()
        return checked_in(self.reading, model_of(PolicyText, wanted))

    def try_policy(self, wanted: dict[str, Any]) -> dict[str, Any]:
        self._catch_up()
        return tried_in(self.reading, model_of(PolicyTrial, wanted))

    def views(self) -> dict[str, Any]:
        database = self._database()
        with database.read() as connection:
            found = states_of(connection, shows_failures=True)
        database.close()
        return found

    def rebuild(self, names: list[str]) -> dict[str, Any]:
        database = self.reading.database
        asked = rebuild_in(database, SomeViews(views=[view.name for view in views_named(names)]))
        return asked | {"position": _folded_up(database, self.reading.watcher)}

    def skip(self, wanted: dict[str, Any]) -> dict[str, Any]:
        stepped = skip_in(self.ledger, LOCALLY, model_of(SkipRequest, wanted))
        return stepped | {"position": _folded_up(self.ledger.database, self.ledger.watcher)}

    def view(self, name: str, key: str | None, asked: dict[str, str]) -> dict[str, Any]:
        self._catch_up()
        return answer_of(self.reading, view_named(name), key, asked)

    def delivery(
        self, *, service: str | None, team: str | None, since: str | None, until: str | None
    ) -> dict[str, Any]:
        self._catch_up()
        return figures_in(self.reading, service=service, team=team, since=since, until=until)

    def backtest(self, model: str, first: int, last: int | None, against: str | None) -> dict[str, Any]:
        self._catch_up()
        return backtest_in(self.reading, model, first, last, against)

    def fit(self, features: list[str], first: int, last: int | None) -> dict[str, Any]:
        return fit_in(self.reading, features, first, last)

    def _catch_up(self) -> None:
        _folded_up(self.reading.database, self.reading.watcher)

    def close(self) -> None:
        for opened in (self._opened, self._read):
            if opened is not None:
                opened.close()

    def _database(self) -> Database:
        database = Database(self._settings.database)
        database.check_schema()
        return database


def _folded_up(database: Database, watcher: Watcher) -> int | None:
    """Fold what is new, and what is asked for: where no server runs, nobody else does. Returns the position; None where another does."""
    runner = Runner(database, VIEWS, watcher)
    try:
        return runner.catch_up() if runner.acquire() else None
    finally:
        runner.close()

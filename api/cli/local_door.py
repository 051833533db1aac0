"""A ledger in a database that this process opens."""

from collections.abc import Iterator
from typing import Any

from api.cli.doors import Answer
from api.desk.gates import asked_in, recheck_in
from api.desk.views import answer_of, states_of, view_named
from api.http import problems
from api.http.routes.credentials import credential_json, key_json
from api.http.routes.risk import backtest_in, fit_in
from api.intake import SIGNED, check_door
from api.opening import open_ledger
from api.settings import Settings
from ledger.audit.reading import fold_authority
from ledger.conditions import Match
from ledger.enrolment import ROLES
from ledger.errors import LedgerError
from ledger.events import CATALOGUE, sentence
from ledger.events.gate import Asked
from ledger.ledger import LOCAL_OPERATOR, Ledger
from ledger.log.beside import read_texts
from ledger.log.database import Database
from ledger.log.following import Subscription, Watcher
from ledger.log.reading import StoredEntry, read_entry, read_size
from ledger.log.recorder import Recorded, Refused, Submission
from ledger.stewardship.credentials import enrol_source, issue_token, revoke_token
from ledger.stewardship.keys import enrol_key, retire_key, revoke_key
from ledger.stewardship.removal import erase_texts
from projections import VIEWS
from projections.engine.runner import Runner


class LocalDoor:
    """A ledger in a database. Whoever holds its entry key is its operator; nobody asks who that is, and entries say `asserted`."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._opened: Ledger | None = None

    @property
    def ledger(self) -> Ledger:
        """The ledger, opened for appending."""
        if self._opened is None:
            self._opened = open_ledger(self._settings)
        return self._opened

    def append(self, events: list[Any]) -> list[Answer]:
        ledger, caller = self.ledger, self.ledger.local_caller()
        answers: list[Answer | None] = []
        submissions = []
        for event in events:
            try:
                statement = ledger.admission.admit(event)
                ledger.authority.permit(caller, statement, ledger.clock.now_us())
            except LedgerError as error:
                answers.append(_refused(error))
            else:
                submissions.append(Submission((statement,), caller, None, ledger.authority.position))
                answers.append(None)
        outcomes = iter(ledger.append_group(submissions))
        return [answer or _answer(next(outcomes)) for answer in answers]

    def size(self) -> int:
        with self._database().read() as connection:
            return read_size(connection)

    def show(self, position: int) -> dict[str, Any]:
        with self._database().read() as connection:
            stored = read_entry(connection, position)
            texts = read_texts(connection, position)
        return shown(stored) | {"texts": {text["field"]: text["text"] for text in texts}}

    def follow(
        self, after: int, event_type: str | None, ref: str | None, *, until_end: bool
    ) -> Iterator[dict[str, Any]]:
        database = self._database()
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
        credential, token, receipt = issue_token(self.ledger, actor=LOCAL_OPERATOR, **wanted)
        return {"credential": credential, "token": token, "receipt": receipt.to_json()}

    def revoke_token(self, credential: str, reason: str, from_position: int | None) -> dict[str, Any]:
        return revoke_token(
            self.ledger, credential, actor=LOCAL_OPERATOR, reason=reason, from_position=from_position
        ).to_json()

    def tokens(self) -> list[dict[str, Any]]:
        return [
            credential_json(credential) for credential in list(self.ledger.current_authority().credentials.values())
        ]

    def enrol_source(self, wanted: dict[str, Any]) -> dict[str, Any]:
        check_door(wanted["door"])
        return enrol_source(self.ledger, actor=LOCAL_OPERATOR, by_secret=wanted["door"] in SIGNED, **wanted).to_json()

    def origin(self) -> str:
        with self._database().read() as connection:
            return fold_authority(connection)[0].origin

    def keys(self) -> list[dict[str, Any]]:
        with self._database().read() as connection:
            keyring = fold_authority(connection)[0].keyring
        return [key_json(number, record) for role in ROLES for number, record in enumerate(keyring.numbered(role))]

    def enrol_key(self, wanted: dict[str, Any]) -> dict[str, Any]:
        public_key = bytes.fromhex(wanted["public_key"])
        more = {name: wanted[name] for name in ("role", "name", "sources", "possession") if name in wanted}
        return enrol_key(self.ledger, public_key, actor=LOCAL_OPERATOR, **more).to_json()

    def end_key(self, role: str, key_id: str, reason: str, from_position: int | None) -> dict[str, Any]:
        if from_position is None:
            return retire_key(self.ledger, key_id, role=role, actor=LOCAL_OPERATOR).to_json()
        return revoke_key(
            self.ledger, key_id, role=role, from_position=from_position, reason=reason, actor=LOCAL_OPERATOR
        ).to_json()

    def erase(self, position: int, reason: str) -> dict[str, Any]:
        return erase_texts(self.ledger, position, actor=LOCAL_OPERATOR, reason=reason).to_json()

    def ask(self, gate: str, question: dict[str, Any]) -> dict[str, Any]:
        self._catch_up()
        return asked_in(self.ledger, gate, Asked.model_validate(question), LOCAL_OPERATOR)

    def recheck(self, position: int) -> dict[str, Any]:
        return recheck_in(self.ledger, position)

    def views(self) -> dict[str, Any]:
        database = self._database()
        with database.read() as connection:
            found = states_of(connection, shows_failures=True)
        database.close()
        return found

    def view(self, name: str, key: str | None, asked: dict[str, str]) -> dict[str, Any]:
        self._catch_up()
        return answer_of(self.ledger, view_named(name), key, asked)

    def backtest(self, model: str, first: int, last: int | None, against: str | None) -> dict[str, Any]:
        self._catch_up()
        return backtest_in(self.ledger, model, first, last, against)

    def fit(self, features: list[str], first: int, last: int | None) -> dict[str, Any]:
        return fit_in(self.ledger, features, first, last)

    def _catch_up(self) -> None:
        """Fold what is new: where no server runs, nobody else has."""
        runner = Runner(self.ledger.database, VIEWS, self.ledger.watcher)
        try:
            if runner.acquire():
                runner.catch_up()
        finally:
            runner.close()

    def close(self) -> None:
        if self._opened is not None:
            self._opened.close()

    def _database(self) -> Database:
        database = Database(self._settings.database)
        database.check_schema()
        return database


def shown(stored: StoredEntry) -> dict[str, Any]:
    """Return what a person wants to see of an entry."""
    statement = stored.statement
    event_class = CATALOGUE.get(statement["type"])
    return {
        "position": stored.position,
        "says": sentence(event_class, statement["data"]) if event_class else statement["type"],
        "entry": stored.document,
        "entry_hash": stored.leaf_hash.hex(),
        "signature": stored.signature.hex(),
    }


def _refused(error: LedgerError) -> Answer:
    document = problems.of_error(error)
    return {"status": document["status"], "problem": document}


def _answer(outcome: Any) -> Answer:
    if isinstance(outcome, Refused):
        return _refused(outcome.error)
    return {"status": 201 if isinstance(outcome, Recorded) else 200, "receipt": outcome.receipts[0].to_json()}

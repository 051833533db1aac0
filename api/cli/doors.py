"""Where the ledger is: in a database that this process opens, or behind a server. The commands do not care."""

import json
import random
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any, Final, Protocol
from urllib.parse import quote

import httpx

from api.app import open_ledger
from api.http import problems
from api.http.routes.credentials import credential_json, key_json
from api.http.routes.gates import asked_in, recheck_in
from api.http.routes.risk import backtest_in, fit_in
from api.http.routes.views import answer_of, view_named
from api.intake import SIGNED, check_door
from api.settings import Settings
from ledger.audit.reading import fold_authority
from ledger.conditions import Match
from ledger.enrolment import ROLES
from ledger.errors import LedgerError, LedgerStoppedError
from ledger.events import CATALOGUE, sentence
from ledger.events.gate import Asked
from ledger.ledger import LOCAL_OPERATOR, Ledger
from ledger.log.database import Database
from ledger.log.following import Subscription, Watcher
from ledger.log.reading import StoredEntry, read_entry, read_size, read_texts
from ledger.log.recorder import Recorded, Refused, Submission
from projections import VIEWS
from projections.engine.runner import Runner

# One answer to one statement: a status as over HTTP, and a receipt or a problem.
Answer = dict[str, Any]


# Seconds to wait before a request is made again, as long as nobody answers, or the server asks for it.
WAITS_S: Final = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 16.0)
MAX_WAIT_S: Final = 60.0
pause: Callable[[float], None] = time.sleep


def patiently(send: Callable[[], httpx.Response]) -> httpx.Response:
    """Return the answer to a request that may be made again: after a lost connection, and after 429 and 503 when they are due.

    Up to twice the wait is taken at random, so that those who waited together do not come back together. Raises
    httpx.TransportError when nobody answered the last time.
    """
    for wait in WAITS_S:
        try:
            answer = send()
        except httpx.TransportError:
            asked = 0.0
        else:
            if answer.status_code not in (429, 503) or "retry-after" not in answer.headers:
                return answer
            said = answer.headers["retry-after"]
            asked = float(said) if said.isascii() and said.isdigit() else 0.0
            if asked > MAX_WAIT_S:
                return answer
        pause(max(wait, asked) * random.uniform(1, 2))
    return send()


class Door(Protocol):
    def append(self, events: list[Any]) -> list[Answer]: ...

    def size(self) -> int: ...

    def show(self, position: int) -> dict[str, Any]: ...

    def follow(
        self, after: int, event_type: str | None, ref: str | None, *, until_end: bool
    ) -> Iterator[dict[str, Any]]: ...

    def issue_token(self, wanted: dict[str, Any]) -> dict[str, Any]: ...

    def revoke_token(self, credential: str, reason: str, from_position: int | None) -> dict[str, Any]: ...

    def tokens(self) -> list[dict[str, Any]]: ...

    def enrol_source(self, wanted: dict[str, Any]) -> dict[str, Any]: ...

    def origin(self) -> str: ...

    def keys(self) -> list[dict[str, Any]]: ...

    def enrol_key(self, wanted: dict[str, Any]) -> dict[str, Any]: ...

    def end_key(self, role: str, key_id: str, reason: str, from_position: int | None) -> dict[str, Any]: ...

    def erase(self, position: int, reason: str) -> dict[str, Any]: ...

    def ask(self, gate: str, question: dict[str, Any]) -> dict[str, Any]: ...

    def recheck(self, position: int) -> dict[str, Any]: ...

    def view(self, name: str, key: str | None, asked: dict[str, str]) -> dict[str, Any]: ...

    def backtest(self, model: str, first: int, last: int | None, against: str | None) -> dict[str, Any]: ...

    def fit(self, features: list[str], first: int, last: int | None) -> dict[str, Any]: ...

    def close(self) -> None: ...


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
        credential, token, receipt = self.ledger.issue_token(actor=LOCAL_OPERATOR, **wanted)
        return {"credential": credential, "token": token, "receipt": receipt.to_json()}

    def revoke_token(self, credential: str, reason: str, from_position: int | None) -> dict[str, Any]:
        return self.ledger.revoke_token(
            credential, actor=LOCAL_OPERATOR, reason=reason, from_position=from_position
        ).to_json()

    def tokens(self) -> list[dict[str, Any]]:
        return [
            credential_json(credential) for credential in list(self.ledger.current_authority().credentials.values())
        ]

    def enrol_source(self, wanted: dict[str, Any]) -> dict[str, Any]:
        check_door(wanted["door"])
        return self.ledger.enrol_source(actor=LOCAL_OPERATOR, by_secret=wanted["door"] in SIGNED, **wanted).to_json()

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
        return self.ledger.enrol_key(public_key, actor=LOCAL_OPERATOR, **more).to_json()

    def end_key(self, role: str, key_id: str, reason: str, from_position: int | None) -> dict[str, Any]:
        if from_position is None:
            return self.ledger.retire_key(key_id, role=role, actor=LOCAL_OPERATOR).to_json()
        return self.ledger.revoke_key(
            key_id, role=role, from_position=from_position, reason=reason, actor=LOCAL_OPERATOR
        ).to_json()

    def erase(self, position: int, reason: str) -> dict[str, Any]:
        return self.ledger.erase_texts(position, actor=LOCAL_OPERATOR, reason=reason).to_json()

    def ask(self, gate: str, question: dict[str, Any]) -> dict[str, Any]:
        self._catch_up()
        return asked_in(self.ledger, gate, Asked.model_validate(question), LOCAL_OPERATOR)

    def recheck(self, position: int) -> dict[str, Any]:
        return recheck_in(self.ledger, position)

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


class RemoteDoor:
    """A ledger behind a server."""

    def __init__(self, server: str, token: str) -> None:
        # What is public is asked without a token.
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._client = httpx.Client(base_url=server, headers=headers, timeout=60)

    def append(self, events: list[Any]) -> list[Answer]:
        headers = {"Content-Type": "application/cloudevents-batch+json"}
        # As ASCII: what cannot be encoded is for the server to refuse, with its place. The same bytes each time: what was
        # recorded before its answer got lost is recognised.
        content = json.dumps(events)
        answer = patiently(lambda: self._client.post("/v1/events", content=content, headers=headers))
        document = answer.json()
        if "items" not in document:
            raise self._error(answer)
        items: list[Answer] = document["items"]
        return items

    def size(self) -> int:
        return int(self._json("GET", "/v1/ledger")["size"])

    def show(self, position: int) -> dict[str, Any]:
        found = self._json("GET", f"/v1/events/{position}")
        texts = {name: text["text"] for name, text in found["texts"].items()}
        return {
            "position": found["position"],
            "says": found["says"],
            "entry": found["entry"],
            "texts": texts,
        } | _hashes(found["receipt"])

    def follow(
        self, after: int, event_type: str | None, ref: str | None, *, until_end: bool
    ) -> Iterator[dict[str, Any]]:
        narrow = {name: value for name, value in (("type", event_type), ("ref", ref)) if value}
        while True:
            page = self._json("GET", "/v1/events", params={"after": after, "limit": 500} | narrow)
            for item in page["items"]:
                after = item["position"]
                yield {"position": after, "says": item["says"], "entry": item["entry"]} | _hashes(item["receipt"])
            if "next" in page:
                continue
            if until_end:
                return
            self._wait(max(after, page["size"]), narrow)

    def _wait(self, after: int, narrow: dict[str, str]) -> None:
        """Return when the stream has something after `after`; what it is, the next page tells."""
        with self._client.stream(
            "GET", "/v1/events/stream", params={"after": str(after)} | narrow, timeout=None
        ) as answer:
            if answer.status_code != 200:
                answer.read()
                raise self._error(answer)
            for line in answer.iter_lines():
                if line.startswith("id:"):
                    return

    def issue_token(self, wanted: dict[str, Any]) -> dict[str, Any]:
        return self._json("POST", "/v1/ledger/credentials", json={k: v for k, v in wanted.items() if v is not None})

    def revoke_token(self, credential: str, reason: str, from_position: int | None) -> dict[str, Any]:
        more = {"from_position": from_position} if from_position else {}
        return self._json("DELETE", f"/v1/ledger/credentials/{credential}", params={"reason": reason} | more)

    def tokens(self) -> list[dict[str, Any]]:
        found: Any = self._json("GET", "/v1/ledger/credentials")
        return list(found)

    def enrol_source(self, wanted: dict[str, Any]) -> dict[str, Any]:
        return self._json("POST", "/v1/ledger/sources", json=wanted)

    def origin(self) -> str:
        return str(self._json("GET", "/v1/ledger")["origin"])

    def keys(self) -> list[dict[str, Any]]:
        found: Any = self._json("GET", "/v1/ledger/keys")
        return list(found)

    def verifier_keys(self) -> list[str]:
        return list(self._json("GET", "/v1/ledger")["verifier_keys"])

    def enrol_key(self, wanted: dict[str, Any]) -> dict[str, Any]:
        return self._json("POST", "/v1/ledger/keys", json=wanted)

    def end_key(self, role: str, key_id: str, reason: str, from_position: int | None) -> dict[str, Any]:
        more = {"from_position": from_position} if from_position else {}
        return self._json("DELETE", f"/v1/ledger/keys/{role}/{key_id}", params={"reason": reason} | more)

    def commit_heads(self) -> dict[str, Any]:
        return self._json("POST", "/v1/ledger/heads")

    def dossier(self, ref: str) -> dict[str, Any]:
        return self._json("GET", f"/v1/dossiers/{quote(ref, safe='')}")

    def text(self, path: str) -> str:
        """Return what is not JSON: a checkpoint, a proof."""
        answer = self._client.get(path)
        if answer.is_error:
            raise self._error(answer)
        return answer.text

    def erase(self, position: int, reason: str) -> dict[str, Any]:
        return self._json("DELETE", f"/v1/events/{position}/texts", params={"reason": reason})

    def verify(self, wanted: dict[str, Any]) -> Iterator[dict[str, Any]]:
        with self._client.stream("POST", "/v1/ledger/verify", json=wanted, timeout=None) as answer:
            if answer.status_code != 200:
                answer.read()
                raise self._error(answer)
            for line in answer.iter_lines():
                yield httpx.Response(200, content=line).json()

    def ask(self, gate: str, question: dict[str, Any]) -> dict[str, Any]:
        # Where an answer got lost, the question is asked again under the same key: it is decided once.
        asked = {"idempotency_key": uuid.uuid4().hex, **question}
        answer = patiently(lambda: self._client.post(f"/v1/gates/{gate}", json=asked))
        return self._document(answer)

    def recheck(self, position: int) -> dict[str, Any]:
        return self._json("GET", f"/v1/gates/decisions/{position}/recheck")

    def view(self, name: str, key: str | None, asked: dict[str, str]) -> dict[str, Any]:
        row = f"/{quote(key, safe='')}" if key is not None else ""
        return self._json("GET", f"/v1/views/{view_named(name).name}{row}", params=asked)

    def backtest(self, model: str, first: int, last: int | None, against: str | None) -> dict[str, Any]:
        asked = {"model": model, "from": first, "to": last, "against": against}
        return self._json("GET", "/v1/risk/backtest", params={k: v for k, v in asked.items() if v is not None})

    def fit(self, features: list[str], first: int, last: int | None) -> dict[str, Any]:
        asked = {"feature": features, "from": first, "to": last}
        return self._json("GET", "/v1/risk/fit", params={k: v for k, v in asked.items() if v is not None})

    def close(self) -> None:
        self._client.close()

    def _json(self, method: str, path: str, **more: Any) -> dict[str, Any]:
        return self._document(self._client.request(method, path, **more))

    def _document(self, answer: httpx.Response) -> dict[str, Any]:
        if answer.is_error:
            raise self._error(answer)
        document: dict[str, Any] = answer.json()
        return document

    @staticmethod
    def _error(answer: httpx.Response) -> LedgerError:
        try:
            problem = answer.json()
            return LedgerStoppedError(f"{problem['status']} {problem['title']}: {problem['detail']}")
        except (ValueError, KeyError, TypeError):
            return LedgerStoppedError(f"the server answered {answer.status_code}, and no problem document")


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


def _hashes(receipt: dict[str, Any]) -> dict[str, Any]:
    return {"entry_hash": receipt["entry_hash"], "signature": receipt["signature"]}


def _refused(error: LedgerError) -> Answer:
    document = problems.of_error(error)
    return {"status": document["status"], "problem": document}


def _answer(outcome: Any) -> Answer:
    if isinstance(outcome, Refused):
        return _refused(outcome.error)
    return {"status": 201 if isinstance(outcome, Recorded) else 200, "receipt": outcome.receipts[0].to_json()}

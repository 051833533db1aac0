"""A ledger behind a server, asked by httpx alone: what it means is the server's business."""

import json
import random
import ssl
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any, Final
from urllib.parse import quote

# httpx has a command of its own, which it leaves out where it cannot be imported. It costs more than all the rest of httpx.
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]
import httpx  # noqa: E402

from api.cli.doors import Answer  # noqa: E402
from ledger.errors import LedgerError, LedgerStoppedError  # noqa: E402

# Seconds to wait before a request is made again, as long as nobody answers, or the server asks for it.
WAITS_S: Final = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 16.0)
MAX_WAIT_S: Final = 60.0
# How long the trial of a policy may take, over ten thousand decisions.
TRIAL_S: Final = 600.0
JSON: Final = "application/json"
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


def kind_of(name: str, content: bytes) -> str:
    """Return the media type under which a file of a format is posted: what it looks like, where the format takes that.

    A format that is not known here may be known to the server: such a file is JSON, or XML when it begins with a tag.
    """
    from api.intake import FILES

    begins = content.lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
    looks = "application/xml" if begins == b"<" else JSON
    known = FILES[name].media_types if name in FILES else (looks,)
    if begins in (b"<", b"{", b"[") and looks in known:
        return looks
    # What is neither, such as YAML: a file has no name for its type.
    return next((kind for kind in known if kind not in (JSON, "application/xml")), known[0])


class RemoteDoor:
    """A ledger behind a server."""

    def __init__(self, server: str, token: str) -> None:
        # What is public is asked without a token.
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        # Reading the system's authorities costs as much as all the rest of a command. Without TLS none is asked: then there are none,
        # and nothing that is not what it says would be believed.
        verify = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if server.startswith("http://") else True
        self._client = httpx.Client(base_url=server, headers=headers, timeout=60, verify=verify)

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

    def take(self, name: str, content: bytes, said: dict[str, str]) -> tuple[int, dict[str, Any]]:
        path, headers = f"/v1/intake/{quote(name, safe='')}", {"Content-Type": kind_of(name, content)}
        answer = patiently(lambda: self._client.post(path, content=content, params=said, headers=headers))
        return answer.status_code, self._document(answer)

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

    def works_alone(self) -> bool | None:
        return bool(self._json("GET", "/v1/ledger").get("is_of_one"))

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
        return self._json("POST", "/v1/ledger/credentials", json=wanted)

    def revoke_token(self, credential: str, reason: str, from_position: int | None) -> dict[str, Any]:
        more = {"from_position": from_position} if from_position else {}
        return self._json("DELETE", f"/v1/ledger/credentials/{credential}", params={"reason": reason} | more)

    def tokens(self) -> list[dict[str, Any]]:
        return self._list("/v1/ledger/credentials")

    def enrol_source(self, wanted: dict[str, Any]) -> dict[str, Any]:
        return self._json("POST", "/v1/ledger/sources", json=wanted)

    def sources(self) -> list[dict[str, Any]]:
        return self._list("/v1/ledger/sources")

    def retire_source(self, source: str, door: str) -> dict[str, Any]:
        return self._json("DELETE", "/v1/ledger/sources", params={"source": source, "door": door})

    def enrol_trust_rule(self, wanted: dict[str, Any]) -> dict[str, Any]:
        return self._json("POST", "/v1/ledger/trust-rules", json=wanted)

    def trust_rules(self) -> list[dict[str, Any]]:
        return self._list("/v1/ledger/trust-rules")

    def open_import(self, wanted: dict[str, Any]) -> dict[str, Any]:
        return self._json("POST", "/v1/ledger/imports", json=wanted)

    def close_import(self, import_id: str) -> dict[str, Any]:
        return self._json("DELETE", f"/v1/ledger/imports/{quote(import_id, safe='')}")

    def imports(self) -> list[dict[str, Any]]:
        return self._list("/v1/ledger/imports")

    def publish_tool(self, wanted: dict[str, Any]) -> dict[str, Any]:
        return self._json("POST", "/v1/ledger/tools", json=wanted)

    def tools(self) -> list[dict[str, Any]]:
        return self._list("/v1/ledger/tools")

    def origin(self) -> str:
        return str(self._json("GET", "/v1/ledger")["origin"])

    def keys(self) -> list[dict[str, Any]]:
        return self._list("/v1/ledger/keys")

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
        return self._lines("/v1/ledger/verify", wanted)

    def check(self, names: list[str]) -> Iterator[dict[str, Any]]:
        return self._lines("/v1/views/check", {"views": names or self._names()})

    def ask(self, gate: str, question: dict[str, Any]) -> dict[str, Any]:
        # Where an answer got lost, the question is asked again under the same key: it is decided once.
        asked = {"idempotency_key": uuid.uuid4().hex, **question}
        answer = patiently(lambda: self._client.post(f"/v1/gates/{gate}", json=asked))
        return self._document(answer)

    def recheck(self, position: int) -> dict[str, Any]:
        return self._json("GET", f"/v1/gates/decisions/{position}/recheck")

    def check_policy(self, wanted: dict[str, Any]) -> dict[str, Any]:
        return self._document(patiently(lambda: self._client.post("/v1/policies/check", json=wanted)))

    def try_policy(self, wanted: dict[str, Any]) -> dict[str, Any]:
        answer = patiently(lambda: self._client.post("/v1/policies/try", json=wanted, timeout=TRIAL_S))
        return self._document(answer)

    def views(self) -> dict[str, Any]:
        return self._json("GET", "/v1/views")

    def rebuild(self, names: list[str]) -> dict[str, Any]:
        return self._json("POST", "/v1/views/rebuild", json={"views": names or self._names()})

    def skip(self, wanted: dict[str, Any]) -> dict[str, Any]:
        return self._json("POST", "/v1/views/skip", json=wanted)

    def _names(self) -> list[str]:
        return [view["name"] for view in self.views()["views"]]

    def view(self, name: str, key: str | None, asked: dict[str, str]) -> dict[str, Any]:
        row = f"/{quote(key, safe='')}" if key is not None else ""
        return self._json("GET", f"/v1/views/{quote(name, safe='')}{row}", params=asked)

    def delivery(
        self, *, service: str | None, team: str | None, since: str | None, until: str | None
    ) -> dict[str, Any]:
        asked = {"service": service, "team": team, "since": since, "until": until}
        return self._json("GET", "/v1/delivery", params={k: v for k, v in asked.items() if v is not None})

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

    def _lines(self, path: str, wanted: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Yield the lines of an answer that is given while the server works on it."""
        with self._client.stream("POST", path, json=wanted, timeout=None) as answer:
            if answer.status_code != 200:
                answer.read()
                raise self._error(answer)
            for line in answer.iter_lines():
                yield httpx.Response(200, content=line).json()

    def _list(self, path: str) -> list[dict[str, Any]]:
        found: Any = self._json("GET", path)
        return list(found)

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


def _hashes(receipt: dict[str, Any]) -> dict[str, Any]:
    return {"entry_hash": receipt["entry_hash"], "signature": receipt["signature"]}

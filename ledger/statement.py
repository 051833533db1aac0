"""Statements: what a producer said, as one CloudEvents 1.0 JSON event in canonical bytes.

`admit` is the only door from parsed JSON to a `Statement`. The envelope is open to CloudEvents extensions; `data` is
closed: the catalogue's class, and nothing else. Free text leaves the statement here: a salted digest takes its place,
the text goes beside the log.

Not about who may say what (`ledger.credentials`) nor about what the ledger makes of it (`ledger.entry`).
"""

import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

from ledger.canonical import MAX_INTEGER, encode, pointer, refuse_faults
from ledger.errors import StatementError, StatementTooLargeError
from ledger.events import CATALOGUE, Event, refs_of
from ledger.events.base import MAX_REF_BYTES
from ledger.events.identifiers import MAX_TEXT_BYTES

MAX_STATEMENT_BYTES: Final = 49_152
MAX_REFS: Final = 64
MAX_AHEAD: Final = timedelta(hours=24)
SALT_BYTES: Final = 32
# With these, an admitted statement always fits an entry.
MAX_EVIDENCE: Final = 8
MAX_MEDIA_TYPE: Final = 100

_REQUIRED: Final = ("specversion", "id", "source", "type", "time", "data")
_OPTIONAL: Final = {"subject": 256, "datacontenttype": 100, "dataschema": 512}
_MAX_EXTENSION: Final = 1024
_is_extension_name = re.compile(r"[a-z0-9]{1,20}").fullmatch
_is_time = re.compile(r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})").fullmatch
_is_identifier = re.compile(r"[!-~]{1,256}").fullmatch


@dataclass(frozen=True, slots=True)
class ErasableText:
    """A text beside the log, and the salt that its digest was made with."""

    field: str
    salt: bytes
    text: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """Bytes kept beside the log, witnessed in the entry by digest."""

    media_type: str
    sha256: bytes
    body: bytes

    @classmethod
    def of(cls, body: bytes, media_type: str) -> "Evidence":
        return cls(media_type, hashlib.sha256(body).digest(), body)


class Statement(NamedTuple):
    """An admitted statement. `body` is what is hashed; everything else was read from it, or goes beside it."""

    body: bytes
    source: str
    id: str
    type: str
    data: Mapping[str, Any]
    refs: tuple[str, ...]
    # Of the submitted content, before salting: what a repeat is recognised by.
    digest: bytes
    texts: tuple[ErasableText, ...] = ()
    evidence: tuple[Evidence, ...] = ()

    @property
    def area(self) -> str:
        return self.type.partition(".")[0]


@dataclass(frozen=True)
class Admission:
    """What admitting needs from outside: the ledger's name, its clock, randomness for salts, and its secret for digests of texts."""

    origin: str
    now: Callable[[], datetime]
    random: Callable[[int], bytes]
    pepper: bytes = field(repr=False)

    def admit(self, event: Any, *, evidence: tuple[Evidence, ...] = ()) -> Statement:
        """Return the statement that a parsed CloudEvents object makes, or raise StatementError naming the place.

        `event` is what `canonical.parse` returned. A field for erasable text holds the text itself; it is salted here.
        """
        if not isinstance(event, dict):
            raise StatementError("expected a CloudEvents object")
        self._check_envelope(event)
        if len(evidence) > MAX_EVIDENCE or any(len(item.media_type) > MAX_MEDIA_TYPE for item in evidence):
            raise StatementError(f"expected at most {MAX_EVIDENCE} pieces of evidence, found {len(evidence)}")
        event_type, data = event["type"], event["data"]
        event_class = CATALOGUE[event_type]
        texts: tuple[ErasableText, ...] = ()
        digest = b""
        if event_class.erasable_fields and isinstance(data, dict):
            salted, texts = self._salt(event_class, data)
            if texts:
                # A plain digest of guessable text would let anybody confirm the guess for ever; a
                # keyed one only whoever has the key.
                digest = hmac.digest(self.pepper, encode(event), "sha256")
                event, data = {**event, "data": salted}, salted
        try:
            CATALOGUE.validate(event_type, data)
        except StatementError:
            refuse_faults(event)
            raise
        body = encode(event)
        if len(body) > MAX_STATEMENT_BYTES:
            raise StatementTooLargeError(
                f"expected a statement of at most {MAX_STATEMENT_BYTES} bytes, found {len(body)}"
            )
        refs = refs_of(event_class, data)
        if len(refs) > MAX_REFS:
            raise StatementError(f"expected at most {MAX_REFS} distinct refs, found {len(refs)}", "/data")
        for ref in refs:
            if len(ref) > MAX_REF_BYTES:
                raise StatementError(f"expected refs of at most {MAX_REF_BYTES} bytes, found {ref[:60]}…", "/data")
        return Statement(
            body=body,
            source=event["source"],
            id=event["id"],
            type=event_type,
            data=data,
            refs=tuple(refs),
            digest=digest or hashlib.sha256(body).digest(),
            texts=texts,
            evidence=evidence,
        )

    def _check_envelope(self, event: dict[str, Any]) -> None:
        for name in _REQUIRED:
            if name not in event:
                raise StatementError(f"expected the attribute {name}", f"/{name}")
        if event["specversion"] != "1.0":
            raise StatementError(f'expected specversion "1.0", found {event["specversion"]!r}'[:120], "/specversion")
        for name in ("id", "source"):
            value = event[name]
            if not isinstance(value, str) or not _is_identifier(value):
                raise StatementError(
                    f"expected {name} to be 1 to 256 printable ASCII characters without blanks", f"/{name}"
                )
        if not isinstance(event["type"], str):
            raise StatementError("expected type to be a string", "/type")
        self._check_time(event["time"])
        for name, value in event.items():
            if name in _REQUIRED:
                continue
            if (limit := _OPTIONAL.get(name)) is not None:
                if not isinstance(value, str) or not 0 < len(value) <= limit:
                    raise StatementError(f"expected {name} to be a string of 1 to {limit} characters", f"/{name}")
                if name == "datacontenttype" and value != "application/json":
                    raise StatementError(f"expected datacontenttype application/json, found {value[:60]!r}", f"/{name}")
            elif name == "data_base64" or name == "dssematerial":
                raise StatementError(f"{name} is not accepted: send data as JSON", f"/{name}")
            elif not _is_extension_name(name):
                raise StatementError(
                    f"no attribute can be called {name[:40]!r}: expected 1 to 20 of a-z and 0-9",
                    f"/{pointer(name[:40])}",
                )
            else:
                self._check_extension(name, value)

    def _check_extension(self, name: str, value: Any) -> None:
        if isinstance(value, str):
            if len(value) > _MAX_EXTENSION:
                raise StatementError(f"expected at most {_MAX_EXTENSION} characters, found {len(value)}", f"/{name}")
        elif not isinstance(value, int) or abs(value) > MAX_INTEGER:
            raise StatementError("expected an extension to be a string, an integer or a boolean", f"/{name}")
        if name == "ledger" and value != self.origin:
            raise StatementError(
                f"this statement is for the ledger {value!r}; this one is {self.origin}"[:300], "/ledger"
            )

    def _check_time(self, value: Any) -> None:
        if not isinstance(value, str) or not _is_time(value):
            raise StatementError(
                "expected time as RFC 3339 with an offset, such as 2026-11-23T12:00:00Z" + (f"; found {value!r}"[:60]),
                "/time",
            )
        try:
            # fromisoformat reads six decimals; what is finer cannot matter to a bound of a day.
            when = datetime.fromisoformat(value.upper())
        except ValueError as error:
            raise StatementError(f"expected a time that exists: {error}", "/time") from None
        try:
            ahead = when.astimezone(UTC) - self.now()
        except OverflowError:
            raise StatementError(f"expected a time that exists in UTC; found {value}", "/time") from None
        if ahead > MAX_AHEAD:
            raise StatementError(f"expected a time at most 24 h ahead of the ledger's clock; found {value}", "/time")

    def _salt(self, event_class: type[Event], data: dict[str, Any]) -> tuple[dict[str, Any], tuple[ErasableText, ...]]:
        salted, texts = dict(data), []
        for name in event_class.erasable_fields:
            text = data.get(name)
            if isinstance(text, dict):
                # Otherwise nobody could tell a text that was never sent from one that somebody deleted.
                raise StatementError(
                    "expected the text itself: only producers that sign send a salted digest", f"/data/{name}"
                )
            if not isinstance(text, str):
                continue
            try:
                raw = text.encode()
            except UnicodeEncodeError:
                raise StatementError(
                    "the string has a lone surrogate; expected valid Unicode", f"/data/{name}"
                ) from None
            if len(raw) > MAX_TEXT_BYTES:
                raise StatementTooLargeError(
                    f"expected a text of at most {MAX_TEXT_BYTES} bytes, found {len(raw)}", f"/data/{name}"
                )
            salt = self.random(SALT_BYTES)
            salted[name] = {"sha256": hashlib.sha256(salt + raw).hexdigest()}
            texts.append(ErasableText(name, salt, text))
        return salted, tuple(texts)

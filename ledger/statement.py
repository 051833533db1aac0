"""Statements: what a producer said, as one CloudEvents 1.0 JSON event in canonical bytes.

`admit` is the only door from parsed JSON to a `Statement`. The envelope is open to CloudEvents extensions; `data` is
closed: the catalogue's class, and nothing else. Free text leaves the statement here: a salted digest takes its place,
the text goes beside the log.

Not about who may say what (`ledger.authority`) nor about what the ledger makes of it (`ledger.entry`).

Long, because a statement passes its checks in one order, which is read from `admit` down.
"""

import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final, NamedTuple
from urllib.parse import unquote

from ledger.canonical import MAX_INTEGER, encode, parse, pointer, refuse_faults, refuse_nul
from ledger.clock import from_text
from ledger.errors import NotCanonicalError, StatementError, StatementTooLargeError
from ledger.events import CATALOGUE, Event, refs_of
from ledger.events.base import MAX_REF_BYTES, refuse_impossible
from ledger.events.identifiers import MAX_TEXT_BYTES
from signing.dsse import Signature

MAX_STATEMENT_BYTES: Final = 49_152
MAX_REFS: Final = 64
MAX_AHEAD_US: Final = 24 * 3600 * 1_000_000
SALT_BYTES: Final = 32
# DSSE's type of what a producer signs.
STATEMENT_PAYLOAD_TYPE: Final = "application/cloudevents+json"
MAX_SIGNATURES: Final = 4
# With these, an admitted statement always fits an entry.
MAX_EVIDENCE: Final = 8
MAX_MEDIA_TYPE: Final = 100

_REQUIRED: Final = ("specversion", "id", "source", "type", "time", "data")
_OPTIONAL: Final = {"subject": 256, "datacontenttype": 100, "dataschema": 512}
_MAX_EXTENSION: Final = 1024
_is_extension_name = re.compile(r"[a-z0-9]{1,20}").fullmatch
# How canonical JSON writes U+0000; a text that speaks of it has one backslash more.
_NUL: Final = b"\\u0000"
_is_json = re.compile(r'application/json(\s*;\s*charset\s*=\s*("utf-8"|utf-8))?', re.IGNORECASE).fullmatch
_segments = re.compile(r"[/\\?#;]").split
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
    # Of the producer, over `body`; whose keys they are is for `ledger.authority`.
    signatures: tuple[Signature, ...] = ()

    @property
    def area(self) -> str:
        return self.type.partition(".")[0]

    @property
    def size(self) -> int:
        """How many bytes are kept of it: what is hashed, and what lies beside it."""
        beside = sum(len(one.text.encode()) for one in self.texts) + sum(len(one.body) for one in self.evidence)
        return len(self.body) + beside


@dataclass(frozen=True)
class Admission:
    """What admitting needs from outside: the ledger's name, its clock, randomness for salts, and its secret for digests of texts."""

    origin: str
    now_us: Callable[[], int]
    random: Callable[[int], bytes]
    pepper: bytes = field(repr=False)

    def admit(self, event: Any, *, evidence: tuple[Evidence, ...] = ()) -> Statement:
        """Return the statement that a parsed CloudEvents object makes, or raise StatementError naming the place.

        `event` is what `canonical.parse` returned. A field for erasable text holds the text itself; it is salted here.
        """
        if isinstance(event, dict):
            # CloudEvents, JSON event format: an attribute that is null is one that is not there.
            event = {name: value for name, value in event.items() if value is not None}
        self._check_envelope(event)
        if len(evidence) > MAX_EVIDENCE or any(len(item.media_type) > MAX_MEDIA_TYPE for item in evidence):
            raise StatementError(f"expected at most {MAX_EVIDENCE} pieces of evidence, found {len(evidence)}")
        event_class, data = CATALOGUE[event["type"]], event["data"]
        texts: tuple[ErasableText, ...] = ()
        digest = b""
        if event_class.erasable_fields and isinstance(data, dict):
            salted, texts = self._salt(event_class, data)
            if texts:
                digest = self._digest_of_texts(event)
                event = {**event, "data": salted}
        return self._made(event, event_class, texts=texts, digest=digest, evidence=evidence)

    def admit_signed(
        self, payload: bytes, signatures: tuple[Signature, ...], texts: tuple[ErasableText, ...] = ()
    ) -> Statement:
        """Return the statement that a producer signed. `payload` is the canonical JSON of one CloudEvents object.

        It names this ledger in the extension `ledger`, so that it cannot be replayed into another; its erasable texts are
        salted by the producer and given beside it. Raises StatementError naming the place; the signatures are for
        `Authority.check_signatures`.
        """
        event = parse(payload)
        self._check_envelope(event)
        if not 0 < len(signatures) <= MAX_SIGNATURES:
            raise StatementError(f"expected 1 to {MAX_SIGNATURES} signatures, found {len(signatures)}", "/signatures")
        if len({signature.keyid for signature in signatures}) < len(signatures):
            raise StatementError("expected each key to sign once", "/signatures")
        if "ledger" not in event:
            raise StatementError(
                f'expected a signed statement to name this ledger: "ledger": "{self.origin}"', "/ledger"
            )
        event_class, data = CATALOGUE[event["type"]], event["data"]
        given = {text.field: text for text in texts}
        for name in event_class.erasable_fields:
            committed = data.get(name) if isinstance(data, dict) else None
            if committed is None:
                continue
            text = given.pop(name, None)
            if text is None or committed != {"sha256": hashlib.sha256(text.salt + text.text.encode()).hexdigest()}:
                raise StatementError(
                    "expected the text and the salt that the commitment was made of, beside the envelope as "
                    '{"texts": {"<field>": {"salt": "<64 hex>", "text": "…"}}}',
                    f"/data/{name}",
                )
            _check_text(text.text, f"/data/{name}")
        if given:
            raise StatementError(f"the statement commits to no text of {', '.join(sorted(given))}", "/texts")
        digest = self._digest_of_texts({**event, "data": data | {t.field: t.text for t in texts}}) if texts else b""
        made = self._made(event, event_class, texts=texts, digest=digest, signatures=signatures)
        if made.body != payload:
            raise NotCanonicalError(
                "expected the payload in canonical JSON, as RFC 8785 says", canonical=made.body.decode()
            )
        return made

    def _digest_of_texts(self, event: dict[str, Any]) -> bytes:
        # A plain digest of guessable text would let anybody confirm the guess for ever; a keyed one only whoever has
        # the key.
        return hmac.digest(self.pepper, encode(event), "sha256")

    def _made(self, event: dict[str, Any], event_class: type[Event], *, digest: bytes, **more: Any) -> Statement:
        """Return the statement of an event whose texts are salted: validated, canonical, with its refs."""
        try:
            CATALOGUE.validate(event["type"], event["data"])
            refuse_impossible(event_class, event["data"])
        except StatementError:
            refuse_faults(event)
            raise
        body = encode(event)
        if _NUL in body:
            refuse_nul(event)
        if len(body) > MAX_STATEMENT_BYTES:
            raise StatementTooLargeError(
                f"expected a statement of at most {MAX_STATEMENT_BYTES} bytes, found {len(body)}"
            )
        refs = refs_of(event_class, event["data"])
        if len(refs) > MAX_REFS:
            raise StatementError(f"expected at most {MAX_REFS} distinct refs, found {len(refs)}", "/data")
        for ref in refs:
            if len(ref) > MAX_REF_BYTES:
                raise StatementError(f"expected refs of at most {MAX_REF_BYTES} bytes, found {ref[:60]}…", "/data")
        return Statement(
            body=body,
            source=event["source"],
            id=event["id"],
            type=event["type"],
            data=event["data"],
            refs=tuple(refs),
            digest=digest or hashlib.sha256(body).digest(),
            **more,
        )

    def _check_envelope(self, event: Any) -> None:
        if not isinstance(event, dict):
            raise StatementError("expected a CloudEvents object")
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
        if has_dot_segment(event["source"]):
            raise StatementError(
                "expected a source without the segments . and .., plain or percent-encoded: it is matched by how it begins",
                "/source",
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
                if name == "datacontenttype" and not _is_json(value):
                    raise StatementError(
                        f"expected datacontenttype application/json, in UTF-8 where it says; found {value[:60]!r}",
                        f"/{name}",
                    )
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
        try:
            when = from_text(value) if isinstance(value, str) else None
        except ValueError as error:
            raise StatementError(f"{error}; found {value!r}"[:200], "/time") from None
        if when is None:
            raise StatementError(f"expected time to be a string; found {value!r}"[:200], "/time")
        if when > self.now_us() + MAX_AHEAD_US:
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
            raw = _check_text(text, f"/data/{name}")
            salt = self.random(SALT_BYTES)
            salted[name] = {"sha256": hashlib.sha256(salt + raw).hexdigest()}
            texts.append(ErasableText(name, salt, text))
        return salted, tuple(texts)


# Few sources say most of what is said.
@lru_cache(maxsize=1024)
def has_dot_segment(source: str) -> bool:
    """Say whether a source leads back up, as `a/../b` does, however often it is percent-encoded and whatever ends the segment.

    >>> has_dot_segment("https://ci.example.com/pay/%252e%2e/bill"), has_dot_segment("https://ci.example.com/a..b/.c")
    (True, False)
    """
    while (decoded := unquote(source)) != source:
        source = decoded
    return not {".", ".."}.isdisjoint(_segments(source))


def _check_text(text: str, place: str) -> bytes:
    """Return an erasable text in UTF-8. Raises StatementError where it is not Unicode, has U+0000, or is too long."""
    try:
        raw = text.encode()
    except UnicodeEncodeError:
        raise StatementError("the string has a lone surrogate; expected valid Unicode", place) from None
    refuse_nul(text, place)
    if len(raw) > MAX_TEXT_BYTES:
        raise StatementTooLargeError(f"expected a text of at most {MAX_TEXT_BYTES} bytes, found {len(raw)}", place)
    return raw

"""The context of a file: what it cannot say of itself, and whoever posts it knows. Beside the URL of a door, or as options.

A file has no sender that it names, and mostly no run and no commit. `Context.read` takes what a format asks for, in our words, and
names the outside fact: the SHA-256 of the canonical context followed by the body. So one report for two shards is two facts, and the
same for one shard is a repeat.

    {"commit":"9fceb02d…","format":"junit","run":"4711","shard":"1/2"}<testsuites>…
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from zoneinfo import available_timezones

from ledger.canonical import encode
from ledger.clock import normalised
from ledger.errors import StatementError, no_such
from ledger.events import identifiers
from ledger.events.identifiers import Identifier, Text, identifier_of
from ledger.events.test import MAX_SHARDS

# How long one thing may be: names that are longer end with a digest anyhow.
MAX_SAID: Final = 2000
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_is_window = re.compile(r"[1-9][0-9]{0,5}[smhdw]").fullmatch
_is_shard = re.compile(r"([1-9][0-9]{0,3})/([1-9][0-9]{0,3})").fullmatch


@dataclass(frozen=True, slots=True)
class Said:
    """One thing that may be said of a file: what it is, an example, and the type of the field that takes it, or its words."""

    doc: str
    example: str
    field: Any = None
    choices: tuple[str, ...] = ()


KNOWN: Final[Mapping[str, Said]] = {
    "run": Said("The run of the pipeline that made it.", "4711", identifiers.RunId),
    "attempt": Said("Which try of that run, from 1.", "1", identifiers.Attempt),
    "commit": Said("The commit that it is about.", "9fceb02d0ae598e95dc970b74767f19372d61af8", identifiers.Commit),
    "environment": Said("The environment that it is about.", "staging", identifiers.Environment),
    "workspace": Said("Which of an environment's states it is about.", "payments", identifiers.Workspace),
    "service": Said("The service that it is about.", "payments-api", identifiers.Service),
    "repository": Said("The repository that it is about.", "acme/payments-api", identifiers.Repository),
    "host": Said("Which code host reads it: github or gitlab.", "github", choices=("github", "gitlab")),
    "change": Said("The change that it is for.", "CHG-7", identifiers.ChangeId),
    "deployment": Said("The deployment that it is about.", "payments-api-1042", identifiers.DeploymentId),
    "actor": Said("Who says so, where the file is somebody's word.", "person:alice", identifiers.Identity),
    "slo": Said("The objective that was measured.", "payments-availability", identifiers.SloId),
    "metric": Said("The metric that was measured, as triggers call it.", "error_rate", identifiers.Label),
    "window": Said("Over how long each value goes, or an objective is held: a number, and s, m, h, d or w.", "5m"),
    "samples": Said("By how many samples each value is; default: 1.", "300"),
    "plan": Said("The plan that it is about, by its digest.", f"sha256:{'7' * 64}", identifiers.PlanDigest),
    "suite": Said("The suite of tests, of which manifests say what is in it.", "payments-api", identifiers.SuiteId),
    "shard": Said("Which part of a run's tests it has, and of how many.", "1/4"),
    "coverage": Said("How many of its lines the tests ran, in percent.", "81.5", identifiers.Decimal),
    "executed": Said(
        "Whether the tool ran to its end, where the file does not say so: true or false.", "true", choices=("true", "false")
    ),
    "as": Said(
        "What its events are: freeze, compliance-window, meeting, reservation, release or readiness.", "freeze",
        choices=("freeze", "compliance-window", "meeting", "reservation", "release", "readiness"),
    ),
    "tier": Said("The tier of environments that it is about.", "production", identifiers.Tier),
    "release": Said("The release that it is about.", "2026.48", identifiers.ReleaseId),
    "zone": Said("The time zone of times that are in none: a name of the IANA database.", "Europe/Berlin", identifiers.TimeZone),
    "source": Said("Who says so, as a URI; default: the door.", "https://ci.example.com/payments", identifiers.Source),
    "time": Said("When it happened, where the file does not say so; default: when it comes in.", "2026-03-02T09:00:00Z"),
}  # fmt: skip
# What may be said of every file.
ALWAYS: Final = ("source", "time")


@dataclass(frozen=True, slots=True)
class Context:
    """What was said of a file of a format: names as they are called, all else in our words."""

    format: str
    said: Mapping[str, str]

    @classmethod
    def read(
        cls, format_name: str, asks: tuple[str, ...], needs: tuple[str, ...], given: Mapping[str, str]
    ) -> "Context":
        """Return a context. Raises StatementError, naming the place, for what is missing, not asked for, or cannot be."""
        if missing := next((name for name in needs if not given.get(name)), None):
            raise StatementError(
                f"expected {missing}: {KNOWN[missing].doc} Such as {missing}={KNOWN[missing].example}", f"/{missing}"
            )
        taken: dict[str, str] = {}
        for name, value in given.items():
            if name not in (*asks, *ALWAYS):
                raise StatementError(no_such("parameter", name, (*asks, *ALWAYS)), f"/{name[:80]}")
            if len(value) > MAX_SAID:
                raise StatementError(
                    f"expected {name} of at most {MAX_SAID} characters, found {len(value)}", f"/{name}"
                )
            taken[name] = _held(name, value)
        return cls(format_name, taken)

    @property
    def source(self) -> str:
        """Who says what the file says."""
        return self.said.get("source", f"/intake/{self.format}")

    def identity(self, body: bytes) -> str:
        """Return what names the outside fact: of a context and a body, in hex."""
        return hashlib.sha256(encode({**self.said, "format": self.format}) + body).hexdigest()

    def beside(self, body: bytes) -> dict[str, str]:
        """Return what a translator is given beside what was left of a body: the context, the digest of the body as it came, and what
        names the fact.
        """
        digests = {"sha256": hashlib.sha256(body).hexdigest(), "identity": self.identity(body)}
        return {**self.said, "source": self.source, **digests}


def seconds_of(window: str) -> int:
    """Return how long a time such as 5m or 30d is."""
    return int(window[:-1]) * _SECONDS[window[-1]]


def shard_of(beside: Mapping[str, str]) -> tuple[int, int]:
    """Return which shard a file has, and of how many; the only one where nothing is said."""
    number, _, of = beside.get("shard", "1/1").partition("/")
    return int(number), int(of)


def attempt_of(beside: Mapping[str, str]) -> int:
    """Return which try of a run a file is of; the first where nothing is said."""
    return int(beside.get("attempt", "1"))


def executed_of(beside: Mapping[str, str]) -> bool | None:
    """Say whether a tool ran to its end, as was said beside its file; None where nothing was."""
    return {"true": True, "false": False}.get(beside.get("executed", ""))


def _held(name: str, value: str) -> str:
    """Return a value as our words hold it."""
    if name == "time":
        try:
            return normalised(value)
        except ValueError:
            words = f"expected a time of RFC 3339 with an offset, such as {KNOWN[name].example}; found {value!r}"
            raise StatementError(words[:300], "/time") from None
    if name == "shard":
        found = _is_shard(value)
        if found is None or not int(found[1]) <= int(found[2]) <= MAX_SHARDS:
            words = f"expected a shard as its number and how many there are, such as 1/4, at most {MAX_SHARDS}; found {value!r}"
            raise StatementError(words[:300], "/shard")
        return value
    if choices := KNOWN[name].choices:
        if value not in choices:
            raise StatementError(f"expected {name} to be {' or '.join(choices)}; found {value!r}"[:300], f"/{name}")
        return value
    if name == "zone" and value not in available_timezones():
        raise StatementError(
            f"expected a time zone of the IANA database, such as Europe/Berlin; found {value!r}"[:300], "/zone"
        )
    if name == "window":
        if _is_window(value) is None:
            words = f"expected a window as a number and s, m, h, d or w, such as {KNOWN[name].example}; found {value!r}"
            raise StatementError(words[:300], "/window")
        return value
    if name in ("attempt", "samples"):
        if not re.fullmatch("[1-9][0-9]{0,8}", value):
            raise StatementError(f"expected {name} to be a number from 1; found {value!r}"[:300], f"/{name}")
        return value
    text = next(mark for mark in KNOWN[name].field.__metadata__ if isinstance(mark, Text))
    is_name = isinstance(text, Identifier)
    held = identifier_of(value) if is_name else value.lower() if name == "commit" else value
    if len(held) > text.max_length or not re.fullmatch(text.pattern, held):
        raise StatementError(
            f"expected {name} to be {text.says} such as {text.example}; found {value!r}"[:300], f"/{name}"
        )
    # A name stands as it was said: whoever makes a fact of it makes it an identifier.
    return value if is_name else held

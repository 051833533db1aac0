"""Policies as files: TOML, read into what would be published. Not whether it means anything: that is `api.desk.policies`.

    policy = "change-approval"
    version = "2"
    effective_from = 2026-03-01T00:00:00Z

    [settings]
    quorum = 1
    production-names = ["prod", "live"]
    required-role = { high = "release-approver", any = "reviewer" }

`policy` and `effective_from` may be left out. A setting has one value, or an array of them, for all; or a table that says for whom.
"""

import reprlib
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from ledger.errors import SetupError
from ledger.published.durable import read_bounded

# By the name of each: a policy to begin with.
STARTING: Final = ("starter", "github", "solo")
# Of one person alone: published and approved by `init --solo`.
SOLO: Final = "solo"
_KEYS: Final = {"policy": "policy_id", "version": "version", "effective_from": "effective_from"}
_ALL: Final = "any"
# Longer than any policy that could be published.
MAX_BYTES: Final = 1 << 20
MAX_BITS: Final = 64
# In one line: a key of so many parts is in no policy, and one of many thousands takes gigabytes to read.
MAX_DOTS: Final = 256


def read_policy(path: Path) -> dict[str, Any]:
    """Return what a file says. Raises SetupError naming the place of what is no policy."""
    try:
        return policy_of(read_bounded(path, limit=MAX_BYTES).decode(), str(path))
    except UnicodeDecodeError as error:
        raise SetupError(f"{path}: expected TOML in UTF-8: {error}") from None


def starting_policy(name: str) -> str:
    """Return the text of a policy to begin with."""
    return (files("api.cli") / "starting" / f"{name}.toml").read_text("utf-8")


def policy_of(text: str, place: str) -> dict[str, Any]:
    """Return what a text says, as the body of `/v1/policies/check` has it."""
    for number, line in enumerate(text.splitlines(), 1):
        if line.count(".") > MAX_DOTS:
            raise SetupError(f"{place}: expected at most {MAX_DOTS} dots in a line, found more in line {number}")
    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        # Not of its grammar alone: of numbers with thousands of digits, and of what is nested as deep.
        raise SetupError(f"{place}: expected TOML: {error}") from None
    if unknown := sorted(document.keys() - {*_KEYS, "settings"}):
        raise SetupError(f"{place}: expected {', '.join(_KEYS)} and [settings], found {unknown[0]}")
    for name in ("version", "settings"):
        if name not in document:
            raise SetupError(f"{place}: expected {name}, found none")
    told = document["settings"]
    if not isinstance(told, dict):
        raise SetupError(f"{place}: expected [settings] to be a table")
    wanted = {_KEYS[name]: _text(document[name], f"{place}: {name}") for name in _KEYS if name in document}
    settings = [
        {"name": name, "applies_to": whom, "value": value}
        for name, said in told.items()
        for whom, value in _values(said, f"{place}: {name}")
    ]
    return wanted | {"settings": settings}


def time_of(when: datetime) -> str:
    """Return a time as statements have it: UTC."""
    return when.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _values(said: Any, place: str) -> Iterator[tuple[str, str]]:
    for whom, values in said.items() if isinstance(said, dict) else ((_ALL, said),):
        for value in values if isinstance(values, list) else (values,):
            yield whom, _text(value, place if whom == _ALL else f"{place} ({whom})")


def _text(value: Any, place: str) -> str:
    """Return a value as statements have it. A policy knows no fractions, and no yes or no."""
    if isinstance(value, datetime) and value.tzinfo is not None:
        try:
            return time_of(value)
        except OverflowError:
            raise SetupError(
                f"{place}: expected a time in the years 1 to 9999 of UTC, found {value.isoformat()}"
            ) from None
    if not isinstance(value, str | int) or isinstance(value, bool):
        raise SetupError(f"{place}: expected a text or a whole number, found {reprlib.repr(value)}"[:300])
    if isinstance(value, int) and value.bit_length() > MAX_BITS:
        raise SetupError(f"{place}: expected a whole number of at most {MAX_BITS} bits, found {value.bit_length()}")
    return str(value)

"""What a translator answers: facts in our words, or that it does not understand. And how it looks into foreign JSON."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ledger.errors import StatementError


class ContradictionError(StatementError):
    """Headers and body say different things: a forgery or a fault of the sender, and evidence of nothing."""


@dataclass(frozen=True)
class Fact:
    """One statement to be: the door adds the id (digest of the body, number of the fact), evidence and envelope."""

    source: str
    type: str
    time: str
    data: dict[str, Any]


@dataclass(frozen=True)
class Mapped:
    """The facts that a body stands for."""

    facts: tuple[Fact, ...]


@dataclass(frozen=True)
class Unmapped:
    """An authentic body that says nothing we know: what it calls itself, and why it was not mapped."""

    kind: str
    reason: str
    source: str = ""


@dataclass(frozen=True)
class Nothing:
    """A body that is no fact at all, such as a ping."""

    answer: dict[str, Any]


Translation = Mapped | Unmapped | Nothing
Headers = Mapping[str, str]


def pick(document: Any, path: str) -> Any:
    """Return what stands at a dotted path, or None where any part is missing."""
    for name in path.split("."):
        document = document.get(name) if isinstance(document, dict) else None
    return document


def need(document: Any, path: str, kind: type | tuple[type, ...] = str) -> Any:
    """Return what stands at a dotted path. Raises StatementError when it is missing or of another kind."""
    value = pick(document, path)
    if not isinstance(value, kind) or isinstance(value, bool):
        expected = getattr(kind, "__name__", "value")
        raise StatementError(f"expected {path} to be a {expected}, found {shown(value)}", "/" + path.replace(".", "/"))
    return value


def shown(value: Any) -> str:
    """Return a foreign value for a message: short, and nothing nested, which may be deeper than Python can print."""
    return repr(value)[:120] if isinstance(value, str | int | float | None) else f"a {type(value).__name__}"


def without_nulls(data: dict[str, Any]) -> dict[str, Any]:
    """Return `data` without what the sender left empty."""
    return {name: value for name, value in data.items() if value is not None}

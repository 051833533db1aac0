"""Which entries are asked for: by type, by ref, by when they were recorded."""

import re
from typing import Annotated, Any, Final

from fastapi import Query

from api.desk.entries import REF, check_refs, check_types
from ledger.conditions import Match
from ledger.errors import StatementError
from ledger.events import CATALOGUE
from ledger.ledger import Ledger
from projections.engine.filters import read_time

MAX_LISTED: Final = 32


def _listed(one: str) -> dict[str, str]:
    return {"pattern": f"^({one})(,({one})){{0,{MAX_LISTED - 1}}}$"}


Type = Annotated[
    str | None, Query(max_length=64, json_schema_extra={"enum": list(CATALOGUE)}, description="Of this type.")
]
Types = Annotated[
    str | None,
    Query(
        max_length=2048,
        json_schema_extra=_listed("|".join(map(re.escape, CATALOGUE))),
        examples=["approval.granted,approval.rejected"],
        description="Of one of these types, with commas between.",
    ),
]
Ref = Annotated[
    str | None,
    Query(
        max_length=160,
        json_schema_extra={"pattern": f"^{REF}$"},
        examples=["change:CHG-7"],
        description="About this ref.",
    ),
]
Refs = Annotated[
    str | None,
    Query(
        max_length=5200,
        json_schema_extra=_listed(REF.replace("[!-~]", "[!-+.-~-]")),
        examples=["change:CHG-7,change:CHG-8"],
        description="About one of these refs, with commas between.",
    ),
]
_MOMENT: Final[dict[str, Any]] = {"json_schema_extra": {"format": "date-time"}, "examples": ["2026-11-23T12:00:00Z"]}
Since = Annotated[
    str | None, Query(max_length=40, description="Recorded at this time or after it: a time with offset.", **_MOMENT)
]
Until = Annotated[
    str | None, Query(max_length=40, description="Recorded before this time: a time with offset.", **_MOMENT)
]


class Narrow:
    """Entries of a type or one of several, about a ref or one of several."""

    def __init__(self, type: Type = None, type__in: Types = None, ref: Ref = None, ref__in: Refs = None) -> None:
        self._type_asked, self._types = _one_or_several("type", type, type__in)
        self._ref_asked, self._refs = _one_or_several("ref", ref, ref__in)
        check_refs(self._refs, self._ref_asked)

    def matches(self, ledger: Ledger) -> list[Match]:
        """Return what entries match one of; all do, when it is empty. Raises StatementError for a type that there is not."""
        check_types(ledger.database, self._types, self._type_asked)
        if self._refs:
            return [Match(self._types, (ref,)) for ref in self._refs]
        return [Match(self._types)] if self._types else []


def _one_or_several(name: str, one: str | None, several: str | None) -> tuple[str, tuple[str, ...]]:
    """Return the place of what was asked, and the values."""
    if one is not None and several is not None:
        raise StatementError(f"expected {name} or {name}__in, found both", f"/{name}__in")
    if several is None:
        return f"/{name}", () if one is None else (one,)
    values = tuple(dict.fromkeys(several.split(",")))
    if len(values) > MAX_LISTED:
        raise StatementError(f"expected at most {MAX_LISTED} values, found {len(values)}", f"/{name}__in")
    return f"/{name}__in", values


def times(since: str | None, until: str | None) -> tuple[str | None, str | None]:
    """Return both times as entries hold them. Raises StatementError for what is no time, and where none is between."""
    first, end = (None if text is None else _time(text, name) for text, name in ((since, "since"), (until, "until")))
    if first is not None and end is not None and first >= end:
        raise StatementError("expected since before until: no time is between", "/until")
    return first, end


def _time(text: str, name: str) -> str:
    try:
        return read_time(text)
    except ValueError as error:
        raise StatementError(f"expected {name} to be a time with offset: {error}", f"/{name}") from None

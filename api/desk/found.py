"""Findings as people ask for them: the worst first, by whose they are, and as they stood at an earlier position.

Whose a finding is, and whether it was open then, no column says: rows are looked at one after the other, in the order that was asked for,
and those that fit are kept. A page looks at so many at most, and says where the next one goes on.
"""

import heapq
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, Final, NamedTuple

import orjson

from api.desk.owners import Owner, owners_of
from api.desk.views import as_read, come_to, list_of
from ledger.errors import StatementError
from ledger.ledger import Ledger
from projections.engine.filters import filters_of
from projections.engine.finding import WORST_FIRST, rank_of
from projections.engine.serving import Page, cursor_of
from projections.judging.ages import SEVERITIES
from projections.judging.findings import findings

# Rows that one page looks at, at most, and so many at a time.
LOOKED_AT: Final = 500
STEP: Final = 50
# What of a finding never becomes another.
_STAYS: Final = frozenset({"finding_id", "rule", "subject", "severity", "first_seen_at", "first_seen_position"})
# What is asked of a row as it stood then.
_THEN: Final = ("is_open", "disposition")
_SEPARATOR: Final = "."


class _Seen(NamedTuple):
    """A row as it is now, of which list it is, and the cursor behind it."""

    row: dict[str, Any]
    stream: int
    cursor: str


def found_in(
    ledger: Ledger,
    where: Mapping[str, str],
    *,
    sort: str | None = None,
    limit: int = 100,
    cursor: str | None = None,
    total: bool = False,
    as_of: int | str | None = None,
    owner: str = "",
) -> Page:
    """Return a page of findings, the worst first unless another order is asked for; those of an owner, and as they stood `as_of`.

    Raises as `list_of` does, and StatementError for what of a finding may have been another then.
    """
    sort = sort or WORST_FIRST
    if not owner and as_of is None:
        return list_of(ledger, findings, _by_rank(where, sort), sort=sort, limit=limit, cursor=cursor, total=total)
    if total:
        raise StatementError(
            "what is narrowed by an owner, or asked as it stood, is not counted: leave it out", "/total"
        )
    position = None if as_of is None else come_to(ledger, findings, as_of)
    then = {name: where[name] for name in _THEN if name in where} if position is not None else {}
    streams = _streams(where, sort, position)
    ends = _read_cursor(cursor, len(streams))
    at = list_of(ledger, findings, {}, limit=1).position if position is None else position
    seen = _merged([_seen(ledger, one, sort, number, ends[number]) for number, one in enumerate(streams)])
    kept: list[dict[str, Any]] = []
    looked, there_are_more = 0, True
    while len(kept) < limit and looked < LOOKED_AT and there_are_more:
        some = list(islice(seen, STEP))
        there_are_more = len(some) == STEP
        stood = [one.row if position is None else _stood(one.row, position) for one in some]
        owners = owners_of(ledger, filter(None, stood)) if owner else {}
        for one, row in zip(some, stood, strict=True):
            if len(kept) == limit:
                there_are_more = True
                break
            looked += 1
            ends[one.stream] = one.cursor
            is_so = row is not None and all(_said(row[name]) == asked for name, asked in then.items())
            if row is not None and is_so and (not owner or _is_of(owners.get(row["finding_id"]), owner)):
                kept.append(row)
    page = Page(findings.version, at, kept, _SEPARATOR.join(ends) if there_are_more else None)
    return as_read(ledger, findings, page, as_of)


def _streams(where: Mapping[str, str], sort: str, position: int | None) -> list[dict[str, str]]:
    """Return the lists to look through. As things stood, what is open by now and what ended since come in one order."""
    if position is None:
        return [_by_rank(where, sort)]
    asked = {name: name for name in where} | {"sort": sort.removeprefix("-")}
    for name, said in asked.items():
        column = filters_of(findings)[said][0] if said in filters_of(findings) else said
        if column not in _STAYS and said not in (*_THEN, WORST_FIRST):
            raise StatementError(
                f"the column {column[:80]} of a finding may have been another then: beside as_of, narrow and sort by "
                f"{', '.join(sorted(_STAYS))}, or narrow by {' and '.join(_THEN)}",
                f"/{name[:80]}",
            )
    stays = {name: value for name, value in where.items() if name not in _THEN}
    # Of what was found later there was nothing.
    stays["first_seen_position__lte"] = str(position)
    return (
        [_by_rank(stays | {"is_open": is_open}, sort) for is_open in ("true", "false")]
        if sort == WORST_FIRST
        else [stays]
    )


def _by_rank(where: Mapping[str, str], sort: str) -> dict[str, str]:
    """Return filters that say of ranks whether it is open, and how grave: then the order is that of an index."""
    asked = dict(where)
    if sort != WORST_FIRST or asked.get("is_open") not in ("true", "false"):
        return asked
    rank = rank_of(asked.pop("is_open") == "true", "high")[:1]
    if asked.get("severity") in SEVERITIES:
        rank = rank_of(rank == "0", asked.pop("severity"))  # type: ignore[arg-type]
    return asked | {f"{WORST_FIRST}__gte": rank, f"{WORST_FIRST}__lt": f"{rank}~"}


def _seen(ledger: Ledger, where: Mapping[str, str], sort: str, stream: int, cursor: str) -> Iterator[_Seen]:
    column, more = sort.removeprefix("-"), cursor or None
    while True:
        page = list_of(ledger, findings, where, sort=sort, limit=STEP, cursor=more)
        for row in page.rows:
            yield _Seen(row, stream, cursor_of(findings, where, sort, row[column], row["finding_id"]))
        more = page.next
        if more is None:
            return


def _merged(streams: list[Iterator[_Seen]]) -> Iterator[_Seen]:
    """Return lists that are by rank in one order of what never changes: how grave, and found when."""
    if len(streams) == 1:
        return streams[0]
    return heapq.merge(*streams, key=lambda one: (one.row[WORST_FIRST][1:], one.row["finding_id"]))


def _read_cursor(cursor: str | None, streams: int) -> list[str]:
    ends = cursor.split(_SEPARATOR) if cursor else [""] * streams
    if len(ends) != streams:
        raise StatementError("expected after to be what an earlier page of this list called next", "/after")
    return ends


def _stood(row: dict[str, Any], position: int) -> dict[str, Any] | None:
    """Return a finding as it stood at a position, or None where there was none yet."""
    stood = findings.as_of(findings.row_of({name: row[name] for name in findings.columns}), position)
    told: dict[str, Any] | None = orjson.loads(findings.dump(stood)) if stood is not None else None
    return told


def _said(value: Any) -> str | None:
    """Return a value as a filter says it."""
    return str(value).lower() if isinstance(value, bool) else value


def _is_of(found: Owner | None, owner: str) -> bool:
    return found is not None and found.name.lower() == owner.lower()

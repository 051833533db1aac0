"""Entries: the latest first, or those that were asked for, in order; and one, with what was hashed of it."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Query
from fastapi.responses import RedirectResponse, Response

from api.console.beside import kind_of, rows_beside
from api.console.pages import KnownVisit, PageRoute, Visit, page
from api.console.words import with_query
from api.desk.entries import entry_of, page_of
from api.http.narrowing import Narrow, times
from api.http.shapes import MAX_POSITION, json_answer
from ledger.errors import NotFoundError
from ledger.events import CATALOGUE

router = APIRouter(route_class=PageRoute, include_in_schema=False)
LIMIT: Final = 50
# Of an entry as a line.
COLUMNS: Final = ("position", "recorded_at", "time", "type", "source", "id", "recorded_by", "refs", "says", "data")
Text = Annotated[str | None, Query(max_length=160)]


@router.get("/console/entries")
@router.get("/console/entries.json")
@router.get("/console/entries.csv")
def entries(
    visit: KnownVisit,
    type: Text = None,
    ref: Text = None,
    since: Text = None,
    until: Text = None,
    after: Annotated[int | None, Query(ge=0, le=MAX_POSITION)] = None,
) -> Response:
    """What was recorded. Unless something is asked for, the latest comes first."""
    if "" in visit.query.values():
        return RedirectResponse(with_query(visit.path, {k: v for k, v in visit.query.items() if v}), 303)
    asked = {"type": type, "ref": ref, "since": since, "until": until}
    is_latest_first = not any(asked.values())
    found = _latest(visit, after) if is_latest_first else _narrowed(visit, after or 0, **asked)
    kind = kind_of(visit)
    if kind == ".json":
        return json_answer(200, {"size": found["size"], "items": found["items"]})
    if kind:
        return rows_beside(kind, found["size"], map(_line, found["items"]), COLUMNS)
    return page(
        visit,
        "entries.html",
        title="Entries",
        position=found["size"],
        is_live=True,
        asked=asked,
        types=list(CATALOGUE),
        is_latest_first=is_latest_first,
        **found,
    )


def _line(item: dict[str, Any]) -> dict[str, Any]:
    entry = item["entry"]
    statement = entry["statement"]
    return {name: statement[name] for name in ("time", "type", "source", "id", "data")} | {
        "position": item["position"],
        "recorded_at": entry["recorded_at"],
        "recorded_by": entry["recorded_by"]["principal"],
        "refs": entry["refs"],
        "says": item["says"],
    }


def _latest(visit: Visit, after: int | None) -> dict[str, Any]:
    """Return the last entries, or those after a position, with the latest first."""
    start = max(0, visit.ledger.size() - LIMIT) if after is None else after
    found = page_of(visit.ledger, [], after=start, limit=LIMIT, since=None, until=None, total=False)
    items = found["items"][::-1]
    earlier = max(0, start - LIMIT) if start > 0 else None
    later = start + LIMIT if items and items[0]["position"] < found["size"] else None
    return {"items": items, "earlier": earlier, "later": later, "size": found["size"]}


def _narrowed(
    visit: Visit, after: int, *, type: str | None, ref: str | None, since: str | None, until: str | None
) -> dict[str, Any]:
    first, end = times(since, until)
    matches = Narrow(type=type, ref=ref).matches(visit.ledger)
    found = page_of(visit.ledger, matches, after=after, limit=LIMIT, since=first, until=end, total=False)
    return {"items": found["items"], "earlier": None, "later": found.get("next"), "size": found["size"]}


@router.get("/console/entries/{position}")
def entry(visit: KnownVisit, position: Annotated[str, Path(max_length=24)]) -> Response:
    """One entry: in words, in fields, and as it was hashed and signed."""
    number = position.removesuffix(".json")
    if not (number.isascii() and number.isdigit() and 0 < int(number) <= MAX_POSITION):
        raise NotFoundError(f"expected a position, such as 42; found {position[:24]!r}")
    found = entry_of(visit.ledger, int(number))
    if position.endswith(".json"):
        return json_answer(200, found)
    size = visit.ledger.size()
    return page(
        visit,
        "entry.html",
        title=f"Entry {int(number)}",
        position=size,
        found=found,
        statement=found["entry"]["statement"],
        size=size,
    )

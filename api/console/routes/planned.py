"""The calendar: what is planned, frozen, met for and watched, by day, week or month; in UTC, as all times here."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, fields
from datetime import date, timedelta
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Query
from fastapi.responses import RedirectResponse, Response
from markupsafe import Markup

from api.console.beside import kind_of, rows_beside
from api.console.charts import Lane, lanes
from api.console.pages import KnownVisit, PageRoute, page
from api.console.words import about, day_of, when, with_query
from api.desk.calendar import Happening, Kind, calendar_in
from ledger.clock import from_text, to_text
from ledger.errors import StatementError

router = APIRouter(route_class=PageRoute, include_in_schema=False)
Scale = Literal["day", "week", "month"]
_DAY: Final = timedelta(days=1)
_DAY_US: Final = 86_400_000_000
# Of what can be asked for: a month before and after each is in the calendar, too.
_FIRST, _LAST = date(1900, 1, 1), date(2999, 12, 31)
KINDS: Final[Mapping[Kind, str]] = {
    "change": "change",
    "freeze": "freeze",
    "override": "override of",
    "meeting": "meeting",
    "compliance_window": "compliance window",
}
COLUMNS: Final = tuple(field.name for field in fields(Happening))
_Day = tuple[date, list[Happening]]
# Of a day of a month: what is more is one click away.
A_DAY: Final = 4
# So many bars are drawn; the list beneath has all.
DRAWN: Final = 40


@router.get("/console/calendar")
@router.get("/console/calendar.json")
@router.get("/console/calendar.csv")
def calendar(visit: KnownVisit, scale: Scale = "month", at: Annotated[str, Query(max_length=10)] = "") -> Response:
    """A day, a week from Monday, or a month, around a date; without one, around today."""
    if "" in visit.query.values():
        return RedirectResponse(with_query(visit.path, {k: v for k, v in visit.query.items() if v}), 303)
    today = to_text(visit.ledger.clock.now_us())[:10]
    day = _date(at or today)
    first, following = _range(scale, day)
    found, long = calendar_in(visit.ledger, _begin(first), _begin(following)), (following - first).days
    if kind := kind_of(visit):
        told = {"from": _begin(first), "to": _begin(following), "is_all": found.is_all}
        return rows_beside(kind, found.position, map(_told, found.happenings), COLUMNS, **told)
    # Whose times nobody can compute is told, and stands on no day.
    known = [one for one in found.happenings if not one.unknown]
    days = [(one, list(_on(known, one))) for one in (first + place * _DAY for place in range(long))]
    return page(
        visit,
        "calendar.html",
        title="Calendar",
        position=found.position,
        is_live=True,
        scale=scale,
        day=day,
        first=first,
        last=following - _DAY,
        before=_range(scale, first - _DAY)[0],
        after=following,
        today=today,
        kinds=KINDS,
        page_of=page_of,
        chart=_chart(known, first, following) if known else None,
        drawn=min(len(known), DRAWN),
        days=days,
        weeks=_weeks(days),
        happenings=known,
        unknown=[one for one in found.happenings if one.unknown],
        shown_a_day=A_DAY,
        is_all=found.is_all,
    )


def _told(one: Happening) -> dict[str, Any]:
    return asdict(one) | {"clashes": [clash._asdict() for clash in one.clashes]}


def _weeks(days: list[_Day]) -> list[list[_Day | tuple[None, None]]]:
    """Return days as weeks from Monday, with nothing before the first and after the last."""
    padded: list[_Day | tuple[None, None]] = [
        *[(None, None)] * days[0][0].weekday(),
        *days,
        *[(None, None)] * (6 - days[-1][0].weekday()),
    ]
    return [padded[place : place + 7] for place in range(0, len(padded), 7)]


def _date(text: str) -> date:
    try:
        found = date.fromisoformat(text)
    except ValueError:
        raise StatementError("expected at to be a date, such as 2026-11-23", "/at") from None
    if not _FIRST <= found <= _LAST:
        raise StatementError(f"expected at from {_FIRST} to {_LAST}", "/at")
    return found


def _range(scale: Scale, day: date) -> tuple[date, date]:
    """Return the first day of what is shown around a day, and the day after the last."""
    if scale == "day":
        return day, day + _DAY
    if scale == "week":
        monday = day - day.weekday() * _DAY
        return monday, monday + 7 * _DAY
    first = day.replace(day=1)
    return first, (first + 31 * _DAY).replace(day=1)


def _begin(day: date) -> str:
    return f"{day.isoformat()}T00:00:00.000000Z"


def _on(happenings: Sequence[Happening], day: date) -> Iterator[Happening]:
    """Yield what touches a day: what ends as it begins does not."""
    begin, end = _begin(day), _begin(day + _DAY)
    for one in happenings:
        if one.begin < end and (begin < one.end or begin <= one.begin):
            yield one


def _chart(happenings: Sequence[Happening], first: date, following: date) -> Markup:
    days = (following - first).days
    begin, long = from_text(_begin(first)), days * _DAY_US
    bars = [
        Lane(
            f"{KINDS[one.kind]} {one.name}",
            one.kind,
            max(0.0, (from_text(one.begin) - begin) / long),
            min(1.0, (from_text(one.end) - begin) / long),
            f"{KINDS[one.kind]} {one.name}, {when(one.begin)} to {when(one.end)}",
            page_of(one),
        )
        for one in happenings[:DRAWN]
    ]
    if days == 1:
        ticks = [(hour / 24, f"{hour:02}:00") for hour in range(0, 24, 4)]
    else:
        step = 1 if days == 7 else 7
        ticks = [(place / days, day_of(first + place * _DAY)) for place in range(0, days, step)]
    return lanes(bars, title="What happens when", ticks=ticks)


def page_of(one: Happening) -> str:
    """Return the page about what happens: of an override, the change that it lets through."""
    return about("change" if one.kind == "override" else one.kind, one.name)

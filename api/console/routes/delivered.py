"""Delivery: the five metrics of a service by month, as charts whose every bar leads to its deployments, and as a table.

A figure that was restated has a mark above its bar, which leads to the entry that moved it.
"""

from calendar import monthrange
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query
from fastapi.responses import RedirectResponse, Response
from markupsafe import Markup

from api.console.beside import kind_of, rows_beside
from api.console.charts import Dot, Mark, Note, Strip, bars, strips
from api.console.days import moment_of
from api.console.pages import KnownVisit, PageRoute, page
from api.console.words import address, percent, span, when, with_query
from api.desk.then import Then
from api.desk.views import list_of
from ledger.clock import from_text
from projections.readings.delivery.metrics import delivery

router = APIRouter(route_class=PageRoute, include_in_schema=False)
MONTHS: Final = 24
# Of all services: the last months of each are among so many rows.
ROWS: Final = 300
_DAY_US: Final = 86_400_000_000


@router.get("/console/delivery")
@router.get("/console/delivery.json")
@router.get("/console/delivery.csv")
def delivered(
    visit: KnownVisit,
    service: Annotated[str, Query(max_length=200)] = "",
    as_of: Annotated[str, Query(max_length=40)] = "",
) -> Response:
    """One service by month; without one, the last month of each. As they stand, or as they stood."""
    if "" in visit.query.values():
        return RedirectResponse(with_query(visit.path, {k: v for k, v in visit.query.items() if v}), 303)
    then = moment_of(visit.ledger, as_of)
    where = ({"service": service} if service else {}) | ({} if then.is_now else {"month__lte": then.time[:7]})
    found = list_of(visit.ledger, delivery, where, sort="-month", limit=MONTHS if service else ROWS)
    rows = then.stood(delivery, found.rows) if service else _last_of_each(found.rows, then)
    position = found.position if then.is_now else then.position
    if kind := kind_of(visit):
        return rows_beside(kind, position, rows, delivery.read_columns)
    months = rows[::-1] if service else []
    return page(
        visit,
        "delivery.html",
        title=f"Delivery of {service}" if service else "Delivery",
        position=position,
        as_of=as_of,
        service=service,
        rows=rows,
        charts=_charts(months, as_of) if months else [],
        strip=_strip(rows, as_of) if service and rows else None,
        restated=[(row, one, list(_moved(one))) for row in rows for one in row["restatements"]],
        is_all=found.next is None,
    )


def _last_of_each(rows: list[dict[str, Any]], then: Then) -> list[dict[str, Any]]:
    """Return the first row of each service that there was, by the name of the service."""
    months: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        months.setdefault(row["service"] or "", []).append(row)
    # Of the months of a service the one before the last is asked where that was not yet, and no more are.
    last = (
        next(iter(then.stood(delivery, months[name][:1]) or then.stood(delivery, months[name][1:2])), None)
        for name in sorted(months)
    )
    return [row for row in last if row is not None]


@dataclass(frozen=True)
class _Chart:
    """One chart: its name, what it shows, the column, how a value is said, and what else it shows: a part that failed, or a percentile."""

    name: str
    shows: str
    column: str
    says: Callable[[Any], str]
    part: str = ""
    upper: str = ""


def _time(value: Any) -> str:
    return span(int(value))


_CHARTS: Final = (
    _Chart("Deployments", "to production, and how many of them failed", "deployments", str, part="failed"),
    _Chart("Change failure rate", "what was rolled back or caused an incident", "change_failure_rate", percent),
    _Chart(
        "Lead time", "from merge to production: median, and ninetieth percentile above", "lead_time_s", _time,
        upper="lead_time_p90_s",
    ),
    _Chart(
        "Recovery time", "from the failed deployment to its end: median, and ninetieth percentile above",
        "recovery_time_s", _time, upper="recovery_time_p90_s",
    ),
    _Chart("Rework rate", "what nobody had planned", "rework_rate", percent),
)  # fmt: skip


def _charts(months: list[dict[str, Any]], as_of: str) -> list[tuple[str, str, Markup]]:
    """Return the charts of a service, each with its name and what it shows."""
    return [(chart.name, chart.shows, _drawn(chart, months, as_of)) for chart in _CHARTS]


def _drawn(chart: _Chart, months: list[dict[str, Any]], as_of: str) -> Markup:
    columns = [name for name in (chart.column, chart.upper) if name]
    unit, size = _unit(chart, max((_number(row[name]) or 0 for row in months for name in columns), default=0))
    marks = []
    for row in months:
        value, upper = _number(row[chart.column]), _number(row[chart.upper]) if chart.upper else None
        says = f"{row['month']}: {_said(chart, row[chart.column])}"
        says += f", ninetieth percentile {chart.says(row[chart.upper])}" if upper is not None else ""
        failed = _number(row[chart.part]) or 0 if chart.part else 0
        says += f", {failed:.0f} of them failed" if chart.part else ""
        marks.append(
            Mark(
                row["month"],
                None if value is None else value / size,
                says,
                address("views", "delivery", row["key"], as_of=as_of),
                failed / size,
                None if upper is None else upper / size,
                tuple(_notes(chart, row)),
            )
        )
    return bars(marks, title=chart.name, written=lambda number: f"{number:g}{unit}")


def _said(chart: _Chart, value: Any) -> str:
    return "not known" if value is None else chart.says(value)


def _notes(chart: _Chart, row: dict[str, Any]) -> Iterator[Note]:
    """Yield what moved a figure after its month."""
    for one in row["restatements"]:
        for moved, before, after in _moved(one):
            if moved is chart:
                says = (
                    f"{row['month']} was restated, {before} before and {after} after: {one['why']}, {when(one['at'])}"
                )
                yield Note(says, address("entries", str(one["position"])))


def _moved(one: dict[str, Any]) -> Iterator[tuple[_Chart, str, str]]:
    """Yield the figures that a restatement moved, each as it was before and after."""
    before, after = (dict(said.split("=", 1) for said in one[name]) for name in ("before", "after"))
    for chart in _CHARTS:
        old, new = before.get(chart.column), after.get(chart.column)
        if old != new:
            yield chart, _restated(chart, old), _restated(chart, new)


def _restated(chart: _Chart, value: str | None) -> str:
    return _said(chart, None if value in (None, "None") else value)


def _strip(rows: list[dict[str, Any]], as_of: str) -> Markup:
    """Return every deployment of the months at its day, month beneath month, the last at the top."""
    ticks = [((day - 1) / 31, f"{day}.") for day in (1, 8, 15, 22, 29)]
    return strips([_month(row, as_of) for row in rows], title="Deployments by day", ticks=ticks)


def _month(row: dict[str, Any], as_of: str) -> Strip:
    year, month = (int(part) for part in row["month"].split("-"))
    first = from_text(f"{row['month']}-01T00:00:00.000000Z")
    last = first + monthrange(year, month)[1] * _DAY_US
    dots = []
    for item in (one for one in row["items"] if one["seen_at"]):
        kind = "failed" if item["is_failed"] else "unplanned" if item["is_unplanned"] else ""
        # What was first seen in another month than it is counted in stands at the edge.
        seen = min(max(from_text(item["seen_at"]), first), last)
        says = f"{item['deployment_id']}, {when(item['seen_at'])}{', ' + kind if kind else ''}"
        there = address("views", "deployments", item["deployment_id"])
        dots.append(Dot((seen - first) / (31 * _DAY_US), kind, says, there))
    return Strip(row["month"], address("views", "delivery", row["key"], as_of=as_of), tuple(dots))


def _unit(chart: _Chart, greatest: float) -> tuple[str, float]:
    """Return in which unit the scale of a chart is, and how much that is: one unit for a scale, whatever the values."""
    if chart.says is percent:
        return " %", 0.01
    if chart.says is _time:
        return next(
            (u, s)
            for u, s in ((" d", 86_400.0), (" h", 3_600.0), (" min", 60.0), (" s", 1.0))
            if greatest >= 2 * s or s == 1
        )
    return "", 1.0


def _number(value: Any) -> float | None:
    return None if value is None else float(value)

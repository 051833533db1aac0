"""Delivery: the five metrics of a service by month, as charts whose every bar leads to its deployments, and as a table."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query
from fastapi.responses import RedirectResponse, Response
from markupsafe import Markup

from api.console.charts import Mark, bars
from api.console.pages import KnownVisit, PageRoute, page
from api.console.words import address, percent, span
from api.desk.views import list_of
from projections.readings.delivery.metrics import delivery

router = APIRouter(route_class=PageRoute, include_in_schema=False)
MONTHS: Final = 24
# Of all services: the last months of each are among so many rows.
ROWS: Final = 300


@router.get("/console/delivery")
def delivered(visit: KnownVisit, service: Annotated[str, Query(max_length=200)] = "") -> Response:
    """One service by month; without one, the last month of each."""
    if "service" in visit.query and not service:
        return RedirectResponse(visit.path, 303)
    where = {"service": service} if service else {}
    found = list_of(visit.ledger, delivery, where, sort="-month", limit=MONTHS if service else ROWS)
    rows = found.rows if service else _last_of_each(found.rows)
    months = rows[::-1] if service else []
    return page(
        visit,
        "delivery.html",
        title=f"Delivery of {service}" if service else "Delivery",
        position=found.position,
        service=service,
        rows=rows,
        charts=_charts(months) if months else [],
        restated=[(row, one) for row in rows for one in row["restatements"]],
        is_all=found.next is None,
    )


def _last_of_each(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the first row of each service, by the name of the service."""
    last: dict[str, dict[str, Any]] = {}
    for row in rows:
        last.setdefault(row["service"] or "", row)
    return [last[name] for name in sorted(last)]


@dataclass(frozen=True)
class _Chart:
    """One chart: its name, what it shows, the column, how a value is said, and the column of the part that failed."""

    name: str
    shows: str
    column: str
    says: Callable[[Any], str]
    part: str = ""


def _time(value: Any) -> str:
    return span(int(value))


_CHARTS: Final = (
    _Chart("Deployments", "to production, and how many of them failed", "deployments", str, "failed"),
    _Chart("Change failure rate", "what was rolled back or caused an incident", "change_failure_rate", percent),
    _Chart("Lead time", "from merge to production, median", "lead_time_s", _time),
    _Chart("Recovery time", "from the failed deployment to its end, median", "recovery_time_s", _time),
    _Chart("Rework rate", "what nobody had planned", "rework_rate", percent),
)


def _charts(months: list[dict[str, Any]]) -> list[tuple[str, str, Markup]]:
    """Return the charts of a service, each with its name and what it shows."""
    return [(chart.name, chart.shows, _drawn(chart, months)) for chart in _CHARTS]


def _drawn(chart: _Chart, months: list[dict[str, Any]]) -> Markup:
    unit, size = _unit(chart, max((_number(row[chart.column]) or 0 for row in months), default=0))
    marks = []
    for row in months:
        value = _number(row[chart.column])
        says = f"{row['month']}: {'not known' if value is None else chart.says(row[chart.column])}"
        failed = _number(row[chart.part]) or 0 if chart.part else 0
        says += f", {failed:.0f} of them failed" if chart.part else ""
        there = address("views", "delivery", row["key"])
        marks.append(Mark(row["month"], None if value is None else value / size, says, there, failed / size))
    return bars(marks, title=chart.name, written=lambda number: f"{number:g}{unit}")


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

"""Today: what waits for whoever looks, what is overdue, open, frozen, and on its way."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from fastapi import APIRouter
from fastapi.responses import Response

from api.console.days import moment_of
from api.console.pages import KnownVisit, PageRoute, Visit, page
from api.console.sentences import names_of_findings
from api.desk.found import found_in
from api.desk.gates import would_count
from api.desk.then import Then
from api.desk.views import list_of
from ledger.clock import to_text
from projections.engine.serving import ViewNotReadyError
from projections.judging.ages import SEVERITIES, finding_ages
from projections.judging.gate_rule import Answer
from projections.readings.changes.board_matters import board_matters
from projections.readings.changes.reviews import reviews
from projections.readings.changes.tickets import change_tickets
from projections.readings.delivery.deployments import deployments
from projections.readings.delivery.freezes import freezes
from projections.readings.people.access_reviews import access_reviews

router = APIRouter(route_class=PageRoute, include_in_schema=False)
# Of each kind: what is more is one click away.
SOME: Final = 6
# In which findings were found first that are open: of eighty years, if there are so many.
MONTHS: Final = 1000


@router.get("/console/")
def today(visit: KnownVisit) -> Response:
    """What there is to do, and for whom."""
    now = to_text(visit.ledger.clock.now_us())
    worst = _worst(visit)
    return page(
        visit,
        "today.html",
        title="Today",
        is_live=True,
        now=now,
        waiting=_waiting(visit),
        overdue=_rows(visit, reviews, {"state": "open", "overdue_at__lte": now}, "overdue_at"),
        access=_rows(visit, access_reviews, {"state": "open"}, "due_at"),
        papers=_rows(visit, board_matters, {"verdict__null": "true", "meeting_id__null": "false"}, "change_id"),
        counts=_counts(visit),
        worst=worst,
        names=names_of_findings(visit.ledger, worst or ()),
        frozen=_rows(visit, freezes, {"start_at__lte": now, "end_at__gt": now, "lifted_at__null": "true"}, "end_at"),
        coming=_rows(visit, freezes, {"start_at__gt": now, "lifted_at__null": "true"}, "start_at"),
        going=_rows(visit, deployments, {"going_since__null": "false"}, "-going_since"),
    )


def ages_of(visit: Visit, then: Then) -> list[dict[str, Any]]:
    """Return how many findings are open by the month in which each was found first, the last month first."""
    where = {"open__gt": "0"} if then.is_now else {"month__lte": then.time[:7]}
    rows = then.stood(finding_ages, list_of(visit.ledger, finding_ages, where, sort="-month", limit=MONTHS).rows)
    return [row for row in rows if row["open"]]


def by_severity(ages: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """Return how many findings of each severity are open."""
    some = list(ages)
    return {severity: sum(row[severity] for row in some) for severity in SEVERITIES}


def _rows(visit: Visit, view: Any, where: dict[str, str], sort: str) -> list[dict[str, Any]] | None:
    """Return some rows; None while their view does not answer: the others are shown."""
    try:
        return list_of(visit.ledger, view, where, sort=sort, limit=SOME).rows
    except ViewNotReadyError:
        return None


def _worst(visit: Visit) -> list[dict[str, Any]] | None:
    try:
        return found_in(visit.ledger, {"is_open": "true"}, limit=SOME).rows
    except ViewNotReadyError:
        return None


def _waiting(visit: Visit) -> list[tuple[dict[str, Any], Answer]] | None:
    """Return changes that wait for approval, each with whether that of whoever looks would count."""
    rows = _rows(visit, change_tickets, {"state": "authorizing"}, "approval_due_at")
    if not rows:
        return None if rows is None else []
    try:
        verdicts = would_count(visit.ledger, [row["change_id"] for row in rows], visit.caller.principal)
    except ViewNotReadyError:
        return None
    return [(row, verdicts[row["change_id"]]) for row in rows]


def _counts(visit: Visit) -> dict[str, int] | None:
    try:
        return by_severity(ages_of(visit, moment_of(visit.ledger, "")))
    except ViewNotReadyError:
        return None

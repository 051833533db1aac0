"""Changes, and one change: what became of it, who approved it and why that counts or not, and which entries tell so."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Query
from fastapi.responses import RedirectResponse, Response

from api.console.columns import columns_of
from api.console.listing import ListRoute, list_page
from api.console.pages import KnownVisit, PageRoute, Visit, page
from api.console.words import with_query
from api.desk.entries import entry_of
from api.desk.gates import recheck_in, would_count
from api.desk.views import list_of, read_when, row_of
from ledger.errors import LedgerError, NotFoundError
from projections.judging.findings import findings
from projections.readings.changes.reviews import reviews
from projections.readings.changes.scopes import change_scopes
from projections.readings.changes.tickets import change_tickets
from projections.readings.changes.timeline import change_timeline
from projections.readings.delivery.deployments import deployments
from projections.readings.delivery.gate_decisions import gate_decisions
from projections.readings.risk.assessments import risk_assessments

router = APIRouter(route_class=PageRoute, include_in_schema=False)
ChangeId = Annotated[str, Path(max_length=200)]
When = Annotated[str, Query(max_length=40)]
# Of a timeline, and of what hangs on one change: as much as a person reads.
LINES: Final = 200
SOME: Final = 20


def changes(visit: KnownVisit) -> Response:
    """All changes, as tickets."""
    return list_page(visit, change_tickets, path=("changes",), title="Changes")


router.add_api_route("/console/changes", changes, route_class_override=ListRoute, include_in_schema=False)


@router.get("/console/changes/{change_id:rest}")
def change(
    visit: KnownVisit, change_id: ChangeId, as_of: When = "", known_at: When = "", recheck: int | None = None
) -> Response:
    """One change, as it stands, as it stood, and as it was known then."""
    if "" in visit.query.values():
        return RedirectResponse(with_query(visit.path, {k: v for k, v in visit.query.items() if v}), 303)
    when, known = read_when(as_of or None, "as_of"), read_when(known_at or None, "known_at")
    answer = row_of(visit.ledger, change_tickets, change_id, when, known)
    ticket = answer["row"]
    scope = _row(visit, change_scopes, change_id, when, known)
    decisions = _some(visit, gate_decisions, {"change_id": change_id}, "-at")
    subjects = [change_id, *ticket["deployments"][:SOME]]
    done = _some(visit, reviews, {"change_id": change_id}, "opened_at")
    subjects += [row["pir_id"] for row in done]
    return page(
        visit,
        "change.html",
        title=f"Change {change_id}",
        position=answer["position"],
        change_id=change_id,
        ticket=ticket,
        columns={column.name: column for column in columns_of(change_tickets)},
        as_of=as_of,
        known_at=known_at,
        scope=scope,
        timeline=_timeline(visit, change_id, answer["position"]),
        decisions=[row | {"rules": _rules_of(visit, row["position"])} for row in decisions],
        checked=recheck_in(visit.ledger, recheck) if recheck is not None else None,
        deployments=[
            row for name in ticket["deployments"][:SOME] if (row := _row(visit, deployments, name, None, None))
        ],
        risk=_row(visit, risk_assessments, change_id, when, known),
        reviews=done,
        findings=_some(visit, findings, {"subject__in": _listed(subjects)}, "-is_open"),
        mine=would_count(visit.ledger, [change_id], visit.caller.principal)[change_id] if not as_of else None,
    )


def _listed(names: list[str]) -> str:
    """Return names as a filter takes them; what has a comma in it cannot be asked for among others."""
    return ",".join(name for name in dict.fromkeys(names) if "," not in name) or "-"


def _timeline(visit: Visit, change_id: str, position: int) -> list[dict[str, Any]]:
    """Return what was told of a change by a position. The list may be behind the ticket, which is folded where it is asked for."""
    try:
        return list_of(visit.ledger, change_timeline, {"change_id": change_id}, limit=LINES, as_of=position).rows
    except LedgerError:
        return list_of(visit.ledger, change_timeline, {"change_id": change_id}, limit=LINES).rows


def _some(visit: Visit, view: Any, where: dict[str, str], sort: str) -> list[dict[str, Any]]:
    return list_of(visit.ledger, view, where, sort=sort, limit=SOME).rows


def _row(visit: Visit, view: Any, key: str, when: int | str | None, known: int | str | None) -> dict[str, Any] | None:
    """Return a row beside the change's own, or None where there is none: then the page goes without it."""
    try:
        found: dict[str, Any] = row_of(visit.ledger, view, key, when, known)["row"]
    except NotFoundError:
        return None
    return found


def _rules_of(visit: Visit, position: int) -> list[dict[str, Any]]:
    """Return what each rule of a recorded decision answered, with the entries that it stood on."""
    data = entry_of(visit.ledger, position)["entry"]["statement"]["data"]
    positions = data.get("positions", [])
    return [
        rule
        | {
            "read": rule.get("positions")
            or [positions[place] for place in rule.get("used", ()) if place < len(positions)]
        }
        for rule in data["rules"]
    ]

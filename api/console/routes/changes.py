"""Changes, and one change: what became of it, who approved it and why that counts or not, and which entries tell so.

Its page is where a person approves: of the scope that is shown, and of no other.
"""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Query
from fastapi.responses import RedirectResponse, Response

from api.console.columns import columns_of
from api.console.days import moment_of
from api.console.deciding import decide
from api.console.forms import read_own_form
from api.console.listing import ListRoute, list_page
from api.console.pages import KnownVisit, PageRoute, Visit, page
from api.console.sentences import names_in, names_of_findings
from api.console.words import with_query
from api.desk.deciding import ApprovalForm, approval_of, as_shown, difference, differences, reporting_fault
from api.desk.entries import entry_of, refs_at
from api.desk.gates import recheck_in, would_count
from api.desk.policies import late_among
from api.desk.posted import model_of
from api.desk.then import Then
from api.desk.views import list_of, one_of, row_of, wait_for
from api.http.shapes import MAX_KEY, MAX_POSITION
from ledger.errors import ConditionFailedError, LedgerError
from ledger.events import kind_and_value
from ledger.events.approval import ApprovalGranted
from projections.engine.serving import ViewNotReadyError
from projections.judging.findings import findings
from projections.readings.changes.reviews import reviews
from projections.readings.changes.scopes import change_scopes
from projections.readings.changes.tickets import change_tickets
from projections.readings.changes.timeline import change_timeline
from projections.readings.delivery.deployments import deployments
from projections.readings.delivery.gate_decisions import gate_decisions
from projections.readings.risk.assessments import risk_assessments

router = APIRouter(route_class=PageRoute, include_in_schema=False)
ChangeId = Annotated[str, Path(max_length=MAX_KEY)]
When = Annotated[str, Query(max_length=40)]
# Where a change is while its approvals are asked for, or still count.
WAITING: Final = ("assessing", "authorizing", "scheduled")
# Of a timeline, and of what hangs on one change: as much as a person reads.
LINES: Final = 200
SOME: Final = 20


def changes(visit: KnownVisit) -> Response:
    """All changes, as tickets."""
    return list_page(visit, change_tickets, path=("changes",), title="Changes")


router.add_api_route("/console/changes", changes, route_class_override=ListRoute, include_in_schema=False)


@router.post("/console/changes/{change_id:rest}")
async def decide_on(visit: KnownVisit, change_id: ChangeId) -> Response:
    """Approve or reject the scope that was shown; where it is another by now, show what changed, and record nothing."""
    form = model_of(ApprovalForm, await read_own_form(visit.request, visit.session, tuple(ApprovalForm.model_fields)))
    ledger = visit.ledger
    ticket = (await asyncio.to_thread(row_of, ledger, change_tickets, change_id, None, None))["row"]
    event = approval_of(ledger, visit.caller, ticket, form)
    try:
        return await decide(visit, event, as_shown(change_id, form), visit.path)
    except ConditionFailedError as failed:
        return await asyncio.to_thread(_stale, visit, change_id, form, failed.position)


def _stale(visit: Visit, change_id: str, form: ApprovalForm, position: int) -> Response:
    """Say that the scope is another one than was shown, and what of it."""
    wait_for(visit.ledger, change_scopes, position)
    versions = row_of(visit.ledger, change_scopes, change_id, None, None)["row"]["versions"]
    shown = next((version for version in versions if version["digest"] == form.scope_digest), None)
    return page(
        visit,
        "stale.html",
        status=409,
        title=f"The scope of {change_id} changed",
        change_id=change_id,
        shown=shown,
        current=versions[-1],
        changed_at=position,
        differences=differences(versions[-1], shown) if shown is not None else [],
    )


@router.get("/console/changes/{change_id:rest}")
def change(
    visit: KnownVisit,
    change_id: ChangeId,
    as_of: When = "",
    known_at: When = "",
    recheck: Annotated[int | None, Query(ge=1, le=MAX_POSITION)] = None,
    recorded: Annotated[int, Query(ge=0, le=MAX_POSITION)] = 0,
) -> Response:
    """One change, as it stands, as it stood, and as it was known then."""
    if "" in visit.query.values():
        return RedirectResponse(with_query(visit.path, {k: v for k, v in visit.query.items() if v}), 303)
    wait_for(visit.ledger, change_tickets, recorded)
    then = moment_of(visit.ledger, as_of, known_at)
    answer = row_of(visit.ledger, change_tickets, change_id, then.when, then.known)
    ticket, then = answer["row"], replace(then, position=answer["position"])
    scope = then.row(change_scopes, change_id)
    timeline = _timeline(visit, change_id, then)
    refs = refs_at(visit.ledger, (line["position"] for line in timeline))
    done = then.rows(reviews, _named(refs, reviews.kind))
    subjects = [change_id, *ticket["deployments"][:SOME], *(row["pir_id"] for row in done)]
    found = _findings(visit, subjects, then)
    decisions = then.of_entries(_some(visit, gate_decisions, {"change_id": change_id}, "-at"))
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
        timeline=timeline,
        late=late_among(visit.ledger, (*timeline, *ticket["approvals"])),
        decisions=[{**row, "rules": _rules_of(visit, row["position"])} for row in decisions],
        checked=recheck_in(visit.ledger, recheck) if recheck is not None else None,
        deployments=then.rows(deployments, ticket["deployments"][:SOME]),
        risk=then.row(risk_assessments, change_id),
        reviews=sorted(done, key=lambda row: row["opened_at"] or ""),
        findings=found or [],
        is_judged=found is not None,
        rules=findings.rules,
        names=names_of_findings(visit.ledger, found or ()) | names_in(refs),
        recorded=recorded,
        act=None if as_of else _act(visit, ticket, scope, answer["position"]),
    )


def _act(visit: Visit, ticket: dict[str, Any], scope: dict[str, Any] | None, position: int) -> dict[str, Any]:
    """Return what whoever looks may decide, of which scope, and what of it is another than was approved last; or why not."""
    mine = would_count(visit.ledger, [ticket["change_id"]], visit.caller.principal)[ticket["change_id"]]
    given = [a for a in ticket["approvals"] if a["counts"] and a["approver"] == visit.caller.principal]
    why = reporting_fault(visit.ledger, visit.caller, ApprovalGranted.type)
    if not why and ticket["state"] not in WAITING and ticket["retro"] != "due":
        why = f"it does not wait for approval: it is {ticket['state']}"
    elif not why and (scope is None or not scope["versions"]):
        why = "its scope was not submitted yet"
    elif not why and given:
        why = f"you approved it already, at position {given[0]['position']}"
    elif not why and mine.verdict != "allow":
        why = mine.words
    if why or scope is None:
        return {"why_not": why}
    since, differing = difference(scope, ticket["approvals"])
    return {
        "why_not": "",
        "version": scope["versions"][-1],
        "since": since,
        "differences": differing,
        "position": position,
        "id": f"console/{visit.ledger.random(12).hex()}",
    }


def _timeline(visit: Visit, change_id: str, then: Then) -> list[Mapping[str, Any]]:
    """Return what was told of a change. The list may be behind the ticket, which is folded where it is asked for."""
    where = {"change_id": change_id}
    try:
        lines = list_of(visit.ledger, change_timeline, where, limit=LINES, as_of=then.position).rows
    except LedgerError:
        lines = list_of(visit.ledger, change_timeline, where, limit=LINES).rows
    return list(then.of_entries(lines))


def _findings(visit: Visit, subjects: list[str], then: Then) -> list[dict[str, Any]] | None:
    """Return findings about some subjects; None while they do not answer: the rest of the page is shown.

    None ever goes away: as it stood, each is one of those there are now.
    """
    try:
        return then.stood(findings, _some(visit, findings, {"subject__in": one_of(subjects)}, "-is_open"))
    except ViewNotReadyError:
        return None


def _named(refs: Iterable[str], kind: str) -> list[str]:
    """Return the names of a kind among refs."""
    return sorted(value for found, value in map(kind_and_value, refs) if found == kind)


def _some(visit: Visit, view: Any, where: dict[str, str], sort: str) -> list[dict[str, Any]]:
    return list_of(visit.ledger, view, where, sort=sort, limit=SOME).rows


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

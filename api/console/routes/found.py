"""Findings: what rules found in what was recorded, how grave, since when, and by which entries."""

import asyncio
from typing import Annotated, Final

from fastapi import APIRouter, Path, Query
from fastapi.responses import Response

from api.console.deciding import decide
from api.console.forms import read_own_form
from api.console.listing import ListRoute, list_page
from api.console.pages import KnownVisit, PageRoute, page
from api.console.routes.today import SEVERITIES, counted
from api.console.sentences import names_of_findings
from api.desk.deciding import AnswerForm, answer_to, answering_fault, reporting_fault
from api.desk.entries import entry_of
from api.desk.posted import model_of
from api.desk.views import row_of, wait_for
from api.http.shapes import MAX_POSITION
from ledger.errors import ConditionFailedError
from ledger.events.finding import FindingDisposed
from projections.judging.findings import findings

router = APIRouter(route_class=PageRoute, include_in_schema=False)
FindingId = Annotated[str, Path(max_length=200)]
# Of the entries that show it.
SHOWN: Final = 16


def found(visit: KnownVisit) -> Response:
    """Findings, with the rule that each breaks in words."""
    return list_page(
        visit,
        findings,
        path=("findings",),
        template="findings.html",
        title="Findings",
        rules=findings.rules,
        of_rows=lambda rows: {"names": names_of_findings(visit.ledger, rows)},
        counts={severity: counted(visit, severity) for severity in SEVERITIES},
    )


@router.post("/console/findings/{finding_id:rest}")
async def answer(visit: KnownVisit, finding_id: FindingId) -> Response:
    """Answer a finding: accepted, remediated, or none in truth; of what it said when it was looked at."""
    form = model_of(AnswerForm, await read_own_form(visit.request, visit.session, tuple(AnswerForm.model_fields)))
    row = (await asyncio.to_thread(row_of, visit.ledger, findings, finding_id, None, None))["row"]
    if form.said != row["said"]:
        said = f"the finding says something else by now: {row['says']} Look at it again, and answer that"
        raise ConditionFailedError(said, position=row["changes"][-1]["position"])
    return await decide(visit, answer_to(visit.ledger, visit.caller, row, form), None, visit.path)


@router.get("/console/findings/{finding_id:rest}")
def one(
    visit: KnownVisit, finding_id: FindingId, recorded: Annotated[int, Query(ge=0, le=MAX_POSITION)] = 0
) -> Response:
    """One finding: what it says, by which entries, what became of it, and the form to answer it."""
    wait_for(visit.ledger, findings, recorded)
    told = row_of(visit.ledger, findings, finding_id, None, None)
    row = told["row"]
    why_not = reporting_fault(visit.ledger, visit.caller, FindingDisposed.type)
    if not why_not and not row["is_open"]:
        why_not = "it is not open"
    return page(
        visit,
        "finding.html",
        title=row["rule"],
        position=told["position"],
        row=row,
        rule=findings.rules.get(row["rule"]),
        entries=[entry_of(visit.ledger, position) for position in row["positions"][:SHOWN]],
        names=names_of_findings(visit.ledger, [row]),
        why_not=why_not or answering_fault(visit.ledger, visit.caller, finding_id),
        id=f"console/{visit.ledger.random(12).hex()}",
        recorded=recorded,
    )


router.add_api_route("/console/findings", found, route_class_override=ListRoute)

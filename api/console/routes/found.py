"""Findings: what rules found in what was recorded, how grave, since when, and by which entries."""

import asyncio
from calendar import monthrange
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Query
from fastapi.responses import Response
from markupsafe import Markup

from api.console.beside import kind_of
from api.console.charts import Mark, bars
from api.console.days import moment_of
from api.console.deciding import decide
from api.console.forms import read_own_form
from api.console.listing import ListRoute, list_page
from api.console.pages import KnownVisit, PageRoute, page
from api.console.routes.today import ages_of, by_severity
from api.console.sentences import names_of_findings
from api.console.words import address
from api.desk.deciding import AnswerForm, answer_to, answering_fault, reporting_fault
from api.desk.entries import entry_of
from api.desk.found import LOOKED_AT, found_in
from api.desk.owners import owners_of
from api.desk.posted import model_of
from api.desk.views import row_of, wait_for
from api.http.shapes import MAX_KEY, MAX_POSITION
from ledger.errors import ConditionFailedError
from ledger.events.finding import FindingDisposed
from ledger.ledger import Ledger
from projections.engine.serving import Page
from projections.engine.view import View
from projections.judging.findings import findings

router = APIRouter(route_class=PageRoute, include_in_schema=False)
FindingId = Annotated[str, Path(max_length=MAX_KEY)]
# Of the entries that show it.
SHOWN: Final = 16
# That are drawn; the table has all.
MONTHS: Final = 24


def found(visit: KnownVisit) -> Response:
    """Findings, the worst first: with the rule that each breaks in words, whose each is, and how old those are that are open."""
    as_of, owner = visit.query.get("as_of", ""), visit.query.get("owner", "")

    def listed(ledger: Ledger, view: View[Any], where: Mapping[str, str], **asked: Any) -> Page:
        return found_in(ledger, where, owner=owner, **asked)

    if beside := kind_of(visit):
        return list_page(visit, findings, beside=beside, listed=listed)
    ages = ages_of(visit, moment_of(visit.ledger, as_of)) if "" not in visit.query.values() else []
    return list_page(
        visit,
        findings,
        path=("findings",),
        template="findings.html",
        title="Findings",
        listed=listed,
        owner=owner,
        looked_at=LOOKED_AT,
        rules=findings.rules,
        of_rows=lambda rows: {
            "names": names_of_findings(visit.ledger, rows),
            "owners": owners_of(visit.ledger, rows),
        },
        counts=by_severity(ages),
        ages=[(row, _of_month(row["month"], as_of)) for row in ages],
        chart=_chart(ages, as_of) if ages else None,
    )


def _of_month(month: str, as_of: str) -> str:
    """Return the address of the open findings that were found first in a month."""
    first = date.fromisoformat(f"{month}-01")
    following = f"{first + timedelta(days=monthrange(first.year, first.month)[1])}T00:00:00Z"
    since = {"first_seen_at__gte": f"{first}T00:00:00Z", "first_seen_at__lt": following}
    return address("findings", is_open="true", sort="first_seen_at", as_of=as_of, **since)


def _chart(ages: list[dict[str, Any]], as_of: str) -> Markup:
    marks = []
    for row in reversed(ages[:MONTHS]):
        says = f"found first in {row['month']}: {row['open']} open, {row['high']} of them high"
        marks.append(Mark(row["month"], row["open"], says, _of_month(row["month"], as_of), row["high"]))
    return bars(marks, title="Open findings by age", written=lambda number: f"{number:g}")


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
        owner=owners_of(visit.ledger, [row]).get(finding_id),
        why_not=why_not or answering_fault(visit.ledger, visit.caller, finding_id),
        id=f"console/{visit.ledger.random(12).hex()}",
        recorded=recorded,
    )


for _path in ("/console/findings", "/console/findings.json", "/console/findings.csv"):
    router.add_api_route(_path, found, route_class_override=ListRoute)

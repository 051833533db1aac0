"""Gates and policies: which rules each gate asks, what policies set, what a gate would answer, and what it answered."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from fastapi.responses import RedirectResponse, Response

from api.console.pages import KnownVisit, PageRoute, page
from api.console.words import with_query
from api.desk.gates import considered_in, gates_there_are
from api.desk.views import list_of
from api.http.hypotheses import FIELDS, Hypothesis
from projections.readings.delivery.gate_decisions import gate_decisions
from projections.readings.people.policies import policies

router = APIRouter(route_class=PageRoute, include_in_schema=False)
SOME = 20


@router.get("/console/gates")
def gates(
    visit: KnownVisit,
    asked: Annotated[Hypothesis, Depends()],
    gate: Annotated[str | None, Query(max_length=40)] = None,
) -> Response:
    """Every gate; and, where one is asked, what it would answer now. Nothing is recorded by looking."""
    if "" in visit.query.values():
        return RedirectResponse(with_query(visit.path, {k: v for k, v in visit.query.items() if v}), 303)
    there_are = gates_there_are()
    answer = considered_in(visit.ledger, gate, asked.question, visit.caller.principal) if gate is not None else None
    return page(
        visit,
        "gates.html",
        title="Gates and policies",
        gates=there_are["gates"],
        settings=there_are["settings"],
        policies=list_of(visit.ledger, policies, {}, limit=SOME).rows,
        decisions=list_of(visit.ledger, gate_decisions, {}, sort="-at", limit=SOME).rows,
        gate=gate,
        fields=FIELDS,
        answer=answer,
        actor=asked.question.actor or visit.caller.principal,
    )

"""Gates and policies: which rules each gate asks, what policies set, what a gate would answer, and what it answered."""

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from fastapi.responses import RedirectResponse, Response

from api.console.beside import kind_of
from api.console.days import read_day
from api.console.pages import KnownVisit, PageRoute, page
from api.console.sentences import names_of_findings
from api.console.words import with_query
from api.desk.gates import considered_in, gates_there_are, may_ask_as_others
from api.desk.policies import InForceThen, in_force_in
from api.desk.views import list_of, one_of
from api.http.hypotheses import FIELDS, Hypothesis
from api.http.shapes import json_answer
from projections.judging.findings import findings
from projections.readings.delivery.gate_decisions import gate_decisions
from projections.readings.people.policies import policies

router = APIRouter(route_class=PageRoute, include_in_schema=False)
SOME = 20


@router.get("/console/gates")
@router.get("/console/gates.json")
def gates(
    visit: KnownVisit,
    asked: Annotated[Hypothesis, Depends()],
    gate: Annotated[str | None, Query(max_length=40)] = None,
    at: Annotated[str, Query(max_length=40)] = "",
) -> Response:
    """Every gate; and, where one is asked, what it would answer now. Nothing is recorded by looking. `at` is of the policies alone."""
    if "" in visit.query.values():
        return RedirectResponse(with_query(visit.path, {k: v for k, v in visit.query.items() if v}), 303)
    when = read_day(at, "at") if at else None
    known = list_of(visit.ledger, policies, {}, limit=SOME).rows
    in_force = in_force_in(visit.ledger, (row["policy_id"] for row in known), when)
    asked_of = {"subject__in": one_of(row["policy_id"] for row in known), "is_open": "true"}
    against = list_of(visit.ledger, findings, asked_of, limit=SOME).rows if known else []
    there_are = gates_there_are()
    answer = considered_in(visit.ledger, gate, asked.question, visit.caller) if gate is not None else None
    if kind_of(visit):
        told = {name: _as_told(one) for name, one in in_force.items()}
        return json_answer(200, {"position": visit.ledger.size(), **there_are, "policies": told, "answer": answer})
    return page(
        visit,
        "gates.html",
        title="Gates and policies",
        gates=there_are["gates"],
        settings=there_are["settings"],
        policies=in_force,
        against=against,
        names=names_of_findings(visit.ledger, against),
        at=at,
        when=when,
        decisions=list_of(visit.ledger, gate_decisions, {}, sort="-at", limit=SOME).rows,
        gate=gate,
        fields=[name for name in FIELDS if name != "actor" or may_ask_as_others(visit.caller)],
        answer=answer,
        actor=asked.question.actor or visit.caller.principal,
    )


def _as_told(one: InForceThen) -> dict[str, Any]:
    return {
        "version": one.now.version,
        "since": one.since,
        "approved_position": one.now.approved_position,
        "settings": [asdict(setting) for setting in one.now.settings],
        "before": one.before.version if one.before is not None else None,
        "differs": one.differs,
        "turns": [{"since": since, "version": said.version} for since, said in one.turns],
    }

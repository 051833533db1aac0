"""The ledger itself: how long it is, what covers it, who cosigned, which keys and producers there are, and how to check all that."""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

import orjson
from fastapi import APIRouter
from fastapi.responses import Response
from markupsafe import Markup
from pydantic import BaseModel, ConfigDict

from api.console.beside import kind_of
from api.console.charts import Reach, reaches
from api.console.forms import read_own_form
from api.console.pages import KnownVisit, PageRoute, Visit, page
from api.console.words import address, grouped
from api.desk.about import about_ledger
from api.desk.posted import model_of
from api.desk.producers import lists_of_sources, producers_of
from api.desk.stewardship import keys_of, sources, tokens
from api.http.auth import AUDITOR, OPERATOR
from api.http.programs import answer_of_command
from api.http.shapes import json_answer
from api.http.state import publisher_of
from ledger.errors import LedgerError
from ledger.events.identifiers import Sha256Hex
from projections.engine.serving import ViewNotReadyError

router = APIRouter(route_class=PageRoute, include_in_schema=False)
# Of those that an audit found: the first tell where it began.
FAULTS: Final = 20


class CheckForm(BaseModel):
    """What an audit is asked from the page: under which first entry, where whoever asks has its hash from elsewhere."""

    model_config = ConfigDict(extra="forbid")

    genesis: Sha256Hex | None = None


@router.get("/console/ledger")
@router.get("/console/ledger.json")
def the_ledger(visit: KnownVisit) -> Response:
    """Head, checkpoint, witnesses, keys; for auditors and operators, who may report."""
    return _page(visit)


@router.post("/console/ledger")
async def checked(visit: KnownVisit) -> Response:
    """The same page with what the audit finds: every entry read again, by a process of its own. Nothing is recorded."""
    form = model_of(CheckForm, await read_own_form(visit.request, visit.session, tuple(CheckForm.model_fields)))
    pinned = (f"--genesis={form.genesis}",) if form.genesis else ()
    lines = answer_of_command(visit.request, "verify", "--progress-json", *pinned).body_iterator
    last = ""
    async for line in lines:
        last = line if isinstance(line, str) else bytes(line).decode()
    return await asyncio.to_thread(_page, visit, orjson.loads(last))


def _page(visit: Visit, report: dict[str, Any] | None = None) -> Response:
    publisher = publisher_of(visit.request)
    authority = visit.ledger.current_authority()
    told = about_ledger(visit.ledger, publisher.status())
    note = _note(visit)
    if kind_of(visit):
        return json_answer(
            200, {"position": told["size"], **told, "checkpoint": note, "keys": keys_of(authority), **_gaps(visit)}
        )
    sees = visit.may(AUDITOR, OPERATOR)
    return page(
        visit,
        "ledger.html",
        title="Ledger",
        about_it=told,
        note=note,
        report=report,
        faults_shown=FAULTS,
        chart=_reach(told),
        keys=keys_of(authority),
        sources=sources(authority) if sees else None,
        tokens=tokens(authority) if sees else None,
        **_gaps(visit),
    )


def _reach(told: Mapping[str, Any]) -> Markup:
    """Return how far the entries are covered: by the checkpoint, by each witness, by the last timestamp."""
    size, checkpoints = told["size"], told["checkpoints"]
    reached = [
        ("checkpoint", checkpoints["published_size"]),
        *((f"witness {one['name']}", one["cosigned_size"]) for one in checkpoints["witnesses"]),
        ("timestamp", checkpoints["timestamped_size"]),
    ]
    marks = [_mark(name, value or 0, size) for name, value in reached]
    return reaches(marks, size=size, title="How far the entries are covered", written=grouped)


def _mark(name: str, value: int, size: int) -> Reach:
    says = (
        f"{name} to {grouped(value)}, {grouped(size - value)} behind" if value < size else f"{name} to the last entry"
    )
    return Reach(name, value, says, address("entries", str(value)) if value else address("entries"))


def _gaps(visit: Visit) -> dict[str, Any]:
    """Return the producers that count and the lists of sources; None of each while their views do not answer."""
    try:
        return {"producers": producers_of(visit.ledger), "lists": lists_of_sources(visit.ledger)}
    except ViewNotReadyError:
        return {"producers": None, "lists": None}


def _note(visit: Visit) -> dict[str, Any] | None:
    """Return the published checkpoint and who cosigned it; None while there is none."""
    try:
        stored = publisher_of(visit.request).published()
    except LedgerError:
        return None
    return {"text": str(stored.note), "size": stored.size, "cosigned_by": [line.name for line in stored.cosignatures]}

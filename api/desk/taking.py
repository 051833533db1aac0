"""Taking in an outside body that was authenticated: translated to statements, or kept as not understood. Nothing of it is lost.

The order matters: the bytes are evidence before they mean anything. A body that its headers contradict states nothing,
is kept too, and is refused. Not the authentication, which is the door's (`api.http.routes.intake`).
"""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from api.desk.posted import Headers, Posted, Said
from api.desk.submitting import Answer, Prepared, Submitting, Wishes, aside, of_the_ledger, prepare
from api.intake.formats import UNMAPPED, Format
from api.intake.translation import ContradictionError, Fact, Nothing, Unmapped
from ledger.authority import Caller
from ledger.errors import StatementError
from ledger.statement import Evidence

# The reason of an entry that keeps a body which its headers contradict.
CONTRADICTED: Final = "contradicts-its-headers"
_not_label = re.compile(r"[^A-Za-z0-9._/+-]+")


@dataclass(frozen=True)
class Body:
    """An authentic body. `caller_for` says in whose name a source comes in, or raises ForbiddenError; "" is any source."""

    known: Format
    headers: Headers
    content: bytes
    caller_for: Callable[[str], Caller]

    @cached_property
    def evidence(self) -> tuple[Evidence, ...]:
        """The body as it is kept."""
        return (Evidence.of(self.content, self.known.kept_as(self.content)),)

    @cached_property
    def sha256(self) -> str:
        """What names the body: whatever its headers say, it is this one."""
        return hashlib.sha256(self.content).hexdigest()


async def take(submitting: Submitting, body: Body) -> Answer:
    """Append what a body says. 202 for what is kept and not understood; raises ContradictionError when the bytes are kept and refused."""
    source = ""
    try:
        translation = await aside(len(body.content), lambda: body.known.translate(body.headers, body.content))
        if isinstance(translation, Nothing):
            return Answer(200, translation.answer)
        if isinstance(translation, Unmapped):
            return await _keep(submitting, body, translation)
        source, facts = translation.facts[0].source, translation.facts
        posted = Posted(tuple(_said(fact, number, body) for number, fact in enumerate(facts)), "all")
        prepared = await submitting.judged(
            len(body.content), lambda: prepare(submitting.ledger, body.caller_for(source), posted, Wishes())
        )
    except ContradictionError as error:
        raise await _refused(submitting, body, error) from None
    except StatementError as error:
        return await _keep(submitting, body, Unmapped(body.known.name, f"field{error.place}", source))
    return await submitting.send(prepared)


def _said(fact: Fact, number: int, body: Body) -> Said:
    event = {
        "specversion": "1.0",
        "id": f"{body.sha256}/{number}",
        "source": fact.source,
        "type": fact.type,
        "time": fact.time,
        "data": fact.data,
        "subject": fact.subject or None,
        # What of the body stands in the evidence alone.
        "leftout": " ".join(fact.left_out) or None,
    }
    return Said(event, evidence=() if number else body.evidence)


async def _keep(submitting: Submitting, body: Body, unmapped: Unmapped) -> Answer:
    kind, reason = _label(unmapped.kind), _label(unmapped.reason)
    status, document = await _append_unmapped(submitting, body, unmapped.source, "", kind=kind, reason=reason)
    return Answer(202 if status == 201 else status, document)


async def _refused(submitting: Submitting, body: Body, error: ContradictionError) -> ContradictionError:
    """Keep a body that its headers contradict, and return why it is refused. The entry names nothing of the headers, which
    nobody signed: one body under many names makes one entry.
    """
    _, document = await _append_unmapped(submitting, body, "", f"/{CONTRADICTED}", kind="none", reason=CONTRADICTED)
    position = document["receipts"][0]["position"]
    return ContradictionError(f"{error}; the body is kept at position {position}, and states nothing", error.place)


async def _append_unmapped(submitting: Submitting, body: Body, source: str, suffix: str, **why: str) -> Answer:
    def made() -> Prepared:
        said = {"actor": body.caller_for(source).principal, "format": body.known.name, **why}
        statement = submitting.ledger.ledger_statement(
            UNMAPPED,
            said | {"body_sha256": body.sha256},
            identifier=f"{body.known.name}/{body.sha256}{suffix}",
            evidence=body.evidence,
        )
        return of_the_ledger(submitting.ledger, statement)

    return await submitting.send(await submitting.judged(0, made))


def _label(text: str) -> str:
    return (_not_label.sub("-", text).strip("._/+-") or "none")[:64]

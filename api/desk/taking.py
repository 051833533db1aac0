"""Taking in an outside body that was authenticated: translated to statements, or kept as not understood. Nothing of it is lost.

The order matters: the bytes are evidence before they mean anything. A body that its headers contradict states nothing,
is kept too, and is refused. Of a file, what its format's redactor left is evidence, and all that is translated; the entry says the
digest of the file as it came, and when it came where nobody says when it happened. A file that the redactor cannot read is refused:
whoever posts it is there to mend it, and 202 would say that its bytes are kept. Not the authentication, which is the door's
(`api.http.routes.intake`).
"""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any, Final

from api.desk.envelopes import ENVELOPES, Vouched, vouched_for
from api.desk.posted import Headers, Posted, Said
from api.desk.submitting import Answer, Prepared, Submitting, Wishes, answered, of_the_ledger, prepare
from api.intake.context import Context
from api.intake.formats import UNMAPPED, Format
from api.intake.translation import (
    ContradictionError,
    Fact,
    ForeignError,
    ForgedError,
    Nothing,
    Translation,
    Unmapped,
    UnreadableError,
)
from ledger.authority import Caller
from ledger.clock import to_text
from ledger.errors import ConflictError, StatementError
from ledger.ledger import Ledger
from ledger.log.reading import read_said
from ledger.statement import Evidence

# The reasons of an entry that keeps a body which its headers, or its own signatures, contradict.
CONTRADICTED: Final = "contradicts-its-headers"
FORGED: Final = "signature-does-not-verify"
# The extension of a statement that says whose word its time is, where it is not the file's.
TIME_FROM: Final = "timefrom"
# What a redactor may leave beyond twice what came: a short body grows by the names of what is not there.
MOST_MORE_BYTES: Final = 65_536
_not_label = re.compile(r"[^A-Za-z0-9._/+-]+")


@dataclass(frozen=True)
class Body:
    """An authentic body. `caller_for` says in whose name a source comes in, or raises ForbiddenError; "" is any source.

    `context` is what was said of a file; what headers say, of a message.
    """

    known: Format
    headers: Headers
    content: bytes
    caller_for: Callable[[str], Caller]
    context: Context | None = None
    # Of a file in envelopes that an enrolled source signed.
    vouched: Vouched | None = None

    @cached_property
    def kept(self) -> bytes | ForeignError:
        """What of the body may be kept: all of it, what a redactor left, or why that could not read it. Then nothing is."""
        if self.known.redactor is None:
            return self.content
        try:
            kept = self.known.redactor.cut(self.content)
        except ForeignError as error:
            return error
        # A redactor names what is not there: of a body of next to nothing it makes more than came.
        return kept if len(kept) <= 2 * len(self.content) + MOST_MORE_BYTES else ForeignError("too-many-values")

    @cached_property
    def translation(self) -> Translation:
        """What the body stands for. Raises ContradictionError and StatementError."""
        if self.context is None:
            return self.known.translate(self.headers, self.content)
        if isinstance(self.kept, ForeignError):
            return Unmapped(self.known.name, str(self.kept), self.context.source)
        beside = self.context.beside(self.content)
        return self.known.translate(beside | (self.vouched.beside if self.vouched is not None else {}), self.kept)

    @cached_property
    def evidence(self) -> tuple[Evidence, ...]:
        """The body as it is kept: as the redactor left it, and whole beside that where whoever signed it keeps no secrets in it."""
        if isinstance(self.kept, ForeignError):
            return ()
        cut = Evidence.of(self.kept, self.known.kept_as(self.kept))
        is_whole = self.vouched is not None and self.vouched.signer.keeps_envelopes
        return (cut, Evidence.of(self.content, ENVELOPES)) if is_whole else (cut,)

    @cached_property
    def sha256(self) -> str:
        """The digest of the body as it came."""
        return hashlib.sha256(self.content).hexdigest()

    @cached_property
    def identity(self) -> str:
        """What names the fact: whatever its headers say, it is this body; of a file, in this context; of what is signed, what was."""
        if self.vouched is not None:
            return self.vouched.identity
        return self.sha256 if self.context is None else self.context.identity(self.content)


@dataclass(frozen=True, slots=True)
class _Taken:
    """What is to become of a body: what goes down, or the answer where nothing does. `refused` is raised once it is kept."""

    prepared: Prepared | None = None
    answer: Answer | None = None
    is_understood: bool = True
    refused: StatementError | None = None

    @property
    def is_tentative(self) -> bool:
        """Whether its time is when it came in, unless it came before."""
        return self.prepared is not None and any(said.is_tentative for said in self.prepared.submissions)

    def answered(self, found: Answer) -> Answer:
        """Return what is told of what became of it."""
        if self.refused is not None:
            position = found.document["receipts"][0]["position"]
            kept = f"the body is kept at position {position}, and states nothing"
            if isinstance(self.refused, UnreadableError):
                kept = f"its digest is kept at position {position}, and nothing of it"
            raise type(self.refused)(f"{self.refused}; {kept}", self.refused.place) from None
        is_new = found.status == 201
        return Answer(202, found.document) if is_new and not self.is_understood else found


async def take(submitting: Submitting, body: Body) -> Answer:
    """Append what a body says. 202 for what is kept and not understood.

    Raises ContradictionError and UnreadableError when an entry says that it came, and it is refused.
    """
    while True:
        # Where a file says no time, it is looked up when it came first.
        work = partial(_taken, submitting.ledger, body)
        taken = await submitting.judged(len(body.content), work, looks_back=body.context is not None)
        if taken.prepared is None:
            return taken.answer or Answer(200, {})
        try:
            return taken.answered(await submitting.send(taken.prepared))
        except ConflictError:
            # The same file came at the same moment by another request, and was first: its time holds, and is read now.
            if not taken.is_tentative:
                raise


def take_at_once(ledger: Ledger, body: Body) -> Answer:
    """The same for whoever works on the database itself."""
    while True:
        taken = _taken(ledger, body)
        if taken.prepared is None:
            return taken.answer or Answer(200, {})
        try:
            return taken.answered(answered(taken.prepared, ledger.append_group(list(taken.prepared.submissions))))
        except ConflictError:
            if not taken.is_tentative:
                raise


def _taken(ledger: Ledger, body: Body) -> _Taken:
    source = body.context.source if body.context is not None else ""
    if body.known.envelopes is not None and not isinstance(body.kept, ForeignError):
        try:
            body = replace(body, vouched=vouched_for(ledger.authority, body.known, body.context, body.content))
        except ForgedError as error:
            return _kept(ledger, body, Unmapped(body.known.name, FORGED), f"/{FORGED}", error)
    try:
        translation = body.translation
        if isinstance(translation, Nothing):
            return _Taken(answer=Answer(200, translation.answer))
        if isinstance(translation, Unmapped):
            refused = (
                _unreadable(body, body.kept)
                if body.context is not None and isinstance(body.kept, ForeignError)
                else None
            )
            return _kept(ledger, body, translation, refused=refused)
        source = translation.facts[0].source
        time, is_known = "", True
        if any(not fact.time for fact in translation.facts):
            time, is_known = _time_unsaid(ledger, body, source)
        said = tuple(_said(fact, number, body, time) for number, fact in enumerate(translation.facts))
        caller = body.vouched.caller if body.vouched is not None else body.caller_for(source)
        prepared = prepare(ledger, caller, Posted(said, "all"), Wishes())
        submissions = tuple(one._replace(is_tentative=not is_known) for one in prepared.submissions)
        return _Taken(replace(prepared, submissions=submissions))
    except ContradictionError as error:
        # The entry names nothing of the headers, which nobody signed: one body under many names makes one entry.
        return _kept(ledger, body, Unmapped("none", CONTRADICTED), f"/{CONTRADICTED}", error)
    except StatementError as error:
        return _kept(ledger, body, Unmapped(body.known.name, f"field{error.place}", source))


def _said(fact: Fact, number: int, body: Body, time: str) -> Said:
    event: dict[str, Any] = {
        "specversion": "1.0",
        "id": f"{body.identity}/{number}",
        "source": fact.source,
        "type": fact.type,
        "time": fact.time or time,
        "data": fact.data,
        "subject": fact.subject or None,
        # What of the body stands in the evidence alone.
        "leftout": " ".join(fact.left_out) or None,
    }
    if body.context is not None:
        event[TIME_FROM] = None if fact.time else "context" if "time" in body.context.said else "receipt"
        # Signed anew, or in another wrapping, what was signed is the same.
        event["filesha256"] = body.sha256 if body.vouched is None else None
    # Of a message it is said only where anything was cut.
    if body.known.redactor is not None and number == 0 and (body.context is not None or body.kept != body.content):
        event["redactor"] = f"{body.known.name}-{body.known.redactor.version}"
    return Said(event, evidence=() if number else body.evidence)


def _time_unsaid(ledger: Ledger, body: Body, source: str) -> tuple[str, bool]:
    """Return the time of what says none itself, and whether that is known: as whoever posted it says, else when it came in the first
    time. It may be coming in the first time by another request just now.
    """
    if body.context is not None and "time" in body.context.said:
        return body.context.said["time"], True
    with ledger.database.read() as connection:
        first = read_said(connection, source, f"{body.identity}/0")
    return (first.statement["time"], True) if first is not None else (to_text(ledger.clock.now_us()), False)


def _unreadable(body: Body, error: ForeignError) -> UnreadableError:
    """Return what whoever posted a file is told that could not be read."""
    return UnreadableError(
        f"this is no {body.known.title} that can be read: {error}. Post the file as its tool wrote it"
    )


def _kept(
    ledger: Ledger, body: Body, unmapped: Unmapped, suffix: str = "", refused: StatementError | None = None
) -> _Taken:
    """Return the statement that keeps a body which is not understood, or contradicts its headers."""
    caller = body.caller_for(unmapped.source)
    said = {
        "actor": caller.principal,
        "format": body.known.name,
        "kind": _label(unmapped.kind),
        "reason": _label(unmapped.reason),
        "body_sha256": body.sha256,
    }
    statement = ledger.ledger_statement(
        UNMAPPED, said, identifier=f"{body.known.name}/{body.identity}{suffix}", evidence=body.evidence
    )
    return _Taken(of_the_ledger(ledger, statement, caller), is_understood=False, refused=refused)


def _label(text: str) -> str:
    return (_not_label.sub("-", text).strip("._/+-") or "none")[:64]

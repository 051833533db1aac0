"""Submitting, once: what was said is admitted, permitted and queued; what became of it is answered. Every door goes this way.

Down: `prepare` makes statements and submissions. Then `Writer.append`, or `Ledger.append_group` where there is no queue.
Back: `answered` makes receipts, with proofs where they were waited for, and problems that name the place. Parses nothing
(`api.desk.posted`), and judges nothing that `ledger` does not.

The position of the authority is remembered before anything is judged by it: when it has moved by the time of the lock,
the lock judges again. Remembered after, a credential that was revoked in between would pass.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final, NamedTuple, TypeVar

from api.desk import problems
from api.desk.posted import Headers, Posted, Said, Shape, Signed, read
from api.desk.problems import RequestError
from ledger.authority import Caller
from ledger.canonical import parse
from ledger.conditions import Condition, parse_condition
from ledger.entry import Receipt
from ledger.errors import ForbiddenError, LedgerError, StatementError
from ledger.events import CATALOGUE, is_of_the_ledger, sentence
from ledger.ledger import Ledger
from ledger.log.checkpoints import StoredCheckpoint
from ledger.log.reading import read_entry, read_size
from ledger.log.recorder import WITHDRAWN, Outcome, Recorded, Refused, Repeated, Submission
from ledger.log.tree import proof_of
from ledger.log.writer import Writer
from ledger.statement import Statement

# A body that is longer is not parsed where all requests are answered.
MAX_AT_ONCE: Final = 65_536
# How long a proof is waited for.
WAIT_S: Final = 10.0
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Wishes:
    """How something is to be submitted: a batch whole or not at all, only looked at, with proofs, under a condition."""

    atomic: bool = False
    dry_run: bool = False
    wait: bool = False
    condition: Condition | None = None


@dataclass(frozen=True, slots=True)
class Prepared:
    """What goes down: of each thing that was said its statement, or why there is none; and the submissions of those there are.

    `caller` is who hands it over, also where the ledger itself states what came of it.
    """

    caller: Caller
    made: tuple[Statement | LedgerError, ...]
    submissions: tuple[Submission, ...]
    shape: Shape

    @property
    def size(self) -> int:
        """How many bytes a database is given to keep: of statements, texts and evidence."""
        return sum(statement.size for one in self.submissions for statement in one.statements)


class Answer(NamedTuple):
    """What became of it: a status as over HTTP, and a document of JSON."""

    status: int
    document: dict[str, Any]


def prepare(ledger: Ledger, caller: Caller, posted: Posted, wishes: Wishes) -> Prepared:
    """Admit and permit what was said. Raises the first LedgerError, naming the place, unless each is answered for itself."""
    shape: Shape = "all" if wishes.atomic and posted.shape == "each" else posted.shape
    if shape == "each" and wishes.condition is not None:
        raise RequestError(
            400, "Bad request", "an append condition goes with a single event or with ?atomic=true", "/expect"
        )
    permitted_at = ledger.authority.position
    if any(isinstance(said, Signed) for said in posted.said):
        caller = replace(caller, trust="signed")
    made: list[Statement | LedgerError] = []
    for said in posted.said:
        try:
            made.append(_admitted(ledger, caller, said))
        except LedgerError as error:
            if isinstance(error, StatementError):
                error.place = said.place + error.place
            if shape != "each":
                raise
            made.append(error)
    good = tuple(statement for statement in made if isinstance(statement, Statement))
    together = [(statement,) for statement in good] if shape == "each" else [good]
    submissions = tuple(Submission(group, caller, wishes.condition, permitted_at) for group in together)
    return Prepared(caller, tuple(made), submissions, shape)


def _admitted(ledger: Ledger, caller: Caller, said: Said | Signed) -> Statement:
    if isinstance(said, Signed):
        statement = ledger.admission.admit_signed(said.payload, said.signatures, said.texts)
        ledger.authority.check_signatures(statement)
    else:
        statement = ledger.admission.admit(said.event, evidence=said.evidence)
    ledger.authority.permit(caller, statement, ledger.clock.now_us())
    if statement.type == WITHDRAWN:
        _check_withdrawal(ledger, statement.data["position"])
    return statement


def _takes_back(said: Said | Signed) -> bool:
    """Say whether something may be a withdrawal, for which is looked up what it takes back. What is signed is canonical, or refused."""
    if isinstance(said, Signed):
        return WITHDRAWN.encode() in said.payload
    return isinstance(said.event, dict) and said.event.get("type") == WITHDRAWN


def _check_withdrawal(ledger: Ledger, position: int) -> None:
    """Raise StatementError where taking back what stands at a position could never have an effect."""
    with ledger.database.read() as connection:
        there_are = read_size(connection)
        document = read_entry(connection, position).document if 0 < position <= there_are else None
    if document is None:
        found = f"{position}, and the ledger has {there_are} entries. What is withdrawn must be on record"
    elif document["statement"]["type"] == WITHDRAWN:
        found = f"a withdrawal at {position}. A withdrawal is not withdrawn: state the fact again, as a statement of its own"
    elif is_of_the_ledger(document["statement"]["type"]):
        found = (
            f"{document['statement']['type']} at {position}. What the ledger states about itself stands: an operator ends a key, a "
            "credential, a source or an import by the command for that"
        )
    else:
        return
    raise StatementError(f"expected the position of a fact; found {found}", "/data/position")


def of_the_ledger(ledger: Ledger, statement: Statement, caller: Caller) -> Prepared:
    """Return what the ledger states itself of what a caller handed over, ready to go down: nobody permits it."""
    return Prepared(caller, (statement,), (Submission((statement,), ledger.own_caller()),), "all")


def answered(prepared: Prepared, outcomes: Sequence[Outcome], proofs: dict[int, str] | None = None) -> Answer:
    """Return what is told of outcomes: 201 where something was recorded, 200 for what was recorded before, 207 for some of each.

    With `proofs`, by position, each receipt has its own, or null. Raises the error of what was refused whole.
    """
    if prepared.shape == "each":
        following = iter(outcomes)
        return _each(_item(next(following) if isinstance(m, Statement) else Refused(m), proofs) for m in prepared.made)
    [outcome] = outcomes
    if isinstance(outcome, Refused):
        raise outcome.error
    receipts = [_receipt(receipt, proofs) for receipt in outcome.receipts]
    document = receipts[0] if prepared.shape == "one" else {"receipts": receipts}
    return Answer(200 if isinstance(outcome, Repeated) else 201, document)


def previewed(prepared: Prepared) -> Answer:
    """Return what would be recorded, and records nothing."""
    drafts = [
        {"status": 200, "entry": _draft(m, prepared.caller)} if isinstance(m, Statement) else _item(Refused(m))
        for m in prepared.made
    ]
    if prepared.shape == "one":
        return Answer(200, {"dry_run": True, "entry": drafts[0]["entry"]})
    is_whole = all(draft["status"] == 200 for draft in drafts)
    return Answer(200 if is_whole else 207, {"dry_run": True, "items": drafts})


def _each(items: Iterable[dict[str, Any]]) -> Answer:
    found = list(items)
    statuses = {item["status"] for item in found}
    return Answer(statuses.pop() if statuses in ({200}, {201}) else 207, {"items": found})


def _item(outcome: Outcome, proofs: dict[int, str] | None = None) -> dict[str, Any]:
    if isinstance(outcome, Refused):
        document = problems.of_error(outcome.error)
        return {"status": document["status"], "problem": document}
    return {"status": 201 if isinstance(outcome, Recorded) else 200, "receipt": _receipt(outcome.receipts[0], proofs)}


def _receipt(receipt: Receipt, proofs: dict[int, str] | None) -> dict[str, Any]:
    document = receipt.to_json()
    return document if proofs is None else document | {"proof": proofs.get(receipt.position)}


def _draft(statement: Statement, caller: Caller) -> dict[str, Any]:
    return {
        "recorded_by": json.loads(caller.json),
        "refs": list(statement.refs),
        "statement": json.loads(statement.body),
        "says": sentence(CATALOGUE[statement.type], statement.data),
    }


@dataclass(frozen=True, slots=True)
class Submitting:
    """The way of a process that serves: what is prepared waits in the writer's queue with what others say.

    `published` waits for a published checkpoint that covers so many entries, for so many seconds. `check_rates` raises
    RequestError where somebody says more of something than everybody can bear.
    """

    ledger: Ledger
    writer: Writer
    published: Callable[[int, float], Awaitable[StoredCheckpoint | None]]
    check_rates: Callable[[Prepared], None]

    async def condition(self, text: str) -> Condition:
        """Return an append condition that somebody wrote in JSON, looked at up to now. Raises StatementError naming the place.

        Beside the lock, for which everybody waits, and beside the loop: it may look at all that a ref was ever named by.
        """
        return await asyncio.to_thread(self.ledger.recorder.look_back, parse_condition(parse(text.encode())))

    async def post(self, caller: Caller, headers: Headers, body: bytes, wishes: Wishes) -> Answer:
        """Submit what a request says. Raises RequestError and LedgerError for what is refused whole."""
        posted = await aside(len(body), lambda: read(headers, body))
        looks_back = any(map(_takes_back, posted.said))
        work = partial(prepare, self.ledger, caller, posted, wishes)
        return await self.send(await self.judged(len(body), work, looks_back=looks_back), wishes)

    async def send(self, prepared: Prepared, wishes: Wishes = Wishes()) -> Answer:
        """Append what was prepared, and answer."""
        if wishes.dry_run:
            return previewed(prepared)
        self.check_rates(prepared)
        outcomes = await self.writer.append(prepared.submissions) if prepared.submissions else []
        return answered(prepared, outcomes, await self._proofs(outcomes) if wishes.wait else None)

    async def judged(self, size: int, work: Callable[[], R], *, looks_back: bool = False) -> R:
        """Do what may be forbidden, for a body of a size; and again when it was: another process may have enrolled a key or a source
        a moment ago. What looks back at the log may be left without an answer by a database.
        """
        try:
            return await aside(size, work, looks_back=looks_back)
        except ForbiddenError:
            await asyncio.to_thread(self.ledger.current_authority)
            return await aside(size, work, looks_back=looks_back)

    async def _proofs(self, outcomes: Sequence[Outcome]) -> dict[int, str]:
        """Return proofs by position once a published checkpoint covers all; none when that takes too long, and all stays recorded."""
        positions = [r.position for outcome in outcomes if not isinstance(outcome, Refused) for r in outcome.receipts]
        published = await self.published(max(positions, default=0), WAIT_S)
        if published is None:
            return {}

        def prove() -> dict[int, str]:
            with self.ledger.database.read() as connection:
                return {position: str(proof_of(connection, position, published)) for position in positions}

        return await asyncio.to_thread(prove)


async def aside(size: int, work: Callable[[], R], *, looks_back: bool = False) -> R:
    """Do what takes time in proportion to a body: for a long one, or with a look at the log, in a thread: nobody else waits for it."""
    return work() if size <= MAX_AT_ONCE and not looks_back else await asyncio.to_thread(work)

"""The board's meetings as people sit in them: what is on the agenda as it was fixed, how far each vote is, and what a form says.

An agenda is fixed by the entry that put the first papers on it. What came after that stands apart, and what was amended since is said
to be. Votes and decisions are about the scope that was shown: when another was recorded since, or somebody voted or decided
meanwhile, nothing is recorded. Whether a decision counts, the reading says (`board_leave`), here before it is made.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field

from api.desk.deciding import SCOPES, Comment, event_said, reporting_fault
from ledger.authority import Caller
from ledger.clock import to_text
from ledger.conditions import AFTER_ALL, Condition, Match
from ledger.errors import NotFoundError, StatementError
from ledger.events import ref
from ledger.events.cab import BoardVerdict, CabConditionMet, CabDecisionRecorded, CabVoteCast, Vote
from ledger.events.identifiers import ChangeId, Digest, EventId, Label, Time
from ledger.ledger import Ledger
from projections import VIEWS
from projections.engine.asking import asking_now
from projections.engine.reads import Look
from projections.readings.changes.board import Agenda, Meeting, board_meetings
from projections.readings.changes.board_leave import Prospect, prospect
from projections.readings.changes.board_matters import BoardMatter, board_matters
from projections.readings.changes.board_slots import agendas_of, as_tabled, next_slot, slot_meant, slot_of
from projections.readings.changes.scopes import ChangeScope, change_scopes
from projections.readings.people.policies import InForce, in_force
from projections.readings.people.voices import Spoken, not_yet_said
from projections.rules.calendar import Span

# Of the times that a meeting had an agenda: the last ones.
SLOTS: Final = 12
# Of the changes on one agenda.
MATTERS: Final = 40


class BoardForm(BaseModel):
    """One act at a meeting, about one change as it was shown: a vote, a decision, or a condition that was met."""

    model_config = ConfigDict(extra="forbid")

    id: EventId
    change_id: ChangeId
    scope_digest: Digest
    position: int = Field(ge=1, le=2**53 - 1)
    slot: Time
    vote: Vote | None = None
    verdict: BoardVerdict | None = None
    met: Label | None = None
    conditions: Annotated[str, Field(max_length=1200)] = ""
    comment: Comment = None


@dataclass(frozen=True, slots=True)
class Paper:
    """One change before a meeting: as it was put on the agenda, as it is now, and how far the vote is."""

    change_id: str
    scope: ChangeScope
    matter: BoardMatter
    prospect: Prospect
    digest: str | None
    is_amended: bool


@dataclass(frozen=True, slots=True)
class Sheet:
    """What was put on the agenda at once."""

    agenda: Agenda
    papers: tuple[Paper, ...]
    left_out: int


@dataclass(frozen=True, slots=True)
class Sitting:
    """One time of a meeting. `sheets` are its agenda, the one that fixed it first; `others` begin other times of it."""

    meeting: Meeting
    slot: Span
    sheets: tuple[Sheet, ...]
    others: tuple[str, ...]
    position: int
    vote_why_not: str
    decide_why_not: str


def sitting_of(ledger: Ledger, caller: Caller, meeting_id: str, slot: str | None) -> Sitting:
    """Return one time of a meeting: the one that begins at `slot`; without one that which is on, or comes next, or was last.

    Raises NotFoundError where there is no such meeting, or no such time of it.
    """
    now = to_text(ledger.clock.now_us())
    said = not_yet_said(caller.principal, now, caller.credential)
    with ledger.database.read() as connection:
        look, position = asking_now(connection, ledger.database, VIEWS, now)
        meeting = look.row(board_meetings, meeting_id)
        if meeting is None:
            raise NotFoundError(f"no meeting {meeting_id!r} was scheduled"[:200])
        known = sorted(
            {begin for agenda in meeting.agendas if (begin := slot_meant(look, meeting, agenda)) is not None}
        )
        policy = in_force(look, now)
        wanted = _wanted(look, meeting, said, policy, slot, known)
        if wanted is None:
            raise NotFoundError(f"no meeting {meeting_id} is scheduled {f'at {slot}' if slot else 'any more'}")
        agendas = agendas_of(look, meeting, wanted, AFTER_ALL)
        sheets = tuple(
            Sheet(
                agenda,
                tuple(_paper(look, policy, meeting_id, name, agenda, said) for name in agenda.changes[:MATTERS]),
                max(0, len(agenda.changes) - MATTERS),
            )
            for agenda in agendas
        )
    return Sitting(
        meeting,
        wanted,
        sheets,
        tuple(begin for begin in known[-SLOTS:] if begin != wanted.begin),
        position,
        reporting_fault(ledger, caller, CabVoteCast.type),
        reporting_fault(ledger, caller, CabDecisionRecorded.type),
    )


def _wanted(
    look: Look, meeting: Meeting, said: Spoken, policy: InForce, slot: str | None, known: list[str]
) -> Span | None:
    """Return the time of a meeting that is asked for: by when it begins, or as things stand."""
    if slot is None:
        found = slot_of(look, meeting, said, policy) or next_slot(look, meeting, said.at)
        if found is not None or not known:
            return found
        slot = known[-1]
    found = next_slot(look, meeting, slot)
    if found is not None and found.begin == slot:
        return found
    # It had an agenda, and was scheduled anew since.
    return Span(slot, slot) if slot in known else None


def _paper(look: Look, policy: InForce, meeting_id: str, change_id: str, agenda: Agenda, said: Spoken) -> Paper:
    scope = look.row(change_scopes, change_id) or ChangeScope(change_id)
    tabled = as_tabled(scope, agenda)
    current = scope.versions[-1] if scope.versions else None
    return Paper(
        change_id,
        scope,
        look.row(board_matters, change_id) or BoardMatter(change_id),
        prospect(look, scope, policy, meeting_id, said),
        current.digest if current is not None else None,
        tabled is not None and current is not None and tabled.digest != current.digest,
    )


def said_at(ledger: Ledger, caller: Caller, meeting_id: str, form: BoardForm) -> tuple[dict[str, Any], Condition]:
    """Return the event that a form says at a meeting, and the condition that what it is about is as it was shown.

    Raises StatementError for a form that says nothing, or two things.
    """
    chosen = [name for name in ("vote", "verdict", "met") if getattr(form, name) is not None]
    if len(chosen) != 1:
        raise StatementError("expected one of vote, verdict and met", "/vote")
    data: dict[str, Any] = {"actor": caller.principal, "meeting_id": meeting_id, "change_id": form.change_id}
    change = ref("change", form.change_id)
    unchanged = [Match(SCOPES, (change,))]
    if form.vote is not None:
        event_type, data = CabVoteCast.type, data | {"vote": form.vote}
    elif form.met is not None:
        event_type, data = CabConditionMet.type, data | {"condition": form.met}
    else:
        event_type, data = CabDecisionRecorded.type, data | _decision(form)
        # Of the votes that were shown.
        unchanged.append(Match((CabVoteCast.type, CabDecisionRecorded.type), (change,)))
    identifier = f"{form.id}/{form.change_id}/{chosen[0]}"[:256]
    return event_said(ledger, caller, event_type, identifier, data), Condition(tuple(unchanged), after=form.position)


def _decision(form: BoardForm) -> dict[str, Any]:
    said: dict[str, Any] = {"verdict": form.verdict}
    if conditions := list(_words(form.conditions.split(","))):
        said["conditions"] = conditions
    return said | ({"comment": form.comment} if form.comment else {})


def _words(parts: Iterable[str]) -> Iterable[str]:
    """Yield what conditions are called: words of a sentence are joined, since each is one word."""
    for part in parts:
        if some := part.split():
            yield "-".join(some)

"""Changes before the board, as a reader sees them: how each came to a meeting, and what the board's decision comes to.

Made of what was said (`board`). Not what counts of it: that is asked of `board_leave` and `board_slots`.
"""

from dataclasses import dataclass

from ledger.conditions import AFTER_ALL
from ledger.events.cab import BoardVerdict
from projections.engine.derived import Judged
from projections.engine.reads import Look
from projections.engine.view import Moment, replace, seconds_between
from projections.readings.changes.board import BoardFacts, board_facts, board_meetings
from projections.readings.changes.board_leave import BoardCase, decided
from projections.readings.changes.board_slots import agendas_of, next_slot, slot_meant
from projections.readings.changes.scopes import ChangeScope, change_scopes
from projections.readings.environments.environments import READ_BY_ASKING
from projections.readings.people.policies import in_force_now
from projections.readings.risk.assessments import risk_assessments
from projections.readings.risk.promotions import model_promotions
from projections.rules.calendar import Span
from projections.rules.leave import Clocks


@dataclass(frozen=True)
class BoardMatter:
    """One change before the board: on the agenda of which meeting it was first, how long that was after its scope was fixed, and what
    came of it.
    """

    change_id: str
    meeting_id: str | None = None
    slot_at: Moment | None = None
    submitted_at: Moment | None = None
    tabled_at: Moment | None = None
    # From the scope to the beginning of the meeting.
    lead_s: int | None = None
    # Put on the agenda after it had been fixed, or amended since.
    is_late: bool = False
    # It waited for a later meeting, because it came after the agenda of the one before was fixed.
    missed_at: Moment | None = None
    verdict: BoardVerdict | None = None
    decided_at: Moment | None = None
    counts: bool = False
    why: str = ""
    conditions: tuple[str, ...] = ()
    unmet: tuple[str, ...] = ()


board_matters = Judged(
    "board_matters",
    version=2,
    row=BoardMatter,
    of=board_facts,
    reads=(board_meetings, change_scopes, risk_assessments, model_promotions, *READ_BY_ASKING),
    indexes=("meeting_id", "verdict", "counts", "is_late"),
    doc="Changes before the board: lead time to their meeting, late papers, cutoffs that were missed, and what its decision comes to.",
)


@board_matters.by
def matter(row: BoardFacts, look: Look) -> BoardMatter:
    """How one change came before the board, and what the board's decision comes to."""
    scope = look.row(change_scopes, row.change_id) or ChangeScope(row.change_id)
    policy = in_force_now(look)
    found = decided(look, scope, policy)
    last = found.decision
    made = BoardMatter(row.change_id, counts=found.counts, why=found.why)
    if last is not None:
        unmet = tuple(BoardCase(look, look, row, scope, policy, None, Clocks()).unmet(last))
        made = replace(made, verdict=last.verdict, decided_at=last.said.at, conditions=last.conditions, unmet=unmet)
    submitted = min((v.said for v in scope.versions if v.is_submitted), key=lambda s: s.position, default=None)
    made = replace(made, submitted_at=submitted.at if submitted is not None else None)
    for tabled in row.tabled[:1]:
        meeting = look.row(board_meetings, tabled.meeting_id)
        agenda = (
            next((a for a in meeting.agendas if a.said.position == tabled.said.position), None) if meeting else None
        )
        if meeting is None or agenda is None or (begin := slot_meant(look, meeting, agenda)) is None:
            break
        agendas = agendas_of(look, meeting, Span(begin, begin), AFTER_ALL)
        amended = [v for v in scope.versions if v.said.position > agenda.said.position and v.said.at < begin]
        since = next_slot(look, meeting, submitted.at) if submitted is not None else None
        made = replace(
            made,
            meeting_id=meeting.meeting_id,
            slot_at=begin,
            tabled_at=agenda.said.at,
            lead_s=seconds_between(made.submitted_at, begin),
            is_late=bool(amended) or (bool(agendas) and agendas[0] is not agenda),
            missed_at=since.begin if since is not None and since.begin < begin else None,
        )
    return made

"""The board: when it meets, and one meeting: its agenda as it was fixed, votes, decisions, and the minutes, which are entries."""

from itertools import chain
from typing import Annotated, Final

from fastapi import APIRouter, Path, Query
from fastapi.responses import RedirectResponse, Response

from api.console.days import moment_of
from api.console.deciding import decide
from api.console.forms import read_own_form
from api.console.pages import KnownVisit, PageRoute, page
from api.console.words import with_query
from api.desk.board import BoardForm, said_at, sitting_of
from api.desk.entries import page_of
from api.desk.posted import model_of
from api.desk.views import list_of, read_when, wait_for
from api.http.shapes import MAX_KEY, MAX_POSITION
from ledger.clock import to_text
from ledger.conditions import Match
from ledger.errors import ConditionFailedError, StatementError
from ledger.events import ref
from projections.readings.changes.board import board_facts, board_meetings
from projections.readings.changes.board_matters import board_matters

router = APIRouter(route_class=PageRoute, include_in_schema=False)
MeetingId = Annotated[str, Path(max_length=MAX_KEY)]
When = Annotated[str, Query(max_length=40)]
MEETINGS: Final = 50
MATTERS: Final = 20
MINUTES: Final = 200


@router.get("/console/board")
def meetings(visit: KnownVisit, as_of: When = "", known_at: When = "") -> Response:
    """Meetings, the one that was scheduled last at the top; and what is before the board and not decided.

    As they stand, as they stood, and as they were known.
    """
    if "" in visit.query.values():
        return RedirectResponse(with_query(visit.path, {k: v for k, v in visit.query.items() if v}), 303)
    then = moment_of(visit.ledger, as_of, known_at)
    found = list_of(visit.ledger, board_meetings, {}, sort="-start_at", limit=MEETINGS)
    waiting = list_of(visit.ledger, board_matters, {"verdict__null": "true"}, limit=MATTERS).rows
    # What was decided since was waiting then.
    ends = [({"verdict__null": "false"}, "-decided_at")]
    if not then.is_now:
        ends = [({"decided_at__lte": then.time}, "-decided_at"), ({"decided_at__gt": then.time}, "decided_at")]
    decided = (list_of(visit.ledger, board_matters, where, sort=sort, limit=MATTERS).rows for where, sort in ends)
    matters = then.stood(board_matters, chain(waiting, *decided))
    return page(
        visit,
        "board.html",
        title="Board",
        position=found.position if then.is_now else then.position,
        is_live=then.is_now,
        as_of=as_of,
        known_at=known_at,
        meetings=then.stood(board_meetings, found.rows),
        waiting=[row for row in matters if row["verdict"] is None],
        decided=[row for row in matters if row["verdict"] is not None],
    )


@router.post("/console/board/{meeting_id:rest}")
async def act(visit: KnownVisit, meeting_id: MeetingId) -> Response:
    """Vote, record a decision, or say that a condition is met: about the scope that was shown, in one's own name."""
    form = model_of(BoardForm, await read_own_form(visit.request, visit.session, tuple(BoardForm.model_fields)))
    event, condition = said_at(visit.ledger, visit.caller, meeting_id, form)
    try:
        return await decide(visit, event, condition, visit.path, {"slot": form.slot}, at=f"paper-{form.change_id}")
    except ConditionFailedError as failed:
        said = f"the scope of {form.change_id} is another by now, or somebody voted or decided meanwhile. Look at the meeting again"
        raise ConditionFailedError(said, position=failed.position) from None


@router.get("/console/board/{meeting_id:rest}")
def meeting(
    visit: KnownVisit,
    meeting_id: MeetingId,
    slot: Annotated[str, Query(max_length=40)] = "",
    recorded: Annotated[int, Query(ge=0, le=MAX_POSITION)] = 0,
) -> Response:
    """One time of a meeting: what is on its agenda, the papers that came later, and what was said."""
    if "slot" in visit.query and not slot:
        return RedirectResponse(visit.path, 303)
    when = read_when(slot or None, "slot")
    if isinstance(when, int):
        raise StatementError("expected slot to be a time with offset, such as 2026-11-23T12:00:00Z", "/slot")
    wait_for(visit.ledger, board_facts, recorded)
    sitting = sitting_of(visit.ledger, visit.caller, meeting_id, when)
    about = [Match(refs=(ref("meeting", meeting_id),))]
    minutes = page_of(visit.ledger, about, after=0, limit=MINUTES, since=None, until=None, total=False)
    return page(
        visit,
        "meeting.html",
        title=f"Meeting {meeting_id}",
        position=sitting.position,
        now=to_text(visit.ledger.clock.now_us()),
        meeting_id=meeting_id,
        sitting=sitting,
        minutes=minutes["items"][::-1],
        id=f"console/{visit.ledger.random(12).hex()}",
        recorded=recorded,
    )

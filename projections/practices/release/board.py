"""1.4 Change advisory board: schedule and compliance calendar. What needs a decision of the board is not done without one that counts."""

from itertools import product
from typing import Final

from ledger.conditions import AFTER_ALL
from ledger.events.cab import CabMeetingScheduled
from projections.engine.finding import Breach
from projections.engine.reads import Look
from projections.engine.view import Reads, later
from projections.judging.able import authors, holders
from projections.judging.findings import finding, positions_of
from projections.judging.gate_rule import NO_CHANGE, Question, Remedy, Said, gate_rule
from projections.judging.of_acts import finding_of_acts
from projections.practices.change.traceability import acts_in_production
from projections.practices.practice import Practice
from projections.readings.changes.approvals import BOARD_ROLE
from projections.readings.changes.board import (
    ComplianceWindow,
    Meeting,
    board_facts,
    board_meetings,
    compliance_windows,
)
from projections.readings.changes.board_asked import BOARD_DECISION, board_is_asked, names_the_board
from projections.readings.changes.board_leave import BOARD_DECISION_DAYS, BOARD_PAPERS, decided
from projections.readings.changes.board_matters import board_matters
from projections.readings.changes.board_slots import BOARD_MINUTES_HOURS, agendas_of, next_slot
from projections.readings.changes.scopes import ChangeScope, change_scopes, planned
from projections.readings.delivery.deployments import Deployment, change_at
from projections.readings.environments.environments import is_production
from projections.readings.people.imports import instants_of
from projections.readings.people.policies import InForce, in_force, in_force_now
from projections.readings.people.speaking import clocks_of
from projections.rules.calendar import Span, fault_of
from projections.rules.leave import asked_at

PRACTICE: Final = Practice(
    "1.4",
    "Change advisory board: schedule and compliance calendar",
    views=(board_meetings, board_facts, board_matters, compliance_windows),
    settings=(BOARD_DECISION, BOARD_PAPERS, BOARD_DECISION_DAYS, BOARD_MINUTES_HOURS),
)
# How many times of a meeting are looked at, before a change is planned to start.
SLOTS: Final = 60


@finding_of_acts(severity="high", version=3)
def deployed_without_the_board(row: Deployment, look: Look) -> Breach | None:
    """Something was deployed to production that needed a decision of the board, and there was none that counts by then."""
    for act in acts_in_production(row, look):
        clocks = clocks_of(look, act.at)
        for instant in instants_of(look, act):
            then = look.at(instant.at)
            change_id = change_at(look, row, act, instant, clocks)
            scope = look.row(change_scopes, change_id) if change_id is not None else None
            policy = in_force(then, instant.at)
            place = (act.environment or "", act.service)
            if not (asked := board_is_asked(then, policy, scope, place, instant)):
                continue
            words = f"{row.deployment_id} put {act.service} into {act.environment} {asked}"
            if scope is None:
                return Breach(f"{words}, without a change that the board could have decided about", row.positions)
            found = decided(look, scope, policy, instant)
            if not found.counts:
                position = found.decision.said.position if found.decision is not None else None
                return Breach(f"{words}, without the board: {found.why}", positions_of(act.position, position))
    return None


@finding(change_scopes, severity="low", version=2)
def misses_the_board(row: ChangeScope, look: Look) -> Breach | None:
    """A change is planned to start before any meeting of the board that it could still come before."""
    window = planned(row) if row.is_open else None
    if window is None or window.recurs is not None or look.has_come(window.end):
        return None
    policy = in_force_now(look)
    at_start, then = look.at(window.start), asked_at(window.start)
    if not any(
        is_production(look, place, window.start) and board_is_asked(at_start, policy, row, (place, service), then)
        for place, service in product(row.environments, row.services or (None,))
    ):
        return None
    if decided(look, row, policy).decision is not None:
        return None
    submitted = row.versions[0].said if row.versions else row.openings[0].said if row.openings else window.said
    for meeting in look.named(board_meetings, CabMeetingScheduled):
        since = submitted.at
        for _ in range(SLOTS):
            slot = next_slot(look, meeting, since)
            if slot is None or slot.begin > window.start:
                break
            if _may_still_come(look, row, meeting, slot):
                return None
            since = max(slot.end, later(slot.begin, minutes=1))
    words = (
        f"{row.change_id} is planned to start at {window.start}, and comes before no meeting of the board until then"
    )
    return Breach(words, positions_of(window.said.position))


def _may_still_come(look: Look, row: ChangeScope, meeting: Meeting, slot: Span) -> bool:
    """Say whether a change is on the agenda of a meeting, or could still be put there."""
    agendas = agendas_of(look, meeting, slot, AFTER_ALL)
    if any(row.change_id in agenda.changes for agenda in agendas):
        # Until its minutes are due.
        return True
    return not agendas and not look.has_come(slot.begin)


@finding(compliance_windows, severity="medium")
def compliance_window_holds_nothing(row: ComplianceWindow, look: Look) -> Breach | None:
    """A compliance window ends before it begins, or is of a zone or a rule that nobody can compute."""
    last = row.terms[-1] if row.terms else None
    if last is None or not (why := fault_of(last.times)):
        return None
    return Breach(f"compliance window {row.window_id} holds nothing: {why}", (last.said.position,))


def _members(question: Question, look: Look, policy: InForce) -> set[str]:
    """Return who votes about the question's change: members of the board, without its authors."""
    found = holders(look, policy.words(BOARD_ROLE), question.environment, question.asked_at)
    return found - authors(question, look, policy)


@gate_rule(
    version=3,
    remedies={
        "not-approved": Remedy("the scope is amended, and the board decides about that", _members),
        "": Remedy("the board decides about the change as it is, by the votes of its members", _members),
    },
)
def board_has_decided(question: Question, look: Look, policy: InForce) -> Said:
    """The board decided about the change, where the policy or the calendar of compliance asks for it."""
    at = question.asked_at
    if question.environment is None or not is_production(look, question.environment, at):
        return "allow", "not-asked-for", "the board is asked about production", ()
    scope = look.row(change_scopes, question.change_id) if question.change_id else None
    now = asked_at(at)
    asked = board_is_asked(look, policy, scope, (question.environment, question.service), now)
    if scope is None and (asked or names_the_board(policy)):
        return NO_CHANGE
    if scope is None or not asked:
        return "allow", "not-asked-for", "no decision of the board is asked for", ()
    found = decided(look, scope, policy, now)
    used = [found.decision.said.position] if found.decision is not None else []
    if found.counts:
        return "allow", "decided", f"the board approved it at {found.decision.said.at if found.decision else at}", used
    if found.reason == "not-approved":
        return "deny", found.reason, found.why, used
    return "needs_approval", found.reason, f"{found.why}; {_next(look, at)}", used


def _next(reads: Reads, at: str) -> str:
    """Say when the board meets next."""
    slots = [
        (slot.begin, meeting.meeting_id)
        for meeting in reads.named(board_meetings, CabMeetingScheduled)
        if (slot := next_slot(reads, meeting, at)) is not None
    ]
    return "no meeting is scheduled" if not slots else "the next meeting is {1} at {0}".format(*min(slots))

"""What was done for a change without leave: why it had none at an instant of the act.

An emergency is put on record, and approved, as soon afterwards as the policy allows; what it owes then is here, too. Not which approvals
count: that is `approvals`.
"""

from typing import Final, Literal

from ledger.words import number_of
from projections.engine.reads import Look
from projections.engine.view import Moment, later
from projections.readings.changes.approvals import Leave, is_anothers_rejection
from projections.readings.changes.case import Case, may_start, template_fault
from projections.readings.changes.facts import Done, change_facts
from projections.readings.changes.scopes import Version, change_scopes, in_force_at
from projections.readings.changes.ticket import Unlet
from projections.readings.delivery.acts import is_in_production, who_did
from projections.readings.people.imports import by_a_deadline, instants_of
from projections.readings.people.policies import InForce
from projections.readings.people.powers import names_behind
from projections.readings.people.settings import Number
from projections.readings.people.speaking import clocks_of
from projections.readings.people.voices import Spoken
from projections.readings.risk.assessments import risk_assessments
from projections.rules.leave import Instant, comes_before, was_there

EMERGENCY_RECORD_HOURS: Final = Number(
    "emergency-record-hours", "within how many hours of a deployment its emergency change is opened", default=24
)
RETRO_APPROVAL_HOURS: Final = Number(
    "retro-approval-hours", "within how many hours of a deployment the approvals of an emergency are given", default=24
)


def unlet_by(case: Case, act: Done) -> Unlet | None:
    """Return what was wrong when something was done for a change; None where it had leave at each instant of the act."""
    if not is_in_production(case.look, act) or case.scope.change_type in (
        None,
        "unauthorized",
    ):
        return None
    for instant in instants_of(case.look, act):
        why = _without_leave(case, act, instant)
        if why:
            return Unlet(
                act.deployment_id,
                act.service,
                act.environment,
                act.attempt,
                act.at,
                act.position,
                why,
            )
    return None


def why_unlet(look: Look, change_id: str, act: Spoken, instant: Instant) -> str:
    """Say why something that somebody did for a change, other than deploying, had no leave at an instant; empty when it had."""
    facts, scope = look.row(change_facts, change_id), look.row(change_scopes, change_id)
    if facts is None or scope is None:
        return f"{change_id} was never opened"
    risk = look.row(risk_assessments, change_id)
    case = Case(facts, scope, look, clocks_of(look, act.at), risk.assessments if risk is not None else ())
    return _without_leave(case, act, instant)


def _without_leave(case: Case, act: Done | Spoken, instant: Instant) -> str:
    """Say why something had no leave at an instant; empty when it had."""
    scope, policy = case.scope, case.policy_at(instant.at)
    if _is_emergency_procedure(case, act, policy):
        return ""
    if not any(was_there(opening.said, instant, case.clocks) for opening in scope.openings):
        return f"{scope.change_id} was not opened yet"
    cancelled = [
        d for d in case.facts.decisions if d.word == "cancelled" and comes_before(d.said, instant, case.clocks)
    ]
    if cancelled:
        return f"{scope.change_id} was cancelled at {cancelled[0].said.at}"
    version = in_force_at(scope.versions, instant, case.clocks)
    if version is None and scope.change_type != "emergency":
        return "its scope was not fixed"
    if scope.change_type == "standard" and template_fault(case, version) is None:
        sent_back = sent_back_at(case, version, instant) if version is not None else None
        return f"{scope.change_id} was sent back at {sent_back}" if sent_back is not None else ""
    leave = case.leave(policy, instant, _doers(case, act))
    if may_start(scope, leave):
        return ""
    others = "; ".join(f"{a.approver}: {a.why}" for a in leave.approvals[-10:] if a.why)
    return f"{number_of(leave.missing, 'approval')} missing" + (f" ({others})" if others else "")


def _doers(case: Case, act: Done | Spoken) -> tuple[str, ...]:
    return who_did(case.look, act) if isinstance(act, Done) else names_behind(case.look, act)


def sent_back_at(case: Case, version: Version, instant: Instant | None = None) -> Moment | None:
    """Return when a change was rejected, or returned to draft, after its scope was submitted; before an instant, if one is said."""
    for decision in case.facts.decisions:
        said = decision.said
        if (said.at, said.position) <= (version.said.at, version.said.position):
            continue
        if instant is not None and not comes_before(said, instant, case.clocks):
            continue
        is_of_this = decision.scope_digest in (None, version.stated, version.digest)
        if decision.word == "reverted" or (is_of_this and is_anothers_rejection(decision, case.scope, case.look)):
            return said.at
    return None


def _is_emergency_procedure(case: Case, act: Done | Spoken, policy: InForce) -> bool:
    """Say whether an emergency was put on record, and approved by somebody else, as soon afterwards as the policy allows."""
    scope = case.scope
    if scope.change_type != "emergency" or not scope.openings:
        return False
    opened_by = later(act.at, hours=policy.number(EMERGENCY_RECORD_HOURS))
    approved_by = later(act.at, hours=policy.number(RETRO_APPROVAL_HOURS))
    if not was_there(scope.openings[0].said, by_a_deadline(case.look, opened_by), case.clocks):
        return False
    leave = case.leave(policy, deployers=_doers(case, act))
    deadline = by_a_deadline(case.look, approved_by)
    return any(was_there(approval, deadline, case.clocks) for approval in leave.counting)


def retro_of(
    case: Case, policy: InForce, first: Done | None, leave: Leave, deployers: list[str]
) -> tuple[Moment | None, Literal["due", "on_time", "late"] | None]:
    """Say what an emergency owes, or owed: all the approvals that are asked for, within the policy's hours of its start."""
    if case.scope.change_type != "emergency" or first is None or first.is_history:
        return None, None
    at_start = case.leave(policy, Instant(first.at, first.recorded_at, first.position), deployers)
    if not at_start.missing:
        return None, None
    due = later(first.at, hours=policy.number(RETRO_APPROVAL_HOURS))
    if leave.missing:
        return due, "due"
    # Both clocks: an approval that claims an earlier time, and was recorded too late, is late.
    in_time = case.leave(policy, by_a_deadline(case.look, due), deployers)
    return due, "late" if in_time.missing else "on_time"

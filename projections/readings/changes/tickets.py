"""Change tickets: where each change is, from opening to review, as the facts and the people are known now.

Made of facts (`change_facts`, `change_scopes`) by one function, and made again whenever something it rests on is another: no ticket is
older than what is known. Facts are never refused: a deployment without leave moves the change on, and stands in `unlet` for ever.
Which approvals count is `approvals`. Longer than other files because a ticket has a column for each
step of its life, and each is asked here.
"""

from typing import Final

from ledger.events.approval import ApprovalRequested
from ledger.events.change import ChangeEscalated
from ledger.events.pir import PirCompleted
from projections.engine.derived import Judged
from projections.engine.reads import Look
from projections.engine.view import Moment, later
from projections.readings.changes.approvals import (
    Asked,
    Leave,
    authors_of,
    person_fault,
    speaker_fault,
)
from projections.readings.changes.case import Case, may_start, needs_score, template_fault
from projections.readings.changes.code import code_changes
from projections.readings.changes.commits import commits
from projections.readings.changes.facts import ChangeFacts, Decision, Done, Reviewed, change_facts
from projections.readings.changes.reviews import is_anothers
from projections.readings.changes.scopes import ChangeScope, Version, change_scopes, in_force_at
from projections.readings.changes.technical import is_asked
from projections.readings.changes.templates import templates
from projections.readings.changes.ticket import State, Ticket
from projections.readings.changes.timeline import change_timeline
from projections.readings.changes.unlet import retro_of, sent_back_at, unlet_by
from projections.readings.changes.wordings import wordings
from projections.readings.delivery.acts import is_in_production, who_did
from projections.readings.environments.environments import environments, is_meant, is_production
from projections.readings.people.credentials import credentials
from projections.readings.people.grants import access_grants
from projections.readings.people.identities import identities, person_of
from projections.readings.people.imports import beginnings, imports
from projections.readings.people.policies import InForce, in_force, in_force_now, policies
from projections.readings.people.powers import fault_of_speaker
from projections.readings.people.reconciliations import source_lists
from projections.readings.people.replacing import may_end
from projections.readings.people.settings import Number
from projections.readings.people.sources import principals_sources
from projections.readings.people.speaking import clocks_of
from projections.readings.people.voices import not_yet_said
from projections.readings.risk.assessments import Assessment, risk_assessments
from projections.readings.risk.outcomes import outcomes
from projections.readings.risk.promotions import Counting, model_promotions
from projections.rules.leave import Instant, is_ahead_of, was_there

ESCALATE_AFTER_HOURS: Final = Number(
    "escalate-after-hours",
    "within how many hours approvals are given, or the change is escalated",
    applies_to="band of risk",
    zero="no limit",
)
change_tickets = Judged(
    "change_tickets",
    version=17,
    row=Ticket,
    of=change_facts,
    reads=(
        credentials,
        identities,
        access_grants,
        principals_sources,
        policies,
        environments,
        beginnings,
        imports,
        source_lists,
        templates,
        change_scopes,
        wordings,
        change_timeline,
        code_changes,
        commits,
        risk_assessments,
        model_promotions,
        outcomes,
    ),
    about={"release": lambda row: (row.release_id,)},
    indexes=("state", "author", "environment", "release_id", "retro_due_at", "approval_due_at", "planned_end"),
    doc="Change tickets: state, approvals and which of them count, deployments, and review.",
)


@change_tickets.by
def ticket(facts: ChangeFacts, look: Look) -> Ticket:
    """Where a change is, which approvals count, what is missing, and what was done without leave."""
    scope = look.row(change_scopes, facts.change_id) or ChangeScope(facts.change_id)
    risk, outcome = look.row(risk_assessments, facts.change_id), look.row(outcomes, facts.change_id)
    done = [act for act in facts.done if not act.is_history]
    first = min(facts.done, key=lambda act: (act.at, act.position), default=None)
    began = first.at if first is not None else None
    policy = in_force(look.at(began), began) if began is not None else in_force_now(look)
    case = Case(facts, scope, look, clocks_of(look, began or _opened_at(scope)), risk.assessments if risk else ())
    deployers = tuple(dict.fromkeys(name for act in facts.done for name in who_did(look, act)))
    in_production = _deployers_to_production(facts, look)
    leave = case.leave(policy, deployers=in_production)
    version = in_force_at(scope.versions, None, case.clocks)
    fault = template_fault(case, version)
    unlet = tuple(found for act in done if (found := unlet_by(case, act)) is not None)
    scored = case.scored()
    assessed = scored.assessment if scored is not None else None
    review = _closing(case, policy, deployers, assessed)
    remaining = _remaining(case, version)
    cancelled_at = _cancelled_at(case)
    unreviewed = case.unreviewed(policy) if is_asked(policy, _type_of(scope, fault)) else None
    if cancelled_at is not None:
        state: State = "cancelled"
    elif facts.done or scope.change_type == "unauthorized":
        state = _state_once_begun(case, review, remaining)
    else:
        state = _state_before(case, leave, policy, version, fault, scored, unreviewed)
    leave_state, leave_missing = None, 0
    if state == "implementing":
        policy_now = in_force_now(look)
        leave_now = case.leave(policy_now, deployers=in_production)
        unreviewed_now = case.unreviewed(policy_now) if is_asked(policy_now, _type_of(scope, fault)) else None
        leave_state = _state_before(case, leave_now, policy_now, version, fault, scored, unreviewed_now)
        leave_missing = leave_now.missing
    requests = [d for d in facts.decisions if d.word == "requested"]
    escalations = [
        d
        for d in facts.decisions
        if d.word == "escalated" and not fault_of_speaker(look, ChangeEscalated.type, d.said, scope.environment)
    ]
    retro_due_at, retro = retro_of(case, policy, first, leave, in_production)
    return Ticket(
        facts.change_id,
        state,
        scope.change_type,
        scope.openings[0].said.at if scope.openings else None,
        scope.openings[0].said.position if scope.openings else None,
        scope.author,
        scope.authors,
        scope.team,
        scope.services,
        scope.environment,
        scope.environments,
        scope.release_id,
        scope.template_id,
        scope.scope_digest,
        scope.scope_position,
        fault,
        assessed.version_id if assessed else None,
        assessed.score if assessed else None,
        assessed.band if assessed else None,
        assessed.position if assessed else None,
        scored is not None and scored.promotion.is_provisional,
        unreviewed,
        leave.asked.roles,
        leave.asked.quorum,
        requests[-1].rule if requests else None,
        requests[-1].policy_id if requests else None,
        requests[-1].policy_version if requests else None,
        _approval_due(case, requests, version),
        escalations[-1].role if escalations else None,
        escalations[-1].said.position if escalations else None,
        leave.approvals,
        leave.missing,
        leave.approved_at,
        leave.approved_position,
        scope.planned_start,
        scope.planned_end,
        tuple(dict.fromkeys(act.deployment_id for act in facts.done)),
        tuple(dict.fromkeys(person_of(look, who) for who in deployers)),
        remaining,
        began,
        first.position if first is not None else None,
        None if first is None or not done else not unlet,
        unlet,
        max((act.finished_at or act.rolled_back_at or "" for act in facts.done), default="") or None,
        any(act.rolled_back_at is not None for act in facts.done),
        retro_due_at,
        retro,
        facts.incidents,
        review.outcome if review is not None else None,
        review.said.actor if review is not None else None,
        review.said.at if review is not None else cancelled_at,
        outcome.label if outcome is not None else None,
        leave_state,
        leave_missing,
    )


def _deployers_to_production(facts: ChangeFacts, look: Look) -> list[str]:
    return [name for act in facts.done if is_in_production(look, act) for name in who_did(look, act)]


def _opened_at(scope: ChangeScope) -> Moment:
    return scope.openings[0].said.at if scope.openings else ""


# -- where it is -----------------------------------------------------------------------------------------------------------


def _state_once_begun(case: Case, review: Reviewed | None, remaining: tuple[str, ...]) -> State:
    if review is not None:
        return "closed"
    is_through = case.scope.change_type == "unauthorized" or not remaining
    return "reviewing" if is_through and all(_has_ended(act) for act in case.facts.done) else "implementing"


def _state_before(
    case: Case,
    leave: Leave,
    policy: InForce,
    version: Version | None,
    template_fault: str | None,
    scored: Counting | None,
    unreviewed: str | None,
) -> State:
    scope = case.scope
    if version is None or not version.is_submitted or _was_sent_back(case, version):
        return "draft"
    if scope.change_type == "standard" and template_fault is None:
        return "scheduled"
    is_scored = scored is not None and scored.last.position > version.said.position
    if scope.change_type != "emergency" and needs_score(policy, _type_of(scope, template_fault)) and not is_scored:
        return "assessing"
    if unreviewed:
        return "assessing"
    return "scheduled" if may_start(scope, leave) else "authorizing"


def _type_of(scope: ChangeScope, template_fault: str | None) -> str | None:
    """A standard change without a template that holds is judged as a normal one."""
    return "normal" if scope.change_type == "standard" and template_fault is not None else scope.change_type


def _has_ended(act: Done) -> bool:
    return act.kind == "promotion" or act.finished_at is not None or act.rolled_back_at is not None


def _remaining(case: Case, version: Version | None) -> tuple[str, ...]:
    """Return what of the scope is not through: each service in each environment that it is for."""
    services = version.services if version is not None else case.scope.services
    environments = version.environments if version is not None else case.scope.environments
    through = [
        act
        for act in case.facts.done
        if act.outcome == "success" or act.kind == "promotion" or act.rolled_back_at is not None
    ]
    missing = [
        f"{service} in {place}" if place is not None else service
        for service in services
        for place in environments or (None,)
        if not any(act.service == service and is_meant(case.look, place, act.environment, act.at) for act in through)
    ]
    return tuple(missing[:100])


def _cancelled_at(case: Case) -> Moment | None:
    """Return when a change was given up: before anything was done for it that was on record by then, or soon after."""
    for decision in case.facts.decisions:
        said = decision.said
        then = Instant(said.at, later(said.recorded_at, minutes=case.clocks.lag_s // 60), said.position)
        if decision.word == "cancelled" and not any(was_there(act, then, case.clocks) for act in case.facts.done):
            return said.at
    return None


def _was_sent_back(case: Case, version: Version) -> bool:
    """Say whether a change was rejected, or returned to draft, after its scope was submitted."""
    return sent_back_at(case, version) is not None


def _approval_due(case: Case, requests: list[Decision], version: Version | None) -> Moment | None:
    if not requests or version is None or not version.is_submitted or _was_sent_back(case, version):
        return None
    # Whoever asks for another scope asks anew.
    own = [request for request in requests if request.said.position > version.said.position] or requests[-1:]
    due: Moment | None = None
    by = own[0].said
    for request in own:
        asked = request.due_at or _due_by_policy(case, request)
        # A date may be moved while it has not come: later only by who had set it, by a human, or by who has the power.
        is_open = due is None or request.said.recorded_at < due
        if asked is not None and (
            due is None or asked < due or (is_open and may_end(case.look, ApprovalRequested.type, request.said, by))
        ):
            due, by = asked, request.said
    return due


def _due_by_policy(case: Case, request: Decision) -> Moment | None:
    assessed = case.assessed()
    hours = case.policy_at(request.said.at).number(ESCALATE_AFTER_HOURS, assessed.band if assessed else None)
    return later(request.said.at, hours=hours) if hours else None


def _closing(case: Case, policy: InForce, deployers: tuple[str, ...], assessed: Assessment | None) -> Reviewed | None:
    """Return the review that closes a change: by who has the power, and somebody else than who did it, where the policy asks for that."""
    look, scope = case.look, case.scope
    band = assessed.band if assessed else None
    done = [act for act in case.facts.done if is_production(look, act.environment, act.at, by=act.actor)]
    for review in case.facts.reviewed:
        if fault_of_speaker(look, PirCompleted.type, review.said):
            continue
        if done and all(is_ahead_of(review.said, act) for act in done):
            # What is reviewed before it is done is not what was done.
            continue
        person = person_of(look, review.said.actor or "")
        own = {person_of(look, who) for who in deployers}
        if scope.change_type == "unauthorized":
            # Who did it says nothing of it, and neither does who gave it its ticket.
            own |= authors_of(look, scope)
        if person not in own or not is_anothers(policy, scope.change_type, band):
            return review
    return None


def approval_fault(facts: ChangeFacts, row: Ticket, look: Look, actor: str, at: Moment) -> str:
    """Say why an approval by somebody, by their own credential at a time, would not count; empty when it would."""
    scope = look.row(change_scopes, facts.change_id) or ChangeScope(facts.change_id)
    said = not_yet_said(actor, at)
    return speaker_fault(look, said, actor) or person_fault(
        look, actor, at, scope, Asked(row.quorum, row.required_roles), _deployers_to_production(facts, look)
    )

"""Change tickets: where each change is, from opening to review, as the facts and the people are known now.

Made of facts (`change_facts`, `change_scopes`) by one function, and made again whenever something it rests on is another: no ticket is
older than what is known. Facts are never refused: a deployment without leave moves the change on, and stands in `unlet` for ever, with
what justified it afterwards. Which approvals count is `approvals`.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from ledger.events.pir import PirCompleted
from projections.engine.derived import Judged
from projections.engine.reads import Look
from projections.engine.view import Moment, later
from projections.readings.changes.approvals import (
    Asked,
    Leave,
    authors_of,
    is_anothers_rejection,
    leave_at,
    person_fault,
    speaker_fault,
)
from projections.readings.changes.code import code_changes
from projections.readings.changes.commits import commits
from projections.readings.changes.facts import ChangeFacts, Decision, Done, Reviewed, change_facts
from projections.readings.changes.scopes import ChangeScope, Version, change_scopes, in_force_at
from projections.readings.changes.technical import is_asked, unreviewed_because
from projections.readings.changes.templates import invalid_because, templates
from projections.readings.changes.ticket import State, Ticket, Unlet
from projections.readings.environments.environments import environments, is_meant, is_production
from projections.readings.people.credentials import credentials
from projections.readings.people.grants import access_grants
from projections.readings.people.identities import identities, person_of
from projections.readings.people.imports import beginnings, instants_of
from projections.readings.people.policies import InForce, in_force, in_force_now, policies
from projections.readings.people.powers import fault_of_speaker
from projections.readings.people.reconciliations import source_lists
from projections.readings.people.settings import Number, Words
from projections.readings.people.sources import authorities
from projections.readings.people.speaking import clocks_of
from projections.readings.people.voices import Spoken, not_yet_said
from projections.readings.risk.assessments import Assessment, risk_assessments
from projections.readings.risk.outcomes import outcomes
from projections.readings.risk.promotions import Promotion, counting, model_promotions
from projections.rules.leave import AS_THINGS_STAND, Clocks, Instant, comes_before, hours_late, was_there

ESCALATE_AFTER_HOURS: Final = Number(
    "escalate-after-hours",
    "within how many hours approvals are given, or the change is escalated",
    applies_to="band of risk",
    zero="no limit",
)
RISK: Final = Words(
    "risk",
    "whether a change needs a score by an approved model",
    applies_to="type of change",
    choices=("required", "not-required"),
    default=("required",),
)
EMERGENCY_RECORD_HOURS: Final = Number(
    "emergency-record-hours", "within how many hours of a deployment its emergency change is opened", default=24
)
RETRO_APPROVAL_HOURS: Final = Number(
    "retro-approval-hours", "within how many hours of a deployment the approvals of an emergency are given", default=24
)
# Types that need no score, unless the policy says that they do.
UNSCORED: Final = ("standard", "emergency", "unauthorized")

change_tickets = Judged(
    "change_tickets",
    version=9,
    row=Ticket,
    of=change_facts,
    reads=(
        credentials,
        identities,
        access_grants,
        authorities,
        policies,
        environments,
        beginnings,
        source_lists,
        templates,
        change_scopes,
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


@dataclass(frozen=True, slots=True)
class _Case:
    """One change and all that it is judged by."""

    facts: ChangeFacts
    scope: ChangeScope
    look: Look
    clocks: Clocks
    assessments: tuple[Assessment, ...]
    # What was asked before: acts of one deployer are judged by one policy, mostly.
    known: dict[Any, Leave] = field(default_factory=dict)

    def policy_at(self, time: Moment | None) -> InForce:
        return in_force_now(self.look) if time is None else in_force(self.look.at(time), time)

    def assessed(self, instant: Instant | None = None) -> Assessment | None:
        """Return the last score by the version of a model that counted."""
        found = self.scored(instant)
        return found[0] if found is not None else None

    def scored(self, instant: Instant | None = None) -> tuple[Assessment, Promotion] | None:
        there = [a for a in self.assessments if instant is None or was_there(a, instant, self.clocks)]
        return counting(self.look, there)

    def leave(self, policy: InForce, instant: Instant | None = None, deployers: Iterable[str] = ()) -> Leave:
        asked = (policy, instant, tuple(dict.fromkeys(deployers)))
        if asked not in self.known:
            band = found.band if (found := self.assessed(instant)) is not None else self._unscored(policy)
            self.known[asked] = leave_at(
                self.facts,
                self.scope,
                self.look,
                policy=policy,
                clocks=self.clocks,
                band=band,
                instant=instant,
                deployers=asked[2],
            )
        return self.known[asked]

    def unreviewed(self, policy: InForce) -> str | None:
        """Say why what the change does is not technically reviewed, as things stand; None where it is."""
        fault = unreviewed_because(self.facts, self.scope, self.look, policy, self.clocks, AS_THINGS_STAND)
        return fault or None

    def _unscored(self, policy: InForce) -> str | None:
        # Of a type that needs no score, no band is asked for; else nothing known is the highest.
        return None if needs_score(policy, self.scope.change_type) else "unscored"


def needs_score(policy: InForce, change_type: str | None) -> bool:
    """Say whether changes of a type need a score."""
    said = policy.words(RISK, change_type)
    if policy.version is None or not policy.says(RISK, change_type):
        return change_type not in UNSCORED
    return "required" in said


@change_tickets.by
def ticket(facts: ChangeFacts, look: Look) -> Ticket:
    """Where a change is, which approvals count, what is missing, and what was done without leave."""
    scope = look.row(change_scopes, facts.change_id) or ChangeScope(facts.change_id)
    risk, outcome = look.row(risk_assessments, facts.change_id), look.row(outcomes, facts.change_id)
    done = [act for act in facts.done if not act.is_history]
    first = min(facts.done, key=lambda act: (act.at, act.position), default=None)
    began = first.at if first is not None else None
    policy = in_force(look.at(began), began) if began is not None else in_force_now(look)
    case = _Case(facts, scope, look, clocks_of(look, began or _opened_at(scope)), risk.assessments if risk else ())
    deployers = tuple(dict.fromkeys(act.actor for act in facts.done if act.actor is not None))
    in_production = _deployers_to_production(facts, look)
    leave = case.leave(policy, deployers=in_production)
    version = in_force_at(scope.versions, None, case.clocks)
    fault = _template_fault(case, version)
    unlet = tuple(found for act in done if (found := _unlet(case, act)) is not None)
    scored = case.scored()
    assessed = scored[0] if scored is not None else None
    review = _closing(case, deployers, assessed)
    remaining = _remaining(case, version)
    cancelled_at = _cancelled_at(case, first)
    unreviewed = case.unreviewed(policy) if is_asked(policy, _type_of(scope, fault)) else None
    if cancelled_at is not None:
        state: State = "cancelled"
    elif facts.done or scope.change_type == "unauthorized":
        state = _state_once_begun(case, review, remaining)
    else:
        state = _state_before(case, leave, policy, version, fault, assessed, unreviewed)
    requests = [d for d in facts.decisions if d.word == "requested"]
    escalations = [d for d in facts.decisions if d.word == "escalated"]
    retro_due_at, retro = _retro(case, policy, first, leave, in_production)
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
        scored is not None and scored[1].is_provisional,
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
    )


def _deployers_to_production(facts: ChangeFacts, look: Look) -> list[str]:
    return [
        act.actor
        for act in facts.done
        if act.actor is not None and is_production(look, act.environment, act.at, by=act.actor)
    ]


def _opened_at(scope: ChangeScope) -> Moment:
    return scope.openings[0].said.at if scope.openings else ""


# -- where it is -----------------------------------------------------------------------------------------------------------


def _state_once_begun(case: _Case, review: Reviewed | None, remaining: tuple[str, ...]) -> State:
    if review is not None:
        return "closed"
    is_through = case.scope.change_type == "unauthorized" or not remaining
    return "reviewing" if is_through and all(_has_ended(act) for act in case.facts.done) else "implementing"


def _state_before(
    case: _Case,
    leave: Leave,
    policy: InForce,
    version: Version | None,
    template_fault: str | None,
    assessed: Assessment | None,
    unreviewed: str | None,
) -> State:
    scope = case.scope
    if version is None or not version.is_submitted or _was_sent_back(case, version):
        return "draft"
    if scope.change_type == "standard" and template_fault is None:
        return "scheduled"
    is_scored = assessed is not None and assessed.position > version.said.position
    if scope.change_type != "emergency" and needs_score(policy, _type_of(scope, template_fault)) and not is_scored:
        return "assessing"
    if unreviewed:
        return "assessing"
    return "scheduled" if may_start(scope, leave) else "authorizing"


def _type_of(scope: ChangeScope, template_fault: str | None) -> str | None:
    """A standard change without a template that holds is judged as a normal one."""
    return "normal" if scope.change_type == "standard" and template_fault is not None else scope.change_type


def may_start(scope: ChangeScope, leave: Leave) -> bool:
    """Say whether the approvals there are let a change start. An emergency may with one; the others are owed afterwards."""
    return leave.missing == 0 or (scope.change_type == "emergency" and bool(leave.counting))


def _has_ended(act: Done) -> bool:
    return act.kind == "promotion" or act.finished_at is not None or act.rolled_back_at is not None


def _remaining(case: _Case, version: Version | None) -> tuple[str, ...]:
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


def _cancelled_at(case: _Case, first: Done | None) -> Moment | None:
    """Return when a change was given up: before anything was done for it."""
    found = [d.said for d in case.facts.decisions if d.word == "cancelled"]
    before = [s for s in found if first is None or (s.at, s.position) < (first.at, first.position)]
    return before[0].at if before else None


def _was_sent_back(case: _Case, version: Version) -> bool:
    """Say whether a change was rejected, or returned to draft, after its scope was submitted."""
    scope, look = case.scope, case.look
    for decision in case.facts.decisions:
        if (decision.said.at, decision.said.position) <= (version.said.at, version.said.position):
            continue
        if decision.word == "reverted":
            return True
        is_of_this = decision.scope_digest in (None, version.stated, version.digest)
        if is_of_this and is_anothers_rejection(decision, scope, look):
            return True
    return False


def _approval_due(case: _Case, requests: list[Decision], version: Version | None) -> Moment | None:
    if not requests or version is None or not version.is_submitted or _was_sent_back(case, version):
        return None
    last = requests[-1]
    if last.due_at is not None:
        return last.due_at
    assessed = case.assessed()
    hours = case.policy_at(last.said.at).number(ESCALATE_AFTER_HOURS, assessed.band if assessed else None)
    return later(last.said.at, hours=hours) if hours else None


def _closing(case: _Case, deployers: tuple[str, ...], assessed: Assessment | None) -> Reviewed | None:
    """Return the review that closes a change: by who has the power, and somebody else than who did it, unless its risk is low."""
    look, scope = case.look, case.scope
    band = assessed.band if assessed else None
    for review in case.facts.reviewed:
        if fault_of_speaker(look, PirCompleted.type, review.said):
            continue
        person = person_of(look, review.said.actor or "")
        own = {person_of(look, who) for who in deployers}
        if scope.change_type == "unauthorized":
            # Who did it says nothing of it, and neither does who gave it its ticket.
            own |= authors_of(look, scope)
        if person not in own or (band == "low" and scope.change_type != "unauthorized"):
            return review
    return None


def _template_fault(case: _Case, version: Version | None) -> str | None:
    """Say why a standard change does not rest on its template: as the template stood when the scope was submitted."""
    scope = case.scope
    if scope.change_type != "standard" or version is None or not version.is_submitted:
        return None
    template = case.look.row(templates, scope.template_id) if scope.template_id else None
    return invalid_because(template, version.said.at, case.facts.template_failures, case.look)


# -- whether it was let ------------------------------------------------------------------------------------------------------


def _unlet(case: _Case, act: Done) -> Unlet | None:
    """Return what was wrong when something was done for a change; None where it had leave at each instant of the act."""
    if not is_production(case.look, act.environment, act.at, by=act.actor) or case.scope.change_type in (
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
                _justified(case, act),
            )
    return None


def why_unlet(look: Look, change_id: str, act: Spoken, instant: Instant) -> str:
    """Say why something that somebody did for a change, other than deploying, had no leave at an instant; empty when it had."""
    facts, scope = look.row(change_facts, change_id), look.row(change_scopes, change_id)
    if facts is None or scope is None:
        return f"{change_id} was never opened"
    risk = look.row(risk_assessments, change_id)
    case = _Case(facts, scope, look, clocks_of(look, act.at), risk.assessments if risk is not None else ())
    return _without_leave(case, act, instant)


def _without_leave(case: _Case, act: Done | Spoken, instant: Instant) -> str:
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
    if scope.change_type == "standard" and _template_fault(case, version) is None:
        return ""
    leave = case.leave(policy, instant, (act.actor,) if act.actor is not None else ())
    if may_start(scope, leave):
        return ""
    others = "; ".join(f"{a.approver}: {a.why}" for a in leave.approvals[-10:] if a.why)
    return f"{leave.missing} approval(s) missing" + (f" ({others})" if others else "")


def _is_emergency_procedure(case: _Case, act: Done | Spoken, policy: InForce) -> bool:
    """Say whether an emergency was put on record, and approved by somebody else, as soon afterwards as the policy allows."""
    scope = case.scope
    if scope.change_type != "emergency" or not scope.openings:
        return False
    opened_by = later(act.at, hours=policy.number(EMERGENCY_RECORD_HOURS))
    approved_by = later(act.at, hours=policy.number(RETRO_APPROVAL_HOURS))
    if scope.openings[0].said.recorded_at > opened_by:
        return False
    leave = case.leave(policy, deployers=(act.actor,) if act.actor is not None else ())
    return any(approval.recorded_at <= approved_by for approval in leave.counting)


def _justified(case: _Case, act: Done) -> str:
    """Say what came afterwards that would have given leave, and how late; empty when nothing did."""
    policy = case.policy_at(act.at)
    leave = case.leave(policy, deployers=(act.actor,) if act.actor is not None else ())
    if leave.missing or leave.approved_position is None:
        return ""
    last = next(a for a in leave.approvals if a.position == leave.approved_position)
    return f"justified afterwards, by {last.approver}, {hours_late(act.at, last.recorded_at)} hour(s) late"


def _retro(
    case: _Case, policy: InForce, first: Done | None, leave: Leave, deployers: list[str]
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
    in_time = case.leave(policy, Instant(due, due, max(a.position for a in leave.approvals) + 1), deployers)
    return due, "late" if in_time.missing else "on_time"


def approval_fault(facts: ChangeFacts, row: Ticket, look: Look, actor: str, at: Moment) -> str:
    """Say why an approval by somebody, by their own credential at a time, would not count; empty when it would."""
    scope = look.row(change_scopes, facts.change_id) or ChangeScope(facts.change_id)
    said = not_yet_said(actor, at)
    return speaker_fault(look, said, actor) or person_fault(
        look, actor, at, scope, Asked(row.quorum, row.required_roles), _deployers_to_production(facts, look)
    )

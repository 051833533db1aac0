"""5.1 Deployments tied to change tickets, both ways: of its artifacts, within its window, approved before, as the gate allowed; and no
change without one.

Longer than other files because each rule looks at the same acts and scopes, by both clocks.
"""

import dataclasses
from collections.abc import Iterator
from typing import Final

from ledger.words import number_of
from projections.engine.finding import Breach
from projections.engine.reads import Look
from projections.engine.view import later, replace
from projections.judging.able import approvers, authors, nobody_approves
from projections.judging.findings import finding, positions_of
from projections.judging.gate_rule import (
    BY_STATE,
    NO_CHANGE,
    NO_DEPLOYMENT,
    Question,
    Remedy,
    Said,
    by_state,
    deployment_of,
    gate_rule,
    last_fact,
    of_change,
)
from projections.judging.of_a_change import CHANGE, needs_change, rule_of_a_change
from projections.judging.of_a_gate import DEPLOY_GATE, Kind, against_the_gate
from projections.judging.of_acts import finding_of_acts
from projections.practices.change.approvals import change_is_approved
from projections.practices.practice import Practice
from projections.readings.changes.commits import is_of
from projections.readings.changes.facts import change_facts
from projections.readings.changes.scopes import (
    MOST,
    ChangeScope,
    Opening,
    Version,
    change_scopes,
    in_force_at,
    is_for,
    planned,
    why_outside,
    worded_at,
)
from projections.readings.changes.ticket import Ticket
from projections.readings.changes.tickets import change_tickets
from projections.readings.changes.timeline import change_timeline
from projections.readings.changes.wordings import wordings
from projections.readings.delivery.acts import Act, is_in_production
from projections.readings.delivery.deployments import Deployment, change_at, change_of, deployments, runs
from projections.readings.delivery.gate_decisions import ALLOW_MINUTES, gate_decisions
from projections.readings.delivery.named_services import NamedService, named_services
from projections.readings.environments.environments import canonical, is_production
from projections.readings.people.identities import are_same
from projections.readings.people.imports import instants_of
from projections.readings.people.policies import InForce, in_force
from projections.readings.people.speaking import clocks_of
from projections.readings.people.voices import Spoken
from projections.rules.calendar import covering, fault_of
from projections.rules.leave import Clocks, Instant, hours_late, is_reported_late, was_there
from projections.rules.recurrence import NotComputableError
from projections.rules.words import listed

PRACTICE: Final = Practice(
    "5.1",
    "Deployments tied to change tickets, both ways",
    views=(
        change_tickets,
        change_facts,
        change_timeline,
        change_scopes,
        wordings,
        deployments,
        named_services,
        gate_decisions,
    ),
    settings=(DEPLOY_GATE, CHANGE, ALLOW_MINUTES),
)


@finding(change_tickets, severity="high")
def started_without_approval(row: Ticket, look: Look) -> Breach | None:
    """A change was implemented before it was approved. Approvals that came later, or are dated back, justify nothing."""
    if not row.unlet:
        return None
    first = row.unlet[0]
    words = f"{row.change_id} started at {first.at} without approval ({first.why})"
    if len(row.unlet) > 1:
        words += f", and {number_of(len(row.unlet) - 1, 'time')} more"
    positions = (*(act.position for act in row.unlet), *(approval.position for approval in row.approvals))
    return Breach(words, positions_of(*positions), first.position)


@finding(change_tickets, severity="high")
def unauthorized_change(row: Ticket, look: Look) -> Breach | None:
    """A change was made that nobody had asked for; somebody else has to say what it was, and to review it."""
    if row.change_type != "unauthorized" or row.state == "closed":
        return None
    return Breach(f"{row.change_id} was not authorized", positions_of(row.opened_position))


@finding(change_scopes, severity="medium", version=2)
def opened_twice(row: ChangeScope, look: Look) -> Breach | None:
    """A change was opened again as another one: of another type, of other services, or by somebody else. It stays what it was."""
    first, *others = row.openings or (None,)
    if first is None:
        return None
    different = [
        opening
        for opening in others
        if opening is not None
        and (
            opening.change_type != first.change_type
            or set(opening.services) != set(first.services)
            or _names(opening, look) != _names(first, look)
            or not are_same(look, opening.said.actor or "", first.said.actor or "")
        )
    ]
    if not different:
        return None
    who = listed(dict.fromkeys(opening.said.actor or "" for opening in different))
    return Breach(
        f"{row.change_id} was opened again as another change, by {who}",
        positions_of(first.said.position, *(opening.said.position for opening in different)),
        different[0].said.position,
    )


def _names(opening: Opening, look: Look) -> set[str]:
    return {canonical(look, name, opening.said.at) for name in opening.environments}


@finding(change_scopes, severity="low")
def stated_digest_differs(row: ChangeScope, look: Look) -> Breach | None:
    """What was stated as the digest of a scope is not the digest of what the scope says."""
    wrong = [version for version in row.versions if version.stated is not None and version.stated != version.digest]
    if not wrong:
        return None
    last = wrong[-1]
    return Breach(
        f"the scope of {row.change_id} is {last.digest}, and was stated as {last.stated}",
        positions_of(*(version.said.position for version in wrong)),
    )


@finding(change_scopes, severity="medium")
def scope_said_too_often(row: ChangeScope, look: Look) -> Breach | None:
    """A change was opened, submitted, amended or scheduled so often that it counts no more: what is to be done else is another change."""
    if row.uncounted_from is None:
        return None
    return Breach(
        f"{row.change_id} was opened, submitted with its amendments, or scheduled more than {MOST} times; what came after does not count",
        (row.uncounted_from,),
    )


@finding(change_scopes, severity="low")
def planned_by_who_may_not(row: ChangeScope, look: Look) -> Breach | None:
    """Somebody gave a change another window than it had, and had no power to: it keeps the one that it had."""
    if row.not_planned is None:
        return None
    words = f"{row.not_planned.speaker} planned {row.change_id} anew, which others had planned, and it stays as it was"
    return Breach(words, (row.not_planned.position,))


@finding(change_tickets, severity="low", version=2)
def approved_and_not_deployed(row: Ticket, look: Look) -> Breach | None:
    """The time planned for an approved change passed, and nothing was deployed where it is for, or to production."""
    if row.state not in ("scheduled", "implementing") or not look.has_come(row.planned_end):
        return None
    scope, facts = look.row(change_scopes, row.change_id), look.row(change_facts, row.change_id)
    if scope is None or any(
        act.environment is None
        or is_for(look, scope.environments, act.environment, act.at)
        or is_production(look, act.environment, act.at)
        for act in (facts.done if facts is not None else ())
    ):
        return None
    if (window := planned(scope)) is not None and window.recurs is not None:
        # Its time comes again.
        return None
    return Breach(
        f"{row.change_id} was planned until {row.planned_end}, and not deployed", positions_of(row.approved_position)
    )


def acts_in_production(row: Deployment, look: Look) -> Iterator[Act]:
    """Yield what was done to production, and is no history that was imported."""
    yield from (
        act for act in row.acts if not act.is_history and act.environment is not None and is_in_production(look, act)
    )


def _scope(look: Look, change_id: str | None) -> ChangeScope | None:
    return look.row(change_scopes, change_id) if change_id is not None else None


@finding(named_services, severity="medium")
def service_spelled_in_two_ways(row: NamedService, look: Look) -> Breach | None:
    """Something was deployed of services whose names differ by letter case alone: what a policy asks of one it does not ask of others."""
    if len(row.spellings) < 2:
        return None
    names = listed(spelling.name for spelling in row.spellings)
    return Breach(f"the name {row.name} is spelled {names}: what is asked of one is not asked of another")


@finding(deployments, severity="low")
def linked_by_who_may_not(row: Deployment, look: Look) -> Breach | None:
    """Somebody said that a deployment is of another change than the one it is of, and had no power to take it away from that: it stays."""
    if row.not_moved is None:
        return None
    words = f"{row.deployment_id} was linked to {row.not_moved.change_id} by {row.not_moved.said.speaker}, and stays of {row.change_id}"
    return Breach(words, positions_of(row.positions[0], row.not_moved.said.position))


@finding_of_acts(severity="high", version=5)
def deployment_without_change(row: Deployment, look: Look) -> Breach | None:
    """Something was deployed to production, and no change was open for it by then. What is opened or linked later excuses nothing, and
    one that says itself that it was not authorized is none.
    """
    for act in acts_in_production(row, look):
        words = f"{row.deployment_id} put {act.service} into {act.environment} without a change"
        clocks, late, unauthorized = clocks_of(look, act.at), [], []
        for instant in instants_of(look, act):
            if not needs_change(in_force(look.at(instant.at), instant.at), look, act.environment, instant.at):
                continue
            change_id = change_of(look, row, act, instant, clocks)
            scope = _scope(look, change_id)
            if scope is None or not scope.openings:
                named = f": {change_id} was never opened" if change_id else ""
                return Breach(words + named, row.positions, act.position)
            opened = scope.openings[0].said
            late += [] if was_there(opened, instant, clocks) else [opened]
            late += [] if change_at(look, row, act, instant, clocks) is not None else [row.links[-1].said]
            unauthorized += [opened] if scope.change_type == "unauthorized" else []
        if late and not is_emergency_procedure(row, _scope(look, row.change_id), look):
            return Breach(words, positions_of(*row.positions, late[-1].position), act.position)
        if unauthorized:
            return Breach(words, positions_of(*row.positions, unauthorized[0].position), act.position)
    return None


def is_emergency_procedure(row: Deployment, scope: ChangeScope | None, look: Look) -> bool:
    """Say whether it was an emergency that was put on record, and approved, as soon as the policy asks: then the ticket says so."""
    if scope is None or scope.change_type != "emergency" or row.change_id is None:
        return False
    ticket = look.row(change_tickets, row.change_id)
    return ticket is not None and not any(unlet.deployment_id == row.deployment_id for unlet in ticket.unlet)


@finding_of_acts(severity="high", version=5)
def artifact_not_approved(row: Deployment, look: Look) -> Breach | None:
    """What was deployed, or where, was not of the change's scope by then. A scope that is amended later excuses nothing."""
    for act in acts_in_production(row, look):
        clocks = clocks_of(look, act.at)
        for instant in instants_of(look, act):
            scope = _scope(look, change_of(look, row, act, instant, clocks))
            version = worded_at(scope, instant, clocks) if scope is not None else None
            fault = _outside(act, version, look) if version is not None else None
            if fault is None or version is None or scope is None:
                continue
            words = f"{row.deployment_id} deployed {fault}, not of {scope.change_id}"
            return Breach(words, positions_of(version.said.position, *row.positions), act.position)
    return None


def _outside(act: Act, version: Version, look: Look) -> str | None:
    """Return what of an act is outside of a scope, in words."""
    if act.service is not None and act.service not in version.services:
        return act.service
    if not is_for(look, version.environments, act.environment, act.at):
        return f"to {act.environment}"
    others = [artifact for artifact in act.artifacts if artifact not in version.artifacts]
    if version.artifacts and others:
        return others[0]
    if version.commits and not (version.artifacts and act.artifacts):
        return next((commit for commit in act.commits if not is_of(look, commit, version.commits)), None)
    return None


@finding_of_acts(severity="medium")
def artifact_not_said(row: Deployment, look: Look) -> Breach | None:
    """A change's scope names what is to be deployed, and nobody said of what was deployed anything to hold against that, for longer than
    evidence may take. It ends when somebody says it; then that is held against the scope.
    """
    for act in acts_in_production(row, look):
        clocks = clocks_of(look, act.at)
        until = later(act.recorded_at, minutes=clocks.lag_s // 60)
        for instant in instants_of(look, act):
            scope = _scope(look, change_of(look, row, act, instant, clocks))
            version = worded_at(scope, instant, clocks) if scope is not None else None
            if version is None or scope is None or not (version.artifacts or version.commits):
                continue
            is_said = (version.artifacts and act.artifacts) or (version.commits and act.commits)
            # Asked last: of what is said nothing is waited for.
            if not is_said and look.has_come(until):
                words = f"{row.deployment_id} put {act.service} into {act.environment}, and nobody said what, of {scope.change_id}"
                return Breach(words, positions_of(version.said.position, act.position), act.position)
    return None


@finding_of_acts(severity="medium", version=4)
def outside_window(row: Deployment, look: Look) -> Breach | None:
    """A change was deployed before or after the time that was planned for it by then, or that its scope is for."""
    for act in acts_in_production(row, look):
        clocks = clocks_of(look, act.at)
        for instant in instants_of(look, act):
            scope = _scope(look, change_of(look, row, act, instant, clocks))
            for said, why in _outside_windows(scope, instant, clocks) if scope is not None else ():
                did = "started" if instant.at == act.at else "was reported"
                words = f"{row.deployment_id} {did} at {instant.at}, {why}"
                return Breach(words, positions_of(said.position, act.position), act.position)
    return None


def _outside_windows(scope: ChangeScope, instant: Instant, clocks: Clocks) -> Iterator[tuple[Spoken, str]]:
    """Yield by what a change was not to be done at an instant: its own scope, as somebody approved it; or the window that it was given."""
    version = in_force_at(scope.versions, instant, clocks)
    window = in_force_at(scope.windows, instant, clocks)
    if version is not None and (why := version.why_outside(instant.at)):
        yield version.said, why
    if window is not None and (why := why_outside(window, instant.at)):
        yield window.said, why


@finding(change_scopes, severity="medium")
def window_holds_nothing(row: ChangeScope, look: Look) -> Breach | None:
    """A change's window ends before it begins, or is of a zone or a rule that nobody can compute."""
    window = planned(row)
    if window is None or not (why := fault_of(window.times)):
        return None
    return Breach(f"the window of {row.change_id} holds nothing: {why}", (window.said.position,))


@finding_of_acts(severity="low", version=2)
def reported_late(row: Deployment, look: Look) -> Breach | None:
    """Something that was done to production was recorded later than the policy allows: it is judged as of then, too."""
    for act in acts_in_production(row, look):
        if is_reported_late(act, clocks_of(look, act.at)):
            hours = hours_late(act.at, act.recorded_at)
            words = (
                f"{row.deployment_id} of {act.at} was recorded at {act.recorded_at}, {number_of(hours, 'hour')} late"
            )
            return Breach(words, positions_of(act.position))
    return None


# -- the gate and the act ------------------------------------------------------------------------------------------------


def _of_kind(row: Deployment, look: Look, kind: Kind) -> Breach | None:
    found = next((act for act in against_the_gate(row, look) if act.kind == kind), None)
    if found is None:
        return None
    positions = positions_of(found.act.position, found.said.position if found.said is not None else None)
    return Breach(found.words, positions, found.act.position)


@finding_of_acts(severity="high", version=4)
def gate_bypassed(row: Deployment, look: Look) -> Breach | None:
    """The policy asks for the gate, and nobody had asked it, or its `allow` was over or used up, when something was deployed."""
    return _of_kind(row, look, "bypassed")


@finding_of_acts(severity="high", version=4)
def deployed_against_the_gate(row: Deployment, look: Look) -> Breach | None:
    """The gate had not allowed it, and it was deployed all the same."""
    return _of_kind(row, look, "against")


@finding_of_acts(severity="high", version=4)
def deployed_by_another_artifact(row: Deployment, look: Look) -> Breach | None:
    """The gate had allowed another artifact or commit than the one that was deployed."""
    return _of_kind(row, look, "another")


@rule_of_a_change(
    version=4,
    remedies={**BY_STATE, "authorizing": Remedy("the approvals that are missing", approvers, nobody_approves)},
)
@of_change
def change_may_start(ticket: Ticket, question: Question, look: Look, policy: InForce) -> Said:
    """The change is scheduled, or being implemented and would still be let start. The answer tells what of its scope is still to come."""
    # That somebody says that it has begun lets nobody go on.
    state = ticket.leave_state or ticket.state
    if state == "authorizing":
        missing = ticket.leave_missing if ticket.leave_state is not None else ticket.missing_approvals
        words = f"{ticket.change_id} waits for {number_of(missing, 'approval')}"
        return "needs_approval", "authorizing", words, last_fact(ticket, look)
    verdict, reason, words, used = by_state(replace(ticket, state=state), look, "scheduled")
    if ticket.remaining:
        words += f"; still to come: {listed(ticket.remaining)}"
    return verdict, reason, words, used


@rule_of_a_change(
    version=3,
    remedies={
        "no-scope": Remedy("its author submits the change with what is to be deployed (change.submitted)", authors),
        "no-artifact": Remedy(
            "an author amends the scope by the artifact (change.scope_amended), and it is approved anew", authors
        ),
        "": Remedy(
            "what was approved is deployed; or an author amends the scope (change.scope_amended), and it is approved anew",
            authors,
        ),
    },
)
def deployed_is_approved(question: Question, look: Look, policy: InForce) -> Said:
    """Service, environment and artifact are those of the scope that was approved; and so is the commit, where both are said."""
    scope = look.row(change_scopes, question.change_id) if question.change_id else None
    version = in_force_at(scope.versions, None, clocks_of(look, question.asked_at)) if scope is not None else None
    if version is None:
        return "insufficient_evidence", "no-scope", "the change's scope was never fixed", ()
    used = [version.said.position]
    if question.service is None or question.environment is None or question.artifact is None:
        return "insufficient_evidence", "not-said", "expected service, environment and artifact in the question", used
    if question.service not in version.services:
        return "deny", "other-service", f"{question.service} is not of {listed(version.services)}", used
    if not is_for(look, version.environments, question.environment, question.asked_at):
        return "deny", "other-environment", f"the change is for {listed(version.environments)}", used
    if not version.artifacts:
        return "insufficient_evidence", "no-artifact", "the scope names no artifact", used
    if question.artifact not in version.artifacts:
        return "deny", "other-artifact", f"{question.artifact} is not the approved artifact", used
    if version.commits and question.commit is not None and not is_of(look, question.commit, version.commits):
        return "deny", "other-commit", f"{question.commit} is not of {listed(version.commits)}", used
    return "allow", "as-approved", "service, environment and artifact are those of the scope", used


_PROMOTED: Final = {**deployed_is_approved.remedies, **change_is_approved.remedies}


@gate_rule(version=2, remedies=_PROMOTED)
def promoted_is_approved(question: Question, look: Look, policy: InForce) -> Said:
    """What goes to production is of the scope of a change that is approved, as what is deployed there is; where the policy asks for one.
    It is what was deployed last under that id.
    """
    row = deployment_of(question, look)
    last = runs(row) if row is not None else None
    return _is_approved(question, look, policy, last.artifacts[-1] if last is not None and last.artifacts else None)


@gate_rule(version=1, name="promoted_is_approved", remedies=_PROMOTED)
def first_promoted_is_approved(question: Question, look: Look, policy: InForce) -> Said:
    """As it was asked before: of what was deployed first under that id."""
    row = deployment_of(question, look)
    return _is_approved(question, look, policy, question.artifact or (row.artifact if row is not None else None))


def _is_approved(question: Question, look: Look, policy: InForce, artifact: str | None) -> Said:
    row, there, at = deployment_of(question, look), question.to_environment, question.asked_at
    if row is None:
        return NO_DEPLOYMENT
    if there is None:
        return "insufficient_evidence", "not-said", "expected in the question where it is promoted to", ()
    if not is_production(look, there, at) or not needs_change(policy, look, there, at):
        return "allow", "not-asked-for", f"no change is asked for in {there}", ()
    asked = dataclasses.replace(
        question,
        environment=there,
        change_id=question.change_id or row.change_id,
        service=question.service or row.service,
        artifact=artifact or question.artifact,
    )
    found = [rule.judge(asked, look, policy) for rule in (deployed_is_approved, change_is_approved)]
    return next((said for said in found if said[0] != "allow"), found[-1])


@rule_of_a_change(
    version=3,
    remedies={
        "": Remedy("the deployment waits for the window, or the change is scheduled anew (change.scheduled)", authors)
    },
)
def window_is_open(question: Question, look: Look, policy: InForce) -> Said:
    """Now is within the planned window, where the change was given one, and within that of its scope, where that names one."""
    scope = look.row(change_scopes, question.change_id) if question.change_id else None
    if scope is None:
        return NO_CHANGE
    version = in_force_at(scope.versions, None, clocks_of(look, question.asked_at))
    if version is not None and (why := version.why_outside(question.asked_at)):
        return "deny", "outside-scope", why, [version.said.position]
    if (window := planned(scope)) is None:
        return "allow", "no-window", "no window was planned", ()
    used = [window.said.position]
    try:
        if covering(window.times, question.asked_at) is not None:
            return "allow", "within-window", f"planned {window}", used
    except NotComputableError as error:
        words = f"planned {window}, which cannot be computed: {error}"
        return "insufficient_evidence", "not-computable", words, used
    return "deny", "outside-window", f"planned {window}", used

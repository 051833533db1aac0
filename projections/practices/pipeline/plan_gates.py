"""2.1 Stage gates with validation of infrastructure as code: what is applied is the very plan that was checked and approved, as a whole.

A plan is named by the digest of its JSON, so that whoever checks, approves and applies speaks of the same. An approval is one of a change
whose scope names the plan. A plan of a part only is applied when somebody else disposed of the finding that says so: that is the waiver.
Whatever a gate is asked, it is asked of one thing. Longer than other files because what is asked, and what is applied, is judged alike.
"""

from collections import defaultdict
from collections.abc import Iterator
from typing import Final

from ledger.events import ref
from ledger.events.change import ChangeScopeAmended, ChangeSubmitted
from ledger.events.finding import FindingDisposed
from ledger.events.iac import PlanProduced, PlanValidated
from projections.engine.finding import Breach
from projections.engine.reads import Look
from projections.engine.view import Around
from projections.judging.able import authors, both, holding, may, whoever_asks
from projections.judging.findings import finding, positions_of
from projections.judging.gate_rule import Question, Remedy, Said, gate_rule
from projections.judging.letting import let_pass
from projections.practices.change.approvals import change_is_approved
from projections.practices.practice import Practice
from projections.readings.changes.commits import is_same as is_same_commit
from projections.readings.changes.scopes import ChangeScope, Version, change_scopes, in_force_at, is_for
from projections.readings.changes.unlet import why_unlet
from projections.readings.delivery.acts import Act
from projections.readings.delivery.deployments import Deployment, deployments
from projections.readings.environments.environments import is_meant, is_production, names_for, same_environment
from projections.readings.infrastructure.plans import Application, Check, Plan, plan_applications, plan_changes, plans
from projections.readings.people.imports import instants_of
from projections.readings.people.policies import InForce, in_force
from projections.readings.people.replacing import standing
from projections.readings.people.settings import Words
from projections.readings.people.speaking import clocks_of
from projections.rules.leave import Instant, was_there
from projections.rules.words import listed

PRACTICE: Final = Practice(
    "2.1", "Stage gates with validation of infrastructure as code", views=(plans, plan_changes, plan_applications)
)
_ASKED: Final = ("required", "optional")
PLAN_VALIDATION: Final = Words(
    "plan-validation",
    "whether a plan must have passed a check before it is applied",
    applies_to="environment",
    choices=_ASKED,
    nothing="`required` in production",
)
PLAN_APPROVAL: Final = Words(
    "plan-approval",
    "whether a plan must be of a change that is approved before it is applied",
    applies_to="environment",
    choices=_ASKED,
    nothing="`required` in production",
)
# How many changes whose scopes name a plan are looked at: the last ones.
LATEST: Final = 16
# Of the versions of the format, those that are read; a major version may mean anything (terraform-json refuses it, too).
MAJORS: Final = ("0", "1")


def _is_asked_for(setting: Words, look: Look, policy: InForce, environment: str, at: str, actor: str | None) -> bool:
    words = policy.words(setting, *names_for(look, policy, environment, at))
    return "required" in words if words else is_production(look, environment, at, by=actor)


# -- what is wrong with a plan ---------------------------------------------------------------------------------------------


def _fault_of(plan: Plan) -> tuple[str, str]:
    """Return why a plan is not to be applied, as a word and in words; nothing where it may be, or is of a part only."""
    if plan.said is None:
        return "no-plan", "nobody told of this plan"
    if (plan.format_version or "").partition(".")[0] not in MAJORS:
        return "unknown-format", f"it is of the format {plan.format_version}, of which nobody here knows what it means"
    if plan.contradicted is not None:
        return "told-twice", "it was told twice, and not as doing the same"
    if plan.errored:
        return "errored", "it was not made to its end: its tool failed"
    return "", ""


@finding(plans, severity="medium")
def plan_of_a_part(row: Plan, look: Look) -> Breach | None:
    """A plan says that it leaves something out. Whoever is to apply it all the same needs somebody else to dispose of this."""
    if row.said is None or row.complete is not False or row.errored:
        return None
    where = f" for {row.environment}" if row.environment is not None else ""
    return Breach(f"the plan {row.plan}{where} is not complete", positions_of(row.said.position))


def _checks_by(plan: Plan, look: Look, instant: Instant | None, at: str) -> list[Check]:
    """Return what stands of the checks of a plan by each tool: as things stand, or as was on record when somebody acted."""
    clocks, by_tool = clocks_of(look, at), defaultdict[str, list[Check]](list)
    for check in plan.checks:
        if instant is None or was_there(check.said, instant, clocks):
            by_tool[check.tool].append(check)
    return [check for told in by_tool.values() for check in standing(look, PlanValidated.type, told)]


# -- findings --------------------------------------------------------------------------------------------------------------


@finding(plan_applications, severity="high", version=3)
def unfit_plan_applied(row: Application, look: Look) -> Breach | None:
    """A plan was applied of which nobody had told, that its tool had not made to its end, of which nobody knows what it means, or that is
    for another environment.
    """
    for instant, plan in _instants(row, look):
        _, why = _fault_of(plan) if _was_told(plan, look, instant) else ("", "nobody had told of this plan by then")
        if not why and not is_meant(look, plan.environment, row.environment, instant.at):
            why = f"it is for {plan.environment}"
        if why:
            return _breach(row, plan, why)
    return None


@finding(plan_applications, severity="high", version=2)
def unchecked_plan_applied(row: Application, look: Look) -> Breach | None:
    """A plan was applied that had not passed a check by then, or had failed one. What is checked afterwards excuses nothing."""
    for instant, plan in _instants(row, look):
        if not _was_asked_for(PLAN_VALIDATION, row, look, instant):
            continue
        checks = _checks_by(plan, look, instant, instant.at)
        failed = [check.tool for check in checks if check.verdict == "failed"]
        if failed or not checks:
            why = f"{listed(failed)} had found against it" if failed else "nothing had checked it"
            return _breach(row, plan, why, *(check.said.position for check in checks))
    return None


@finding(plan_applications, severity="high", version=4)
def unapproved_plan_applied(row: Application, look: Look) -> Breach | None:
    """A plan was applied that was of no change which had been approved by then. What is approved afterwards excuses nothing."""
    for instant, plan in _instants(row, look):
        if _was_asked_for(PLAN_APPROVAL, row, look, instant) and (why := _without_approval(row, plan, look, instant)):
            return _breach(row, plan, why)
    return None


def _instants(row: Application, look: Look) -> Iterator[tuple[Instant, Plan]]:
    """Yield when an application is judged, with what there is of its plan."""
    if row.said is None or row.plan is None or row.is_history:
        return
    plan = look.row(plans, row.plan) or Plan(row.plan)
    for instant in instants_of(look, row.said):
        yield instant, plan


def _was_told(plan: Plan, look: Look, instant: Instant) -> bool:
    return plan.said is not None and was_there(plan.said, instant, clocks_of(look, instant.at))


def _was_asked_for(setting: Words, row: Application, look: Look, instant: Instant) -> bool:
    policy = in_force(look.at(instant.at), instant.at)
    return _is_asked_for(setting, look, policy, row.environment or "", instant.at, row.actor)


def _without_approval(row: Application, plan: Plan, look: Look, instant: Instant) -> str:
    # What is told of a plan afterwards ties it to no change.
    change_id = row.change_id or (plan.change_id if _was_told(plan, look, instant) else None)
    if row.said is None:
        return "it was of no change"
    if change_id is not None:
        return _unlet_by(look.row(change_scopes, change_id), change_id, plan, row, look, instant)
    # Nobody said for which change: then one that is approved, and whose scope names this very plan, is the one.
    whys = [
        _unlet_by(scope, scope.change_id, plan, row, look, instant)
        for scope in dict.fromkeys(
            scope
            for event in (ChangeSubmitted, ChangeScopeAmended)
            for scope in look.named(
                change_scopes, event, ref("plan", plan.plan), limit=Around(row.said.position, LATEST)
            )
        )
    ]
    return "" if "" in whys else next(iter(whys), "it was of no change")


def _unlet_by(
    scope: ChangeScope | None, change_id: str, plan: Plan, row: Application, look: Look, instant: Instant
) -> str:
    """Say why a change did not let a plan be applied at an instant, or ""."""
    if scope is None or row.said is None:
        return f"{change_id} was never opened"
    version = in_force_at(scope.versions, instant, clocks_of(look, instant.at))
    if version is None or plan.plan not in version.plans:
        return f"the scope of {change_id} did not name it"
    if not is_for(look, version.environments, row.environment, instant.at):
        return f"{change_id} is for {listed(version.environments)}"
    return why_unlet(look, change_id, row.said, instant)


def _breach(row: Application, plan: Plan, why: str, *more: int) -> Breach:
    made = plan.said.position if plan.said is not None else None
    at, position = (row.said.at, row.said.position) if row.said is not None else ("", None)
    words = f"{row.actor} applied the plan {row.plan} to {row.environment} at {at}: {why}"
    return Breach(words, positions_of(made, position, *more))


# -- the gate --------------------------------------------------------------------------------------------------------------

_NOT_SAID: Final[Said] = ("insufficient_evidence", "not-said", "expected a plan and an environment in the question", ())


@gate_rule(remedies={"": Remedy("the question names what belongs together, and nothing else")})
def question_is_of_one_thing(question: Question, look: Look, policy: InForce) -> Said:
    """What the question names belongs together: service, environment, artifact and commit are the deployment's, or the plan's, that it
    names; and so is the change.
    """
    if question.gate != "promote" and question.to_environment is not None:
        return "deny", "of-several", f"{question.to_environment} is named as that to which something is promoted", ()
    scope = look.row(change_scopes, question.change_id) if question.change_id is not None else None
    version = in_force_at(scope.versions, None, clocks_of(look, question.asked_at)) if scope is not None else None
    used: list[int | None] = [version.said.position] if version is not None else []
    row = look.row(deployments, question.deployment_id) if question.deployment_id is not None else None
    if question.gate in ("promote", "rollback") and row is not None:
        used += row.positions
        if not any(_is_of_act(question, act, look) for act in row.acts):
            return "deny", "of-several", f"{row.deployment_id} put something else, or put it elsewhere", used
        if question.change_id is not None and question.change_id != row.change_id and not _names_act(version, row):
            return "deny", "of-several", f"{row.deployment_id} is not of {question.change_id}", used
    plan = look.row(plans, question.plan) if question.plan is not None else None
    if plan is not None and plan.said is not None:
        used.append(plan.said.position)
        if None not in (question.service, plan.service) and question.service != plan.service:
            return "deny", "of-several", f"the plan is of {plan.service}", used
        if plan.environment is not None and not is_meant(
            look, question.environment, plan.environment, question.asked_at
        ):
            return "deny", "of-several", f"the plan is for {plan.environment}", used
    is_named = question.plan is None or (version is not None and question.plan in version.plans)
    if question.change_id is not None and not is_named:
        return "deny", "of-several", f"the scope of {question.change_id} does not name the plan", used
    return "allow", "of-one", "what the question names belongs together", used


def _is_of_act(question: Question, act: Act, look: Look) -> bool:
    """Say whether a question is of what was deployed. What to go back to is another artifact."""
    is_there = question.environment is None or same_environment(
        look, question.environment, act.environment, question.asked_at
    )
    if question.service not in (None, act.service) or not is_there or question.gate == "rollback":
        return question.service in (None, act.service) and is_there
    is_it = question.artifact is None or not act.artifacts or question.artifact in act.artifacts
    return is_it and (question.commit is None or act.commit is None or is_same_commit(question.commit, act.commit))


def _names_act(version: Version | None, row: Deployment) -> bool:
    """Say whether the scope of another change names what was deployed."""
    return (
        version is not None
        and row.service in version.services
        and (not version.artifacts or row.artifact is None or row.artifact in version.artifacts)
    )


@gate_rule(
    version=3,
    remedies={
        "no-plan": Remedy("the plan is told (iac.plan_produced)", holding(PlanProduced)),
        "incomplete": Remedy("what is missing of the plan is told (iac.plan_changes_reported)"),
        "of-a-part": Remedy(
            "the whole is planned; or somebody who did not make it lets the plan pass (finding.disposed)",
            may(FindingDisposed, but=both(whoever_asks, authors)),
        ),
        "": Remedy("a plan of this environment and commit is made anew, and that is applied"),
    },
)
def plan_may_be_applied(question: Question, look: Look, policy: InForce) -> Said:
    """The plan is known, whole, of this environment and commit, of a format that is read, and was not applied yet."""
    if question.plan is None or question.environment is None:
        return _NOT_SAID
    row = look.row(plans, question.plan)
    if row is None or row.said is None:
        return "insufficient_evidence", "no-plan", "nobody told of this plan", ()
    used: list[int | None] = [row.said.position]
    word, why = _fault_of(row)
    if word:
        return "deny", word, why, used
    if row.missing:
        parts = listed(map(str, row.missing))
        return "insufficient_evidence", "incomplete", f"of the plan there is no part {parts}", used
    at = question.asked_at
    if row.environment is not None and not same_environment(look, row.environment, question.environment, at):
        return "deny", "other-environment", f"the plan is for {row.environment}", used
    if question.commit is not None and row.commit is not None and not is_same_commit(question.commit, row.commit):
        return "deny", "other-commit", f"the plan is of {row.commit}", used
    if row.applied_position is not None:
        return "deny", "applied", f"it was applied at {row.applied_at}", [*used, row.applied_position]
    if row.complete is False:
        waived = let_pass(look, "plan-of-a-part", row.plan)
        if waived is None:
            return "deny", "of-a-part", "the plan is not complete, and nobody else let that pass", used
        return "allow", "waived", "the plan is not complete, and somebody else let that pass", [*used, waived]
    if row.complete is None:
        return "allow", "not-said-whole", "the plan may be applied; its tool does not say whether it is complete", used
    return "allow", "whole", "the plan is whole", used


@gate_rule(
    version=2,
    remedies={
        "failed": Remedy("what was found against the plan is mended, and it is planned anew"),
        "": Remedy("a tool checks the plan (iac.validated)", holding(PlanValidated)),
    },
)
def plan_is_validated(question: Question, look: Look, policy: InForce) -> Said:
    """The very plan passed the checks that were made of it, and at least one was; where that is asked for."""
    if question.plan is None or question.environment is None:
        return _NOT_SAID
    if not _is_asked_for(PLAN_VALIDATION, look, policy, question.environment, question.asked_at, question.actor):
        return "allow", "not-asked-for", "no check of plans is asked for", ()
    row = look.row(plans, question.plan)
    checks = _checks_by(row, look, None, question.asked_at) if row is not None else []
    used = [check.said.position for check in checks]
    if failed := [check.tool for check in checks if check.verdict == "failed"]:
        return "deny", "failed", f"{listed(failed)} found against the plan", used
    if not checks:
        return "insufficient_evidence", "not-validated", "nothing checked this plan", used
    return "allow", "validated", f"{listed(check.tool for check in checks)} checked the plan", used


_APPROVED: Final = {
    **change_is_approved.remedies,
    "no-scope": Remedy("its author submits the change with the plan (change.submitted)", authors),
    "other-plan": Remedy(
        "an author amends the scope by this plan (change.scope_amended), and it is approved anew", authors
    ),
    "": change_is_approved.remedies["quorum"],
}


@gate_rule(version=4, remedies=_APPROVED)
def plan_is_approved(question: Question, look: Look, policy: InForce) -> Said:
    """The very plan is of the scope of a change for that environment, and that is approved; where that is asked for."""
    scope = look.row(change_scopes, question.change_id) if question.change_id is not None else None
    version = in_force_at(scope.versions, None, clocks_of(look, question.asked_at)) if scope is not None else None
    found = _is_approved(question, look, policy, version)
    if found[0] != "allow" or version is None or found[1] == "not-asked-for":
        return found
    if not is_for(look, version.environments, question.environment, question.asked_at):
        words = f"the change is for {listed(version.environments)}"
        return "deny", "other-environment", words, [version.said.position]
    return found


@gate_rule(version=3, name="plan_is_approved", remedies=_APPROVED)
def plan_is_approved_somewhere(question: Question, look: Look, policy: InForce) -> Said:
    """As it was asked before: wherever the change is for."""
    scope = look.row(change_scopes, question.change_id) if question.change_id is not None else None
    version = in_force_at(scope.versions, None, clocks_of(look, question.asked_at)) if scope is not None else None
    return _is_approved(question, look, policy, version)


def _is_approved(question: Question, look: Look, policy: InForce, version: Version | None) -> Said:
    if question.plan is None or question.environment is None:
        return _NOT_SAID
    if not _is_asked_for(PLAN_APPROVAL, look, policy, question.environment, question.asked_at, question.actor):
        return "allow", "not-asked-for", "no approval of plans is asked for", ()
    if version is None:
        return "insufficient_evidence", "no-scope", "expected a change whose scope names the plan", ()
    if question.plan not in version.plans:
        return (
            "deny",
            "other-plan",
            f"the scope of {question.change_id} does not name this plan",
            [version.said.position],
        )
    return change_is_approved.judge(question, look, policy)

"""2.3 Least-privilege permissions of pipelines: who deploys holds a grant, nobody speaks for others or without the power, and no
credential is left unused, unrenewed, without an owner or good for anything; nor does anybody let less be asked of a branch unseen.

How long is too long, the policy says, as it is in force when the time comes; without such a setting nothing is. Longer than other files
because of every setting that rests on what anybody may say, it is named here by which statement.
"""

from collections.abc import Iterator
from typing import Final

from ledger.events.access import AccessGranted
from ledger.events.access_review import AccessReviewItemDecided
from ledger.events.attestation import AttestationReceived
from ledger.events.backup import BackupCompleted
from ledger.events.change import ChangeImpactAssessed
from ledger.events.code_review import CodeReviewSubmitted
from ledger.events.compatibility import CompatibilityTested
from ledger.events.deployment import DeploymentVerified
from ledger.events.environment import EnvironmentConfigCompared, EnvironmentReadyAttested, EnvironmentTtlExtended
from ledger.events.error_budget import ErrorBudgetMeasured
from ledger.events.iac import PlanValidated
from ledger.events.identifiers import name_of
from ledger.events.pipeline_run import PipelineRunFinished
from ledger.events.resource import ResourceTagged
from ledger.events.restore import RestoreVerified
from ledger.events.risk import RiskAssessed, RiskModelPublished
from ledger.events.rollback import RollbackDecided, RollbackTriggerDefined
from ledger.events.scan import ScanCompleted
from ledger.events.secret import SecretRotated
from ledger.events.service import ServiceProvisioned
from ledger.events.state import StateObserved
from ledger.events.strategy import StrategySelected
from ledger.events.test import ManifestAccepted, ShardFinished
from projections.engine.finding import Breach
from projections.engine.reads import Look
from projections.engine.view import Moment, later
from projections.judging.able import may
from projections.judging.findings import finding, positions_of
from projections.judging.gate_rule import Question, Remedy, Said, gate_rule, ticket_of
from projections.judging.of_acts import finding_of_acts
from projections.practices.change.impact import IMPACT_ASSESSMENT
from projections.practices.environments.readiness import READINESS_GATE
from projections.practices.environments.stateful import BACKUP_GATE, RESTORE_TEST_DAYS, RPO_MINUTES
from projections.practices.environments.tags import REQUIRED_TAG
from projections.practices.environments.teardown import LIFETIME_HOURS
from projections.practices.environments.tiers import PARITY_DAYS, PARITY_PERCENT
from projections.practices.improvement.access_reviews import ACCESS_REVIEW_DAYS
from projections.practices.infrastructure.scanning import SECRET_GATE
from projections.practices.infrastructure.versioning import PROVIDER_UPGRADES
from projections.practices.monitoring.health import VERIFICATION
from projections.practices.pipeline.baselines import STATE_ACCOUNT
from projections.practices.pipeline.code_scans import SCAN_TOOL
from projections.practices.pipeline.isolation import BUILDER, VERIFIER
from projections.practices.pipeline.parallel_tests import TEST_SUITE
from projections.practices.pipeline.plan_gates import PLAN_VALIDATION
from projections.practices.practice import Practice
from projections.practices.release.objectives import ERROR_BUDGET
from projections.practices.release.strategies import RELEASE_STRATEGY
from projections.practices.release.triggers import ROLLBACK_TRIGGERS
from projections.readings.changes.approvals import BANDS, BOARD_BAND, QUORUM, REQUIRED_ROLE
from projections.readings.changes.board_asked import BOARD_DECISION
from projections.readings.changes.branch_protections import Protection, branch_protections
from projections.readings.delivery.acts import Act, Report
from projections.readings.delivery.deployments import Deployment
from projections.readings.environments.environments import names_for, same_environment
from projections.readings.people.credentials import credentials
from projections.readings.people.doubts import Doubt, doubts
from projections.readings.people.grants import Grant, Span, access_grants
from projections.readings.people.grants_held import has_ended_by_now, last_rotated_at, last_used_at, standing_span
from projections.readings.people.identities import person_of
from projections.readings.people.imports import instants_of, is_history
from projections.readings.people.permission_use import UNUSED_AFTER_DAYS, permission_use
from projections.readings.people.policies import POLICY, InForce, Policy, in_force, in_force_now, policies
from projections.readings.people.powers import ROLE_FOR, fault_of_speaker, is_for_oneself
from projections.readings.people.roles import roles_of, roles_on_record
from projections.readings.people.settings import ANY, Number, Words
from projections.readings.people.voices import voice_fault
from projections.readings.risk.models import risk_models
from projections.rules.protection import ALLOWING
from projections.rules.words import listed

PRACTICE: Final = Practice(
    "2.3",
    "Least-privilege permissions of pipelines",
    views=(access_grants, permission_use, credentials, doubts, policies, branch_protections),
    settings=(ROLE_FOR, UNUSED_AFTER_DAYS),
)
DEPLOYER_ROLE: Final = Words(
    "deployer-role", "a role that whoever deploys must hold", applies_to="environment", is_several=True, nothing="none"
)
DORMANT_AFTER_DAYS: Final = Number(
    "dormant-after-days",
    "how many days a service may hold a grant without using it",
    applies_to="environment",
    zero="no limit",
)
ROTATE_WITHIN_DAYS: Final = Number(
    "rotate-within-days", "how many days a service may use the same secret", applies_to="environment", zero="no limit"
)

ADMIN_BYPASS: Final = Words(
    "admin-bypass",
    "whether whoever administers a repository may pass by the rules of its branches",
    applies_to="repository",
    choices=("allowed", "forbidden"),
    default=("allowed",),
)


def _service_span(row: Grant, look: Look) -> Span | None:
    """Return what stands of a grant that a service holds; None where it is over, or a human's."""
    span = standing_span(look, row)
    return None if span is None or span.principal_kind != "service" or has_ended_by_now(row, look) else span


def _end_of(span: Span, setting: Number, since: Moment | None, look: Look) -> Moment | None:
    """Return when a grant to a service has been without something for as long as the policy allows; None for no limit."""
    policy, since = in_force_now(look), max(span.said.at, since or "")
    days = policy.number(setting, *names_for(look, policy, span.environment, since))
    return later(since, days=days) if days else None


@finding(access_grants, severity="medium", version=2)
def ownerless_credential(row: Grant, look: Look) -> Breach | None:
    """A service holds a grant that nobody answers for."""
    span = _service_span(row, look)
    if span is None or span.owner not in (None, span.principal):
        return None
    return Breach(f"nobody owns {row.grant_id} ({span.role}) of {span.principal}", positions_of(span.said.position))


@finding(access_grants, severity="medium", version=2)
def dormant_credential(row: Grant, look: Look) -> Breach | None:
    """A service holds a grant that it has not used for longer than the policy allows, as far as uses are recorded."""
    span = _service_span(row, look)
    if span is None:
        return None
    last = last_used_at(look, row, span)
    end = _end_of(span, DORMANT_AFTER_DAYS, last, look)
    if not look.has_come(end):
        return None
    used = f"since {last}" if last is not None else "at all"
    words = f"{span.principal} has not used {row.grant_id} ({span.role}) {used}, the policy allows it until {end}"
    return Breach(words, positions_of(span.said.position))


@finding(access_grants, severity="medium", version=2)
def unrotated_credential(row: Grant, look: Look) -> Breach | None:
    """A service uses the same secret for longer than the policy allows."""
    span = _service_span(row, look)
    if span is None:
        return None
    last = last_rotated_at(look, row, span)
    end = _end_of(span, ROTATE_WITHIN_DAYS, last, look)
    if not look.has_come(end):
        return None
    since = f"since {last}" if last is not None else "yet"
    words = f"the secret of {row.grant_id} ({span.role}) of {span.principal} was not rotated {since}, due at {end}"
    return Breach(words, positions_of(span.said.position))


def _fault_of(row: Doubt, look: Look) -> str:
    if row.type is None or row.said is None:
        return ""
    return fault_of_speaker(look, row.type, row.said, row.environment)


@finding(doubts, severity="high")
def spoken_for_another(row: Doubt, look: Look) -> Breach | None:
    """S12: something that gives leave was said in the name of somebody by a credential that may not speak for them. It does not count."""
    fault = _fault_of(row, look)
    if not fault.startswith("S12: "):
        return None
    return Breach(f"{row.type} does not count: {fault}", positions_of(row.position))


@finding(doubts, severity="high")
def without_power(row: Doubt, look: Look) -> Breach | None:
    """Something that gives leave was said by somebody who had no power to say it. It does not count."""
    fault = _fault_of(row, look)
    if not fault or fault.startswith("S12: "):
        return None
    return Breach(f"{row.type} does not count: {fault}", positions_of(row.position))


@finding(access_grants, severity="high")
def power_given_to_oneself(row: Grant, look: Look) -> Breach | None:
    """Somebody granted themselves something, under any login, or two hold their power by each other. Such a grant does not count."""
    found = [(span, words) for span in row.spans if (words := is_for_oneself(look, span))]
    if not found:
        return None
    words = listed(f"{row.grant_id}: {words}" for _, words in found)
    return Breach(words, positions_of(*(span.said.position for span, _ in found)))


@finding_of_acts(severity="high", version=3)
def deployer_without_grant(row: Deployment, look: Look) -> Breach | None:
    """Who put something somewhere held no grant of the role that the policy asks for, at that time; or when they reported it late. Whoever
    tells of it needs one, too, where they name nobody, or somebody for whom they may not speak.
    """
    for act in row.acts:
        if act.is_history:
            continue
        for instant in instants_of(look, act):
            then = look.at(instant.at)
            policy = in_force(then, instant.at)
            roles = policy.words(DEPLOYER_ROLE, *names_for(then, policy, act.environment, instant.at))
            for who, did in _answerable(row, act, look) if roles else ():
                if not set(roles) & set(roles_on_record(then, who, instant, act.environment)):
                    words = f"{who} {did} {row.deployment_id} without a grant of {' or '.join(roles)}"
                    return Breach(words, positions_of(act.position))
    return None


def _answerable(row: Deployment, act: Act, look: Look) -> Iterator[tuple[str, str]]:
    """Yield who has to hold the role, each with what they did."""
    if act.actor is not None:
        did = "promoted" if act.kind == "promotion" else "started" if act.started_at is not None else "deployed"
        yield act.actor, did
    if act.reported_by is not None and not any(_vouches(report, act, look) for report in row.reports):
        named = f", as {act.actor}'s," if act.actor is not None else ""
        yield act.reported_by, f"told{named} of"


def _vouches(report: Report, act: Act, look: Look) -> bool:
    """Say whether a report of something that was done names whoever did it, and may speak for them."""
    is_of_it = act.at <= report.said.at <= (act.finished_at or act.at) and report.service in (None, act.service)
    is_there = report.environment is None or same_environment(look, report.environment, act.environment, act.at)
    is_named = act.actor is not None and report.said.actor == act.actor
    return is_of_it and is_there and is_named and not voice_fault(look, report.said, "anybody")


# -- too much ------------------------------------------------------------------------------------------------------------


@finding(access_grants, severity="medium", version=2)
def wildcard_grant(row: Grant, look: Look) -> Breach | None:
    """Somebody holds a grant for anything: one that names * as what it is for, or, of a service, one that names nothing at all."""
    span = standing_span(look, row)
    if span is None or has_ended_by_now(row, look):
        return None
    named = [name_of(name) for name in (span.environment, span.resource) if name is not None]
    stars = [name for name in named if "*" in name]
    if not stars and (named or span.principal_kind != "service"):
        return None
    words = f"{span.principal} holds {row.grant_id} ({span.role}) for {listed(stars) or 'every environment and every resource'}"
    return Breach(words, positions_of(span.said.position))


# Settings that rest on what somebody says, with the values at which they do (none: at all but 0), and the type of event.
_RESTING: Final = (
    (BUILDER.name, (), PipelineRunFinished.type),
    (VERIFIER.name, (), AttestationReceived.type),
    (SECRET_GATE.name, ("required",), SecretRotated.type),
    (TEST_SUITE.name, (), ShardFinished.type),
    (TEST_SUITE.name, (), ManifestAccepted.type),
    (BOARD_BAND.name, (), RiskAssessed.type),
    (SCAN_TOOL.name, (), ScanCompleted.type),
    (PLAN_VALIDATION.name, ("required",), PlanValidated.type),
    (READINESS_GATE.name, ("required",), EnvironmentReadyAttested.type),
    (BACKUP_GATE.name, ("required",), BackupCompleted.type),
    (BACKUP_GATE.name, ("required",), ServiceProvisioned.type),
    (RPO_MINUTES.name, (), BackupCompleted.type),
    (RESTORE_TEST_DAYS.name, (), RestoreVerified.type),
    (PARITY_DAYS.name, (), EnvironmentConfigCompared.type),
    (PARITY_PERCENT.name, (), EnvironmentConfigCompared.type),
    (REQUIRED_TAG.name, (), ResourceTagged.type),
    (ERROR_BUDGET.name, ("enforced",), ErrorBudgetMeasured.type),
    (STATE_ACCOUNT.name, ("required",), StateObserved.type),
    (PROVIDER_UPGRADES.name, ("tested",), CompatibilityTested.type),
    (IMPACT_ASSESSMENT.name, ("required", "when-shared"), ChangeImpactAssessed.type),
    (RELEASE_STRATEGY.name, ("required",), StrategySelected.type),
    (VERIFICATION.name, ("required",), DeploymentVerified.type),
    # What any human may say of others' work, and who holds no power, too.
    (ACCESS_REVIEW_DAYS.name, (), AccessReviewItemDecided.type),
    (ROLLBACK_TRIGGERS.name, (), RollbackDecided.type),
    (ROLLBACK_TRIGGERS.name, (), RollbackTriggerDefined.type),
    (LIFETIME_HOURS.name, (), EnvironmentTtlExtended.type),
)
# Settings that ask for more where a score is high: so they rest on whoever scores first, where they name a band.
_BY_BAND: Final = (QUORUM.name, REQUIRED_ROLE.name, BOARD_DECISION.name)
# A feature that the ledger computes of what people say of each other's code.
_OF_REVIEWS: Final = "independent_reviewers"


@finding(policies, severity="low", version=6)
def policy_believes_anybody(row: Policy, look: Look) -> Breach | None:
    """A policy rests on what is said of builders, verifiers, secrets, tests, scans, checks of plans, readiness, backups, restores, parity,
    tags, budgets, states, trials, impacts, strategies, health, access, scores, rollbacks, triggers or lifetimes, or an approved risk model
    on who reviews code; and it names no role for whoever says it (`role-for`).
    """
    for version in row.versions:
        if version is not row.versions[-1] and version.version != row.in_force:
            continue
        roles = {setting.applies_to for setting in version.settings if setting.name == ROLE_FOR.name}
        asked = [
            f"{name} on {event_type}"
            for name, values, event_type in _RESTING
            if roles.isdisjoint((event_type, ANY))
            and any(s.name == name and (s.value in values if values else s.value != "0") for s in version.settings)
        ]
        if roles.isdisjoint((RiskAssessed.type, ANY)):
            bands = {s.value for s in version.settings if s.name == BANDS.name} or set(BANDS.default)
            asked += [
                f"{s.name} of {s.applies_to} on {RiskAssessed.type}"
                for s in version.settings
                if s.name in _BY_BAND and s.applies_to in bands
            ]
        if row.policy_id == POLICY and roles.isdisjoint((CodeReviewSubmitted.type, ANY)):
            asked += [f"risk model {name} on {CodeReviewSubmitted.type}" for name in _weighing_reviews(look)]
        if asked:
            words = f"{row.policy_id} {version.version} rests {listed(asked)}, and names no role for it"
            return Breach(words, positions_of(version.published_position))
    return None


def _weighing_reviews(look: Look) -> list[str]:
    """Return the approved risk models by which a change is scored lower because of who reviews it."""
    models = look.named(risk_models, RiskModelPublished, limit=64)
    weighing = [row for row in models if any(parameter.name == _OF_REVIEWS for parameter in row.parameters)]
    return sorted({row.version_id for row in weighing if row.is_approved})


@finding(branch_protections, severity="high")
def branch_rules_weakened(row: Protection, look: Look) -> Breach | None:
    """Somebody let a code host ask for less before code is merged. That it asks for as much again afterwards does not undo it."""
    found = [one for one in row.weakened if not is_history(look, one.said)]
    if not found:
        return None
    words = listed(f"{one.said.speaker} at {one.said.at}: {listed(one.what)}" for one in found)
    return Breach(
        f"less is asked of {row.branch} in {row.repository}: {words}",
        positions_of(*(one.said.position for one in found)),
    )


@finding(branch_protections, severity="medium")
def admins_may_bypass(row: Protection, look: Look) -> Breach | None:
    """Whoever administers a repository may pass by what is asked of everybody else, and the policy says that they may not."""
    if row.said is None or row.state != "protected" or row.repository is None:
        return None
    if "forbidden" not in in_force_now(look).words(ADMIN_BYPASS, row.repository):
        return None
    rules = {rule.name: rule.value for rule in row.rules}
    free = [name for name, value in rules.items() if value == "non_admins" and name not in ALLOWING]
    if rules.get("admins_enforced") == "true" or ("admins_enforced" not in rules and not free):
        return None
    words = f"admins pass by the rules of {row.branch} in {row.repository}"
    return Breach(words + (f": {listed(free)}" if free else ""), positions_of(row.said.position))


# -- the gate ------------------------------------------------------------------------------------------------------------


@gate_rule(
    remedies={
        "S2": Remedy("somebody else deploys, who did not approve the change"),
        "no-grant": Remedy("whoever deploys is granted the role (access.granted)", may(AccessGranted)),
    }
)
def deployer_is_allowed(question: Question, look: Look, policy: InForce) -> Said:
    """S2: who deploys did not approve; and holds a grant of the role that the policy asks for."""
    if question.actor is None:
        return "insufficient_evidence", "not-said", "expected an actor in the question", ()
    ticket, person = ticket_of(question, look), person_of(look, question.actor)
    for approval in ticket.approvals if ticket else ():
        if approval.counts and approval.person == person:
            return "deny", "S2", f"{question.actor} approved the change", [approval.position]
    roles = policy.words(DEPLOYER_ROLE, *names_for(look, policy, question.environment, question.asked_at))
    if not roles:
        return "allow", "not-asked-for", "the policy names no role for deploying", ()
    held = roles_of(look, question.actor, question.asked_at, question.environment)
    granted = sorted(held[role] for role in roles if role in held)
    if not granted:
        return "deny", "no-grant", f"{question.actor} holds no grant of {' or '.join(roles)}", ()
    return "allow", "granted", f"{question.actor} may deploy to {question.environment}", granted

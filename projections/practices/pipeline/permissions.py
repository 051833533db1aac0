"""2.3 Least-privilege permissions of pipelines: who deploys holds a grant, and no credential is left unused, unrenewed or without an owner.

How long is too long, the policy says, as it is in force when the time comes; without such a setting nothing is.
"""

from collections.abc import Callable
from typing import Final

from projections.engine.derived import Breach, Due, Index, Wake
from projections.engine.view import Moment, Reads, later
from projections.judging.findings import findings, positions_of, rows_since_approval
from projections.judging.gate_rule import Question, Said, gate_rule, ticket_of
from projections.practices.practice import Practice
from projections.readings.delivery.deployments import Deployment, deployments
from projections.readings.people.grants import Grant, access_grants, has_ended, roles_of
from projections.readings.people.identities import Identity, identities, logins_of, person_of
from projections.readings.people.policies import InForce, Policy, in_force, policies, takes_effect_at

PRACTICE: Final = Practice(
    "2.3",
    "Least-privilege permissions of pipelines",
    views=(access_grants,),
    to_come="wildcards, and what was granted and not used",
)

# What says whether a service holds a grant, and since when.
_HELD: Final = (
    "principal", "principal_kind", "role", "environment", "granted_at", "granted_position", "expires_at", "revoked_at",
)  # fmt: skip


def _grants_to_services(policy: Policy, index: Index) -> list[str]:
    return [grant.grant_id for grant in index.find(access_grants, "principal_kind", "service")]


def _end_of(row: Grant, setting: str, since: Moment | None, now: Moment, index: Reads) -> Moment | None:
    """Return when a grant to a service has been without something for as long as the policy allows; None for no limit."""
    if row.principal_kind != "service" or row.granted_at is None:
        return None
    days = in_force(index, now).number(setting, row.environment, default=0)
    return later(max(row.granted_at, since or ""), days=days) if days else None


def _unused_until(row: Grant, now: Moment, index: Reads) -> Moment | None:
    return _end_of(row, "dormant-after-days", row.last_used_at, now, index)


def _same_secret_until(row: Grant, now: Moment, index: Reads) -> Moment | None:
    return _end_of(row, "rotate-within-days", row.rotated_at, now, index)


def _looked_at_again(until: Callable[[Grant, Moment, Reads], Moment | None]) -> Due:
    """Say when a limit is to be looked at again: when it is reached, and when the policy may have another."""

    def due_at(row: Grant, now: Moment, index: Index) -> list[Moment]:
        end = until(row, now, index)
        return [*([end] if end is not None else []), *takes_effect_at(index, now)]

    return due_at


@findings.rule(access_grants, of=(*_HELD, "owner"), severity="medium", due=("expires_at", "revoked_at"))
def ownerless_credential(row: Grant, now: Moment, index: Index) -> Breach | None:
    """A service holds a grant that nobody answers for."""
    if row.principal_kind != "service" or row.owner not in (None, row.principal) or has_ended(row, now):
        return None
    return Breach(f"nobody owns {row.grant_id} ({row.role}) of {row.principal}", positions_of(row.granted_position))


@findings.rule(
    access_grants,
    of=(*_HELD, "last_used_at"),
    severity="medium",
    wakes={policies: Wake(_grants_to_services, of=("versions",))},
    due=("expires_at", "revoked_at"),
    due_at=_looked_at_again(_unused_until),
)
def dormant_credential(row: Grant, now: Moment, index: Index) -> Breach | None:
    """A service holds a grant that it has not used for longer than the policy allows, as far as uses are recorded."""
    end = _unused_until(row, now, index)
    if end is None or end > now or has_ended(row, now):
        return None
    used = f"since {row.last_used_at}" if row.last_used_at else "at all"
    words = f"{row.principal} has not used {row.grant_id} ({row.role}) {used}, the policy allows it until {end}"
    return Breach(words, positions_of(row.granted_position))


@findings.rule(
    access_grants,
    of=(*_HELD, "rotated_at"),
    severity="medium",
    wakes={policies: Wake(_grants_to_services, of=("versions",))},
    due=("expires_at", "revoked_at"),
    due_at=_looked_at_again(_same_secret_until),
)
def unrotated_credential(row: Grant, now: Moment, index: Index) -> Breach | None:
    """A service uses the same secret for longer than the policy allows."""
    end = _same_secret_until(row, now, index)
    if end is None or end > now or has_ended(row, now):
        return None
    since = f"since {row.rotated_at}" if row.rotated_at else "yet"
    words = f"the secret of {row.grant_id} ({row.role}) of {row.principal} was not rotated {since}, due at {end}"
    return Breach(words, positions_of(row.granted_position))


def _deployments_by(grant: Grant, index: Index) -> list[str]:
    return _deployments_of(grant.principal, index) if grant.principal is not None else []


def _deployments_since(policy: Policy, index: Index) -> list[str]:
    return [row.deployment_id for row in rows_since_approval(policy, deployments, "started_at", index)]


def _deployments_of_login(identity: Identity, index: Index) -> list[str]:
    return _deployments_of(identity.identity, index)


def _deployments_of(login: str, index: Index) -> list[str]:
    """The deployments of whoever has a login, under any of theirs."""
    logins = sorted(logins_of(index, login))
    return [row.deployment_id for other in logins for row in index.find(deployments, "deployed_by", other)]


@findings.rule(
    deployments,
    of=("environment", "deployed_by", "started_at", "started_position"),
    severity="high",
    wakes={
        access_grants: Wake(
            _deployments_by,
            of=("principal", "role", "environment", "granted_at", "granted_position", "expires_at", "revoked_at"),
        ),
        identities: Wake(_deployments_of_login, of=("links",)),
        policies: Wake(_deployments_since, of=("versions",)),
    },
)
def deployer_without_grant(row: Deployment, now: Moment, index: Index) -> Breach | None:
    """Who deployed held no grant of the role that the policy asks for, at that time."""
    if row.started_at is None or row.deployed_by is None:
        return None
    roles = in_force(index, row.started_at).values("deployer-role", row.environment)
    if not roles or set(roles) & set(roles_of(index, row.deployed_by, row.started_at, row.environment)):
        return None
    words = f"{row.deployed_by} started {row.deployment_id} without a grant of {' or '.join(roles)}"
    return Breach(words, positions_of(row.started_position))


@gate_rule()
def deployer_is_allowed(question: Question, reads: Reads, policy: InForce) -> Said:
    """S2: who deploys did not approve; and holds a grant of the role that the policy asks for."""
    if question.actor is None:
        return "insufficient_evidence", "not-said", "expected an actor in the question", ()
    ticket, person = ticket_of(question, reads), person_of(reads, question.actor)
    for approval in ticket.approvals if ticket else ():
        if approval.counts and approval.person == person:
            return "deny", "S2", f"{question.actor} approved the change", [approval.position]
    roles = policy.values("deployer-role", question.environment)
    if not roles:
        return "allow", "not-asked-for", "the policy names no role for deploying", ()
    held = roles_of(reads, question.actor, question.asked_at, question.environment)
    granted = sorted(held[role] for role in roles if role in held)
    if not granted:
        return "deny", "no-grant", f"{question.actor} holds no grant of {' or '.join(roles)}", ()
    return "allow", "granted", f"{question.actor} may deploy to {question.environment}", granted

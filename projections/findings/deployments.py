"""Findings about deployments: with no change, out of window, in a freeze, by somebody without the right."""

from collections.abc import Iterable

from projections.engine.derived import Breach, Index, Wake
from projections.engine.view import Moment
from projections.judging.findings import PRODUCTION, findings, positions_of, rows_since_approval
from projections.readings.changes.scopes import ChangeScope, change_scopes, is_within_window
from projections.readings.changes.tickets import Ticket, change_tickets
from projections.readings.delivery.deployments import Deployment, deployments
from projections.readings.delivery.freezes import Freeze, freezes, freezes_at, override_for
from projections.readings.people.grants import Grant, access_grants, roles_of
from projections.readings.people.identities import Identity, identities, logins_of
from projections.readings.people.policies import Policy, in_force, policies


def _deployments_of_scope(scope: ChangeScope, index: Index) -> Iterable[str]:
    ticket = index.row(change_tickets, scope.change_id)
    return ticket.deployments if ticket else ()


def _deployments_of_change(ticket: Ticket, index: Index) -> list[str]:
    return [row.deployment_id for row in index.find(deployments, "change_id", ticket.change_id)]


def _deployments_within(freeze: Freeze, index: Index) -> list[str]:
    if freeze.start_at is None or freeze.end_at is None:
        return []
    found = index.find(deployments, "started_at", freeze.start_at, freeze.end_at)
    return [row.deployment_id for row in found if row.environment in freeze.environments]


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
    deployments, of=("change_id", "service", "environment", "started_at", "finished_at", "positions"), severity="high"
)
def deployment_without_change(row: Deployment, now: Moment, index: Index) -> Breach | None:
    """Something was deployed to production, and no change is known for it."""
    if row.change_id is not None or row.environment != PRODUCTION or not (row.started_at or row.finished_at):
        return None
    return Breach(f"{row.deployment_id} put {row.service} into {row.environment} without a change", row.positions)


@findings.rule(
    deployments,
    of=("change_id", "artifact", "positions"),
    severity="high",
    wakes={change_scopes: Wake(_deployments_of_scope, of=("artifacts", "scope_position"))},
)
def artifact_not_approved(row: Deployment, now: Moment, index: Index) -> Breach | None:
    """What was deployed is not among the artifacts of the change's scope."""
    scope = index.row(change_scopes, row.change_id) if row.change_id else None
    if scope is None or not scope.artifacts or row.artifact is None or row.artifact in scope.artifacts:
        return None
    return Breach(
        f"{row.deployment_id} deployed {row.artifact}, not of {scope.change_id}",
        positions_of(scope.scope_position, *row.positions),
    )


@findings.rule(
    deployments,
    of=("change_id", "started_at", "started_position"),
    severity="medium",
    wakes={change_scopes: Wake(_deployments_of_scope, of=("planned_start", "planned_end", "planned_position"))},
)
def outside_window(row: Deployment, now: Moment, index: Index) -> Breach | None:
    """A change was deployed before or after the time that was planned for it."""
    scope = index.row(change_scopes, row.change_id) if row.change_id else None
    if scope is None or scope.planned_start is None or row.started_at is None:
        return None
    if is_within_window(scope, row.started_at):
        return None
    words = (
        f"{row.deployment_id} started at {row.started_at}, planned from {scope.planned_start} to {scope.planned_end}"
    )
    return Breach(words, positions_of(scope.planned_position, row.started_position))


@findings.rule(
    deployments,
    of=("change_id", "service", "environment", "started_at", "started_position"),
    severity="high",
    wakes={
        freezes: Wake(
            _deployments_within,
            of=(
                "environments",
                "services",
                "start_at",
                "end_at",
                "exempt_types",
                "declared_position",
                "lifted_at",
                "overrides",
            ),
        ),
        change_tickets: Wake(_deployments_of_change, of=("change_type",)),
    },
)
def deployed_in_freeze(row: Deployment, now: Moment, index: Index) -> Breach | None:
    """Something was deployed while a freeze held it, and nobody else had let it through. Freezes declared afterwards count."""
    if row.started_at is None or row.environment is None:
        return None
    ticket = index.row(change_tickets, row.change_id) if row.change_id else None
    kind = ticket.change_type if ticket else None
    for freeze in freezes_at(index, row.environment, row.service, kind, row.started_at):
        if override_for(freeze, row.change_id, row.started_at) is None:
            late = ", declared afterwards" if (freeze.declared_position or 0) > (row.started_position or 0) else ""
            words = f"{row.deployment_id} started at {row.started_at}, in freeze {freeze.freeze_id}{late}"
            return Breach(words, positions_of(freeze.declared_position, row.started_position))
    return None


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

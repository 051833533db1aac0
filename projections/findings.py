"""Findings: what is against the rules, in which entries, since when, and what resolved it.

Facts are never refused, so what should not have happened is here. A rule judges a row of a view as it is known now:
a freeze that is declared afterwards, or two logins that are linked, find what they say about the past.
Longer than other files because whoever audits the rules reads them in one place.
"""

from collections.abc import Iterable
from typing import Final

from ledger.events import ref
from ledger.events.access import AccessGranted
from ledger.events.change import ChangeOpened
from projections.access import Grant, access_grants, has_ended
from projections.access_reviews import AccessReview, access_reviews
from projections.change_scopes import ChangeScope, change_scopes, is_within_window
from projections.change_tickets import Approval, Ticket, change_tickets
from projections.code_changes import CodeChange, code_changes, unreviewed_because
from projections.deployments import Deployment, deployments
from projections.engine.derived import Breach, Derived, Index
from projections.engine.view import Moment
from projections.freezes import Freeze, freezes, freezes_at, override_for
from projections.identities import Identity, identities, logins_of, person_of
from projections.impacts import Impact, impacts, left_out, resources
from projections.policies import InForce, Policy, in_force, policies
from projections.reviews import Review, reviews
from projections.risk_assessments import RiskAssessments, risk_assessments
from projections.risk_models import RiskModel, risk_models
from projections.rules import approvals as duties

PRODUCTION: Final = "prod"

findings = Derived(
    "findings",
    version=1,
    reads=(
        identities,
        access_grants,
        policies,
        freezes,
        change_scopes,
        deployments,
        risk_models,
        risk_assessments,
        change_tickets,
        reviews,
        access_reviews,
        code_changes,
        resources,
        impacts,
    ),
    doc="Findings: which rule which subject breaks or broke, in words, in which entries, since when and until when.",
)


def _positions(*positions: int | None) -> tuple[int, ...]:
    return tuple(sorted({position for position in positions if position is not None}))


# -- what is to be judged again ---------------------------------------------------------------------------------------


def _deployments_of_scope(scope: ChangeScope, index: Index) -> Iterable[str]:
    ticket = index.row(change_tickets, scope.change_id)
    return ticket.deployments if ticket else ()


def _deployments_of_change(ticket: Ticket, index: Index) -> Iterable[str]:
    return ticket.deployments


def _deployments_within(freeze: Freeze, index: Index) -> list[str]:
    if freeze.start_at is None or freeze.end_at is None:
        return []
    found = index.find(deployments, "started_at", freeze.start_at, freeze.end_at)
    return [row.deployment_id for row in found if row.environment in freeze.environments]


def _deployments_by(grant: Grant, index: Index) -> list[str]:
    if grant.principal is None:
        return []
    return [row.deployment_id for row in index.find(deployments, "deployed_by", grant.principal)]


def _changes_of(identity: Identity, index: Index) -> Iterable[str]:
    """The changes that somebody wrote or deployed: one of their other logins may have approved them."""
    for login in sorted(logins_of(index, identity.identity)):
        yield from (ticket.change_id for ticket in index.find(change_tickets, "author", login))
        for row in index.find(deployments, "deployed_by", login):
            if row.change_id is not None:
                yield row.change_id


def _code_of(identity: Identity, index: Index) -> Iterable[str]:
    for login in sorted(logins_of(index, identity.identity)):
        yield from (row.key for row in index.find(code_changes, "author", login))


def _its_own(ticket: Ticket, index: Index) -> list[str]:
    return [ticket.change_id]


def _of_the_release(ticket: Ticket, index: Index) -> list[str]:
    if ticket.release_id is None or not any(approval.counts for approval in ticket.approvals):
        return []
    return [other.change_id for other in _in_release(ticket.release_id, index)]


def _in_release(release_id: str, index: Index) -> list[Ticket]:
    return index.named(change_tickets, ChangeOpened, ref("release", release_id))


def _all_policies(grant: Grant, index: Index) -> list[str]:
    return [row.policy_id for row in index.find(policies, "policy_id", "", "\uffff")]


# -- deployments --------------------------------------------------------------------------------------------------------


@findings.rule(deployments, severity="high")
def deployment_without_change(row: Deployment, now: Moment, index: Index) -> Breach | None:
    """Something was deployed to production, and no change is known for it."""
    if row.change_id is not None or row.environment != PRODUCTION or not (row.started_at or row.finished_at):
        return None
    return Breach(f"{row.deployment_id} put {row.service} into {row.environment} without a change", row.positions)


@findings.rule(deployments, severity="high", wakes={change_scopes: _deployments_of_scope})
def artifact_not_approved(row: Deployment, now: Moment, index: Index) -> Breach | None:
    """What was deployed is not among the artifacts of the change's scope."""
    scope = index.row(change_scopes, row.change_id) if row.change_id else None
    if scope is None or not scope.artifacts or row.artifact is None or row.artifact in scope.artifacts:
        return None
    return Breach(
        f"{row.deployment_id} deployed {row.artifact}, not of {scope.change_id}",
        _positions(scope.scope_position, *row.positions),
    )


@findings.rule(deployments, severity="medium", wakes={change_scopes: _deployments_of_scope})
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
    return Breach(words, _positions(scope.planned_position, *row.positions))


@findings.rule(
    deployments, severity="high", wakes={freezes: _deployments_within, change_tickets: _deployments_of_change}
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
            return Breach(words, _positions(freeze.declared_position, *row.positions))
    return None


@findings.rule(deployments, severity="high", wakes={access_grants: _deployments_by})
def deployer_without_grant(row: Deployment, now: Moment, index: Index) -> Breach | None:
    """Who deployed held no grant of the role that the policy asks for, at that time."""
    if row.started_at is None or row.deployed_by is None:
        return None
    roles = in_force(index, row.started_at).values("deployer-role", row.environment)
    if not roles:
        return None
    for grant in index.named(access_grants, AccessGranted, ref("identity", row.deployed_by)):
        begun = grant.granted_at is not None and grant.granted_at <= row.started_at
        if (
            begun
            and not has_ended(grant, row.started_at)
            and grant.role in roles
            and grant.environment in (None, row.environment)
        ):
            return None
    words = f"{row.deployed_by} started {row.deployment_id} without a grant of {' or '.join(roles)}"
    return Breach(words, row.positions)


# -- changes ------------------------------------------------------------------------------------------------------------


@findings.rule(change_tickets, severity="high")
def started_without_approval(row: Ticket, now: Moment, index: Index) -> Breach | None:
    """A change was implemented before it was approved."""
    if row.was_let_start is not False or row.change_type in (None, "unauthorized"):
        return None
    why = "; ".join(f"{approval.approver}: {approval.why}" for approval in row.approvals if approval.why)
    words = f"{row.change_id} started at {row.started_at} without approval" + (f" ({why})" if why else "")
    return Breach(words, _positions(row.started_position, *(approval.position for approval in row.approvals)))


def _given(row: Ticket) -> list[Approval]:
    return [approval for approval in row.approvals if approval.verdict == "granted"]


@findings.rule(change_tickets, severity="high", wakes={identities: _changes_of})
def approval_of_ones_own(row: Ticket, now: Moment, index: Index) -> Breach | None:
    """S1 and S2: the author, or who deployed to production, approved; under whichever login, linked whenever."""
    author = person_of(index, row.author) if row.author else None
    deployers = {person_of(index, who) for who in row.deployed_by} if row.environment in (None, PRODUCTION) else set()
    for approval in _given(row):
        person = person_of(index, approval.approver)
        fault = duties.s1_author_does_not_approve(author, person) or duties.s2_deployer_does_not_approve(
            person, deployers
        )
        if fault is not None:
            return Breach(f"{approval.approver} approved {row.change_id}: {fault}", (approval.position,))
    return None


@findings.rule(change_tickets, severity="medium")
def approval_without_standing(row: Ticket, now: Moment, index: Index) -> Breach | None:
    """S4, S5 and S12: an approval by no human, without a role, or reported by somebody who may not speak for the approver."""
    broken = [approval for approval in _given(row) if approval.broken and not approval.broken.startswith("S1:")]
    if not broken:
        return None
    words = "; ".join(f"{approval.approver}: {approval.broken}" for approval in broken)
    return Breach(
        f"approvals of {row.change_id} that never counted: {words}", _positions(*(a.position for a in broken))
    )


@findings.rule(change_tickets, severity="high", due=("retro_due_at",))
def retro_approval_overdue(row: Ticket, now: Moment, index: Index) -> Breach | None:
    """An emergency did not get the approvals it owed in time. Late ones do not make it on time."""
    if row.retro == "late" or (row.retro == "due" and (row.retro_due_at or now) <= now):
        return Breach(f"{row.change_id} owed approvals until {row.retro_due_at}", _positions(row.started_position))
    return None


@findings.rule(change_tickets, severity="high")
def unauthorized_change(row: Ticket, now: Moment, index: Index) -> Breach | None:
    """A change was made that nobody had asked for; it has to be reviewed."""
    if row.change_type != "unauthorized" or row.state == "closed":
        return None
    return Breach(f"{row.change_id} was not authorized", _positions(row.timeline[0].position))


@findings.rule(change_tickets, severity="low", due=("planned_end",))
def approved_and_not_deployed(row: Ticket, now: Moment, index: Index) -> Breach | None:
    """The time planned for an approved change passed, and nothing was deployed."""
    if row.state != "scheduled" or row.deployments or row.planned_end is None or row.planned_end > now:
        return None
    return Breach(
        f"{row.change_id} was planned until {row.planned_end}, and not deployed", _positions(row.approved_position)
    )


@findings.rule(change_tickets, severity="low", wakes={change_tickets: _of_the_release})
def circular_approval(row: Ticket, now: Moment, index: Index) -> Breach | None:
    """S10: two people approved each other's changes in one release."""
    if row.release_id is None or row.author is None or not any(approval.counts for approval in row.approvals):
        return None
    others = _in_release(row.release_id, index)
    author = person_of(index, row.author)
    approvals = [
        (person_of(index, ticket.author), approval.person)
        for ticket in others
        if ticket.author is not None
        for approval in ticket.approvals
        if approval.counts
    ]
    circles = [pair for pair in duties.s10_circles(approvals) if author in pair]
    if not circles:
        return None
    words = ", ".join(f"{one} and {other}" for one, other in circles)
    counting = [a.position for ticket in others for a in ticket.approvals if a.counts]
    return Breach(f"in release {row.release_id} {words} approved each other's changes", _positions(*counting))


@findings.rule(code_changes, severity="high", wakes={identities: _code_of})
def merged_without_review(row: CodeChange, now: Moment, index: Index) -> Breach | None:
    """Code was merged that nobody else than its author had approved, as of the commit that was merged."""
    fault = unreviewed_because(row, index)
    if fault is None:
        return None
    positions = (row.head_position, row.merged_position, *(review.position for review in row.reviews))
    return Breach(f"{row.key} was merged, and {fault}", _positions(*positions))


@findings.rule(impacts, severity="high", wakes={change_tickets: _its_own})
def impact_not_covered(row: Impact, now: Moment, index: Index) -> Breach | None:
    """A change to something shared was implemented, and its impact assessment left out what was known to depend on it."""
    ticket = index.row(change_tickets, row.change_id)
    if ticket is None or ticket.started_position is None:
        return None
    missing = left_out(index, row, ticket.started_position)
    if not missing:
        return None
    words = f"{row.change_id} was implemented without an assessment of {', '.join(missing)}"
    return Breach(words, _positions(row.position, ticket.started_position))


# -- risk and policies --------------------------------------------------------------------------------------------------


@findings.rule(risk_assessments, severity="high")
def assessment_not_reproducible(row: RiskAssessments, now: Moment, index: Index) -> Breach | None:
    """A score does not come out again from what was known before it."""
    faulty = [found for found in row.assessments if found.fault]
    if not faulty:
        return None
    return Breach(f"{row.change_id}: {faulty[-1].fault}", _positions(*(found.position for found in faulty)))


@findings.rule(risk_models, severity="medium")
def model_approval_does_not_count(row: RiskModel, now: Moment, index: Index) -> Breach | None:
    """S8: a risk model was approved by its author, or as another text than the one that was published."""
    if row.approval_fault is None:
        return None
    return Breach(f"{row.version_id}: {row.approval_fault}", _positions(row.published_position))


@findings.rule(policies, severity="high", wakes={access_grants: _all_policies})
def policy_cannot_be_satisfied(row: Policy, now: Moment, index: Index) -> Breach | None:
    """S11: for some author there are not enough others who hold a role that the policy asks for."""
    for version in row.versions:
        policy = InForce(row.policy_id, version.version, None, version.settings)
        for band in sorted({setting.applies_to for setting in version.settings if setting.name == "required-role"}):
            roles, quorum = policy.values("required-role", band), policy.number("quorum", band, default=1)
            members = {role: _holders(role, now, index) for role in roles}
            authors = ["", *sorted({person for held in members.values() for person in held})]
            if unable := duties.s11_authors_without_approvers(authors, members, roles, quorum):
                who = unable[0] or "anybody"
                words = f"{row.policy_id} {version.version} asks for {quorum} of {' or '.join(roles)} ({band}): none for {who}"
                return Breach(words, _positions(version.published_position, version.approved_position))
    return None


def _holders(role: str, now: Moment, index: Index) -> set[str]:
    return {
        person_of(index, grant.principal)
        for grant in index.find(access_grants, "role", role)
        if grant.principal is not None and grant.principal_kind == "human" and not has_ended(grant, now)
    }


@findings.rule(freezes, severity="medium")
def override_of_ones_own(row: Freeze, now: Moment, index: Index) -> Breach | None:
    """S9: somebody let their own change through a freeze."""
    own = [o for o in row.overrides if duties.s9_requester_does_not_grant(o.requester, o.granted_by)]
    if not own:
        return None
    changes = ", ".join(override.change_id for override in own)
    return Breach(
        f"{own[-1].granted_by} let {changes} through {row.freeze_id} for themselves",
        _positions(*(o.position for o in own)),
    )


# -- reviews ------------------------------------------------------------------------------------------------------------


@findings.rule(reviews, severity="medium", due=("due_at",))
def review_overdue(row: Review, now: Moment, index: Index) -> Breach | None:
    """A post-implementation review was not done in time."""
    if row.state == "done" or row.due_at is None or row.due_at > now:
        return None
    return Breach(f"{row.pir_id} of {row.change_id} was due at {row.due_at}")


@findings.rule(access_reviews, severity="medium", due=("due_at",))
def access_review_overdue(row: AccessReview, now: Moment, index: Index) -> Breach | None:
    """An access review was not done in time."""
    if row.state == "done" or row.due_at is None or row.due_at > now:
        return None
    return Breach(f"{row.review_id} was due at {row.due_at}", _positions(row.opened_position))


@findings.rule(access_reviews, severity="high")
def access_review_incomplete(row: AccessReview, now: Moment, index: Index) -> Breach | None:
    """A review that is called done left out grants that were in force when it began, or named others."""
    if row.state != "done":
        return None
    faults = []
    if row.undecided:
        faults.append(f"{row.undecided} of {row.population_count} grants without a decision that counts")
    if row.stated_count != row.population_count:
        faults.append(f"opened over {row.stated_count} grants, {row.population_count} were in force")
    if row.outside:
        faults.append(f"decided about {', '.join(row.outside)}, not in force at the opening")
    if not faults:
        return None
    return Breach(f"{row.review_id}: {'; '.join(faults)}", _positions(row.opened_position, row.completed_position))


@findings.rule(access_reviews, severity="high")
def own_access_reviewed(row: AccessReview, now: Moment, index: Index) -> Breach | None:
    """S7: somebody reviewed a grant of their own."""
    own = [item for item in row.items if item.why]
    if not own:
        return None
    words = ", ".join(f"{item.reviewer} of {item.grant_id}" for item in own)
    return Breach(f"{row.review_id}: reviewed by the holder: {words}", _positions(*(item.position for item in own)))


@findings.rule(access_reviews, severity="high", due=("revoke_due_at",))
def revocation_overdue(row: AccessReview, now: Moment, index: Index) -> Breach | None:
    """A review decided to revoke a grant, and it was not revoked in time."""
    late = [i for i in row.items if i.revoke_by is not None and i.revoke_by <= now and i.revoked_at is None]
    if not late:
        return None
    words = ", ".join(f"{item.grant_id} of {item.principal} by {item.revoke_by}" for item in late)
    return Breach(f"{row.review_id}: to be revoked: {words}", _positions(*(item.position for item in late)))

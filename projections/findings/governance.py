"""Findings about what changes are judged by: risk models and their scores, policies, freezes."""

from collections.abc import Iterable

from projections.engine.derived import Breach, Index, Wake
from projections.engine.view import Moment
from projections.judging.findings import all_policies, findings, positions_of
from projections.readings.delivery.freezes import Freeze, freezes
from projections.readings.people.grants import access_grants, has_ended
from projections.readings.people.identities import identities, person_of
from projections.readings.people.policies import InForce, Policy, policies
from projections.readings.people.withdrawals import Withdrawal, withdrawals
from projections.readings.risk.assessments import RiskAssessments, risk_assessments
from projections.readings.risk.models import RiskModel, risk_models
from projections.rules import duties as duties
from projections.rules.words import listed


@findings.rule(risk_assessments, of=("assessments",), severity="high")
def assessment_not_reproducible(row: RiskAssessments, now: Moment, index: Index) -> Breach | None:
    """A score does not come out again from what was known before it."""
    faulty = [found for found in row.assessments if found.fault]
    if not faulty:
        return None
    return Breach(f"{row.change_id}: {faulty[-1].fault}", positions_of(*(found.position for found in faulty)))


@findings.rule(risk_models, of=("approval_fault", "published_position"), severity="medium")
def model_approval_does_not_count(row: RiskModel, now: Moment, index: Index) -> Breach | None:
    """S8: a risk model was approved by its author, or as another text than the one that was published."""
    if row.approval_fault is None:
        return None
    return Breach(f"{row.version_id}: {row.approval_fault}", positions_of(row.published_position))


def _ends_of_grants(row: Policy, now: Moment, index: Index) -> Iterable[Moment]:
    roles = {s.value for version in row.versions for s in version.settings if s.name == "required-role"}
    grants = [grant for role in sorted(roles) for grant in index.find(access_grants, "role", role)]
    return [end for grant in grants for end in (grant.expires_at, grant.revoked_at) if end is not None]


@findings.rule(
    policies,
    of=("versions",),
    severity="high",
    wakes={
        access_grants: Wake(all_policies, of=("principal", "principal_kind", "role", "expires_at", "revoked_at")),
        identities: Wake(all_policies, of=("links",)),
    },
    due_at=_ends_of_grants,
)
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
                return Breach(words, positions_of(version.published_position, version.approved_position))
    return None


def _holders(role: str, now: Moment, index: Index) -> set[str]:
    return {
        person_of(index, grant.principal)
        for grant in index.find(access_grants, "role", role)
        if grant.principal is not None and grant.principal_kind == "human" and not has_ended(grant, now)
    }


@findings.rule(freezes, of=("overrides",), severity="medium")
def override_of_ones_own(row: Freeze, now: Moment, index: Index) -> Breach | None:
    """S9: somebody let their own change through a freeze."""
    own = [o for o in row.overrides if duties.s9_requester_does_not_grant(o.requester, o.granted_by)]
    if not own:
        return None
    changes = listed(override.change_id for override in own)
    return Breach(
        f"{own[-1].granted_by} let {changes} through {row.freeze_id} for themselves",
        positions_of(*(o.position for o in own)),
    )


@findings.rule(withdrawals, of=("position", "original_position", "stated_by", "withdrawn_by"), severity="medium")
def withdrawal_of_anothers(row: Withdrawal, now: Moment, index: Index) -> Breach | None:
    """Somebody took back a statement that another had made. Only an operator's counts."""
    if row.stated_by is None or row.stated_by == row.withdrawn_by:
        return None
    words = f"{row.withdrawn_by} withdrew the statement at {row.original_position}, which {row.stated_by} had made"
    return Breach(words, positions_of(row.original_position, row.position))

"""The view of findings, without its rules: what they may look into, and what several of them say."""

from typing import Any, Final, TypeVar

from projections.access import access_grants
from projections.access_reviews import access_reviews
from projections.change_scopes import change_scopes
from projections.change_tickets import change_tickets
from projections.code_changes import code_changes
from projections.deployments import deployments
from projections.engine.derived import Derived, Index, every
from projections.engine.view import LATEST, View
from projections.freezes import freezes
from projections.identities import identities
from projections.impacts import impacts, resources
from projections.policies import Policy, approved_last_at, policies
from projections.reviews import reviews
from projections.risk_assessments import risk_assessments
from projections.risk_models import risk_models
from projections.withdrawals import withdrawals

R = TypeVar("R")

findings = Derived(
    "findings",
    version=5,
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
        withdrawals,
    ),
    doc="Findings: which rule which subject breaks or broke, in words, in which entries, since when and until when.",
)


# Where a change needs to be authorised.
PRODUCTION: Final = "prod"


def all_policies(row: Any, index: Index) -> list[str]:
    """Return the policies, whatever changed that they are judged by: there are few."""
    return [policy.policy_id for policy in every(policies, index)]


def rows_since_approval(policy: Policy, view: View[R], column: str, index: Index) -> list[R]:
    """Return the rows whose time is after the policy's last approval: whom it concerns when that comes late, or is taken back."""
    since = approved_last_at(policy)
    return index.find(view, column, since, LATEST) if since is not None else []


def positions_of(*positions: int | None) -> tuple[int, ...]:
    return tuple(sorted({position for position in positions if position is not None}))

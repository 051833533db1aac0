"""Findings: what is against the rules, in which entries, since when, and what resolved it.

Facts are never refused, so what should not have happened is here. A rule judges a row of a view as it is known now: a freeze
that is declared afterwards, or two logins that are linked, find what they say about the past. This is the view, with what rules
may look into and what several of them say; the rules stand in `projections.practices`, one practice a file.
"""

from typing import Any, Final, TypeVar

from projections.engine.derived import Derived, Index, every
from projections.engine.view import LATEST, View
from projections.readings.changes.code import code_changes
from projections.readings.changes.impacts import impacts, resources
from projections.readings.changes.reviews import reviews
from projections.readings.changes.scopes import change_scopes
from projections.readings.changes.tickets import change_tickets
from projections.readings.delivery.deployments import deployments
from projections.readings.delivery.freezes import freezes
from projections.readings.people.access_reviews import access_reviews
from projections.readings.people.grants import access_grants
from projections.readings.people.identities import identities
from projections.readings.people.policies import Policy, approved_last_at, policies
from projections.readings.people.withdrawals import withdrawals
from projections.readings.risk.assessments import risk_assessments
from projections.readings.risk.models import risk_models

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

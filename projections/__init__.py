"""What the past means: views folded from entries, one module a question. `VIEWS` names all of them, in the order of folding."""

from typing import Any, Final

from projections.access import access_grants
from projections.access_reviews import access_reviews
from projections.advice import advice
from projections.calibrations import calibrations
from projections.change_scopes import change_scopes
from projections.change_tickets import change_tickets
from projections.code_changes import code_changes
from projections.delivery import delivery, merges
from projections.deployments import deployments
from projections.engine.view import View
from projections.findings import findings
from projections.freezes import freezes
from projections.identities import identities
from projections.impacts import impacts, resources
from projections.incidents import incidents
from projections.outcomes import base_rates, outcomes
from projections.policies import policies
from projections.reviews import reviews
from projections.risk_assessments import risk_assessments
from projections.risk_models import risk_models
from projections.rollback_triggers import rollback_triggers
from projections.rollbacks import rollbacks
from projections.sources import authorities
from projections.templates import templates
from projections.withdrawals import withdrawals

# A view may read those before it.
VIEWS: Final[tuple[View[Any], ...]] = (
    identities,
    access_grants,
    authorities,
    policies,
    freezes,
    templates,
    change_scopes,
    deployments,
    outcomes,
    base_rates,
    risk_models,
    risk_assessments,
    calibrations,
    change_tickets,
    reviews,
    access_reviews,
    incidents,
    rollback_triggers,
    rollbacks,
    resources,
    impacts,
    advice,
    code_changes,
    merges,
    delivery,
    withdrawals,
    findings,
)

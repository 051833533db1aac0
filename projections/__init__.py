"""What the past means: views folded from entries, one module a question. `VIEWS` names all of them, in the order of folding."""

from typing import Any, Final

from projections.engine.view import View
from projections.findings import findings
from projections.readings.changes.advice import advice
from projections.readings.changes.code import code_changes
from projections.readings.changes.impacts import impacts, resources
from projections.readings.changes.reviews import reviews
from projections.readings.changes.scopes import change_scopes
from projections.readings.changes.templates import templates
from projections.readings.changes.tickets import change_tickets
from projections.readings.delivery.deployments import deployments
from projections.readings.delivery.freezes import freezes
from projections.readings.delivery.incidents import incidents
from projections.readings.delivery.metrics import delivery, merges
from projections.readings.delivery.rollbacks import rollbacks
from projections.readings.delivery.triggers import rollback_triggers
from projections.readings.people.access_reviews import access_reviews
from projections.readings.people.grants import access_grants
from projections.readings.people.identities import identities
from projections.readings.people.policies import policies
from projections.readings.people.sources import authorities
from projections.readings.people.withdrawals import withdrawals
from projections.readings.risk.assessments import risk_assessments
from projections.readings.risk.calibrations import calibrations
from projections.readings.risk.models import risk_models
from projections.readings.risk.outcomes import base_rates, outcomes

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

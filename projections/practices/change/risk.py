"""5.2 Risk scores that can be computed again, by a model that somebody else than its author approved."""

from typing import Final

from projections.engine.derived import Breach
from projections.engine.reads import Look
from projections.judging.findings import finding, positions_of
from projections.judging.gate_rule import Question, Remedy, Said, of_change
from projections.judging.of_a_change import rule_of_a_change
from projections.practices.practice import Practice
from projections.readings.changes.ticket import Ticket
from projections.readings.changes.tickets import RISK, needs_score
from projections.readings.people.policies import InForce
from projections.readings.risk.assessments import Assessment, FeatureSeen, RiskAssessments, risk_assessments
from projections.readings.risk.models import RiskModel, risk_models, unapproved_because
from projections.rules.features import differing
from projections.rules.words import listed

PRACTICE: Final = Practice(
    "5.2", "Risk scores that can be computed again", views=(risk_models, risk_assessments), settings=(RISK,)
)


@finding(risk_assessments, severity="high")
def assessment_not_reproducible(row: RiskAssessments, look: Look) -> Breach | None:
    """A score does not come out again from what was known before it."""
    faulty = [found for found in row.assessments if found.fault]
    if not faulty:
        return None
    return Breach(f"{row.change_id}: {faulty[-1].fault}", positions_of(*(found.position for found in faulty)))


@finding(risk_assessments, severity="medium")
def risk_feature_differs(row: RiskAssessments, look: Look) -> Breach | None:
    """An assessment states a feature as another number than the ledger computes from the entries before it."""
    faulty = [found for found in row.assessments if _differing(found)]
    if not faulty:
        return None
    words = listed(f"{one.name} stated {one.stated}, computed {one.computed}" for one in _differing(faulty[-1]))
    return Breach(f"{row.change_id}: {words}", positions_of(*(found.position for found in faulty)))


def _differing(found: Assessment) -> list[FeatureSeen]:
    """Return the features that are stated, and computed as another number. Of what nothing tells, there is no verdict."""
    stated = {one.name: one.stated for one in found.seen if one.stated is not None}
    names = differing(stated, {one.name: one.computed for one in found.seen if one.computed is not None})
    return [one for one in found.seen if one.name in names]


@finding(risk_models, severity="medium")
def model_approval_does_not_count(row: RiskModel, look: Look) -> Breach | None:
    """A risk model was approved by its author (S8), by who may not, or as another text than the one that was published."""
    fault = unapproved_because(look, row)
    if fault is None:
        return None
    return Breach(f"{row.version_id}: {fault}", positions_of(row.published_position))


@rule_of_a_change(
    version=3,
    remedies={
        "": Remedy(
            "the change is scored by an approved model, from what is on record (risk.assessed); or the policy asks its type for none"
        ),
    },
)
@of_change
def risk_comes_out_again(ticket: Ticket, question: Question, look: Look, policy: InForce) -> Said:
    """The score was computed by a model that somebody approved, and comes out again. The policy may ask some types for none."""
    row = look.row(risk_assessments, ticket.change_id)
    if row is None or row.assessed_position is None:
        if not needs_score(policy, ticket.change_type):
            return "allow", "not-asked-for", f"{ticket.change_type} changes are not scored", ()
        return "insufficient_evidence", "not-assessed", "no score by an approved model", ()
    last = next(a for a in row.assessments if a.position == row.assessed_position)
    if last.fault:
        return "insufficient_evidence", "not-reproducible", last.fault, [last.position]
    return "allow", "reproducible", f"{last.score} ({last.band}) by {last.version_id}", [last.position]

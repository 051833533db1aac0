"""5.2 Risk scores that can be computed again, by a model that somebody else than its author approved."""

from typing import Final

from ledger.events.risk import RiskAssessed
from projections.engine.finding import Breach
from projections.engine.reads import Look
from projections.judging.able import holding
from projections.judging.findings import finding, positions_of
from projections.judging.gate_rule import Question, Remedy, Said, of_change
from projections.judging.of_a_change import rule_of_a_change
from projections.practices.practice import Practice
from projections.readings.changes.case import RISK, needs_score
from projections.readings.changes.targets import SHARED_BY
from projections.readings.changes.ticket import Ticket
from projections.readings.people.policies import InForce
from projections.readings.risk.assessments import Assessment, FeatureSeen, RiskAssessments, risk_assessments
from projections.readings.risk.models import RiskModel, risk_models, unapproved_because
from projections.readings.risk.promotions import (
    MODEL_GROUP,
    MODEL_GROUP_OUTCOMES,
    MODEL_OUTCOMES,
    MODEL_RELIABILITY,
    ModelPromotions,
    counting,
    model_promotions,
)
from projections.rules.features import differing
from projections.rules.words import listed

PRACTICE: Final = Practice(
    "5.2",
    "Risk scores that can be computed again",
    views=(risk_models, risk_assessments, model_promotions),
    to_come="features of how much code changes, who wrote it before, and what tests cover; they are stated",
    settings=(RISK, SHARED_BY, MODEL_OUTCOMES, MODEL_RELIABILITY, MODEL_GROUP, MODEL_GROUP_OUTCOMES),
)


@finding(risk_assessments, severity="high")
def assessment_not_reproducible(row: RiskAssessments, look: Look) -> Breach | None:
    """A score does not come out again from what was known before it."""
    faulty = [found for found in row.assessments if found.fault]
    if not faulty:
        return None
    return Breach(f"{row.change_id}: {faulty[-1].fault}", positions_of(*(found.position for found in faulty)))


@finding(risk_assessments, severity="medium", version=2)
def risk_feature_differs(row: RiskAssessments, look: Look) -> Breach | None:
    """An assessment states a feature as another number than the ledger computes from entries before it, or than somebody else stated."""
    faulty: dict[int, list[str]] = {}
    # What each stated last of a feature that the ledger does not compute.
    told: dict[str, tuple[str, Assessment]] = {}
    for found in row.assessments:
        words = [f"{one.name} stated {one.stated}, computed {one.computed}" for one in _differing(found)]
        known = {one.name for one in found.seen if one.computed is not None}
        for term in found.features:
            if term.name in known:
                continue
            value, other = told.get(term.name, (term.value, found))
            if other.said.principal != found.said.principal and differing({term.name: term.value}, {term.name: value}):
                words.append(
                    f"{term.name} stated {term.value} by {found.said.principal}, and {value} by {other.said.principal}"
                )
            told[term.name] = term.value, found
        if words:
            faulty[found.position] = words
    if not faulty:
        return None
    return Breach(f"{row.change_id}: {listed(faulty[max(faulty)])}", positions_of(*faulty))


@finding(risk_assessments, severity="medium", version=2)
def score_lowered_without_power(row: RiskAssessments, look: Look) -> Breach | None:
    """A score asks for less than one before it, by another number that was stated, and whoever stated it has no power to score."""
    found = counting(look, row.assessments)
    if found is None or not found.passed_over:
        return None
    last, stands = found.passed_over[-1], found.assessment
    words = (
        f"{last.score} ({last.band}) by {last.said.speaker} does not take the place of {stands.score} ({stands.band})"
    )
    used = (stands.position, *(one.position for one in found.passed_over))
    return Breach(f"{row.change_id}: {words} by {stands.said.speaker}", positions_of(*used))


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


@finding(model_promotions, severity="medium")
def approved_model_does_not_pass(row: ModelPromotions, look: Look) -> Breach | None:
    """The version of a risk model that was approved last predicted the outcomes worse than was asked of it: another one counts."""
    last = row.promotions[-1] if row.promotions else None
    if last is None or last.counts:
        return None
    return Breach(
        f"{last.version_id} was approved and does not take the place of {last.champion}: {last.why}",
        (last.said.position,),
    )


@rule_of_a_change(
    version=6,
    remedies={
        "": Remedy(
            "the model that counts scores the change, from what is on record (risk.assessed); or the policy asks its type for none",
            holding(RiskAssessed),
        ),
    },
)
@of_change
def risk_comes_out_again(ticket: Ticket, question: Question, look: Look, policy: InForce) -> Said:
    """The score is by the version of a model that counts, and by who may score, and comes out again. The policy may ask some types for
    none."""
    row = look.row(risk_assessments, ticket.change_id)
    assessments = row.assessments if row is not None else ()
    found = counting(look, assessments)
    if found is None:
        if not needs_score(policy, ticket.change_type):
            return "allow", "not-asked-for", f"{ticket.change_type} changes are not scored", ()
        others = dict.fromkeys(a.version_id for a in assessments)
        by = f"; {listed(others)} did not count when it scored" if others else ""
        return "insufficient_evidence", "not-assessed", f"no score by an approved model{by}", ()
    last, promotion = found.assessment, found.promotion
    used = [last.position, promotion.said.position, *(one.position for one in found.passed_over)]
    if fault := next((one.fault for one in reversed((last, *found.passed_over)) if one.fault), ""):
        return "insufficient_evidence", "not-reproducible", fault, used
    so_far = f", which counts provisionally: {promotion.why}" if promotion.is_provisional else ""
    return "allow", "reproducible", f"{last.score} ({last.band}) by {last.version_id}{so_far}", used

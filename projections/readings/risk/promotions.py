"""Promotions: which version of each risk model counts, since when, and by which test. One row a model.

A version that somebody approved takes the place of the one that counts only when it predicted the outcomes that are on record no worse.
Both are held against the last changes that were assessed by the model and labelled; what the challenger was fitted on is left out.

    12  risk.model_approved  v1       the first of its model: it counts, provisionally
    90  risk.model_approved  v2       v1 has 61 outcomes, v2 predicted them worse: v1 counts as before
    95  risk.model_approved  v1       61 outcomes, reliable: it counts, and no longer provisionally

A test is made when the approval is recorded, from what is on record by then, and never again: whoever wants another test approves again.

Longer than other files because a version that counts, and the score that counts by it, are one question.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from ledger.conditions import Match
from ledger.events import ref
from ledger.events.risk import RiskAssessed, RiskModelApproved
from projections.engine.reads import as_of_time
from projections.engine.view import LATEST, EntryInfo, Moment, Reads, View, replace
from projections.engine.view import Number as Text
from projections.readings.changes.approvals import BANDS
from projections.readings.changes.scopes import change_scopes
from projections.readings.people.policies import InForce, in_force, policies
from projections.readings.people.powers import fault_of_speaker
from projections.readings.people.replacing import has_power
from projections.readings.people.settings import Number
from projections.readings.people.voices import Spoken, spoken
from projections.readings.risk.assessments import Assessment, RiskAssessments, risk_assessments
from projections.readings.risk.calibrations import predictions
from projections.readings.risk.models import RiskModel, as_model, risk_models, version_id
from projections.readings.risk.outcomes import outcomes
from projections.rules.features import differing
from projections.rules.promotion import Limits, Outcome, Trial, trial_of
from projections.rules.risk import Model, ModelError, score

MODEL_OUTCOMES: Final = Number(
    "model-outcomes",
    "on how many labelled outcomes a version of a risk model is tried before it replaces another",
    default=50,
)
MODEL_RELIABILITY: Final = Number(
    "model-reliability-thousandths",
    "how far, in thousandths, what a version predicts may be from what comes of it, on the mean of its bins",
    default=50,
)
MODEL_GROUP: Final = Number(
    "model-group-thousandths",
    "how much greater, in thousandths, the Brier score of a team's changes may be than by the version that is replaced",
    default=20,
)
MODEL_GROUP_OUTCOMES: Final = Number(
    "model-group-outcomes", "how many outcomes a team has before its changes are a group of their own", default=10
)
# A test looks at the last so many assessments by a model, and asks for no more outcomes.
LOOKED_AT: Final = 500


@dataclass(frozen=True)
class Promotion:
    """One approval of a version, and whether the version has counted from there on. `why` says what kept it from that."""

    version_id: str
    said: Spoken
    counts: bool
    is_provisional: bool = False
    why: str = ""
    champion: str | None = None
    outcomes: int = 0
    brier: Text | None = None
    champion_brier: Text | None = None
    reliability_error: Text | None = None
    policy_version: str | None = None
    # By which approval it was tested last: while it counts, a later one tests it anew.
    tested_position: int = 0


@dataclass(frozen=True)
class ModelPromotions:
    """One model: the version that counts now, and since which approval which version did, with its test.

    What did not pass stands there as well, by the last test of each version.
    """

    model_id: str
    champion: str | None = None
    is_provisional: bool = False
    promotions: tuple[Promotion, ...] = ()


def _touched(before: ModelPromotions | None, after: ModelPromotions | None) -> tuple[Moment, Moment] | None:
    """A promotion makes a difference to what is assessed after it."""
    old, new = (set(row.promotions) if row is not None else set() for row in (before, after))
    return (min(one.said.recorded_at for one in old ^ new), LATEST) if old != new else None


model_promotions = View(
    "model_promotions",
    version=3,
    row=ModelPromotions,
    kind="risk_model",
    reads=(risk_models, risk_assessments, outcomes, change_scopes, policies),
    # Entries name the model, and not the version.
    follows={risk_models: lambda row: [Match(refs=(ref("risk_model", row.model_id),))] if row.model_id else []},
    touches=_touched,
    recalls=True,
    doc="Promotions of risk models: which version of each counts, since when, and how each that was approved did against the outcomes.",
)


@model_promotions.on(RiskModelApproved, key=lambda event: event.model_id)
def approved(row: ModelPromotions, event: RiskModelApproved, entry: EntryInfo) -> ModelPromotions:
    """An approval that does not count tries nothing."""
    version = entry.reads.row(risk_models, version_id(event.model_id, event.version))
    if version is None or version.approved_position != entry.position:
        return row
    said = spoken(entry, event.actor)
    promotion = _recalled(entry, said) or _tried(row, version, said, entry.reads)
    if promotion.counts and (row.champion, row.is_provisional) == (version.version_id, promotion.is_provisional):
        # It counts since before, and as it did: the test alone is another one.
        again = [
            replace(promotion, said=one.said) if one is promoted_at(row, entry.position) else one
            for one in row.promotions
        ]
        return replace(row, promotions=tuple(again))
    # Of tests that a version did not pass, the last one is kept.
    others = (one for one in row.promotions if one.counts or one.version_id != version.version_id)
    row = replace(row, promotions=(*others, promotion))
    if not promotion.counts:
        return row
    return replace(row, champion=promotion.version_id, is_provisional=promotion.is_provisional)


def _recalled(entry: EntryInfo, said: Spoken) -> Promotion | None:
    """Return what came of the test that was made at an entry, where a row has it still: a test looks at some hundred changes."""
    promotions = entry.recalled.promotions if entry.recalled is not None else ()
    known = next((one for one in promotions if one.tested_position == entry.position), None)
    return replace(known, said=said) if known is not None else None


def limits_of(policy: InForce) -> Limits:
    """Return what a policy asks of a version that is to replace another."""
    return Limits(
        min(policy.number(MODEL_OUTCOMES), LOOKED_AT),
        Decimal(policy.number(MODEL_RELIABILITY)) / 1000,
        Decimal(policy.number(MODEL_GROUP)) / 1000,
        policy.number(MODEL_GROUP_OUTCOMES),
    )


def _tried(row: ModelPromotions, version: RiskModel, said: Spoken, reads: Reads) -> Promotion:
    policy = in_force(reads, said.at)
    limits = limits_of(policy)
    looked = reads.named(risk_assessments, RiskAssessed, ref("risk_model", row.model_id), limit=LOOKED_AT)
    labelled = [one for one in looked if one.labelled_position is not None]
    rival = reads.row(risk_models, row.champion) if row.champion not in (None, version.version_id) else None
    known_ends = list(_outcomes(labelled, version, rival, reads))
    known = sum(1 for one in labelled if rival is not None and _predicted(one, rival) is not None)
    # A rival of which too little is known to hold anybody against it does not count.
    has_rival = rival is not None and known >= limits.outcomes
    trial = trial_of(known_ends, limits, has_champion=has_rival)
    is_sure = not trial.faults or (row.champion == version.version_id and not row.is_provisional)
    counts = is_sure or not has_rival
    return _promotion(version, said, trial, counts, is_sure, row.champion, policy.version)


def _promotion(
    version: RiskModel,
    said: Spoken,
    trial: Trial,
    counts: bool,
    is_sure: bool,
    champion: str | None,
    policy_version: str | None,
) -> Promotion:
    return Promotion(
        version.version_id,
        said,
        counts,
        counts and not is_sure,
        "; ".join(trial.faults[:10]),
        champion,
        trial.challenger.changes,
        trial.challenger.brier,
        trial.champion.brier if trial.champion is not None else None,
        trial.challenger.reliability_error,
        policy_version,
        said.position,
    )


def _outcomes(
    labelled: Iterable[RiskAssessments], version: RiskModel, rival: RiskModel | None, reads: Reads
) -> Iterable[Outcome]:
    for one in labelled:
        # What it was fitted on it predicts too well.
        if (one.labelled_position or 0) <= (version.trained_to or 0):
            continue
        scope, outcome = reads.row(change_scopes, one.change_id), reads.row(outcomes, one.change_id)
        if outcome is None or outcome.label is None:
            continue
        yield Outcome(
            scope.team if scope is not None else None,
            outcome.label == "failure",
            _predicted(one, rival) if rival is not None else None,
            _predicted(one, version),
        )


def _predicted(row: RiskAssessments, version: RiskModel) -> Text | None:
    """Return what a version predicted of a change before its outcome was known: as it said, or else from the features that were recorded.

    What was counted of earlier labels is not recorded for other models: there a version predicts what it said, and nothing else.
    """
    own = predictions(row).get(version.version_id)
    if own is not None and not own.fault:
        return own.probability
    model = as_model(version)
    before = [a for a in row.assessments if a.position < (row.labelled_position or 0) and not a.speaker_fault]
    if model is None or not before or model.form == "beta_binomial":
        return None
    return _scored(model, before[-1])


def _scored(model: Model, assessment: Assessment) -> Text | None:
    features = {term.name: term.value for term in assessment.features}
    features |= {one.name: one.computed for one in assessment.seen if one.computed is not None}
    unknown = {one.name for one in assessment.seen if one.computed is None}
    try:
        return score(model, {name: value for name, value in features.items() if name not in unknown}).probability
    except ModelError:
        return None


# -- which assessment counts ---------------------------------------------------------------------------------------------


def promoted_at(row: ModelPromotions | None, position: int) -> Promotion | None:
    """Return by which approval a version of a model counts at a position."""
    promotions = row.promotions if row is not None else ()
    return next((one for one in reversed(promotions) if one.counts and one.said.position < position), None)


@dataclass(frozen=True)
class Counting:
    """The assessment of a change that counts, by which approval, and later ones that ask for less and do not count for that."""

    assessment: Assessment
    promotion: Promotion
    passed_over: tuple[Assessment, ...] = ()

    @property
    def last(self) -> Assessment:
        """The last by who may score: of what the change was when that was made."""
        return max((self.assessment, *self.passed_over), key=lambda one: one.position)


def counting(reads: Reads, assessments: Sequence[Assessment]) -> Counting | None:
    """Return the assessment of a change that counts: the last by a version that counted when it was made, and by who may score.

    One by a version that counts provisionally takes the place of none by a version that passed its test. Whoever asks for more is
    heard; one that asks for less takes the place of another only as `may_lower` says.
    """
    known = [(one, promotion) for one in assessments if (promotion := _counted(reads, one)) is not None]
    known = [one for one in known if not one[1].is_provisional] or known
    found: Counting | None = None
    for one, promotion in sorted(known, key=lambda pair: pair[0].position):
        if found is None or not _asks_for_less(reads, one, found.assessment) or may_lower(reads, one, found.assessment):
            # Who had asked for less in vain did so, whatever is asked for later; but for whoever has the power to say otherwise.
            before = found.passed_over if found is not None else ()
            found = Counting(one, promotion, () if before and has_power(reads, RiskAssessed.type, one.said) else before)
        else:
            found = replace(found, passed_over=(*found.passed_over, one))
    return found


def _counted(reads: Reads, one: Assessment) -> Promotion | None:
    """Return by which approval the version of an assessment counted when it was made, where whoever made it may score."""
    if one.is_challenger:
        return None
    # So a promotion of today wakes no ticket of last year.
    then = as_of_time(reads, one.recorded_at)
    promotion = promoted_at(then.row(model_promotions, one.version_id.rpartition("/")[0]), one.position)
    if promotion is None or promotion.version_id != one.version_id:
        return None
    return None if fault_of_speaker(reads, RiskAssessed.type, one.said) else promotion


def _asks_for_less(reads: Reads, new: Assessment, old: Assessment) -> bool:
    """Say whether a score is lower than another, or its band. A band that the policy does not name is as the highest."""
    bands = in_force(reads, new.at).words(BANDS)
    ranks = [bands.index(one.band) if one.band in bands else len(bands) for one in (new, old)]
    is_lower = new.version_id == old.version_id and Decimal(new.score) < Decimal(old.score)
    return is_lower or ranks[0] < ranks[1] or (ranks[0] == ranks[1] and new.band != old.band)


def may_lower(reads: Reads, new: Assessment, old: Assessment) -> bool:
    """Say whether a score may ask for less than an earlier one: it comes out again, and nobody stated another number for it; or whoever
    stated it has the power to score, as an operator, by a role that the policy names, or as a source that is enrolled for it.
    """
    if new.fault:
        return False
    computed = {one.name for one in (*new.seen, *old.seen) if one.computed is not None}
    stated = {term.name: term.value for term in old.features if term.name not in computed}
    if not differing(stated, {term.name: term.value for term in new.features}):
        return True
    return has_power(reads, RiskAssessed.type, new.said)

"""Risk: models, assessments, and what became of the changes that were assessed."""

from typing import ClassVar, Literal

from ledger.events.base import Event
from ledger.events.identifiers import (
    ChangeId,
    Decimal,
    Digest,
    Erasable,
    Identity,
    Label,
    ModelId,
    Part,
    Position,
    Value,
    Version,
    many,
)


class Training(Part):
    """The facts a model was fitted on: positions inclusive, and the digest of the query that chose among them."""

    from_position: Position
    to_position: Position
    query_digest: Digest


class ModelEvent(Event):
    """A fact about one version of a risk model."""

    refs: ClassVar[tuple[str, ...]] = ("model_id",)
    actor: Identity
    model_id: ModelId
    version: Version


class RiskModelPublished(ModelEvent):
    """A risk model was written down in full; another person must approve it before it counts."""

    type = "risk.model_published"
    says = "{actor} published risk model {model_id} {version} ({form})"
    # Of the model's file, wherever that is kept: a part of the content, of which the ledger computes the digest.
    model_digest: Digest | None = None
    form: Literal["weighted_points", "beta_binomial", "logistic"]
    features_version: Version
    # Weights, coefficients, prior, decay, tolerance: by name, as the form defines them.
    parameters: tuple[Value, ...] = many(at_least=1, at_most=100)
    # The lowest score of each band.
    bands: tuple[Value, ...] = many(at_least=1, at_most=8)
    trained_on: Training | None = None


class RiskModelApproved(ModelEvent):
    """Somebody else than its author accepted a risk model, as it stands: by the digest that the ledger computed, or that of its file."""

    type = "risk.model_approved"
    says = "{actor} approved risk model {model_id} {version}"
    model_digest: Digest


class RiskModelRecalibrated(ModelEvent):
    """A model's parameters were fitted anew from outcomes; the result is a new version."""

    type = "risk.model_recalibrated"
    says = "{actor} recalibrated {model_id} from {from_version} to {version}"
    model_digest: Digest | None = None
    from_version: Version
    trained_on: Training
    metrics: tuple[Value, ...] = many(at_least=1)


class RiskAssessed(Event):
    """A change was scored by a named model version."""

    type = "risk.assessed"
    says = "{change_id} scored {score} ({band}) by {model_id} {version}"
    refs = ("change_id", "model_id")
    change_id: ChangeId
    model_id: ModelId
    version: Version
    model_digest: Digest
    features: tuple[Value, ...] = many(at_least=1, at_most=100)
    feature_positions: tuple[Position, ...] = many(at_most=200, default=())
    score: Decimal
    band: Label
    contributions: tuple[Value, ...] = many(at_most=100, default=())


class RiskOutcomeLabelled(Event):
    """What became of a change was settled, or an earlier label corrected."""

    type = "risk.outcome_labelled"
    says = "{actor} labelled the outcome of {change_id} as {label}"
    refs = ("change_id",)
    actor: Identity
    change_id: ChangeId
    label: Literal["success", "failure"]
    causes: tuple[Label, ...] = many(at_most=8, default=())
    corrects: Position | None = None
    reason: Erasable | None = None

"""Risk models: every version in full, who wrote and who approved it, and on what it was fitted. A version is never edited."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ledger.conditions import Match
from ledger.events import ref
from ledger.events.risk import RiskModelApproved, RiskModelPublished, RiskModelRecalibrated
from projections.engine.view import EntryInfo, Moment, Number, View, replace
from projections.readings.people.identities import identities, person_of
from projections.rules import duties as rules
from projections.rules.risk import Model, ModelError, check_model


@dataclass(frozen=True)
class Term:
    """A named number: a parameter, a band with its lowest score, a metric of the fit, a feature of a change."""

    name: str
    value: Number


@dataclass(frozen=True)
class RiskModel:
    """One version of a model. Until somebody else than its authors approved it, it is a challenger, and scores without effect."""

    version_id: str
    model_id: str | None = None
    version: str | None = None
    form: Literal["weighted_points", "beta_binomial", "logistic"] | None = None
    model_digest: str | None = None
    features_version: str | None = None
    parameters: tuple[Term, ...] = ()
    bands: tuple[Term, ...] = ()
    published_by: str | None = None
    published_at: Moment | None = None
    published_position: int | None = None
    # When it was fitted from outcomes: from which version, by whom, on which entries.
    recalibrated_from: str | None = None
    recalibrated_by: str | None = None
    trained_from: int | None = None
    trained_to: int | None = None
    query_digest: str | None = None
    metrics: tuple[Term, ...] = ()
    approved_by: str | None = None
    approved_at: Moment | None = None
    approved_position: int | None = None
    # Why it scores nothing, as far as that is known without a change.
    model_fault: str | None = None
    # Why an approval did not count.
    approval_fault: str | None = None
    is_approved: bool = False


def version_id(model_id: str, version: str) -> str:
    """Return the key of a model's version."""
    return f"{model_id}/{version}"


def _by_version(event: Any) -> str:
    return version_id(event.model_id, event.version)


def _of_the_model(key: str, row: RiskModel) -> tuple[Match, ...]:
    return (Match(refs=(ref("risk_model", key.rpartition("/")[0]),)),)


risk_models = View(
    "risk_models",
    version=2,
    row=RiskModel,
    kind="model_version",
    entries_of=_of_the_model,
    reads=(identities,),
    indexes=("model_id",),
    doc="Risk models: every version with its parameters and bands, who wrote it, who approved it, and what it was fitted on.",
)


@risk_models.on(RiskModelPublished, key=_by_version)
def published(row: RiskModel, event: RiskModelPublished, entry: EntryInfo) -> RiskModel:
    """The first publication is the version; what says otherwise later is another text under a name that is taken."""
    if row.published_position is not None:
        return row
    row = replace(
        row,
        model_id=event.model_id,
        version=event.version,
        form=event.form,
        model_digest=event.model_digest,
        features_version=event.features_version,
        parameters=tuple(Term(p.name, p.value) for p in event.parameters),
        bands=tuple(Term(b.name, b.value) for b in event.bands),
        published_by=event.actor,
        published_at=entry.time,
        published_position=entry.position,
        trained_from=event.trained_on.from_position if event.trained_on else row.trained_from,
        trained_to=event.trained_on.to_position if event.trained_on else row.trained_to,
        query_digest=event.trained_on.query_digest if event.trained_on else row.query_digest,
    )
    return replace(row, model_fault=fault_of(row, [p.name for p in event.parameters]))


def fault_of(row: RiskModel, names: Sequence[str]) -> str | None:
    """Return why a version scores nothing, in words; None when it may."""
    if len(set(names)) < len(names):
        return "expected every parameter once"
    try:
        check_model(model_of(row))
    except ModelError as error:
        return str(error)
    return None


@risk_models.on(RiskModelRecalibrated, key=_by_version)
def recalibrated(row: RiskModel, event: RiskModelRecalibrated, entry: EntryInfo) -> RiskModel:
    return replace(
        row,
        model_id=event.model_id,
        version=event.version,
        recalibrated_from=event.from_version,
        recalibrated_by=event.actor,
        trained_from=event.trained_on.from_position,
        trained_to=event.trained_on.to_position,
        query_digest=event.trained_on.query_digest,
        metrics=tuple(Term(m.name, m.value) for m in event.metrics),
    )


@risk_models.on(RiskModelApproved, key=_by_version)
def approved(row: RiskModel, event: RiskModelApproved, entry: EntryInfo) -> RiskModel:
    """S8, only the very text that was published, and one that scores. Who fitted the parameters is an author, too."""
    approver = person_of(entry.reads, event.actor)
    authors = [person_of(entry.reads, who) for who in (row.published_by, row.recalibrated_by) if who is not None]
    faults = [rules.s8_author_does_not_approve_the_model(author, approver) for author in authors]
    fault = next((f"S8: {fault}" for fault in faults if fault), None)
    if row.model_fault is not None:
        fault = f"it scores nothing: {row.model_fault}"
    if row.model_digest != event.model_digest:
        fault = "another text than the one that was published"
    if fault is not None:
        return row if row.is_approved else replace(row, approval_fault=fault)
    return replace(
        row,
        approved_by=event.actor,
        approved_at=entry.time,
        approved_position=entry.position,
        approval_fault=None,
        is_approved=True,
    )


def as_model(row: RiskModel) -> Model | None:
    """Return a version as what scores, or None when it was never published."""
    return model_of(row) if row.form is not None else None


def model_of(row: RiskModel) -> Model:
    """Return a version that was published as what scores."""
    form = row.form or "weighted_points"
    return Model(form, {p.name: p.value for p in row.parameters}, [(b.name, b.value) for b in row.bands])

"""Risk models: every version in full, who wrote and who approved it, and on what it was fitted. A version is never edited."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from ledger.conditions import Match
from ledger.events import ref
from ledger.events.risk import RiskModelApproved, RiskModelPublished, RiskModelRecalibrated
from projections.engine.view import EntryInfo, Moment, Number, Reads, View, replace
from projections.readings.people.credentials import credentials
from projections.readings.people.grants import access_grants
from projections.readings.people.identities import identities, person_of
from projections.readings.people.policies import policies
from projections.readings.people.powers import fault_of_speaker, persons_behind
from projections.readings.people.sources import principals_sources
from projections.readings.people.voices import Spoken, spoken
from projections.rules import duties as rules
from projections.rules.digests import content_digest
from projections.rules.risk import Model, ModelError, check_model

OTHER_TEXT: Final = "another text than the one that was published"


@dataclass(frozen=True)
class Term:
    """A named number: a parameter, a band with its lowest score, a metric of the fit, a feature of a change."""

    name: str
    value: Number


@dataclass(frozen=True)
class ModelApproval:
    """Somebody approved a version under one digest. `digest` is of what that named then: the computed one, or the one of the file."""

    model_digest: str
    at: Moment
    said: Spoken
    digest: str | None = None


@dataclass(frozen=True)
class RiskModel:
    """One version of a model. Until somebody else than its authors approved it, it is a challenger, and scores without effect.

    `is_approved` and what is said of the approval is as it counted when it was given; whether one counts now, `unapproved_because` says.
    """

    version_id: str
    model_id: str | None = None
    version: str | None = None
    form: Literal["weighted_points", "beta_binomial", "logistic"] | None = None
    # As stated: of its file. And as computed, of all that the version says.
    model_digest: str | None = None
    digest: str | None = None
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
    # Who published it, and fitted it.
    authors: tuple[Spoken, ...] = ()
    approvals: tuple[ModelApproval, ...] = ()


def version_id(model_id: str, version: str) -> str:
    """Return the key of a model's version."""
    return f"{model_id}/{version}"


def _by_version(event: Any) -> str:
    return version_id(event.model_id, event.version)


def _of_the_model(key: str, row: RiskModel) -> tuple[Match, ...]:
    return (Match(refs=(ref("risk_model", key.rpartition("/")[0]),)),)


risk_models = View(
    "risk_models",
    version=4,
    row=RiskModel,
    kind="model_version",
    entries_of=_of_the_model,
    reads=(credentials, principals_sources, identities, access_grants, policies),
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
        authors=(*row.authors, spoken(entry, event.actor)),
    )
    return _computed(replace(row, model_fault=fault_of(row, [p.name for p in event.parameters])))


def model_digest(row: RiskModel) -> str:
    """Return the digest of what a version says: its form, numbers and bands, by name, and what it was fitted on."""
    return content_digest(
        {
            "form": row.form,
            "model_digest": row.model_digest,
            "features_version": row.features_version,
            "parameters": _told(row.parameters),
            "bands": _told(row.bands),
            "recalibrated_from": row.recalibrated_from,
            "trained_on": {"from": row.trained_from, "to": row.trained_to, "query_digest": row.query_digest}
            if row.query_digest is not None
            else None,
            "metrics": _told(row.metrics),
        }
    )


def _told(terms: Sequence[Term]) -> list[dict[str, str]]:
    return [{"name": t.name, "value": t.value} for t in sorted(terms, key=lambda t: (t.name, t.value))]


def _computed(row: RiskModel) -> RiskModel:
    """Return a version with the digest of what it says. What it was approved as before, it may be no more."""
    row = replace(row, digest=model_digest(row) if row.published_position is not None else None)
    if row.is_approved and all(approval.digest != row.digest for approval in row.approvals):
        return replace(
            row,
            is_approved=False,
            approved_by=None,
            approved_at=None,
            approved_position=None,
            approval_fault=OTHER_TEXT,
        )
    return row


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
    recalibrated = replace(
        row,
        model_id=event.model_id,
        version=event.version,
        recalibrated_from=event.from_version,
        recalibrated_by=event.actor,
        trained_from=event.trained_on.from_position,
        trained_to=event.trained_on.to_position,
        query_digest=event.trained_on.query_digest,
        metrics=tuple(Term(m.name, m.value) for m in event.metrics),
        authors=(*row.authors, spoken(entry, event.actor)),
    )
    return _computed(recalibrated)


@risk_models.on(RiskModelApproved, key=_by_version)
def approved(row: RiskModel, event: RiskModelApproved, entry: EntryInfo) -> RiskModel:
    digest = row.digest if event.model_digest in (row.digest, row.model_digest) else None
    approval = ModelApproval(event.model_digest, entry.time, spoken(entry, event.actor), digest)
    row = replace(row, approvals=(*row.approvals, approval))
    fault = _fault_of_approval(entry.reads, row, approval)
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


def unapproved_because(reads: Reads, row: RiskModel) -> str | None:
    """Say why no approval of a version counts, as is known now: what is wrong with the last. None where one does, or none is there."""
    faults = [_fault_of_approval(reads, row, approval) for approval in row.approvals]
    return faults[-1] if faults and None not in faults else None


def _fault_of_approval(reads: Reads, row: RiskModel, approval: ModelApproval) -> str | None:
    """S8 and S12, only the very text that was published, and one that scores. Who fitted the parameters is an author, too."""
    if approval.digest is None or approval.digest != row.digest:
        return OTHER_TEXT
    if row.model_fault is not None:
        return f"it scores nothing: {row.model_fault}"
    approver = person_of(reads, approval.said.speaker)
    for author in row.authors:
        if approver in persons_behind(reads, author):
            return f"S8: {rules.s8_author_does_not_approve_the_model(approval.said.speaker, approval.said.speaker)}"
    return fault_of_speaker(reads, RiskModelApproved.type, approval.said) or None


def as_model(row: RiskModel) -> Model | None:
    """Return a version as what scores, or None when it was never published."""
    return model_of(row) if row.form is not None else None


def model_of(row: RiskModel) -> Model:
    """Return a version that was published as what scores."""
    form = row.form or "weighted_points"
    return Model(form, {p.name: p.value for p in row.parameters}, [(b.name, b.value) for b in row.bands])

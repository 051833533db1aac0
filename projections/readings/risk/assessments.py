"""Risk assessments: how each change was scored, whether the same score comes out again, and what became of the change.

Scored again at the entry, from what was known there: labels that come later change no score. Features that the ledger computes of its
entries (`projections.rules.features`) are computed there as well: a score rests on those, whatever is stated. An assessment is never
rewritten; a newer one stands beside it. Which of them counts, `promotions` say.

The outcome is that of `outcomes`, as of the last entry that showed something of it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from ledger.conditions import Match
from ledger.events import Event, ref
from ledger.events.pir import PirCompleted
from ledger.events.risk import RiskAssessed, RiskOutcomeLabelled
from projections.engine.view import EntryInfo, Moment, Number, Reads, View, replace
from projections.readings.changes.scopes import change_scopes
from projections.readings.people.powers import READ_BY_POWERS, fault_of_speaker
from projections.readings.people.voices import Spoken, spoken
from projections.readings.risk.features import READ_BY_FEATURES, computed_for
from projections.readings.risk.models import RiskModel, Term, as_model, risk_models, version_id
from projections.readings.risk.outcomes import (
    OBSERVING,
    Label,
    base_rates,
    changes_observed,
    outcomes,
    scopes_of,
    told_by,
)
from projections.rules.risk import COUNTED, Model, ModelError, Scored, decayed, score, text
from projections.rules.words import listed


@dataclass(frozen=True)
class FeatureSeen:
    """A feature that the ledger computes: what was stated, and what it computed; nothing, where nothing on record tells, and why."""

    name: str
    stated: Number | None
    computed: Number | None
    missing: str = ""


@dataclass(frozen=True)
class Assessment:
    """One score of a change. `fault` says why it does not come out again; empty when it does."""

    position: int
    at: Moment
    recorded_at: Moment
    version_id: str
    score: Number
    band: str
    features: tuple[Term, ...]
    said: Spoken
    # Of those that it states, or its model uses, the ones that the ledger computes.
    seen: tuple[FeatureSeen, ...] = ()
    # As the ledger computes it from the features; None when it cannot.
    recomputed: Number | None = None
    probability: Number | None = None
    # What each feature adds to the score, as computed; of a logistic model, to the log of the odds.
    contributions: tuple[Term, ...] = ()
    fault: str = ""
    # Of a version that nobody approved: it has no effect.
    is_challenger: bool = False
    # Why it did not count when it was stated, because of who stated it.
    speaker_fault: str = ""


@dataclass(frozen=True)
class RiskAssessments:
    """The assessments of one change. `score` and `band` are the latest by a version that was approved by then.

    Whether that one counts, or the version that it was to replace, `promotions` say; the ticket has what counts.
    """

    change_id: str
    version_id: str | None = None
    score: Number | None = None
    band: str | None = None
    assessed_position: int | None = None
    faults: int = 0
    label: Label | None = None
    # When the outcome was known first, and where: later assessments predicted nothing.
    labelled_at: Moment | None = None
    labelled_position: int | None = None
    assessments: tuple[Assessment, ...] = ()
    # What showed the outcome and does not name the change, as refs.
    shown_by: tuple[str, ...] = ()


def _entries_of(key: str, row: RiskAssessments) -> list[Match]:
    return [Match(refs=(name,)) for name in (ref("change", key), *row.shown_by)]


risk_assessments = View(
    "risk_assessments",
    version=8,
    row=RiskAssessments,
    kind="change",
    entries_of=_entries_of,
    names=("shown_by",),
    reads=(outcomes, risk_models, *READ_BY_POWERS, *READ_BY_FEATURES),
    # A version of a model is scored by; entries name the model.
    follows={risk_models: lambda row: (Match(refs=(ref("risk_model", row.model_id),)),) if row.model_id else ()},
    indexes=("version_id", "band"),
    doc="Risk assessments: every score of a change, computed again, and the outcome that the change came to have.",
)


@risk_assessments.on(RiskAssessed, key=lambda event: event.change_id)
def assessed(row: RiskAssessments, event: RiskAssessed, entry: EntryInfo) -> RiskAssessments:
    model_row = entry.reads.row(risk_models, version_id(event.model_id, event.version))
    features = {feature.name: feature.value for feature in event.features}
    said = spoken(entry, event.actor)
    at = said.at
    used = {parameter.name for parameter in model_row.parameters} if model_row is not None else set()
    found, missing = computed_for(entry.reads, event.change_id, at, sorted({*features, *used}))
    seen = [FeatureSeen(name, features.get(name), value) for name, value in found.items()]
    seen += [FeatureSeen(name, features.get(name), None, why) for name, why in missing.items()]
    scored, fault = _again(model_row, event, features, {one.name: one for one in seen if one.name in used}, entry)
    made = Assessment(
        entry.position,
        at,
        entry.recorded_at,
        version_id(event.model_id, event.version),
        event.score,
        event.band,
        tuple(Term(name, value) for name, value in features.items()),
        said,
        tuple(sorted(seen, key=lambda one: one.name)),
        scored.score if scored else None,
        scored.probability if scored else None,
        tuple(Term(name, value) for name, value in scored.contributions) if scored else (),
        fault,
        is_challenger=model_row is None or not model_row.is_approved,
        speaker_fault=fault_of_speaker(entry.reads, entry.type, said),
    )
    row = replace(row, assessments=(*row.assessments, made), faults=row.faults + bool(fault))
    if made.is_challenger or made.speaker_fault:
        return row
    return replace(row, version_id=made.version_id, score=made.score, band=made.band, assessed_position=entry.position)


def _again(
    row: RiskModel | None,
    event: RiskAssessed,
    features: Mapping[str, str],
    used: Mapping[str, FeatureSeen],
    entry: EntryInfo,
) -> tuple[Scored | None, str]:
    """Score once more, with what the ledger computed in the place of what was stated, and say in words what does not agree."""
    model = as_model(row) if row is not None else None
    if row is None or model is None:
        return None, f"model {event.model_id} {event.version} was not published"
    if event.model_digest not in (row.digest, row.model_digest):
        return None, "the model's digest is not the published one"
    if row.model_fault is not None:
        return None, row.model_fault
    if unknown := [f"{one.name} ({one.missing})" for one in used.values() if one.computed is None]:
        return None, f"not computed: {listed(unknown)}"
    computed = {name: one.computed for name, one in used.items() if one.computed is not None}
    try:
        scored = score(model, {**features, **computed})
        counted = counted_before(entry.reads, event.change_id, entry.time, model)
    except ModelError as error:
        return None, str(error)
    if Decimal(scored.score) != Decimal(event.score):
        by = f" with {listed(f'{name} {value}' for name, value in computed.items())}" if computed else ""
        return scored, f"score {event.score}, recomputed {scored.score}{by}"
    if scored.band != event.band:
        return scored, f"band {event.band}, recomputed {scored.band}"
    for name, value in counted.items():
        if Decimal(features[name]) != Decimal(value):
            return scored, f"feature {name} is {features[name]}, counted {value}"
    return scored, ""


def counted_before(reads: Reads, change_id: str, at: Moment, model: Model) -> dict[str, str]:
    """Return the features that the ledger counts itself: earlier changes of the scope, and how many of them failed.

    Of the narrowest scope that has at least `least` changes (decayed): service, environment and type, then the service,
    then the team, then everything. Where a change has several services, the one that failed more often counts. Raises
    ModelError for parameters by which nothing can be counted.
    """
    scope = reads.row(change_scopes, change_id)
    if model.form != "beta_binomial" or scope is None:
        return {}
    decay, least = float(model.parameters.get("decay", "1")), Decimal(model.parameters.get("least", "20"))
    today = date.fromisoformat(at[:10])
    levels: dict[int, list[tuple[Decimal, Decimal]]] = {}
    for name in scopes_of(reads, scope, at):
        if name.startswith("template:"):
            continue
        rate = reads.row(base_rates, name)
        days = [((today - date.fromisoformat(d.date)).days, d.changes, d.failures) for d in (rate.days if rate else ())]
        levels.setdefault(_level(name), []).append(decayed(days, decay))
    for _, counts in sorted(levels.items()):
        enough = [(changes, failures) for changes, failures in counts if changes >= least]
        if enough:
            changes, failures = max(enough, key=lambda found: (found[1] / found[0] if found[0] else 0, found[0]))
            return dict(zip(COUNTED, (text(changes), text(failures)), strict=True))
    return dict.fromkeys(COUNTED, "0")


def _level(scope: str) -> int:
    kind = scope.partition(":")[0]
    return {"service": 1, "team": 2, "all": 3}.get(kind, 0)


@risk_assessments.on(RiskOutcomeLabelled, PirCompleted, key=lambda event: event.change_id)
def labelled(row: RiskAssessments, event: Event, entry: EntryInfo) -> RiskAssessments:
    return _with_outcome(row, entry)


@risk_assessments.on(*OBSERVING, key=changes_observed)
def observed(row: RiskAssessments, event: Any, entry: EntryInfo) -> RiskAssessments | None:
    """What was observed wins over what was written, here as in `outcomes`."""
    row = _with_outcome(row, entry)
    return row if row.assessments or row.labelled_position is not None else None


def _with_outcome(row: RiskAssessments, entry: EntryInfo) -> RiskAssessments:
    outcome = entry.reads.row(outcomes, row.change_id)
    if outcome is None:
        return replace(row, label=None, labelled_at=None, labelled_position=None, shown_by=())
    row = replace(row, shown_by=tuple(told_by(outcome)))
    if not outcome.labellings:
        return replace(row, label=None, labelled_at=None, labelled_position=None)
    return replace(row, label=outcome.label, labelled_at=outcome.at, labelled_position=outcome.labellings[0].position)

"""Backtests: what a model would have said of the changes of a range, against what became of them; and fitting from the same.

The entries are replayed in order, and a change is scored where it was assessed: from the features that were recorded, and
from what the ledger had counted by then. A label that comes later is an outcome and never a feature. Like a rebuild, it
reads the range it is asked about, though only entries of the types that matter.
"""

import hashlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from ledger.canonical import encode
from ledger.conditions import Match
from ledger.errors import NotFoundError, StatementError
from ledger.events.risk import RiskAssessed
from ledger.log.database import Database
from ledger.log.reading import read_size
from projections.engine.folding import Folder
from projections.engine.log import PAGE, WITHDRAWN, SqlLog
from projections.engine.sql_store import SqlStore
from projections.engine.store import MemoryStore
from projections.engine.view import EntryInfo, Reads, with_all_they_read
from projections.readings.people.powers import READ_BY_POWERS, fault_of_speaker
from projections.readings.people.voices import spoken
from projections.readings.risk.assessments import counted_before
from projections.readings.risk.features import READ_BY_FEATURES, computed_for
from projections.readings.risk.models import as_model, risk_models
from projections.readings.risk.outcomes import outcomes
from projections.rules.calibration import Calibration, counted
from projections.rules.fitting import fit_logistic
from projections.rules.leave import happened
from projections.rules.risk import Model, ModelError, score

_VIEWS: Final = with_all_they_read(outcomes, *READ_BY_POWERS, *READ_BY_FEATURES)


@dataclass(frozen=True, slots=True)
class Backtest:
    """How well a model would have predicted the changes that were assessed in a range of positions, both included."""

    from_position: int
    to_position: int
    calibration: Calibration
    # Changes that it could not score, and why the first of them; and those without an outcome yet.
    unscored: int
    fault: str
    unlabelled: int


@dataclass(frozen=True, slots=True)
class Sample:
    """One assessed change of a range: its features as of the assessment, and whether it failed, as is known now."""

    change_id: str
    features: Mapping[str, str]
    failed: bool | None


def model_of(database: Database, version_id: str) -> Model:
    """Return a version that was published. Raises NotFoundError where there is none."""
    with database.read() as connection:
        row = SqlStore(database, (risk_models,)).on(connection).load(risk_models, (version_id,)).get(version_id)
    model = as_model(row) if row is not None else None
    if model is None:
        raise NotFoundError(f"no model {version_id!r} was published"[:200])
    return model


def samples(database: Database, model: Model, first: int, last: int) -> list[Sample]:
    """Return the changes that were assessed in a range and not labelled yet, with what was known of each at that entry."""
    found: dict[str, Sample] = {}
    matches = [Match(tuple(sorted({name for view in _VIEWS for name in view.folds} | {RiskAssessed.type, WITHDRAWN})))]
    with database.read() as connection:
        log = SqlLog(connection)
        folder = Folder(_VIEWS, store := MemoryStore(), log)
        for entry in log.pages(matches, up_to=last):
            folder.fold([entry])
            if isinstance(entry.event, RiskAssessed) and entry.position >= first:
                known = folder.rows.row(outcomes, entry.event.change_id)
                may = not fault_of_speaker(folder.rows, entry.type, spoken(entry, entry.event.actor))
                if may and (known is None or known.label is None):
                    features = _features_then(folder.rows, entry.event, entry, model)
                    found[entry.event.change_id] = Sample(entry.event.change_id, features, None)
            if len(folder.rows.touched[outcomes.name]) > PAGE:
                folder.save_in(store)
        # What became of the changes counts whenever it was recorded.
        for entry in log.pages(matches, after=last, up_to=None):
            folder.fold([entry])
        rows = ((name, folder.rows.row(outcomes, name)) for name in found)
        labels = {name: row.label for name, row in rows if row is not None and row.label is not None}
    return [
        Sample(name, sample.features, None if name not in labels else labels[name] == "failure")
        for name, sample in found.items()
    ]


def _features_then(reads: Reads, event: RiskAssessed, entry: EntryInfo, model: Model) -> dict[str, str]:
    """Return the features of a change as they were when it was assessed: what the ledger computes itself rests on no statement."""
    features = {feature.name: feature.value for feature in event.features}
    at = happened(entry.time, entry.recorded_at)
    found, missing = computed_for(reads, event.change_id, at, sorted({*features, *model.parameters}))
    features = {name: value for name, value in features.items() if name not in missing} | found
    with suppress(ModelError):  # Then the model scores nothing, and says why.
        features |= counted_before(reads, event.change_id, entry.time, model)
    return features


def _end_of(database: Database, last: int | None) -> int:
    if last is not None:
        return last
    with database.read() as connection:
        return read_size(connection)


def backtest(database: Database, model: Model, *, first: int = 1, last: int | None = None) -> Backtest:
    """Score the changes of a range by a model, each from what was known then, and hold that against the outcomes."""
    last = _end_of(database, last)
    if first > last:
        raise StatementError(f"expected from ≤ to, found {first} and {last}", "/from")
    calibration, unscored, fault, unlabelled = Calibration(), 0, "", 0
    for sample in samples(database, model, first, last):
        if sample.failed is None:
            unlabelled += 1
            continue
        try:
            probability = score(model, sample.features).probability
            if probability is None:
                raise ModelError("the model gives points and no probability: expected the parameter scale")
        except ModelError as error:
            unscored, fault = unscored + 1, fault or str(error)
            continue
        calibration = counted(calibration, probability, sample.failed)
    return Backtest(first, last, calibration, unscored, fault, unlabelled)


@dataclass(frozen=True, slots=True)
class Fitted:
    """Parameters fitted on a range, ready to be published as a new version: `risk.model_recalibrated` and `risk.model_published`."""

    parameters: dict[str, str]
    from_position: int
    to_position: int
    query_digest: str
    changes: int
    failures: int
    brier: str | None


def fit(database: Database, features: list[str], *, first: int = 1, last: int | None = None, l2: float = 1.0) -> Fitted:
    """Fit a logistic model on the labelled changes of a range. Raises ModelError when there is nothing to learn from."""
    last = _end_of(database, last)
    points = Model("weighted_points", dict.fromkeys(features, "1"), [("any", "0")])
    rows = [
        (sample.features, sample.failed)
        for sample in samples(database, points, first, last)
        if sample.failed is not None and all(name in sample.features for name in features)
    ]
    parameters = fit_logistic(rows, features, l2)
    fitted = Model("logistic", parameters, [("any", "0")])
    calibration = Calibration()
    for row, failed in rows:
        calibration = counted(calibration, score(fitted, row).probability or "0", failed)
    query = {"features": features, "from": first, "l2": f"{l2:g}", "to": last, "of": "assessed and labelled changes"}
    digest = "sha256:" + hashlib.sha256(encode(query)).hexdigest()
    return Fitted(parameters, first, last, digest, calibration.changes, calibration.failures, calibration.brier)

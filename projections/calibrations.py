"""Calibrations: how well each version of a risk model predicted, as the outcomes are known now.

A change counts with the last prediction before its outcome was first known. A corrected label takes the earlier one
back: sums are exact, so the order of corrections does not matter.
"""

from dataclasses import dataclass
from typing import Any

from ledger.conditions import Match
from ledger.events.pir import PirCompleted
from ledger.events.risk import RiskOutcomeLabelled
from projections.engine.view import EntryInfo, Number, Reads, View, replace
from projections.outcomes import Outcome, outcomes, recounted
from projections.risk_assessments import Assessment, risk_assessments
from projections.rules.risk import Bin, Calibration, counted


@dataclass(frozen=True)
class Month:
    """What came of one month's changes: whether the rate that a model was fitted to still holds."""

    month: str
    changes: int
    failures: int


@dataclass(frozen=True)
class Calibrated:
    """One version's predictions against the outcomes. `bins` are tenths of probability."""

    version_id: str
    changes: int = 0
    failures: int = 0
    squares: Number = "0"
    # The mean squared difference between prediction and outcome.
    brier: Number | None = None
    # The mean distance between what was predicted and what came of it, bin by bin.
    reliability_error: Number | None = None
    bins: tuple[Bin, ...] = ()
    months: tuple[Month, ...] = ()


def _labels(key: str, row: Calibrated) -> tuple[Match, ...]:
    # Labels name their change, and not the model that predicted them.
    return (Match(),)


calibrations = View(
    "calibrations",
    version=1,
    row=Calibrated,
    kind="model_version",
    entries_of=_labels,
    reads=(outcomes, risk_assessments),
    doc="Calibrations of risk models: Brier score, reliability by tenths of probability, and the rate of failure by month.",
)


def predictions(reads: Reads, outcome: Outcome | None) -> dict[str, Assessment]:
    """Return, by model version, the last assessment that gave a probability before the change's outcome was known."""
    row = reads.row(risk_assessments, outcome.change_id) if outcome else None
    if row is None or outcome is None or not outcome.labellings:
        return {}
    known = outcome.labellings[0].position
    return {a.version_id: a for a in row.assessments if a.position < known and a.probability is not None}


def _versions(event: Any, entry: EntryInfo) -> list[str]:
    return list(predictions(entry.reads, entry.reads.row(outcomes, event.change_id)))


@calibrations.on(RiskOutcomeLabelled, PirCompleted, key=_versions)
def judged(row: Calibrated, event: Any, entry: EntryInfo) -> Calibrated:
    outcome = entry.reads.row(outcomes, event.change_id)
    if outcome is None or outcome.label is None or outcome.at is None:
        return row
    prediction = predictions(entry.reads, outcome)[row.version_id]
    for label, count in recounted(outcome, entry.position):
        row = _counted(row, prediction, outcome.at, label == "failure", count)
    return row


def _counted(row: Calibrated, prediction: Assessment, at: str, failed: bool, count: int) -> Calibrated:
    if prediction.probability is None:
        return row
    now = counted(Calibration(row.changes, row.failures, row.squares, row.bins), prediction.probability, failed, count)
    months = {month.month: month for month in row.months}
    old = months.get(at[:7], Month(at[:7], 0, 0))
    months[at[:7]] = Month(old.month, old.changes + count, old.failures + count * failed)
    return replace(
        row,
        changes=now.changes,
        failures=now.failures,
        squares=now.squares,
        brier=now.brier,
        reliability_error=now.reliability_error,
        bins=now.bins,
        months=tuple(month for _, month in sorted(months.items()) if month.changes),
    )

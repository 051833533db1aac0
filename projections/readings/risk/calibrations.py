"""Calibrations: how well each version of a risk model predicted, as the outcomes are known now.

A change counts with the last prediction before its outcome was first known. A corrected label takes the earlier one
back: sums are exact, so the order of corrections does not matter.
"""

from dataclasses import dataclass

from projections.engine.tally import Part, Tally
from projections.engine.view import Number, replace
from projections.readings.risk.assessments import Assessment, RiskAssessments, risk_assessments
from projections.rules.calibration import Bin, Calibration, counted


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


def predictions(row: RiskAssessments | None) -> dict[str, Assessment]:
    """Return, by model version, the last assessment that gave a probability before the change's outcome was known, by who may."""
    if row is None or row.labelled_position is None:
        return {}
    known = row.labelled_position
    return {
        a.version_id: a
        for a in row.assessments
        if a.position < known and a.probability is not None and not a.speaker_fault
    }


def _parts(row: RiskAssessments) -> dict[str, Part]:
    return {
        version: (found.probability, row.label == "failure", (row.labelled_at or "")[:7])
        for version, found in predictions(row).items()
    }


def _added(row: Calibrated, part: Part, count: int) -> Calibrated:
    probability, failed, of = str(part[0]), bool(part[1]), str(part[2])
    now = counted(Calibration(row.changes, row.failures, row.squares, row.bins), probability, failed, count)
    months = {month.month: month for month in row.months}
    old = months.get(of, Month(of, 0, 0))
    months[of] = Month(old.month, old.changes + count, old.failures + count * failed)
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


calibrations = Tally(
    "calibrations",
    version=3,
    row=Calibrated,
    kind="model_version",
    of=risk_assessments,
    parts=_parts,
    add=_added,
    doc="Calibrations of risk models: Brier score, reliability by tenths of probability, and the rate of failure by month.",
)

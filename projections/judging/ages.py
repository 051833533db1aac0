"""How old open findings are: by the month in which each was found first, how many there are, and how grave.

Counted as findings come and go, so that whoever asks reads a row a month, however many are open.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from projections.engine.finding import Finding
from projections.engine.tally import Part, Tally
from projections.engine.view import replace
from projections.judging.findings import findings

SEVERITIES: Final = ("high", "medium", "low")


@dataclass(frozen=True)
class FindingAges:
    """The findings that were found first in one month: how many there were, and of those that are open how many of each severity."""

    month: str
    found: int = 0
    open: int = 0
    high: int = 0
    medium: int = 0
    low: int = 0


def _parts(row: Finding) -> Mapping[str, Part]:
    if row.first_seen_at is None:
        return {}
    year, _, rest = row.first_seen_at.partition("-")
    return {f"{year}-{rest[:2]}": (row.severity, row.is_open)}


def _added(row: FindingAges, part: Part, count: int) -> FindingAges:
    severity, is_open = str(part[0]), bool(part[1])
    row = replace(row, found=row.found + count)
    if not is_open:
        return row
    return replace(row, open=row.open + count, **{severity: getattr(row, severity) + count})


finding_ages = Tally(
    "finding_ages",
    version=1,
    row=FindingAges,
    kind="month",
    of=findings,
    parts=_parts,
    add=_added,
    indexes=("open",),
    doc="How old open findings are: by the month in which each was found first, how many are open, and of which severity.",
)

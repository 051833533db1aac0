"""How findings end: of each rule how many there were, are open, ended by themselves, and were answered as what."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final

from projections.engine.finding import Finding
from projections.engine.tally import Part, Tally
from projections.engine.view import Number, replace
from projections.judging.findings import findings

# Where a finding stands that nobody answered.
OPEN: Final = "open"
ENDED: Final = "ended"
_SHARE: Final = Decimal("0.0001")


@dataclass(frozen=True)
class FindingEnds:
    """The findings of one rule: `ended` are those that the rule finds no more, the others were answered, and that holds.

    `known_later` are those of all that only something said later shows, and that nobody could have known when it was done.
    `false_positive_share` is of all that were answered; where many were found where nothing was wrong, the rule is to be mended.
    """

    rule: str
    found: int = 0
    open: int = 0
    ended: int = 0
    accepted: int = 0
    remediated: int = 0
    false_positive: int = 0
    known_later: int = 0
    false_positive_share: Number | None = None


def _parts(row: Finding) -> Mapping[str, Part]:
    return {row.rule: (row.disposition or (OPEN if row.is_open else ENDED), row.known_then is False)}


def _added(row: FindingEnds, part: Part, count: int) -> FindingEnds:
    state = str(part[0])
    row = replace(row, found=row.found + count, **{state: getattr(row, state) + count})
    row = replace(row, known_later=row.known_later + (count if part[1] else 0))
    answered = row.accepted + row.remediated + row.false_positive
    share = (Decimal(row.false_positive) / answered).quantize(_SHARE, ROUND_HALF_EVEN) if answered else None
    return replace(row, false_positive_share=f"{share.normalize():f}" if share is not None else None)


finding_ends = Tally(
    "finding_ends",
    version=2,
    row=FindingEnds,
    kind="rule",
    of=findings,
    parts=_parts,
    add=_added,
    indexes=("open", "false_positive"),
    doc="How findings end: of each rule how many are open, ended, and were answered as accepted, remediated or false positive; and "
    "how many nobody could have known when it was done.",
)

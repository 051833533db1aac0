"""Two runs held against each other, bar by bar: `scripts/bench --against FILE`.

What is compared is what a bar is for: the ratio where there is one, else the figure. A bar is better or worse where the quartiles
of the two runs do not overlap, and noise where they do. A figure of one round is compared with nothing: it would be better or
worse by chance.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from benchmarks.measure import Row


@dataclass(frozen=True)
class Change:
    """One bar in two runs."""

    then: Row
    now: Row

    @property
    def verdict(self) -> str:
        if self.then.spread is None or self.now.spread is None:
            return "one round"
        (low, high), (least, most) = self.then.spread, self.now.spread
        if least <= high and low <= most:
            return "same" if (low, high) == (least, most) else "noise"
        return "better" if (least > high) != self.now.less_is_better else "worse"

    @property
    def is_busy(self) -> bool:
        return self.then.busy or self.now.busy


def read(path: Path) -> tuple[dict[str, Any], list[Row]]:
    """Return what a run says of itself, and its rows. Raises ValueError where the file is of no run, or of an older form."""
    document = json.loads(path.read_text())
    known = {field.name for field in fields(Row)}
    if not isinstance(document, dict) or any(known ^ row.keys() for row in document.get("rows", [{}])):
        raise ValueError(f"expected the JSON of a run of this benchmark, found another in {path}")
    rows = [Row(**{**row, "spread": row["spread"] and tuple(row["spread"])}) for row in document.pop("rows")]
    return document, rows


def compare(then: Sequence[Row], now: Sequence[Row]) -> list[Change]:
    """Return what both runs have: the same work, beside the same."""
    before = {(row.budget, row.work, row.beside, row.unit): row for row in then}
    return [Change(before[at], row) for row in now if (at := (row.budget, row.work, row.beside, row.unit)) in before]

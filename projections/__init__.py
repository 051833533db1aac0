"""What the past means: readings folded from entries, judged by practices, asked by gates.

`VIEWS` names all views, in the order of folding.
"""

from typing import Any, Final

from projections.engine.view import View, in_order
from projections.judging.ages import finding_ages
from projections.judging.ends import finding_ends
from projections.judging.findings import findings
from projections.practices import PRACTICES
from projections.readings import READINGS

# The practices are imported for what they declare: without them, nothing would be found.
VIEWS: Final[tuple[View[Any], ...]] = in_order(*READINGS, findings, finding_ends, finding_ages)

__all__ = ["PRACTICES", "READINGS", "VIEWS"]

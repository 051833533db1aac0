"""`@finding_of_acts`: a finding of deployments that is judged act by act, and tells of all that it finds.

Not what an act is: that is `readings.delivery.acts`. A deployment is run again, of other services and elsewhere. A finding that told of
the first act alone would say the same whatever is done under that id afterwards, and whoever answered it once would have answered all.

    d-1, attempt 1, is put into prod in freeze F                    accepted by olga
    d-1, attempt 2, is put into prod in freeze F                    it says something else now, and is open again
"""

from collections.abc import Callable
from functools import wraps

from ledger.words import number_of
from projections.engine.finding import Breach, Severity
from projections.engine.reads import Look
from projections.engine.view import replace
from projections.judging.findings import finding, positions_of
from projections.readings.delivery.deployments import Deployment, deployments

Judge = Callable[[Deployment, Look], Breach | None]


def finding_of_acts(*, severity: Severity, version: int = 1) -> Callable[[Judge], Judge]:
    """Declare a finding by a function of a deployment that has one act."""

    def declare(judge: Judge) -> Judge:
        @wraps(judge)
        def judged(row: Deployment, look: Look) -> Breach | None:
            if len(row.acts) < 2:
                return judge(row, look)
            found = [breach for act in row.acts if (breach := judge(replace(row, acts=(act,)), look)) is not None]
            return _together(found)

        return finding(deployments, severity=severity, version=version)(judged)

    return declare


def _together(found: list[Breach]) -> Breach | None:
    if len(found) < 2:
        return found[0] if found else None
    first, last = found[0], found[-1]
    words = f"{first.says}; and {number_of(len(found) - 1, 'time')} more, the last: {last.says}"
    return Breach(words, positions_of(*(position for breach in found for position in breach.positions)), first.act)

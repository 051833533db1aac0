"""How the clocks of statements are compared, by the policy.

Not whether somebody may say something: that is `powers`.
"""

from typing import Final

from projections.engine.answers import kept
from projections.engine.view import Moment, Reads
from projections.readings.people.policies import in_force
from projections.readings.people.settings import Number
from projections.rules.leave import Clocks

EVIDENCE_LAG_MINUTES: Final = Number(
    "evidence-lag-minutes", "how many minutes after an act what gave leave for it may be recorded", default=15
)
CLOCK_SKEW_SECONDS: Final = Number(
    "clock-skew-seconds", "how many seconds apart clocks may be before their times decide an order", default=120
)


@kept
def clocks_of(reads: Reads, at: Moment) -> Clocks:
    """Return how the policy in force at a time compares clocks."""
    policy = in_force(reads, at)
    return Clocks(60 * policy.number(EVIDENCE_LAG_MINUTES), policy.number(CLOCK_SKEW_SECONDS))

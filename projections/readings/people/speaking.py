"""Who said something: as whom, by which credential, and by both clocks. Parts of rows that are judged later.

Not whether they may: that is `powers`.
"""

from dataclasses import dataclass
from typing import Final

from projections.engine.view import EntryInfo, Moment, Reads
from projections.readings.people.policies import in_force
from projections.readings.people.settings import Number
from projections.rules.leave import Clocks, happened

EVIDENCE_LAG_MINUTES: Final = Number(
    "evidence-lag-minutes", "how many minutes after an act what gave leave for it may be recorded", default=15
)
CLOCK_SKEW_SECONDS: Final = Number(
    "clock-skew-seconds", "how many seconds apart clocks may be before their times decide an order", default=120
)


@dataclass(frozen=True)
class Spoken:
    """One statement, as far as it matters who made it. `at` is when it counts as done: not after it was recorded."""

    actor: str | None
    principal: str
    credential: str
    source: str
    at: Moment
    recorded_at: Moment
    position: int


def spoken(entry: EntryInfo, actor: str | None) -> Spoken:
    """Return who said what an entry holds, as the actor that it names."""
    return Spoken(
        actor,
        entry.by["principal"],
        entry.by["credential"],
        entry.source,
        happened(entry.time, entry.recorded_at),
        entry.recorded_at,
        entry.position,
    )


def clocks_of(reads: Reads, at: Moment) -> Clocks:
    """Return how the policy in force at a time compares clocks."""
    policy = in_force(reads, at)
    return Clocks(60 * policy.number(EVIDENCE_LAG_MINUTES), policy.number(CLOCK_SKEW_SECONDS))

"""Leave in time: whether what lets somebody act was true when they acted, and on record by then. By both clocks, over plain values.

Not what gives leave, nor who may give it. With a lag of 15 minutes:

    started 09:00, recorded 09:01   judged at 09:00, by what was on record at 09:15
    started 09:00, recorded 11:00   reported late: judged at 09:00 as above, and once more as if it had been done at 11:00;
                                    leave has to be there both times, so that holding back a report wins nothing
    started before the ledger was   judged at its recording alone: nothing can have been on record at its time
    started 09:00, imported         history, which an operator brought in: judged at 09:00, by whatever is on record

Evidence that travels slowly counts as if it had been on record: what an authority said before the act, and its own list has. Which
that is, whoever judges asks of `readings.people.reconciliations`.

A time ahead of its recording counts as its recording.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, Protocol

from ledger.clock import from_text, to_text
from ledger.conditions import AFTER_ALL

_SECOND: Final = 1_000_000
# Later than every time that an entry may hold.
FOR_EVER: Final = "9999-12-31T23:59:59.999999Z"


class Recorded(Protocol):
    """Something that was said: when it is true from, when it was recorded, and where."""

    @property
    def at(self) -> str: ...
    @property
    def recorded_at(self) -> str: ...
    @property
    def position(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Clocks:
    """How far two clocks may be apart, and how late evidence may come, in seconds; and when the ledger began to record."""

    lag_s: int = 15 * 60
    skew_s: int = 120
    began: str = ""


def never(said: Recorded) -> bool:
    """Say that nothing which was not on record counts."""
    return False


@dataclass(frozen=True, slots=True)
class Instant:
    """A time at which an act is judged, until when leave had to be on record, and where the act is recorded.

    `travelled` says of what was recorded later whether it counts all the same. `late` is told of leave that was not there, and says
    whether it counts: it does for whoever asks what would justify the act by now.
    """

    at: str
    by: str
    position: int
    travelled: Callable[[Recorded], bool] = field(default=never, compare=False)
    late: Callable[[Recorded], bool] = field(default=never, compare=False)


# As of now, of whatever is on record.
AS_THINGS_STAND: Final = Instant(FOR_EVER, FOR_EVER, AFTER_ALL)


def asked_at(time: str) -> Instant:
    """Return the instant of a question that is asked at a time: whatever is on record by then came before it."""
    return Instant(time, time, AFTER_ALL)


def happened(time: str, recorded_at: str) -> str:
    """Return when something counts as done: as it says, and not after it was recorded."""
    return min(time, recorded_at)


def is_reported_late(act: Recorded, clocks: Clocks) -> bool:
    """Say whether an act was recorded later than the lag after its time."""
    return act.recorded_at > _later(act.at, clocks.lag_s)


def instants(
    act: Recorded,
    clocks: Clocks,
    *,
    is_history: bool = False,
    travelled: Callable[[Recorded], bool] = never,
    late: Callable[[Recorded], bool] = never,
) -> tuple[Instant, ...]:
    """Return the times at which an act is judged: leave has to be there at each."""
    if is_history:
        return (Instant(act.at, FOR_EVER, act.position),)
    then = Instant(act.at, _later(act.at, clocks.lag_s), act.position, travelled, late)
    if not is_reported_late(act, clocks):
        return (then,)
    when_recorded = Instant(act.recorded_at, _later(act.recorded_at, clocks.lag_s), act.position, travelled, late)
    return (when_recorded,) if act.at < clocks.began else (then, when_recorded)


def hours_late(at: str, recorded_at: str) -> int:
    """Return the whole hours from a time to what came after it."""
    return max(0, from_text(recorded_at) - from_text(at)) // (3600 * _SECOND)


def is_on_record(said: Recorded, instant: Instant) -> bool:
    """Say whether something was on record when an act was done, or within the lag, or counts as if it had been."""
    return said.recorded_at <= instant.by or instant.travelled(said) or instant.late(said)


def comes_before(said: Recorded, instant: Instant, clocks: Clocks) -> bool:
    """Say whether something was true before an act; where the two times are as close as clocks may be apart, by the record."""
    if said.at <= instant.at:
        return True
    return said.position < instant.position and _are_close(said.at, instant.at, clocks)


def is_ahead_of(said: Recorded, act: Recorded) -> bool:
    """Say whether something was said before an act was done, and before anybody told of that: it cannot be of what was done."""
    return said.at < act.at and said.position < act.position


def latest_before(instant: Instant, clocks: Clocks) -> str:
    """Return the latest time that something may bear and still come before an act."""
    return _later(instant.at, clocks.skew_s)


def replaces(new: Recorded, old: Recorded, clocks: Clocks) -> bool:
    """Say whether one of two facts about a state replaces the other: the later one, and where clocks cannot tell, by the record."""
    is_later, is_after = new.at > old.at, new.position > old.position
    return is_later if is_later == is_after or not _are_close(new.at, old.at, clocks) else is_after


def _are_close(one: str, other: str, clocks: Clocks) -> bool:
    """Say whether two times are as close as clocks may be apart."""
    return abs(from_text(one) - from_text(other)) <= clocks.skew_s * _SECOND


def was_there(said: Recorded, instant: Instant, clocks: Clocks) -> bool:
    """Say whether something that gives leave was true before an act, and on record by then."""
    # In this order: whether something travelled slowly is asked only where it would matter.
    return is_on_record(said, instant) if comes_before(said, instant, clocks) else instant.late(said)


@lru_cache(maxsize=4096)
def _later(time: str, seconds: int) -> str:
    return to_text(from_text(time) + seconds * _SECOND)

"""Times in calendars: when the clock of a zone shows what stands there. A zone is resolved, or the time is refused; none is guessed.

A time ends in Z, or names a zone, or *floats*: it is then as the clock of whoever reads it, and so needs a zone that is said. A name of a
zone means what the file says itself (VTIMEZONE) and what the world calls it: its IANA name, or the name that Windows has for it. Where
both are known they must show the same hours, here and half a year on, or somebody's freeze would move by hours.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

from api.intake.content_lines import Component, Property
from api.intake.windows_zones import IANA_OF
from ledger.errors import StatementError
from projections.rules.calendar import Times, overlapping
from projections.rules.recurrence import NotComputableError

# How much is computed of the zones of one calendar: so many parts of a zone for so many times. A calendar of 800 events whose zone has
# two takes 6,400; a rule that counts its times takes as long as fifty others.
MOST_COMPUTED: Final = 20_000
_OF_A_COUNT: Final = 50
_HALF_A_YEAR: Final = timedelta(days=182)
_is_time = re.compile(r"[0-9]{8}(T[0-9]{6}Z?)?").fullmatch
_is_offset = re.compile(r"([+-])(\d\d)(\d\d)(?:\d\d)?").fullmatch
_is_duration = re.compile(
    r"\+?P(?:(\d{1,4})W)?(?:(\d{1,5})D)?(?:T(?:(\d{1,6})H)?(?:(\d{1,6})M)?(?:(\d{1,8})S)?)?"
).fullmatch


class TimeError(StatementError):
    """A time that cannot be taken, or a zone that nobody knows. The message says what to send instead."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What a clock shows, and in which zone of the IANA database; in UTC where there is no such zone."""

    clock: datetime
    zone: str | None
    is_date: bool = False
    # East of UTC, where the file alone says what its zone is.
    offset: timedelta | None = None

    @property
    def moment(self) -> str:
        """When that is, in UTC: the first time that the clock shows it (§3.3.5)."""
        zone = UTC if self.zone is None else _zone(self.zone)
        try:
            found = (
                self.clock.replace(tzinfo=zone).astimezone(UTC)
                if self.offset is None
                else (self.clock - self.offset).replace(tzinfo=UTC)
            )
        except OverflowError:
            raise TimeError("expected a time in the years 1 to 9999") from None
        return found.isoformat(timespec="microseconds").replace("+00:00", "Z")

    def later(self, days: int, seconds: int) -> "Shown":
        """Return a time after this one: days by the clock, seconds as they pass (§3.3.6)."""
        try:
            begin = Shown(self.clock + timedelta(days=days), self.zone, False, self.offset)
            if not seconds:
                return begin
            return Shown(datetime.fromisoformat(begin.moment[:-1]) + timedelta(seconds=seconds), None)
        except OverflowError:
            raise TimeError("expected a time in the years 1 to 9999") from None


class Zones:
    """The zones of a calendar: what it says of them, and the one that whoever posts it says."""

    def __init__(self, calendars: Iterable[Component], said: str | None) -> None:
        self._said = said
        self._told = {part.text("TZID"): part for one in calendars for part in one.parts if part.name == "VTIMEZONE"}
        self._effort = {name: _effort(told) for name, told in self._told.items()}
        self._left = MOST_COMPUTED

    def shown(self, one: Property, *, recurs: bool = False) -> Shown:
        """Return the time of a property."""
        return self.read(one.value.strip(), one.parameters.get("TZID", ""), recurs=recurs)

    def read(self, text: str, named: str, *, recurs: bool = False, floats_in: str | None = None) -> Shown:
        """Return a time as it stands in a calendar, by the zone that it names. Raises TimeError."""
        try:
            clock = clock_of(text)
        except ValueError:
            raise TimeError(f"expected a time such as 20261223T180000Z, found {text[:40]!r}") from None
        is_date = "T" not in text
        if text.endswith("Z"):
            return Shown(clock, None)
        if not named or is_date:
            return Shown(clock, floats_in or self._floating(text), is_date)
        return self._in_zone(clock, named, recurs)

    def _floating(self, text: str) -> str:
        if self._said is None:
            raise TimeError(
                f"{text} is in no zone, and would be another time for everybody: say zone=Europe/Berlin, or which it is"
            )
        return self._said

    def _in_zone(self, clock: datetime, named: str, recurs: bool) -> Shown:
        told = self._told.get(named)
        by_name = next((name for name in (*_names(named), *filter(None, [self._said])) if name in _known()), None)
        if told is not None:
            self._left -= self._effort[named]
            if self._left < 0:
                raise TimeError(
                    f"what it says of the zone {named[:60]!r} takes too long to compute: expected a zone of few parts"
                )
        offset = offset_of(told, clock) if told is not None else None
        if by_name is not None and (offset is None or self._agrees(told, by_name, clock, recurs)):
            # A zone that was said beside stands for one that nobody knows only where the file says the same hours.
            if by_name != self._said or by_name in _names(named) or offset is not None:
                return Shown(clock, by_name)
        elif by_name is not None and by_name in _names(named):
            raise TimeError(
                f"the calendar says of {named!r} other hours than {by_name} has: expected a calendar whose zones are right"
            )
        if offset is not None and not recurs:
            return Shown(clock, None, False, offset)
        if told is not None and self._said is not None:
            raise TimeError(
                f"the calendar says of {named[:60]!r} other hours than {self._said} has: say the zone that shows the same"
            )
        # What is said beside helps only where the file has hours that it can be held against.
        otherwise = (
            "a calendar that says its hours (VTIMEZONE)" if told is None else "say zone=Europe/Berlin, or which it is"
        )
        raise TimeError(f"nobody knows which zone {named[:60]!r} is: expected one of the IANA database, or {otherwise}")

    def _agrees(self, told: Component | None, name: str, clock: datetime, recurs: bool) -> bool:
        try:
            probes = (clock, clock + _HALF_A_YEAR) if recurs else (clock,)
            return all(_zone(name).utcoffset(at) == offset_of(told, at) for at in probes if told is not None)
        except OverflowError:
            return False


def _effort(told: Component) -> int:
    """Return how much it takes to tell what the clock of a zone shows: its parts, and the times that they list."""
    return sum(
        1
        + sum(len(one.value) for one in part.all("RDATE")) // 500
        + (_OF_A_COUNT if "COUNT" in part.text("RRULE").upper() else 0)
        for part in told.parts
    )


def offset_of(told: Component, clock: datetime) -> timedelta | None:
    """Return how far east of UTC a VTIMEZONE is when its clock shows something; None where it does not say, or says two things."""
    onsets: list[tuple[str, timedelta]] = []
    for part in told.parts:
        after = _is_offset(part.text("TZOFFSETTO"))
        if part.name not in ("STANDARD", "DAYLIGHT") or after is None:
            continue
        offset = timedelta(hours=int(after[2]), minutes=int(after[3])) * (-1 if after[1] == "-" else 1)
        onsets += [(onset, offset) for onset in _onsets(part, clock)]
    if not onsets:
        return None
    last = max(onset for onset, _ in onsets)
    found = {offset for onset, offset in onsets if onset == last}
    return found.pop() if len(found) == 1 else None


def _onsets(part: Component, clock: datetime) -> Iterator[str]:
    """Yield when a part of a zone began, as its clock showed it: the last time by its rule, and each time that it lists."""
    until = _as_utc(clock)
    listed = [text.strip() for one in part.all("RDATE") for text in one.value.split(",")]
    for text in (part.text("DTSTART"), *listed):
        try:
            begin = _as_utc(clock_of(text))
        except ValueError:
            continue
        if begin <= until:
            yield begin
    if not (rule := rule_of(part.text("RRULE"))):
        return
    try:
        begin = _as_utc(clock_of(part.text("DTSTART")))
        # Some rules name a month of each second year; none is rarer.
        since = _as_utc(clock - timedelta(days=800))
        last = overlapping(Times(begin, begin, None, rule), since, until)
    except (ValueError, OverflowError, NotComputableError):
        return
    if last is not None:
        yield last.begin


def clock_of(text: str) -> datetime:
    """Return what a clock shows, in no zone. Raises ValueError for what is no time of RFC 5545."""
    if _is_time(text) is None:
        raise ValueError
    return datetime.fromisoformat(text.removesuffix("Z"))


def rule_of(text: str) -> str:
    """Return a rule in the order in which ours are written, FREQ first; "" where there is none."""
    parts = [part.strip().upper() for part in text.split(";") if part.strip()]
    return ";".join(sorted(parts, key=lambda part: not part.startswith("FREQ=")))


def duration_of(text: str) -> tuple[int, int]:
    """Return how long something lasts: days by the clock, and seconds. Raises TimeError."""
    found = _is_duration(text.strip())
    if found is None or text.strip().endswith(("P", "T")):
        raise TimeError(f"expected how long it lasts, such as PT2H or P3D, found {text[:40]!r}")
    weeks, days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return 7 * weeks + days, 3600 * hours + 60 * minutes + seconds


def _names(named: str) -> list[str]:
    """Return what a name may be called in the IANA database: itself, its end after somebody's prefix, or what Windows means by it."""
    parts = named.strip("/").split("/")
    ends = ["/".join(parts[-count:]) for count in (3, 2, 1)] if named.startswith("/") else [named]
    return [*ends, *filter(None, [IANA_OF.get(named.strip().lower())])]


def _as_utc(clock: datetime) -> str:
    return clock.isoformat(timespec="microseconds") + "Z"


def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


@lru_cache(1)
def _known() -> frozenset[str]:
    return frozenset(available_timezones())

"""When something holds that begins and ends, once or again and again: recurrence rules of RFC 5545, by the clock of a zone.

Not what holds, and no calendar of anybody's. From 27 November, Friday 17:00 to Monday 06:00 in Berlin, weekly:

    weekends = Times("2026-11-27T16:00:00Z", "2026-11-30T05:00:00Z", "Europe/Berlin", "FREQ=WEEKLY;BYDAY=FR")
    covering(weekends, "2026-12-05T12:00:00Z")  ->  Span 2026-12-04T16:00Z to 2026-12-07T05:00Z
    covering(weekends, "2027-07-09T15:30:00Z")  ->  Span 2027-07-09T15:00Z to 2027-07-12T04:00Z      in summer, at the same hours
    covering(weekends, "2026-12-09T12:00:00Z")  ->  None

`begin` is always one of the times (RFC 5545 §3.8.5.3: the first). Hours that a clock skips are taken as if it had not been set yet,
and of hours that it shows twice the first counts (§3.3.5). Weekdays with a number are within the month, or the year (§3.3.10).

Rules are asked for one time, and not expanded from their beginning: days are looked at from that time back, as far as one time lasts.
Only COUNT has to be counted. Whatever looks at more than 20,000 days is not computed, and raises NotComputableError: a rule that
fits no day, as the 30 February, costs milliseconds. Rules that recur more often than daily are none (decision 30).
"""

import calendar
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ledger.clock import from_text, normalised, to_text
from projections.rules.leave import FOR_EVER

MAX_DAYS: Final = 20_000
_TOO_LONG: Final = f"its rule takes more than {MAX_DAYS} days to look at"
# Later than every time.
_WEEKDAYS: Final = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_DAY: Final = timedelta(days=1)
# How much later, or earlier, clocks may be set.
_SLACK: Final = 2 * _DAY


class NotComputableError(Exception):
    """Whether something holds at a time cannot be said. The message says why."""


@dataclass(frozen=True, slots=True)
class Times:
    """A time, and by which rule it comes again. `except_at` are beginnings that are left out."""

    begin: str
    end: str
    zone: str | None = None
    rule: str | None = None
    except_at: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Span:
    """One of the times. Both ends belong to it."""

    begin: str
    end: str


def covering(times: Times, at: str) -> Span | None:
    """Return the one of the times that a time lies in, the last to begin; None where it lies in none.

    Raises NotComputableError for an unknown zone, for a rule that is none, and for one that takes too long.
    """
    return overlapping(times, at, at)


def overlapping(times: Times, since: str, until: str) -> Span | None:
    """Return the last to begin of the times that meet a span of time; None where none does. Raises as `covering` does."""
    begin, end, since, until = (normalised(time) for time in (times.begin, times.end, since, until))
    if until < begin or end < begin or until < since:
        return None
    if times.rule is None:
        return Span(begin, end) if since <= end else None
    try:
        return _overlapping(times, since, until)
    except OverflowError:
        raise NotComputableError("it reaches beyond the years 1 to 9999") from None


def upcoming(times: Times, at: str) -> Span | None:
    """Return the first of the times that begins at a time, or after it; None where none does. Raises as `covering` does."""
    begin, end, at = normalised(times.begin), normalised(times.end), normalised(at)
    if end < begin:
        return None
    if at <= begin and begin not in {normalised(time) for time in times.except_at}:
        return Span(begin, end)
    if times.rule is None:
        return None
    try:
        return _upcoming(times, max(at, begin))
    except OverflowError:
        raise NotComputableError("it reaches beyond the years 1 to 9999") from None


def occurring(times: Times, since: str, until: str) -> Iterator[Span]:
    """Yield the times that meet a span of time, in order: `until` does not belong to it. Raises as `covering` does, at any of them.

    Of times that begin before it, and that are one in another, the last to begin alone.
    """
    since, until = normalised(since), normalised(until)
    first = covering(times, since)
    if first is not None:
        yield first
    after = since if first is None or first.begin < since else _just_after(first.begin)
    while (span := upcoming(times, after)) is not None and span.begin < until:
        yield span
        after = _just_after(span.begin)


def fault_of(times: Times) -> str:
    """Say why times hold nothing, or cannot be computed; "" where nothing speaks against them."""
    begin, end = normalised(times.begin), normalised(times.end)
    if end < begin:
        return f"it ends at {end}, before it begins at {begin}"
    try:
        _zone(times.zone)
        if times.rule is not None:
            rule = _parsed(times.rule, _local(begin, _zone(times.zone)).date())
            if rule.count is not None and _counted(times.rule, times.begin, times.zone).up_to is not None:
                return _TOO_LONG
    except NotComputableError as error:
        return str(error)
    except OverflowError:
        return "it reaches beyond the years 1 to 9999"
    return ""


def hull(times: Times) -> tuple[str, str]:
    """Return from when to when times may hold: never too short, and cheap."""
    begin, end = normalised(times.begin), normalised(times.end)
    return (begin, max(begin, end)) if times.rule is None else (begin, FOR_EVER)


def hull_of(several: Iterable[Times]) -> tuple[str, str] | None:
    """Return from when to when any of several times may hold; None of none."""
    spans = [hull(times) for times in several]
    return (min(begin for begin, _ in spans), max(end for _, end in spans)) if spans else None


# -- one rule ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Rule:
    freq: str
    interval: int
    count: int | None
    until: str | None
    months: frozenset[int]
    monthdays: frozenset[int]
    # Weekdays from Monday, 0, and which of the month or year: 0 is each.
    weekdays: tuple[tuple[int, int], ...]
    positions: tuple[int, ...]
    week_begins: int


@lru_cache(1024)
def _parsed(text: str, first: date) -> _Rule:
    """Return a rule whose days are all named: what it leaves out is as at its first time."""
    parts = dict(part.partition("=")[::2] for part in text.split(";"))
    freq = parts.get("FREQ", "")
    if freq not in ("YEARLY", "MONTHLY", "WEEKLY", "DAILY"):
        raise NotComputableError(f"{text} is no rule that is known here")
    try:
        months = frozenset(map(int, filter(None, parts.get("BYMONTH", "").split(","))))
        monthdays = frozenset(map(int, filter(None, parts.get("BYMONTHDAY", "").split(","))))
        weekdays = tuple(
            (_WEEKDAYS.index(day[-2:]), int(day[:-2] or 0)) for day in filter(None, parts.get("BYDAY", "").split(","))
        )
        positions = tuple(map(int, filter(None, parts.get("BYSETPOS", "").split(","))))
        if not monthdays and not weekdays:
            if freq == "YEARLY":
                months = months or frozenset({first.month})
            if freq in ("YEARLY", "MONTHLY"):
                monthdays = frozenset({first.day})
            if freq == "WEEKLY":
                weekdays = ((first.weekday(), 0),)
        return _Rule(
            freq,
            int(parts.get("INTERVAL", 1)),
            int(parts["COUNT"]) if "COUNT" in parts else None,
            parts.get("UNTIL"),
            months,
            monthdays,
            weekdays,
            positions,
            _WEEKDAYS.index(parts.get("WKST", "MO")),
        )
    except ValueError:
        raise NotComputableError(f"{text} is no rule that is known here") from None


class _Budget:
    """How many days may still be looked at."""

    def __init__(self) -> None:
        self._left = MAX_DAYS

    def take(self, days: int) -> None:
        self._left -= days
        if self._left < 0:
            raise NotComputableError(_TOO_LONG)


def _number(rule: _Rule, first: date, day: date) -> int:
    """Return the number of the period that a day lies in: years, months, weeks or days from that of the first."""
    if rule.freq == "YEARLY":
        return day.year - first.year
    if rule.freq == "MONTHLY":
        return 12 * (day.year - first.year) + day.month - first.month
    if rule.freq == "WEEKLY":
        return (_week_of(rule, day) - _week_of(rule, first)) // 7
    return day.toordinal() - first.toordinal()


def _week_of(rule: _Rule, day: date) -> int:
    return day.toordinal() - (day.weekday() - rule.week_begins) % 7


def _days(rule: _Rule, first: date, number: int, budget: _Budget) -> list[date]:
    """Return the days of a period that the rule fits, in order. Raises OverflowError beyond the calendar."""
    try:
        days = list(_all_days(rule, first, number))
    except ValueError:
        raise OverflowError from None
    budget.take(max(1, len(days)))
    fitting = [day for day in days if _fits(rule, day)]
    if rule.positions:
        size = len(fitting)
        chosen = {place - 1 if place > 0 else size + place for place in rule.positions}
        fitting = [day for place, day in enumerate(fitting) if place in chosen]
    return fitting


def _all_days(rule: _Rule, first: date, number: int) -> Iterator[date]:
    begin = _begin_of(rule, first, number)
    if rule.freq in ("DAILY", "WEEKLY"):
        yield from (begin + day * _DAY for day in range(1 if rule.freq == "DAILY" else 7))
        return
    months = [begin.month] if rule.freq == "MONTHLY" else sorted(rule.months) or range(1, 13)
    for year, month in ((begin.year, month) for month in months):
        begin = date(year, month, 1)
        if not rule.months or month in rule.months:
            yield from (begin + day * _DAY for day in range(_length(year, month)))


def _begin_of(rule: _Rule, first: date, number: int) -> date:
    """Return the first day of a period. Raises ValueError beyond the calendar."""
    if rule.freq == "DAILY":
        return date.fromordinal(first.toordinal() + number)
    if rule.freq == "WEEKLY":
        return date.fromordinal(_week_of(rule, first) + 7 * number)
    if rule.freq == "YEARLY":
        return date(first.year + number, 1, 1)
    year, month = divmod(12 * first.year + first.month - 1 + number, 12)
    return date(year, month + 1, 1)


def _length(year: int, month: int) -> int:
    return calendar.monthrange(year, month)[1]


def _fits(rule: _Rule, day: date) -> bool:
    if rule.months and day.month not in rule.months:
        return False
    if rule.monthdays:
        back = day.day - _length(day.year, day.month) - 1
        if day.day not in rule.monthdays and back not in rule.monthdays:
            return False
    return not rule.weekdays or any(
        day.weekday() == weekday and (not which or rule.freq in ("DAILY", "WEEKLY") or _is_one(rule, day, which))
        for weekday, which in rule.weekdays
    )


def _is_one(rule: _Rule, day: date, which: int) -> bool:
    """Say whether a day is the first, second, … last of its weekday in its month; in its year where no months are named."""
    if rule.freq == "YEARLY" and not rule.months:
        place, size = day.timetuple().tm_yday - 1, 366 if calendar.isleap(day.year) else 365
    else:
        place, size = day.day - 1, _length(day.year, day.month)
    return place // 7 + 1 == which or -((size - 1 - place) // 7 + 1) == which


# -- times of a rule -------------------------------------------------------------------------------------------------------


def _overlapping(times: Times, since: str, until: str) -> Span | None:
    zone = _zone(times.zone)
    first, last = _local(times.begin, zone), _local(times.end, zone)
    rule = _parsed(times.rule or "", first.date())
    left_out = {normalised(time) for time in times.except_at}
    last_day = _local(until, zone).date() + _DAY
    if rule.count is not None:
        known = _counted(times.rule or "", times.begin, times.zone)
        days: Iterator[date] = (day for day in reversed(known.days) if day <= last_day)
        if known.up_to is not None and known.up_to <= last_day:
            raise NotComputableError(_TOO_LONG)
    else:
        far = (last_day - _local(since, zone).date()) + (last - first) + _SLACK
        days = _back_from(rule, first.date(), last_day, far)
    for day in days:
        found = _span(day, first, last, zone)
        if found.begin <= until and found.begin not in left_out and _is_until(rule, day, found, first.date()):
            if since <= found.end:
                return found
            if found.end < _earlier(since, _SLACK):
                return None
    return None


def _span(day: date, first: datetime, last: datetime, zone: ZoneInfo | None) -> Span:
    """Return the one of the times that begins on a day, at the hours of the first."""
    begin = datetime.combine(day, first.time())
    return Span(_universal(begin, zone), _universal(begin + (last - first), zone))


def _upcoming(times: Times, at: str) -> Span | None:
    zone = _zone(times.zone)
    first, last = _local(times.begin, zone), _local(times.end, zone)
    rule = _parsed(times.rule or "", first.date())
    left_out = {normalised(time) for time in times.except_at}
    if rule.count is not None:
        known = _counted(times.rule or "", times.begin, times.zone)
        days: Iterator[date] = iter(known.days)
    else:
        days = _on_from(rule, first.date(), max(first.date(), _local(at, zone).date() - _DAY))
    for day in days:
        found = _span(day, first, last, zone)
        if found.begin >= at and found.begin not in left_out:
            return found if _is_until(rule, day, found, first.date()) else None
    if rule.count is not None and known.up_to is not None:
        raise NotComputableError(_TOO_LONG)
    return None


def _on_from(rule: _Rule, first: date, day: date) -> Iterator[date]:
    """Yield the days that a rule fits, from one on."""
    budget = _Budget()
    number, last = _number(rule, first, day), _number(rule, first, _last_day(rule))
    number -= number % rule.interval
    while number <= last:
        yield from (one for one in _days(rule, first, number, budget) if one >= day)
        number += rule.interval


def _last_day(rule: _Rule) -> date:
    """Return a day after which a rule makes no times: one more than it says, for the zone that its end is in."""
    try:
        return date.fromisoformat(rule.until[:8]) + _DAY if rule.until is not None else date.max
    except (ValueError, OverflowError):
        return date.max


def _is_until(rule: _Rule, day: date, span: Span, first: date) -> bool:
    if rule.until is None or day == first:
        return True
    if "T" not in rule.until:
        return day.isoformat().replace("-", "") <= rule.until
    return re.sub(r"[^0-9T]", "", span.begin.partition(".")[0]) <= rule.until.removesuffix("Z")


def _back_from(rule: _Rule, first: date, day: date, far: timedelta) -> Iterator[date]:
    """Yield the days that a rule fits, from one back to the first, or to `far` before it."""
    budget, earliest = _Budget(), first
    if day - first > far:
        earliest = day - far
    if day < first:
        return
    number = _number(rule, first, day)
    number -= number % rule.interval
    lowest = _number(rule, first, earliest)
    while number >= 0 and number >= lowest - rule.interval:
        yield from (one for one in reversed(_days(rule, first, number, budget)) if first < one <= day)
        number -= rule.interval
    # The first time is one of them, whether the rule fits it or not.
    if earliest == first:
        yield first


@dataclass(frozen=True, slots=True)
class _Counted:
    days: tuple[date, ...]
    # Before which day all are known; None where all there are.
    up_to: date | None


@lru_cache(256)
def _counted(text: str, begin: str, zone: str | None) -> _Counted:
    """Return the days of a rule that counts its times, as far as they may be looked at."""
    first = _local(begin, _zone(zone)).date()
    rule, budget, days = _parsed(text, first), _Budget(), [first]
    number = 0
    try:
        while len(days) < (rule.count or 0):
            days += [day for day in _days(rule, first, number, budget) if day > first]
            number += rule.interval
    except (NotComputableError, OverflowError):
        # The period before is one of the calendar; of the first the days before it may not be.
        return _Counted(tuple(days), _begin_of(rule, first, number - rule.interval) if number else first)
    return _Counted(tuple(days[: rule.count]), None)


# -- clocks ----------------------------------------------------------------------------------------------------------------


def _zone(name: str | None) -> ZoneInfo | None:
    if name is None:
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise NotComputableError(f"no time zone is called {name}") from None


def _local(time: str, zone: ZoneInfo | None) -> datetime:
    """Return what the clock of a zone shows at a time."""
    moment = datetime.fromisoformat(normalised(time).replace("Z", "+00:00"))
    return moment.astimezone(zone or UTC).replace(tzinfo=None)


def _universal(shown: datetime, zone: ZoneInfo | None) -> str:
    """Return when the clock of a zone shows something: the first time; and if never, as if it had not been set yet."""
    moment = shown.replace(tzinfo=zone or UTC, fold=0).astimezone(UTC)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _just_after(time: str) -> str:
    return to_text(from_text(time) + 1)


def _earlier(time: str, by: timedelta) -> str:
    return to_text(from_text(time) - round(by.total_seconds()) * 1_000_000)

"""Which days a recurrence rule of RFC 5545 fits, from its first one on: by dates alone, without clocks and zones.

Not when something holds on such a day: that is `calendar`. Weekdays with a number are within the month, or the year (§3.3.10).

    parsed("FREQ=MONTHLY;BYDAY=-1FR", 27 November 2026)   ->  the last Friday of each month: 27 November, 25 December, 29 January, …

A rule is asked from a day on, or back, and not expanded from its beginning; only COUNT has to be counted. Whatever looks at more than
20,000 days is not computed.
"""

import calendar
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import Final

MAX_DAYS: Final = 20_000
TOO_LONG: Final = f"its rule takes more than {MAX_DAYS} days to look at"

_WEEKDAYS: Final = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
DAY: Final = timedelta(days=1)


class NotComputableError(Exception):
    """Whether something holds at a time cannot be said. The message says why."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A recurrence rule, read. Months, days and weekdays that it leaves empty narrow nothing."""

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
def parsed(text: str, first: date) -> Rule:
    """Return a rule whose days are all named: what it leaves out is as at its first time."""
    parts = dict(part.partition("=")[::2] for part in text.split(";"))
    freq = parts.get("FREQ", "")
    if freq not in ("YEARLY", "MONTHLY", "WEEKLY", "DAILY"):
        raise NotComputableError(f"{text} is not a rule that is known here")
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
        return Rule(
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
        raise NotComputableError(f"{text} is not a rule that is known here") from None


class _Budget:
    """How many days may still be looked at."""

    def __init__(self) -> None:
        self._left = MAX_DAYS

    def take(self, days: int) -> None:
        self._left -= days
        if self._left < 0:
            raise NotComputableError(TOO_LONG)


def _number(rule: Rule, first: date, day: date) -> int:
    """Return the number of the period that a day lies in: years, months, weeks or days from that of the first."""
    if rule.freq == "YEARLY":
        return day.year - first.year
    if rule.freq == "MONTHLY":
        return 12 * (day.year - first.year) + day.month - first.month
    if rule.freq == "WEEKLY":
        return (_week_of(rule, day) - _week_of(rule, first)) // 7
    return day.toordinal() - first.toordinal()


def _week_of(rule: Rule, day: date) -> int:
    return day.toordinal() - (day.weekday() - rule.week_begins) % 7


def _days(rule: Rule, first: date, number: int, budget: _Budget) -> list[date]:
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


def _all_days(rule: Rule, first: date, number: int) -> Iterator[date]:
    begin = _begin_of(rule, first, number)
    if rule.freq in ("DAILY", "WEEKLY"):
        yield from (begin + day * DAY for day in range(1 if rule.freq == "DAILY" else 7))
        return
    months = [begin.month] if rule.freq == "MONTHLY" else sorted(rule.months) or range(1, 13)
    for year, month in ((begin.year, month) for month in months):
        begin = date(year, month, 1)
        if not rule.months or month in rule.months:
            yield from (begin + day * DAY for day in range(_length(year, month)))


def _begin_of(rule: Rule, first: date, number: int) -> date:
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


def _fits(rule: Rule, day: date) -> bool:
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


def _is_one(rule: Rule, day: date, which: int) -> bool:
    """Say whether a day is the first, second, … last of its weekday in its month; in its year where no months are named."""
    if rule.freq == "YEARLY" and not rule.months:
        place, size = day.timetuple().tm_yday - 1, 366 if calendar.isleap(day.year) else 365
    else:
        place, size = day.day - 1, _length(day.year, day.month)
    return place // 7 + 1 == which or -((size - 1 - place) // 7 + 1) == which


def days_from(rule: Rule, first: date, day: date) -> Iterator[date]:
    """Yield the days that a rule fits, from one on."""
    budget = _Budget()
    number, last = _number(rule, first, day), _number(rule, first, _last_day(rule))
    number -= number % rule.interval
    while number <= last:
        yield from (one for one in _days(rule, first, number, budget) if one >= day)
        number += rule.interval


def _last_day(rule: Rule) -> date:
    """Return a day after which a rule makes no times: one more than it says, for the zone that its end is in."""
    try:
        return date.fromisoformat(rule.until[:8]) + DAY if rule.until is not None else date.max
    except (ValueError, OverflowError):
        return date.max


def days_back_from(rule: Rule, first: date, day: date, far: timedelta) -> Iterator[date]:
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
class Counted:
    """The days of a rule that counts its times, as far as they are known."""

    days: tuple[date, ...]
    # Before which day all are known; None where all there are.
    up_to: date | None


@lru_cache(256)
def counted(text: str, first: date) -> Counted:
    """Return the days of a rule that counts its times, as far as they may be looked at."""
    rule, budget, days = parsed(text, first), _Budget(), [first]
    number = 0
    try:
        while len(days) < (rule.count or 0):
            days += [day for day in _days(rule, first, number, budget) if day > first]
            number += rule.interval
    except (NotComputableError, OverflowError):
        # The period before is one of the calendar; of the first the days before it may not be.
        return Counted(tuple(days), _begin_of(rule, first, number - rule.interval) if number else first)
    return Counted(tuple(days[: rule.count]), None)

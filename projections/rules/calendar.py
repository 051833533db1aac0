"""When something holds that begins and ends, once or again and again: recurrence rules of RFC 5545, by the clock of a zone.

Not what holds, and no calendar of anybody's. From 27 November, Friday 17:00 to Monday 06:00 in Berlin, weekly:

    weekends = Times("2026-11-27T16:00:00Z", "2026-11-30T05:00:00Z", "Europe/Berlin", "FREQ=WEEKLY;BYDAY=FR")
    covering(weekends, "2026-12-05T12:00:00Z")  ->  Span 2026-12-04T16:00Z to 2026-12-07T05:00Z
    covering(weekends, "2027-07-09T15:30:00Z")  ->  Span 2027-07-09T15:00Z to 2027-07-12T04:00Z      in summer, at the same hours
    covering(weekends, "2026-12-09T12:00:00Z")  ->  None

`begin` is always one of the times (RFC 5545 §3.8.5.3: the first). Hours that a clock skips are taken as if it had not been set yet,
and of hours that it shows twice the first counts (§3.3.5).

Rules are asked for one time, and not expanded from their beginning: days (`recurrence`) are looked at from that time back, as far as one
time lasts. Whatever looks at more than 20,000 of them is not computed, and raises NotComputableError: a rule that fits no day, as the
30 February, costs milliseconds. A rule that recurs more often than daily cannot be computed either (decision 30).
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ledger.clock import from_text, normalised, to_text
from projections.rules.leave import FOR_EVER
from projections.rules.recurrence import (
    DAY,
    TOO_LONG,
    NotComputableError,
    Rule,
    counted,
    days_back_from,
    days_from,
    parsed,
)

# How much later, or earlier, clocks may be set.
_SLACK: Final = 2 * DAY


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

    Raises NotComputableError for an unknown zone, for a rule that cannot be read, and for one that takes too long.
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
            first = _local(begin, _zone(times.zone)).date()
            if parsed(times.rule, first).count is not None and counted(times.rule, first).up_to is not None:
                return TOO_LONG
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


# -- times of a rule -------------------------------------------------------------------------------------------------------


def _overlapping(times: Times, since: str, until: str) -> Span | None:
    zone = _zone(times.zone)
    first, last = _local(times.begin, zone), _local(times.end, zone)
    rule = parsed(times.rule or "", first.date())
    left_out = {normalised(time) for time in times.except_at}
    last_day = _local(until, zone).date() + DAY
    if rule.count is not None:
        known = counted(times.rule or "", first.date())
        days: Iterator[date] = (day for day in reversed(known.days) if day <= last_day)
        if known.up_to is not None and known.up_to <= last_day:
            raise NotComputableError(TOO_LONG)
    else:
        far = (last_day - _local(since, zone).date()) + (last - first) + _SLACK
        days = days_back_from(rule, first.date(), last_day, far)
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
    rule = parsed(times.rule or "", first.date())
    left_out = {normalised(time) for time in times.except_at}
    if rule.count is not None:
        known = counted(times.rule or "", first.date())
        days: Iterator[date] = iter(known.days)
    else:
        days = days_from(rule, first.date(), max(first.date(), _local(at, zone).date() - DAY))
    for day in days:
        found = _span(day, first, last, zone)
        if found.begin >= at and found.begin not in left_out:
            return found if _is_until(rule, day, found, first.date()) else None
    if rule.count is not None and known.up_to is not None:
        raise NotComputableError(TOO_LONG)
    return None


def _is_until(rule: Rule, day: date, span: Span, first: date) -> bool:
    if rule.until is None or day == first:
        return True
    if "T" not in rule.until:
        return day.isoformat().replace("-", "") <= rule.until
    return re.sub(r"[^0-9T]", "", span.begin.partition(".")[0]) <= rule.until.removesuffix("Z")


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

"""What events of a calendar say: windows, each in its last wording, with the times by its rule and without those that are told anew.

Not what a window is: a freeze, a meeting or what else is for `icalendar`. See there what counts of a calendar.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from api.intake.calendar_times import Shown, TimeError, Zones, clock_of, duration_of, rule_of
from api.intake.content_lines import Component
from api.intake.translation import ContradictionError
from ledger.clock import from_text

_EVENTS: Final = ("VEVENT", "VFREEBUSY")
_is_until = re.compile(r"UNTIL=([0-9]{8}T[0-9]{6})(?=;|$)").search


@dataclass(frozen=True)
class Window:
    """One event of a calendar, as our words have it. `number` is its place in the file."""

    number: int
    key: str
    start: Shown
    end: Shown
    recurs: str | None = None
    except_at: tuple[str, ...] = ()
    is_cancelled: bool = False

    @property
    def times(self) -> dict[str, Any]:
        """The times, in UTC, and by which rule of which zone they come again. Raises TimeError where it ends before it begins."""
        if self.end.moment < self.start.moment:
            raise TimeError("expected an end that does not lie before its beginning")
        recurring = {"time_zone": self.start.zone, "recurs": self.recurs, "except_at": self.except_at or None}
        return {"start": self.start.moment, "end": self.end.moment} | (recurring if self.recurs else {})


# As many as a year of days has, twice over.
MAX_EVENTS: Final = 800


class Events:
    """The events of a file, each in its last wording. `left_out` names those that are no windows, and why.

    Raises ContradictionError, naming the event, for what cannot be taken.
    """

    def __init__(self, calendars: list[Component], zone: str | None, *, is_hold: bool) -> None:
        self.left_out: list[str] = []
        self._zones = Zones(calendars, zone)
        # Of what holds somebody up: what takes nobody's time does not.
        self._is_hold = is_hold
        self._last: dict[tuple[str, str], _Worded] = {}
        # The times of each series that are told anew, or are cancelled.
        self._anew: dict[str, list[str]] = {}
        for number, (method, part) in enumerate(_events_in(calendars), 1):
            if number > MAX_EVENTS:
                raise ContradictionError(f"expected at most {MAX_EVENTS} events", "/body")
            self._add(number, method, part)

    def windows(self) -> Iterator[Window]:
        """Yield what the events say, in the order of the file."""
        for (uid, instead), worded in self._last.items():
            with _named(worded.number):
                yield from self._windows_of(worded, uid, instead)

    def _add(self, number: int, method: str, part: Component) -> None:
        with _named(number):
            uid = part.text("UID")
            if not uid:
                raise TimeError("expected a UID, by which it is known when it is posted again")
            again = part.first("RECURRENCE-ID")
            if again is not None and again.parameters.get("RANGE"):
                raise TimeError("expected an override of one time, and not of all that follow: split the series")
            instead = self._zones.shown(again, recurs=True).moment if again is not None else ""
        worded = _Worded(number, part, "CANCEL" in (method, part.text("STATUS").upper()[:6]))
        before = self._last.get((uid, instead))
        if before is None or worded.order >= before.order:
            self._last[uid, instead] = worded
        if before is None and instead:
            self._anew.setdefault(uid, []).append(instead)

    def _windows_of(self, worded: "_Worded", uid: str, instead: str) -> Iterator[Window]:
        number, part = worded.number, worded.part
        if part.name == "VFREEBUSY":
            yield from self._busy(number, part, uid)
            return
        if worded.is_cancelled and instead:
            if (uid, "") not in self._last:
                raise TimeError("expected the whole series, and not only the time of it that is cancelled")
            self.left_out.append(f"{number}:cancelled")
            return
        if (word := self._undecided(part)) and not worded.is_cancelled:
            self.left_out.append(f"{number}:{word}")
            return
        if part.first("EXRULE") is not None:
            raise TimeError("expected EXDATE, and not EXRULE, which no calendar writes any more")
        if (begin := part.first("DTSTART")) is None:
            raise TimeError("expected DTSTART")
        rule = part.text("RRULE")
        start = self._zones.shown(begin, recurs=bool(rule))
        end = _end_of(part, start, self._zones, bool(rule))
        window = Window(
            number, f"{uid}/{_stamp(instead)}" if instead else uid, start, end, is_cancelled=worded.is_cancelled
        )
        if rule:
            left = {*_dates(part, "EXDATE", start, self._zones), *self._anew.get(uid, ())}
            window = replace(window, recurs=_rule(rule, start), except_at=tuple(sorted(left)))
        yield window
        for period in _periods(part, start, end, self._zones):
            yield replace(window, key=f"{uid}/{_stamp(period[0].moment)}", start=period[0], end=period[1], recurs=None)

    def _undecided(self, part: Component) -> str:
        """Return why an event holds nobody up, or is not decided; "" where it does, and is."""
        if part.text("STATUS").upper() == "TENTATIVE":
            return "tentative"
        return "transparent" if self._is_hold and part.text("TRANSP").upper() == "TRANSPARENT" else ""

    def _busy(self, number: int, part: Component, uid: str) -> Iterator[Window]:
        """Yield the times in which somebody or something is busy, for sure."""
        for one in part.all("FREEBUSY"):
            told = one.parameters.get("FBTYPE", "BUSY").upper()
            if told not in ("BUSY", "BUSY-UNAVAILABLE"):
                self.left_out.append(f"{number}:{told.lower()[:20]}")
                continue
            for text in filter(None, map(str.strip, one.value.split(","))):
                begin, end = _period(text, "", self._zones)
                yield Window(number, f"{uid}/{_stamp(begin.moment)}", begin, end)


@dataclass(frozen=True)
class _Worded:
    """One wording of an event."""

    number: int
    part: Component
    is_cancelled: bool

    @property
    def order(self) -> tuple[int, str]:
        sequence = self.part.text("SEQUENCE")
        return int(sequence) if re.fullmatch("[0-9]{1,9}", sequence) else 0, self.part.text("DTSTAMP")


@contextmanager
def _named(number: int) -> Iterator[None]:
    """Name the event that a time which cannot be taken is of."""
    try:
        yield
    except TimeError as error:
        raise ContradictionError(f"event {number}: {error}", "/body") from None


def _events_in(calendars: list[Component]) -> Iterator[tuple[str, Component]]:
    """Yield events, with the method of the calendar around each: some files have an event and no calendar."""
    for calendar in calendars:
        for part in [calendar] if calendar.name in _EVENTS else calendar.parts:
            if part.name in _EVENTS:
                yield calendar.text("METHOD").upper(), part


def _end_of(part: Component, start: Shown, zones: Zones, recurs: bool) -> Shown:
    if (end := part.first("DTEND")) is not None:
        return zones.shown(end, recurs=recurs)
    if part.first("DURATION") is not None:
        return start.later(*duration_of(part.text("DURATION")))
    # A day alone is all of it (§3.6.1).
    return start.later(1, 0) if start.is_date else start


def _rule(text: str, start: Shown) -> str:
    """Return a rule as ours are written: its end in UTC, and without the hours of its first time, which it has anyhow."""
    hours = {"BYHOUR": start.clock.hour, "BYMINUTE": start.clock.minute, "BYSECOND": start.clock.second}
    implied = {f"{name}={value}" for name, value in hours.items()}
    rule = ";".join(part for part in rule_of(text).split(";") if part not in implied)
    if (found := _is_until(rule)) is not None:
        try:
            until = replace(start, clock=clock_of(found[1]))
        except ValueError:
            return rule
        rule = rule.replace(found[0], f"UNTIL={_stamp(until.moment)}")
    return rule


def _dates(part: Component, name: str, start: Shown, zones: Zones) -> Iterator[str]:
    """Yield the instants of a property; of a date alone, when a time of the series begins on it."""
    for one in part.all(name):
        for text in filter(None, map(str.strip, one.value.split(","))):
            if "T" in text:
                yield zones.read(text, one.parameters.get("TZID", ""), recurs=True).moment
            else:
                day = zones.read(text, "", floats_in="UTC").clock.date()
                yield replace(start, clock=datetime.combine(day, start.clock.time())).moment


def _periods(part: Component, start: Shown, end: Shown, zones: Zones) -> Iterator[tuple[Shown, Shown]]:
    """Yield what RDATE adds: periods, or times that last as long as the first."""
    lasts = (from_text(end.moment) - from_text(start.moment)) // 1_000_000
    for one in part.all("RDATE"):
        named = one.parameters.get("TZID", "")
        for text in filter(None, map(str.strip, one.value.split(","))):
            if "/" in text:
                yield _period(text, named, zones)
            else:
                begin = zones.read(text, named)
                yield begin, begin.later(0, lasts)


def _period(text: str, named: str, zones: Zones) -> tuple[Shown, Shown]:
    begin_text, _, end_text = text.partition("/")
    begin = zones.read(begin_text, named)
    return begin, begin.later(*duration_of(end_text)) if end_text.startswith("P") else zones.read(end_text, named)


def _stamp(moment: str) -> str:
    return re.sub(r"[-:]|\.\d+", "", moment)

"""Times that come again: as the textbook expands them, by clocks that are set forward and back, and within bounds."""

import calendar as months
import itertools
import time
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from projections.rules.calendar import FOR_EVER, Span, Times, covering, fault_of, hull, occurring, upcoming
from projections.rules.recurrence import NotComputableError

DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
HOUR = timedelta(hours=1)


def stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def textbook(rule: str, first: date, until: date) -> list[date]:
    """Return the days of a rule, by going through all days one by one: RFC 5545 §3.3.10, in UTC."""
    parts = dict(part.split("=") for part in rule.split(";"))
    freq, interval = parts["FREQ"], int(parts.get("INTERVAL", 1))
    week_begins = DAYS.index(parts.get("WKST", "MO"))

    def period(day: date) -> int:
        monday_like = day.toordinal() - (day.weekday() - week_begins) % 7
        return {
            "YEARLY": day.year, "MONTHLY": 12 * day.year + day.month, "WEEKLY": monday_like // 7, "DAILY": day.toordinal()
        }[freq]  # fmt: skip

    def fits(day: date) -> bool:
        length = months.monthrange(day.year, day.month)[1]
        if "BYMONTH" in parts and str(day.month) not in parts["BYMONTH"].split(","):
            return False
        named = {"BYMONTHDAY", "BYDAY"} & set(parts)
        if "BYMONTHDAY" in parts:
            wanted = {int(number) for number in parts["BYMONTHDAY"].split(",")}
            if not wanted & {day.day, day.day - length - 1}:
                return False
        if "BYDAY" in parts and not any(is_one(day, text) for text in parts["BYDAY"].split(",")):
            return False
        if not named and freq == "YEARLY":
            return day.day == first.day and ("BYMONTH" in parts or day.month == first.month)
        if not named and freq == "MONTHLY":
            return day.day == first.day
        return not (not named and freq == "WEEKLY") or day.weekday() == first.weekday()

    def is_one(day: date, text: str) -> bool:
        if DAYS[day.weekday()] != text[-2:]:
            return False
        number = int(text[:-2] or 0)
        if number == 0 or freq in ("DAILY", "WEEKLY"):
            return True
        whole_year = freq == "YEARLY" and "BYMONTH" not in parts
        same = [
            other
            for other in (date(day.year, 1, 1) + timedelta(days=n) for n in range(366))
            if other.year == day.year and other.weekday() == day.weekday() and (whole_year or other.month == day.month)
        ]
        return (
            same[number - 1] if 0 < number <= len(same) else same[number] if -len(same) <= number < 0 else None
        ) == day

    begin = first - timedelta(days=first.timetuple().tm_yday + 7)
    groups: dict[int, list[date]] = {}
    for number in range((until - begin).days + 400):
        day = begin + timedelta(days=number)
        if (period(day) - period(first)) % interval == 0 and fits(day):
            groups.setdefault(period(day), []).append(day)
    found = []
    for _, days in sorted(groups.items()):
        if "BYSETPOS" in parts:
            places = {int(number) for number in parts["BYSETPOS"].split(",")}
            days = [day for n, day in enumerate(days) if n + 1 in places or n - len(days) in places]
        found += days
    found = sorted({first, *(day for day in found if day > first)})
    if "COUNT" in parts:
        found = found[: int(parts["COUNT"])]
    if "UNTIL" in parts:
        found = [day for day in found if day == first or day.strftime("%Y%m%d") <= parts["UNTIL"]]
    return [day for day in found if day <= until]


@st.composite
def rules(draw: st.DrawFn) -> str:
    freq = draw(st.sampled_from(("YEARLY", "MONTHLY", "WEEKLY", "DAILY")))
    parts = [f"FREQ={freq}"]
    few = st.integers(1, 3)
    if draw(st.booleans()):
        parts.append(f"INTERVAL={draw(st.integers(1, 5))}")
    if draw(st.booleans()):
        chosen = draw(st.lists(st.integers(1, 12), min_size=1, max_size=3, unique=True))
        parts.append(f"BYMONTH={','.join(map(str, chosen))}")
    if draw(st.booleans()):
        chosen = draw(st.lists(st.integers(-31, 31).filter(bool), min_size=1, max_size=4, unique=True))
        parts.append(f"BYMONTHDAY={','.join(map(str, chosen))}")
    if draw(st.booleans()):
        number = st.sampled_from(("", "", "1", "2", "-1", "5", "-3"))
        day = st.tuples(number, st.sampled_from(DAYS)).map("".join)
        parts.append(f"BYDAY={','.join(draw(st.lists(day, min_size=1, max_size=3, unique=True)))}")
    if draw(st.booleans()) and len(parts) > 1:
        parts.append(f"BYSETPOS={draw(few)}" if draw(st.booleans()) else f"BYSETPOS=-{draw(few)}")
    if draw(st.booleans()):
        parts.append(f"WKST={draw(st.sampled_from(DAYS))}")
    end = draw(st.sampled_from(("", "COUNT", "UNTIL")))
    if end == "COUNT":
        parts.append(f"COUNT={draw(st.integers(1, 20))}")
    elif end:
        parts.append(f"UNTIL=2026{draw(st.integers(1, 12)):02}15")
    return ";".join(parts)


@settings(max_examples=60, deadline=None)
@given(rules(), st.dates(date(2025, 1, 1), date(2025, 12, 31)), st.integers(1, 60))
def test_what_is_computed_backwards_is_what_the_textbook_expands(rule: str, first: date, hours: int) -> None:
    begin = datetime(first.year, first.month, first.day, 9, tzinfo=UTC)
    times = Times(stamp(begin), stamp(begin + hours * HOUR), None, rule)
    days = set(textbook(rule, first, date(2027, 6, 1)))
    asked = begin - timedelta(days=2)
    while asked.date() < date(2026, 9, 1):
        expected = [
            start
            for back in range(hours // 24 + 2)
            if (day := asked.date() - timedelta(days=back)) in days
            and (start := datetime(day.year, day.month, day.day, 9, tzinfo=UTC)) <= asked <= start + hours * HOUR
        ]
        found = covering(times, stamp(asked))
        assert (found and found.begin[:10]) == (stamp(expected[0])[:10] if expected else None), (rule, asked)
        asked += 41 * HOUR


@settings(max_examples=60, deadline=None)
@given(rules(), st.dates(date(2025, 1, 1), date(2025, 12, 31)), st.integers(-2, 400))
def test_the_next_time_is_the_first_that_the_textbook_has(rule: str, first: date, after: int) -> None:
    begin = datetime(first.year, first.month, first.day, 9, tzinfo=UTC)
    asked = begin + timedelta(days=after, hours=-1)
    expected = [day for day in textbook(rule, first, date(2027, 6, 1)) if stamp(asked)[:10] <= day.isoformat()]
    # Of a rule that fits no day it takes too long to say so.
    with suppress(NotComputableError):
        found = upcoming(Times(stamp(begin), stamp(begin + HOUR), None, rule), stamp(asked))
        if expected or found is None or found.begin < "2027-06":
            assert (found and found.begin[:10]) == (expected[0].isoformat() if expected else None)


WEEKENDS = Times("2026-11-27T16:00:00Z", "2026-11-30T05:00:00Z", "Europe/Berlin", "FREQ=WEEKLY;BYDAY=FR")


def test_a_rule_keeps_the_hours_of_its_clock_in_summer_as_in_winter() -> None:
    winter = Span("2026-12-04T16:00:00.000000Z", "2026-12-07T05:00:00.000000Z")
    summer = Span("2027-07-09T15:00:00.000000Z", "2027-07-12T04:00:00.000000Z")
    assert [covering(WEEKENDS, at) for at in (winter.begin, "2026-12-05T12:00:00Z", winter.end)] == [winter] * 3
    assert [covering(WEEKENDS, at) for at in (summer.begin, "2027-07-10T00:00:00Z", summer.end)] == [summer] * 3
    # The weekends in which clocks are set are an hour shorter, and an hour longer.
    assert covering(WEEKENDS, "2027-03-27T00:00:00Z") == Span(
        "2027-03-26T16:00:00.000000Z", "2027-03-29T04:00:00.000000Z"
    )
    assert covering(WEEKENDS, "2027-10-30T00:00:00Z") == Span(
        "2027-10-29T15:00:00.000000Z", "2027-11-01T05:00:00.000000Z"
    )
    for outside in (
        "2026-12-09T12:00:00Z",
        "2026-12-04T15:59:59Z",
        "2027-07-12T04:00:00.000001Z",
        "2026-11-20T20:00:00Z",
    ):
        assert covering(WEEKENDS, outside) is None


def test_hours_that_a_clock_skips_or_shows_twice() -> None:
    nightly = Times("2026-03-01T01:30:00Z", "2026-03-01T02:30:00Z", "Europe/Berlin", "FREQ=DAILY")
    # 02:30 to 03:30 in Berlin. On 29 March there is no 02:30: as if the clock had not been set yet, that is 03:30.
    assert covering(nightly, "2026-03-29T01:30:00Z") == Span(
        "2026-03-29T01:30:00.000000Z", "2026-03-29T01:30:00.000000Z"
    )
    # On 25 October 02:30 comes twice: the first counts.
    assert covering(nightly, "2026-10-25T00:30:00Z") == Span(
        "2026-10-25T00:30:00.000000Z", "2026-10-25T02:30:00.000000Z"
    )
    southern = Times("2026-01-05T22:00:00Z", "2026-01-06T06:00:00Z", "Australia/Lord_Howe", "FREQ=DAILY")
    # Clocks there are set by half an hour.
    assert covering(southern, "2026-06-05T23:00:00Z") == Span(
        "2026-06-05T22:30:00.000000Z", "2026-06-06T06:30:00.000000Z"
    )


def test_beginnings_that_are_left_out_and_the_end_of_a_rule() -> None:
    times = Times(
        "2026-12-04T16:00:00Z",
        "2026-12-05T16:00:00Z",
        "UTC",
        "FREQ=WEEKLY;UNTIL=20261218T160000Z",
        ("2026-12-11T16:00:00Z",),
    )
    held = [day for day in range(1, 32) if covering(times, f"2026-12-{day:02}T18:00:00Z")]
    assert held == [4, 18]
    once = Times("2026-12-04T16:00:00Z", "2026-12-04T17:00:00Z")
    assert covering(once, "2026-12-04T16:30:00Z")
    assert not covering(once, "2026-12-11T16:30:00Z")


def test_the_first_time_is_one_whether_the_rule_fits_it_or_not() -> None:
    # A Thursday, and every Friday after it.
    times = Times("2026-11-26T08:00:00Z", "2026-11-26T20:00:00Z", None, "FREQ=WEEKLY;BYDAY=FR;COUNT=3")
    held = [day for day in range(1, 31) if covering(times, f"2026-11-{day:02}T12:00:00Z")]
    assert held == [26, 27]
    assert covering(times, "2026-12-04T12:00:00Z")
    assert not covering(times, "2026-12-11T12:00:00Z")


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30;COUNT=9999", "FREQ=MONTHLY;BYDAY=53MO",
        "FREQ=YEARLY;BYDAY=MO,TU,WE,TH,FR,SA,SU;BYSETPOS=99;COUNT=9999", "FREQ=DAILY;INTERVAL=999;COUNT=9999",
        "FREQ=YEARLY;INTERVAL=999;BYMONTHDAY=31;BYMONTH=4", "FREQ=WEEKLY;BYMONTHDAY=31;BYMONTH=6;COUNT=2",
    ],
)  # fmt: skip
def test_an_evil_rule_costs_nothing_that_anybody_notices(rule: str) -> None:
    # Its first time lasts eight thousand years, so that there is far to look back.
    for zone, end in ((None, "9000-01-01T00:00:00Z"), ("Europe/Berlin", "1000-01-02T00:00:00Z")):
        times = Times("1000-01-01T00:00:00Z", end, zone, rule)
        begun = time.process_time()
        for at in ("1000-06-01T00:00:00Z", "2026-06-01T00:00:00Z", "9999-12-31T23:59:59Z"):
            with suppress(NotComputableError):
                covering(times, at)
        # Of processor time, and a hundred times what it takes.
        assert time.process_time() - begun < 5


@pytest.mark.parametrize(
    ("times", "words"),
    [
        (Times("2026-04-10T00:00:00Z", "2026-04-01T00:00:00Z"), "before it begins"),
        (Times("2026-04-01T00:00:00Z", "2026-04-10T00:00:00Z", "Mars/Phobos"), "no time zone is called Mars/Phobos"),
        (Times("2026-04-01T00:00:00Z", "2026-04-02T00:00:00Z", None, "FREQ=SECONDLY"), "not a rule that is known here"),
        (
            Times("2026-04-01T00:00:00Z", "2026-04-02T00:00:00Z", None, "FREQ=DAILY;BYDAY=XX"),
            "not a rule that is known here",
        ),
    ],
)
def test_times_that_hold_nothing_say_why(times: Times, words: str) -> None:
    assert words in fault_of(times)
    assert fault_of(WEEKENDS) == ""


def test_a_plain_time_holds_whatever_its_zone_is_called() -> None:
    times = Times("2026-04-01T00:00:00Z", "2026-04-10T00:00:00Z", "Mars/Phobos")
    assert covering(times, "2026-04-05T00:00:00Z") is not None
    with pytest.raises(NotComputableError):
        covering(
            Times("2026-04-01T00:00:00Z", "2026-04-10T00:00:00Z", "Mars/Phobos", "FREQ=DAILY"), "2026-04-05T00:00:00Z"
        )


def test_the_hull_is_never_too_short() -> None:
    assert hull(WEEKENDS) == ("2026-11-27T16:00:00.000000Z", FOR_EVER)
    assert hull(Times("2026-04-10T00:00:00Z", "2026-04-01T00:00:00Z")) == ("2026-04-10T00:00:00.000000Z",) * 2


# Rules whose first period begins before the calendar does, or whose last ends after it.
AT_THE_ENDS = [
    "FREQ=DAILY", "FREQ=WEEKLY;COUNT=100;WKST=SU", "FREQ=WEEKLY;COUNT=100;BYMONTH=6;BYMONTHDAY=30;WKST=SU",
    "FREQ=WEEKLY;INTERVAL=999;COUNT=2;WKST=SU", "FREQ=MONTHLY;INTERVAL=999;COUNT=9999;BYMONTHDAY=31", "FREQ=YEARLY;COUNT=9999",
    "FREQ=WEEKLY;UNTIL=00000000;WKST=TU", "FREQ=DAILY;INTERVAL=999;UNTIL=99999999T999999Z",
]  # fmt: skip


@pytest.mark.parametrize("rule", AT_THE_ENDS)
@pytest.mark.parametrize("zone", [None, "Pacific/Kiritimati", "Pacific/Niue"])
def test_rules_at_the_ends_of_the_calendar_break_nothing(rule: str, zone: str | None) -> None:
    ends = ("0001-01-01T00:00:00Z", "0001-01-03T00:00:00Z", "9999-12-30T00:00:00Z", "9999-12-31T23:59:59.999999Z")
    for begin, end in itertools.combinations_with_replacement(ends, 2):
        times = Times(begin, end, zone, rule)
        assert isinstance(fault_of(times), str)
        for at in (*ends, "2026-01-01T00:00:00Z"):
            with suppress(NotComputableError):
                covering(times, at)
            with suppress(NotComputableError):
                upcoming(times, at)


def test_times_at_the_ends_of_the_calendar_break_nothing() -> None:
    for begin, end in (
        ("0001-01-01T00:00:00Z", "0001-01-02T00:00:00Z"),
        ("9999-12-30T00:00:00Z", "9999-12-31T23:59:59Z"),
    ):
        for zone in (None, "Pacific/Kiritimati", "Pacific/Niue"):
            for at in ("0001-01-01T12:00:00Z", "2026-01-01T00:00:00Z", "9999-12-31T12:00:00Z"):
                times = Times(begin, end, zone, "FREQ=DAILY")
                fault_of(times)
                with suppress(NotComputableError):
                    covering(times, at)


def test_all_times_that_meet_a_span_are_told_in_order_and_once() -> None:
    daily = Times("2026-11-27T22:00:00Z", "2026-11-28T01:00:00Z", None, "FREQ=DAILY", ("2026-11-29T22:00:00Z",))
    found = list(occurring(daily, "2026-11-28T00:00:00Z", "2026-12-01T22:00:00Z"))
    # The first began the day before; one is left out; and what begins at the end is not one of them.
    assert [span.begin[:13] for span in found] == ["2026-11-27T22", "2026-11-28T22", "2026-11-30T22"]
    assert len({(span.begin, span.end) for span in found}) == 3
    once = Times("2026-11-27T22:00:00Z", "2026-11-28T01:00:00Z")
    assert len(list(occurring(once, "2026-11-27T22:00:00Z", "2026-11-28T00:00:00Z"))) == 1
    assert list(occurring(once, "2026-11-29T00:00:00Z", "2026-11-30T00:00:00Z")) == []
    assert list(occurring(once, "2026-11-26T00:00:00Z", "2026-11-27T22:00:00Z")) == []

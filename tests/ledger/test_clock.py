"""One way to read a time and one to write it: any RFC 3339 time, from year 1 to 9999, at any offset."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.clock import from_text, normalised, to_text

_OFFSETS = st.integers(-23 * 60 - 59, 23 * 60 + 59).map(lambda minutes: timezone(timedelta(minutes=minutes)))
_TIMES = st.datetimes(timezones=_OFFSETS)


@st.composite
def written_times(draw: st.DrawFn) -> str:
    """A time as somebody may write it: with fewer digits or more, in capitals or not."""
    text = draw(_TIMES).isoformat(timespec=draw(st.sampled_from(["seconds", "milliseconds", "microseconds"])))
    text = text.replace("+00:00", draw(st.sampled_from(["Z", "z", "+00:00", "-00:00"])))
    return text.replace("T", draw(st.sampled_from("Tt")))


@given(written_times())
def test_a_time_is_normalised_once_and_for_all(text: str) -> None:
    normal = normalised(text)
    assert (len(normal), normalised(normal), to_text(from_text(normal))) == (27, normal, normal)


@given(written_times(), written_times())
def test_texts_sort_as_the_times_do(one: str, other: str) -> None:
    def instant(text: str) -> timedelta:
        return datetime.fromisoformat(text.upper()) - datetime(1, 1, 1, tzinfo=UTC)

    if instant(one) <= instant(other):
        assert normalised(one) <= normalised(other)


@given(st.integers(-(2**60), 2**60))
def test_no_number_of_microseconds_is_beyond_what_can_be_written(microseconds: int) -> None:
    assert "0001-01-01T00:00:00.000000Z" <= to_text(microseconds) <= "9999-12-31T23:59:59.999999Z"


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("2026-02-02T09:00:00z", "2026-02-02T09:00:00.000000Z"),
        ("2026-02-02t09:00:00.123456Z", "2026-02-02T09:00:00.123456Z"),
        ("2026-02-02T09:00:00.123456789Z", "2026-02-02T09:00:00.123456Z"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000000Z"),
        ("0999-12-31T23:59:59-00:01", "1000-01-01T00:00:59.000000Z"),
        ("9999-12-31T23:59:59-23:59", "9999-12-31T23:59:59.999999Z"),
        ("0001-01-01T00:00:00+14:00", "0001-01-01T00:00:00.000000Z"),
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00.000000Z"),
        ("2017-01-01T08:59:60.5+09:00", "2017-01-01T00:00:00.500000Z"),
    ],
)
def test_odd_times_that_doors_admit_or_admitted_are_read(text: str, normal: str) -> None:
    assert normalised(text) == normal


@pytest.mark.parametrize("text", ["9999-12-31T23:59:59-00:01", "0001-01-01T00:00:00+00:01"])
def test_no_door_takes_a_time_that_lies_beyond_the_calendar(text: str) -> None:
    with pytest.raises(ValueError, match="years 1 to 9999"):
        from_text(text)


@pytest.mark.parametrize(
    "text",
    ["", "now", "2026-11-28", "20261128T000000Z", "2026-W48-1T00:00:00Z", "2026-11-28T00:00:00", "2026-11-28 00:00:00Z",
     "2026-13-01T00:00:00Z", "2026-02-30T00:00:00Z", "2026-11-28T24:00:00Z", "2026-11-28T12:00:60Z", "\u0662026-11-28T12:00:00Z",
     "2026-11-28T12:00:00+24:00", "2026-11-28T12:00:00.Z", "2026-11-28T12:00:00Z\n", "0000-01-01T00:00:00Z"],
)  # fmt: skip
def test_what_is_no_time_is_refused_in_words(text: str) -> None:
    with pytest.raises(ValueError, match="expected a time"):
        from_text(text)

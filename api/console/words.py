"""How values are written for people: times, spans, numbers, and addresses of pages. No HTML: that is the templates'."""

import re
from collections.abc import Mapping
from datetime import date
from typing import Any, Final
from urllib.parse import quote, urlencode

HOME: Final = "/console/"
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_is_moment: Final = re.compile(r"[0-9]{4,5}-(0[1-9]|1[0-2])-[0-9]{2}T.*").fullmatch
# In hex, or a SHA-256 in base64.
_is_digest: Final = re.compile("[0-9a-f]{40,128}|[A-Za-z0-9+/]{43}=").fullmatch


def when(moment: str) -> str:
    """Return a time as a person reads it, in UTC, to the minute. What is no time is shown as it is: the rest of a page is, too.

    >>> when("2026-11-23T12:00:07.000000Z"), when("soon")
    ('23 Nov 2026, 12:00', 'soon')
    """
    if not _is_moment(moment):
        return moment
    date, _, time = moment.partition("T")
    year, month, day = date.split("-")
    return f"{int(day)} {_MONTHS[int(month) - 1]} {year}, {time[:5]}"


def span(seconds: int) -> str:
    """Return a span of time in its two greatest units.

    >>> [span(0), span(75), span(7_500), span(200_000)]
    ['0 s', '1 min 15 s', '2 h 5 min', '2 d 7 h']
    """
    units = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))
    for place, (name, size) in enumerate(units):
        if seconds >= size:
            more = ""
            if place + 1 < len(units):
                next_name, next_size = units[place + 1]
                rest = seconds % size // next_size
                more = f" {rest} {next_name}" if rest else ""
            return f"{seconds // size} {name}{more}"
    return "0 s"


def day_of(day: date, with_year: bool = False) -> str:
    """Return a day as a person reads it.

    >>> day_of(date(2026, 11, 23)), day_of(date(2026, 11, 23), True)
    ('Mon 23 Nov', 'Mon 23 Nov 2026')
    """
    return f"{_DAYS[day.weekday()]} {day.day} {_MONTHS[day.month - 1]}" + (f" {day.year}" if with_year else "")


def month_of(day: date) -> str:
    """Return the month of a day as a person reads it.

    >>> month_of(date(2026, 11, 23))
    'Nov 2026'
    """
    return f"{_MONTHS[day.month - 1]} {day.year}"


def grouped(number: int) -> str:
    """Return a number with its digits in groups of three.

    >>> grouped(1234567)
    '1\\u202f234\\u202f567'
    """
    return f"{number:,}".replace(",", "\u202f")


def percent(share: str | None) -> str:
    """Return a share, a decimal number as rows hold it, as a person reads it.

    >>> percent("0.125"), percent(None)
    ('12.5 %', '–')
    """
    return "–" if share is None else f"{float(share) * 100:.3g} %"


def decimal(number: str | None) -> str:
    """Return a decimal number as rows hold it, to three places.

    >>> decimal("0.105231481481"), decimal(None)
    ('0.105', '–')
    """
    return "–" if number is None else f"{float(number):.3f}"


def short(artifact: str) -> str:
    """Return how an artifact or a digest is called in few letters: the beginning of the digest, where it has one.

    >>> short("pkg:oci/api@sha256:0123456789abcdef0123"), short("0" * 64), short("v1.2.3")
    ('0123456789ab', '000000000000', 'v1.2.3')
    """
    _, found, digest = artifact.replace("%3A", ":").rpartition("sha256:")
    return digest[:12] if found or _is_digest(artifact) else artifact


def address(*parts: str, **query: Any) -> str:
    """Return the address of a page: each part of its path quoted whole, and what is asked of it, where it is said.

    >>> address("views", "findings", "a/b", is_open="true", rule=None)
    '/console/views/findings/a%2Fb?is_open=true'
    """
    asked = {name: value for name, value in query.items() if value not in (None, "")}
    return HOME + "/".join(quote(part, safe="") for part in parts) + (f"?{urlencode(asked)}" if asked else "")


def beneath(path: str, key: str) -> str:
    """Return the address of a row beneath its list."""
    return f"{path}/{quote(key, safe='')}"


def with_query(path: str, query: Mapping[str, str], **changed: Any) -> str:
    """Return an address with other parameters: those that are None are left out."""
    asked = {name: str(value) for name, value in {**query, **changed}.items() if value is not None}
    return path + (f"?{urlencode(asked)}" if asked else "")


# Things that have a page of their own; of all others there is what was recorded about them.
_PAGES: Final[Mapping[str, tuple[str, ...]]] = {
    "change": ("changes",),
    "finding": ("findings",),
    "access_review": ("access",),
    "meeting": ("board",),
}


def about(kind: str, value: str) -> str:
    """Return the address of the page about a thing, by the kind of ref that names it."""
    if kind in _PAGES:
        return address(*_PAGES[kind], value)
    return address("about", f"{kind}:{value}")

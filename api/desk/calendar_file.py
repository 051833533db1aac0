"""The calendar as a file that other programs read (RFC 5545): each time of what is frozen, met for and watched.

Every time is an event of its own, so that no reader has to compute our rules; a freeze that was lifted is cancelled. What nobody can
compute stands there at its first time, and says so.
"""

import re
from typing import Final

from api.desk.calendar import Happening, Kind, calendar_in
from api.desk.delivery import time_of
from api.intake.content_lines import Component, Property, escaped, write_components
from ledger.clock import from_text, to_text
from ledger.errors import StatementError, no_such
from ledger.ledger import Ledger

MEDIA_TYPE: Final = "text/calendar; charset=utf-8"
KINDS: Final[tuple[Kind, ...]] = ("freeze", "compliance_window", "meeting", "change", "override")
# What whoever says nothing is told: what holds for everybody.
USUAL: Final = KINDS[:3]
LONGEST_DAYS: Final = 366
_DAY: Final = 86_400_000_000
# Without bounds: a month that was, and a quarter to come.
_BEFORE: Final = 31 * _DAY
_AHEAD: Final = 92 * _DAY


def calendar_file(ledger: Ledger, *, since: str | None, until: str | None, kinds: str | None) -> bytes:
    """Return the calendar from one time on and before another. Raises StatementError, naming the place, for what cannot be asked."""
    now = ledger.clock.now_us()
    asked = tuple(name.strip() for name in kinds.split(",")) if kinds is not None else USUAL
    if unknown := next((name for name in asked if name not in KINDS), None):
        raise StatementError(no_such("kind", unknown, KINDS), "/kinds")
    begin = time_of(since, "since") or to_text(now - _BEFORE)
    end = time_of(until, "until") or to_text(max(now, from_text(begin)) + _AHEAD)
    if not 0 < from_text(end) - from_text(begin) <= LONGEST_DAYS * _DAY:
        raise StatementError(f"expected an until of at most {LONGEST_DAYS} days after since", "/until")
    found = calendar_in(ledger, begin, end)
    made = _stamp(to_text(now))
    calendar = Component(
        "VCALENDAR",
        [
            _said("VERSION", "2.0"),
            _said("PRODID", "-//Change Ledger//Calendar//EN"),
            _said("X-WR-CALNAME", escaped(ledger.origin)),
            _said("X-CHANGE-LEDGER-POSITION", str(found.position)),
            _said("X-CHANGE-LEDGER-COMPLETE", "TRUE" if found.is_all else "FALSE"),
        ],
        parts=[_event(one, ledger.origin, made) for one in found.happenings if one.kind in asked],
    )
    return write_components([calendar])


def _event(one: Happening, origin: str, made: str) -> Component:
    words = [*filter(None, (one.where, one.state, one.unknown)), *(clash.says for clash in one.clashes)]
    said = [
        _said("UID", escaped(f"{one.kind}/{one.name}/{_stamp(one.begin)}@{origin}")),
        _said("DTSTAMP", made),
        _said("DTSTART", _stamp(one.begin)),
        _said("DTEND", _stamp(one.end)),
        _said("SUMMARY", escaped(f"{one.kind.replace('_', ' ').capitalize()} {one.name}")),
        _said("DESCRIPTION", escaped("\n".join(words))),
        _said("CATEGORIES", one.kind.upper()),
        _said("STATUS", "CANCELLED" if one.state == "lifted" else "CONFIRMED"),
    ]
    return Component("VEVENT", said)


def _said(name: str, value: str) -> Property:
    return Property(name, {}, value)


def _stamp(time: str) -> str:
    return re.sub(r"[-:]|\.\d+", "", time)

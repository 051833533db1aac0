"""Calendars (RFC 5545): freezes, windows, meetings of the board, reservations, and when releases begin. `as` says which of these.

One event, by its UID, is one freeze; posted again it is declared again. Which times it has: its own or by its rule, without EXDATE, with
RDATE as windows of their own, and what an override (RECURRENCE-ID) says instead of one of them. Of several wordings the highest SEQUENCE
counts, then the last DTSTAMP. STATUS:CANCELLED and METHOD:CANCEL lift a freeze or release an environment. What is tentative, or takes
nobody's time (TRANSP:TRANSPARENT, FBTYPE=FREE), is no freeze: it stands in the evidence, and the extension `leftout` names it.

What a calendar says and cannot be taken is refused as a whole, in words: a freeze that is left out quietly is worse than none. So is a
time in no zone (`zone` says which), and a rule that is not one of ours (decision 30).

The redactor keeps when, and which event. Who was invited, what it is called and where it is are cut: links to meetings let people in.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from api.intake.calendar_times import TimeError
from api.intake.calendar_windows import Events, Window
from api.intake.content_lines import Component, Property, read_components, write_components
from api.intake.formats import UNMAPPED, Format, Redactor, Sample
from api.intake.translation import (
    MAX_PARTS,
    ContradictionError,
    Fact,
    ForeignError,
    Headers,
    Mapped,
    Translation,
    Unmapped,
    fact,
)
from ledger.errors import StatementError

CALENDAR: Final = "text/calendar"
_COMPONENTS: Final = ("VCALENDAR", "VTIMEZONE", "STANDARD", "DAYLIGHT", "VEVENT", "VFREEBUSY")
_PROPERTIES: Final = (
    "METHOD", "TZID", "TZOFFSETFROM", "TZOFFSETTO", "UID", "DTSTAMP", "SEQUENCE", "STATUS", "TRANSP", "DTSTART", "DTEND", "DURATION",
    "RRULE", "RDATE", "EXDATE", "EXRULE", "RECURRENCE-ID", "FREEBUSY",
)  # fmt: skip
_PARAMETERS: Final = ("TZID", "VALUE", "RANGE", "FBTYPE")


# -- cutting ---------------------------------------------------------------------------------------------------------------


def _cut(body: bytes) -> bytes:
    kept = [cut for component in read_components(body) if (cut := _cut_component(component)) is not None]
    if not kept:
        raise ForeignError("not-icalendar")
    return write_components(kept)


def _cut_component(component: Component) -> Component | None:
    if component.name not in _COMPONENTS:
        return None
    properties = [
        Property(one.name, {key: one.parameters[key] for key in _PARAMETERS if key in one.parameters}, one.value)
        for one in component.properties
        if one.name in _PROPERTIES
    ]
    parts = [cut for part in component.parts if (cut := _cut_component(part)) is not None]
    return Component(component.name, properties, parts)


# -- what it says ----------------------------------------------------------------------------------------------------------


def translate(beside: Headers, body: bytes) -> Translation:
    """Return what a calendar declares. Raises ContradictionError, naming the event, for what cannot be taken as it was said to be."""
    kind, source = _KINDS[beside["as"]], beside["source"]
    for name in kind.needs:
        if not any(one in beside for one in name.split("|")):
            raise ContradictionError(
                f"expected {name.replace('|', ' or ')} beside a calendar of {beside['as']}", f"/{name}"
            )
    facts: list[Fact] = []
    events = Events(read_components(body), beside.get("zone"), is_hold=kind.is_hold)
    for window in events.windows():
        try:
            said = kind.say(beside, window)
            if said is None:
                events.left_out.append(f"{window.number}:cancelled")
                continue
            told = fact(source, *said, subject=window.key)
        except StatementError as error:
            raise ContradictionError(f"event {window.number}: {error}", "/body") from None
        # Optional in our words, and not in this one: without its rule a freeze would hold once.
        if told.left_out:
            words = f"event {window.number}: its {', '.join(told.left_out)} cannot be held. Expected a rule at most once a day"
            raise ContradictionError(
                f"{words} (FREQ=DAILY, WEEKLY, MONTHLY or YEARLY), and at most 64 dates left out", "/body"
            )
        facts.append(told)
    if not facts:
        return Unmapped("icalendar", events.left_out[0] if events.left_out else "no-event", source)
    if len(facts) > (1 if kind.is_one else MAX_PARTS):
        most = f"one event, for the release {beside['release']}" if kind.is_one else f"at most {MAX_PARTS} events"
        raise ContradictionError(f"expected {most}; found {len(facts)}", "/body")
    return Mapped((facts[0].without(events.left_out), *facts[1:]))


# -- what it is said to be -------------------------------------------------------------------------------------------------


def _where(beside: Headers) -> dict[str, Any]:
    return {f"{name}s": (beside[name],) for name in ("environment", "tier", "service") if name in beside}


def _who(beside: Headers) -> dict[str, Any]:
    return {"actor": beside["actor"]}


def _lasting(window: Window) -> dict[str, Any]:
    if window.end.moment == window.start.moment:
        raise TimeError("expected DTEND or DURATION: without an end it lasts no time")
    return window.times


def _once(window: Window) -> dict[str, Any]:
    if window.recurs is not None:
        raise TimeError("expected one time, and not a series: each is a fact of its own here")
    return _lasting(window)


def _freeze(beside: Headers, window: Window) -> tuple[str, str, dict[str, Any]] | None:
    about = _who(beside) | {"freeze_id": window.key}
    if window.is_cancelled:
        return "freeze.lifted", "", about
    return "freeze.declared", "", about | _where(beside) | _lasting(window)


def _compliance_window(beside: Headers, window: Window) -> tuple[str, str, dict[str, Any]] | None:
    said = _who(beside) | {"window_id": window.key} | _where(beside)
    return None if window.is_cancelled else ("compliance_window.declared", "", said | _lasting(window))


def _meeting(beside: Headers, window: Window) -> tuple[str, str, dict[str, Any]] | None:
    said = _who(beside) | {"meeting_id": window.key}
    return None if window.is_cancelled else ("cab.meeting_scheduled", "", said | window.times)


def _reservation(beside: Headers, window: Window) -> tuple[str, str, dict[str, Any]] | None:
    said = _who(beside) | {"environment": beside["environment"], "reservation_id": window.key}
    if window.is_cancelled:
        return "environment.released", "", said
    return "environment.reserved", "", said | _once(window)


def _release(beside: Headers, window: Window) -> tuple[str, str, dict[str, Any]] | None:
    said = _who(beside) | {"release_id": beside["release"], "environments": (beside["environment"],)}
    return None if window.is_cancelled else ("release.scheduled", "", said | _once(window))


def _readiness(beside: Headers, window: Window) -> tuple[str, str, dict[str, Any]] | None:
    said = _who(beside) | {"release_id": beside["release"], "environment": beside["environment"]}
    if window.is_cancelled:
        return None
    return "environment.readiness_promised", "", said | {"ready_by": window.start.moment}


@dataclass(frozen=True)
class _Kind:
    """What an event may be said to be: the fact that it becomes, None where that is nothing; what must be said beside the file; and whether
    it holds somebody up.
    """

    say: Callable[[Headers, Window], tuple[str, str, dict[str, Any]] | None]
    needs: tuple[str, ...] = ()
    is_one: bool = False
    is_hold: bool = False


_KINDS: Final[Mapping[str, _Kind]] = {
    "freeze": _Kind(_freeze, ("environment|tier",), is_hold=True),
    "compliance-window": _Kind(_compliance_window, ("environment|tier",), is_hold=True),
    "meeting": _Kind(_meeting),
    "reservation": _Kind(_reservation, ("environment",)),
    "release": _Kind(_release, ("environment", "release"), is_one=True),
    "readiness": _Kind(_readiness, ("environment", "release"), is_one=True),
}


def _calendar(*lines: str) -> str:
    event = "\r\n".join(("BEGIN:VEVENT", "UID:year-end@example.com", "DTSTAMP:20261101T080000Z", *lines, "END:VEVENT"))
    return f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//example//EN\r\n{event}\r\nEND:VCALENDAR\r\n"


_SAID: Final = {"as": "freeze", "actor": "person:olga", "tier": "production"}
_WEEKENDS: Final = (
    "DTSTART;TZID=Europe/Berlin:20261127T170000",
    "DTEND;TZID=Europe/Berlin:20261130T060000",
    "RRULE:FREQ=WEEKLY;BYDAY=FR",
    "SUMMARY:nobody deploys\\, join at https://meet.example.com/hunter2",
    "ATTENDEE;CN=hunter2:mailto:hunter2@example.com",
)

FORMAT: Final = Format(
    "icalendar",
    "iCalendar",
    "Events of a calendar (RFC 5545), as freezes, compliance windows, meetings of the board, reservations, or when releases begin or "
    "environments are ready: `as` says which.",
    translate,
    media_types=(CALENDAR,),
    asks=("as", "actor", "environment", "tier", "service", "release", "zone"),
    needs=("as", "actor"),
    redactor=Redactor(1, _cut),
    kept_as=lambda _: CALENDAR,
    samples=(
        Sample("a freeze that recurs", _calendar(*_WEEKENDS), ("freeze.declared",), context=_SAID),
        Sample("a freeze that is lifted", _calendar(*_WEEKENDS, "STATUS:CANCELLED"), ("freeze.lifted",), context=_SAID),
        Sample(
            "meetings of the board",
            _calendar(*_WEEKENDS),
            ("cab.meeting_scheduled",),
            context={"as": "meeting", "actor": "person:olga"},
        ),
        Sample(
            "an environment that is reserved",
            _calendar("DTSTART:20261123T060000Z", "DURATION:PT8H"),
            ("environment.reserved",),
            context={"as": "reservation", "actor": "person:olga", "environment": "perf"},
        ),
        Sample("what is not decided", _calendar(*_WEEKENDS, "STATUS:TENTATIVE"), (UNMAPPED,), context=_SAID),
    ),
)

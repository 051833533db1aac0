"""When a meeting of the board is, as it was scheduled before a position, and what was on its agenda, as it was fixed.

Both by who may say so. Not what the board decided: that is `board_leave`.
"""

from typing import Final

from ledger.conditions import AFTER_ALL
from ledger.events.cab import CabAgendaFixed, CabMeetingScheduled
from projections.engine.view import Moment, Reads, later
from projections.readings.changes.board import Agenda, Meeting, Slots
from projections.readings.changes.scopes import ChangeScope, Version, in_force_at
from projections.readings.people.policies import InForce
from projections.readings.people.powers import fault_of_speaker
from projections.readings.people.settings import Number
from projections.readings.people.voices import Spoken, by_whom
from projections.rules.calendar import Span, overlapping, upcoming
from projections.rules.keeping import last_of_each
from projections.rules.leave import Clocks
from projections.rules.recurrence import NotComputableError

BOARD_MINUTES_HOURS: Final = Number(
    "board-minutes-hours", "within how many hours of a meeting what it decided is written down", default=24
)
# How many votes, and agendas of a meeting, are looked at: the last ones.
AT_MOST: Final = 500


def slot_of(reads: Reads, meeting: Meeting, said: Spoken, policy: InForce) -> Span | None:
    """Return the time of a meeting in which something was decided, or after which it was written down soon enough."""
    since = later(said.at, hours=-policy.number(BOARD_MINUTES_HOURS))
    slots = _scheduled(reads, meeting, said.position)
    try:
        return overlapping(slots.times, since, said.at) if slots is not None else None
    except NotComputableError:
        return None


def next_slot(reads: Reads, meeting: Meeting, since: Moment, before: int = AFTER_ALL) -> Span | None:
    """Return the next time of a meeting from one time on, as it was scheduled before a position."""
    slots = _scheduled(reads, meeting, before)
    try:
        return upcoming(slots.times, since) if slots is not None else None
    except NotComputableError:
        return None


def _scheduled(reads: Reads, meeting: Meeting, before: int) -> Slots | None:
    known = [
        slots
        for slots in meeting.slots
        if slots.said.position < before and not fault_of_speaker(reads, CabMeetingScheduled.type, slots.said)
    ]
    return known[-1] if known else None


def agendas_of(reads: Reads, meeting: Meeting, slot: Span, before: int) -> list[Agenda]:
    """Return what was put on the agenda of one time of a meeting before a position: the first of them fixed it."""
    return [
        agenda
        for agenda in last_of_each(meeting.agendas, by_whom, AT_MOST)
        if agenda.said.position < before
        and slot_meant(reads, meeting, agenda) == slot.begin
        and not fault_of_speaker(reads, CabAgendaFixed.type, agenda.said)
    ]


def slot_meant(reads: Reads, meeting: Meeting, agenda: Agenda) -> Moment | None:
    """Return when the time of a meeting begins that an agenda is for: as it says, or the next when it was fixed."""
    if agenda.slot is not None:
        return agenda.slot
    slot = next_slot(reads, meeting, agenda.said.at, agenda.said.position)
    return slot.begin if slot is not None else None


def as_tabled(scope: ChangeScope, agenda: Agenda) -> Version | None:
    """Return the wording of a scope that was on record when an agenda was fixed: by position, whatever its date."""
    return in_force_at([v for v in scope.versions if v.said.position < agenda.said.position], None, Clocks())

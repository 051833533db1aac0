"""The change advisory board: its meetings, what was put before it, who voted how, what it decided, and the calendar of compliance.

As it was said, and every time; what a decision comes to is `board_leave`. Of when a meeting is, and of what is put on its agenda, what can
never count because of who said it is not folded, and of one day only so much (decision 56): each has all that is before the meeting judged
again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ledger.events.cab import (
    BoardVerdict,
    CabAgendaFixed,
    CabConditionMet,
    CabDecisionRecorded,
    CabMeetingScheduled,
    CabVoteCast,
    Vote,
)
from ledger.events.compliance_window import ComplianceWindowDeclared
from projections.engine.view import EntryInfo, Moment, View, moment, replace
from projections.readings.environments.terms import Terms, terms_of
from projections.readings.people.powers import READ_BY_POWERS, can_never_count
from projections.readings.people.voices import Spoken, spoken
from projections.rules.calendar import Times, hull_of

# How many times a meeting is scheduled, and an agenda of it fixed, on one day, as recorded, of each: what comes after changes nothing.
MOST_A_DAY: Final = 50


@dataclass(frozen=True)
class Slots:
    """When a meeting was said to be, or a series of them."""

    said: Spoken
    start: Moment
    end: Moment
    time_zone: str | None = None
    recurs: str | None = None
    except_at: tuple[str, ...] = ()

    @property
    def times(self) -> Times:
        return Times(self.start, self.end, self.time_zone, self.recurs, self.except_at)


@dataclass(frozen=True)
class Agenda:
    """What was put on the agenda of a meeting at once. `slot` is when the one that is meant begins, where it was said."""

    said: Spoken
    slot: Moment | None
    changes: tuple[str, ...]


@dataclass(frozen=True)
class Meeting:
    """One meeting or series. The columns before `slots` are as it was scheduled last."""

    meeting_id: str
    start_at: Moment | None = None
    end_at: Moment | None = None
    time_zone: str | None = None
    recurs: str | None = None
    slots: tuple[Slots, ...] = ()
    agendas: tuple[Agenda, ...] = ()


board_meetings = View(
    "board_meetings",
    version=2,
    row=Meeting,
    reads=READ_BY_POWERS,
    kind="meeting",
    indexes=("start_at",),
    doc="Meetings of the board: when each is, again by which rule, and every agenda that was fixed, by position.",
)


def _said(event: CabMeetingScheduled | CabAgendaFixed | ComplianceWindowDeclared, entry: EntryInfo) -> Spoken | None:
    """Return who said when a meeting or a window is, or what is on an agenda; None where it can never count."""
    said = spoken(entry, event.actor)
    return None if can_never_count(entry.reads, event.type, said) else said


def _is_enough(told: Sequence[Slots | Agenda], said: Spoken) -> bool:
    day = said.recorded_at[:10]
    return sum(one.said.recorded_at.startswith(day) for one in told) >= MOST_A_DAY


@board_meetings.on(CabMeetingScheduled, key=lambda event: event.meeting_id)
def scheduled(row: Meeting, event: CabMeetingScheduled, entry: EntryInfo) -> Meeting | None:
    said = _said(event, entry)
    if said is None or _is_enough(row.slots, said):
        return row if row != Meeting(row.meeting_id) else None
    slots = Slots(
        said,
        moment(event.start),
        moment(event.end),
        event.time_zone,
        event.recurs,
        event.except_at,
    )
    return replace(
        row,
        start_at=slots.start,
        end_at=slots.end,
        time_zone=event.time_zone,
        recurs=event.recurs,
        slots=(*row.slots, slots),
    )


@board_meetings.on(CabAgendaFixed, key=lambda event: event.meeting_id)
def fixed(row: Meeting, event: CabAgendaFixed, entry: EntryInfo) -> Meeting | None:
    said = _said(event, entry)
    if said is None or _is_enough(row.agendas, said):
        return row if row != Meeting(row.meeting_id) else None
    slot = moment(event.slot) if event.slot else None
    return replace(row, agendas=(*row.agendas, Agenda(said, slot, event.changes)))


# -- one change before the board -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Tabled:
    """A change was put on the agenda of a meeting."""

    meeting_id: str
    slot: Moment | None
    said: Spoken


@dataclass(frozen=True)
class Voted:
    """Somebody voted, by their own word."""

    meeting_id: str
    vote: Vote
    said: Spoken


@dataclass(frozen=True)
class Voice:
    """Somebody who is said to have voted, by whoever recorded the decision."""

    member: str
    vote: Vote


@dataclass(frozen=True)
class BoardDecision:
    """What was recorded as the decision of a meeting."""

    meeting_id: str
    verdict: BoardVerdict
    voices: tuple[Voice, ...]
    conditions: tuple[str, ...]
    said: Spoken


@dataclass(frozen=True)
class Met:
    """A condition that somebody found met."""

    meeting_id: str
    condition: str
    said: Spoken


@dataclass(frozen=True)
class BoardFacts:
    """All that was said of one change before the board, in the order of the record."""

    change_id: str
    tabled: tuple[Tabled, ...] = ()
    votes: tuple[Voted, ...] = ()
    decisions: tuple[BoardDecision, ...] = ()
    met: tuple[Met, ...] = ()


board_facts = View(
    "board_facts",
    version=2,
    row=BoardFacts,
    reads=READ_BY_POWERS,
    kind="change",
    doc="What was said of changes before the board: on which agendas, votes, decisions, and conditions that were met.",
)


@board_facts.on(CabAgendaFixed, key=lambda event: event.changes)
def tabled(row: BoardFacts, event: CabAgendaFixed, entry: EntryInfo) -> BoardFacts | None:
    said = _said(event, entry)
    if said is None:
        return row if row != BoardFacts(row.change_id) else None
    slot = moment(event.slot) if event.slot else None
    return replace(row, tabled=(*row.tabled, Tabled(event.meeting_id, slot, said)))


@board_facts.on(CabVoteCast, key=lambda event: event.change_id)
def voted(row: BoardFacts, event: CabVoteCast, entry: EntryInfo) -> BoardFacts:
    return replace(row, votes=(*row.votes, Voted(event.meeting_id, event.vote, spoken(entry, event.actor))))


@board_facts.on(CabDecisionRecorded, key=lambda event: event.change_id)
def decided(row: BoardFacts, event: CabDecisionRecorded, entry: EntryInfo) -> BoardFacts:
    voices = tuple(Voice(voter.member, voter.vote) for voter in event.voters)
    decision = BoardDecision(event.meeting_id, event.verdict, voices, event.conditions, spoken(entry, event.actor))
    return replace(row, decisions=(*row.decisions, decision))


@board_facts.on(CabConditionMet, key=lambda event: event.change_id)
def met(row: BoardFacts, event: CabConditionMet, entry: EntryInfo) -> BoardFacts:
    return replace(row, met=(*row.met, Met(event.meeting_id, event.condition, spoken(entry, event.actor))))


# -- the calendar of compliance ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ComplianceWindow:
    """One window of the calendar. The columns before `terms` are as it was declared last, of its first time where it recurs."""

    window_id: str
    framework: str | None = None
    environments: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()
    tiers: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    start_at: Moment | None = None
    end_at: Moment | None = None
    recurs: str | None = None
    exempt_types: tuple[str, ...] = ()
    declared_by: str | None = None
    terms: tuple[Terms, ...] = ()


def _touched(before: ComplianceWindow | None, after: ComplianceWindow | None) -> tuple[Moment, Moment] | None:
    return hull_of(terms.times for row in (before, after) if row is not None for terms in row.terms)


compliance_windows = View(
    "compliance_windows",
    version=3,
    row=ComplianceWindow,
    kind="compliance_window",
    indexes=("framework", "start_at"),
    reads=READ_BY_POWERS,
    touches=_touched,
    doc="The calendar of compliance: when, and where, the board is asked about every change; by whose calendar.",
)


def _window(event: ComplianceWindowDeclared, entry: EntryInfo) -> str | None:
    # What can never count names no window: each would have all that was done while it is judged again (decision 41).
    return event.window_id if _said(event, entry) is not None else None


@compliance_windows.on(ComplianceWindowDeclared, key=_window)
def declared(row: ComplianceWindow, event: ComplianceWindowDeclared, entry: EntryInfo) -> ComplianceWindow:
    terms = terms_of(event, entry)
    return replace(
        row,
        framework=event.framework,
        environments=event.environments,
        patterns=event.patterns,
        tiers=event.tiers,
        services=event.services,
        start_at=terms.start_at,
        end_at=terms.end_at,
        recurs=event.recurs,
        exempt_types=event.exempt_types,
        declared_by=event.actor,
        terms=(*row.terms, terms),
    )

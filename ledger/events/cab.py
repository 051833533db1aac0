"""The change advisory board: when it meets, what is put before it, how its members vote, and what it decides."""

from typing import ClassVar, Literal

from ledger.events.base import Event
from ledger.events.identifiers import ChangeId, Digest, Erasable, Identity, Label, MeetingId, Part, Time, many
from ledger.events.selecting import Recurrence

Vote = Literal["for", "against", "abstained"]
BoardVerdict = Literal["approved", "rejected", "deferred"]


class MeetingEvent(Event):
    """A fact about one meeting, or a series of them."""

    refs: ClassVar[tuple[str, ...]] = ("meeting_id",)
    actor: Identity
    meeting_id: MeetingId


class CabMeetingScheduled(MeetingEvent, Recurrence):
    """A meeting of the board was planned, or a series of them."""

    type = "cab.meeting_scheduled"
    says = "{actor} scheduled meeting {meeting_id} from {start} to {end}"
    # Of its first time where it recurs.
    start: Time
    end: Time


class CabAgendaFixed(MeetingEvent):
    """The agenda of a meeting was fixed, with each change as it stood then; or more was put on it later."""

    type = "cab.agenda_fixed"
    says = "{actor} put {changes} on the agenda of {meeting_id}"
    refs = ("meeting_id", "changes")
    # When the one that is meant begins, of a series; the next, where it is left out.
    slot: Time | None = None
    changes: tuple[ChangeId, ...] = many(at_least=1)


class MatterEvent(MeetingEvent):
    """A fact about one change before the board."""

    refs: ClassVar[tuple[str, ...]] = ("meeting_id", "change_id")
    change_id: ChangeId


class CabVoteCast(MatterEvent):
    """A member of the board voted on a change."""

    type = "cab.vote_cast"
    says = "{actor} voted {vote} on {change_id} in meeting {meeting_id}"
    vote: Vote


class Voter(Part):
    """Somebody who was there, and how they voted."""

    member: Identity
    vote: Vote


class CabDecisionRecorded(MatterEvent):
    """The board decided about a change, with who voted how, and under which conditions."""

    type = "cab.decision_recorded"
    says = "meeting {meeting_id} decided about {change_id}: {verdict}[, if {conditions}]"
    verdict: BoardVerdict
    voters: tuple[Voter, ...] = many(default=())
    conditions: tuple[Label, ...] = many(at_most=16, default=())
    comment: Erasable | None = None


class CabConditionMet(MatterEvent):
    """What the board had made a condition of its decision was done."""

    type = "cab.condition_met"
    says = "{actor} found {condition} met for {change_id}"
    condition: Label
    evidence: tuple[Digest, ...] = many(at_most=16, default=())

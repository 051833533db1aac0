"""What a decision of the board comes to: whether it lets a change be done, and if not, why; at an instant, or as things stand.

Not whether the policy asks for one of some change: that is `board_asked`, and rules ask both. A decision counts

    for what was on the agenda, as it stood there    by position: what is amended or put on it afterwards is another paper
    from enough members, more for than against       by grants of the board's role; never an author of the change
    by votes that somebody speaks for                a member's own, or by a source that is an authority for the member
    as a member wrote it down                        or who has the power to: else who writes first leaves the conditions out
    of the meeting                                   within the hours after it that the policy gives for its minutes
    until it is too old                              and before the time that was planned for the change

When a meeting is, and what was on its agenda, is `board_slots`; what a reader sees of it, `board_matters`.
"""

from dataclasses import dataclass
from typing import Final, Literal

from ledger.events.cab import (
    CabConditionMet,
    CabDecisionRecorded,
    CabVoteCast,
)
from ledger.words import number_of
from projections.engine.reads import Look
from projections.engine.view import Reads, later, replace
from projections.readings.changes.approvals import BOARD_QUORUM, BOARD_ROLE
from projections.readings.changes.board import (
    BoardDecision,
    BoardFacts,
    Meeting,
    Voice,
    board_facts,
    board_meetings,
)
from projections.readings.changes.board_slots import AT_MOST, agendas_of, as_tabled, slot_of
from projections.readings.changes.scopes import ChangeScope, in_force_at
from projections.readings.people.identities import person_of
from projections.readings.people.policies import InForce
from projections.readings.people.powers import fault_of_speaker, persons_behind
from projections.readings.people.replacing import has_power
from projections.readings.people.roles import roles_on_record
from projections.readings.people.settings import Number, Words
from projections.readings.people.speaking import clocks_of
from projections.readings.people.voices import Spoken, by_whom, in_time
from projections.rules.calendar import Span
from projections.rules.keeping import last_of_each
from projections.rules.leave import Clocks, Instant, comes_before, instants, was_there
from projections.rules.words import listed

BOARD_PAPERS: Final = Words(
    "board-papers",
    "about which papers the board may decide: the agenda as it was fixed first, late ones that were put on it, too, or any",
    choices=("agenda", "late", "any"),
    default=("late",),
)
BOARD_DECISION_DAYS: Final = Number(
    "board-decision-days", "for how many days a decision of the board holds", default=30, zero="no limit"
)
Reason = Literal["counts", "not-decided", "not-approved", "does-not-count", "other-papers", "too-old", "conditions"]


@dataclass(frozen=True, slots=True)
class Decided:
    """What the board's last decision about a change comes to; `why` says what keeps it from counting."""

    reason: Reason
    why: str = ""
    decision: BoardDecision | None = None

    @property
    def counts(self) -> bool:
        return self.reason == "counts"


def decided(look: Look, scope: ChangeScope, policy: InForce, instant: Instant | None = None) -> Decided:
    """Return what the last decision of the board about a change comes to: for an act at an instant, or as things stand.

    One that does not count because of who made it takes the place of none.
    """
    facts = look.row(board_facts, scope.change_id)
    reads: Reads = look if instant is None else look.at(instant.at)
    decisions = last_of_each(facts.decisions, by_whom, AT_MOST) if facts is not None else ()
    case = BoardCase(
        look,
        reads,
        facts or BoardFacts(scope.change_id),
        scope,
        policy,
        instant,
        clocks_of(reads, instant.at if instant is not None else max((d.said.at for d in decisions), default="")),
    )
    found = Decided("not-decided", f"the board has not decided about {scope.change_id}")
    for decision in sorted(filter(case.is_there, decisions), key=in_time):
        comes_to = case.judged(decision)
        if comes_to.reason != "does-not-count" or found.decision is None:
            found = comes_to
    return found


@dataclass(frozen=True, slots=True)
class BoardCase:
    """One change before the board, and all that a decision about it is judged by."""

    look: Look
    reads: Reads
    facts: BoardFacts
    scope: ChangeScope
    policy: InForce
    instant: Instant | None
    clocks: Clocks

    def is_there(self, decision: BoardDecision) -> bool:
        if self.instant is None:
            return True
        # What takes leave away counts by its time, whenever it was recorded.
        comes = was_there if decision.verdict == "approved" else comes_before
        return comes(decision.said, self.instant, self.clocks)

    def judged(self, decision: BoardDecision) -> Decided:
        if why := fault_of_speaker(self.reads, CabDecisionRecorded.type, decision.said):
            return Decided("does-not-count", why, decision)
        if decision.verdict != "approved":
            return Decided("not-approved", f"meeting {decision.meeting_id} {decision.verdict} it", decision)
        meeting = self.reads.row(board_meetings, decision.meeting_id)
        slot = slot_of(self.reads, meeting, decision.said, self.policy) if meeting is not None else None
        if meeting is None or slot is None:
            why = f"there was no meeting {decision.meeting_id} at {decision.said.at}, nor shortly before"
            return Decided("does-not-count", why, decision)
        if why := self._fault(decision):
            return Decided("does-not-count", why, decision)
        if why := self._other_papers(meeting, slot, decision):
            return Decided("other-papers", why, decision)
        if why := self._age(decision):
            return Decided("too-old", why, decision)
        if unmet := self.unmet(decision):
            return Decided("conditions", f"not met: {listed(unmet)}", decision)
        return Decided("counts", "", decision)

    def _fault(self, decision: BoardDecision) -> str:
        """Say why a decision does not count because of who made it, or ""."""
        if not persons_behind(self.reads, decision.said).isdisjoint(self._authors):
            return f"{decision.said.speaker} is an author of the change"
        if not self._may_write_down(decision):
            return f"{decision.said.speaker} is no member of the board, and has no power to write down what it decides"
        votes = [voice.vote for voice in self.votes(decision)]
        quorum = max(1, self.policy.number(BOARD_QUORUM))
        if len(votes) < quorum:
            return f"{number_of(len(votes), 'member')} of the board voted; expected {quorum}"
        if votes.count("for") <= votes.count("against"):
            return f"{number_of(votes.count('for'), 'member')} voted for it, and {votes.count('against')} against"
        return ""

    @property
    def _authors(self) -> set[str]:
        return {person_of(self.reads, author) for author in self.scope.authors}

    def votes(self, decision: BoardDecision) -> tuple[Voice, ...]:
        """Return how each member voted: by their own word, or by who may speak for them. Votes before the last decision are of that, and
        those before the scope became another one are of another paper. Who voted against it before it was written down did so, whatever
        the date of the decision.

        Each person once, under the login by which they voted last.
        """
        then = instants(decision.said, self.clocks)[0]
        before = [
            d.said.position
            for d in self.facts.decisions
            if d.meeting_id == decision.meeting_id
            and d.said.position < decision.said.position
            and self._may_write_down(d)
        ]
        told = [(voice.vote, replace(decision.said, actor=voice.member)) for voice in decision.voices]
        own = [
            (vote.vote, vote.said)
            for vote in last_of_each(self.facts.votes, by_whom, AT_MOST)
            if vote.meeting_id == decision.meeting_id
            and vote.said.position > max(before, default=0)
            and self._is_of_what_was_decided(vote.said, decision)
            and (
                was_there(vote.said, then, self.clocks)
                or (vote.vote != "for" and vote.said.position < decision.said.position)
            )
        ]
        votes: dict[str, Voice] = {}
        for vote, said in (*told, *own):
            if not self.vote_fault(said, then):
                votes[person_of(self.reads, said.speaker)] = Voice(said.speaker, vote)
        return tuple(votes.values())

    def _is_of_what_was_decided(self, vote: Spoken, decision: BoardDecision) -> bool:
        """Say whether a vote is of the wording of the scope that a decision is of: by position, as agendas are."""
        voted, decided_on = (
            in_force_at([v for v in self.scope.versions if v.said.position < position], None, self.clocks)
            for position in (vote.position, decision.said.position)
        )
        return voted is None or decided_on is None or voted.digest == decided_on.digest

    def vote_fault(self, said: Spoken, then: Instant) -> str:
        """Say why a vote does not count because of who cast it, or ""."""
        if person_of(self.reads, said.speaker) in self._authors:
            return f"{said.speaker} is an author of the change"
        if why := fault_of_speaker(self.reads, CabVoteCast.type, said):
            return why
        if not self._is_member(said, then):
            return f"{said.speaker} does not hold the role {self.policy.words(BOARD_ROLE)[0]}"
        return ""

    def _is_member(self, said: Spoken, then: Instant) -> bool:
        held = roles_on_record(self.reads, said.speaker, then, self.scope.environment)
        return self.policy.words(BOARD_ROLE)[0] in held

    def _may_write_down(self, decision: BoardDecision) -> bool:
        """Say whether somebody writes down what the board decides: a member, or who has the power to."""
        said = decision.said
        return self._is_member(said, instants(said, self.clocks)[0]) or has_power(
            self.reads, CabDecisionRecorded.type, said
        )

    def _other_papers(self, meeting: Meeting, slot: Span, decision: BoardDecision) -> str:
        """Say what the board decided about that was not on its agenda as the policy wants it, or is not what is to be done; or ""."""
        then = instants(decision.said, self.clocks)[0]
        decided_on = in_force_at(self.scope.versions, then, self.clocks)
        current = in_force_at(self.scope.versions, self.instant, self.clocks)
        if decided_on is None or current is None or decided_on.digest != current.digest:
            return "the scope is another one than the board decided about"
        papers = self.policy.words(BOARD_PAPERS)[0]
        if papers == "any":
            return ""
        agendas = agendas_of(self.reads, meeting, slot, decision.said.position)
        named = [a for a in (agendas[:1] if papers == "agenda" else agendas) if self.scope.change_id in a.changes]
        if not named:
            late = "" if papers == "late" else " as it was fixed first"
            return f"it was not on the agenda of {meeting.meeting_id} of {slot.begin}{late}"
        tabled = as_tabled(self.scope, named[-1])
        if tabled is None or tabled.digest != decided_on.digest:
            return "its scope was amended after it was put on the agenda"
        return ""

    def _age(self, decision: BoardDecision) -> str:
        """Say why a decision is too old, or came too late for the time that was planned; or ""."""
        days = self.policy.number(BOARD_DECISION_DAYS)
        over = later(decision.said.at, days=days)
        if days and (self.look.has_come(over) if self.instant is None else over < self.instant.at):
            return f"it was decided at {decision.said.at}, more than {number_of(days, 'day')} ago"
        window = in_force_at(self.scope.windows, self.instant, self.clocks)
        if window is not None and window.recurs is None and window.start < decision.said.at:
            return f"it was decided at {decision.said.at}, after its planned start at {window.start}"
        return ""

    def unmet(self, decision: BoardDecision) -> list[str]:
        """Return the conditions of a decision that no member of the board found met since, nor who has the power to; an author of the
        change does not.
        """
        done = {
            met.condition
            for met in self.facts.met
            if met.meeting_id == decision.meeting_id
            and met.said.position > decision.said.position
            and (self.instant is None or was_there(met.said, self.instant, self.clocks))
            and not fault_of_speaker(self.reads, CabConditionMet.type, met.said)
            and persons_behind(self.reads, met.said).isdisjoint(self._authors)
            and (
                has_power(self.reads, CabConditionMet.type, met.said)
                or self._is_member(met.said, instants(met.said, self.clocks)[0])
            )
        }
        return [condition for condition in decision.conditions if condition not in done]


@dataclass(frozen=True, slots=True)
class Prospect:
    """How far a vote is: how each member voted, how many have to, and what approving now would come to.

    Votes that went into a decision of the meeting are told until somebody votes again. `vote_fault` says why a vote of whoever asks
    would not count.
    """

    votes: tuple[Voice, ...]
    quorum: int
    comes_to: Decided
    vote_fault: str


def prospect(look: Look, scope: ChangeScope, policy: InForce, meeting_id: str, said: Spoken) -> Prospect:
    """Return how far the vote about a change is in a meeting, to whoever would speak now."""
    facts = look.row(board_facts, scope.change_id) or BoardFacts(scope.change_id)
    clocks = clocks_of(look, said.at)
    case = BoardCase(look, look, facts, scope, policy, None, clocks)
    approving = BoardDecision(meeting_id, "approved", (), (), said)
    looked = last_of_each(facts.decisions, by_whom, AT_MOST)
    last = [decision for decision in looked if decision.meeting_id == meeting_id][-1:]
    votes = case.votes(approving) or tuple(voice for decision in last for voice in case.votes(decision))
    fault = case.vote_fault(said, instants(said, clocks)[0])
    return Prospect(votes, max(1, policy.number(BOARD_QUORUM)), case.judged(approving), fault)

"""What counts: which approvals of a change do, why others do not, and what is missing; as things stand, or when somebody acted.

Where a change is in its life is `tickets`. One function answers for tickets, findings and gates, of the facts, of what the policy asks,
and of people as they are known now: S1 to S6 and S12 accuse whenever they become known. What gives leave counts at an instant when it
was true and on record by then (`rules.leave`).

Longer than other files because whether an approval counts is one question.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from ledger.events.approval import ApprovalGranted, ApprovalRequested
from ledger.events.change import ChangeEscalated
from projections.engine.listing import line_of
from projections.engine.reads import Look
from projections.engine.view import Moment, Reads
from projections.readings.changes.code_of import code_of
from projections.readings.changes.facts import ChangeFacts, Decision
from projections.readings.changes.scopes import ChangeScope, Version, in_force_at
from projections.readings.changes.ticket import Approval
from projections.readings.changes.timeline import change_timeline
from projections.readings.changes.wordings import taken_back_since
from projections.readings.people.identities import person_of
from projections.readings.people.policies import InForce
from projections.readings.people.powers import fault_of_speaker, kind_of
from projections.readings.people.replacing import has_power, last_words, standing
from projections.readings.people.roles import roles_of
from projections.readings.people.settings import Number, Words
from projections.readings.people.voices import Spoken, by_whom, in_time
from projections.rules import duties
from projections.rules.keeping import last_of_each
from projections.rules.leave import Clocks, Instant, comes_before, instants, is_reported_late, was_there

QUORUM: Final = Number(
    "quorum", "how many people must approve", applies_to="type of change, or band of risk", default=1
)
REQUIRED_ROLE: Final = Words(
    "required-role",
    "a role that an approver must hold",
    applies_to="type of change, or band of risk",
    is_several=True,
    nothing="none",
)
BANDS: Final = Words(
    "bands",
    "the bands of risk, the lowest first; a change without a score is judged as of the highest",
    is_several=True,
    default=("low", "medium", "high", "critical"),
)
BOARD_BAND: Final = Words(
    "board-band", "the band of risk from which on a change needs the board, too", nothing="no band"
)
BOARD_ROLE: Final = Words("board-role", "the role that members of the board hold", default=("cab",))
BOARD_QUORUM: Final = Number("board-quorum", "how many members of the board must approve", default=1)
# How many decisions about one change are looked at: the last ones. Older ones do not count.
AT_MOST: Final = 500


@dataclass(frozen=True)
class Asked:
    """What has to be there: so many people, each with one of some roles; and so many of each higher body that is asked, by its role."""

    quorum: int = 1
    roles: tuple[str, ...] = ()
    bodies: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True)
class Leave:
    """The approvals of a change, as they count, and how many are missing."""

    asked: Asked
    approvals: tuple[Approval, ...] = ()
    missing: int = 1
    # When the last approval that was needed was given, and where.
    approved_at: Moment | None = None
    approved_position: int | None = None

    @property
    def counting(self) -> list[Approval]:
        return [approval for approval in self.approvals if approval.counts]


def asked_of(
    policy: InForce,
    change_type: str | None,
    band: str | None,
    requests: Sequence[Decision],
    escalated_to: Sequence[str],
) -> Asked:
    """Return what a policy asks for. Whoever asked for approvals can ask for more of them, and never for less; for the roles, too,
    only where the policy names none, as whoever asked first has them. A body that a change was escalated to comes beside the board of the
    policy.
    """
    bands = policy.words(BANDS)
    judged_as = band if band is not None else bands[-1]
    quorum = max(policy.number(QUORUM, change_type, judged_as), *(request.quorum or 1 for request in requests), 1)
    roles = policy.words(REQUIRED_ROLE, change_type, judged_as) or (requests[0].roles if requests else ())
    (from_band,) = policy.words(BOARD_BAND)[:1] or (None,)
    needs_board = from_band in bands and (judged_as not in bands or bands.index(judged_as) >= bands.index(from_band))
    bodies = dict.fromkeys(escalated_to, 1)
    if needs_board:
        bodies[policy.words(BOARD_ROLE)[0]] = max(1, policy.number(BOARD_QUORUM))
    return Asked(quorum, tuple(dict.fromkeys((*roles, *bodies))) if roles else (), tuple(bodies.items()))


# -- one decision --------------------------------------------------------------------------------------------------------


def speaker_fault(reads: Reads, said: Spoken, actor: str) -> str:
    """Say why a decision does not count for who made it, whatever it is about; empty when it may."""
    if fault := duties.s4_approver_is_human(actor, kind_of(reads, actor, said)):
        return f"S4: {fault}"
    # Whoever may approve may reject, and take back what they approved.
    return fault_of_speaker(reads, ApprovalGranted.type, said)


def person_fault(
    reads: Reads, actor: str, at: Moment, scope: ChangeScope, asked: Asked, deployers: Sequence[str]
) -> str:
    """Say why somebody's approval of a change would not count: S1, S5 and S2; empty when it would."""
    person = person_of(reads, actor)
    authors = authors_of(reads, scope)
    held = roles_of(reads, actor, at, scope.environment) if asked.roles else {}
    deployed = {person_of(reads, deployer) for deployer in deployers}
    checks = (
        ("S1", duties.s1_author_does_not_approve(person if person in authors else None, person)),
        ("S5", duties.s5_approver_held_a_role(held, asked.roles)),
        ("S2", duties.s2_deployer_does_not_approve(person, deployed)),
    )
    return next((f"{rule}: {fault}" for rule, fault in checks if fault), "")


def bound_to(reads: Reads, decision: Decision, scope: ChangeScope, clocks: Clocks) -> Version | None:
    """Return the wording of the scope that a decision is of: that which has the digest that it names, whatever else is called by it.

    Of one that was only stated to have it, and where none is named, the last before the decision; unless another one was stated to have
    the same, or what stood then was taken back since. One that names no digest is also of the first that comes late.
    """
    has_it = [version for version in scope.versions if version.digest == decision.scope_digest]
    if has_it:
        return has_it[-1]
    then = Instant(decision.said.at, decision.said.recorded_at, decision.said.position)
    if _was_taken_back(reads, scope, then, clocks):
        return None
    before = [version for version in scope.versions if was_there(version.said, then, clocks)]
    if decision.scope_digest is not None:
        stated = {version.digest: version for version in before if version.stated == decision.scope_digest}
        return next(iter(stated.values())) if len(stated) == 1 else None
    if before:
        return max(before, key=in_time)
    # The two may have come by doors of which one is slower. What was not named is taken from within the lag alone, and never where
    # another wording was on record: nobody dates one back to under an approval.
    instant = instants(decision.said, clocks)[0]
    return next((version for version in scope.versions if was_there(version.said, instant, clocks)), None)


def _was_taken_back(reads: Reads, scope: ChangeScope, then: Instant, clocks: Clocks) -> bool:
    """Say whether the wording that stood when somebody decided was taken back after they did."""
    standing = {version.said.position for version in scope.versions}
    position = taken_back_since(reads, scope.change_id, then, clocks, standing)
    line = reads.row(change_timeline, line_of(scope.change_id, position)) if position is not None else None
    return line is not None and (line.withdrawn_position or 0) > then.position


# -- all of them -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Standing:
    """What was there of a change: the decisions that may give leave, those that may take it away, and the wording in force."""

    some: Sequence[Decision]
    against: Sequence[Decision]
    current: Version | None

    @property
    def key(self) -> tuple[tuple[int, ...], tuple[int, ...], int | None]:
        """Where all of it is recorded: acts at different times, of which the same was there, have the same leave."""
        some, against = (tuple([d.said.position for d in decisions]) for decisions in (self.some, self.against))
        return some, against, self.current.said.position if self.current is not None else None


def standing_at(facts: ChangeFacts, scope: ChangeScope, clocks: Clocks, instant: Instant | None = None) -> Standing:
    """Return what was there of a change at an instant; all of it without one."""
    decisions = last_of_each(facts.decisions, by_whom, AT_MOST)
    current = in_force_at(scope.versions, instant, clocks)
    if instant is None:
        return Standing(decisions, decisions, current)
    some = [d for d in decisions if was_there(d.said, instant, clocks)]
    # Whatever takes leave away counts by its time, whenever it was recorded.
    return Standing(some, [d for d in decisions if comes_before(d.said, instant, clocks)], current)


def leave_of(
    there: Standing,
    scope: ChangeScope,
    look: Look,
    *,
    policy: InForce,
    clocks: Clocks,
    band: str | None,
    deployers: Sequence[str] = (),
) -> Leave:
    """Return which approvals of a change count, of what was there.

    `deployers` are those who deployed to production: none of them approves (S2).
    """
    some, against, current = there.some, there.against, there.current
    # Whoever asks for approvals once more takes back what they had asked for, and not what somebody else had.
    requested = sorted((d for d in some if d.word == "requested"), key=in_time)
    requests = last_words((d.said.principal, has_power(look, ApprovalRequested.type, d.said), d) for d in requested)
    # Whoever put a change before a body may put it before another; nobody takes it from one that somebody else put it before.
    escalated = standing(look, ChangeEscalated.type, (d for d in against if d.word == "escalated"), scope.environment)
    asked = asked_of(policy, scope.change_type, band, requests, [d.role for d in escalated if d.role is not None])
    ended = [d for d in against if d.word in ("rejected", "reverted", "withdrawn")]
    ends = [d for d in ended if _ends(d, scope, current, look, clocks)]
    approvals = tuple(
        _judged(d, scope, current, look, clocks, asked, ends, deployers)
        for d in some
        if d.word in ("granted", "rejected")
    )
    persons: set[str] = set()
    members: dict[str, set[str]] = {role: set() for role, _ in asked.bodies}
    for approval in sorted((a for a in approvals if a.counts), key=lambda approval: approval.position):
        persons.add(approval.person)
        held = roles_of(look, approval.approver, approval.at, scope.environment) if members else {}
        for role in members.keys() & set(held):
            members[role].add(approval.person)
        if not _missing(asked, persons, members):
            return Leave(asked, approvals, 0, approval.at, approval.position)
    return Leave(asked, approvals, _missing(asked, persons, members))


def _missing(asked: Asked, persons: set[str], members: Mapping[str, set[str]]) -> int:
    of_bodies = (number - len(members[role]) for role, number in asked.bodies)
    return max(duties.s6_missing_from_quorum(persons, asked.quorum), *of_bodies, 0)


def _ends(decision: Decision, scope: ChangeScope, current: Version | None, look: Look, clocks: Clocks) -> bool:
    """Say whether a rejection, a withdrawal or a return to draft takes approvals away."""
    if decision.word == "reverted":
        return True
    if decision.word == "withdrawn":
        return not speaker_fault(look, decision.said, decision.said.actor or "")
    bound = bound_to(look, decision, scope, clocks)
    is_of_this = bound is not None and current is not None and bound.digest == current.digest
    return is_of_this and is_anothers_rejection(decision, scope, look)


def is_anothers_rejection(decision: Decision, scope: ChangeScope, look: Reads) -> bool:
    """Say whether somebody who may approve the change, and is not one of its authors, rejected it."""
    actor = decision.said.actor or ""
    is_one = decision.word == "rejected" and not speaker_fault(look, decision.said, actor)
    return is_one and person_of(look, actor) not in authors_of(look, scope)


def authors_of(reads: Reads, scope: ChangeScope) -> set[str]:
    """Return the persons who opened, submitted or amended a change; where all of them are services, whoever wrote its code, too."""
    authors = {person_of(reads, author) for author in scope.authors}
    if authors and all(kind_of(reads, author) == "service" for author in scope.authors):
        commits = scope.versions[-1].commits if scope.versions else ()
        code, _ = code_of(reads, scope.change_id, commits)
        authors |= {person_of(reads, author) for brought in code for author in brought.row.authors}
    return authors


def _judged(
    decision: Decision,
    scope: ChangeScope,
    current: Version | None,
    look: Look,
    clocks: Clocks,
    asked: Asked,
    ends: Sequence[Decision],
    deployers: Sequence[str],
) -> Approval:
    said, actor = decision.said, decision.said.actor or ""
    person = person_of(look, actor)
    bound = bound_to(look, decision, scope, clocks)
    broken = speaker_fault(look, said, actor) or person_fault(look, actor, said.at, scope, asked, ())
    later = [
        e
        for e in ends
        if _is_after(e.said, said) and (e.word != "withdrawn" or person_of(look, e.said.actor or "") == person)
    ]
    why = broken
    if decision.word == "rejected":
        why = "it is a rejection"
    elif later:
        why = why or "withdrawn"
    elif not why and (bound is None or current is None or bound.digest != current.digest):
        why = "S3: the scope is another one now" if scope.versions else ""
    if not why:
        why = person_fault(look, actor, said.at, scope, asked, deployers)
    return Approval(
        actor,
        person,
        "granted" if decision.word == "granted" else "rejected",
        decision.role,
        decision.scope_digest,
        said.at,
        said.recorded_at,
        said.position,
        broken,
        bool(later),
        not why,
        why,
        is_reported_late(said, clocks),
    )


def _is_after(later: Spoken, earlier: Spoken) -> bool:
    return (later.at, later.position) > (earlier.at, earlier.position)

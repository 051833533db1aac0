"""Access reviews, as they are known now: whose decisions count, what waits for whom, and what was carried out.

So logins that are linked later, or a reviewer without the power, take decisions away wherever they are told. What was said of each
review, and the population, is `access_review_facts`.

A review over nothing is done when it is opened. Nobody's decision about their own access counts, nor those of two without power who keep
each other's, in one review or in two, as long as nobody else decided since; whose a grant is, the grant says, and not the decision.

Longer than other files because whose decisions count, and what waits for whom, is one look at a review.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Final, Literal

from ledger.events import ref
from ledger.events.access import AccessGranted
from ledger.events.access_review import AccessReviewCompleted, AccessReviewItemDecided
from projections.engine.derived import Judged
from projections.engine.reads import Look
from projections.engine.view import Moment, later, replace
from projections.readings.environments.environments import READ_BY_ASKING
from projections.readings.people.access_review_facts import (
    AccessReviewFacts,
    Decided,
    Held,
    ItemDecision,
    access_review_facts,
)
from projections.readings.people.credentials import credentials
from projections.readings.people.grants import Grant, ReviewedDecision, access_grants
from projections.readings.people.identities import logins_of, person_of, spellings_of
from projections.readings.people.policies import in_force
from projections.readings.people.powers import fault_of_grant, fault_of_speaker, revocations_of, spans_at
from projections.readings.people.replacing import has_power
from projections.readings.people.settings import Number
from projections.readings.people.speaking import clocks_of
from projections.readings.people.voices import Spoken, spoken
from projections.rules import duties as rules
from projections.rules.digests import list_digest
from projections.rules.leave import instants

REVOKE_WITHIN_DAYS: Final = Number(
    "revoke-within-days", "within how many days a review's decision to revoke is carried out", default=7
)


@dataclass(frozen=True)
class ReviewedGrant:
    """One grant of the population, and what was decided about it. `why` says why the decision does not count."""

    grant_id: str
    principal: str | None
    reviewer: str | None = None
    decision: Decided | None = None
    decided_at: Moment | None = None
    position: int | None = None
    why: str = ""
    # Whose the decision says that it is, where that is another.
    stated_principal: str | None = None
    # Of a decision to revoke: until when, and when it was revoked or ended by itself.
    revoke_by: Moment | None = None
    revoked_at: Moment | None = None
    # Of one without a decision that counts: who is asked first. Anybody else but the holder may decide as well.
    waits_for: str | None = None


@dataclass(frozen=True)
class Apart:
    """One grant that gives nothing, and why: nobody has to decide about it."""

    grant_id: str
    principal: str
    why: str


@dataclass(frozen=True)
class Waiting:
    """How many grants of a review wait for somebody."""

    reviewer: str
    grants: int


@dataclass(frozen=True)
class AccessReview:
    """One review. `undecided` counts grants without a decision that counts.

    `is_in_time` is what its completion claims; `is_recorded_late` that the claim was recorded when the time was over.
    """

    review_id: str
    environment: str | None = None
    state: Literal["open", "done"] = "open"
    opened_by: str | None = None
    opened_at: Moment | None = None
    opened_position: int | None = None
    due_at: Moment | None = None
    completed_at: Moment | None = None
    completed_recorded_at: Moment | None = None
    completed_position: int | None = None
    is_in_time: bool | None = None
    is_recorded_late: bool | None = None
    stated_count: int | None = None
    stated_digest: str | None = None
    stated_kept: int | None = None
    stated_revoked: int | None = None
    population_count: int = 0
    population_digest: str | None = None
    undecided: int = 0
    # The earliest end of a decision to revoke that was not carried out yet.
    revoke_due_at: Moment | None = None
    waits_for: tuple[Waiting, ...] = ()
    # Decided about, and not in the population.
    outside: tuple[str, ...] = ()
    # Said to be granted then, by who may not.
    apart: tuple[Apart, ...] = ()
    items: tuple[ReviewedGrant, ...] = ()


access_reviews = Judged(
    "access_reviews",
    version=7,
    row=AccessReview,
    of=access_review_facts,
    reads=READ_BY_ASKING,
    indexes=("environment", "state", "due_at", "revoke_due_at"),
    doc="Access reviews: the grants in force at the opening, whose decisions count, what waits for whom, and what was carried out.",
)


@access_reviews.by
def reviewed(row: AccessReviewFacts, look: Look) -> AccessReview:
    """What a review comes to by what is known now."""
    held = {item.grant_id for item in row.population}
    reviewing = _Reviewing(row, look)
    apart = {item.grant_id for item in row.population if item.why and reviewing.gives_nothing(item)}
    items = tuple(reviewing.item(item) for item in row.population if item.grant_id not in apart)
    whole = (completion for completion in row.completions if not completion.given_anew)
    done = next((c for c in whole if not reviewing.fault(AccessReviewCompleted.type, c.said)), None)
    # A review over nothing asks nobody for anything.
    is_over_nothing = row.opened is not None and not items and row.stated_count == 0
    end = done.said if done is not None else row.opened if is_over_nothing else None
    waiting = Counter(item.waits_for for item in items if item.waits_for is not None)
    return AccessReview(
        row.review_id,
        row.environment,
        state="done" if end is not None else "open",
        opened_by=row.opened.speaker if row.opened is not None else None,
        opened_at=row.opened.at if row.opened is not None else None,
        opened_position=row.opened.position if row.opened is not None else None,
        due_at=row.due_at,
        completed_at=end.at if end is not None else None,
        completed_recorded_at=end.recorded_at if end is not None else None,
        completed_position=done.said.position if done is not None else None,
        is_in_time=None if end is None or row.due_at is None else end.at <= row.due_at,
        is_recorded_late=None if end is None or row.due_at is None else end.recorded_at > row.due_at,
        stated_count=row.stated_count,
        stated_digest=row.stated_digest,
        stated_kept=done.kept if done is not None else None,
        stated_revoked=done.revoked if done is not None else None,
        population_count=len(items),
        population_digest=list_digest(item.grant_id for item in items) if row.opened is not None else None,
        undecided=sum(item.decision is None or bool(item.why) for item in items),
        revoke_due_at=min((i.revoke_by for i in items if i.revoke_by and i.revoked_at is None), default=None),
        waits_for=tuple(Waiting(who, count) for who, count in sorted(waiting.items())),
        outside=tuple(dict.fromkeys(d.grant_id for d in row.decisions if d.grant_id not in held)),
        apart=tuple(
            Apart(item.grant_id, item.principal, item.why) for item in row.population if item.grant_id in apart
        ),
        items=items,
    )


class _Reviewing:
    """One look at a review: who is who is asked once for everybody, since a review has many grants and few reviewers."""

    def __init__(self, row: AccessReviewFacts, look: Look) -> None:
        self._row, self._look = row, look
        self._persons: dict[str, str] = {}
        self._distrusted: dict[str, int | None] = {}
        self._decisions: dict[str, list[ItemDecision]] = {}
        for decision in row.decisions:
            self._decisions.setdefault(decision.grant_id, []).append(decision)
        # Who kept whose grant, as persons.
        self._kept: dict[tuple[str, str], list[Spoken]] = {}
        # By person, what stands of what others decided about their grants in other reviews: to keep them.
        self._held_by: dict[str, list[ReviewedDecision]] = {}
        for held in row.population:
            for decision in self._decisions.get(held.grant_id, ()):
                if decision.decision == "keep":
                    pair = self._person(decision.said.speaker), self._person(held.principal)
                    self._kept.setdefault(pair, []).append(decision.said)

    def fault(self, event_type: str, said: Spoken) -> str:
        return fault_of_speaker(self._look, event_type, said, self._row.environment)

    def gives_nothing(self, held: Held) -> bool:
        """Say whether no statement by which somebody had a grant when the review began counts, as is known now."""
        grant, opened = self._look.row(access_grants, held.grant_id), self._row.opened
        if grant is None or opened is None:
            return True
        clocks = clocks_of(self._look, opened.at)
        spans = (span for at in instants(opened, clocks) for span in spans_at(self._look, grant, at.at))
        return all(fault_of_grant(self._look, span) for span in spans)

    def item(self, held: Held) -> ReviewedGrant:
        last: ItemDecision | None = None
        why = ""
        for decision in self._decisions.get(held.grant_id, ()):
            fault = self._why(held, decision)
            # What does not count replaces nothing that does, nor hides that it was their own.
            if last is None or not fault or (why and (fault.startswith("S7:") or not why.startswith("S7:"))):
                last, why = decision, fault
        waits_for = self._asked_first(held) if last is None or why else None
        if last is None:
            return ReviewedGrant(held.grant_id, held.principal, waits_for=waits_for)
        item = ReviewedGrant(
            held.grant_id,
            held.principal,
            last.said.speaker,
            last.decision,
            last.said.at,
            last.said.position,
            why,
            None if self._person(last.principal) == self._person(held.principal) else last.principal,
            waits_for=waits_for,
        )
        if last.decision == "keep" or why:
            return item
        days = in_force(self._look, last.said.at).number(REVOKE_WITHIN_DAYS)
        return replace(item, revoke_by=later(last.said.at, days=days), revoked_at=self._ended_at(held))

    def _why(self, held: Held, decision: ItemDecision) -> str:
        said = decision.said
        if fault := rules.s7_reviewer_is_not_the_holder(self._person(said.speaker), self._person(held.principal)):
            return f"S7: {fault}"
        is_asked = decision.is_in_doubt or self._is_distrusted(said)
        if is_asked and (fault := self.fault(AccessReviewItemDecided.type, said)):
            return fault
        if decision.decision == "keep" and self._is_in_return(held, said):
            return (
                f"S7: {said.speaker} and {held.principal} kept each other's grants, and neither has the power to say so"
            )
        return ""

    def _is_in_return(self, held: Held, said: Spoken) -> bool:
        """Say whether the holder of a grant kept one of whoever keeps theirs, where nobody of the two has the power to."""
        holder, reviewer = self._person(held.principal), self._person(said.speaker)
        in_return = [*self._kept.get((holder, reviewer), ()), *self._kept_in_others(held, said)]
        event_type = AccessReviewItemDecided.type
        return (
            bool(in_return)
            and not has_power(self._look, event_type, said)
            and any(
                not self.fault(event_type, other) and not has_power(self._look, event_type, other)
                for other in in_return
            )
        )

    def _kept_in_others(self, held: Held, said: Spoken) -> list[Spoken]:
        """Return by what the holder of a grant kept, in other reviews, one of whoever keeps theirs: as long as nobody else has decided
        about either since.
        """
        grant, holder = self._look.row(access_grants, held.grant_id), self._person(held.principal)
        own = self._stands(grant, holder) if grant is not None else None
        if own is None or own.position != said.position:
            return []
        reviewer = self._person(said.speaker)
        if reviewer not in self._held_by:
            logins = spellings_of(self._look, logins_of(self._look, said.speaker))
            named = (self._look.named(access_grants, AccessGranted, ref("identity", login)) for login in logins)
            self._held_by[reviewer] = [
                decision
                for grants in named
                for other in grants
                if (decision := self._stands(other, reviewer)) is not None
                and (decision.decision, decision.review_id != self._row.review_id) == ("keep", True)
            ]
        return [self._spoken(one) for one in self._held_by[reviewer] if self._person(one.reviewer) == holder]

    def _stands(self, grant: Grant, holder: str) -> ReviewedDecision | None:
        """Return what somebody else than its holder decided about a grant last, in whichever review, that counts."""
        for decision in reversed(grant.decisions):
            if self._person(decision.reviewer) == holder:
                continue
            if not self.fault(AccessReviewItemDecided.type, self._spoken(decision)):
                return decision
        return None

    def _spoken(self, decision: ReviewedDecision) -> Spoken:
        return spoken(self._look.entry(decision.position), decision.reviewer)

    def _person(self, identity: str) -> str:
        if identity not in self._persons:
            self._persons[identity] = person_of(self._look, identity)
        return self._persons[identity]

    def _is_distrusted(self, said: Spoken) -> bool:
        if said.credential not in self._distrusted:
            known = self._look.row(credentials, said.credential)
            self._distrusted[said.credential] = known.distrusted_from if known is not None else None
        since = self._distrusted[said.credential]
        return since is not None and since <= said.position

    def _ended_at(self, held: Held) -> Moment | None:
        """Return when a grant that was in force at the opening ended since: by a revocation that counts, or by itself."""
        grant, opened = self._look.row(access_grants, held.grant_id), self._row.opened
        if grant is None or opened is None:
            return None
        ends = [said.at for said in revocations_of(self._look, grant) if said.position > opened.position]
        # Of what was granted before, all has to be over.
        expiries = [span.expires_at for span in grant.spans if span.said.position < opened.position]
        if expiries and all(self._look.has_come(end) for end in expiries):
            ends.append(max(end for end in expiries if end is not None))
        return min(ends, default=None)

    def _asked_first(self, held: Held) -> str | None:
        """Return who knows best whether a grant is still needed, and does not hold it: its owner, who gave it, who opened the review."""
        grant, opened = self._look.row(access_grants, held.grant_id), self._row.opened
        known = [grant.owner, *(span.said.speaker for span in reversed(grant.spans))] if grant is not None else []
        if opened is not None:
            known.append(opened.speaker)
        holder = self._person(held.principal)
        return next((who for who in known if who is not None and self._person(who) != holder), None)

"""What was said of access reviews: the grants that were in force when each began, and every decision about them, counting or not.

Not what that comes to: whose decisions count, and what waits for whom, is `access_reviews`.

The population is replayed from the grants as of the opening, and as of its recording where the opening was reported late: what was granted
later is not part of it, and what the opener left out is. What somebody granted without the power to is no access, and stands apart; a grant
whose giver lost that power later stays where it was.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from ledger.events.access import AccessGranted
from ledger.events.access_review import AccessReviewCompleted, AccessReviewItemDecided, AccessReviewOpened
from projections.engine.view import EntryInfo, Moment, Reads, View, moment, replace
from projections.readings.environments.environments import READ_BY_ASKING, same_environment
from projections.readings.people.grants import access_grants
from projections.readings.people.powers import fault_of_grant, fault_of_speaker, rests_on_grants, spans_at
from projections.readings.people.speaking import clocks_of
from projections.readings.people.voices import Spoken, spoken
from projections.rules.leave import instants

Decided = Literal["keep", "revoke"]


@dataclass(frozen=True)
class ItemDecision:
    """One decision about one grant; `principal` is whose the decision says that it is.

    One that is in doubt did not count when it was made, or counted by somebody's role, and is judged again whenever that changes.
    """

    grant_id: str
    principal: str
    decision: Decided
    said: Spoken
    is_in_doubt: bool


@dataclass(frozen=True)
class Completion:
    """Somebody called a review done: so many kept, so many to revoke. `given_anew` are grants that were given otherwise since decided."""

    kept: int
    revoked: int
    said: Spoken
    given_anew: tuple[str, ...] = ()


@dataclass(frozen=True)
class Held:
    """One grant that was there when a review began, and whose it was; `why` says why it gave nothing, as was known then."""

    grant_id: str
    principal: str
    why: str = ""


@dataclass(frozen=True)
class AccessReviewFacts:
    """What was said of one review. The first opening is the review; its id is not opened a second time."""

    review_id: str
    environment: str | None = None
    opened: Spoken | None = None
    due_at: Moment | None = None
    stated_count: int | None = None
    stated_digest: str | None = None
    population: tuple[Held, ...] = ()
    decisions: tuple[ItemDecision, ...] = ()
    completions: tuple[Completion, ...] = ()


access_review_facts = View(
    "access_review_facts",
    version=4,
    row=AccessReviewFacts,
    kind="access_review",
    reads=READ_BY_ASKING,
    doc="What was said of access reviews: the population as it was replayed at the opening, and every decision.",
)


def population(reads: Reads, environment: str | None, time: Moment) -> dict[str, Held]:
    """Return the grants that were in force at a time: in one environment, or all of them. One for none in particular is in each.

    Those that give nothing, because of who gave them, are among them with the reason: somebody says that there is access.
    """
    found: dict[str, Held] = {}
    # All of them: an entry may spell an environment in another way.
    for grant in reads.named(access_grants, AccessGranted):
        for span in spans_at(reads, grant, time):
            if None in (environment, span.environment) or same_environment(reads, span.environment, environment, time):
                why = fault_of_grant(reads, span)
                # What somebody says without power is not what a grant is that counts.
                if not why or grant.grant_id not in found:
                    found[grant.grant_id] = Held(grant.grant_id, span.principal, why)
    return found


@access_review_facts.on(AccessReviewOpened, key=lambda event: event.review_id)
def opened(row: AccessReviewFacts, event: AccessReviewOpened, entry: EntryInfo) -> AccessReviewFacts | None:
    if row.opened is not None:
        return row
    said = spoken(entry, event.actor)
    if fault_of_speaker(entry.reads, event.type, said, event.environment):
        # No review, and its id is free (decision 41): each would have every grant there is replayed, by whoever sends them.
        return row if row != AccessReviewFacts(row.review_id) else None
    found: dict[str, Held] = {}
    for instant in instants(said, clocks_of(entry.reads, said.at)):
        for grant_id, held in population(entry.reads, event.environment, instant.at).items():
            if not held.why or grant_id not in found:
                found[grant_id] = held
    return replace(
        row,
        environment=event.environment,
        opened=said,
        due_at=moment(event.due_at),
        stated_count=event.population_count,
        stated_digest=event.population_digest,
        population=tuple(found[grant_id] for grant_id in sorted(found)),
    )


@access_review_facts.on(AccessReviewItemDecided, key=lambda event: event.review_id)
def decided(row: AccessReviewFacts, event: AccessReviewItemDecided, entry: EntryInfo) -> AccessReviewFacts:
    said = spoken(entry, event.actor)
    is_in_doubt = bool(fault_of_speaker(entry.reads, event.type, said, row.environment)) or rests_on_grants(
        entry.reads, event.type, said
    )
    decision = ItemDecision(event.grant_id, event.principal, event.decision, said, is_in_doubt)
    return replace(row, decisions=(*row.decisions, decision))


@access_review_facts.on(AccessReviewCompleted, key=lambda event: event.review_id)
def completed(row: AccessReviewFacts, event: AccessReviewCompleted, entry: EntryInfo) -> AccessReviewFacts:
    anew = tuple(held.grant_id for held in row.population if _is_given_anew(row, held.grant_id, entry.reads))
    completion = Completion(event.kept, event.revoked, spoken(entry, event.actor), anew)
    return replace(row, completions=(*row.completions, completion))


def _is_given_anew(row: AccessReviewFacts, grant_id: str, reads: Reads) -> bool:
    """Say whether a grant was given in other words after the opening, and nobody decided about it since."""
    grant = reads.row(access_grants, grant_id)
    decided_at = max((d.said.position for d in row.decisions if d.grant_id == grant_id), default=0)
    since = max(decided_at, row.opened.position if row.opened is not None else 0)
    return grant is not None and any(
        after.said.position > since and after.words != before.words for before, after in pairwise(grant.spans)
    )

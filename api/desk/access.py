"""Access reviews as a person does them: which grants are theirs to decide about, and what a decision on a page says.

A decision is about the population that was shown: one of another digest is refused, and so is a decision about a grant that somebody
else decided about meanwhile. Whether it counts, the reading says; whoever has no power, or holds the grant, is told so before.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from api.desk.deciding import event_said, reporting_fault
from ledger.authority import Caller
from ledger.clock import to_text
from ledger.conditions import Condition, Match
from ledger.errors import ConditionFailedError, StatementError
from ledger.events import ref
from ledger.events.access_review import AccessReviewCompleted, AccessReviewItemDecided
from ledger.events.identifiers import Digest, EventId, GrantId
from ledger.ledger import Ledger
from ledger.words import number_of
from projections import VIEWS
from projections.engine.asking import looking
from projections.readings.people.identities import person_of
from projections.readings.people.powers import fault_of_speaker
from projections.readings.people.voices import not_yet_said
from projections.rules.duties import s7_reviewer_is_not_the_holder

_DECISIONS: Final = AccessReviewItemDecided.type


class ReviewForm(BaseModel):
    """One press of a button: a grant to keep or to revoke, or the review as done; of which population, seen at which position."""

    model_config = ConfigDict(extra="forbid")

    id: EventId
    population: Digest
    position: int = Field(ge=1, le=2**53 - 1)
    keep: GrantId | None = None
    revoke: GrantId | None = None
    complete: Literal["yes"] | None = None


@dataclass(frozen=True, slots=True)
class Reviewing:
    """What somebody may decide in a review: `why_not` where it is nothing, `own` by grant why it is not theirs to decide."""

    why_not: str
    own: Mapping[str, str]


def reviewing(ledger: Ledger, caller: Caller, review: Mapping[str, Any]) -> Reviewing:
    """Say what somebody may decide in a review as it stands."""
    why_not = reporting_fault(ledger, caller, _DECISIONS)
    if review["state"] != "open":
        why_not = "the review is done"
    if why_not:
        return Reviewing(why_not, {})
    now = to_text(ledger.clock.now_us())
    said = not_yet_said(caller.principal, now, caller.credential)
    with looking(ledger, VIEWS, now) as look:
        why_not = fault_of_speaker(look, _DECISIONS, said, review["environment"])
        me = person_of(look, caller.principal)
        holders = {item["principal"] for item in review["items"]}
        faults = {who: s7_reviewer_is_not_the_holder(me, person_of(look, who)) for who in holders if who is not None}
    own = {i["grant_id"]: f"S7: {fault}" for i in review["items"] if (fault := faults.get(i["principal"]))}
    return Reviewing(why_not, own)


def reviewed_by(
    ledger: Ledger, caller: Caller, review: Mapping[str, Any], form: ReviewForm
) -> tuple[dict[str, Any], Condition]:
    """Return the event that a form says about a review, and the condition under which it still is about what was shown.

    Raises StatementError for a form that decides nothing, or two things; ConditionFailedError where the population is another.
    """
    chosen = [name for name in ("keep", "revoke", "complete") if getattr(form, name) is not None]
    if len(chosen) != 1:
        raise StatementError("expected one of keep, revoke and complete", "/keep")
    if form.population != review["population_digest"]:
        raise ConditionFailedError(
            f"the population is another by now: {number_of(review['population_count'], 'grant')} under {review['population_digest']}. "
            "Look at the review again, and decide about that",
            position=review["opened_position"],
        )
    of_review = ref("access_review", review["review_id"])
    about = {"actor": caller.principal, "review_id": review["review_id"]}
    if form.complete:
        counting = [item["decision"] for item in review["items"] if item["decision"] is not None and not item["why"]]
        done = about | {"kept": counting.count("keep"), "revoked": counting.count("revoke")}
        event = event_said(ledger, caller, AccessReviewCompleted.type, f"{form.id}/complete", done)
        return event, Condition((Match((_DECISIONS,), (of_review,)),), after=form.position)
    grant_id = form.keep or form.revoke or ""
    item = next((item for item in review["items"] if item["grant_id"] == grant_id), None)
    if item is None:
        raise StatementError(f"expected a grant of the population; found {grant_id}", f"/{chosen[0]}")
    decided = about | {"grant_id": grant_id, "principal": item["principal"], "decision": chosen[0]}
    event = event_said(ledger, caller, _DECISIONS, f"{form.id}/{grant_id}"[:256], decided)
    return event, Condition((Match((_DECISIONS,), (of_review, ref("grant", grant_id))),), after=form.position)

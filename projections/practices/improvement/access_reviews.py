"""8.3 Access reviews: opened and done in time, over the grants that were in force, by others than their holders, and carried out.

How often, the policy says, as it is in force when the time comes; without such a setting nothing is.
"""

from typing import Final

from ledger.events import ref
from ledger.events.access import AccessGranted
from ledger.events.access_review import AccessReviewOpened
from ledger.words import number_of
from projections.engine.finding import Breach
from projections.engine.reads import Look
from projections.engine.view import Moment, later
from projections.judging.findings import finding, positions_of
from projections.practices.practice import Practice
from projections.readings.environments.environments import is_called, is_meant, names_for
from projections.readings.people.access_review_facts import access_review_facts
from projections.readings.people.access_reviews import (
    REVOKE_WITHIN_DAYS,
    AccessReview,
    ReviewedGrant,
    access_reviews,
)
from projections.readings.people.grants import Grant, Span, access_grants
from projections.readings.people.grants_held import has_ended_by_now, standing_span
from projections.readings.people.identities import person_of
from projections.readings.people.leaving import ends_of
from projections.readings.people.policies import Policy, in_force, in_force_now, policies
from projections.readings.people.powers import fault_of_speaker
from projections.readings.people.settings import ANY, Number
from projections.readings.people.speaking import clocks_of
from projections.rules.leave import is_reported_late
from projections.rules.words import listed

PRACTICE: Final = Practice(
    "8.3", "Access reviews", views=(access_review_facts, access_reviews, access_grants), settings=(REVOKE_WITHIN_DAYS,)
)
ACCESS_REVIEW_DAYS: Final = Number(
    "access-review-days", "after how many days access is reviewed again", applies_to="environment", zero="never"
)


def _reviews_due(row: Policy, look: Look) -> dict[str, Moment]:
    """Return until when a review has to be opened, by what the policy says it of: an environment, or all of them."""
    found: dict[str, Moment] = {}
    reviews = look.named(access_review_facts, AccessReviewOpened)
    # One that was opened by whoever had no power to, or in the name of another, does not count.
    begun = [
        (review.environment, review.opened.at)
        for review in reviews
        if review.opened is not None
        and not fault_of_speaker(look, AccessReviewOpened.type, review.opened, review.environment)
    ]
    for scope, days in in_force_now(look, row.policy_id).numbers(ACCESS_REVIEW_DAYS).items():
        if not days:
            continue
        opened = [
            at
            for environment, at in begun
            if environment is None or (scope != ANY and is_called(look, environment, scope, at))
        ]
        # Without any, from when the policy first asked for one.
        asked = [
            max(approval.said.recorded_at, v.effective_from or "")
            for v in row.versions
            if v.asks_for("access-review-days", scope)
            for approval in v.approvals
        ]
        found[scope] = later(max(opened, default=min(asked)), days=days)
    return found


@finding(policies, severity="medium")
def access_not_reviewed(row: Policy, look: Look) -> Breach | None:
    """The policy asks for a review of access from time to time, and the next one was not opened."""
    late = {scope: due for scope, due in _reviews_due(row, look).items() if look.has_come(due)}
    if not late:
        return None
    words = listed(f"{scope} (due at {due})" for scope, due in sorted(late.items()))
    return Breach(f"access was not reviewed again: {words}", positions_of(*(v.approved_position for v in row.versions)))


@finding(access_reviews, severity="medium", version=2)
def access_review_overdue(row: AccessReview, look: Look) -> Breach | None:
    """An access review was not done in time: when whoever opened it said, and at the latest when the policy asks for the next one."""
    due = _due_of(row, look)
    if row.state == "done" or not look.has_come(due):
        return None
    return Breach(f"{row.review_id} was due at {due}", positions_of(row.opened_position))


def _due_of(row: AccessReview, look: Look) -> Moment | None:
    """Return by when a review has to be done: whoever opens it gives it no more time than the policy leaves between two of them."""
    if row.due_at is None or row.opened_at is None:
        return row.due_at
    policy = in_force(look.at(row.opened_at), row.opened_at)
    names = names_for(look, policy, row.environment, row.opened_at) if row.environment is not None else ()
    days = policy.number(ACCESS_REVIEW_DAYS, *names)
    return min(row.due_at, later(row.opened_at, days=days)) if days else row.due_at


@finding(access_reviews, severity="high")
def access_review_incomplete(row: AccessReview, look: Look) -> Breach | None:
    """A review that is called done left out grants that were in force when it began, named others, or says other totals than it has."""
    if row.state != "done":
        return None
    faults = []
    if row.undecided:
        faults.append(f"{row.undecided} of {number_of(row.population_count, 'grant')} without a decision that counts")
    if row.stated_count != row.population_count:
        faults.append(
            f"opened over {number_of(row.stated_count, 'grant')}, {number_of(row.population_count, 'was', 'were')} in force"
        )
    elif row.population_count and row.stated_digest != row.population_digest:
        faults.append(f"opened over {row.stated_digest}, in force were {row.population_digest}")
    if row.outside:
        faults.append(f"decided about {listed(row.outside)}, not in force at the opening")
    counting = [item.decision for item in row.items if not item.why]
    totals = (counting.count("keep"), counting.count("revoke"))
    if row.stated_kept is not None and (row.stated_kept, row.stated_revoked) != totals:
        faults.append(
            f"said {row.stated_kept} kept and {row.stated_revoked} to revoke, decided were {totals[0]} and {totals[1]}"
        )
    if others := [item for item in row.items if item.stated_principal is not None]:
        words = listed(f"{item.grant_id} as {item.stated_principal}'s, which is {item.principal}'s" for item in others)
        faults.append(f"decided about {words}")
    if not faults:
        return None
    return Breach(
        f"{row.review_id}: {'; '.join(faults)}",
        positions_of(row.opened_position, row.completed_position),
        row.completed_position,
    )


@finding(access_reviews, severity="high", version=3)
def own_access_reviewed(row: AccessReview, look: Look) -> Breach | None:
    """S7: somebody reviewed a grant of their own, under whichever login, linked whenever; or two without power kept each other's."""
    own = [item for item in row.items if item.why.startswith("S7:")]
    if not own:
        return None
    words = listed(f"{item.reviewer} of {item.grant_id}" for item in own)
    return Breach(
        f"{row.review_id}: reviewed by the holder, or by each other: {words}",
        positions_of(*(item.position for item in own)),
    )


@finding(access_reviews, severity="high")
def revocation_overdue(row: AccessReview, look: Look) -> Breach | None:
    """A review decided to revoke a grant, and it was neither revoked in time nor over by itself."""
    late = [i for i in row.items if i.revoked_at is None and look.has_come(i.revoke_by)]
    if not late:
        return None
    words = listed(f"{item.grant_id} of {item.principal} by {item.revoke_by}" for item in late)
    return Breach(f"{row.review_id}: to be revoked: {words}", positions_of(*(item.position for item in late)))


@finding(access_reviews, severity="high")
def revoked_access_granted_again(row: AccessReview, look: Look) -> Breach | None:
    """What a review decided to revoke was granted again, to the same person, under whichever id, and no later review kept it."""
    again = [
        (item, grant, span)
        for item in row.items
        if item.decision == "revoke" and not item.why
        for grant, span in _granted_again(item, look)
        if not _is_kept_later(item, grant, look)
    ]
    if not again:
        return None
    words = listed(f"{span.role} to {span.principal} by {grant.grant_id}" for _, grant, span in again)
    positions = positions_of(*(position for item, _, span in again for position in (item.position, span.said.position)))
    return Breach(f"{row.review_id}: granted again: {words}", positions)


def _granted_again(item: ReviewedGrant, look: Look) -> list[tuple[Grant, Span]]:
    """Return what was granted after a decision to revoke, to the same person, of the same role in the same place."""
    revoked = look.row(access_grants, item.grant_id)
    if revoked is None or item.principal is None or item.position is None:
        return []
    before = [span for span in revoked.spans if span.said.position < item.position]
    return [
        (grant, span)
        for login in dict.fromkeys(span.principal for span in before)
        for grant in look.named(access_grants, AccessGranted, ref("identity", login))
        for span in grant.spans
        if span.said.position > item.position
        and any(_is_the_same(span, old, look) for old in before)
        and person_of(look, span.principal) == person_of(look, item.principal)
    ]


def _is_the_same(span: Span, old: Span, look: Look) -> bool:
    """Say whether two grants give one role in one place; a grant for everywhere is for each place."""
    is_there = span.environment is None or is_meant(look, old.environment, span.environment, span.said.at)
    return (span.role, span.resource) == (old.role, old.resource) and is_there


def _is_kept_later(item: ReviewedGrant, grant: Grant, look: Look) -> bool:
    return any(
        decision.decision == "keep"
        and decision.position > (item.position or 0)
        and person_of(look, decision.reviewer) != person_of(look, item.principal or "")
        for decision in grant.decisions
    )


@finding(access_grants, severity="medium")
def grant_escaped_review(row: Grant, look: Look) -> Breach | None:
    """A grant was recorded late, as of before a review that did not see it, and no later review looked at it."""
    late = [span for span in row.spans if is_reported_late(span.said, clocks_of(look, span.said.at))]
    if not late:
        return None
    reviews = [review for review in look.named(access_review_facts, AccessReviewOpened) if review.opened is not None]
    if any(row.grant_id in {held.grant_id for held in review.population} for review in reviews):
        return None
    for span in late:
        for review in reviews:
            missed = review.opened is not None and span.said.at <= review.opened.at <= span.said.recorded_at
            if missed and review.opened is not None and review.opened.position < span.said.position:
                words = f"{row.grant_id} was granted as of {span.said.at} and recorded after {review.review_id} had been opened"
                return Breach(words, positions_of(review.opened.position, span.said.position))
    return None


@finding(access_grants, severity="high", version=2)
def leaver_keeps_access(row: Grant, look: Look) -> Breach | None:
    """Every credential of somebody was revoked, and a grant of theirs is still in force."""
    span = standing_span(look, row)
    if span is None or span.principal_kind != "human" or has_ended_by_now(row, look):
        return None
    ended = ends_of(look, span.principal)
    if not ended:
        return None
    words = f"no credential of {span.principal} is left, and {row.grant_id} ({span.role}) is in force"
    return Breach(words, positions_of(span.said.position, *ended))

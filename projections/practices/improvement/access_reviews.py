"""8.3 Access reviews: opened and done in time, over the grants that were in force, by others than their holders, and carried out.

How often, the policy says, as it is in force when the time comes; without such a setting nothing is.
"""

from typing import Final

from ledger.events.access_review import AccessReviewOpened
from projections.engine.derived import Breach
from projections.engine.reads import Look
from projections.engine.view import Moment, later
from projections.judging.findings import finding, positions_of
from projections.practices.practice import Practice
from projections.readings.environments.environments import is_called
from projections.readings.people.access_reviews import REVOKE_WITHIN_DAYS, AccessReview, access_reviews
from projections.readings.people.grants import access_grants
from projections.readings.people.policies import ANY, Policy, in_force_now, policies
from projections.readings.people.settings import Number
from projections.rules.words import listed

PRACTICE: Final = Practice(
    "8.3", "Access reviews", views=(access_reviews, access_grants), settings=(REVOKE_WITHIN_DAYS,)
)
ACCESS_REVIEW_DAYS: Final = Number(
    "access-review-days", "after how many days access is reviewed again", applies_to="environment", zero="never"
)


def _reviews_due(row: Policy, look: Look) -> dict[str, Moment]:
    """Return until when a review has to be opened, by what the policy says it of: an environment, or all of them."""
    found: dict[str, Moment] = {}
    reviews = look.named(access_reviews, AccessReviewOpened)
    for scope, days in in_force_now(look, row.policy_id).numbers(ACCESS_REVIEW_DAYS).items():
        if not days:
            continue
        opened = [
            r.opened_at
            for r in reviews
            if r.opened_at is not None
            and (r.environment is None or (scope != ANY and is_called(look, r.environment, scope, r.opened_at)))
        ]
        # Without any, from when the policy first asked for one.
        asked = [
            max(approval.at, v.effective_from or "")
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


@finding(access_reviews, severity="medium")
def access_review_overdue(row: AccessReview, look: Look) -> Breach | None:
    """An access review was not done in time."""
    if row.state == "done" or not look.has_come(row.due_at):
        return None
    return Breach(f"{row.review_id} was due at {row.due_at}", positions_of(row.opened_position))


@finding(access_reviews, severity="high")
def access_review_incomplete(row: AccessReview, look: Look) -> Breach | None:
    """A review that is called done left out grants that were in force when it began, or named others."""
    if row.state != "done":
        return None
    faults = []
    if row.undecided:
        faults.append(f"{row.undecided} of {row.population_count} grants without a decision that counts")
    if row.stated_count != row.population_count:
        faults.append(f"opened over {row.stated_count} grants, {row.population_count} were in force")
    if row.outside:
        faults.append(f"decided about {listed(row.outside)}, not in force at the opening")
    if not faults:
        return None
    return Breach(f"{row.review_id}: {'; '.join(faults)}", positions_of(row.opened_position, row.completed_position))


@finding(access_reviews, severity="high")
def own_access_reviewed(row: AccessReview, look: Look) -> Breach | None:
    """S7: somebody reviewed a grant of their own."""
    own = [item for item in row.items if item.why]
    if not own:
        return None
    words = listed(f"{item.reviewer} of {item.grant_id}" for item in own)
    return Breach(f"{row.review_id}: reviewed by the holder: {words}", positions_of(*(item.position for item in own)))


@finding(access_reviews, severity="high")
def revocation_overdue(row: AccessReview, look: Look) -> Breach | None:
    """A review decided to revoke a grant, and it was not revoked in time."""
    late = [i for i in row.items if i.revoked_at is None and look.has_come(i.revoke_by)]
    if not late:
        return None
    words = listed(f"{item.grant_id} of {item.principal} by {item.revoke_by}" for item in late)
    return Breach(f"{row.review_id}: to be revoked: {words}", positions_of(*(item.position for item in late)))

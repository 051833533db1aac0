"""Findings about access: credentials that nobody uses, renews or answers for, and reviews of who holds what.

How long is too long, the policy says, as it is in force when the time comes; without such a setting nothing is.
"""

from collections.abc import Callable
from typing import Final

from ledger.events.access_review import AccessReviewOpened
from projections.engine.derived import Breach, Due, Index, Wake
from projections.engine.view import Moment, Reads, later
from projections.judging.findings import all_policies, findings, positions_of
from projections.readings.people.access_reviews import AccessReview, access_reviews
from projections.readings.people.grants import Grant, access_grants, has_ended
from projections.readings.people.policies import ANY, Policy, in_force, policies, takes_effect_at
from projections.rules.words import listed

# -- credentials of services ------------------------------------------------------------------------------------------


# What says whether a service holds a grant, and since when.
_HELD: Final = (
    "principal", "principal_kind", "role", "environment", "granted_at", "granted_position", "expires_at", "revoked_at",
)  # fmt: skip


def _grants_to_services(policy: Policy, index: Index) -> list[str]:
    return [grant.grant_id for grant in index.find(access_grants, "principal_kind", "service")]


def _end_of(row: Grant, setting: str, since: Moment | None, now: Moment, index: Reads) -> Moment | None:
    """Return when a grant to a service has been without something for as long as the policy allows; None for no limit."""
    if row.principal_kind != "service" or row.granted_at is None:
        return None
    days = in_force(index, now).number(setting, row.environment, default=0)
    return later(max(row.granted_at, since or ""), days=days) if days else None


def _unused_until(row: Grant, now: Moment, index: Reads) -> Moment | None:
    return _end_of(row, "dormant-after-days", row.last_used_at, now, index)


def _same_secret_until(row: Grant, now: Moment, index: Reads) -> Moment | None:
    return _end_of(row, "rotate-within-days", row.rotated_at, now, index)


def _looked_at_again(until: Callable[[Grant, Moment, Reads], Moment | None]) -> Due:
    """Say when a limit is to be looked at again: when it is reached, and when the policy may have another."""

    def due_at(row: Grant, now: Moment, index: Index) -> list[Moment]:
        end = until(row, now, index)
        return [*([end] if end is not None else []), *takes_effect_at(index, now)]

    return due_at


@findings.rule(access_grants, of=(*_HELD, "owner"), severity="medium", due=("expires_at", "revoked_at"))
def ownerless_credential(row: Grant, now: Moment, index: Index) -> Breach | None:
    """A service holds a grant that nobody answers for."""
    if row.principal_kind != "service" or row.owner not in (None, row.principal) or has_ended(row, now):
        return None
    return Breach(f"nobody owns {row.grant_id} ({row.role}) of {row.principal}", positions_of(row.granted_position))


@findings.rule(
    access_grants,
    of=(*_HELD, "last_used_at"),
    severity="medium",
    wakes={policies: Wake(_grants_to_services, of=("versions",))},
    due=("expires_at", "revoked_at"),
    due_at=_looked_at_again(_unused_until),
)
def dormant_credential(row: Grant, now: Moment, index: Index) -> Breach | None:
    """A service holds a grant that it has not used for longer than the policy allows, as far as uses are recorded."""
    end = _unused_until(row, now, index)
    if end is None or end > now or has_ended(row, now):
        return None
    used = f"since {row.last_used_at}" if row.last_used_at else "at all"
    words = f"{row.principal} has not used {row.grant_id} ({row.role}) {used}, the policy allows it until {end}"
    return Breach(words, positions_of(row.granted_position))


@findings.rule(
    access_grants,
    of=(*_HELD, "rotated_at"),
    severity="medium",
    wakes={policies: Wake(_grants_to_services, of=("versions",))},
    due=("expires_at", "revoked_at"),
    due_at=_looked_at_again(_same_secret_until),
)
def unrotated_credential(row: Grant, now: Moment, index: Index) -> Breach | None:
    """A service uses the same secret for longer than the policy allows."""
    end = _same_secret_until(row, now, index)
    if end is None or end > now or has_ended(row, now):
        return None
    since = f"since {row.rotated_at}" if row.rotated_at else "yet"
    words = f"the secret of {row.grant_id} ({row.role}) of {row.principal} was not rotated {since}, due at {end}"
    return Breach(words, positions_of(row.granted_position))


# -- reviews ------------------------------------------------------------------------------------------------------------


def _reviews_due(row: Policy, now: Moment, index: Index) -> dict[str, Moment]:
    """Return until when a review has to be opened, by what the policy says it of: an environment, or all of them."""
    found: dict[str, Moment] = {}
    reviews = index.named(access_reviews, AccessReviewOpened)
    for scope, days in in_force(index, now, row.policy_id).numbers("access-review-days").items():
        if not days:
            continue
        wanted = (None,) if scope == ANY else (None, scope)
        opened = [r.opened_at for r in reviews if r.opened_at is not None and r.environment in wanted]
        # Without any, from when the policy first asked for one.
        asked = [
            max(approval.at, v.effective_from or "")
            for v in row.versions
            if v.asks_for("access-review-days", scope)
            for approval in v.approvals
        ]
        found[scope] = later(max(opened, default=min(asked)), days=days)
    return found


def _reviews_due_at(row: Policy, now: Moment, index: Index) -> list[Moment]:
    return [*_reviews_due(row, now, index).values(), *takes_effect_at(index, now, row.policy_id)]


@findings.rule(
    policies,
    of=("versions",),
    severity="medium",
    wakes={access_reviews: Wake(all_policies, of=("environment", "opened_at"))},
    due_at=_reviews_due_at,
)
def access_not_reviewed(row: Policy, now: Moment, index: Index) -> Breach | None:
    """The policy asks for a review of access from time to time, and the next one was not opened."""
    late = {scope: due for scope, due in _reviews_due(row, now, index).items() if due <= now}
    if not late:
        return None
    words = listed(f"{scope} (due at {due})" for scope, due in sorted(late.items()))
    return Breach(f"access was not reviewed again: {words}", positions_of(*(v.approved_position for v in row.versions)))


@findings.rule(access_reviews, of=("state", "opened_position"), severity="medium", due=("due_at",))
def access_review_overdue(row: AccessReview, now: Moment, index: Index) -> Breach | None:
    """An access review was not done in time."""
    if row.state == "done" or row.due_at is None or row.due_at > now:
        return None
    return Breach(f"{row.review_id} was due at {row.due_at}", positions_of(row.opened_position))


@findings.rule(
    access_reviews,
    of=("state", "undecided", "stated_count", "population_count", "outside", "opened_position", "completed_position"),
    severity="high",
)
def access_review_incomplete(row: AccessReview, now: Moment, index: Index) -> Breach | None:
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


@findings.rule(access_reviews, of=("items",), severity="high")
def own_access_reviewed(row: AccessReview, now: Moment, index: Index) -> Breach | None:
    """S7: somebody reviewed a grant of their own."""
    own = [item for item in row.items if item.why]
    if not own:
        return None
    words = listed(f"{item.reviewer} of {item.grant_id}" for item in own)
    return Breach(f"{row.review_id}: reviewed by the holder: {words}", positions_of(*(item.position for item in own)))


@findings.rule(access_reviews, of=("items",), severity="high", due=("revoke_due_at",))
def revocation_overdue(row: AccessReview, now: Moment, index: Index) -> Breach | None:
    """A review decided to revoke a grant, and it was not revoked in time."""
    late = [i for i in row.items if i.revoke_by is not None and i.revoke_by <= now and i.revoked_at is None]
    if not late:
        return None
    words = listed(f"{item.grant_id} of {item.principal} by {item.revoke_by}" for item in late)
    return Breach(f"{row.review_id}: to be revoked: {words}", positions_of(*(item.position for item in late)))

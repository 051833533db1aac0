"""Permissions that were granted, less those that were used: for how long each was not, as far as uses are recorded.

Not whether anybody is to take it away: what is too long is a policy's to say. A grant that ended is nobody's permission any more.

    GR-1  deployer of service:ci in prod    granted in January, used in March      in May: used
    GR-2  reader of person:ann              granted in January                     in May: unused since January
"""

from dataclasses import dataclass
from typing import Final, Literal

from projections.engine.derived import Judged
from projections.engine.reads import Look
from projections.engine.view import Moment, later
from projections.readings.environments.environments import READ_BY_ASKING, names_for
from projections.readings.people.grants import Grant, Span, access_grants
from projections.readings.people.grants_held import has_ended_by_now, last_used_at, standing_span
from projections.readings.people.policies import in_force_now
from projections.readings.people.settings import Number

UNUSED_AFTER_DAYS: Final = Number(
    "unused-after-days",
    "after how many days without a use a permission counts as unused",
    applies_to="environment",
    default=90,
)


@dataclass(frozen=True)
class PermissionUse:
    """One grant: whether it was used lately, not at all, or is over; and since when it is not."""

    grant_id: str
    principal: str | None = None
    principal_kind: Literal["human", "service"] | None = None
    role: str | None = None
    environment: str | None = None
    resource: str | None = None
    state: Literal["used", "new", "unused", "over"] | None = None
    uses: int = 0
    last_used_at: Moment | None = None
    unused_since: Moment | None = None


permission_use = Judged(
    "permission_use",
    version=2,
    row=PermissionUse,
    of=access_grants,
    reads=READ_BY_ASKING,
    indexes=("principal", "role", "environment", "state"),
    doc="Permissions: which were used within the days that the policy says (90), which were not, and since when.",
)


@permission_use.by
def use(row: Grant, look: Look) -> PermissionUse:
    """Whether what was granted is used, by what stands of the grant and whoever is believed about its uses."""
    span = standing_span(look, row)
    if span is None:
        return PermissionUse(row.grant_id, row.principal, row.principal_kind, row.role, row.environment, row.resource)
    last = last_used_at(look, row, span)
    state, since = _state(row, span, last, look)
    return PermissionUse(
        row.grant_id,
        span.principal,
        span.principal_kind,
        span.role,
        span.environment,
        span.resource,
        state,
        row.uses,
        last,
        since,
    )


def _state(
    row: Grant, span: Span, last_used: Moment | None, look: Look
) -> tuple[Literal["used", "new", "unused", "over"], Moment | None]:
    if has_ended_by_now(row, look):
        return "over", None
    last = max(span.said.at, last_used or "")
    policy = in_force_now(look)
    days = policy.number(UNUSED_AFTER_DAYS, *names_for(look, policy, span.environment, last))
    if look.has_come(later(last, days=days)):
        return "unused", last
    return ("used" if last_used is not None else "new"), None

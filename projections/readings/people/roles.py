"""Roles: which somebody holds in an environment at a time, by grants that count.

Not whether a grant counts (`powers`), nor which roles something needs: that is the policy's.
"""

from projections.engine.view import Moment, Reads
from projections.readings.environments.environments import is_meant
from projections.readings.people.powers import granted_to
from projections.rules.leave import Instant, is_on_record


def roles_of(
    reads: Reads, identity: str, time: Moment, environment: str | None = None, before: int | None = None
) -> dict[str, int]:
    """Return the roles that somebody holds at a time, under any login, and the positions of the grants that give them.

    Only by grants that were recorded before a position, if one is said. A grant for one environment counts there; one for none in
    particular counts everywhere.
    """
    return {
        span.role: span.said.position
        for span in granted_to(reads, identity, time, before)
        if environment is None or is_meant(reads, span.environment, environment, time)
    }


def roles_on_record(reads: Reads, identity: str, instant: Instant, environment: str | None = None) -> dict[str, int]:
    """Return the same for a time at which somebody acted: only by grants that were on record by then."""
    return {
        span.role: span.said.position
        for span in granted_to(reads, identity, instant.at)
        if is_on_record(span.said, instant)
        and (environment is None or is_meant(reads, span.environment, environment, instant.at))
    }

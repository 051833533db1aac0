"""What a selector means: whether something done in an environment, to a service, is meant by what somebody declared for several.

Not when it holds: that is `rules.calendar`.
"""

from collections.abc import Collection
from typing import Protocol

from projections.engine.view import Moment, Reads
from projections.readings.environments.environments import is_called, regions_of, same_environment, tier_of
from projections.rules.environments import compared


class Selected(Protocol):
    """Which environments and services somebody meant, as `ledger.events.selecting.Selector` says it."""

    @property
    def environments(self) -> tuple[str, ...]: ...
    @property
    def patterns(self) -> tuple[str, ...]: ...
    @property
    def tiers(self) -> tuple[str, ...]: ...
    @property
    def tenants(self) -> tuple[str, ...]: ...
    @property
    def regions(self) -> tuple[str, ...]: ...
    @property
    def services(self) -> tuple[str, ...]: ...


def is_selected(
    reads: Reads,
    terms: Selected,
    environment: str,
    service: str | None,
    at: Moment,
    tenants: Collection[str] = (),
    regions: Collection[str] = (),
) -> bool:
    """Say whether an environment and a service are meant at a time. What nobody named of it, such as a service, is meant by all.
    Services are meant without regard to letter case: nobody passes a freeze by a capital.

    `tenants` and `regions` are those that it is for alone.
    """
    if terms.services and service is not None and compared(service) not in map(compared, terms.services):
        return False
    if terms.tenants and tenants and set(terms.tenants).isdisjoint(tenants):
        return False
    is_named = (
        any(same_environment(reads, name, environment, at) for name in terms.environments)
        or any(is_called(reads, environment, pattern, at) for pattern in terms.patterns)
        or tier_of(reads, environment, at) in terms.tiers
    )
    if not is_named or not terms.regions:
        return is_named
    # An environment of which nobody said where it lies may lie there.
    lies_in = set(regions_of(reads, environment, at))
    # Whoever names none of the regions in which it lies says nothing of where in it.
    there = lies_in.intersection(regions) or lies_in or set(regions)
    return not there or not there.isdisjoint(terms.regions)

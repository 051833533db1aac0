"""Targets: what a change touches, and which of that others share, as far as anything on record tells.

Not whether anybody looked at what depends on it: that is `impacts`.

A change touches its services, and the resources that the plans in its scope name. Of those is shared

- what somebody declared to be shared, or what carries a tag that says so (`shared-tag`);
- that on which several others depend (`shared-by`);
- whatever a change of several services touches by a plan, and those services themselves: they change together.
"""

from collections.abc import Iterator
from itertools import islice
from typing import Final

from ledger.words import number_of
from projections.engine.view import Moment, Reads
from projections.readings.changes.dependencies import Resource, is_tagged, resources
from projections.readings.changes.scopes import ChangeScope, Version
from projections.readings.environments.environments import names_of
from projections.readings.infrastructure.plans import plans, told_parts
from projections.readings.people.policies import InForce, in_force
from projections.readings.people.settings import Number, Words

SHARED_BY: Final = Number(
    "shared-by",
    "how many others depend directly on what is taken for shared, though nobody says that it is",
    default=2,
    zero="only what is said to be shared",
)
SHARED_TAG: Final = Words(
    "shared-tag", "a tag that says that a resource is shared", is_several=True, default=("shared",)
)
# Of plans that name more resources than this, so many are looked at.
LOOKED_AT: Final = 1000


def targets_of(reads: Reads, scope: ChangeScope, version: Version | None) -> tuple[str, ...]:
    """Return what a change touches by a wording of its scope: its services, and what its plans would change."""
    services, named = (version.services, version.plans) if version is not None else (scope.services, ())
    planned = (address for plan in named for address in _touched(reads, plan))
    return tuple(dict.fromkeys((*services, *islice(planned, LOOKED_AT))))


def _touched(reads: Reads, plan: str) -> Iterator[str]:
    row = reads.row(plans, plan)
    for told in told_parts(reads, row) if row is not None else ():
        yield from (change.address for change in told.changes if change.action is not None)


def shared_targets(
    reads: Reads, scope: ChangeScope, version: Version | None, at: Moment, position: int | None = None
) -> dict[str, str]:
    """Return what a change touches and others share, each with the words that tell why; as was on record at a position, or now."""
    policy = in_force(reads, at)
    places = version.environments if version is not None else scope.environments
    environments = frozenset(name for place in places for name in names_of(reads, place, at))
    services = version.services if version is not None else scope.services
    together = f"the change is of {number_of(len(services), 'service')}" if len(services) > 1 else ""
    found = {
        target: why_shared(row, policy, environments, position) if row is not None else ""
        for target, row in ((name, reads.row(resources, name)) for name in targets_of(reads, scope, version))
    }
    return {target: why or together for target, why in found.items() if why or together}


def why_shared(row: Resource, policy: InForce, environments: frozenset[str], position: int | None = None) -> str:
    """Say why a resource is shared, at a position or now; "" where nothing tells that it is."""
    if row.shared_position is not None and (position is None or row.shared_position <= position):
        return "declared to be shared"
    if tag := next((key for key in policy.words(SHARED_TAG) if is_tagged(row, key, environments, position)), ""):
        return f"tagged {tag}"
    by = policy.number(SHARED_BY)
    dependents = sum(dependent.was_there(position) for dependent in row.dependents)
    return f"{dependents} depend on it" if by and dependents >= by else ""

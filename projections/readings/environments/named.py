"""Names of environments to which something was deployed: how each was spelled, and how often.

Not what they are for: that is `environments`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from projections.engine.tally import Part, Tally
from projections.engine.view import replace
from projections.readings.delivery.deployments import Deployment, deployments
from projections.rules.environments import compared


@dataclass(frozen=True)
class Spelling:
    """One way in which a name was written, and in how many deployments."""

    name: str
    deployments: int


@dataclass(frozen=True)
class NamedEnvironment:
    """One name, as names are compared, and the deployments that named it."""

    name: str
    deployments: int = 0
    spellings: tuple[Spelling, ...] = ()


def _parts(row: Deployment) -> Mapping[str, Part]:
    return {compared(row.environment): (row.environment,)} if row.environment is not None else {}


def respelled(spellings: tuple[Spelling, ...], part: Part, count: int) -> tuple[Spelling, ...]:
    """Return spellings after so many more deployments, or fewer, under each of some names."""
    known = {spelling.name: spelling.deployments for spelling in spellings}
    for name in map(str, part):
        known[name] = known.get(name, 0) + count
    return tuple(Spelling(name, number) for name, number in sorted(known.items()) if number)


def _added(row: NamedEnvironment, part: Part, count: int) -> NamedEnvironment:
    return replace(row, deployments=row.deployments + count, spellings=respelled(row.spellings, part, count))


named_environments = Tally(
    "named_environments",
    version=1,
    row=NamedEnvironment,
    kind="named_environment",
    of=deployments,
    parts=_parts,
    add=_added,
    doc="Names of environments to which something was deployed: how each was spelled, and in how many deployments.",
)

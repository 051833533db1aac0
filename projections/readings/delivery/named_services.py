"""Names of services of which something was deployed: how each was spelled, and how often. Which are one service, nobody here says."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from projections.engine.tally import Part, Tally
from projections.engine.view import replace
from projections.readings.delivery.deployments import Deployment, deployments
from projections.readings.environments.named import Spelling, respelled
from projections.rules.environments import compared


@dataclass(frozen=True)
class NamedService:
    """One name without regard to letter case and encoding, and the deployments that named it."""

    name: str
    deployments: int = 0
    spellings: tuple[Spelling, ...] = ()


def _parts(row: Deployment) -> Mapping[str, Part]:
    found: dict[str, set[str]] = defaultdict(set)
    for act in row.acts:
        if act.service is not None:
            found[compared(act.service)].add(act.service)
    return {name: tuple(sorted(spelled)) for name, spelled in found.items()}


def _added(row: NamedService, part: Part, count: int) -> NamedService:
    return replace(row, deployments=row.deployments + count, spellings=respelled(row.spellings, part, count))


named_services = Tally(
    "named_services",
    version=1,
    row=NamedService,
    kind="named_service",
    of=deployments,
    parts=_parts,
    add=_added,
    doc="Names of services of which something was deployed: how each was spelled, and in how many deployments.",
)

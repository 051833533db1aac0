"""Tags of resources: with which each was seen last, and how many resources of an environment carry which key.

Not which a resource must have: that is the policy's.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from ledger.conditions import Match
from ledger.events import ref
from ledger.events.resource import ResourceTagged
from projections.engine.tally import Part, Tally
from projections.engine.view import EntryInfo, Moment, Reads, View, replace
from projections.readings.environments.environments import under_all_names
from projections.readings.people.powers import READ_BY_POWERS, fault_of_speaker
from projections.readings.people.replacing import standing
from projections.readings.people.voices import Spoken, by_whom, spoken
from projections.rules.environments import compared
from projections.rules.keeping import kept


@dataclass(frozen=True)
class Tag:
    """One tag."""

    key: str
    value: str


@dataclass(frozen=True)
class Sight:
    """What somebody saw of a resource."""

    environment: str
    is_there: bool
    tags: tuple[Tag, ...]
    said: Spoken


@dataclass(frozen=True)
class TaggedResource:
    """One resource in one environment, `aws_db_instance.payments#prod`, as it was seen last by whoever may say so.

    `sights` is what each who tells of it saw last: which of them stand, whoever judges asks.
    """

    key: str
    resource: str | None = None
    environment: str | None = None
    is_there: bool = False
    tags: tuple[Tag, ...] = ()
    seen_at: Moment | None = None
    said: Spoken | None = None
    sights: tuple[Sight, ...] = ()


# Of so many who tell of one resource, what each saw last is kept.
KEPT: Final = 16
_TAGGED: Final = (ResourceTagged.type,)

tagged_resources = View(
    "tagged_resources",
    version=2,
    row=TaggedResource,
    kind="tagged_resource",
    entries_of=lambda key, row: (Match(_TAGGED, (ref("resource", key.partition("#")[0]),)),),
    reads=READ_BY_POWERS,
    indexes=("resource", "environment", "is_there"),
    doc="Resources and their tags, by environment: as each was seen last, and whether it is still there.",
)


@tagged_resources.on(ResourceTagged, key=lambda event: f"{event.resource}#{compared(event.environment)}")
def tagged(row: TaggedResource, event: ResourceTagged, entry: EntryInfo) -> TaggedResource:
    said = spoken(entry, event.actor)
    if fault_of_speaker(entry.reads, entry.type, said, event.environment):
        return row
    tags = tuple(Tag(tag.key, tag.value) for tag in {tag.key: tag for tag in event.tags}.values())
    row = replace(row, sights=_with(row.sights, Sight(event.environment, event.is_there, tags, said)))
    # What was seen earlier and is told later takes no newer sight's place.
    if row.said is not None and said.at < row.said.at:
        return row
    return replace(
        row,
        resource=event.resource,
        environment=event.environment,
        is_there=event.is_there,
        tags=tags,
        seen_at=said.at,
        said=said,
    )


def _with(sights: tuple[Sight, ...], seen: Sight) -> tuple[Sight, ...]:
    own = next((one for one in sights if one.said.principal == seen.said.principal), None)
    if own is not None and own.said.at > seen.said.at:
        return sights
    return kept((*(one for one in sights if one is not own), seen), seen, by_whom, KEPT)


def sights_of(reads: Reads, row: TaggedResource, at: Moment) -> list[Sight]:
    """Return what stands of what was seen of a resource under all names of its environment; none where another row stands for it."""
    resource = row.resource
    if resource is None or row.environment is None:
        return []
    found = under_all_names(reads, tagged_resources, row.environment, at, lambda name: f"{resource}#{name}")
    rows = [one for one in found if one.said is not None]
    if not rows or rows[0].key != row.key:
        return []
    sights = (sight for one in rows for sight in one.sights)
    return standing(reads, ResourceTagged.type, sights, row.environment)


# -- coverage ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class TagCount:
    """One key: how many resources carry it with a value, and of a hundred how many, rounded down."""

    key: str
    resources: int
    percent: int


@dataclass(frozen=True)
class TagCoverage:
    """One environment: how many resources there are, and how many of them carry which key."""

    environment: str
    resources: int = 0
    tags: tuple[TagCount, ...] = ()


def _parts(row: TaggedResource) -> Mapping[str, Part]:
    if row.environment is None or not row.is_there:
        return {}
    return {compared(row.environment): tuple(sorted(tag.key for tag in row.tags if tag.value.strip()))}


def _added(row: TagCoverage, part: Part, count: int) -> TagCoverage:
    resources = row.resources + count
    counted = {tag.key: tag.resources for tag in row.tags}
    for key in part:
        counted[str(key)] = counted.get(str(key), 0) + count
    tags = tuple(TagCount(key, number, 100 * number // resources) for key, number in sorted(counted.items()) if number)
    return replace(row, resources=resources, tags=tags)


tag_coverage = Tally(
    "tag_coverage",
    version=1,
    row=TagCoverage,
    kind="tag_coverage",
    of=tagged_resources,
    parts=_parts,
    add=_added,
    doc="Environments and their tags: how many resources there are, and how many of a hundred carry each key; by date with `as_of`.",
)

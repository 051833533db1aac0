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
from projections.readings.people.voices import Spoken, spoken
from projections.rules.environments import compared


@dataclass(frozen=True)
class Tag:
    """One tag."""

    key: str
    value: str


@dataclass(frozen=True)
class TaggedResource:
    """One resource in one environment, `aws_db_instance.payments#prod`, as it was seen last by whoever may say so."""

    key: str
    resource: str | None = None
    environment: str | None = None
    is_there: bool = False
    tags: tuple[Tag, ...] = ()
    seen_at: Moment | None = None
    said: Spoken | None = None


_TAGGED: Final = (ResourceTagged.type,)

tagged_resources = View(
    "tagged_resources",
    version=1,
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
    # What was seen earlier and is told later takes no newer sight's place.
    is_older = row.said is not None and said.at < row.said.at
    if is_older or fault_of_speaker(entry.reads, entry.type, said, event.environment):
        return row
    return replace(
        row,
        resource=event.resource,
        environment=event.environment,
        is_there=event.is_there,
        tags=tuple(Tag(tag.key, tag.value) for tag in {tag.key: tag for tag in event.tags}.values()),
        seen_at=said.at,
        said=said,
    )


def sight_of(reads: Reads, row: TaggedResource, at: Moment) -> TaggedResource | None:
    """Return a resource as it was seen last under all names of its environment; None where another row stands for it."""
    resource = row.resource
    if resource is None or row.environment is None:
        return None
    found = under_all_names(reads, tagged_resources, row.environment, at, lambda name: f"{resource}#{name}")
    rows = [one for one in found if one.said is not None]
    if not rows or rows[0].key != row.key:
        return None
    return max(rows, key=lambda one: (one.seen_at or "", one.said.position if one.said is not None else 0))


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

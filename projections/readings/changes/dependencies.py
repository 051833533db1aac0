"""Dependencies: which resources need which, by whose word, since and until which entry; and with which tags each was seen.

Not whether a resource is shared: a policy has its say in that (`targets`). Nothing that was there is forgotten: a rule about an act asks
what was declared when somebody acted.
"""

from dataclasses import dataclass
from typing import Final

from ledger.events.dependency import DependencyDeclared, DependencyRemoved
from ledger.events.resource import ResourceTagged
from projections.engine.view import EntryInfo, Reads, View, replace
from projections.readings.people.powers import READ_BY_POWERS, fault_of_speaker
from projections.readings.people.replacing import has_power, last_words
from projections.readings.people.voices import spoken
from projections.rules.environments import compared

# Of more than depend on one resource, so many are looked at: an assessment names two hundred at most.
LOOKED_AT: Final = 1000
# Values of a tag that say that it is not so.
NOT_SO: Final = frozenset({"", "0", "false", "no", "off"})


@dataclass(frozen=True)
class Dependent:
    """Something that was declared to depend on a resource directly: where, by whose credential, and where that was taken away."""

    resource: str
    position: int
    removed_position: int | None = None
    declared_by: str | None = None

    def was_there(self, at: int | None) -> bool:
        """Say whether it depended at a position; None is now."""
        if at is None:
            return self.removed_position is None
        return self.position <= at and (self.removed_position is None or self.removed_position > at)


@dataclass(frozen=True)
class SeenWith:
    """With which tags somebody saw a resource in an environment from an entry on: the keys of those that say that something is so.

    Who has the power to takes the place of what all saw before.
    """

    # As names are compared.
    place: str
    keys: tuple[str, ...]
    position: int
    seen_by: str = ""
    has_power: bool = False


@dataclass(frozen=True)
class Resource:
    """One resource, and what depends on it directly, or did."""

    resource: str
    is_shared: bool = False
    shared_position: int | None = None
    dependents: tuple[Dependent, ...] = ()
    tagged: tuple[SeenWith, ...] = ()


resources = View(
    "resources",
    version=6,
    row=Resource,
    kind="resource",
    reads=READ_BY_POWERS,
    indexes=("is_shared",),
    doc="Resources that others depend on: which ones directly, whether somebody said that several share it, and how it was tagged.",
)


@resources.on(DependencyDeclared, key=lambda event: event.depends_on)
def declared(row: Resource, event: DependencyDeclared, entry: EntryInfo) -> Resource:
    if event.shared and not row.is_shared:
        row = replace(row, is_shared=True, shared_position=entry.position)
    if any(d.resource == event.resource and d.was_there(None) for d in row.dependents):
        return row
    new = Dependent(event.resource, entry.position, declared_by=entry.by["principal"])
    return replace(row, dependents=(*row.dependents, new))


@resources.on(DependencyRemoved, key=lambda event: event.depends_on)
def removed(row: Resource, event: DependencyRemoved, entry: EntryInfo) -> Resource:
    """What somebody declared is taken away by them, or by who is given the power to. Else whoever is asked what depends on what they
    change, says first that nothing does.
    """
    said = spoken(entry, event.actor)
    if fault_of_speaker(entry.reads, entry.type, said):
        return row
    is_given = has_power(entry.reads, entry.type, said)

    def is_taken(one: Dependent) -> bool:
        return (
            one.resource == event.resource and one.was_there(None) and (is_given or one.declared_by == said.principal)
        )

    return replace(
        row,
        dependents=tuple(replace(d, removed_position=entry.position) if is_taken(d) else d for d in row.dependents),
    )


@resources.on(ResourceTagged, key=lambda event: event.resource)
def tagged(row: Resource, event: ResourceTagged, entry: EntryInfo) -> Resource | None:
    """Other tags than before are kept with the entry. Of a resource that never had any, there is nothing to tell."""
    place = compared(event.environment)
    keys = tuple(sorted({tag.key for tag in event.tags if tag.value.strip().lower() not in NOT_SO}))
    said = spoken(entry, event.actor)
    before = next((one for one in reversed(row.tagged) if one.place == place and one.seen_by == said.principal), None)
    may = has_power(entry.reads, entry.type, said)
    is_so_still = keys == (before.keys if before is not None else ()) and not (may and _disagrees(row, place, keys))
    if is_so_still or fault_of_speaker(entry.reads, entry.type, said, event.environment):
        return row if row.tagged or row.dependents else None
    return replace(row, tagged=(*row.tagged, SeenWith(place, keys, entry.position, said.principal, may)))


def _disagrees(row: Resource, place: str, keys: tuple[str, ...]) -> bool:
    """Say whether something else than some tags stands for an environment."""
    return any(one.keys != keys for one in _standing(row, None).get(place, ()))


def _standing(row: Resource, at: int | None) -> dict[str, list[SeenWith]]:
    """Return what stands of what was seen, by environment: the last of each, and nothing from before somebody with the power told."""
    found: dict[str, list[tuple[str, bool, SeenWith]]] = {}
    for seen in row.tagged:
        if at is None or seen.position <= at:
            found.setdefault(seen.place, []).append((seen.seen_by, seen.has_power, seen))
    return {place: last_words(words) for place, words in found.items()}


def is_tagged(row: Resource, key: str, places: frozenset[str], at: int | None) -> bool:
    """Say whether somebody saw a resource last with a tag, at a position or now, in one of some environments; in any where none is named.

    `places` are all names that they go by, as names are compared.
    """
    return any(
        key in seen.keys for place, told in _standing(row, at).items() if not places or place in places for seen in told
    )


@dataclass(frozen=True, slots=True)
class Reach:
    """All that depends on a resource, directly or not; and where that changed last, for better or worse."""

    dependents: frozenset[str]
    changed_position: int


def reach_of(reads: Reads, target: str, at: int | None = None) -> Reach:
    """Return how far a resource reaches: as was declared at a position, or now."""
    found: set[str] = set()
    waiting, changed = [target], 0
    while waiting and len(found) < LOOKED_AT:
        row = reads.row(resources, waiting.pop())
        for dependent in row.dependents if row is not None else ():
            told = (dependent.position, dependent.removed_position or 0)
            changed = max(changed, *(position for position in told if at is None or position <= at), 0)
            if dependent.resource not in found and dependent.was_there(at):
                found.add(dependent.resource)
                waiting.append(dependent.resource)
    return Reach(frozenset(found), changed)

"""Impact: which resources depend on which, and whether a change's assessment names all that depend on what it touches."""

from dataclasses import dataclass

from ledger.events.change import ChangeImpactAssessed
from ledger.events.dependency import DependencyDeclared, DependencyRemoved
from projections.engine.view import EntryInfo, Moment, Reads, View, replace


@dataclass(frozen=True)
class Dependent:
    """Something that was declared to depend on a resource directly: where, and where that was taken away."""

    resource: str
    position: int
    removed_position: int | None = None

    def was_there(self, at: int | None) -> bool:
        """Say whether it depended at a position; None is now."""
        if at is None:
            return self.removed_position is None
        return self.position <= at and (self.removed_position is None or self.removed_position > at)


@dataclass(frozen=True)
class Resource:
    """One resource, and what depends on it directly, or did."""

    resource: str
    is_shared: bool = False
    shared_position: int | None = None
    dependents: tuple[Dependent, ...] = ()


resources = View(
    "resources",
    version=2,
    row=Resource,
    kind="resource",
    indexes=("is_shared",),
    doc="Resources that others depend on: which ones directly, and whether several share it.",
)


@resources.on(DependencyDeclared, key=lambda event: event.depends_on)
def declared(row: Resource, event: DependencyDeclared, entry: EntryInfo) -> Resource:
    if event.shared and not row.is_shared:
        row = replace(row, is_shared=True, shared_position=entry.position)
    if any(d.resource == event.resource and d.was_there(None) for d in row.dependents):
        return row
    return replace(row, dependents=(*row.dependents, Dependent(event.resource, entry.position)))


@resources.on(DependencyRemoved, key=lambda event: event.depends_on)
def removed(row: Resource, event: DependencyRemoved, entry: EntryInfo) -> Resource:
    return replace(
        row,
        dependents=tuple(
            replace(d, removed_position=entry.position) if d.resource == event.resource and d.was_there(None) else d
            for d in row.dependents
        ),
    )


def dependents_of(reads: Reads, target: str, at: int | None = None) -> set[str]:
    """Return all that depends on a resource, directly or not; as was declared at a position, or now."""
    found: set[str] = set()
    waiting = [target]
    while waiting:
        row = reads.row(resources, waiting.pop())
        for dependent in row.dependents if row is not None else ():
            if dependent.resource not in found and dependent.was_there(at):
                found.add(dependent.resource)
                waiting.append(dependent.resource)
    return found


@dataclass(frozen=True)
class Impact:
    """The latest impact assessment of one change."""

    change_id: str
    assessed_by: str | None = None
    assessed_at: Moment | None = None
    position: int | None = None
    method: str | None = None
    targets: tuple[str, ...] = ()
    dependents: tuple[str, ...] = ()


impacts = View(
    "impacts",
    version=1,
    row=Impact,
    kind="change",
    doc="Impact assessments: what each change touches, and what its assessor found to depend on it.",
)


@impacts.on(ChangeImpactAssessed, key=lambda event: event.change_id)
def assessed(row: Impact, event: ChangeImpactAssessed, entry: EntryInfo) -> Impact:
    return Impact(
        row.change_id,
        event.actor,
        entry.time,
        entry.position,
        event.method,
        event.targets,
        tuple(dependent.resource for dependent in event.dependents),
    )


def left_out(reads: Reads, impact: Impact, at: int | None = None) -> list[str]:
    """Return what depends on the shared targets of a change, at a position or now, and its assessment does not name."""
    known: set[str] = set()
    for target in impact.targets:
        row = reads.row(resources, target)
        if row is not None and row.shared_position is not None and (at is None or row.shared_position <= at):
            known |= dependents_of(reads, target, at)
    return sorted(known - {*impact.dependents, *impact.targets})

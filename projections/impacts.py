"""Impact: which resources depend on which, and whether a change's assessment names all that depend on what it touches."""

from dataclasses import dataclass

from ledger.events.change import ChangeImpactAssessed
from ledger.events.dependency import DependencyDeclared, DependencyRemoved
from projections.engine.view import EntryInfo, Moment, Reads, View, replace


@dataclass(frozen=True)
class Dependent:
    """Something that was declared to depend on a resource directly, and where."""

    resource: str
    position: int


@dataclass(frozen=True)
class Resource:
    """One resource, and what depends on it directly."""

    resource: str
    is_shared: bool = False
    dependents: tuple[Dependent, ...] = ()


resources = View(
    "resources",
    version=1,
    row=Resource,
    kind="resource",
    indexes=("is_shared",),
    doc="Resources that others depend on: which ones directly, and whether several share it.",
)


@resources.on(DependencyDeclared, key=lambda event: event.depends_on)
def declared(row: Resource, event: DependencyDeclared, entry: EntryInfo) -> Resource:
    others = tuple(d for d in row.dependents if d.resource != event.resource)
    return replace(
        row,
        is_shared=row.is_shared or event.shared,
        dependents=(*others, Dependent(event.resource, entry.position)),
    )


@resources.on(DependencyRemoved, key=lambda event: event.depends_on)
def removed(row: Resource, event: DependencyRemoved, entry: EntryInfo) -> Resource:
    return replace(row, dependents=tuple(d for d in row.dependents if d.resource != event.resource))


def dependents_of(reads: Reads, target: str, up_to: int | None = None) -> set[str]:
    """Return all that depends on a resource, directly or not, as was declared up to a position."""
    found: set[str] = set()
    waiting = [target]
    while waiting:
        row = reads.row(resources, waiting.pop())
        for dependent in row.dependents if row is not None else ():
            if dependent.resource not in found and (up_to is None or dependent.position <= up_to):
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


def left_out(reads: Reads, impact: Impact, up_to: int | None = None) -> list[str]:
    """Return what depends on the shared targets of a change, and its assessment does not name."""
    known: set[str] = set()
    for target in impact.targets:
        row = reads.row(resources, target)
        if row is not None and row.is_shared:
            known |= dependents_of(reads, target, up_to)
    return sorted(known - {*impact.dependents, *impact.targets})

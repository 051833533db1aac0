"""Modules that plans use, as their configurations name them: of each plan all, in one statement or in several.

    plan_modules   sha256:2c26…/1    what one statement of a plan names; 1 is the first of `parts`

Modules in the plan's own repository are left out: they are reviewed with it.
"""

from dataclasses import dataclass

from ledger.conditions import Match
from ledger.events import ref
from ledger.events.module import ModuleUsed
from projections.engine.view import EntryInfo, Reads, View, replace


@dataclass(frozen=True)
class Use:
    """One module that a plan uses."""

    module: str
    constraint: str | None = None
    version: str | None = None
    digest: str | None = None
    commit: str | None = None

    @property
    def asked(self) -> str | None:
        """The versions that it may be: one, where that is known."""
        return f"= {self.version}" if self.version is not None else self.constraint

    @property
    def which(self) -> str:
        """Which one it is, as far as that is known; else which it may be, or ""."""
        return self.version or (f"at {self.commit}" if self.commit is not None else self.constraint or "")

    @property
    def words(self) -> str:
        return f"{self.module} {self.which or 'in any version'}"


@dataclass(frozen=True)
class PlanModules:
    """What one statement says of the modules of a plan. Told again otherwise, it changes nothing, and `contradicted` says where."""

    part_id: str
    plan: str | None = None
    part: int = 1
    parts: int = 1
    uses: tuple[Use, ...] = ()
    position: int | None = None
    contradicted: int | None = None


plan_modules = View(
    "plan_modules",
    version=3,
    row=PlanModules,
    kind="plan_modules",
    entries_of=lambda key, row: (Match((ModuleUsed.type,), (ref("plan", key.rpartition("/")[0]),)),),
    indexes=("plan",),
    doc="Which modules plans use, as each statement names them.",
)


@plan_modules.on(ModuleUsed, key=lambda event: f"{event.plan}/{event.part}")
def told(row: PlanModules, event: ModuleUsed, entry: EntryInfo) -> PlanModules:
    uses = tuple(Use(one.module, one.constraint, one.version, one.digest, one.commit) for one in event.uses)
    if row.position is not None:
        is_same = (set(uses), event.parts) == (set(row.uses), row.parts)
        return row if is_same or row.contradicted is not None else replace(row, contradicted=entry.position)
    return replace(row, plan=event.plan, part=event.part, parts=event.parts, uses=uses, position=entry.position)


def parts_of(reads: Reads, plan: str) -> list[PlanModules] | None:
    """Return what is told of the modules of a plan; None where any of it is missing."""
    found: list[PlanModules] = []
    while not found or len(found) < found[0].parts:
        # The first that is missing is enough: whoever says how many there are may say any number.
        row = reads.row(plan_modules, f"{plan}/{len(found) + 1}")
        if row is None:
            return None
        found.append(row)
    return found

"""Who uses which module: a service in an environment, by the plan that was applied there last, or told last where none was.

module_uses     terraform-aws-modules/vpc/aws#prod/api    since when a plan named it, and when last
module_series   prod/api                                  which plan was applied last, and which told last
module_users    terraform-aws-modules/vpc/aws#prod/api    whether it is used still, and whether it is deprecated
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from ledger.conditions import Match
from ledger.events.iac import PlanApplied
from ledger.events.module import ModuleUsed
from projections.engine.derived import Judged
from projections.engine.reads import Look
from projections.engine.view import EntryInfo, Moment, Reads, View, replace
from projections.readings.environments.environments import READ_BY_ASKING, under_all_names
from projections.readings.infrastructure.modules import Word, modules, standing_of
from projections.readings.infrastructure.plan_modules import Use, parts_of, plan_modules
from projections.readings.people.voices import spoken
from projections.rules.environments import compared
from projections.rules.leave import FOR_EVER


@dataclass(frozen=True)
class ModuleSeries:
    """One environment and service: the plan that was applied there last, or told last where none was."""

    series: str
    planned: str | None = None
    planned_at: Moment | None = None
    applied: str | None = None
    applied_at: Moment | None = None


def series_of(environment: str, service: str | None) -> str:
    """Return the key of an environment and a service."""
    return f"{compared(environment)}/{service or ''}"


def _series(event: ModuleUsed | PlanApplied) -> str | None:
    return series_of(event.environment, event.service) if event.environment is not None else None


module_series = View(
    "module_series",
    version=1,
    row=ModuleSeries,
    kind="module_series",
    # Entries write an environment in any spelling.
    entries_of=lambda key, row: (Match((ModuleUsed.type, PlanApplied.type)),),
    doc="Environments and services of which plans say what modules they use: the plan that was applied last, and the one told last.",
)


@module_series.on(ModuleUsed, key=_series)
def planned(row: ModuleSeries, event: ModuleUsed, entry: EntryInfo) -> ModuleSeries:
    at = spoken(entry, event.actor).at
    return replace(row, planned=event.plan, planned_at=at) if at >= (row.planned_at or "") else row


@module_series.on(PlanApplied, key=_series)
def carried_out(row: ModuleSeries, event: PlanApplied, entry: EntryInfo) -> ModuleSeries:
    at = spoken(entry, event.actor).at
    if event.outcome != "success" or at < (row.applied_at or ""):
        return row
    return replace(row, applied=event.plan, applied_at=at)


@dataclass(frozen=True)
class ModuleUseFacts:
    """One module in the plans of one environment and service. The key is `module#environment/service`."""

    key: str
    module: str | None = None
    environment: str | None = None
    service: str | None = None
    first_at: Moment | None = None
    last_at: Moment = ""


module_uses = View(
    "module_uses",
    version=1,
    row=ModuleUseFacts,
    kind="module_use",
    entries_of=lambda key, row: (Match((ModuleUsed.type,)),),
    indexes=("module", "environment", "service"),
    doc="Modules in the plans of environments and services: since when, and when last.",
)


def _keys(event: ModuleUsed) -> list[str]:
    series = _series(event)
    return [f"{use.module}#{series}" for use in event.uses] if series is not None else []


@module_uses.on(ModuleUsed, key=_keys)
def used(row: ModuleUseFacts, event: ModuleUsed, entry: EntryInfo) -> ModuleUseFacts:
    at = spoken(entry, event.actor).at
    return replace(
        row,
        module=row.key.partition("#")[0],
        environment=row.environment or event.environment,
        service=event.service,
        first_at=min(row.first_at or at, at),
        last_at=max(row.last_at, at),
    )


@dataclass(frozen=True)
class ModuleUser:
    """Whether a service uses a module still in an environment, in which versions, and how that stands."""

    key: str
    module: str | None = None
    environment: str | None = None
    service: str | None = None
    is_used: bool = False
    is_deprecated: bool = False
    versions: tuple[str, ...] = ()
    standing: Word | None = None
    why: str = ""
    plan: str | None = None
    first_at: Moment | None = None
    last_at: Moment | None = None


module_users = Judged(
    "module_users",
    version=3,
    row=ModuleUser,
    of=module_uses,
    reads=(modules, module_series, plan_modules, *READ_BY_ASKING),
    indexes=("module", "service", "is_used", "is_deprecated", "standing"),
    doc="Who uses which module, by the plan that was applied last, or told last where none was; and whether it is deprecated.",
)
_WORST: Final[tuple[Word, ...]] = ("deprecated", "not-approved", "expired", "not-known", "approved")


@module_users.by
def user(row: ModuleUseFacts, look: Look) -> ModuleUser:
    """How the use of one module by one service stands; where its environment has several names, under the first."""
    environment, service = row.environment, row.service
    if environment is None:
        return ModuleUser(row.key)
    rows = under_all_names(
        look, module_uses, environment, FOR_EVER, lambda name: f"{row.module}#{series_of(name, service)}"
    )
    if not rows or rows[0].key != row.key:
        return ModuleUser(row.key, row.module, environment, service)
    plan = plan_of(look, environment, service)
    uses = [use for use in _uses_of(look, plan) if use.module == row.module]
    found = [standing_of(look, use) for use in uses]
    worst = min(found, key=lambda standing: _WORST.index(standing.word), default=None)
    return ModuleUser(
        row.key,
        row.module,
        environment,
        service,
        is_used=bool(uses),
        is_deprecated=worst is not None and worst.word == "deprecated",
        versions=tuple(sorted({use.which for use in uses})),
        standing=worst.word if worst is not None else None,
        why=worst.why if worst is not None else "",
        plan=plan,
        first_at=min((one.first_at for one in rows if one.first_at is not None), default=None),
        last_at=max(one.last_at for one in rows),
    )


def plan_of(reads: Reads, environment: str, service: str | None) -> str | None:
    """Return the plan of a service that was applied last in an environment, under all its names, or told last where none was."""
    return applied_last(reads, environment, service) or _last(
        (one.planned_at, one.planned) for one in _all_series(reads, environment, service)
    )


def applied_last(reads: Reads, environment: str, service: str | None) -> str | None:
    """Return the plan of a service that was applied last in an environment, under all its names."""
    return _last((one.applied_at, one.applied) for one in _all_series(reads, environment, service))


def _all_series(reads: Reads, environment: str, service: str | None) -> list[ModuleSeries]:
    return under_all_names(reads, module_series, environment, FOR_EVER, lambda name: series_of(name, service))


def _last(told: Iterable[tuple[Moment | None, str | None]]) -> str | None:
    return max(((at or "", plan) for at, plan in told if plan is not None), default=(None, None))[1]


def _uses_of(look: Look, plan: str | None) -> Iterator[Use]:
    for row in (parts_of(look, plan) or ()) if plan is not None else ():
        yield from row.uses

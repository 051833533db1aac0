"""Who uses which module: a service in an environment, by the plan of each workspace that was applied there last, or told last where
none was. Of which workspace a plan is, whoever told it says; else whoever applied it.

module_uses     terraform-aws-modules/vpc/aws#prod/api    since when a plan named it, and when last
module_series   prod/api                                  which plan was applied last in each workspace, and which told last
module_users    terraform-aws-modules/vpc/aws#prod/api    whether it is used still, and whether it is deprecated
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
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
from projections.readings.infrastructure.plans import plans
from projections.readings.infrastructure.states import DEFAULT
from projections.readings.people.voices import spoken
from projections.rules.environments import compared
from projections.rules.keeping import kept
from projections.rules.leave import FOR_EVER

# So many workspaces of one environment and service are kept: of whoever tells too many, the last ones.
WORKSPACES: Final = 64


@dataclass(frozen=True)
class Latest:
    """The plan of one workspace that was applied last, or told last: when, and by whose word."""

    workspace: str
    plan: str
    at: Moment
    by: str


@dataclass(frozen=True)
class ModuleSeries:
    """One environment and service: of each workspace the plan that was applied there last, and the one that was told last."""

    series: str
    planned: tuple[Latest, ...] = ()
    applied: tuple[Latest, ...] = ()


def series_of(environment: str, service: str | None) -> str:
    """Return the key of an environment and a service."""
    return f"{compared(environment)}/{service or ''}"


def _series(event: ModuleUsed | PlanApplied) -> str | None:
    return series_of(event.environment, event.service) if event.environment is not None else None


module_series = View(
    "module_series",
    version=2,
    row=ModuleSeries,
    kind="module_series",
    # Entries write an environment in any spelling.
    entries_of=lambda key, row: (Match((ModuleUsed.type, PlanApplied.type)),),
    reads=(plans,),
    doc="Environments and services of which plans say what modules they use: the plan of each workspace applied last, and told last.",
)


@module_series.on(ModuleUsed, key=_series)
def planned(row: ModuleSeries, event: ModuleUsed, entry: EntryInfo) -> ModuleSeries:
    return replace(row, planned=_with(row.planned, event, entry))


@module_series.on(PlanApplied, key=_series)
def carried_out(row: ModuleSeries, event: PlanApplied, entry: EntryInfo) -> ModuleSeries:
    return replace(row, applied=_with(row.applied, event, entry)) if event.outcome == "success" else row


def _with(told: tuple[Latest, ...], event: ModuleUsed | PlanApplied, entry: EntryInfo) -> tuple[Latest, ...]:
    plan, at = entry.reads.row(plans, event.plan), spoken(entry, event.actor).at
    named = event.workspace if isinstance(event, PlanApplied) else None
    workspace = (plan.workspace if plan is not None and plan.said is not None else named) or DEFAULT
    before = next((one for one in told if one.workspace == workspace), None)
    if before is not None and at < before.at:
        return told
    new = Latest(workspace, event.plan, at, entry.by["principal"])
    return kept((*(one for one in told if one is not before), new), new, _teller, WORKSPACES)


def _teller(one: Latest) -> str:
    return one.by


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
    version=4,
    row=ModuleUser,
    of=module_uses,
    reads=(modules, module_series, plan_modules, *READ_BY_ASKING),
    indexes=("module", "service", "is_used", "is_deprecated", "standing"),
    doc="Who uses which module, by the plan of each workspace applied last, or told last where none was; and whether it is deprecated.",
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
    plans_there = standing_plans(look, environment, service)
    using = [(plan, use) for plan in plans_there for use in _uses_of(look, plan) if use.module == row.module]
    uses = [use for _, use in using]
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
        plan=(using[-1][0] if using else plans_there[-1] if plans_there else None),
        first_at=min((one.first_at for one in rows if one.first_at is not None), default=None),
        last_at=max(one.last_at for one in rows),
    )


def standing_plans(reads: Reads, environment: str, service: str | None) -> tuple[str, ...]:
    """Return, of each workspace of a service in an environment, the plan that was applied last, or told last where none was; by time."""
    rows = _all_series(reads, environment, service)
    planned, applied = (_last_of_each(told) for told in ((r.planned for r in rows), (r.applied for r in rows)))
    return _in_time((planned | applied).values())


def applied_last(reads: Reads, environment: str, service: str | None) -> tuple[str, ...]:
    """Return the plans of a service that were applied last in an environment, under all its names: of each workspace one; by time."""
    return _in_time(_last_of_each(row.applied for row in _all_series(reads, environment, service)).values())


def _all_series(reads: Reads, environment: str, service: str | None) -> list[ModuleSeries]:
    return under_all_names(reads, module_series, environment, FOR_EVER, lambda name: series_of(name, service))


def _last_of_each(told: Iterable[tuple[Latest, ...]]) -> dict[str, Latest]:
    return {one.workspace: one for one in sorted(chain.from_iterable(told), key=_when)}


def _in_time(some: Iterable[Latest]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one.plan for one in sorted(some, key=_when)))


def _when(one: Latest) -> Moment:
    return one.at


def _uses_of(look: Look, plan: str) -> Iterator[Use]:
    for row in parts_of(look, plan) or ():
        yield from row.uses

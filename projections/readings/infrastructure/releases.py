"""Releases of modules: what each version takes and gives, and what it was tried with; and upgrades of providers that plans make.

module_releases     acme/vpc/aws/2.0.0           inputs name, zone (required); outputs id
provider_upgrades   1042                          the entry at position 1042 says that a plan takes hashicorp/aws from 4.67.0 to 5.31.0
plan_providers      sha256:2c26…                  uses hashicorp/aws ~> 5.0
provider_steps      sha256:2c26…                  hashicorp/aws from ~> 4.0, in the plan that was applied before
compatibilities     hashicorp/aws                 tried: 5.31.0, all checks passed
"""

from dataclasses import dataclass
from typing import Final

from ledger.conditions import Match
from ledger.events import ref
from ledger.events.compatibility import CompatibilityTested
from ledger.events.iac import PlanApplied
from ledger.events.module import ModuleReleased
from ledger.events.provider import ProvidersUsed, ProviderUpgraded
from projections.engine.view import EntryInfo, Moment, Reads, View, replace
from projections.readings.environments.environments import READ_BY_ASKING, same_environment
from projections.readings.infrastructure.plans import plan_applications
from projections.readings.people.voices import Spoken, by_whom, spoken
from projections.rules.keeping import kept
from projections.rules.versions import is_major_step, is_step_apart

# Of the trials of one provider or module, the last ones are kept.
KEPT: Final = 200
# Of the applications in an environment, the last ones are looked at for the one before.
APPLIED: Final = 50


@dataclass(frozen=True)
class Input:
    """One thing that is said to a module."""

    name: str
    required: bool


@dataclass(frozen=True)
class ModuleRelease:
    """One version of a module, as it was told first. Told again otherwise, it changes nothing, and `contradicted` says where."""

    release: str
    module: str | None = None
    version: str | None = None
    inputs: tuple[Input, ...] = ()
    outputs: tuple[str, ...] = ()
    digest: str | None = None
    commit: str | None = None
    said: Spoken | None = None
    contradicted: int | None = None

    @property
    def required(self) -> set[str]:
        return {one.name for one in self.inputs if one.required}


module_releases = View(
    "module_releases",
    version=1,
    row=ModuleRelease,
    kind="module_release",
    entries_of=lambda key, row: (Match((ModuleReleased.type,), (ref("module", key.rpartition("/")[0]),)),),
    indexes=("module", "version"),
    doc="Versions of modules: what each takes and gives.",
)


@module_releases.on(ModuleReleased, key=lambda event: f"{event.module}/{event.version}")
def released(row: ModuleRelease, event: ModuleReleased, entry: EntryInfo) -> ModuleRelease:
    inputs = tuple(sorted({Input(one.name, one.required) for one in event.inputs}, key=lambda one: one.name))
    outputs = tuple(sorted(set(event.outputs)))
    if row.said is not None:
        is_same = (inputs, outputs, event.digest or row.digest) == (row.inputs, row.outputs, row.digest or event.digest)
        return row if is_same or row.contradicted is not None else replace(row, contradicted=entry.position)
    return replace(
        row,
        module=event.module,
        version=event.version,
        inputs=inputs,
        outputs=outputs,
        digest=event.digest,
        commit=event.commit,
        said=spoken(entry, event.actor),
    )


# -- providers -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ProviderUpgrade:
    """One time that a plan takes a provider from one version to another, named by its position."""

    upgrade: str
    provider: str | None = None
    from_version: str | None = None
    to_version: str | None = None
    plan: str | None = None
    environment: str | None = None
    service: str | None = None
    # The plan, where this is a major step, or nobody can tell: these are asked for, however many others there are.
    major_in: str | None = None
    said: Spoken | None = None


provider_upgrades = View(
    "provider_upgrades",
    version=2,
    row=ProviderUpgrade,
    kind="provider_upgrade",
    # No ref names an upgrade by its position.
    entries_of=lambda key, row: (Match((ProviderUpgraded.type,)),),
    indexes=("provider", "plan", "service", "major_in"),
    doc="Upgrades of providers: which plan takes which from what version to what.",
)


@provider_upgrades.on(ProviderUpgraded, key=lambda event, entry: str(entry.position))
def upgraded(row: ProviderUpgrade, event: ProviderUpgraded, entry: EntryInfo) -> ProviderUpgrade:
    return replace(
        row,
        provider=event.provider,
        from_version=event.from_version,
        to_version=event.to_version,
        plan=event.plan,
        environment=event.environment,
        service=event.service,
        major_in=event.plan if is_major_step(event.from_version, event.to_version) is not False else None,
        said=spoken(entry, event.actor),
    )


# -- what plans admit ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Admitted:
    """One provider that a plan uses, and the versions that its configuration admits."""

    provider: str
    constraint: str | None = None


@dataclass(frozen=True)
class PlanProviders:
    """The providers of one plan, as they were told first."""

    plan: str
    environment: str | None = None
    workspace: str | None = None
    service: str | None = None
    uses: tuple[Admitted, ...] = ()
    said: Spoken | None = None


plan_providers = View(
    "plan_providers",
    version=1,
    row=PlanProviders,
    kind="plan",
    indexes=("environment", "service"),
    doc="Which providers plans use, and which versions of each their configurations admit.",
)


@plan_providers.on(ProvidersUsed, key=lambda event: event.plan)
def used(row: PlanProviders, event: ProvidersUsed, entry: EntryInfo) -> PlanProviders:
    if row.said is not None:
        return row
    return replace(
        row,
        environment=event.environment,
        workspace=event.workspace,
        service=event.service,
        uses=tuple(Admitted(one.provider, one.constraint) for one in event.uses),
        said=spoken(entry, event.actor),
    )


@dataclass(frozen=True)
class Stepped:
    """One provider that a plan takes over a major step: what the plan before admitted, and what this one does."""

    provider: str
    before: str
    after: str


@dataclass(frozen=True)
class ProviderSteps:
    """The major steps of one plan, against the plan that was applied last in its workspace when it was told."""

    plan: str
    against: str | None = None
    steps: tuple[Stepped, ...] = ()
    said: Spoken | None = None


provider_steps = View(
    "provider_steps",
    version=1,
    row=ProviderSteps,
    kind="plan",
    reads=(plan_providers, plan_applications, *READ_BY_ASKING),
    indexes=("against",),
    doc="Major steps of providers that nobody had to tell: plans that admit no version which the plan applied before admitted.",
)


@provider_steps.on(ProvidersUsed, key=lambda event: event.plan)
def compared(row: ProviderSteps, event: ProvidersUsed, entry: EntryInfo) -> ProviderSteps:
    if row.said is not None:
        return row
    said = spoken(entry, event.actor)
    before = _applied_before(entry.reads, event, said.at)
    if before is None:
        return replace(row, said=said)
    admitted = {one.provider: one.constraint for one in before.uses}
    steps = (
        Stepped(one.provider, admitted[one.provider] or "", one.constraint or "")
        for one in event.uses
        if one.provider in admitted and is_step_apart(admitted[one.provider], one.constraint)
    )
    return replace(row, against=before.plan, steps=tuple(steps), said=said)


def _applied_before(reads: Reads, event: ProvidersUsed, at: Moment) -> PlanProviders | None:
    """Return the plan that was applied last to the state that a plan is of; None where nobody knows which that is."""
    if event.environment is None:
        return None
    where = (event.workspace, event.service)
    about = ref("service", event.service) if event.service is not None else None
    for applied in reads.named(plan_applications, PlanApplied, about, limit=APPLIED):
        if applied.outcome != "success" or applied.plan in (None, event.plan):
            continue
        row = reads.row(plan_providers, applied.plan or "")
        is_there = row is not None and row.said is not None and (row.workspace, row.service) == where
        if is_there and same_environment(reads, applied.environment, event.environment, at):
            return row
    return None


# -- trials ----------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Trial:
    """One time that a version was tried."""

    said: Spoken
    version: str
    is_compatible: bool
    failed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Compatibility:
    """One provider or module, and all trials of its versions. Whether one counts, is judged by whoever asks."""

    name: str
    trials: tuple[Trial, ...] = ()


compatibilities = View(
    "compatibilities",
    version=2,
    row=Compatibility,
    kind="compatibility",
    entries_of=lambda key, row: [
        Match((CompatibilityTested.type,), (ref(kind, key),)) for kind in ("provider", "module")
    ],
    doc="Which versions of providers and modules were tried, by whom, and what failed.",
)


def _names(event: CompatibilityTested) -> list[str]:
    return [name for name in (event.provider, event.module) if name is not None]


@compatibilities.on(CompatibilityTested, key=_names)
def tried(row: Compatibility, event: CompatibilityTested, entry: EntryInfo) -> Compatibility:
    failed = tuple(check.name for check in event.checks if not check.passed)
    trial = Trial(spoken(entry, event.actor), event.version, not failed, failed)
    return replace(row, trials=kept((*row.trials, trial), trial, by_whom, KEPT))

"""Releases of modules: what each version takes and gives, and what it was tried with; and upgrades of providers that plans make.

module_releases     acme/vpc/aws/2.0.0           inputs name, zone (required); outputs id
provider_upgrades   1042                          the entry at position 1042 says that a plan takes hashicorp/aws from 4.67.0 to 5.31.0
compatibilities     hashicorp/aws                 tried: 5.31.0, all checks passed
"""

from dataclasses import dataclass
from typing import Final

from ledger.conditions import Match
from ledger.events import ref
from ledger.events.compatibility import CompatibilityTested
from ledger.events.module import ModuleReleased
from ledger.events.provider import ProviderUpgraded
from projections.engine.view import EntryInfo, View, replace
from projections.readings.people.voices import Spoken, by_whom, spoken
from projections.rules.keeping import kept
from projections.rules.versions import is_major_step

# Of the trials of one provider or module, the last ones are kept.
KEPT: Final = 200


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

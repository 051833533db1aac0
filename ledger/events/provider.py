"""Providers of infrastructure: which a plan uses, and that one was upgraded, from which version to which."""

from typing import ClassVar, Final

from ledger.events.base import Event
from ledger.events.identifiers import (
    ChangeId,
    Environment,
    Part,
    PlanDigest,
    ProviderSource,
    RunId,
    Service,
    Version,
    VersionConstraint,
    Workspace,
    many,
)

# Providers of one plan.
MAX_PROVIDERS: Final = 200


class ProviderUse(Part):
    """One provider that a plan uses, and which versions all of its configuration admits together. None said: any."""

    provider: ProviderSource
    constraint: VersionConstraint | None = None


class ProvidersUsed(Event):
    """Which providers a plan uses, as its configuration says. Which version was taken it does not say."""

    type = "provider.used"
    says = "the plan {plan} uses {uses}"
    refs: ClassVar[tuple[str, ...]] = ("plan", "environment", "service")
    plan: PlanDigest
    environment: Environment | None = None
    workspace: Workspace | None = None
    service: Service | None = None
    uses: tuple[ProviderUse, ...] = many(at_most=MAX_PROVIDERS, default=())


class ProviderUpgraded(Event):
    """A plan uses another version of a provider than was used before."""

    type = "provider.upgraded"
    says = "{provider} goes from {from_version} to {to_version}[ in {environment}]"
    refs: ClassVar[tuple[str, ...]] = ("provider", "plan", "change_id", "environment", "service")
    provider: ProviderSource
    from_version: Version
    to_version: Version
    plan: PlanDigest
    change_id: ChangeId | None = None
    environment: Environment | None = None
    service: Service | None = None
    run_id: RunId | None = None

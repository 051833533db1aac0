"""Providers of infrastructure: that one was upgraded, from which version to which."""

from typing import ClassVar

from ledger.events.base import Event
from ledger.events.identifiers import (
    ChangeId,
    Environment,
    PlanDigest,
    ProviderSource,
    RunId,
    Service,
    Version,
)


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

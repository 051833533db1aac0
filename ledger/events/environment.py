"""Environments: what each is for, whatever it is called."""

from typing import ClassVar

from ledger.events.base import Event
from ledger.events.identifiers import Environment, Identity, Region, Tier, many


class EnvironmentEvent(Event):
    """A fact about one environment."""

    refs: ClassVar[tuple[str, ...]] = ("environment",)
    actor: Identity
    environment: Environment


class EnvironmentDeclared(EnvironmentEvent):
    """An environment was said to be of a tier, under all the names it goes by."""

    type = "environment.declared"
    says = "{actor} declared {environment} as {tier}"
    refs = ("environment", "aliases")
    tier: Tier
    aliases: tuple[Environment, ...] = many(at_most=16, default=())
    regions: tuple[Region, ...] = many(at_most=16, default=())

"""Strategies of releases: which may be used for which services, and which was chosen."""

from ledger.events.base import Event
from ledger.events.deployment import Strategy
from ledger.events.identifiers import (
    ChangeId,
    Count,
    Erasable,
    Flag,
    Identity,
    Label,
    MatrixId,
    Part,
    Service,
    Version,
    many,
)


class Cell(Part):
    """Which strategies services of some kind may use. Without a criticality, a tolerance or a word on state it is for any."""

    criticalities: tuple[Label, ...] = many(at_most=8, default=())
    # Services that bear a rollback of no more seconds than these.
    bears_at_most_s: Count | None = None
    stateful: Flag | None = None
    strategies: tuple[Strategy, ...] = many(at_least=1, at_most=8)


class StrategyMatrixPublished(Event):
    """It was laid down which strategies may be used: the first cell that fits a service holds."""

    type = "strategy.matrix_published"
    says = "{actor} published matrix {matrix_id} {version}"
    refs = ("matrix_id",)
    actor: Identity
    matrix_id: MatrixId
    version: Version
    cells: tuple[Cell, ...] = many(at_least=1, at_most=64)


class StrategyServiceProfiled(Event):
    """It was said how much depends on a service, how long a rollback of it may take, and whether it holds state."""

    type = "strategy.service_profiled"
    says = "{actor} profiled {service} as {criticality}, rolled back within {max_rollback_s} s"
    refs = ("service",)
    actor: Identity
    service: Service
    criticality: Label
    max_rollback_s: Count
    stateful: Flag


class StrategySelected(Event):
    """Somebody chose by which strategy a service goes out: for one change, or from now on."""

    type = "strategy.selected"
    says = "{actor} chose {strategy} for {service}[ in {change_id}]"
    refs = ("service", "change_id")
    actor: Identity
    service: Service
    change_id: ChangeId | None = None
    strategy: Strategy
    # As whoever chooses takes the service to be.
    criticality: Label | None = None
    max_rollback_s: Count | None = None
    rationale: Erasable | None = None

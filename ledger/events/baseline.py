"""Baselines: what a state of infrastructure is to be, by somebody's decision."""

from ledger.events.identifiers import Commit, Erasable, Identity
from ledger.events.state import StateEvent


class BaselinePublished(StateEvent):
    """Somebody said what the state is to be, from there on, whatever was applied before."""

    type = "baseline.published"
    says = "{actor} published the state of {environment}[/{workspace}] as a baseline"
    actor: Identity
    commit: Commit | None = None
    reason: Erasable | None = None

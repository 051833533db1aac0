"""States of infrastructure: what a tool remembers of what it made, and what was found there. Of a state only its digest stands here."""

from typing import ClassVar

from ledger.events.base import Event
from ledger.events.identifiers import (
    Count,
    Digest,
    Environment,
    Lineage,
    Version,
    Workspace,
)


class StateEvent(Event):
    """A fact about one state: that of an environment, or of one workspace where an environment has several."""

    refs: ClassVar[tuple[str, ...]] = ("environment", "workspace")
    environment: Environment
    workspace: Workspace | None = None
    state_digest: Digest
    # How often it was written, and which state it is: a tool counts on as long as that is the same.
    serial: Count | None = None
    lineage: Lineage | None = None


class StateObserved(StateEvent):
    """Somebody looked at a state where it is kept."""

    type = "state.observed"
    says = "the state of {environment}[/{workspace}] was {state_digest}[, written {serial:time}]"
    tool_version: Version | None = None
    resources: Count | None = None

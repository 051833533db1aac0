"""Statements about statements: taking one back."""

from ledger.events.base import Event
from ledger.events.identifiers import Erasable, Label, Position


class StatementWithdrawn(Event):
    """A statement made in error was taken back; the original stays visible."""

    type = "statement.withdrawn"
    says = "{actor} withdrew the statement at position {position}: {reason}"
    position: Position
    reason: Label
    replaced_by: Position | None = None
    comment: Erasable | None = None

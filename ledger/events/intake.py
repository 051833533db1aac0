"""Intake: what the doors noticed about what came in. Reserved: only the ledger appends it."""

from ledger.events.base import Event
from ledger.events.identifiers import Label, Position, Sha256Hex, Source


class IntakeUnmapped(Event):
    """An authenticated body came in that no translator understands; its bytes are kept as evidence."""

    type = "intake.unmapped"
    says = "a {format} body of kind {kind} was kept, and not understood: {reason}"
    format: Label
    kind: Label
    reason: Label
    body_sha256: Sha256Hex


class IntakeConflicted(Event):
    """The same (source, id) came again with another content, which was refused."""

    type = "intake.conflicted"
    says = "another content came for what was recorded at position {first_position}"
    first_position: Position
    conflicting_source: Source
    first_digest: Sha256Hex
    second_digest: Sha256Hex

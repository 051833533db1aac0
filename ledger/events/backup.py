"""Backups: copies of what a resource holds. Whether one can be gone back to, a restore tells."""

from typing import ClassVar, Literal

from ledger.events.base import Event
from ledger.events.identifiers import BackupId, Count, Digest, Environment, Resource, Time

BackupOutcome = Literal["success", "partial", "failure"]


class BackupEvent(Event):
    """A fact about one backup."""

    refs: ClassVar[tuple[str, ...]] = ("backup_id", "resource", "environment")
    backup_id: BackupId
    resource: Resource
    environment: Environment


class BackupCompleted(BackupEvent):
    """A backup of a resource ended, in one piece or not. It holds what was there at `taken_at`, or when it ended."""

    type = "backup.completed"
    says = "backup {backup_id} of {resource} in {environment} ended as {outcome}"
    outcome: BackupOutcome
    taken_at: Time | None = None
    digest: Digest | None = None
    size_bytes: Count | None = None

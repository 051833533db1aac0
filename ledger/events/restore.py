"""Restores: backups that were gone back to, to see whether that can be done, or because it had to be."""

from typing import ClassVar

from ledger.events.base import Event
from ledger.events.identifiers import BackupId, Checked, Count, Digest, Environment, Resource, many


class RestoreVerified(Event):
    """A backup was restored somewhere, in so many seconds, and checks ran against what came of it."""

    type = "restore.verified"
    says = "backup {backup_id} of {resource} was restored in {duration_s:second}"
    refs: ClassVar[tuple[str, ...]] = ("backup_id", "resource", "environment")
    backup_id: BackupId
    resource: Resource
    # Where to.
    environment: Environment | None = None
    duration_s: Count
    # Of what was restored.
    digest: Digest | None = None
    checks: tuple[Checked, ...] = many(at_least=1)

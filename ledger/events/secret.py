"""Secrets: that one was found where it may be read, and that another took its place. Never the secret, nor what is made of it alone."""

from typing import ClassVar

from ledger.events.base import Event
from ledger.events.identifiers import (
    Commit,
    Count,
    Environment,
    FilePath,
    Flag,
    Identity,
    Repository,
    ScanId,
    ScanRule,
    SecretPrint,
    Service,
    ToolName,
)


class SecretEvent(Event):
    """A fact about one secret, which a digest of where it was found names."""

    refs: ClassVar[tuple[str, ...]] = ("secret",)
    secret: SecretPrint


class SecretDetected(SecretEvent):
    """A tool found what may be a secret, of which kind and where."""

    type = "secret.detected"
    says = "{tool} found {rule}[ in {repository}][, in {path}]"
    refs = ("secret", "repository", "service", "environment", "scan")
    tool: ToolName
    # Of which kind it is, as the tool calls it.
    rule: ScanRule
    repository: Repository | None = None
    service: Service | None = None
    environment: Environment | None = None
    path: FilePath | None = None
    line: Count | None = None
    scan: ScanId | None = None
    # The commit that brought it in, where the tool knows.
    introduced_by: Commit | None = None
    # Whether nothing but its place names it: another secret in that place has the same name.
    by_place: Flag = False
    # Whether it is open though it was said to be rotated: somebody or something looked again.
    again: Flag = False


class SecretRotated(SecretEvent):
    """A secret opens nothing any more: it was revoked, or another took its place."""

    type = "secret.rotated"
    says = "{actor} rotated the secret {secret}"
    actor: Identity

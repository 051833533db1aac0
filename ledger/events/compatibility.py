"""Compatibility: whether what is there works with another version of a provider or a module, as somebody tried it."""

from typing import ClassVar

from ledger.events.base import Event
from ledger.events.identifiers import (
    Checked,
    Digest,
    Environment,
    ModuleSource,
    ProviderSource,
    RunId,
    Version,
    many,
)


class CompatibilityTested(Event):
    """Somebody tried a version of a provider or a module, with what is used here. It is compatible when all checks passed."""

    type = "compatibility.tested"
    says = "[{provider}][{module}] {version} was tried"
    refs: ClassVar[tuple[str, ...]] = ("provider", "module", "environment", "run_id")
    one_of: ClassVar[tuple[str, ...]] = ("provider", "module")
    provider: ProviderSource | None = None
    module: ModuleSource | None = None
    version: Version
    # What it was tried with: versions of the tool, modules, platforms.
    checks: tuple[Checked, ...] = many(at_least=1, at_most=64)
    environment: Environment | None = None
    run_id: RunId | None = None
    # Of the report, where there is one.
    report: Digest | None = None

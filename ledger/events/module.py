"""Modules of infrastructure: which may be used, in which versions, until when; which plan uses which; what each release takes and gives."""

from typing import ClassVar, Final

from ledger.events.base import Event
from ledger.events.identifiers import (
    Attempt,
    Commit,
    Digest,
    Environment,
    Erasable,
    Flag,
    Identity,
    Label,
    ModuleSource,
    Part,
    PlanDigest,
    Service,
    Time,
    Version,
    VersionConstraint,
    many,
)

# Uses in one statement; and inputs, or outputs, of a module.
MAX_USES: Final = 200
MAX_NAMES: Final = 250


class ModuleEvent(Event):
    """A fact about one module."""

    refs: ClassVar[tuple[str, ...]] = ("module",)
    actor: Identity
    module: ModuleSource
    # Every version, where none are said.
    versions: VersionConstraint | None = None


class ModuleApproved(ModuleEvent):
    """Somebody let a module be used, in some versions, until a time; with a digest or a commit, exactly what has it."""

    type = "module.approved"
    says = "{actor} approved {module}[ {versions}][ at {commit}][ until {expires_at}]"
    refs = ("module", "commit")
    digest: Digest | None = None
    commit: Commit | None = None
    expires_at: Time | None = None


class ModuleDeprecated(ModuleEvent):
    """A module, or some versions of it, are to be used no longer. Approved again after that, they may be."""

    type = "module.deprecated"
    says = "{actor} deprecated {module}[ {versions}][, for {replaced_by}]"
    replaced_by: ModuleSource | None = None
    reason: Erasable | None = None


class ModuleUse(Part):
    """One module that a plan uses: which versions its configuration admits, or which version or commit it is, where that is known."""

    module: ModuleSource
    constraint: VersionConstraint | None = None
    version: Version | None = None
    digest: Digest | None = None
    commit: Commit | None = None


class ModuleUsed(Event):
    """Which modules a plan uses, those in its own repository left out: all of them, in `parts` statements. None, where it uses none."""

    type = "module.used"
    says = "part {part} of {parts} of the modules that the plan {plan} uses"
    refs = ("plan", "environment", "service")
    plan: PlanDigest
    environment: Environment | None = None
    service: Service | None = None
    part: Attempt = 1
    parts: Attempt = 1
    uses: tuple[ModuleUse, ...] = many(at_most=MAX_USES, default=())


class ModuleInput(Part):
    """One thing that whoever uses a module says to it; `required` where there is no default."""

    name: Label
    required: Flag = False


class ModuleReleased(Event):
    """A module was released: what it takes and what it gives, so that others know what a version breaks."""

    type = "module.released"
    says = "{module} {version} was released[ by {actor}]"
    refs = ("module", "commit")
    module: ModuleSource
    version: Version
    inputs: tuple[ModuleInput, ...] = many(at_most=MAX_NAMES, default=())
    outputs: tuple[Label, ...] = many(at_most=MAX_NAMES, default=())
    digest: Digest | None = None
    commit: Commit | None = None

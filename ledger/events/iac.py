"""Infrastructure as code: plans, what checked them, and what was applied. Of what a plan would write nothing stands here but its digest."""

import hashlib
from typing import ClassVar, Final, Literal

from ledger.events.base import Event
from ledger.events.identifiers import (
    Attempt,
    ChangeId,
    Commit,
    Count,
    Digest,
    Environment,
    Fingerprint,
    Flag,
    Identity,
    Lineage,
    Part,
    PlanDigest,
    Resource,
    RunId,
    Service,
    TagKey,
    ToolName,
    Version,
    Workspace,
    many,
)
from ledger.events.resource import MAX_TAGS

Action = Literal["create", "update", "replace", "delete", "forget", "read", "import", "move"]
# Changes in one statement.
MAX_CHANGES: Final = 400


class PlannedChange(Part):
    """What is to become of one resource, named by its address; `drifted` where it was changed outside of the tool.

    Of what is created, `tags` are the keys of its tags: all of them, some, where others are known when it is applied, or none, where
    resources of its type have no tags. `values` are fingerprints of what the first of them have (`fingerprint_of_tag`); what the
    others have is not known.
    """

    address: Resource
    action: Action | None = None
    drifted: Flag = False
    tagged: Literal["all", "some", "none"] | None = None
    tags: tuple[TagKey, ...] = many(at_most=MAX_TAGS, default=())
    values: tuple[Fingerprint, ...] = many(at_most=MAX_TAGS, default=())


def fingerprint_of_tag(key: str, value: str) -> str:
    """Return by what a tag is known to have a value that somebody can guess: the first half of a SHA-256, in hex. Key and value are
    identifiers, as policies write them.

    >>> fingerprint_of_tag("cost%20center", "7") == hashlib.sha256(b"cost%20center=7").hexdigest()[:32]
    True
    """
    return hashlib.sha256(f"{key}={value}".encode()).hexdigest()[:32]


class PlanEvent(Event):
    """A fact about one plan, which its digest names."""

    refs: ClassVar[tuple[str, ...]] = ("plan", "change_id", "environment")
    plan: PlanDigest
    change_id: ChangeId | None = None
    environment: Environment | None = None
    # Of an environment that has several states.
    workspace: Workspace | None = None


class ChangesEvent(PlanEvent):
    """A fact about one plan: some of what it would change."""

    changes: tuple[PlannedChange, ...] = many(at_most=MAX_CHANGES, default=())


class PlanProduced(ChangesEvent):
    """A plan was made: what would be changed, if it were applied. Where `parts` is not 0, that is in as many statements of their own."""

    type = "iac.plan_produced"
    says = (
        "a plan was made of {commit} for {environment}: {creates} to create, {updates} to update, {destroys} to destroy"
    )
    refs = ("plan", "change_id", "environment", "run_id", "service", "commit")
    format_version: Version
    tool_version: Version | None = None
    run_id: RunId | None = None
    service: Service | None = None
    commit: Commit | None = None
    # Whether making it failed half-way, and whether it plans everything. Tools of before do not say.
    errored: Flag | None = None
    complete: Flag | None = None
    creates: Count
    updates: Count
    # What is replaced is destroyed and created.
    destroys: Count
    replaces: Count = 0
    forgets: Count = 0
    imports: Count = 0
    drifted: Count = 0
    failed_checks: Count = 0
    parts: Count = 0


class PlanChangesReported(ChangesEvent):
    """Some of what a plan would change."""

    type = "iac.plan_changes_reported"
    says = "part {part} of {parts} of what the plan {plan} would change"
    part: Attempt
    parts: Attempt


class PlanValidated(PlanEvent):
    """A tool or somebody checked a plan against rules."""

    type = "iac.validated"
    says = "{tool} checked the plan {plan}: {verdict}"
    tool: ToolName
    verdict: Literal["passed", "failed"]


class PlanApplied(PlanEvent):
    """A plan was carried out."""

    type = "iac.applied"
    says = "{actor} applied the plan {plan} to {environment}: {outcome}"
    refs = ("plan", "change_id", "environment", "run_id", "service", "commit")
    actor: Identity
    environment: Environment
    outcome: Literal["success", "failure", "cancelled"]
    run_id: RunId | None = None
    service: Service | None = None
    commit: Commit | None = None
    # What state it left: its digest, how often that was written, and which state it is.
    state_digest: Digest | None = None
    serial: Count | None = None
    lineage: Lineage | None = None

"""Changes: what is to be altered, in which scope, and when."""

from typing import ClassVar, Literal

from ledger.events.base import Event
from ledger.events.identifiers import (
    Artifact,
    ChangeId,
    ChangeType,
    Commit,
    Count,
    DeploymentId,
    Digest,
    Environment,
    Erasable,
    Identity,
    Label,
    Part,
    PlanDigest,
    PlaybookId,
    Region,
    ReleaseId,
    Resource,
    RoleName,
    Service,
    Team,
    TemplateId,
    Tenant,
    Time,
    Version,
    many,
)
from ledger.events.selecting import Recurrence


class ChangeEvent(Event):
    """A fact about one change."""

    refs: ClassVar[tuple[str, ...]] = ("change_id",)
    change_id: ChangeId


class ChangeOpened(ChangeEvent):
    """A change was proposed; nothing is fixed yet."""

    type = "change.opened"
    says = "{actor} opened {change_type} change {change_id} for {services}"
    refs = ("change_id", "services", "environment", "environments", "release_id", "template_id")
    actor: Identity
    change_type: ChangeType
    services: tuple[Service, ...] = many(at_least=1)
    # One, or several.
    environment: Environment | None = None
    environments: tuple[Environment, ...] = many(at_most=16, default=())
    team: Team | None = None
    release_id: ReleaseId | None = None
    template_id: TemplateId | None = None
    title: Erasable
    description: Erasable | None = None


class ExternalDigest(Part):
    """Something outside of the ledger that belongs to a scope, by its digest."""

    name: Label
    digest: Digest


class ScopeContent(Part):
    """What a scope holds, so that its digest can be computed of what it says."""

    services: tuple[Service, ...] = many(default=())
    environments: tuple[Environment, ...] = many(at_most=16, default=())
    tenants: tuple[Tenant, ...] = many(at_most=16, default=())
    regions: tuple[Region, ...] = many(at_most=16, default=())
    commits: tuple[Commit, ...] = many(at_most=64, default=())
    # What is to be deployed, where that is known by digest.
    artifacts: tuple[Artifact, ...] = many(at_most=16, default=())
    playbook_id: PlaybookId | None = None
    playbook_version: Version | None = None
    template_id: TemplateId | None = None
    # Of the plans of infrastructure to be applied.
    plans: tuple[PlanDigest, ...] = many(at_most=12, default=())
    window_start: Time | None = None
    window_end: Time | None = None
    external_digests: tuple[ExternalDigest, ...] = many(default=())


class ChangeSubmitted(ChangeEvent, ScopeContent):
    """The scope of a change was fixed by digest and put forward for assessment."""

    type = "change.submitted"
    says = "{actor} submitted {change_id}[ with scope {scope_digest}]"
    refs = ("change_id", "services", "environments", "plans")
    actor: Identity
    # What whoever states it takes for the digest of the scope; the ledger computes it.
    scope_digest: Digest | None = None


class ChangeScopeAmended(ChangeEvent, ScopeContent):
    """The scope of a change became another; approvals of the old scope no longer count."""

    type = "change.scope_amended"
    says = "{actor} amended the scope of {change_id}[ to {scope_digest}]"
    refs = ("change_id", "services", "environments", "plans")
    actor: Identity
    scope_digest: Digest | None = None
    previous_digest: Digest | None = None
    reason: Erasable | None = None


class Dependent(Part):
    """Something that depends on a target, and how far away it is."""

    resource: Resource
    depth: Count


class ChangeImpactAssessed(ChangeEvent):
    """Somebody listed what a change touches and what depends on it."""

    type = "change.impact_assessed"
    says = "{actor} assessed the impact of {change_id} on {targets} by {method}"
    actor: Identity
    targets: tuple[Resource, ...] = many(at_least=1)
    dependents: tuple[Dependent, ...] = many(at_most=200)
    method: Label


class ChangeReviewed(ChangeEvent):
    """Somebody looked at what a change is to do, as its scope stood: whether it is technically sound. No approval of doing it."""

    type = "change.reviewed"
    says = "{actor} reviewed {change_id}: {verdict}"
    actor: Identity
    verdict: Literal["approved", "changes_requested"]
    scope_digest: Digest | None = None
    comment: Erasable | None = None


class ChangeEscalated(ChangeEvent):
    """A decision on a change was put before a higher body, because its risk or its age demanded it."""

    type = "change.escalated"
    says = "{actor} escalated {change_id} to {to_role}"
    actor: Identity
    to_role: RoleName
    reason: Erasable | None = None


class ChangeScheduled(ChangeEvent, Recurrence):
    """A change was given a window in which it may be implemented, or one that recurs."""

    type = "change.scheduled"
    says = "{change_id} is scheduled from {planned_start} to {planned_end}"
    planned_start: Time
    planned_end: Time


class ChangeLinked(ChangeEvent):
    """A deployment that did not name its change was linked to it afterwards."""

    type = "change.linked"
    says = "{actor} linked deployment {deployment_id} to {change_id}"
    refs = ("change_id", "deployment_id")
    actor: Identity
    deployment_id: DeploymentId


class ChangeReverted(ChangeEvent):
    """A change went back to draft; pending approvals are cancelled."""

    type = "change.reverted"
    says = "{actor} returned {change_id} to draft"
    actor: Identity
    reason: Erasable | None = None


class ChangeCancelled(ChangeEvent):
    """A change was given up before it started."""

    type = "change.cancelled"
    says = "{actor} cancelled {change_id}"
    actor: Identity
    reason: Erasable | None = None

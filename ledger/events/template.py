"""Templates: changes that are known well enough to need no approval of their own."""

from typing import ClassVar

from ledger.events.base import Event
from ledger.events.change import ExternalDigest
from ledger.events.identifiers import (
    Count,
    Digest,
    Environment,
    Identity,
    PlaybookId,
    Service,
    Team,
    TemplateId,
    Time,
    Version,
    many,
)


class TemplateEvent(Event):
    """A fact about one template of standard changes."""

    refs: ClassVar[tuple[str, ...]] = ("template_id",)
    actor: Identity
    template_id: TemplateId


class TemplatePublished(TemplateEvent):
    """What a kind of change does was written down: of which services, where, and how. Somebody else approves that very text."""

    type = "template.published"
    says = "{actor} wrote template {template_id} of standard changes"
    refs = ("template_id", "services", "environments")
    # None named: any.
    services: tuple[Service, ...] = many(at_most=32, default=())
    environments: tuple[Environment, ...] = many(at_most=16, default=())
    playbook_id: PlaybookId | None = None
    playbook_version: Version | None = None
    external_digests: tuple[ExternalDigest, ...] = many(at_most=16, default=())


class TemplateApproved(TemplateEvent):
    """A kind of change was accepted in advance, as it was written down, until a time and as long as it seldom fails."""

    type = "template.approved"
    says = "{actor} approved standard changes by template {template_id} until {expires_at}"
    # Of what was written down, as the ledger computed it; without it, of what was written last.
    template_digest: Digest | None = None
    expires_at: Time
    # How many of its changes may fail before it counts no longer.
    failure_limit: Count


class TemplateRetired(TemplateEvent):
    """A template may be used no longer."""

    type = "template.retired"
    says = "{actor} retired template {template_id}"


class TemplateOwnershipAssigned(TemplateEvent):
    """Somebody has to answer for a template, until it is looked at again; and somebody else where they are not there."""

    type = "template.ownership_assigned"
    says = "{actor} made {owner} the owner of template {template_id}[, until {review_by}]"
    owner: Identity
    backup: Identity | None = None
    team: Team | None = None
    review_by: Time | None = None

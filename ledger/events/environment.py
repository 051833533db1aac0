"""Environments: what each is for, whatever it is called, and how long it lives."""

from typing import ClassVar

from ledger.events.base import Event
from ledger.events.identifiers import (
    Checked,
    Count,
    Digest,
    Environment,
    Erasable,
    Flag,
    Identity,
    Label,
    Part,
    Region,
    ReleaseId,
    ReservationId,
    Team,
    Tier,
    Time,
    many,
)


class EnvironmentEvent(Event):
    """A fact about one environment."""

    refs: ClassVar[tuple[str, ...]] = ("environment",)
    actor: Identity
    environment: Environment


class EnvironmentDeclared(EnvironmentEvent):
    """An environment was said to be of a tier, under all the names it goes by."""

    type = "environment.declared"
    says = "{actor} declared {environment} as {tier}"
    refs = ("environment", "aliases")
    tier: Tier
    aliases: tuple[Environment, ...] = many(at_most=16, default=())
    regions: tuple[Region, ...] = many(at_most=16, default=())


class EnvironmentReport(Event):
    """A fact about one environment that a machine may report."""

    refs: ClassVar[tuple[str, ...]] = ("environment",)
    environment: Environment


class EnvironmentCreated(EnvironmentReport):
    """An environment was set up, to live until a time where one is said."""

    type = "environment.created"
    says = "environment {environment} was created[ by {actor}][, to live until {expires_at}]"
    expires_at: Time | None = None
    owner: Identity | None = None
    team: Team | None = None
    cost_center: Label | None = None


class EnvironmentTtlExtended(EnvironmentEvent):
    """Somebody let an environment live longer, as somebody else had asked."""

    type = "environment.ttl_extended"
    says = "{actor} let {environment} live until {expires_at}, as {requester} had asked"
    requester: Identity
    expires_at: Time
    reason: Erasable


class EnvironmentDeleted(EnvironmentReport):
    """An environment was torn down."""

    type = "environment.deleted"
    says = "environment {environment} was torn down[ by {actor}]"
    reason: Erasable | None = None


class ReservationEvent(EnvironmentEvent):
    """A fact about one reservation of an environment."""

    refs = ("environment", "reservation_id")
    reservation_id: ReservationId


class EnvironmentReserved(ReservationEvent):
    """Somebody is to have an environment for a time: for themselves alone, unless it is said otherwise."""

    type = "environment.reserved"
    says = "{actor} reserved {environment} from {start} to {end} as {reservation_id}[, for {purpose}]"
    start: Time
    end: Time
    exclusive: Flag = True
    purpose: Label | None = None
    team: Team | None = None


class EnvironmentReleased(ReservationEvent):
    """Whoever had reserved an environment needs it no longer."""

    type = "environment.released"
    says = "{actor} released {environment}, reserved as {reservation_id}"


class Difference(Part):
    """One key of a configuration whose values differ, or that only one side has: digests, so that no value is told."""

    key: Label
    # In `environment`, and in `other`; none where it is not there.
    here: Digest | None = None
    there: Digest | None = None


class EnvironmentConfigCompared(EnvironmentReport):
    """The configurations of two environments were compared, key by key."""

    type = "environment.config_compared"
    says = "{environment} and {other} were compared: {equal:key is|keys are} equal"
    refs = ("environment", "other")
    other: Environment
    equal: Count
    differences: tuple[Difference, ...] = many(at_most=100, default=())
    # How many more keys differ.
    unlisted: Count = 0


class EnvironmentReadinessPromised(EnvironmentEvent):
    """An environment is to be ready for a release by a time: the first word of it, or another one, and why."""

    type = "environment.readiness_promised"
    says = "{actor} promised {environment} for release {release_id} by {ready_by}[, because of {cause}]"
    refs = ("environment", "release_id")
    release_id: ReleaseId
    ready_by: Time
    # In one word, and of nobody: capacity, data, licence.
    cause: Label | None = None


class EnvironmentReadyAttested(EnvironmentReport):
    """Somebody or something looked whether an environment is ready for a release. It is when all checks passed."""

    type = "environment.ready_attested"
    says = "{environment} was looked at for release {release_id}"
    refs = ("environment", "release_id")
    release_id: ReleaseId
    checks: tuple[Checked, ...] = many(at_least=1)

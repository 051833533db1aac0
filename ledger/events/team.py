"""Teams: what each stands by."""

from ledger.events.base import Event
from ledger.events.identifiers import Artifact, Erasable, Identity, ReleaseId, Service, Team


class TeamSignedOff(Event):
    """The owner of a component stands by it, as it is."""

    type = "team.signed_off"
    says = "{actor} signed off {service} as {artifact} in release {release_id}"
    refs = ("release_id", "team", "service")
    actor: Identity
    release_id: ReleaseId
    team: Team | None = None
    service: Service
    artifact: Artifact
    comment: Erasable | None = None

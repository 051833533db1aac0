"""Identities: that several logins are one human."""

from ledger.events.base import Event
from ledger.events.identifiers import Identity, Label, many


class IdentityLinked(Event):
    """Two or more identities were found to be the same person or service."""

    type = "identity.linked"
    says = "{actor} linked {identities} as one"
    refs = ("identities",)
    actor: Identity
    identities: tuple[Identity, ...] = many(at_least=2, at_most=16)
    evidence: Label

"""Findings: what becomes of them by somebody's decision. That a rule is broken is no fact but a reading: nobody posts it."""

from typing import Literal

from ledger.events.base import Event
from ledger.events.identifiers import (
    Digest,
    Erasable,
    FindingRule,
    Identity,
    Part,
    Sha256Base64,
    Subject,
    Time,
    many,
)


class Found(Part):
    """One finding of a rule: its subject, and the digest of what it said. When it says something else, it is open again.

    `said` is the SHA-256, in base64, of the canonical JSON `{"rule", "says", "subject"}`.
    """

    subject: Subject
    said: Sha256Base64


class FindingDisposed(Event):
    """Somebody decided what becomes of findings of one rule: accepted, remediated, or none in truth."""

    type = "finding.disposed"
    says = "{actor} disposed of findings of {rule} as {disposition}[ until {until}]"
    refs = ("rule",)
    actor: Identity
    disposition: Literal["accepted", "remediated", "false_positive"]
    # Of one rule: so five hundred fit a statement, where keys have up to thirty characters.
    rule: FindingRule
    findings: tuple[Found, ...] = many(at_least=1, at_most=500)
    reason: Erasable
    # Documents that show it; entries that do are in `links`.
    evidence: tuple[Digest, ...] = many(at_most=16, default=())
    # When it is over, and they are open again.
    until: Time | None = None

"""Identities: which logins are one person or service, and by which credentials and grants each is known.

Not a directory: names and addresses are kept elsewhere, where they can be erased. Nor what somebody is (`powers.kind_of`). Names that
differ by the case of letters alone are one, and rows are kept under the one in lower case.

Links accuse whenever they were recorded, and whoever said so: two logins of one person do not approve each other's work. What
a link gives, a role or that somebody is a human, it gives only when whoever said so had the power (`known_logins`).
"""

from dataclasses import dataclass
from typing import Any, Literal

from ledger.conditions import Match
from ledger.events import ref
from ledger.events.access import AccessGranted
from ledger.events.identity import IdentityLinked
from ledger.events.ledger import LedgerCredentialIssued, LedgerTrustRuleEnrolled
from projections.engine.answers import kept
from projections.engine.view import EntryInfo, Moment, Reads, View, replace
from projections.readings.people.credentials import credentials, principal_of
from projections.readings.people.sources import principals_sources
from projections.readings.people.voices import Spoken, has_root_power, spoken, voice_fault


@dataclass(frozen=True)
class Link:
    """Another identity of the same person or service, and who said so."""

    identity: str
    said: Spoken


@dataclass(frozen=True)
class Identity:
    """One identity, as it was written, with the identities that were linked to it directly. `kind` is what a grant said last."""

    identity: str
    spellings: tuple[str, ...] = ()
    kind: Literal["human", "service"] | None = None
    links: tuple[Link, ...] = ()
    credentials: tuple[str, ...] = ()
    first_seen_at: Moment | None = None


def _entries_of(key: str, row: Identity) -> list[Match]:
    # Credentials carry no ref of whose they are. There are few of them.
    issued = Match((LedgerCredentialIssued.type, LedgerTrustRuleEnrolled.type))
    return [issued, *(Match(refs=(ref("identity", spelling),)) for spelling in (key, *row.spellings))]


identities = View(
    "identities",
    version=4,
    row=Identity,
    kind="identity",
    entries_of=_entries_of,
    names=("spellings",),
    reads=(credentials, principals_sources),
    speakers=lambda reads, row: _linked(reads, row.identity, None),
    doc="Identities that were granted or issued something, or linked: what they are, and which others are the same.",
)


def key_of(identity: str) -> str:
    """Return under which name an identity is kept: letter case does not make another person."""
    return identity.lower()


def _seen(row: Identity, spelling: str, entry: EntryInfo) -> Identity:
    spellings = row.spellings if spelling in row.spellings else (*row.spellings, spelling)
    return replace(row, spellings=spellings, first_seen_at=row.first_seen_at or entry.recorded_at)


@identities.on(IdentityLinked, key=lambda event: [key_of(identity) for identity in event.identities])
def linked(row: Identity, event: IdentityLinked, entry: EntryInfo) -> Identity:
    said = spoken(entry, event.actor)
    # Said again by the same credential, it is nothing new; by another one, it may count where the first did not.
    known = {(key_of(link.identity), link.said.credential, link.said.actor) for link in row.links}
    others = {key_of(other): other for other in event.identities}
    new = tuple(
        Link(other, said)
        for key, other in others.items()
        if key != row.identity and (key, said.credential, said.actor) not in known
    )
    for spelling in (other for other in event.identities if key_of(other) == row.identity):
        row = _seen(row, spelling, entry)
    return replace(row, links=row.links + new)


@identities.on(AccessGranted, key=lambda event: key_of(event.principal))
def granted(row: Identity, event: AccessGranted, entry: EntryInfo) -> Identity:
    return replace(_seen(row, event.principal, entry), kind=event.principal_kind)


@identities.on(LedgerCredentialIssued, LedgerTrustRuleEnrolled, key=lambda event: key_of(principal_of(event)))
def issued(row: Identity, event: Any, entry: EntryInfo) -> Identity:
    known = dict.fromkeys((*row.credentials, event.credential))
    return replace(_seen(row, principal_of(event), entry), credentials=tuple(known))


@kept
def logins_of(reads: Reads, identity: str) -> frozenset[str]:
    """Return all logins of one person or service, in lower case: by every link on record."""
    return frozenset(_linked(reads, identity, None))


@kept
def known_logins(reads: Reads, identity: str, before: int) -> frozenset[str]:
    """Return the logins that belong together by links that count: said by who had the power, before a position."""
    return frozenset(_linked(reads, identity, before))


def _linked(reads: Reads, identity: str, before: int | None) -> set[str]:
    key = key_of(identity)
    seen, waiting = {key}, [key]
    while waiting:
        row = reads.row(identities, waiting.pop())
        for link in row.links if row else ():
            other = key_of(link.identity)
            if other not in seen and (before is None or _counts(reads, link.said, before)):
                seen.add(other)
                waiting.append(other)
    return seen


def _counts(reads: Reads, said: Spoken, before: int) -> bool:
    return (
        said.position < before
        and has_root_power(reads, IdentityLinked.type, said)
        and not voice_fault(reads, said, "operator")
    )


def spellings_of(reads: Reads, logins: frozenset[str]) -> list[str]:
    """Return logins as statements wrote them."""
    found = set(logins)
    for login in logins:
        if (row := reads.row(identities, login)) is not None:
            found.update(row.spellings)
    return sorted(found)


@kept
def person_of(reads: Reads, identity: str) -> str:
    """Return the name under which all logins of one person or service are compared: the one that sorts first."""
    return min(logins_of(reads, identity))


def are_same(reads: Reads, one: str, other: str) -> bool:
    """Say whether two identities are one person or service."""
    return key_of(other) in logins_of(reads, one)

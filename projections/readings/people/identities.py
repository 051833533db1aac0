"""Identities: which logins are one person or service, and what each was granted.

Not a directory: names and addresses are kept elsewhere, where they can be erased.
"""

from dataclasses import dataclass
from typing import Literal

from ledger.events.access import AccessGranted
from ledger.events.identity import IdentityLinked
from projections.engine.view import EntryInfo, Moment, Reads, View, replace


@dataclass(frozen=True)
class Link:
    """Another identity of the same person or service, and the entry that said so."""

    identity: str
    position: int


@dataclass(frozen=True)
class Identity:
    """One identity, with the identities that were linked to it directly."""

    identity: str
    kind: Literal["human", "service"] | None = None
    links: tuple[Link, ...] = ()
    first_seen_at: Moment | None = None


identities = View(
    "identities",
    version=1,
    row=Identity,
    kind="identity",
    doc="Identities that were granted something or linked: what they are, and which others are the same.",
)


@identities.on(IdentityLinked, key=lambda event: event.identities)
def linked(row: Identity, event: IdentityLinked, entry: EntryInfo) -> Identity:
    known = {link.identity for link in row.links} | {row.identity}
    new = tuple(Link(other, entry.position) for other in event.identities if other not in known)
    return replace(row, links=row.links + new, first_seen_at=row.first_seen_at or entry.recorded_at)


@identities.on(AccessGranted, key=lambda event: event.principal)
def granted(row: Identity, event: AccessGranted, entry: EntryInfo) -> Identity:
    return replace(row, kind=event.principal_kind, first_seen_at=row.first_seen_at or entry.recorded_at)


def logins_of(reads: Reads, identity: str) -> set[str]:
    """Return all logins of one person or service, by links up to the entry that is being folded."""
    seen, waiting = {identity}, [identity]
    while waiting:
        row = reads.row(identities, waiting.pop())
        new = [link.identity for link in row.links if link.identity not in seen] if row else []
        seen.update(new)
        waiting += new
    return seen


def person_of(reads: Reads, identity: str) -> str:
    """Return the name under which all logins of one person or service are compared: the one that sorts first."""
    return min(logins_of(reads, identity))


def are_same(reads: Reads, one: str, other: str) -> bool:
    """Say whether two identities are one person or service."""
    return other in logins_of(reads, one)


def kind_of(reads: Reads, identity: str) -> Literal["human", "service"] | None:
    """Return what somebody is, by a grant to any of their logins, or by the name of one. A service is never a human."""
    logins = logins_of(reads, identity)
    kinds = {row.kind for login in logins if (row := reads.row(identities, login)) is not None}
    if "service" in kinds or any(login.startswith("service:") for login in logins):
        return "service"
    return "human" if "human" in kinds or any(login.startswith("person:") for login in logins) else None

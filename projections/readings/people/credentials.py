"""Credentials: tokens that were issued and rules by which an issuer's tokens are accepted, each with its principal, kind and roles.

Not the doors' own book (`ledger.authority`), which admits by them: this is what verdicts about the past read.
"""

from dataclasses import dataclass
from typing import Any, Literal

from ledger.events.ledger import LedgerCredentialIssued, LedgerCredentialRevoked, LedgerTrustRuleEnrolled
from projections.engine.view import EntryInfo, View, replace


@dataclass(frozen=True)
class Credential:
    """One credential. A rule whose principal is a claim has `kind:*` for it. `distrusted_from` is where it is not believed from."""

    credential: str
    principal: str | None = None
    kind: Literal["human", "service"] | None = None
    roles: tuple[str, ...] = ()
    position: int = 0
    revoked_position: int | None = None
    distrusted_from: int | None = None


credentials = View(
    "credentials",
    version=2,
    row=Credential,
    kind="credential",
    indexes=("principal",),
    is_carried=False,
    doc="Credentials: whose each is, whether a human's or a service's, with which roles, and whether it was revoked.",
)


def principal_of(event: LedgerCredentialIssued | LedgerTrustRuleEnrolled) -> str:
    """Return whose a credential is; of a rule that takes the name from a claim, `kind:*`."""
    if isinstance(event, LedgerTrustRuleEnrolled) and event.principal_from is not None:
        return f"{event.principal_from.kind}:*"
    return event.principal or ""


@credentials.on(LedgerCredentialIssued, LedgerTrustRuleEnrolled, key=lambda event: event.credential)
def issued(row: Credential, event: Any, entry: EntryInfo) -> Credential:
    return replace(row, principal=principal_of(event), kind=event.kind, roles=event.roles, position=entry.position)


@credentials.on(LedgerCredentialRevoked, key=lambda event: event.credential)
def revoked(row: Credential, event: LedgerCredentialRevoked, entry: EntryInfo) -> Credential:
    return replace(row, revoked_position=row.revoked_position or entry.position, distrusted_from=event.from_position)

"""Tokens, trust rules and sources: who may submit, and under which names. Each is an entry; there is no table of them beside the log.

Not who may do this (`api`), nor what a credential allows (`ledger.authority`).
"""

import base64
from collections.abc import Mapping
from typing import Any, Final

from ledger.authority import ENVELOPE, token_sha256
from ledger.entry import Receipt
from ledger.errors import EnrolledError, NotFoundError, StatementError
from ledger.events import CATALOGUE
from ledger.ledger import Ledger
from ledger.trust_rules import TrustRule
from signing.outside_keys import outside_key

TOKEN_PREFIX: Final = "clt_"


def issue_token(
    ledger: Ledger,
    *,
    actor: str,
    principal: str,
    kind: str,
    roles: list[str],
    areas: list[str] | None = None,
    types: list[str] | None = None,
    sources: list[str] | None = None,
    expires_at: str | None = None,
    by: str | None = None,
) -> tuple[str, str, Receipt]:
    """Issue a bearer token of 256 random bits. Returns (credential id, token, receipt): the token is shown once and never kept.

    It may report `areas`, and single event `types` beside them; with types alone nothing else, with neither everything.
    """
    token = TOKEN_PREFIX + ledger.random(32).hex()
    credential = f"token:{ledger.random(6).hex()}"
    data = {
        "credential": credential,
        "principal": principal,
        "kind": kind,
        "roles": sorted(roles),
        "token_sha256": token_sha256(token),
        **_scope(areas, types, sources),
    } | ({"expires_at": expires_at} if expires_at else {})
    return credential, token, ledger.act("ledger.credential_issued", data, actor=actor, by=by)


def enrol_trust_rule(
    ledger: Ledger,
    *,
    actor: str,
    issuer: str,
    audience: str,
    required: list[dict[str, Any]],
    kind: str,
    roles: list[str],
    recorded: list[str] | None = None,
    principal: str | None = None,
    principal_from: Mapping[str, str] | None = None,
    areas: list[str] | None = None,
    types: list[str] | None = None,
    sources: list[str] | None = None,
    expires_at: str | None = None,
    by: str | None = None,
) -> tuple[str, Receipt]:
    """Accept an issuer's tokens that make all `required` claims ({claim, one_of}). Returns (credential id, receipt).

    `revoke_token` ends it. What it may report is said as for a token. Raises StatementError for a rule that no token could satisfy.
    """
    credential = f"oidc:{ledger.random(6).hex()}"
    asked = sorted(required, key=lambda claim: str(claim["claim"]))
    optional = {"principal": principal, "principal_from": principal_from, "expires_at": expires_at}
    data: dict[str, Any] = {
        "credential": credential,
        "issuer": issuer,
        "audience": audience,
        "required": asked,
        "recorded": sorted(recorded or []),
        "kind": kind,
        "roles": sorted(roles),
        **_scope(areas, types, sources),
    } | {name: value for name, value in optional.items() if value is not None}
    if (fault := TrustRule.of(data).enrolment_fault()) is not None:
        raise StatementError(fault)
    return credential, ledger.act("ledger.trust_rule_enrolled", data, actor=actor, by=by)


def revoke_token(
    ledger: Ledger,
    credential: str,
    *,
    actor: str,
    reason: str,
    from_position: int | None = None,
    by: str | None = None,
) -> Receipt:
    """Revoke a token or a trust rule from the next position on. `from_position` says since when it is not believed any more.

    Raises NotFoundError for a credential that was never issued.
    """
    if credential not in ledger.current_authority().credentials:
        raise NotFoundError(f"no credential {credential} was issued; change-ledger token list shows them")
    data = {"credential": credential, "reason": reason} | ({"from_position": from_position} if from_position else {})
    return ledger.act("ledger.credential_revoked", data, actor=actor, by=by)


def enrol_source(
    ledger: Ledger,
    source: str,
    *,
    door: str,
    principal: str,
    actor: str,
    must_sign: bool = False,
    authority_for: list[str] | None = None,
    types: list[str] | None = None,
    envelope_keys: list[str] | None = None,
    keeps_envelopes: bool = False,
    by_secret: bool = False,
    by: str | None = None,
) -> Receipt:
    """Make a source known. Raises EnrolledError when it is enrolled at this door already, KeyFormatError for a key that signs nothing here.

    At a door that authenticates by a shared secret (`by_secret`) no token is shown: the enrolment is the credential. Where
    event `types` are named, the door records no others for it. A source with `envelope_keys` (base64 of SubjectPublicKeyInfo in DER)
    signs envelopes: what it signed is recorded in its name, whoever brings it.
    """
    if (enrolled := ledger.current_authority().enrolled(door, source)) is not None:
        raise EnrolledError(
            f"{source} is enrolled at the door {door} since position {enrolled.enrolled_at}; retire it first",
            position=enrolled.enrolled_at,
        )
    keys = sorted({base64.b64encode(outside_key(text).spki).decode() for text in envelope_keys or ()})
    vouched = "hmac:" if by_secret else ENVELOPE if keys else ""
    data = {
        "source": source,
        "door": door,
        "principal": principal,
        "must_sign": must_sign,
        "authority_for": sorted(authority_for or []),
        **_named_types(types),
        **({"envelope_keys": keys, "keeps_envelopes": keeps_envelopes} if keys else {}),
        **({"credential": f"{vouched}{ledger.random(6).hex()}"} if vouched else {}),
    }
    return ledger.act("ledger.source_enrolled", data, actor=actor, by=by)


def retire_source(ledger: Ledger, source: str, *, door: str, actor: str, by: str | None = None) -> Receipt:
    """Refuse a source's statements at a door from the next position on. Raises NotFoundError unless it is enrolled there."""
    if ledger.current_authority().enrolled(door, source) is None:
        raise NotFoundError(f"no source {source} is enrolled at the door {door}")
    return ledger.act("ledger.source_retired", {"source": source, "door": door}, actor=actor, by=by)


def _scope(areas: list[str] | None, types: list[str] | None, sources: list[str] | None) -> dict[str, list[str]]:
    """Return what a credential may report, and for which sources: types alone where types alone are named, everything where nothing is."""
    return {
        "areas": sorted(areas or ([] if types else ["*"])),
        "sources": sorted(sources or ["*"]),
        **_named_types(types),
    }


def _named_types(types: list[str] | None) -> dict[str, list[str]]:
    """Return the part of an enrolment that names event types. Raises StatementError for one that there is not."""
    for name in types or ():
        if name not in CATALOGUE:
            raise StatementError(CATALOGUE.no_such(name), "/types")
    return {"types": sorted(types)} if types else {}

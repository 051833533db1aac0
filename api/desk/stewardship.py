"""What operators do to a ledger, whoever asks: what they may want, what became of it, and what is told of what there is.

Tokens, trust rules, sources, keys, imports, tools, removals: every change is an entry. Not who may ask, which is the door's,
nor what makes the entry (`ledger.stewardship`). Long, because the shapes of all that may be wanted stand beside each other.
"""

from collections.abc import Iterable
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, StrictBool

from api.intake import DOORS, FILES, SIGNED, check_door
from ledger.authority import Authority, Caller, Credential, EnrolledSource
from ledger.enrolment import ROLES
from ledger.errors import StatementError
from ledger.events.identifiers import (
    Area,
    ClaimName,
    CredentialId,
    EventType,
    Identity,
    IdentityPattern,
    ImportId,
    Issuer,
    Label,
    Origin,
    PublicKeyBase64,
    PublicKeyHex,
    Sha256Hex,
    SignatureBase64,
    Source,
    SourcePattern,
    Time,
    Version,
)
from ledger.events.ledger import ClaimedPrincipal, CredentialRole, KeyRole, RequiredClaim
from ledger.ledger import Ledger
from ledger.log.database import Database
from ledger.stewardship import credentials, declarations, keys, removal
from ledger.trust_rules import TrustRule
from signing.keyring import KeyRecord
from signing.outside_keys import outside_key


class By(NamedTuple):
    """In whose name something is done, and the credential by which it was asked for, where one was shown."""

    actor: str
    by: str | None = None

    @classmethod
    def of(cls, caller: Caller) -> "By":
        return cls(caller.principal, caller.credential)


class _Allowed(BaseModel):
    """What a credential allows, and until when."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["human", "service"] = "service"
    roles: list[CredentialRole] = Field(min_length=1, max_length=4)
    areas: list[Area] | None = Field(None, min_length=1, max_length=32)
    types: list[EventType] = Field([], max_length=32)
    sources: list[SourcePattern] = Field(["*"], min_length=1, max_length=32)
    expires_at: Time | None = None


class TokenRequest(_Allowed):
    """A token to be issued."""

    principal: Identity


class TrustRuleRequest(_Allowed):
    """An issuer whose tokens (OpenID Connect) are to be accepted: which claims they must make, and whose facts theirs are."""

    issuer: Issuer
    audience: Source
    required: list[RequiredClaim] = Field(min_length=1, max_length=8)
    recorded: list[ClaimName] = Field([], max_length=8)
    principal: Identity | None = None
    principal_from: ClaimedPrincipal | None = None


class SourceRequest(BaseModel):
    """A source to be enrolled."""

    model_config = ConfigDict(extra="forbid")

    source: SourcePattern
    door: Label = Field(json_schema_extra={"enum": list(DOORS)})
    principal: Identity
    must_sign: StrictBool = False
    authority_for: list[IdentityPattern] = Field([], max_length=16)
    types: list[EventType] = Field([], max_length=32)
    envelope_keys: list[PublicKeyBase64] = Field([], max_length=8)
    keeps_envelopes: StrictBool = False


class KeyRequest(BaseModel):
    """A public key to be enrolled, and its own signature over origin and role: a witness, which cosigns, has none."""

    model_config = ConfigDict(extra="forbid")

    role: KeyRole
    name: Origin
    public_key: PublicKeyHex
    sources: list[SourcePattern] = Field([], max_length=16)
    possession: SignatureBase64 | None = None


class ImportRequest(BaseModel):
    """An import of history to be opened: whose facts, of which sources, and up to which time."""

    model_config = ConfigDict(extra="forbid")

    import_id: ImportId
    credential: CredentialId
    sources: list[SourcePattern] = Field(min_length=1, max_length=16)
    until: Time
    reason: Label


class ToolRequest(BaseModel):
    """A program to be published, by the SHA-256 of its bytes."""

    model_config = ConfigDict(extra="forbid")

    tool: Label
    version: Version
    sha256: Sha256Hex


def issue_token(ledger: Ledger, by: By, wanted: TokenRequest) -> dict[str, Any]:
    """Issue a token, which is in this answer and never told again."""
    credential, token, receipt = credentials.issue_token(ledger, **by._asdict(), **wanted.model_dump())
    return {"credential": credential, "token": token, "receipt": receipt.to_json()}


def revoke_token(ledger: Ledger, by: By, credential: str, reason: str, from_position: int | None) -> dict[str, Any]:
    """Revoke a token or a trust rule; `from_position` says since when it is not believed any more."""
    return credentials.revoke_token(
        ledger, credential, **by._asdict(), reason=reason, from_position=from_position
    ).to_json()


def tokens(authority: Authority) -> list[dict[str, Any]]:
    """Return every token ever issued, without the token, and every trust rule as the credential that it is."""
    return [credential_json(credential) for credential in list(authority.credentials.values())]


def enrol_trust_rule(ledger: Ledger, by: By, wanted: TrustRuleRequest) -> dict[str, Any]:
    """Enrol a trust rule."""
    credential, receipt = credentials.enrol_trust_rule(ledger, **by._asdict(), **wanted.model_dump())
    return {"credential": credential, "receipt": receipt.to_json()}


def trust_rules(authority: Authority) -> list[dict[str, Any]]:
    """Return every trust rule that was enrolled, also those that were revoked."""
    return [
        credential_json(credential) | rule_json(credential.rule)
        for credential in list(authority.credentials.values())
        if credential.rule is not None
    ]


def enrol_source(ledger: Ledger, by: By, wanted: SourceRequest) -> dict[str, Any]:
    """Enrol a source at a door that there is."""
    check_door(wanted.door)
    said = wanted.model_dump()
    if wanted.envelope_keys:
        envelopes = FILES[wanted.door].envelopes if wanted.door in FILES else None
        if envelopes is None:
            signed = ", ".join(sorted(known.name for known in FILES.values() if known.envelopes is not None))
            raise StatementError(
                f"expected a door of files in signed envelopes ({signed}), found {wanted.door}", "/envelope_keys"
            )
        # The enrolment is the power to say it, and so names it.
        said["types"] = said["types"] or list(envelopes.become)
    elif wanted.keeps_envelopes:
        raise StatementError(
            "expected envelope_keys beside it: envelopes are kept of whoever signs them", "/keeps_envelopes"
        )
    return credentials.enrol_source(
        ledger, said.pop("source"), **by._asdict(), by_secret=wanted.door in SIGNED, **said
    ).to_json()


def retire_source(ledger: Ledger, by: By, source: str, door: str) -> dict[str, Any]:
    """Refuse a source's statements at a door from the next position on."""
    return credentials.retire_source(ledger, source, door=door, **by._asdict()).to_json()


def sources(authority: Authority) -> list[dict[str, Any]]:
    """Return every source that was made known, also those that were retired."""
    return [source_json(source) for source in authority.sources]


def enrol_key(ledger: Ledger, by: By, wanted: KeyRequest) -> dict[str, Any]:
    """Enrol a public key."""
    said = wanted.model_dump()
    return keys.enrol_key(ledger, bytes.fromhex(said.pop("public_key")), **by._asdict(), **said).to_json()


def end_key(ledger: Ledger, by: By, role: str, key_id: str, reason: str, from_position: int | None) -> dict[str, Any]:
    """Retire a key; with `from_position` revoke it, and believe it no more since then."""
    if from_position is None:
        return keys.retire_key(ledger, key_id, role=role, **by._asdict()).to_json()
    return keys.revoke_key(
        ledger, key_id, role=role, from_position=from_position, reason=reason, **by._asdict()
    ).to_json()


def keys_of(authority: Authority, roles: Iterable[KeyRole] = ROLES) -> list[dict[str, Any]]:
    """Return every key that was ever enrolled, by role and number, with the positions for which it is valid."""
    return [key_json(number, key) for role in roles for number, key in enumerate(authority.keyring.numbered(role))]


def open_import(ledger: Ledger, by: By, wanted: ImportRequest) -> dict[str, Any]:
    """Open an import of history."""
    return declarations.open_import(ledger, **by._asdict(), **wanted.model_dump()).to_json()


def close_import(ledger: Ledger, by: By, import_id: str) -> dict[str, Any]:
    """Close an import of history."""
    return declarations.close_import(ledger, import_id, **by._asdict()).to_json()


def imports(database: Database) -> list[dict[str, Any]]:
    """Return every import there was, open or closed."""
    return [known._asdict() for known in declarations.imports(database)]


def publish_tool(ledger: Ledger, by: By, wanted: ToolRequest) -> dict[str, Any]:
    """Publish a program."""
    return declarations.publish_tool(ledger, **by._asdict(), **wanted.model_dump()).to_json()


def tools(database: Database) -> list[dict[str, Any]]:
    """Return every program that was published."""
    return [known._asdict() for known in declarations.tools(database)]


def erase_texts(ledger: Ledger, by: By, position: int, reason: str) -> dict[str, Any]:
    """Erase the texts of an entry."""
    return removal.erase_texts(ledger, position, **by._asdict(), reason=reason).to_json()


def remove_evidence(ledger: Ledger, by: By, position: int, sha256: str, reason: str) -> dict[str, Any]:
    """Remove a piece of evidence of an entry; its digest, in hex, stays."""
    return removal.remove_evidence(ledger, position, bytes.fromhex(sha256), **by._asdict(), reason=reason).to_json()


def credential_json(credential: Credential) -> dict[str, Any]:
    """Return what is told of a token: everything but the token."""
    return {
        "credential": credential.id,
        "principal": credential.principal,
        "kind": credential.kind,
        "roles": sorted(credential.roles),
        "areas": sorted(credential.areas),
        "types": sorted(credential.types),
        "sources": list(credential.sources),
        "issued_at": credential.issued_at,
        "revoked_at": credential.revoked_at,
        "issuer": credential.rule.issuer if credential.rule is not None else None,
    }


def rule_json(rule: TrustRule) -> dict[str, Any]:
    """Return what is told of a trust rule beyond the credential that it is."""
    return {
        "audience": rule.audience,
        "required": [{"claim": claim, "one_of": list(accepted)} for claim, accepted in rule.required],
        "recorded": list(rule.recorded),
        "principal_from": dict(zip(("kind", "claim"), rule.principal_from, strict=True))
        if rule.principal_from
        else None,
    }


def source_json(source: EnrolledSource) -> dict[str, Any]:
    """Return what is told of an enrolled source."""
    return {
        "source": source.source,
        "door": source.door,
        "principal": source.principal,
        "credential": source.credential,
        "must_sign": source.must_sign,
        "authority_for": list(source.authority_for),
        "types": sorted(source.types),
        "envelope_keys": [{"key_id": key.key_id, "kind": key.kind} for key in map(outside_key, source.envelope_keys)],
        "keeps_envelopes": source.keeps_envelopes,
        "enrolled_at": source.enrolled_at,
        "retired_at": source.retired_at,
    }


def key_json(number: int, record: KeyRecord) -> dict[str, Any]:
    """Return what is told of a public key; `number` counts the keys of its role from 0."""
    return {
        "role": record.role,
        "number": number,
        "key_id": record.key_id,
        "name": record.name,
        "public_key": record.public_key.hex(),
        "sources": list(record.sources),
        "proved": record.proved,
        "valid_from": record.valid_from,
        "valid_until": record.valid_until,
        "revoked_from": record.revoked_from,
        "revoked_at": record.revoked_at,
    }

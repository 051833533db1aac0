"""`/v1/ledger/credentials`, `/sources`, `/keys`: who may do what. Every change is an entry, made by an operator."""

import asyncio
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field, StrictBool

from api.http.auth import CurrentLedger, KnownCaller
from api.http.body import body_of, read_model
from api.http.questions import Route
from api.http.routes.entries import Reason
from api.http.routes.events import MAX_POSITION, PROBLEMS
from api.intake import DOORS, SIGNED, check_door
from ledger.authority import Credential, EnrolledSource
from ledger.enrolment import ROLES
from ledger.events.identifiers import (
    Area,
    EventType,
    Identity,
    Label,
    Origin,
    PublicKeyHex,
    Sha256Hex,
    SignatureBase64,
    SourcePattern,
    Time,
)
from ledger.events.ledger import CredentialRole, KeyRole
from ledger.stewardship import keys as key_changes
from ledger.stewardship.credentials import enrol_source, issue_token, retire_source, revoke_token
from signing.keyring import KeyRecord

router = APIRouter(tags=["ledger"], route_class=Route)


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


@router.get("/v1/ledger/credentials", summary="List tokens", responses=PROBLEMS)
def credentials(caller: KnownCaller, ledger: CurrentLedger) -> list[dict[str, Any]]:
    """Every token ever issued, without the token."""
    return [credential_json(credential) for credential in list(ledger.authority.credentials.values())]


class TokenRequest(BaseModel):
    """A token to be issued."""

    model_config = ConfigDict(extra="forbid")

    principal: Identity
    kind: Literal["human", "service"] = "service"
    roles: list[CredentialRole] = Field(min_length=1, max_length=4)
    areas: list[Area] | None = Field(None, min_length=1, max_length=32)
    types: list[EventType] = Field([], max_length=32)
    sources: list[SourcePattern] = Field(["*"], min_length=1, max_length=32)
    expires_at: Time | None = None


@router.post(
    "/v1/ledger/credentials",
    status_code=201,
    summary="Issue a token",
    responses=PROBLEMS,
    openapi_extra=body_of(TokenRequest),
)
async def issue(request: Request, caller: KnownCaller, ledger: CurrentLedger) -> dict[str, Any]:
    """256 random bits, shown in this answer and never again.

    It may report facts of `areas`, and of single event `types` beside them; with types alone of nothing else, with neither of everything.
    """
    wanted = await read_model(request, TokenRequest)
    credential, token, receipt = await asyncio.to_thread(
        issue_token,
        ledger,
        actor=caller.principal,
        by=caller.credential,
        principal=wanted.principal,
        kind=wanted.kind,
        roles=list(wanted.roles),
        areas=wanted.areas,
        types=wanted.types,
        sources=wanted.sources,
        expires_at=wanted.expires_at,
    )
    return {"credential": credential, "token": token, "receipt": receipt.to_json()}


@router.delete("/v1/ledger/credentials/{credential}", summary="Revoke a token", responses=PROBLEMS)
def revoke(
    credential: Annotated[str, Path(max_length=80, examples=["token:9f2c41d07b3e"])],
    caller: KnownCaller,
    ledger: CurrentLedger,
    reason: Reason = "revoked",
    from_position: Annotated[int | None, Query(ge=1, le=MAX_POSITION)] = None,
) -> dict[str, Any]:
    """From the next position on it is refused everywhere. `from_position` says since when it is not believed any more."""
    return revoke_token(
        ledger, credential, actor=caller.principal, by=caller.credential, reason=reason, from_position=from_position
    ).to_json()


def _source(source: EnrolledSource) -> dict[str, Any]:
    return {
        "source": source.source,
        "door": source.door,
        "principal": source.principal,
        "credential": source.credential,
        "must_sign": source.must_sign,
        "authority_for": list(source.authority_for),
        "types": sorted(source.types),
        "enrolled_at": source.enrolled_at,
        "retired_at": source.retired_at,
    }


@router.get("/v1/ledger/sources", summary="List enrolled sources", responses=PROBLEMS)
def sources(caller: KnownCaller, ledger: CurrentLedger) -> list[dict[str, Any]]:
    """Sources that were made known: their door, whether they must sign, for which identities they may speak."""
    return [_source(source) for source in ledger.authority.sources]


class SourceRequest(BaseModel):
    """A source to be enrolled."""

    model_config = ConfigDict(extra="forbid")

    source: SourcePattern
    door: Label = Field(json_schema_extra={"enum": list(DOORS)})
    principal: Identity
    must_sign: StrictBool = False
    authority_for: list[SourcePattern] = Field([], max_length=16)
    types: list[EventType] = Field([], max_length=32)


@router.post(
    "/v1/ledger/sources",
    status_code=201,
    summary="Enrol a source",
    responses=PROBLEMS,
    openapi_extra=body_of(SourceRequest),
)
async def enrol(request: Request, caller: KnownCaller, ledger: CurrentLedger) -> dict[str, Any]:
    """Makes a source known at a door that authenticates by itself, or one that must sign.

    Its door records facts of the event `types` for it, and of all where none is named.
    """
    wanted = await read_model(request, SourceRequest)
    check_door(wanted.door)
    receipt = await asyncio.to_thread(
        enrol_source,
        ledger,
        wanted.source,
        door=wanted.door,
        principal=wanted.principal,
        actor=caller.principal,
        by=caller.credential,
        must_sign=wanted.must_sign,
        authority_for=wanted.authority_for,
        types=wanted.types,
        by_secret=wanted.door in SIGNED,
    )
    return receipt.to_json()


@router.delete("/v1/ledger/sources", summary="Retire a source", responses=PROBLEMS)
def retire(
    source: Annotated[str, Query(max_length=256, examples=["https://ci.example.com/*"])],
    door: Annotated[Label, Query(description="Also one that is no longer there.")],
    caller: KnownCaller,
    ledger: CurrentLedger,
) -> dict[str, Any]:
    """From the next position on its statements are refused at this door."""
    return retire_source(ledger, source, door=door, actor=caller.principal, by=caller.credential).to_json()


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


@router.get("/v1/ledger/keys", summary="List keys", responses=PROBLEMS)
def keys(ledger: CurrentLedger) -> list[dict[str, Any]]:
    """Public: every key that was ever enrolled, by role and number, with the positions for which it is valid."""
    keyring = ledger.current_authority().keyring
    return [key_json(number, record) for role in ROLES for number, record in enumerate(keyring.numbered(role))]


class KeyRequest(BaseModel):
    """A public key to be enrolled, and its own signature over origin and role: a witness, which cosigns, has none."""

    model_config = ConfigDict(extra="forbid")

    role: KeyRole
    name: Origin
    public_key: PublicKeyHex
    sources: list[SourcePattern] = Field([], max_length=16)
    possession: SignatureBase64 | None = None


@router.post(
    "/v1/ledger/keys", status_code=201, summary="Enrol a key", responses=PROBLEMS, openapi_extra=body_of(KeyRequest)
)
async def enrol_key(request: Request, caller: KnownCaller, ledger: CurrentLedger) -> dict[str, Any]:
    """Valid from the next position on, beside the keys of its role that are valid already.

    `possession` shows that the caller holds the key: base64 of the key's Ed25519 signature over the DSSE encoding of
    `{"ledger":"<origin>","role":"<role>"}` under the payload type `application/vnd.change-ledger.key-possession.v1+json`;
    `change-ledger keys prove` makes it. Keys that are published, in RFCs or in our examples, are refused.
    """
    wanted = await read_model(request, KeyRequest)
    receipt = await asyncio.to_thread(
        key_changes.enrol_key,
        ledger,
        bytes.fromhex(wanted.public_key),
        role=wanted.role,
        name=wanted.name,
        sources=wanted.sources,
        possession=wanted.possession,
        actor=caller.principal,
        by=caller.credential,
    )
    return receipt.to_json()


@router.delete("/v1/ledger/keys/{role}/{key_id}", summary="Retire or revoke a key", responses=PROBLEMS)
def end_key(
    role: KeyRole,
    key_id: Annotated[Sha256Hex, Path()],
    caller: KnownCaller,
    ledger: CurrentLedger,
    reason: Reason = "retired",
    from_position: Annotated[
        int | None,
        Query(ge=1, le=MAX_POSITION, description="Revoke it: since when it is not believed. Without: retire it."),
    ] = None,
) -> dict[str, Any]:
    """What it signed before keeps verifying. With `from_position` it is revoked, and what it signed from there on is listed as affected."""
    if from_position is None:
        return key_changes.retire_key(ledger, key_id, role=role, actor=caller.principal, by=caller.credential).to_json()
    return key_changes.revoke_key(
        ledger,
        key_id,
        role=role,
        from_position=from_position,
        reason=reason,
        actor=caller.principal,
        by=caller.credential,
    ).to_json()

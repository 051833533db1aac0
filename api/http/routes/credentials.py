"""`/v1/ledger/credentials`, `/trust-rules`, `/sources`, `/keys`: who may do what. Every change is an entry, made by an operator."""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request

from api.desk import stewardship
from api.desk.stewardship import By, KeyRequest, SourceRequest, TokenRequest, TrustRuleRequest
from api.http.auth import KnownCaller
from api.http.body import body_of, read_model
from api.http.questions import Route
from api.http.shapes import MAX_POSITION, PROBLEMS, Reason
from api.http.state import CurrentLedger
from ledger.events.identifiers import Label, Sha256Hex
from ledger.events.ledger import KeyRole

router = APIRouter(tags=["ledger"], route_class=Route)


@router.get("/v1/ledger/credentials", summary="List tokens", responses=PROBLEMS)
def credentials(caller: KnownCaller, ledger: CurrentLedger) -> list[dict[str, Any]]:
    """Every token ever issued, without the token; and every trust rule, which has an `issuer`."""
    return stewardship.tokens(ledger.authority)


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
    return await asyncio.to_thread(stewardship.issue_token, ledger, By.of(caller), wanted)


@router.delete("/v1/ledger/credentials/{credential}", summary="Revoke a token or a trust rule", responses=PROBLEMS)
def revoke(
    credential: Annotated[str, Path(max_length=80, examples=["token:9f2c41d07b3e"])],
    caller: KnownCaller,
    ledger: CurrentLedger,
    reason: Reason = "revoked",
    from_position: Annotated[int | None, Query(ge=1, le=MAX_POSITION)] = None,
) -> dict[str, Any]:
    """From the next position on it is refused everywhere. `from_position` says since when it is not believed any more."""
    return stewardship.revoke_token(ledger, By.of(caller), credential, reason, from_position)


@router.get("/v1/ledger/trust-rules", summary="List trust rules", responses=PROBLEMS)
def trust_rules(caller: KnownCaller, ledger: CurrentLedger) -> list[dict[str, Any]]:
    """Every rule by which tokens of an issuer were accepted: what is asked of their claims, and what they allow."""
    return stewardship.trust_rules(ledger.authority)


@router.post(
    "/v1/ledger/trust-rules",
    status_code=201,
    summary="Enrol a trust rule",
    responses=PROBLEMS,
    openapi_extra=body_of(TrustRuleRequest),
)
async def enrol_trust_rule(request: Request, caller: KnownCaller, ledger: CurrentLedger) -> dict[str, Any]:
    """Tokens of `issuer` for `audience` that make all `required` claims are a credential. Revoking it ends the rule.

    Give `principal`, or `principal_from`: the claim that is its name. What was required and what is `recorded` stands in
    the entries.
    """
    wanted = await read_model(request, TrustRuleRequest)
    return await asyncio.to_thread(stewardship.enrol_trust_rule, ledger, By.of(caller), wanted)


@router.get("/v1/ledger/sources", summary="List enrolled sources", responses=PROBLEMS)
def sources(caller: KnownCaller, ledger: CurrentLedger) -> list[dict[str, Any]]:
    """Sources that were made known: their door, whether they must sign, for which identities they may speak."""
    return stewardship.sources(ledger.authority)


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
    return await asyncio.to_thread(stewardship.enrol_source, ledger, By.of(caller), wanted)


@router.delete("/v1/ledger/sources", summary="Retire a source", responses=PROBLEMS)
def retire(
    source: Annotated[str, Query(max_length=256, examples=["https://ci.example.com/*"])],
    door: Annotated[Label, Query(description="Also one that is no longer there.")],
    caller: KnownCaller,
    ledger: CurrentLedger,
) -> dict[str, Any]:
    """From the next position on its statements are refused at this door."""
    return stewardship.retire_source(ledger, By.of(caller), source, door)


@router.get("/v1/ledger/keys", summary="List keys", responses=PROBLEMS)
def keys(ledger: CurrentLedger) -> list[dict[str, Any]]:
    """Public: every key that was ever enrolled, by role and number, with the positions for which it is valid."""
    return stewardship.keys_of(ledger.current_authority())


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
    return await asyncio.to_thread(stewardship.enrol_key, ledger, By.of(caller), wanted)


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
    return stewardship.end_key(ledger, By.of(caller), role, key_id, reason, from_position)

"""`/v1/ledger`: what the ledger says of itself, its verification, and who may do what."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from api.auth import CurrentLedger, KnownCaller, caller_of, ledger_of
from api.body import body_of, read_model
from api.problems import RequestError
from api.routes.entries import Reason
from api.routes.events import MAX_POSITION, PROBLEMS
from ledger.credentials import Credential, EnrolledSource
from ledger.entry import FORMAT_VERSION
from ledger.events.identifiers import Area, Identity, Sha256Hex, SourcePattern, Time
from ledger.events.ledger import CredentialRole
from ledger.reading import read_entry, read_size
from signing.keys import key_id
from signing.merkle import leaf_hash
from signing.notes import format_verifier_key

router = APIRouter(tags=["ledger"])


@router.get("/v1/ledger", summary="Origin, head, keys, versions", responses=PROBLEMS)
def about(ledger: CurrentLedger) -> dict[str, Any]:
    """Public: what is needed to pin this ledger, and how long it is."""
    authority = ledger.current_authority()
    with ledger.database.read() as connection:
        size = read_size(connection)
        genesis, last = read_entry(connection, 1), read_entry(connection, size)
    keyring = authority.keyring
    return {
        "origin": ledger.origin,
        "format_version": FORMAT_VERSION,
        "genesis_hash": leaf_hash(genesis.entry).hex(),
        "size": size,
        "last_entry_hash": last.leaf_hash.hex(),
        "last_recorded_at": last.document["recorded_at"],
        "verifier_keys": [
            format_verifier_key(ledger.origin, k.public_key) for k in keyring.valid_at("checkpoint", size + 1)
        ],
        "entry_keys": [
            {
                "number": number,
                "key_id": key_id(record.public_key),
                "public_key": record.public_key.hex(),
                "valid_from": record.valid_from,
                "valid_until": record.valid_until,
                "revoked_from": record.revoked_from,
            }
            for number, record in enumerate(keyring.numbered("entry"))
        ],
    }


class VerifyRequest(BaseModel):
    """What to verify: all, or a range of positions; against which genesis."""

    model_config = ConfigDict(extra="forbid")

    first: int = Field(1, ge=1, le=MAX_POSITION)
    last: int | None = Field(None, ge=1, le=MAX_POSITION)
    genesis: Sha256Hex | None = None
    signatures: bool = True


@router.post(
    "/v1/ledger/verify",
    summary="Verify the ledger",
    responses=PROBLEMS
    | {
        200: {
            "description": "Lines of JSON: progress as it goes, then the report with every fault.",
            "content": {"application/x-ndjson": {"schema": {"type": "string"}}},
        },
        409: {"description": "A verification is running already."},
    },
    openapi_extra=body_of(VerifyRequest, required=False),
)
async def verify(request: Request) -> StreamingResponse:
    """Runs in its own process, one at a time. The last line is the report.

    It is this server's own word: an auditor runs `change-ledger verify`.
    """
    ledger = ledger_of(request)
    await asyncio.to_thread(ledger.current_authority)
    caller_of(request)
    wanted = await read_model(request, VerifyRequest)
    size = await asyncio.to_thread(ledger.size)
    if not wanted.first <= (wanted.last or size) <= size:
        raise RequestError(
            422, "Not admissible", f"expected positions up to {size}, found {wanted.first} to {wanted.last}", "/last"
        )
    lock: asyncio.Lock = request.app.state.verifying
    if lock.locked():
        raise RequestError(409, "Busy", "a verification is running already; ask again when it has ended")
    command = [sys.executable, "-m", "api.cli", "verify", "--progress-json", f"--first={wanted.first}"]
    command += [f"--last={wanted.last}"] if wanted.last else []
    command += [f"--genesis={wanted.genesis}"] if wanted.genesis else []
    command += [] if wanted.signatures else ["--no-signatures"]
    # The address of the database may hold a password: by the environment, not where `ps` shows it.
    inherited = {k: v for k, v in request.app.state.environment.items() if k != "CHANGE_LEDGER_SERVER"}
    environment = inherited | {"CHANGE_LEDGER_DATABASE_URL": ledger.database.url.render_as_string(hide_password=False)}
    return StreamingResponse(_lines(command, environment, lock), media_type="application/x-ndjson")


async def _lines(command: list[str], environment: dict[str, str], lock: asyncio.Lock) -> AsyncIterator[bytes]:
    process = None
    # Taken only when the answer starts: a caller that is gone before then must not leave it locked.
    await lock.acquire()
    try:
        process = await asyncio.create_subprocess_exec(
            *command, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, limit=1 << 26
        )
        if process.stdout is not None:
            async for line in process.stdout:
                yield line
        status = await process.wait()
        if status == 2 and process.stderr is not None:
            detail = (await process.stderr.read())[-500:].decode(errors="replace").strip()
            yield json.dumps({"verdict": "not checked", "detail": detail}).encode() + b"\n"
    finally:
        if process is not None and process.returncode is None:
            process.kill()
        lock.release()


def credential_json(credential: Credential) -> dict[str, Any]:
    return {
        "credential": credential.id,
        "principal": credential.principal,
        "kind": credential.kind,
        "roles": sorted(credential.roles),
        "areas": sorted(credential.areas),
        "sources": list(credential.sources),
        "issued_at": credential.issued_at,
        "revoked_at": credential.revoked_at,
    }


@router.get("/v1/ledger/credentials", summary="List tokens", responses=PROBLEMS)
def credentials(caller: KnownCaller, ledger: CurrentLedger) -> list[dict[str, Any]]:
    """Every token ever issued, without the token."""
    return [credential_json(credential) for credential in list(ledger.authority.credentials.values())]


class TokenRequest(BaseModel):
    """A token to be issued."""

    model_config = ConfigDict(extra="forbid")

    principal: Identity
    kind: str = Field("service", pattern="^(human|service)$")
    roles: list[CredentialRole] = Field(min_length=1, max_length=4)
    areas: list[Area] = Field(["*"], min_length=1, max_length=32)
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
    """256 random bits, shown in this answer and never again."""
    wanted = await read_model(request, TokenRequest)
    credential, token, receipt = await asyncio.to_thread(
        ledger.issue_token,
        actor=caller.principal,
        by=caller.credential,
        principal=wanted.principal,
        kind=wanted.kind,
        roles=list(wanted.roles),
        areas=wanted.areas,
        sources=wanted.sources,
        expires_at=wanted.expires_at,
    )
    return {"credential": credential, "token": token, "receipt": receipt.to_json()}


@router.delete("/v1/ledger/credentials/{credential}", summary="Revoke a token", responses=PROBLEMS)
def revoke(
    credential: str,
    caller: KnownCaller,
    ledger: CurrentLedger,
    reason: Reason = "revoked",
    from_position: Annotated[int | None, Query(ge=1, le=MAX_POSITION)] = None,
) -> dict[str, Any]:
    """From the next position on it is refused everywhere. `from_position` says since when it is not believed any more."""
    return ledger.revoke_token(
        credential, actor=caller.principal, by=caller.credential, reason=reason, from_position=from_position
    ).to_json()


def _source(source: EnrolledSource) -> dict[str, Any]:
    return {
        "source": source.source,
        "door": source.door,
        "principal": source.principal,
        "credential": source.credential,
        "must_sign": source.must_sign,
        "authority_for": list(source.authority_for),
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
    door: str = Field(pattern="^(events|github|cdevents)$")
    principal: Identity
    must_sign: bool = False
    authority_for: list[SourcePattern] = Field([], max_length=16)


@router.post(
    "/v1/ledger/sources",
    status_code=201,
    summary="Enrol a source",
    responses=PROBLEMS,
    openapi_extra=body_of(SourceRequest),
)
async def enrol(request: Request, caller: KnownCaller, ledger: CurrentLedger) -> dict[str, Any]:
    """Makes a source known at a door that authenticates by itself, or one that must sign."""
    wanted = await read_model(request, SourceRequest)
    receipt = await asyncio.to_thread(
        ledger.enrol_source,
        wanted.source,
        door=wanted.door,
        principal=wanted.principal,
        actor=caller.principal,
        by=caller.credential,
        must_sign=wanted.must_sign,
        authority_for=wanted.authority_for,
    )
    return receipt.to_json()


@router.delete("/v1/ledger/sources", summary="Retire a source", responses=PROBLEMS)
def retire(
    source: Annotated[str, Query(max_length=256)],
    door: Annotated[str, Query(pattern="^(events|github|cdevents)$")],
    caller: KnownCaller,
    ledger: CurrentLedger,
) -> dict[str, Any]:
    """From the next position on its statements are refused at this door."""
    return ledger.retire_source(source, door=door, actor=caller.principal, by=caller.credential).to_json()

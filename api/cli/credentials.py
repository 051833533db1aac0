"""`token`, `trust-rule`, `source`: who may submit, and under which names. Not keys (`api.cli.keys`)."""

from pathlib import Path
from typing import Annotated, Any

import typer

from api.cli.common import AsJson, commands_of, where
from api.cli.terminal import Table, console, echo, echo_json, errors_console
from ledger.errors import SetupError

app = commands_of()

token_app = typer.Typer(no_args_is_help=True, help="Bearer tokens: create, list, revoke.")
rule_app = typer.Typer(
    no_args_is_help=True, help="Trust rules: accept tokens of an issuer (OpenID Connect) that make certain claims."
)
source_app = typer.Typer(
    no_args_is_help=True, help="Sources: enrol what may come in by a door, and for whom it may speak."
)
app.add_typer(token_app, name="token")
app.add_typer(rule_app, name="trust-rule")
app.add_typer(source_app, name="source")

# What a token and a trust rule are told alike.
Role = Annotated[list[str], typer.Option(help="reporter, auditor, analyst or operator; may be repeated.")]
Kind = Annotated[str, typer.Option(help="human or service.")]
Areas = Annotated[
    list[str] | None, typer.Option("--area", help="Areas it may report, such as deployment; default: all.")
]
Types = Annotated[
    list[str] | None,
    typer.Option("--type", help="Single event types it may report beside its areas; without areas, these alone."),
]
Sources = Annotated[
    list[str] | None, typer.Option("--source", help="Sources it may speak for, exact or ending in *; default: all.")
]
ExpiresAt = Annotated[str | None, typer.Option(help="When it ends, such as 2027-01-01T00:00:00Z; default: never.")]


def _given(**said: Any) -> dict[str, Any]:
    """Return what was said, without what was left out."""
    return {name: value for name, value in said.items() if value is not None}


@token_app.command("create")
def token_create(
    context: typer.Context,
    principal: Annotated[str, typer.Option(help="Who holds it, such as service:payments-ci or person:alice.")],
    role: Role,
    kind: Kind = "service",
    areas: Areas = None,
    types: Types = None,
    sources: Sources = None,
    expires_at: ExpiresAt = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print the token alone.")] = False,
) -> None:
    """Issue a token of 256 random bits. It is shown once and kept nowhere."""
    door = where(context).door()
    made = door.issue_token(
        _given(
            principal=principal, kind=kind, roles=role, areas=areas, types=types, sources=sources, expires_at=expires_at
        )
    )
    if quiet:
        errors_console.print(made["credential"])
        echo(made["token"])
        return
    console.print(
        f"{made['credential']} for {principal}, recorded at position {made['receipt']['position']}",
    )
    echo(made["token"])
    errors_console.print("this token is not shown again")


@token_app.command("list")
def token_list(context: typer.Context, as_json: AsJson = False) -> None:
    """List every token ever issued, without the tokens; and every trust rule, which is a credential too."""
    door = where(context).door()
    found = door.tokens()
    if as_json:
        echo_json(found)
        return
    table = Table("credential", "principal", "kind", "roles", "areas", "types", "sources", "issued", "revoked")
    for item in found:
        parts = (" ".join(item[name]) for name in ("roles", "areas", "types", "sources"))
        table.add(
            item["credential"],
            item["principal"],
            item["kind"],
            *parts,
            str(item["issued_at"]),
            str(item["revoked_at"] or ""),
        )
    console.print(table)


@token_app.command("revoke")
def token_revoke(
    context: typer.Context,
    credential: Annotated[str, typer.Argument(help="Such as token:9f2c41d07b3e; of a trust rule, oidc:….")],
    reason: Annotated[str, typer.Option(help="Why, in one word such as leaked.")] = "revoked",
    from_position: Annotated[
        int | None, typer.Option(min=1, help="Since when it is not believed, for a leak in the past.")
    ] = None,
) -> None:
    """Revoke a token or a trust rule. Every process refuses it from the next position on."""
    door = where(context).door()
    receipt = door.revoke_token(credential, reason, from_position)
    console.print(f"revoked {credential}, recorded at position {receipt['position']}")


@rule_app.command("enrol")
def rule_enrol(
    context: typer.Context,
    issuer: Annotated[str, typer.Argument(help="URL, such as https://token.actions.githubusercontent.com.")],
    audience: Annotated[str, typer.Option(help="For whom the tokens must be: what the issuer is asked for as `aud`.")],
    require: Annotated[
        list[str],
        typer.Option(
            metavar="CLAIM=VALUE",
            help="A claim that a token must make, exact or ending in *; may be repeated. Of several for one claim, any will do.",
        ),
    ],
    role: Role,
    record: Annotated[
        list[str] | None, typer.Option(help="A claim to be recorded too, where a token makes it.")
    ] = None,
    principal: Annotated[str | None, typer.Option(help="Whose facts these are, such as service:payments-ci.")] = None,
    principal_from: Annotated[
        str | None,
        typer.Option(
            metavar="KIND:CLAIM", help="Or a claim that says whose, such as person:sub; it is required or recorded."
        ),
    ] = None,
    kind: Kind = "service",
    areas: Areas = None,
    types: Types = None,
    sources: Sources = None,
    expires_at: ExpiresAt = None,
) -> None:
    """Accept an issuer's tokens as a credential. `token revoke` ends it."""
    required: dict[str, list[str]] = {}
    for pair in require:
        claim, equals, value = pair.partition("=")
        if not equals:
            raise SetupError(f"--require is CLAIM=VALUE, such as repository_id=70107786, found {pair!r}")
        required.setdefault(claim, []).append(value)
    named, colon, claim = (principal_from or "").partition(":")
    if principal_from and not colon:
        raise SetupError(f"--principal-from is KIND:CLAIM, such as person:sub, found {principal_from!r}")
    made = (
        where(context)
        .door()
        .enrol_trust_rule(
            _given(
                issuer=issuer,
                audience=audience,
                required=[{"claim": name, "one_of": values} for name, values in required.items()],
                recorded=record,
                principal=principal,
                principal_from={"kind": named, "claim": claim} if principal_from else None,
                kind=kind,
                roles=role,
                areas=areas,
                types=types,
                sources=sources,
                expires_at=expires_at,
            )
        )
    )
    console.print(f"enrolled {made['credential']}, recorded at position {made['receipt']['position']}")


@rule_app.command("list")
def rule_list(context: typer.Context, as_json: AsJson = False) -> None:
    """List every trust rule that was enrolled, also those that were revoked."""
    found = where(context).door().trust_rules()
    if as_json:
        echo_json(found)
        return
    table = Table("credential", "issuer", "audience", "required", "principal", "roles", "enrolled", "revoked")
    for item in found:
        required = " ".join(f"{asked['claim']}={'|'.join(asked['one_of'])}" for asked in item["required"])
        ends = str(item["revoked_at"] or "")
        named = (item[name] for name in ("credential", "issuer", "audience"))
        table.add(*named, required, item["principal"], " ".join(item["roles"]), str(item["issued_at"]), ends)
    console.print(table)


@source_app.command("enrol")
def source_enrol(
    context: typer.Context,
    door_name: Annotated[
        str, typer.Argument(metavar="DOOR", help="events, or an intake format: see the reference, Intake.")
    ],
    source: Annotated[str, typer.Argument(help="Source, exact or ending in *, such as https://github.com/acme/*.")],
    principal: Annotated[
        str | None, typer.Option(help="Under which name its entries are recorded; by default service:DOOR.")
    ] = None,
    authority_for: Annotated[
        list[str] | None, typer.Option(help="Identities it may speak for, such as github:*.")
    ] = None,
    event_type: Annotated[
        list[str] | None, typer.Option("--type", help="The only event types its door records for it; default: all.")
    ] = None,
    must_sign: Annotated[bool, typer.Option("--must-sign", help="Refuse what this source did not sign.")] = False,
    key: Annotated[
        list[Path] | None,
        typer.Option(
            help="A public key (PEM: Ed25519, ECDSA on P-256 or P-384, or RSA) by which it signs envelopes, at the door in-toto."
        ),
    ] = None,
    keep_envelopes: Annotated[
        bool,
        typer.Option("--keep-envelopes", help="Keep them whole: they hold no secrets, and audits check them again."),
    ] = False,
) -> None:
    """Enrol a source. At a door whose senders sign with a shared secret, a fresh one is proposed."""
    door = where(context).door()
    keys = [_envelope_key(path) for path in key or ()]
    wanted = {
        "source": source,
        "door": door_name,
        "principal": principal or f"service:{door_name}",
        "must_sign": must_sign,
        "authority_for": authority_for or [],
        "types": event_type or [],
        **({"envelope_keys": keys} if keys else {}),
        **({"keeps_envelopes": True} if keep_envelopes else {}),
    }
    receipt = door.enrol_source(wanted)
    console.print(f"enrolled {source}, recorded at position {receipt['position']}")
    # Only where there can be a secret: who enrols a source of our own events needs no format.
    if door_name == "events":
        return
    from secrets import token_hex

    from api.intake import SIGNED

    if door_name in SIGNED and door_name not in where(context).settings.secrets:
        errors_console.print(
            f"no secret is shared with {door_name}; here is a fresh one, for the sender and for the server's environment:"
        )
        echo(f"{SIGNED[door_name].secret_variable}={token_hex(32)}")


def _envelope_key(path: Path) -> str:
    """Return a public key of a PEM file as it is enrolled."""
    from base64 import b64encode

    from ledger.published.durable import read_bounded
    from signing.outside_keys import outside_key_of_pem

    try:
        pem = read_bounded(path)
    except OSError as error:
        raise SetupError(f"cannot read the key {path}: {error.strerror}") from error
    return b64encode(outside_key_of_pem(pem).spki).decode()


@source_app.command("list")
def source_list(context: typer.Context, as_json: AsJson = False) -> None:
    """List every source that was enrolled, also those that were retired."""
    found = where(context).door().sources()
    if as_json:
        echo_json(found)
        return
    table = Table("door", "source", "principal", "must sign", "authority for", "types", "keys", "enrolled", "retired")
    for item in found:
        lists = [" ".join(item[name]) for name in ("authority_for", "types")]
        lists.append(" ".join(f"{key['kind']}:{key['key_id'][:16]}" for key in item["envelope_keys"]))
        ends = (str(item[name] or "") for name in ("enrolled_at", "retired_at"))
        table.add(item["door"], item["source"], item["principal"], "yes" if item["must_sign"] else "", *lists, *ends)
    console.print(table)


@source_app.command("retire")
def source_retire(
    context: typer.Context,
    door_name: Annotated[str, typer.Argument(metavar="DOOR", help="At which door; also one that is no longer there.")],
    source: Annotated[str, typer.Argument(help="As it was enrolled.")],
) -> None:
    """Refuse a source's statements at a door from the next position on."""
    receipt = where(context).door().retire_source(source, door_name)
    console.print(f"retired {source}, recorded at position {receipt['position']}")

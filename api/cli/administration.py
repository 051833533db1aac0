"""`init`, `serve`, `token`, `source`, `clock`, `erase`, `backup`, `migrate`: what operators do."""

import json
import re
import secrets
from pathlib import Path
from typing import Annotated

import typer

from api.app import create_app, end_streams
from api.cli import pins
from api.cli.common import commands_of, where
from api.cli.terminal import Table, console, echo, errors_console
from api.http.serving import serve as run_server
from api.intake import DOORS, SIGNED
from api.opening import open_ledger, open_signer, open_witnesses
from api.settings import ViewsPlace
from ledger.errors import SetupError
from ledger.ledger import ALREADY, LOCAL_OPERATOR, Ledger
from ledger.log import tables
from ledger.log.database import Database
from ledger.log.reading import read_entry, read_size
from ledger.published.signer import Memory
from ledger.stewardship.clock import correct_clock
from signing import keys as signing_keys
from signing.checkpoint import parse_checkpoint
from signing.keys import Signer, SigningKey
from signing.known_keys import why_anybody_signs
from signing.merkle import leaf_hash
from signing.notes import NoteKey, format_verifier_key, parse_note
from signing.possession import prove_possession

app = commands_of()

token_app = typer.Typer(no_args_is_help=True, help="Bearer tokens: create, list, revoke.")
source_app = typer.Typer(
    no_args_is_help=True, help="Sources: enrol what may come in by a door, and for whom it may speak."
)
clock_app = typer.Typer(no_args_is_help=True, help="The ledger's clock.")
app.add_typer(token_app, name="token")
app.add_typer(source_app, name="source")
app.add_typer(clock_app, name="clock")


@app.command()
def init(
    context: typer.Context,
    origin: Annotated[str, typer.Option(help="The name of this ledger for ever, such as ledger.example.com/prod.")],
    grant_to: Annotated[str | None, typer.Option(help="PostgreSQL role that appends, and owns nothing.")] = None,
    predecessor: Annotated[
        Path | None,
        typer.Option(help="The last checkpoint of a ledger that this one goes on from, because its keys are lost."),
    ] = None,
) -> None:
    """Make a ledger: its schema, its keys (mode 0600), its first entry; and pin it for this user."""
    settings = where(context).settings
    if (known := pins.read(settings.known_ledgers_path, origin)) is not None and known.genesis is not None:
        raise SetupError(
            f"{settings.known_ledgers_path} pins {origin} to a ledger already ({known.genesis.hex()[:16]}…): choose "
            "another origin, or remove that line if the ledger is gone"
        )
    check_origin(origin)
    before = parse_note(predecessor.read_bytes()) if predecessor is not None else None
    if before is not None and parse_checkpoint(before.text).origin.partition("#")[0] == origin:
        raise SetupError(
            f"{predecessor} is a checkpoint of {origin} itself: a successor is another log, and has another name"
        )
    database = Database(settings.database)
    database.migrate()
    with database.read() as connection:
        if read_size(connection):
            raise SetupError(ALREADY)
    entry_key = _load_or_make(settings.entry_key_at)
    checkpoint_key = _load_or_make(settings.checkpoint_key_at)
    for path, key in ((settings.entry_key_at, entry_key), (settings.checkpoint_key_at, checkpoint_key)):
        if (why := why_anybody_signs(key.public_key)) is not None:
            raise SetupError(f"anybody can sign with the key {path}: {why}; make another: change-ledger keys new FILE")
    if entry_key.public_key == checkpoint_key.public_key:
        raise SetupError("entry key and checkpoint key are one: a key has one role")
    # Before the ledger: without a memory nobody may sign for a ledger that is not empty.
    Memory(settings.signer_memory_path).begin(origin, checkpoint_key)
    ledger = Ledger.create(
        database,
        origin=origin,
        entry_key=entry_key,
        checkpoint_key=checkpoint_key.public_key,
        checkpoint_possession=prove_possession(checkpoint_key, origin, "checkpoint"),
        predecessor=before,
    )
    with database.engine.begin() as connection:
        genesis = leaf_hash(read_entry(connection, 1).entry)
        if grant_to:
            tables.grant_to(connection, grant_to)
    pins.write(settings.known_ledgers_path, origin, genesis, checkpoint_key.public_key)
    ledger.close()
    console.print(f"opened   {origin}")
    console.print(f"genesis  {genesis.hex()}")
    console.print(
        f"vkey     {format_verifier_key(NoteKey(origin, checkpoint_key.public_key))}",
    )
    console.print(
        f"pinned in {settings.known_ledgers_path}; give genesis and vkey to your auditors",
    )


def check_origin(origin: str) -> None:
    """Raise SetupError unless a ledger may be called so: it stands in every entry, and names the checkpoint key."""
    if not re.fullmatch(r"[!\"$-*,-~]{1,160}", origin):
        raise SetupError(
            f"--origin is 1 to 160 printable ASCII characters without blanks, + and #, found {origin!r}"[:200]
        )


def _load_or_make(reference: str) -> Signer:
    if reference.startswith(("env:", "file:")) or Path(reference).exists():
        return signing_keys.load_signer(reference)
    key = SigningKey.generate()
    signing_keys.save(key, Path(reference))
    return key


@app.command()
def serve(
    context: typer.Context,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port; 0 for any that is free.")] = None,
    views: Annotated[
        ViewsPlace | None,
        typer.Option(
            help="Fold the views in this process, in one beside it, or leave that to another server or command."
        ),
    ] = None,
) -> None:
    """Serve the API until stopped. What was acknowledged is durable; what is queued at the end is appended first."""
    settings = where(context).settings
    given = {"host": host, "port": port, "views": views}
    settings = settings.model_copy(update={name: value for name, value in given.items() if value is not None})
    # Opened once before: what is wrong with keys, witnesses or database is said in one line, not as a traceback of the server.
    ledger = open_ledger(settings)
    open_signer(settings, ledger.database, ledger.current_authority)
    open_witnesses(settings, ledger)
    ledger.close()
    served = create_app(settings)
    run_server(served, settings.host, settings.port, bounds=settings.bounds, on_exit=lambda: end_streams(served))


@app.command()
def migrate(context: typer.Context) -> None:
    """Bring the database's schema to this version of the program."""
    Database(where(context).settings.database).migrate()
    console.print("the schema is up to date")


@app.command()
def backup(context: typer.Context, target: Annotated[Path, typer.Argument(help="A new file.")]) -> None:
    """Copy a SQLite ledger while it is in use. Keys are not in it: keep them apart."""
    database = Database(where(context).settings.database)
    database.check_schema()
    database.backup(target)
    console.print(f"wrote {target}")


@app.command()
def erase(
    context: typer.Context,
    position: Annotated[int, typer.Argument(min=1)],
    reason: Annotated[str, typer.Option(help="Why, in one word such as gdpr-17.")],
) -> None:
    """Erase the texts of an entry. Its leaf and every proof stay; the erasure is itself an entry."""
    door = where(context).door()
    receipt = door.erase(position, reason)
    console.print(f"erased; recorded at position {receipt['position']}")


@token_app.command("create")
def token_create(
    context: typer.Context,
    principal: Annotated[str, typer.Option(help="Who holds it, such as service:payments-ci or person:alice.")],
    role: Annotated[list[str], typer.Option(help="reporter, auditor, analyst or operator; may be repeated.")],
    kind: Annotated[str, typer.Option(help="human or service.")] = "service",
    area: Annotated[
        list[str] | None, typer.Option(help="Areas it may report, such as deployment; default: all.")
    ] = None,
    event_type: Annotated[
        list[str] | None,
        typer.Option("--type", help="Single event types it may report beside its areas; without areas, these alone."),
    ] = None,
    source: Annotated[
        list[str] | None, typer.Option(help="Sources it may speak for, exact or ending in *; default: all.")
    ] = None,
    expires_at: Annotated[
        str | None, typer.Option(help="When it ends, such as 2027-01-01T00:00:00Z; default: never.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print the token alone.")] = False,
) -> None:
    """Issue a token of 256 random bits. It is shown once and kept nowhere."""
    door = where(context).door()
    wanted = {
        "principal": principal,
        "kind": kind,
        "roles": role,
        "areas": area,
        "types": event_type or [],
        "sources": source,
        "expires_at": expires_at,
    }
    made = door.issue_token({name: value for name, value in wanted.items() if value is not None})
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
def token_list(context: typer.Context, as_json: Annotated[bool, typer.Option("--json")] = False) -> None:
    """List every token ever issued, without the tokens."""
    door = where(context).door()
    found = door.tokens()
    if as_json:
        echo(json.dumps(found, indent=2))
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
    credential: Annotated[str, typer.Argument(help="Such as token:9f2c41d07b3e.")],
    reason: Annotated[str, typer.Option(help="Why, in one word such as leaked.")] = "revoked",
    from_position: Annotated[
        int | None, typer.Option(min=1, help="Since when it is not believed, for a leak in the past.")
    ] = None,
) -> None:
    """Revoke a token. Every process refuses it from the next position on."""
    door = where(context).door()
    receipt = door.revoke_token(credential, reason, from_position)
    console.print(f"revoked {credential}, recorded at position {receipt['position']}")


@source_app.command("enrol")
def source_enrol(
    context: typer.Context,
    door_name: Annotated[str, typer.Argument(metavar="DOOR", help=f"{', '.join(DOORS[:-1])} or {DOORS[-1]}.")],
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
) -> None:
    """Enrol a source. At a door whose senders sign with a shared secret, a fresh one is proposed."""
    door = where(context).door()
    wanted = {
        "source": source,
        "door": door_name,
        "principal": principal or f"service:{door_name}",
        "must_sign": must_sign,
        "authority_for": authority_for or [],
        "types": event_type or [],
    }
    receipt = door.enrol_source(wanted)
    console.print(f"enrolled {source}, recorded at position {receipt['position']}")
    if door_name in SIGNED and door_name not in where(context).settings.secrets:
        errors_console.print(
            f"no secret is shared with {door_name}; here is a fresh one, for the sender and for the server's environment:"
        )
        echo(f"{SIGNED[door_name].secret_variable}={secrets.token_hex(32)}")


@clock_app.command("correct")
def clock_correct(context: typer.Context, reason: Annotated[str, typer.Option(help="Why, in one word.")]) -> None:
    """Set the ledger's clock to this machine's, backwards if it must be. It is recorded, as everything is."""
    place = where(context)
    if place.server is not None:
        raise SetupError("the clock is corrected on the machine itself, not over HTTP")
    ledger = open_ledger(place.settings)
    receipt = correct_clock(ledger, actor=LOCAL_OPERATOR, reason=reason)
    ledger.close()
    console.print(f"corrected at position {receipt.position}, now {receipt.recorded_at}")

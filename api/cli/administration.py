"""`init`, `migrate`, `backup`, `clock`, `erase`: a ledger's beginning, and what operators do to it where its database is."""

import re
from pathlib import Path
from typing import Annotated

import typer

from api.cli import pins
from api.cli.common import Where, commands_of, where
from api.cli.policy_files import SOLO, STARTING, policy_of, starting_policy
from api.cli.terminal import console
from api.desk import verifier
from api.opening import open_ledger
from api.settings import Settings
from ledger.errors import LedgerError, SetupError
from ledger.events.identifiers import Identity, fits
from ledger.ledger import ALREADY, LOCAL_OPERATOR, Ledger
from ledger.log import tables
from ledger.log.database import Database
from ledger.log.reading import read_entry, read_size
from ledger.published.durable import read_bounded
from ledger.published.signer import Memory
from ledger.stewardship.clock import correct_clock
from signing import keys as signing_keys
from signing.checkpoint import parse_checkpoint
from signing.errors import SigningError
from signing.keys import Signer, SigningKey
from signing.known_keys import why_anybody_signs
from signing.merkle import leaf_hash
from signing.notes import NoteKey, format_verifier_key, parse_note
from signing.possession import prove_possession

app = commands_of()

GrantTo = Annotated[str | None, typer.Option(help="PostgreSQL role that appends, and owns nothing.")]

clock_app = typer.Typer(no_args_is_help=True, help="The ledger's clock.")
app.add_typer(clock_app, name="clock")


@app.command()
def init(
    context: typer.Context,
    origin: Annotated[str, typer.Option(help="The name of this ledger for ever, such as ledger.example.com/prod.")],
    grant_to: GrantTo = None,
    predecessor: Annotated[
        Path | None,
        typer.Option(help="The last checkpoint of a ledger that this one goes on from, because its keys are lost."),
    ] = None,
    policy: Annotated[
        str | None, typer.Option(help="Publish a policy to begin with: starter, or github for a team without tickets.")
    ] = None,
    solo: Annotated[
        bool, typer.Option("--solo", help="One person works here alone: their own policy, approved by themselves.")
    ] = False,
    actor: Annotated[str | None, typer.Option(help="Who publishes the policy, such as person:olga.")] = None,
) -> None:
    """Make a ledger: its schema, its keys (mode 0600), its first entry; and pin it for this user."""
    starting = _starting(policy, solo, actor)
    settings = where(context).settings
    if (known := pins.read(settings.known_ledgers_path, origin)) is not None and known.genesis is not None:
        raise SetupError(
            f"{settings.known_ledgers_path} pins {origin} to a ledger already ({known.genesis.hex()[:16]}…): choose "
            "another origin, or remove that line if the ledger is gone"
        )
    check_origin(origin)
    before = parse_note(read_bounded(predecessor)) if predecessor is not None else None
    if before is not None and parse_checkpoint(before.text).origin.partition("#")[0] == origin:
        raise SetupError(
            f"{predecessor} is a checkpoint of {origin} itself: a successor is another log, and has another name"
        )
    database = Database(settings.database)
    database.migrate()
    with database.read() as connection:
        if read_size(connection):
            raise SetupError(ALREADY)
    # Before the ledger: with a role that is not there, nothing but the schema has been made, and `init` can be given again.
    _grant(database, grant_to)
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
    pins.write(settings.known_ledgers_path, origin, genesis, checkpoint_key.public_key)
    # Should it stop here, `migrate` does what is left.
    verifier.publish(ledger, actor=LOCAL_OPERATOR)
    ledger.close()
    console.print(f"opened   {origin}")
    console.print(f"genesis  {genesis.hex()}")
    console.print(
        f"vkey     {format_verifier_key(NoteKey(origin, checkpoint_key.public_key))}",
    )
    console.print(f"tool     {verifier.sha256()}  {verifier.NAME}")
    console.print(
        f"pinned in {settings.known_ledgers_path}; give genesis, vkey and tool to your auditors",
    )
    if starting is not None and actor is not None:
        _begin_with(where(context), starting, actor)


def _grant(database: Database, role: str | None) -> None:
    """Give a role what appending needs, where one is named. Raises SetupError where a database has no roles, or not this one."""
    if role is None:
        return
    if database.engine.dialect.name == "sqlite":
        raise SetupError("--grant-to is for PostgreSQL: SQLite has no roles; leave it away")
    with database.engine.begin() as connection:
        tables.grant_to(connection, role)


def _starting(policy: str | None, solo: bool, actor: str | None) -> str | None:
    """Return which policy to begin with. Raises SetupError before anything is made."""
    if solo and policy is not None:
        raise SetupError("--solo has a policy of its own, in which nobody else is asked: leave --policy away")
    name = SOLO if solo else policy
    if name not in (None, *STARTING) or (name == SOLO and not solo):
        raise SetupError(f"expected --policy starter or github, or --solo; found --policy {name!r}"[:200])
    if (name is None) != (actor is None):
        raise SetupError(
            "expected --actor with --policy or --solo, and with nothing else: it is who publishes the policy"
        )
    if actor is not None and not fits(Identity, actor):
        raise SetupError(f"expected --actor to be an identity, kind:name, such as person:olga; found {actor!r}"[:200])
    return name


def _begin_with(place: Where, name: str, actor: str) -> None:
    """Publish a policy to begin with; for one person alone, approve it, too."""
    from api.cli.policies import approve_in, publish_in

    wanted, door = policy_of(starting_policy(name), f"{name}.toml"), place.door()
    published = publish_in(door, wanted, actor)
    console.print(f"policy   {published['policy_id']} {published['version']}, published by {actor}")
    if name == SOLO:
        approve_in(door, published, actor)
        console.print(f"solo     {actor} works here alone: nobody else looks at anything, and gates and audits say so")
    else:
        console.print(f"next     another operator: change-ledger policy approve {published['version']} --actor WHO")


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
def migrate(context: typer.Context, grant_to: GrantTo = None) -> None:
    """Bring the schema to this version of the program, and put its verify.html on record."""
    settings = where(context).settings
    database = Database(settings.database)
    database.migrate()
    _grant(database, grant_to)
    console.print("the schema is up to date")
    with database.read() as connection:
        size = read_size(connection)
    if size:
        _publish_verifier(settings)


def _publish_verifier(settings: Settings) -> None:
    """Put verify.html of this version on record, where the entry key is; elsewhere say that it is not."""
    try:
        ledger = open_ledger(settings)
    except (LedgerError, SigningError) as error:
        console.print(f"{verifier.NAME} was not put on record: {error}")
        return
    receipt = verifier.publish(ledger, actor=LOCAL_OPERATOR)
    ledger.close()
    if receipt is not None:
        console.print(f"{verifier.NAME} is on record at position {receipt.position}: SHA-256 {verifier.sha256()}")


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

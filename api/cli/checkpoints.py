"""`checkpoint`, `proof` and `signer`: what is signed over the whole tree, and mending the one who signs it."""

import contextlib
import json
from pathlib import Path
from typing import Annotated

import typer

from api.cli.common import AsJson, Where, commands_of, where
from api.cli.remote_files import RemoteFiles, is_url
from api.cli.terminal import console, echo
from api.opening import open_ledger, open_signer, refuse_lost_history
from ledger.errors import NotFoundError, SetupError
from ledger.ledger import LOCAL_OPERATOR
from ledger.log.authority import authority_of
from ledger.log.checkpoints import read_checkpoint
from ledger.log.database import Database
from ledger.log.reading import read_size
from ledger.log.tree import proof_of
from ledger.published.durable import read_bounded, write_out
from ledger.published.signer import CheckpointSigner
from ledger.stewardship.recovery import record_restoration
from signing.notes import parse_note

app = commands_of()

signer_app = typer.Typer(
    no_args_is_help=True, help="The signer of checkpoints: where it stands, taking over, restoring."
)
app.add_typer(signer_app, name="signer")


@app.command()
def checkpoint(
    context: typer.Context,
    sign: Annotated[bool, typer.Option(help="Sign what is new first, where the checkpoint key is.")] = True,
) -> None:
    """Print the last checkpoint, after signing what is new where the checkpoint key is. `serve` signs every second by itself."""
    place = where(context)
    if place.server is not None:
        echo(place.remote_door().text("/checkpoint"), nl=False)
        return
    database = open_to_read(place)
    signs = sign and sign_what_is_new(place, database)
    try:
        with database.read() as connection:
            echo(str(read_checkpoint(connection).note), nl=False)
    except NotFoundError as error:
        raise NotFoundError(f"{error}{'' if signs else ', and this host does not sign'}") from error


@app.command()
def proof(
    context: typer.Context,
    position: Annotated[int, typer.Argument(min=1)],
    out: Annotated[
        Path | None, typer.Option(help="A file for it, such as 7.tlog-proof; default: the terminal.")
    ] = None,
) -> None:
    """Print the proof that an entry is in the tree, under the last checkpoint (C2SP tlog-proof)."""
    place = where(context)
    if place.server is not None:
        found = place.remote_door().text(f"/v1/events/{position}/proof")
    else:
        database = open_to_read(place)
        refuse_lost_history(place.settings, database, authority_of(database))
        with database.read() as connection:
            found = str(proof_of(connection, position, read_checkpoint(connection)))
    if out is None:
        echo(found, nl=False)
    else:
        write_out(out, found)


@signer_app.command()
def status(context: typer.Context, as_json: AsJson = False) -> None:
    """Say what the signer remembers and whether the database agrees. Exits with 2 when it may not sign."""
    remembered = _signer(where(context)).check()
    if as_json:
        echo(json.dumps({"origin": remembered.origin, "size": remembered.size, "root": remembered.root.hex()}))
    else:
        console.print(f"remembers size {remembered.size} of {remembered.origin}, and the database agrees")


@signer_app.command("take-over")
def take_over(
    context: typer.Context,
    last: Annotated[str, typer.Argument(metavar="CHECKPOINT", help="File or URL of the last published checkpoint.")],
) -> None:
    """Let this host sign from a published checkpoint on. Stop the other host's signer first, and remove its memory."""
    if is_url(last):
        folder, _, name = last.rpartition("/")
        with contextlib.closing(RemoteFiles(folder)) as files:
            data = files.read(name)
    else:
        data = read_bounded(Path(last))
    taken = _signer(where(context)).take_over(parse_note(data))
    console.print(f"this host signs from size {taken.size} on")


@signer_app.command()
def restore(
    context: typer.Context,
    reason: Annotated[str, typer.Option(help="Why, in one word such as disk-lost.")],
) -> None:
    """Go on from a backup that is older than what was signed. What was lost is recorded, and a new incarnation begins.

    Its checkpoints have a name of their own: auditors and witnesses of the old one see that it ended.
    """
    place = where(context)
    signer = _signer(place)
    ledger = open_ledger(place.settings, lost_history=True)
    if not signer.must_begin_again():
        lost = signer.lost()
        with ledger.database.read() as connection:
            size = read_size(connection)
        receipt = record_restoration(ledger, lost, actor=LOCAL_OPERATOR, reason=reason)
        console.print(
            f"recorded at position {receipt.position}: of the {lost.size} entries that were signed, the backup has {size}",
        )
    # Dies here: the restoration is recorded, and the command is given again.
    signer.begin_again()
    console.print(f"checkpoints are now signed as {ledger.current_authority().checkpoint_origin}")
    ledger.close()


def open_to_read(place: Where) -> Database:
    """Return the database of a ledger. No private key is needed to read it."""
    database = Database(place.settings.database)
    database.check_schema()
    return database


def sign_what_is_new(place: Where, database: Database) -> bool:
    """Sign a checkpoint if there is something new and no server signs. Returns whether this host has the key to."""
    signer = open_signer(place.settings, database, authority_of(database))
    if signer is not None:
        signer.sign_once()
    return signer is not None


def _signer(place: Where) -> CheckpointSigner:
    if place.server is not None:
        raise SetupError("the signer is worked on where its key and its memory lie, not over HTTP")
    database = open_to_read(place)
    signer = open_signer(place.settings, database, authority_of(database))
    if signer is None:
        raise SetupError(f"there is no checkpoint key at {place.settings.checkpoint_key_at}: this host does not sign")
    return signer

"""`heads`, `dossier` and `check-dossier`: everything about one thing, and the proof that nothing was left out."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from api.cli import pins
from api.cli.common import AsJson, commands_of, where
from api.cli.terminal import console, echo, echo_json, errors_console
from api.opening import open_ledger, open_to_read
from ledger.errors import SetupError
from ledger.ledger import LOCAL_OPERATOR
from ledger.log.checkpoints import read_checkpoint
from ledger.published.dossier import Dossier, check_dossier
from ledger.published.durable import read_bounded, said, write_out
from ledger.stewardship import commitments
from ledger.words import number_of
from signing.errors import SigningError, VerificationError
from signing.notes import NoteKey, parse_verifier_key

app = commands_of()


@app.command()
def heads(context: typer.Context) -> None:
    """Commit to the last position of every ref, so that dossiers are complete up to here."""
    place = where(context)
    if place.server is not None:
        receipt = place.remote_door().commit_heads()
    else:
        ledger = open_ledger(place.settings)
        receipt = commitments.commit_heads(ledger, actor=LOCAL_OPERATOR).to_json()
        ledger.close()
    console.print(f"committed at position {receipt['position']}")


@app.command()
def dossier(
    context: typer.Context,
    ref: Annotated[str, typer.Argument(help="What it is about, such as change:CHG-7.")],
    out: Annotated[Path | None, typer.Option(help="A file for it; default: the terminal.")] = None,
) -> None:
    """Collect every entry about a ref, with its proofs, up to the last checkpoint. `check-dossier` checks it anywhere."""
    place = where(context)
    if place.server is not None:
        found = place.remote_door().dossier(ref)
    else:
        from api.desk.entries import check_refs

        check_refs((ref,))
        ledger = open_to_read(place.settings)
        with ledger.database.read() as connection:
            published = read_checkpoint(connection)
        found = commitments.dossier(ledger, ref, published)
        ledger.close()
    text = json.dumps(found, indent=2)
    if out is None:
        echo(text)
    else:
        write_out(out, text)
    errors_console.print(
        f"{number_of(len(found['entries']), 'entry', 'entries')}; complete up to position {found['complete_up_to']}, as committed"
    )
    if int(found["checkpoint"].split("\n")[1]) > found["complete_up_to"] + 1:
        errors_console.print(
            "of what came after that, some may be missing: change-ledger heads commits to what there is now"
        )


@app.command("check-dossier")
def check(
    context: typer.Context,
    paths: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Dossiers.")],
    vkey: Annotated[
        str | None, typer.Option(help="The checkpoint key as a note verifier key; default: the pin of this user.")
    ] = None,
    entries: Annotated[
        bool, typer.Option("--entries", help="And what each entry says, of when, and who recorded it and when.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Check dossiers without the ledger.

    Exits with 1 when one does not hold: an entry left out, put in, or altered; with 2 when one could not be checked.
    """
    status = 0
    told = []
    for path in paths:
        try:
            document = _read(path)
            keys = [parse_verifier_key(vkey)] if vkey else _pinned(context, document)
            proved = check_dossier(document, keys)
            told.append({"file": str(path), "holds": True} | _json(proved))
            if not as_json:
                _tell(proved)
                if entries:
                    _read_out(proved)
        except VerificationError as error:
            told.append({"file": str(path), "holds": False, "why": str(error)})
            if not as_json:
                console.print(f"DOES NOT HOLD: {f'{path}: ' if len(paths) > 1 else ''}{error}", style="red")
            status = 1
        except (SetupError, OSError, SigningError) as error:
            if len(paths) == 1:
                raise
            errors_console.print(f"change-ledger: {said(error)}")
            told.append({"file": str(path), "holds": None, "why": said(error)})
            status = status or 2
    if as_json:
        echo_json(told)
    if status:
        raise typer.Exit(status)


def _read(path: Path) -> dict[str, Any]:
    """Return the document in a file. Raises SetupError when it is no dossier: then nothing is to be checked."""
    try:
        document = json.loads(read_bounded(path))
    except (ValueError, RecursionError) as error:
        raise SetupError(f"{path} is not JSON: {error}") from error
    if not isinstance(document, dict) or not {"ref", "checkpoint", "entries", "commitment"} <= document.keys():
        raise SetupError(f"{path} is no dossier: expected what `change-ledger dossier` wrote")
    return document


def _json(proved: Dossier) -> dict[str, Any]:
    return {
        "ref": proved.ref,
        "positions": list(proved.positions),
        "complete_up_to": proved.complete_up_to,
        "checkpoint_size": proved.checkpoint.size,
    }


def _tell(proved: Dossier) -> None:
    entries = number_of(len(proved.entries), "entry", "entries")
    console.print(f"{proved.ref}: {entries}, each under the checkpoint of {proved.checkpoint.size}")
    console.print(f"complete up to position {proved.complete_up_to}, as the ledger committed it")
    later = [position for position in proved.positions if position > proved.complete_up_to]
    if later:
        console.print(f"after that, {len(later)} more, of which others may be missing: {later}")


def _read_out(proved: Dossier) -> None:
    """Print what the entries say: proved to be what was recorded, and no more true for that."""
    from api.desk.entries import says_of

    for entry in proved.entries:
        try:
            said, by = entry["statement"], entry["recorded_by"]
            line = f"{entry['position']:>7}  {said['time'][:19]}  {said['type']:<26} {says_of(said)}"
            recorded = f"{'':9}recorded {entry['recorded_at'][:19]} by {by['principal']} ({by['trust']})"
        except (KeyError, TypeError, AttributeError) as error:
            # Whoever has the log's key can put anything under a checkpoint.
            raise VerificationError(f"the entry at position {entry['position']} cannot be read: {error!r}") from error
        console.print(line)
        console.print(recorded)


def _pinned(context: typer.Context, document: dict[str, Any]) -> list[NoteKey]:
    """Return the key that this user has pinned for the ledger of a dossier."""
    note = document["checkpoint"]
    origin = note.partition("\n")[0] if isinstance(note, str) else ""
    pin = pins.read(where(context).settings.known_ledgers_path, origin.partition("#")[0])
    if pin is None or pin.checkpoint_key is None:
        raise SetupError(f"no key of the ledger {origin!r} is known: give --vkey")
    return [NoteKey(origin, pin.checkpoint_key)]

"""`export` and `audit`: the ledger as files, and the audit of files, wherever they lie; or of any database."""

from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Final

import typer

from api.cli import pins
from api.cli.checkpoints import open_to_read, sign_what_is_new
from api.cli.common import Where, commands_of, where
from api.cli.progress import bar
from api.cli.remote_files import RemoteFiles, is_url
from api.cli.terminal import console, errors_console
from api.cli.under_a_pin import (
    pin_of_flags,
    read_given,
    read_receipts,
    verify_database,
    with_outsiders,
    with_recovered,
)
from api.cli.verifying import (
    Certificate,
    Genesis,
    Held,
    Recovered,
    Signatures,
    State,
    Vkey,
    Witnesses,
    Workers,
    finish,
)
from api.opening import refuse_lost_history
from ledger.audit.log_files import Directory, Files, read_head
from ledger.audit.of_any_log import audit_opaque
from ledger.audit.of_files import audit_files
from ledger.errors import LedgerError, SetupError
from ledger.log.authority import authority_of
from ledger.log.database import Database, url_of
from ledger.log.untouched import untouched
from ledger.published.export import export as export_files
from ledger.words import number_of
from signing.errors import SigningError
from signing.notes import parse_verifier_key

app = commands_of()

# Whoever made up the bytes would make up a pin that lies beside them.
WHERE_FROM: Final = (
    "a pin comes from whoever opened the ledger, by another way than these bytes: --genesis or --vkey, as `init` and "
    "`keys --vkey` print them there, or the line of their known-ledgers in yours"
)


@app.command()
def export(
    context: typer.Context,
    target: Annotated[Path, typer.Argument(metavar="DIR", help="A new directory, or one with an earlier export.")],
    texts: Annotated[bool, typer.Option(help="With the erasable texts.")] = True,
    evidence: Annotated[bool, typer.Option(help="With the evidence.")] = True,
) -> None:
    """Write the ledger as files that any web server can hold, and that are audited without us. Again: what is new since."""
    place = where(context)
    if place.server is not None:
        raise SetupError("an export is made where the database is, not over HTTP")
    database = open_to_read(place)
    # Another history must not be written over an export of the one that was signed.
    refuse_lost_history(place.settings, database, authority_of(database))
    # Where no server does: so that the export reaches to the end. Where it cannot be, what was signed is still to be had.
    try:
        sign_what_is_new(place, database)
    except (LedgerError, SigningError, OSError) as error:
        errors_console.print(f"no checkpoint was signed: {error}")
    done = export_files(database, target, texts=texts, evidence=evidence)
    console.print(
        f"{target}: {number_of(done.files, 'file')} written; it reaches from size {done.since} to {done.size} now",
    )


@app.command()
def audit(
    context: typer.Context,
    target: Annotated[str, typer.Argument(help="A directory, a URL (http…), a database file, or a SQLAlchemy URL.")],
    as_json: Annotated[bool, typer.Option("--json", help="The report as JSON.")] = False,
    genesis: Genesis = None,
    vkey: Vkey = None,
    recovered: Recovered = None,
    signatures: Signatures = True,
    opaque: Annotated[
        bool, typer.Option("--opaque", help="Any C2SP log: check hashes, tree and checkpoint alone.")
    ] = False,
    workers: Workers = None,
    receipt: Annotated[Path | None, typer.Option(help="Receipts that somebody was given.")] = None,
    checkpoint: Held = None,
    witness: Witnesses = None,
    certificate: Certificate = None,
    state: State = None,
) -> None:
    """Audit a ledger wherever its bytes lie: an export, a running server, a database. Nothing of ours needs to run.

    The file of a database, and what lies beside it, are left exactly as they are.

    Exits with 0 when it is sound under a pin, 1 with faults, 2 when it could not be checked, 3 when nothing is pinned.
    """
    place = where(context)
    given = read_given(checkpoint or [], vkey)
    receipts = read_receipts(receipt) if receipt else []
    files = _files(place, target)
    if isinstance(files, Path | str):
        if opaque:
            raise SetupError("--opaque is for files: a directory or a URL")
        # What is not changed by looking at it is looked at as it was found.
        with untouched(files) if isinstance(files, Path) else nullcontext(Database(files)) as database:
            report = verify_database(
                place,
                database,
                genesis=genesis,
                vkey=vkey,
                recovered=recovered,
                witnesses=witness,
                certificate=certificate,
                signatures=signatures,
                workers=workers,
                receipts=receipts,
                given=given,
                state=state,
            )
        finish(report.to_json(), as_json, without_pin=WHERE_FROM)
        return
    with bar() as tell:
        if opaque:
            report = audit_opaque(files, [parse_verifier_key(vkey)] if vkey else [], tell)
        else:
            origin = read_head(files)[1].origin.partition("#")[0]
            pin = pin_of_flags(genesis, vkey) or pins.read(place.settings.known_ledgers_path, origin)
            report = audit_files(
                files,
                pin=with_recovered(with_outsiders(pin, witness, certificate), recovered),
                signatures=signatures,
                workers=workers,
                given=given,
                receipts=receipts,
                state=state,
                on_progress=tell,
            )
    finish(report.to_json(), as_json, without_pin=WHERE_FROM)


def _files(place: Where, target: str) -> Files | Path | str:
    """Return the files that a target names, the file of a SQLite database, or the URL of a database."""
    if is_url(target):
        files = RemoteFiles(target, place.token_for(target))
        place.at_end(files.close)
        return files
    if Path(target).is_file():
        return Path(target)
    if "://" in target:
        url = url_of(target)
        return Path(url.database or "") if url.get_backend_name() == "sqlite" else target
    if not Path(target).is_dir():
        raise SetupError(f"there is nothing at {target}: expected a directory, a URL or a database")
    return Directory(Path(target))

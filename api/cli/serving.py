"""`serve`: the server, from the command line. Not what it answers (`api.http`), nor how its parts are put together (`api.app`)."""

from typing import Annotated

import typer

from api.app import create_app, end_streams
from api.cli.common import commands_of, where
from api.cli.terminal import errors_console
from api.desk import verifier
from api.http.serving import serve as run_server
from api.opening import open_ledger, open_signer, open_witnesses
from api.settings import ViewsPlace
from ledger.errors import LedgerError
from ledger.ledger import LOCAL_OPERATOR, Ledger

app = commands_of()


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
    _publish_verifier(ledger)
    ledger.close()
    served = create_app(settings)
    run_server(served, settings.host, settings.port, bounds=settings.bounds, on_exit=lambda: end_streams(served))


def _publish_verifier(ledger: Ledger) -> None:
    """Put verify.html of this version on record after an upgrade. Of several servers that start at once, one does."""
    try:
        receipt = verifier.publish_anew(ledger, actor=LOCAL_OPERATOR)
    except LedgerError as error:
        # What keeps it from that, health tells; and it is read nonetheless.
        errors_console.print(f"{verifier.NAME} was not put on record: {error}")
        return
    if receipt is not None:
        errors_console.print(
            f"{verifier.NAME} is on record at position {receipt.position}: SHA-256 {verifier.sha256()}"
        )

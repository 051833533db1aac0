"""`digest`: what the ledger computes as the digest of a scope, a policy, a model or a template, of the statements that say it."""

from pathlib import Path
from typing import Annotated

import typer

from api.cli.common import AsJson, commands_of
from api.cli.terminal import echo, echo_json
from api.cli.writing import read_events
from ledger.errors import LedgerError

app = commands_of()


@app.command()
def digest(
    files: Annotated[
        list[Path],
        typer.Argument(
            help="Files of CloudEvents JSON that say contents, as append takes them; of a scope its opening, too; - for standard input."
        ),
    ],
    as_json: AsJson = False,
) -> None:
    """Print the digests of what statements say: of scopes, policies, risk models and templates. No ledger is asked."""
    from api.desk.digests import digests_of

    events = []
    for _, event in read_events(files):
        if isinstance(event, LedgerError):
            raise event
        events.append(event)
    found = [dict(zip(("type", "key", "digest"), told, strict=True)) for told in digests_of(events)]
    if as_json:
        echo_json(found)
        return
    for told in found:
        echo(f"{told['digest']}  {told['type']}  {told['key']}")

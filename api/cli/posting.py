"""`intake`: files of outside formats, each posted as it is, with what it cannot say of itself as options."""

from pathlib import Path
from typing import Annotated

import typer

from api.cli.common import commands_of, where
from api.cli.terminal import echo, errors_console
from ledger.errors import LedgerError
from ledger.published.durable import read_input

app = commands_of()


@app.command()
def intake(
    context: typer.Context,
    name: Annotated[
        str, typer.Argument(metavar="FORMAT", help="The format, such as junit: see the reference, Intake.")
    ],
    files: Annotated[list[Path], typer.Argument(help="Files of that format; - for standard input.")],
    run: Annotated[str | None, typer.Option(help="The run of the pipeline that made them.")] = None,
    attempt: Annotated[int | None, typer.Option(min=1, help="Which try of that run, from 1.")] = None,
    commit: Annotated[str | None, typer.Option(help="The commit that they are about.")] = None,
    environment: Annotated[str | None, typer.Option(help="The environment that they are about.")] = None,
    workspace: Annotated[str | None, typer.Option(help="Which of an environment's states they are about.")] = None,
    service: Annotated[str | None, typer.Option(help="The service that they are about.")] = None,
    repository: Annotated[str | None, typer.Option(help="The repository that they are about.")] = None,
    host: Annotated[str | None, typer.Option(help="Which code host reads them: github or gitlab.")] = None,
    change: Annotated[str | None, typer.Option(help="The change that they are for.")] = None,
    plan: Annotated[str | None, typer.Option(help="The plan that they are about, by its digest.")] = None,
    deployment: Annotated[str | None, typer.Option(help="The deployment that they are about.")] = None,
    actor: Annotated[str | None, typer.Option(help="Who says so, where they are somebody's word.")] = None,
    slo: Annotated[str | None, typer.Option(help="The objective that was measured.")] = None,
    metric: Annotated[str | None, typer.Option(help="The metric that was measured, as triggers call it.")] = None,
    window: Annotated[
        str | None, typer.Option(help="Over how long each value goes, or an objective is held: 5m, 30d.")
    ] = None,
    samples: Annotated[int | None, typer.Option(min=1, help="By how many samples each value is.")] = None,
    as_: Annotated[
        str | None,
        typer.Option("--as", help="What events of a calendar are: freeze, compliance-window, meeting, reservation, …"),
    ] = None,
    tier: Annotated[str | None, typer.Option(help="The tier of environments that they are about.")] = None,
    release: Annotated[str | None, typer.Option(help="The release that they are about.")] = None,
    zone: Annotated[
        str | None, typer.Option(help="The time zone of times that are in none, such as Europe/Berlin.")
    ] = None,
    suite: Annotated[str | None, typer.Option(help="The suite of tests, of which manifests say what is in it.")] = None,
    shard: Annotated[
        str | None, typer.Option(help="Which part of a run's tests they have, and of how many: 1/4.")
    ] = None,
    coverage: Annotated[str | None, typer.Option(help="How many of its lines the tests ran, in percent.")] = None,
    executed: Annotated[
        bool | None,
        typer.Option("--executed/--not-executed", help="Whether the tool ran to its end, where they do not say so."),
    ] = None,
    source: Annotated[str | None, typer.Option(help="Who says so, as a URI; default: the door.")] = None,
    time: Annotated[str | None, typer.Option(help="When it happened, where they do not say so.")] = None,
) -> None:
    """Take in files of outside formats. What was taken in before is recognised, so an interrupted run is simply run again.

    Exits with 1 if any file was refused or not understood; what the others say is recorded.
    """
    door = where(context).door()
    # What is no option of these is no word about the files.
    given = {
        option.removesuffix("_"): value for option, value in context.params.items() if option not in ("name", "files")
    }
    said = {
        name: str(value).lower() if value in (True, False) else str(value)
        for name, value in given.items()
        if value is not None
    }
    is_all_taken = True
    for path in files:
        content = read_input(path)
        try:
            status, document = door.take(name, content, said)
        except LedgerError as error:
            is_all_taken = False
            errors_console.print(f"{path}: {error}")
            continue
        for receipt in document["receipts"]:
            echo(f"{receipt['position']} {receipt['entry_hash']} {receipt['id']}")
        # Recorded before, it is answered in the same way whether it was understood or not.
        if status == 202 or document["receipts"][0]["id"].startswith(f"{name}/"):
            is_all_taken = False
            errors_console.print(f"{path}: was not understood; entry {document['receipts'][0]['position']} says why")
    if not is_all_taken:
        raise typer.Exit(1)

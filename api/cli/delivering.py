"""`delivery`: the five metrics of a service, a team or all, over any time."""

from typing import Annotated

import typer

from api.cli.common import cell, commands_of, where
from api.cli.terminal import Table, console, echo_json

app = commands_of()


@app.command()
def delivery(
    context: typer.Context,
    service: Annotated[str | None, typer.Option(help="Of one service.")] = None,
    team: Annotated[str | None, typer.Option(help="Of one team.")] = None,
    since: Annotated[str | None, typer.Option(help="From this time on, as 2026-11-01T00:00:00Z.")] = None,
    until: Annotated[str | None, typer.Option(help="Before this time.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, for programs, with the deployments.")] = False,
) -> None:
    """Print deployment frequency, lead time, failure rate, recovery time and rework rate."""
    found = where(context).door().delivery(service=service, team=team, since=since, until=until)
    if as_json:
        echo_json(found)
        return
    table = Table("metric", "value")
    for name, value in found.items():
        if name not in ("counted", "service", "team", "since", "until"):
            table.add(name, cell(value))
    console.print(table)

"""`show`, `tail`, `catalogue`: looking at the ledger."""

import json
from typing import Annotated

import typer

from api.cli.common import NOBODY_ELSE, AsJson, cell, commands_of, where
from api.cli.terminal import Table, console, echo, echo_json
from ledger.errors import NotFoundError

app = commands_of()


@app.command()
def show(
    context: typer.Context,
    position: Annotated[int, typer.Argument(min=1, help="Place in the ledger, from 1.")],
    as_json: AsJson = False,
) -> None:
    """Show one entry: what it says, who recorded it, and its place in the chain."""
    door = where(context).door()
    found = door.show(position)
    if as_json:
        echo_json(found)
        return
    entry, statement = found["entry"], found["entry"]["statement"]
    by = entry["recorded_by"]
    rows = {
        "type": statement["type"],
        "happened": statement["time"],
        "recorded": f"{entry['recorded_at']} by {by['principal']} ({by['trust']}, {by['credential']})",
        "source": f"{statement['source']}  id {statement['id']}",
        "refs": "  ".join(
            f"{ref} (no. {ordinal}, before: {before or 'none'})" for ref, (ordinal, before) in entry["refs"].items()
        ),
        "previous": entry["prev"],
        "entry hash": found["entry_hash"],
    }
    for name, value in statement["data"].items():
        text = found["texts"].get(name)
        if text is not None:
            value = f"“{text}”"
        elif isinstance(value, dict) and value.keys() == {"sha256"}:
            # The shape of an erasable text, and of nothing else: a test says so of the catalogue.
            value = f"(erased; {value['sha256']})"
        rows[f"  {name}"] = cell(value)
    width = max(map(len, rows))
    console.print(f"{position}: {found['says']}")
    for name, value in rows.items():
        console.print(f"{name:<{width}}  {value}")
    if door.works_alone():
        console.print(NOBODY_ELSE)


@app.command()
def tail(
    context: typer.Context,
    after: Annotated[
        int | None,
        typer.Option(min=0, help="Start after this position; default: the last ten, or all of a type or ref."),
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as the ledger grows.")] = False,
    event_type: Annotated[str | None, typer.Option("--type", help="Only this event type.")] = None,
    ref: Annotated[str | None, typer.Option(help="Only entries about this, such as change:CHG-7.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The entries themselves, one a line.")] = False,
) -> None:
    """Print entries as sentences, oldest first."""
    door = where(context).door()
    start = after
    if start is None:
        start = 0 if event_type or ref else max(0, door.size() - 10)
    for found in door.follow(start, event_type, ref, until_end=not follow):
        if as_json:
            echo(json.dumps(found["entry"]))
        else:
            entry = found["entry"]
            line = (
                f"{found['position']:>7}  {entry['recorded_at'][:19]}  {entry['statement']['type']:<26} {found['says']}"
            )
            console.print(line)


@app.command()
def catalogue(
    event_type: Annotated[str | None, typer.Argument(help="Show one type in full, as JSON.")] = None,
    as_json: AsJson = False,
) -> None:
    """List the event types, or show one with its schema and an example."""
    from api.desk.catalogue import describe
    from ledger.events import CATALOGUE

    if event_type is not None:
        if event_type not in CATALOGUE:
            raise NotFoundError(CATALOGUE.no_such(event_type))
        echo_json(describe(CATALOGUE[event_type]))
        return
    if as_json:
        echo_json([describe(event_class) for event_class in CATALOGUE.values()])
        return
    table = Table("type", "what it records")
    for event_class in CATALOGUE.values():
        table.add(event_class.type, " ".join((event_class.__doc__ or "").split()))
    console.print(table)

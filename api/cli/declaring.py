"""`import`, `tool`: which imports bring in history, and by which programs what the ledger gave out is checked.

Imports nothing by itself: what a credential records between the two commands is history.
"""

import hashlib
from pathlib import Path
from typing import Annotated, Any

import typer

from api.cli.common import AsJson, cell, commands_of, where
from api.cli.terminal import Table, console, echo, echo_json
from ledger.published.durable import read_bounded

app = commands_of()

import_app = typer.Typer(no_args_is_help=True, help="Imports of history: open, close, list.")
tool_app = typer.Typer(no_args_is_help=True, help="Programs that check what the ledger gave out: publish, check, list.")
app.add_typer(import_app, name="import")
app.add_typer(tool_app, name="tool")


@import_app.command("open")
def open_(
    context: typer.Context,
    import_id: Annotated[str, typer.Argument(help="A name that was never used, such as history-2026.")],
    credential: Annotated[str, typer.Option(help="Whose facts are history, such as token:9f2c41d07b3e.")],
    source: Annotated[list[str], typer.Option(help="Of these sources, exact or ending in *; may be repeated.")],
    until: Annotated[str, typer.Option(help="What they date before this time, such as 2026-01-01T00:00:00Z.")],
    reason: Annotated[str, typer.Option(help="Why, in one word such as migration.")],
) -> None:
    """Say that a credential brings in facts of long ago. They are judged by the times that they state, and marked so."""
    wanted = {"import_id": import_id, "credential": credential, "sources": source, "until": until, "reason": reason}
    receipt = where(context).door().open_import(wanted)
    console.print(f"opened {import_id}, recorded at position {receipt['position']}")


@import_app.command("close")
def close(context: typer.Context, import_id: Annotated[str, typer.Argument(help="As it was opened.")]) -> None:
    """End an import: what its credential records from here on is no history."""
    receipt = where(context).door().close_import(import_id)
    console.print(f"closed {import_id}, recorded at position {receipt['position']}")


@import_app.command("list")
def list_imports(context: typer.Context, as_json: AsJson = False) -> None:
    """List every import there was."""
    _print(
        where(context).door().imports(), as_json, "import_id", "credential", "until", "reason", "opened_at", "closed_at"
    )


@tool_app.command()
def publish(
    context: typer.Context,
    path: Annotated[Path, typer.Argument(help="The program, one file.")],
    version: Annotated[str, typer.Option(help="Which version of it; each is published once.")],
    name: Annotated[str | None, typer.Option(help="How it is called; default: the name of the file.")] = None,
) -> None:
    """Record the SHA-256 of a program, so that whoever is given it can tell that it is this one."""
    wanted = {"tool": name or path.name, "version": version, "sha256": _sha256(path)}
    receipt = where(context).door().publish_tool(wanted)
    console.print(f"published {wanted['tool']} {version}, recorded at position {receipt['position']}")
    echo(wanted["sha256"])


@tool_app.command()
def check(
    context: typer.Context,
    path: Annotated[Path, typer.Argument(help="A program that you were given.")],
    as_json: AsJson = False,
) -> None:
    """Say as which version a program was published. Exits with 1 when it was not."""
    digest = _sha256(path)
    found = [tool for tool in _tools(context) if tool["sha256"] == digest]
    if as_json:
        echo_json(found)
    elif found:
        for tool in found:
            console.print(f"{path} is {tool['tool']} {tool['version']}, published at position {tool['published_at']}")
    else:
        console.print(f"{path} was not published: its SHA-256 is {digest}", style="red")
    if not found:
        raise typer.Exit(1)


@tool_app.command("list")
def list_tools(context: typer.Context, as_json: AsJson = False) -> None:
    """List every program that was published."""
    _print(_tools(context), as_json, "tool", "version", "sha256", "published_at")


def _tools(context: typer.Context) -> list[dict[str, Any]]:
    """Return what was published, for which no server asks a token."""
    place = where(context)
    return (place.door() if place.server is None else place.remote_door()).tools()


def _sha256(path: Path) -> str:
    return hashlib.sha256(read_bounded(path)).hexdigest()


def _print(found: list[dict[str, Any]], as_json: bool, *columns: str) -> None:
    if as_json:
        echo_json(found)
        return
    table = Table(*columns)
    for item in found:
        table.add(*(cell(item[name]) for name in columns))
    console.print(table)

"""What all commands share: the app, its global options, and the consoles."""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer

from api.cli.doors import Door, LocalDoor, RemoteDoor
from api.cli.terminal import errors_console
from api.settings import Settings
from ledger.errors import SetupError

app = typer.Typer(
    name="change-ledger",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def cell(value: Any) -> str:
    """Return a value as a cell of a table: texts as they are, nothing as nothing, the rest as JSON."""
    return "" if value is None else value if isinstance(value, str) else json.dumps(value)


@dataclass(frozen=True)
class Where:
    """Which ledger the command works on."""

    settings: Settings
    server: str | None
    token: str | None
    # Whether it was given to this very command, and not by the environment.
    token_is_given: bool
    # What to do when the command ends, however it ends.
    at_end: Callable[[Callable[[], None]], object]
    # Whether the database was named on the command line: then it may be a copy, of which this host's signer knows nothing.
    elsewhere: bool = False

    def door(self) -> Door:
        if self.server is None:
            door = LocalDoor(self.settings)
            self.at_end(door.close)
            return door
        if not self.token:
            raise SetupError(
                "--server needs a token: --token or CHANGE_LEDGER_TOKEN. On the machine of the database, where none is needed, work "
                "without --server and CHANGE_LEDGER_SERVER"
            )
        if self.token_for(self.server) is None:
            raise SetupError(
                f"CHANGE_LEDGER_TOKEN is for CHANGE_LEDGER_SERVER, and goes nowhere else: give --token for {self.server}"
            )
        return self.remote_door()

    def token_for(self, url: str) -> str | None:
        """Return the token that may be sent to a URL: one that was given to this command, or the server's own to the server."""
        if self.token_is_given:
            return self.token
        meant_for = os.environ.get("CHANGE_LEDGER_SERVER") or self.server
        return self.token if meant_for and _host_of(meant_for) == _host_of(url) else None

    def remote_door(self) -> RemoteDoor:
        """Return the server as a door; what it asks a token for, it will say."""
        if self.server is None:
            raise SetupError("expected --server")
        door = RemoteDoor(self.server, self.token_for(self.server) or "")
        self.at_end(door.close)
        return door


def _host_of(url: str) -> tuple[str, str, int | None]:
    parsed = httpx.URL(url)
    return parsed.scheme, parsed.host, parsed.port


@app.callback()
def main(
    context: typer.Context,
    directory: Annotated[
        Path | None, typer.Option(help="Where the embedded database and the keys lie (./var).")
    ] = None,
    database_url: Annotated[
        str | None,
        typer.Option(
            help="SQLAlchemy URL of the database, or the path of a SQLite file; default: SQLite in the directory."
        ),
    ] = None,
    server: Annotated[
        str | None, typer.Option(envvar="CHANGE_LEDGER_SERVER", help="Work over HTTP on this server.")
    ] = None,
    token: Annotated[str | None, typer.Option(envvar="CHANGE_LEDGER_TOKEN", help="Bearer token for --server.")] = None,
) -> None:
    """A hash-chained, signed ledger of changes: post to it, read it, verify it."""
    given: dict[str, Any] = {"directory": directory, "database_url": database_url}
    for line in Settings.unknown_variables():
        errors_console.print(f"change-ledger: {line}")
    settings = Settings(**{name: value for name, value in given.items() if value is not None})
    is_given = getattr(context.get_parameter_source("token"), "name", "") == "COMMANDLINE"
    context.obj = Where(settings, server, token, is_given, context.call_on_close, database_url is not None)


def where(context: typer.Context) -> Where:
    found: Where = context.obj
    return found

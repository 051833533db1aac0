"""What all commands share: where their ledger is, and how a module declares commands.

Every module of commands is imported when one of its commands is asked for, so nothing here imports what only some need:
no settings, no database, no HTTP.
"""

import json
import os
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from ledger.errors import LedgerError, SetupError

if TYPE_CHECKING:
    from api.cli.doors import Door
    from api.cli.remote_door import RemoteDoor
    from api.settings import Settings

# What is told where one person works alone.
NOBODY_ELSE: Final = "nobody else looks at this: the policy says that one person works here alone"
_has_code: Final = re.compile(r"\bS[0-9]+: ").search
AsJson = Annotated[bool, typer.Option("--json", help="As JSON, for programs.")]


def commands_of() -> typer.Typer:
    """Return what a module declares its commands on, as `app`; `api.cli.COMMANDS` says which these are."""
    return typer.Typer(add_completion=False, rich_markup_mode=None)


def recorded(door: "Door", source: str, event_type: str, data: dict[str, Any]) -> dict[str, Any]:
    """State one fact of now by a door, and return its receipt. Raises LedgerError where it is refused."""
    from ledger.clock import Clock, to_text

    event = {
        "specversion": "1.0",
        "id": uuid.uuid4().hex,
        "source": source,
        "type": event_type,
        "time": to_text(Clock().now_us()),
        "data": data,
    }
    [answer] = door.append([event])
    if "problem" in answer:
        raise LedgerError(answer["problem"]["detail"])
    receipt: dict[str, Any] = answer["receipt"]
    return receipt


def in_words(said: str) -> str:
    """Return what a rule said, with the codes of duties explained, as the console has them."""
    if not _has_code(said):
        # The rules cost a second to import.
        return said
    from projections.rules.duties import explained

    return explained(said)


def cell(value: Any) -> str:
    """Return a value as a cell of a table: texts as they are, nothing as nothing, the rest as JSON."""
    return "" if value is None else value if isinstance(value, str) else json.dumps(value)


@dataclass(frozen=True)
class Where:
    """Which ledger the command works on."""

    given: dict[str, Any]
    server: str | None
    token: str | None
    # Whether it was given to this very command, and not by the environment.
    token_is_given: bool
    # What to do when the command ends, however it ends.
    at_end: Callable[[Callable[[], None]], object]
    # Whether the database was named on the command line: then it may be a copy, of which this host's signer knows nothing.
    elsewhere: bool = False

    @cached_property
    def settings(self) -> "Settings":
        """The settings, read when they are asked for: over HTTP there is nothing to set."""
        from api.settings import Settings

        return Settings(**self.given)

    def door(self) -> "Door":
        """Open the ledger: the database, or else the server, which then needs a token."""
        if self.server is None:
            from api.cli.local_door import LocalDoor

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

    def remote_door(self) -> "RemoteDoor":
        """Return the server as a door; what it asks a token for, it will say."""
        from api.cli.remote_door import RemoteDoor

        if self.server is None:
            raise SetupError("expected --server")
        door = RemoteDoor(self.server, self.token_for(self.server) or "")
        self.at_end(door.close)
        return door


def _host_of(url: str) -> tuple[str, str, int | None]:
    import httpx

    parsed = httpx.URL(url)
    return parsed.scheme, parsed.host, parsed.port


def where(context: typer.Context) -> Where:
    found: Where = context.obj
    return found

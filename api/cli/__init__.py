"""The command `change-ledger`: a ledger from a terminal, in its database or over HTTP.

Each module holds the commands of one concern, and is imported when one of them is asked for: a command pays for what it
uses. So nothing is imported here but the declarations of global options. `api.cli.doors` hides where the ledger is.
"""

import os
import sys
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from typer.core import TyperCommand, TyperGroup

from api.cli.common import Where
from api.cli.terminal import echo, errors_console

PROGRAM: Final = "change-ledger"
# By this variable the script of `completion` asks what may come next.
COMPLETION: Final = "_CHANGE_LEDGER_COMPLETE"
OF_THE_COMMAND: Final = ("CHANGE_LEDGER_SERVER", "CHANGE_LEDGER_TOKEN")
# name -> (module, what the list of commands says of it); a test holds it against the modules.
COMMANDS: Final = {
    "init": (
        "administration",
        "Make a ledger: its schema, its keys (mode 0600), its first entry; and pin it for this user.",
    ),
    "serve": ("serving", "Serve the API until stopped."),
    "migrate": (
        "administration",
        "Bring the schema to this version of the program, and put its verify.html on record.",
    ),
    "backup": ("administration", "Copy a SQLite ledger while it is in use."),
    "erase": ("administration", "Erase the texts of an entry."),
    "token": ("credentials", "Bearer tokens: create, list, revoke."),
    "trust-rule": (
        "credentials",
        "Trust rules: accept tokens of an issuer (OpenID Connect) that make certain claims.",
    ),
    "source": ("credentials", "Sources: enrol what may come in by a door, and for whom it may speak."),
    "import": ("declaring", "Imports of history: open, close, list."),
    "tool": ("declaring", "Programs that check what the ledger gave out: publish, check, list."),
    "clock": ("administration", "The ledger's clock."),
    "show": ("reading", "Show one entry: what it says, who recorded it, and its place in the chain."),
    "tail": ("reading", "Print entries as sentences, oldest first."),
    "catalogue": ("reading", "List the event types, or show one with its schema and an example."),
    "append": ("writing", "Append statements."),
    "intake": ("posting", "Take in files of outside formats."),
    "views": ("viewing", "Readings of the past: list them, fold them anew, check them."),
    "gate": ("gating", "Ask a gate."),
    "findings": ("answering", "Findings: list them, answer them, and see how those of each rule end."),
    "delivery": ("delivering", "Print deployment frequency, lead time, failure rate, recovery time and rework rate."),
    "policy": (
        "policies",
        "Policies as files: begin one, check it, hold it against what is in force, publish it; approve what was published.",
    ),
    "digest": (
        "digesting",
        "Print the digests of what statements say: of scopes, policies, risk models and templates.",
    ),
    "risk": ("risking", "Models of risk: backtest them, fit them."),
    "verify": ("verifying", "Verify the ledger."),
    "export": ("auditing", "Write the ledger as files that any web server can hold, and that are audited without us."),
    "audit": ("auditing", "Audit a ledger wherever its bytes lie: an export, a running server, a database."),
    "checkpoint": ("checkpoints", "Print the last checkpoint, after signing what is new where the checkpoint key is."),
    "proof": (
        "checkpoints",
        "Print the proof that an entry is in the tree, under the last checkpoint (C2SP tlog-proof).",
    ),
    "signer": ("checkpoints", "The signer of checkpoints: where it stands, taking over, restoring."),
    "heads": ("dossiers", "Commit to the last position of every ref, so that dossiers are complete up to here."),
    "dossier": (
        "dossiers",
        "Collect every entry about a ref, with its proofs, up to the last checkpoint.",
    ),
    "check-dossier": ("dossiers", "Check dossiers without the ledger."),
    "timestamp": ("timestamping", "Have a timestamp authority vouch for the last signed checkpoint."),
    "keys": ("keys", "Keys: list, make, prove, enrol, retire, revoke, recover."),
    "witness": ("witnessing", "A witness: cosigns the checkpoints of logs that never rewrite."),
    "completion": ("completing", "Print the script by which a shell completes commands and options."),
}


class Commands(TyperGroup):
    """All commands by name. Their help and their completion need no module of theirs; only the one that runs is imported."""

    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        self.commands.update((name, TyperCommand(name, help=doc)) for name, (_, doc) in COMMANDS.items())

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name, command, rest = super().resolve_command(ctx, args)
        return name, load(name) if name in COMMANDS else command, rest


def load(name: str) -> Any:
    """Return a command or a group of commands, whole, from its module."""
    return typer.main.get_group(import_module(f"api.cli.{COMMANDS[name][0]}").app).commands[name]


app = typer.Typer(
    name=PROGRAM,
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        echo(version(PROGRAM))
        raise typer.Exit


@app.callback()
def options(
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
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version of this program.")
    ] = False,
) -> None:
    """A hash-chained, signed ledger of changes: post to it, read it, verify it."""
    if any(name.startswith("CHANGE_LEDGER_") and name not in OF_THE_COMMAND for name in os.environ):
        from api.settings import Settings

        for line in Settings.unknown_variables():
            errors_console.print(f"change-ledger: {line}")
    given = {
        name: value for name, value in (("directory", directory), ("database_url", database_url)) if value is not None
    }
    is_given = getattr(context.get_parameter_source("token"), "name", "") == "COMMANDLINE"
    context.obj = Where(given, server, token, is_given, context.call_on_close, database_url is not None)


def main() -> None:
    """Run the command; say in one line what is wrong, and exit with 2 when it could not be done."""
    if COMPLETION in os.environ:
        from typer.completion import get_completion_inspect_parameters

        # It has a side effect: the shells are known from then on.
        get_completion_inspect_parameters()
    try:
        app(prog_name=PROGRAM)
    except Exception as error:
        # The process ends here, and in words: the classes of errors lie in packages that this command may not have imported.
        from api.cli.failing import words_of

        if (words := words_of(error)) is None:
            raise
        # Drivers and libraries explain themselves over several lines.
        errors_console.print(f"{PROGRAM}: {' '.join(part.strip() for part in words.splitlines())}")
        sys.exit(2)

"""`completion`: the script by which a shell completes the words of this command."""

import os
from enum import StrEnum
from typing import Annotated

import typer

from api.cli.common import commands_of

app = commands_of()


class Shell(StrEnum):
    """The shells for which there is a script."""

    bash = "bash"
    zsh = "zsh"
    fish = "fish"


@app.command()
def completion(shell: Annotated[Shell, typer.Argument(help="bash, zsh or fish.")]) -> None:
    """Print the script by which a shell completes commands and options.

    In bash and zsh: eval "$(change-ledger completion bash)" in the start-up file. In fish: change-ledger completion fish | source.
    """
    from api.cli import COMPLETION, main

    # As the shell itself would ask for its script; then the process ends.
    os.environ[COMPLETION] = f"source_{shell.value}"
    try:
        main()
    finally:
        del os.environ[COMPLETION]

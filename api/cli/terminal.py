"""What commands print, made safe: nothing that a stranger wrote is interpreted by a terminal, nor by the library that draws tables.

`safe` is the one function for it. `Terminal` and `Table` take every text through it; `echo` writes what programs read as it
is, and through `safe` only where a terminal would show it.
"""

import sys
from typing import IO

import rich.table
import typer
from rich.console import Console
from rich.text import Text


def safe(text: str) -> str:
    """Return a text as a terminal may show it: control characters, escapes, and what turns the direction are written out.

    >>> safe("a\\x1b[31mred, turned: \\u202e, two lines:\\nb")
    'a\\\\x1b[31mred, turned: \\\\u202e, two lines:\\\\nb'
    """
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


class Table(rich.table.Table):
    """A table whose cells are folded where they are too long, never cut: hashes and ids are there to be copied."""

    def __init__(self, *names: str) -> None:
        super().__init__(box=None)
        for name in names:
            self.add_column(Text(safe(name)), overflow="fold")

    def add(self, *cells: str) -> None:
        """Add a row."""
        self.add_row(*(Text(safe(text)) for text in cells))


class Terminal:
    """One of the two streams. Lines are never wrapped by us: a hash stays in one piece. A pipe has no width."""

    def __init__(self, *, stderr: bool = False) -> None:
        stream = sys.stderr if stderr else sys.stdout
        self.rich = Console(
            stderr=stderr, width=None if stream.isatty() else 250, markup=False, highlight=False, emoji=False
        )

    def print(self, what: str | Table, *, style: str | None = None) -> None:
        """Print a line, or a table."""
        if isinstance(what, Table):
            self.rich.print(what)
        else:
            self.rich.print(Text(safe(what)), style=style, soft_wrap=True)


def echo(text: str, *, nl: bool = True) -> None:
    """Write to stdout what programs read: exactly where it goes to a file or a pipe, safely where a terminal shows it."""
    stdout: IO[str] = sys.stdout
    typer.echo("\n".join(map(safe, text.split("\n"))) if stdout.isatty() else text, nl=nl)


# Results go to stdout, everything a person reads meanwhile to stderr, so that output can be piped.
console = Terminal()
errors_console = Terminal(stderr=True)

"""What commands print, made safe: nothing that a stranger wrote is interpreted by a terminal, nor by the library that draws tables.

`safe` is the one function for it. `Terminal` and `Table` take every text through it; `echo` writes what programs read as it
is, and through `safe` only where a terminal would show it.
"""

import json
import sys
from functools import cached_property
from typing import IO, TYPE_CHECKING, Final

import typer

if TYPE_CHECKING:
    from rich.console import Console

# In a pipe a column is at most so wide; what is longer runs over, in one piece.
MAX_PADDED: Final = 72


def safe(text: str) -> str:
    """Return a text as a terminal may show it: control characters, escapes, and what turns the direction are written out.

    >>> safe("a\\x1b[31mred, turned: \\u202e, two lines:\\nb")
    'a\\\\x1b[31mred, turned: \\\\u202e, two lines:\\\\nb'
    """
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


class Table:
    """A table: on a terminal its cells are folded where they are too long, in a pipe a row is a line. Never is a cell cut, and
    in a pipe never broken: hashes and ids are there to be copied.
    """

    def __init__(self, *names: str) -> None:
        self.rows = [tuple(map(safe, names))]

    def add(self, *cells: str) -> None:
        """Add a row."""
        self.rows.append(tuple(map(safe, cells)))

    def lines(self) -> list[str]:
        """Return the rows as lines, whatever their length."""
        widths = [min(MAX_PADDED, max(map(len, column))) for column in zip(*self.rows, strict=True)]
        return [
            "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in self.rows
        ]


class Terminal:
    """One of the two streams. Lines are never wrapped by us: a hash stays in one piece. A pipe has no width."""

    def __init__(self, *, stderr: bool = False) -> None:
        self._stderr = stderr

    @cached_property
    def rich(self) -> "Console":
        """The library that draws, imported when something is drawn."""
        from rich.console import Console

        return Console(stderr=self._stderr, markup=False, highlight=False, emoji=False)

    def print(self, what: str | Table, *, style: str | None = None) -> None:
        """Print a line, or a table."""
        stream: IO[str] = sys.stderr if self._stderr else sys.stdout
        if stream.isatty() and (style is not None or isinstance(what, Table)):
            self._draw(what, style)
            return
        # A plain line needs no library, which costs a fifth of a command's start. Whoever follows reads each line as it comes.
        for line in what.lines() if isinstance(what, Table) else [safe(what)]:
            print(line, file=stream, flush=True)

    def _draw(self, what: str | Table, style: str | None) -> None:
        from rich.table import Table as Drawn
        from rich.text import Text

        if isinstance(what, str):
            self.rich.print(Text(safe(what)), style=style, soft_wrap=True)
            return
        drawn = Drawn(box=None)
        head, *rows = what.rows
        for name in head:
            drawn.add_column(Text(name), overflow="fold")
        for row in rows:
            drawn.add_row(*map(Text, row))
        self.rich.print(drawn)


def echo(text: str, *, nl: bool = True) -> None:
    """Write to stdout what programs read: exactly where it goes to a file or a pipe, safely where a terminal shows it."""
    stdout: IO[str] = sys.stdout
    typer.echo("\n".join(map(safe, text.split("\n"))) if stdout.isatty() else text, nl=nl)


def echo_json(found: object) -> None:
    """Write what a command found as JSON, for programs and for whoever reads along."""
    echo(json.dumps(found, indent=2))


# Results go to stdout, everything a person reads meanwhile to stderr, so that output can be piped.
console = Terminal()
errors_console = Terminal(stderr=True)

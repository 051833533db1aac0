"""`Listing`: a view with a row for each entry and each thing that the entry is about: a list that any number of entries make longer.

A row is written once. It says what was recorded, and stays when the statement is taken back: then it says where. So how a list
stood at an earlier position is read from its rows, and nothing is folded again; and a page of a long list costs as much as one
of a short one, for the key of a row is what it is about and its position, and the keys of one list are neighbours:

    42 is about CHG-7 and CHG-8        ->   rows CHG-7/0000000000000042 and CHG-8/0000000000000042
    42 is withdrawn, from 50 on        ->   both rows: withdrawn_position 50; as of 49 they have none

Not a log of its own: what a line says is in the entry, and the row is made from it alone.
"""

from collections.abc import Callable, Iterable
from typing import Any, Final, TypeVar

from projections.engine.view import DeclarationError, E, EntryInfo, View, keys_of, replace

R = TypeVar("R")
# Columns that every line has.
POSITION: Final = "position"
WITHDRAWN_POSITION: Final = "withdrawn_position"
SEPARATOR: Final = "/"
# As many digits as the greatest position has: texts compare as positions do.
DIGITS: Final = 16


class Listing(View[R]):
    """A view of lines. `about` names the column of what a line is about; others hold its position, and where it was taken back."""

    keeps_past = True

    def __init__(
        self,
        name: str,
        *,
        version: int,
        row: type[R],
        doc: str,
        about: str,
        reads: Iterable[View[Any]] = (),
        indexes: Iterable[str] = (),
    ) -> None:
        # No entry names a line by a ref: nobody looks for one before it is written.
        super().__init__(
            name,
            version=version,
            row=row,
            doc=doc,
            kind="line",
            reads=tuple(reads),
            entries_of=lambda key, row: (),
            indexes=(about, *indexes),
        )
        if missing := {about, POSITION, WITHDRAWN_POSITION} - set(self.columns):
            raise DeclarationError(f"the lines of {name} have no column {' and no '.join(sorted(missing))}")
        self.about = about

    def on(
        self, *events: type[E], key: Callable[..., str | Iterable[str] | None]
    ) -> Callable[[Callable[[R, E, EntryInfo], R | None]], Callable[[R, E, EntryInfo], R | None]]:
        """Write a line for entries of these types, for each thing that `key(event)` or `key(event, entry)` names."""
        things = keys_of(key)
        return super().on(
            *events, key=lambda event, entry: [line_of(thing, entry.position) for thing in things(event, entry)]
        )

    def new(self, key: str) -> R:
        """Return a line before it is written."""
        about, _, position = key.rpartition(SEPARATOR)
        return replace(super().new(key), **{self.about: about, POSITION: int(position)})  # type: ignore[type-var]

    def as_of(self, row: R | None, position: int) -> R | None:
        """Return a line as it stood at a position, or None where there was none yet."""
        if row is None or getattr(row, POSITION) > position:
            return None
        return replace(row, withdrawn_position=None) if (getattr(row, WITHDRAWN_POSITION) or 0) > position else row  # type: ignore[type-var]

    def taken_back(self, row: R | None, position: int) -> R | None:
        """Return a line after its statement was taken back, at a position."""
        return None if row is None else replace(row, withdrawn_position=position)  # type: ignore[type-var]


def line_of(thing: str, position: int) -> str:
    """Return the key of the line about something that an entry made."""
    return f"{thing}{SEPARATOR}{position:0{DIGITS}}"

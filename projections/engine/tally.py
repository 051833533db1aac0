"""`Tally`: a view that counts rows of another view: by scope, by month, by whatever a row is part of.

It follows from rows, as findings do: when a row of the other view changed, what it was part of is taken away, and what it
is part of now is added. Every such part is kept, with its position. So how a count stood at an earlier position is the sum
of the parts up to there, and nothing is folded again: labels name their change, and not what it counts in. What was
taken back later was counted then, and is in that sum.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from ledger.conditions import Match
from projections.engine.view import EntryInfo, View

R = TypeVar("R")
# What is counted of a row: plain values, which JSON gives back as they were.
Part = tuple[str | int | bool | None, ...]


class Tally(View[R]):
    """Rows that count the rows of `of`. `parts` says what a row is part of, by key; `add` counts one part, or takes it away."""

    keeps_past = True

    def __init__(
        self,
        name: str,
        *,
        version: int,
        row: type[R],
        doc: str,
        kind: str,
        of: View[Any],
        parts: Callable[[Any], Mapping[str, Part]],
        add: Callable[[R, Part, int], R],
        indexes: Sequence[str] = (),
    ) -> None:
        # Any entry that changes a row of `of` may change a count, whatever it names.
        super().__init__(
            name,
            version=version,
            row=row,
            doc=doc,
            kind=kind,
            reads=(of,),
            entries_of=lambda key, row: (Match(tuple(of.folds)),),
            indexes=indexes,
        )
        # Of rows that are judged, a count is made when they are.
        self.is_judged = of.is_judged
        self.of = of
        self.parts = parts
        self.add = add

    def changes(self, before: Any, after: Any) -> list[tuple[str, Part, int]]:
        """Return the parts to take away (-1) and to add (1), by key, when a row changed."""
        old = self.parts(before) if before is not None else {}
        new = self.parts(after) if after is not None else {}
        taken = [(key, part, -1) for key, part in old.items() if new.get(key) != part]
        return taken + [(key, part, 1) for key, part in new.items() if old.get(key) != part]

    def settled(self, before: R | None, after: R, entry: EntryInfo) -> R:
        """Return a count after an entry that moved it, with what it keeps of the move itself; most keep nothing."""
        return after

    def with_past(self, row: R, live: R | None, position: int) -> R:
        """Return a count as of a position with what it had kept of its moves by then; `live` is the row now."""
        return row

    def standing(self, row: R) -> R | None:
        """Return a count as it is kept: none where nothing is left in its numbers and lists, as if there had never been anything."""
        return row if any(value for value in vars(row).values() if isinstance(value, (int, tuple))) else None

    def as_of(self, key: str, parts: Sequence[tuple[Part, int]]) -> R | None:
        """Return a row by its parts up to a position, or None where there was none yet."""
        row = self.new(key)
        for part, count in parts:
            if count:
                row = self.add(row, part, count)
        return row if parts else None


class Live(Protocol):
    """Rows as they stand now, and the parts that counts are sums of."""

    def row(self, view: View[R], key: str) -> R | None:
        """Return a row, or None where there is none."""

    def require(self, view: View[Any], position: int) -> None:
        """Raise LedgerError where the rows of a view do not stand at a position yet: what is kept with them is not all there."""

    def parts(self, view: Tally[Any], key: str, up_to: int) -> list[tuple[Part, int]]:
        """Return the parts of a row up to a position, each with how often it counts."""

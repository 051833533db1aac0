"""Facts in parts: a summary says of how many statements it is, and rows note which of them came, in whatever order."""

from typing import Any, TypeVar

from projections.engine.view import replace

R = TypeVar("R", bound="InParts")


class InParts:
    """A row that is told in `parts` statements beside its summary, of which those in `seen` came."""

    parts: int
    seen: tuple[int, ...]

    @property
    def missing(self) -> list[int]:
        """The parts that did not come."""
        return [part for part in range(1, self.parts + 1) if part not in self.seen]


def with_part(row: R, part: int) -> R:
    """Return a row that knows that a part came: the same where it knew."""
    if part in row.seen:
        return row
    # A dataclass, as all rows are; that it is one, no bound of a type variable can say beside this.
    told: Any = row
    known: R = replace(told, seen=(*row.seen, part))
    return known

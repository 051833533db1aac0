"""Facts in parts: a summary says of how many statements it is, and rows note which of them came, in whatever order."""

from collections.abc import Container
from itertools import islice
from typing import Any, Final, TypeVar

from projections.engine.view import replace

R = TypeVar("R", bound="InParts")
# So many that did not come are told: whoever says of how many parts something is, may say any number.
MOST_MISSED: Final = 1000


def missing_of(count: int, there: Container[int]) -> list[int]:
    """Return which of the numbers from 1 to `count` are not there: the first ones."""
    return list(islice((number for number in range(1, count + 1) if number not in there), MOST_MISSED))


class InParts:
    """A row that is told in `parts` statements beside its summary, of which those in `seen` came."""

    parts: int
    seen: tuple[int, ...]

    @property
    def missing(self) -> list[int]:
        """The parts that did not come: the first ones."""
        return missing_of(self.parts, set(self.seen))


def with_part(row: R, part: int) -> R:
    """Return a row that knows that a part came: the same where it knew."""
    if part in row.seen:
        return row
    # A dataclass, as all rows are; that it is one, no bound of a type variable can say beside this.
    told: Any = row
    known: R = replace(told, seen=(*row.seen, part))
    return known

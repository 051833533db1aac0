"""Which of many things are kept: whoever adds one too many loses the oldest of their own, and pushes nobody else's out."""

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from typing import TypeVar

T = TypeVar("T")


def kept(items: Sequence[T], added: T, whose: Callable[[T], Hashable], at_most: int) -> tuple[T, ...]:
    """Return items, the oldest first, without one where they are too many: of whoever added one, or else of whoever has most."""
    if len(items) <= at_most:
        return tuple(items)
    counts = Counter(whose(item) for item in items)
    loser = whose(added) if counts[whose(added)] > 1 else max(counts, key=lambda name: counts[name])
    dropped = next(item for item in items if whose(item) == loser)
    return tuple(item for item in items if item is not dropped)

"""Which of many things are kept and looked at: whoever says very much loses the oldest of their own, and pushes nobody else's out."""

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


def ends_of_each(items: Sequence[T], added: T, whose: Callable[[T], Hashable], at_most: int) -> tuple[T, ...]:
    """Return items and one more, of everybody the first and the last alone: what came between says nothing that these do not.

    Of very many people the first and the last ones are kept.
    """
    same = [item for item in items if whose(item) == whose(added)]
    dropped = same[1] if len(same) > 1 else items[at_most // 2] if len(items) >= at_most else None
    return (*(item for item in items if item is not dropped), added)


def last_of_each(items: Sequence[T], whose: Callable[[T], Hashable], at_most: int) -> Sequence[T]:
    """Return so many of the items, in their order: the last ones, of everybody as many as of whoever has more."""
    if len(items) <= at_most:
        return items
    counts = Counter(whose(item) for item in items)
    left, share = at_most, 0
    for others, count in zip(range(len(counts), 0, -1), sorted(counts.values()), strict=True):
        share = left // others
        if count > share:
            break
        left -= count
    found: list[T] = []
    taken: Counter[Hashable] = Counter()
    for item in reversed(items):
        name = whose(item)
        if taken[name] < share:
            taken[name] += 1
            found.append(item)
    # Where there are more of them than things to look at, the last ones speak.
    return found[::-1] or items[-at_most:]

"""Words for people: lists that stay short, however much there is to say."""

from collections.abc import Iterable
from itertools import islice
from typing import Final

AT_MOST: Final = 10


def listed(items: Iterable[str], separator: str = ", ") -> str:
    """Return the first ten items as one text, and how many more there are.

    >>> listed(str(number) for number in range(12))
    '0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 2 more'
    """
    rest = iter(items)
    first = separator.join(islice(rest, AT_MOST))
    more = sum(1 for _ in rest)
    return f"{first} and {more} more" if more else first

"""Orders: what has to come before what, and whether that can be at all. Pure; not what the things are.

>>> circle([("web", "api"), ("api", "db")]) is None
True
>>> circle([("web", "api"), ("api", "db"), ("db", "web")])
('api', 'db', 'web', 'api')
"""

from collections.abc import Iterable
from graphlib import CycleError, TopologicalSorter


def circle(pairs: Iterable[tuple[str, str]]) -> tuple[str, ...] | None:
    """Return things of which each needs the next, and the last is the first; None where there are none.

    Pairs are who needs what. The same pairs in any order give the same circle, which begins with the thing that sorts first.
    """
    sorter: TopologicalSorter[str] = TopologicalSorter()
    for needs, needed in sorted(set(pairs)):
        sorter.add(needs, needed)
    try:
        sorter.prepare()
    except CycleError as error:
        # Each before what needs it; told here the other way round.
        found = list(reversed(error.args[1]))[:-1]
        first = found.index(min(found))
        return (*found[first:], *found[:first], found[first])
    return None

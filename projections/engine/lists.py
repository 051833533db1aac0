"""Long lists of rows, kept item by item: a row with a thousand approvals is not written whole for one more.

A list of more than `LONG` items lies in a table of its own, an item a line, and of a row that changed only the items that
changed are written: n statements about one subject write O(n) bytes. In the row's text its length stands in the list's
place, and the text begins with a blank, which no other does. In the row's column, for analysts, stand the first and the last of it:

    approvals of 900  ->  [first 8 …, {"left_out": 884}, last 8 …], and 900 lines of items_of_change_tickets

What folds, rules and doors read is the whole row. Which lists a view has follows from its row model.
"""

import typing
from collections.abc import Iterable, Mapping
from dataclasses import fields
from functools import cache
from typing import Any, Final

import orjson

from projections.engine.view import View

# A list that has more items is long.
LONG: Final = 32
# So many of the first and of the last of a long list stand in its column.
SHOWN: Final = 8
_MARK: Final = " "
# Of one long list of a row, by its column: the texts of its items, in their order.
Items = Mapping[str, list[str]]


@cache
def list_columns(view: View[Any]) -> tuple[str, ...]:
    """Return the columns of a view that hold lists."""
    hints = typing.get_type_hints(view.row, include_extras=True)
    names = (field.name for field in fields(view.row))
    return tuple(name for name in names if typing.get_origin(hints[name]) is tuple)


def long_columns(view: View[Any], row: Any) -> list[str]:
    """Return the columns of a row whose lists are long."""
    held = row.__dict__
    return [name for name in list_columns(view) if len(held[name]) > LONG]


def text_of(view: View[Any], row: Any) -> str:
    """Return the text of a row as its table has it: the canonical one, unless a list is long."""
    if not (long := long_columns(view, row)):
        return view.dump(row)
    return _MARK + orjson.dumps(row.__dict__ | {name: len(row.__dict__[name]) for name in long}).decode()


def is_cut(text: str) -> bool:
    """Say whether lists of a row lie elsewhere than in its text."""
    return text.startswith(_MARK)


def whole(view: View[Any], text: str, items: Items) -> str:
    """Return the canonical text of a row from the one in its table, and the items of its long lists."""
    row = orjson.loads(text)
    return orjson.dumps(
        {name: [orjson.Fragment(item) for item in items[name]] if name in items else row[name] for name in view.columns}
    ).decode()


def shown(items: tuple[Any, ...]) -> list[Any]:
    """Return what a column shows of a list: the first and the last of a long one, and how many are between them."""
    if len(items) <= LONG:
        return list(items)
    return [*items[:SHOWN], {"left_out": len(items) - 2 * SHOWN}, *items[-SHOWN:]]


def moved(view: View[Any], key: str, before: Any, after: Any) -> tuple[list[list[Any]], list[tuple[str, str, int]]]:
    """Return what a changed row writes of its long lists.

    That is (key, column, place, item) for each item that is another one, and (key, column, length) for each list that is shorter.
    """
    written: list[list[Any]] = []
    shorter: list[tuple[str, str, int]] = []
    for name in list_columns(view):
        old, new = (_kept(row, name) for row in (before, after))
        if old is new:
            continue
        written += [[key, name, place, orjson.dumps(new[place]).decode()] for place in _changed(old, new)]
        if len(new) < len(old):
            shorter.append((key, name, len(new)))
    return written, shorter


def _kept(row: Any, name: str) -> tuple[Any, ...]:
    items: tuple[Any, ...] = row.__dict__[name] if row is not None else ()
    return items if len(items) > LONG else ()


def _changed(old: tuple[Any, ...], new: tuple[Any, ...]) -> Iterable[int]:
    # Mostly a list has grown at its end; that is seen without a look at each.
    if new[: len(old)] == old:
        return range(len(old), len(new))
    return [place for place, item in enumerate(new) if place >= len(old) or old[place] != item]

"""Filters of lists: which questions about a column there are, how their values are read, and what they mean in SQL.

`COLUMN=VALUE` are rows with that value, `COLUMN__gte=` and its like a range, `COLUMN__in=` one of several values with
commas between, `COLUMN__null=true` rows without a value. What is read here is what the description of the API says:
both are made from the annotation of the column. Nothing here knows how rows are sorted or paged.
"""

import operator
import re
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ledger.clock import from_text, to_text
from ledger.errors import StatementError, no_such
from projections.engine.tables import table_of
from projections.engine.view import Moment, Number, View

MAX_VALUE: Final = 2000
MAX_LISTED: Final = 100
_RANGES: Final[Mapping[str, Callable[[Any, Any], Any]]] = {
    "gte": operator.ge,
    "gt": operator.gt,
    "lte": operator.le,
    "lt": operator.lt,
}
_SAID: Final = {"gte": "at least", "gt": "more than", "lte": "at most", "lt": "less than"}


def _itself(value: Any) -> Any:
    return value


@dataclass(frozen=True)
class Kind:
    """What a column holds: the words for a value of it, the pattern of one, and how it is read."""

    words: str
    pattern: str
    example: str
    read: Callable[[str], Any]
    values: tuple[str, ...] = ()
    # How two values are compared, where that is not how Python compares what was read.
    order: Callable[[Any], Any] = _itself
    is_ordered: bool = True

    def parse(self, text: str, name: str) -> Any:
        """Return the value of a parameter as its column holds it. Raises StatementError naming the parameter."""
        try:
            if re.fullmatch(self.pattern, text, re.DOTALL):
                return self.read(text)
        except ValueError:
            pass
        raise StatementError(f"expected {name} to be {self.words}, found {text[:80]!r}", f"/{name}")


def read_time(text: str) -> Moment:
    """Return a time with offset as columns hold it. Raises ValueError for what is no such time."""
    # A blank is what a plus sign becomes in a query that nobody encoded.
    return to_text(from_text(text.replace(" ", "+")))


_BOOL: Final = Kind("true or false", "true|false", "true", lambda text: text == "true", is_ordered=False)
_INT: Final = Kind("a whole number", r"-?(0|[1-9][0-9]{0,15})", "1042", int)
_TIME: Final = Kind("a time with offset, such as 2026-11-23T12:00:00Z", ".*", "2026-11-23T12:00:00Z", read_time)
_NUMBER: Final = Kind("a decimal number, such as 0.05", r"-?[0-9]{1,30}(\.[0-9]{1,50})?", "0.05", str, order=Decimal)
TEXT: Final = Kind("a text without U+0000", r"[^\x00]*", "payments-api", str, order=str.encode)


def kind_of(view: View[Any], column: str) -> Kind:
    """Return what a column of a view holds."""
    some = next(part for part in _parts(filterable(view)[column]) if part is not type(None))
    if values := view.values_of(column) or (typing.get_args(some) if typing.get_origin(some) is typing.Literal else ()):
        words = f"one of {', '.join(values)}" if len(values) > 1 else values[0]
        return Kind(words, "|".join(map(re.escape, values)), values[0], str, values, is_ordered=False)
    return {bool: _BOOL, int: _INT, Moment: _TIME, Number: _NUMBER}.get(some, TEXT)


def _parts(annotation: Any) -> tuple[Any, ...]:
    is_union = typing.get_origin(annotation) in (types.UnionType, typing.Union)
    return typing.get_args(annotation) if is_union else (annotation,)


@cache
def filterable(view: View[Any]) -> dict[str, Any]:
    """Return the columns that rows can be chosen and sorted by, and their annotations: all but lists and nested parts."""
    hints = typing.get_type_hints(view.row, include_extras=True)
    plain = {"TEXT", "INTEGER", "BIGINT", "BOOLEAN"}
    columns = table_of(view).columns
    return {
        name: hints[name]
        for name in view.columns
        if columns[name].type.compile() in plain and typing.get_origin(hints[name]) is not tuple
    }


@cache
def filters_of(view: View[Any]) -> dict[str, tuple[str, str]]:
    """Return every filter of a view by the name of its parameter: the column, and what is asked of it (`""`: that it is equal)."""
    found: dict[str, tuple[str, str]] = {}
    for column, annotation in filterable(view).items():
        kind = kind_of(view, column)
        found[column] = (column, "")
        if kind is not _BOOL:
            found[f"{column}__in"] = (column, "in")
        for name in _RANGES if kind.is_ordered else ():
            found[f"{column}__{name}"] = (column, name)
        if type(None) in _parts(annotation):
            found[f"{column}__null"] = (column, "null")
    return found


def parameter_of(view: View[Any], name: str) -> dict[str, Any]:
    """Return a filter as OpenAPI describes a parameter."""
    column, asked = filters_of(view)[name]
    kind = kind_of(view, column)
    schema: dict[str, Any] = {"type": "string"}
    if asked == "null" or kind is _BOOL:
        schema = {"type": "boolean"}
    elif asked == "in":
        # A text, and no array: clients write arrays in many ways, and commas in one.
        one = f"({kind.pattern})" if kind.values or kind in (_INT, _NUMBER) else r"[^,\x00]+"
        schema |= {"pattern": f"^{one}(,{one}){{0,{MAX_LISTED - 1}}}$", "maxLength": MAX_VALUE}
    elif kind.values:
        schema |= {"enum": list(kind.values)}
    elif kind is _INT:
        schema = {"type": "integer", "minimum": -(10**16) + 1, "maximum": 10**16 - 1}
    elif kind is _TIME:
        schema |= {"format": "date-time"}
    else:
        schema |= {"pattern": f"^{kind.pattern}$", "maxLength": MAX_VALUE}
    says = {
        "": f"Only rows with this {column}.",
        "in": f"Only rows with one of these as {column}, with commas between.",
        "null": f"true: only rows without {column}; false: only rows with one.",
    }
    described = says.get(asked) or f"Only rows whose {column} is {_SAID[asked]} this."
    found = {"name": name, "in": "query", "required": False, "schema": schema, "description": described}
    return found if schema["type"] == "boolean" else found | {"example": kind.example}


def comparable(connection: Connection, view: View[Any], column: str) -> sa.ColumnElement[Any]:
    """Return a column as it is compared and sorted: SQLite holds numbers as texts, and compares them by a collation of ours."""
    found = table_of(view).c[column]
    if kind_of(view, column) is _NUMBER and connection.dialect.name == "sqlite":
        return found.collate("decimal")
    return found


def conditions(connection: Connection, view: View[Any], where: Mapping[str, str]) -> list[sa.ColumnElement[bool]]:
    """Return the conditions of filters, by the names of their parameters.

    Raises StatementError for a name that the view does not know, a value that its column cannot hold, and a range
    that ends before it begins.
    """
    found: list[sa.ColumnElement[bool]] = []
    bounds: dict[str, dict[str, Any]] = {}
    for name, text in where.items():
        if name not in filters_of(view):
            raise StatementError(no_such(f"filter of {view.name}", name, filters_of(view)), f"/{name[:80]}")
        column, asked = filters_of(view)[name]
        if len(text) > MAX_VALUE:
            raise StatementError(f"expected at most {MAX_VALUE} characters, found {len(text)}", f"/{name}")
        t, kind = comparable(connection, view, column), kind_of(view, column)
        if asked == "null":
            found.append(t.is_(None) if _BOOL.parse(text, name) else t.is_not(None))
        elif asked == "in":
            texts = text.split(",")
            if len(texts) > MAX_LISTED:
                raise StatementError(f"expected at most {MAX_LISTED} values, found {len(texts)}", f"/{name}")
            if "" in texts:
                raise StatementError(
                    "expected values with one comma between them, found none before or after a comma", f"/{name}"
                )
            found.append(t.in_([kind.parse(part, name) for part in texts]))
        else:
            value = kind.parse(text, name)
            found.append(_RANGES[asked](t, value) if asked else t == value)
            if asked:
                bounds.setdefault(column, {})[asked] = kind.order(value)
    for column, given in bounds.items():
        _check_range(column, given)
    return found


def _check_range(column: str, given: Mapping[str, Any]) -> None:
    for low in {"gte", "gt"} & given.keys():
        for high in {"lte", "lt"} & given.keys():
            if given[low] > given[high] or (given[low] == given[high] and (low, high) != ("gte", "lte")):
                raise StatementError(
                    f"expected {column}__{low} before {column}__{high}: no value is between", f"/{column}__{high}"
                )

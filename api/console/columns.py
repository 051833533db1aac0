"""Columns: what a row model says about itself, so that a view needs no page of its own.

Made from the dataclass of the rows: what kind of value a field holds, what it is called in words, and whether its value is the
name of something that has a page. A nested part is columns again; a list is a list of what its items are.

    approvals: tuple[Approval, ...]   ->   Column("approvals", "approvals", "part", is_list, the columns of Approval)
    deployment_id: str | None         ->   Column("deployment_id", "deployment", "ref", names "deployment")

Nothing here knows a view by name, nor how a value looks (`templates/values.html`).
"""

import dataclasses
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, Literal

from ledger.events import CATALOGUE
from projections.engine.filters import filterable, kind_of
from projections.engine.view import Moment, Number, View

Kind = Literal["moment", "number", "integer", "seconds", "position", "boolean", "word", "digest", "ref", "text", "part"]

# Under which field names events name things: the kind of each. `change_id` names a change, `services` name services.
KINDS: Final[Mapping[str, str]] = {
    field: kind for event_class in CATALOGUE.values() for kind, field, _ in event_class.ref_fields
}
# Columns of rows that name things, and are called otherwise than in events.
_ALSO: Final[Mapping[str, str]] = {"deployments": "deployment", "incidents": "incident", "rollbacks": "rollback"}
_DIGESTS: Final = ("digest", "sha256", "sha", "artifact", "said", "commit")
# A list shows so many columns at first; all are one click away.
SHOWN: Final = 8


@dataclass(frozen=True)
class Column:
    """One field of a row: its name, what it is called, and what it holds. `names` is the kind of thing whose name it holds."""

    name: str
    label: str
    kind: Kind
    is_list: bool = False
    names: str = ""
    parts: tuple["Column", ...] = ()

    @property
    def is_numeric(self) -> bool:
        return self.kind in ("number", "integer", "seconds", "position") and not self.is_list


def label_of(name: str) -> str:
    """Return what a column is called: `recovery_time_s` is recovery time, `is_open` is open."""
    plain = name.removeprefix("is_").removesuffix("_id").removesuffix("_at").removesuffix("_s")
    return (plain or name).replace("_", " ")


@cache
def columns_of(view: View[Any]) -> tuple[Column, ...]:
    """Return the columns of a view's rows, in the order of their declaration."""
    return _columns(view.row)


def _columns(row: type[Any]) -> tuple[Column, ...]:
    hints = typing.get_type_hints(row, include_extras=True)
    return tuple(_column(field.name, hints[field.name]) for field in dataclasses.fields(row))


def _column(name: str, annotation: Any) -> Column:
    some, is_list = _inside(annotation)
    label = label_of(name)
    if dataclasses.is_dataclass(some):
        return Column(name, label, "part", is_list, parts=_columns(typing.cast(type[Any], some)))
    kind = KINDS.get(name) or _ALSO.get(name)
    if kind is not None and some is str:
        return Column(name, label, "ref", is_list, kind)
    return Column(name, label, _plain(name, some), is_list)


def _plain(name: str, annotation: Any) -> Kind:
    if annotation == Moment:
        return "moment"
    if annotation == Number:
        return "number"
    if annotation is bool:
        return "boolean"
    if annotation is int:
        if name in ("position", "positions", "as_of") or name.endswith(("_position", "_positions")):
            return "position"
        return "seconds" if name.endswith("_s") else "integer"
    if typing.get_origin(annotation) is Literal:
        return "word"
    return "digest" if name.rpartition("_")[2] in _DIGESTS else "text"


def _inside(annotation: Any) -> tuple[Any, bool]:
    """Return what a value is when it is there, and whether it is a list of such."""
    if typing.get_origin(annotation) in (types.UnionType, typing.Union):
        some = [part for part in typing.get_args(annotation) if part is not type(None)]
        return _inside(some[0])
    if typing.get_origin(annotation) is tuple:
        inner = typing.get_args(annotation)
        return (inner[0] if inner else str), True
    return annotation, False


def shown(view: View[Any], rows: list[dict[str, Any]]) -> list[Column]:
    """Return the columns that a list shows at first: the key, those that are asked by most, and others while there is room.

    A column in which no row of the page says anything is left out; so is one that rows of an earlier version of the view do not have.
    """
    plain = [column for column in columns_of(view) if column.name in filterable(view)]
    said = [c for c in plain if c.name == view.key or any(row.get(c.name) not in (None, "") for row in rows)]
    order = {name: place for place, name in enumerate((view.key, *view.indexes))}
    ranked = sorted(said, key=lambda c: (order.get(c.name, len(order)), c.kind == "digest", c.kind == "position"))
    chosen = {column.name for column in ranked[:SHOWN]}
    return [column for column in said if column.name in chosen]


@dataclass(frozen=True)
class Facet:
    """One question about a column in the form above a list: one of some values, a text, or from when to when."""

    column: Column
    values: tuple[str, ...] = ()


def facets_of(view: View[Any]) -> Iterator[Facet]:
    """Yield what a list may be narrowed by at first: columns of few values, those that are looked up most, and times."""
    for column in columns_of(view):
        if column.name not in filterable(view):
            continue
        kind = kind_of(view, column.name)
        values = ("true", "false") if column.kind == "boolean" else kind.values
        if values or column.name in view.indexes or column.name == view.key:
            yield Facet(column, values)

"""Where rows of views lie: `Store`, and one in memory, for backtests and for checking what the database serves.

Not the database's own: that is `projections.engine.sql_store`.
"""

import hashlib
import itertools
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, Protocol

import orjson

from projections.engine.noted import MemoryNotes, NotesStore
from projections.engine.tally import Part, Tally
from projections.engine.view import View

# Rows to write: None takes a row away.
Rows = Mapping[str, Any | None]
# Parts of counts to write: how often each part of a key counts at a position.
Parts = Mapping[tuple[str, int, Part], int]


class Store(Protocol):
    """Rows of views, by key."""

    def load(self, view: View[Any], keys: Collection[str]) -> dict[str, Any]:
        """Return the rows that there are."""

    def find(self, view: View[Any], column: str, value: str | bool) -> list[str]:
        """Return the keys of rows whose column holds a value."""

    def notes(self, view: View[Any]) -> NotesStore:
        """Return what is noted of the judgements of a view."""

    def parts(self, view: Tally[Any], key: str, up_to: int) -> list[tuple[Part, int]]:
        """Return the parts of a count up to a position, each with how often it counts."""

    def texts(self, view: View[Any]) -> Iterator[str]:
        """Yield the texts of all rows of a view, sorted by key."""

    def part_texts(self, view: Tally[Any]) -> Iterator[str]:
        """Yield all parts of a view that counts, as JSON: key, position, part and count; sorted."""


class MemoryStore:
    """A store that forgets with the process."""

    def __init__(self) -> None:
        self._rows: dict[str, dict[str, Any]] = defaultdict(dict)
        self._parts: dict[str, dict[str, list[tuple[int, Part, int]]]] = defaultdict(lambda: defaultdict(list))
        self._notes: dict[str, MemoryNotes] = defaultdict(MemoryNotes)

    def load(self, view: View[Any], keys: Collection[str]) -> dict[str, Any]:
        rows = self._rows[view.name]
        return {key: rows[key] for key in keys if key in rows}

    def find(self, view: View[Any], column: str, value: str | bool) -> list[str]:
        return [key for key, row in self._rows[view.name].items() if getattr(row, column) == value]

    def notes(self, view: View[Any]) -> MemoryNotes:
        return self._notes[view.name]

    def parts(self, view: Tally[Any], key: str, up_to: int) -> list[tuple[Part, int]]:
        return summed((part, count) for position, part, count in self._parts[view.name][key] if position <= up_to)

    def save(self, view: View[Any], rows: Rows, parts: Parts) -> None:
        for (key, position, part), count in parts.items():
            self._parts[view.name][key].append((position, part, count))
        kept = self._rows[view.name]
        for key, row in rows.items():
            if row is None:
                kept.pop(key, None)
            else:
                kept[key] = row

    def texts(self, view: View[Any]) -> Iterator[str]:
        yield from (view.dump(row) for _, row in sorted(self._rows[view.name].items()))

    def part_texts(self, view: Tally[Any]) -> Iterator[str]:
        held = [
            (key, position, orjson.dumps(part).decode(), count)
            for key, parts in self._parts[view.name].items()
            for position, part, count in parts
        ]
        yield from (orjson.dumps(line).decode() for line in sorted(held))


def summed(parts: Iterable[tuple[Part, int]]) -> list[tuple[Part, int]]:
    """Return every part once, with how often it counts in all."""
    found: dict[Part, int] = defaultdict(int)
    for part, count in parts:
        found[part] += count
    return list(found.items())


def digest_of(store: Store, view: View[Any]) -> str:
    """Return the SHA-256 over all rows of a view, and all parts of a count, sorted: the same wherever they were folded."""
    hashed = hashlib.sha256()
    for text in itertools.chain(store.texts(view), store.part_texts(view) if isinstance(view, Tally) else ()):
        # A text holds its own key, and no line break: one row a line.
        hashed.update(text.encode() + b"\n")
    return hashed.hexdigest()

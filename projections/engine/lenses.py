"""`Lens`: how a rule sees the rows of a view, so that the columns are known at which it ever looked. Not where the rows are from."""

from collections.abc import Callable
from typing import Any, Final

from projections.engine.view import View


class Seen:
    """A row of which is noted what columns are looked at. Those that the rule looked at before are here; others are asked for."""

    def __getattr__(self, name: str) -> Any:
        row, lens = self.__dict__["_row"], self.__dict__["_lens"]
        if name not in lens.view.columns:
            # A property or a method of the row: it looks at columns through this.
            return getattr(type(row), name).__get__(self)
        lens.note(name)
        value = self.__dict__[name] = getattr(row, name)
        return value


class Lens:
    """How one rule sees the rows of one view: which columns it ever looked at. That never shrinks."""

    def __init__(self, view: View[Any], grown: Callable[[str], None]) -> None:
        self.view = view
        self.columns: tuple[str, ...] = ()
        self._grown = grown
        # What was noted together.
        self._noted: set[tuple[str, ...]] = set()

    def note(self, column: str) -> None:
        if column not in self.columns:
            self.add(column)
            self._grown(column)

    def add(self, column: str) -> None:
        """Know a column that was looked at before."""
        if column in self.view.columns and column not in self.columns:
            self.columns = (*self.columns, column)

    def note_all(self, columns: tuple[str, ...]) -> None:
        """Note columns at which somebody looked in the rule's stead."""
        if columns not in self._noted:
            self._noted.add(columns)
            for column in columns:
                self.note(column)

    def over(self, row: Any) -> Any:
        held = row.__dict__
        seen = _new(Seen)
        shown = seen.__dict__
        shown["_row"], shown["_lens"] = row, self
        for name in self.columns:
            shown[name] = held[name]
        return seen


_new: Final = object.__new__

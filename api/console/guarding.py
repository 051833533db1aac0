"""Rows of a list: one that cannot be shown hides no other. It says so in its place, and where it is to be read.

Not for what a page has once: that fails, and the page with it.
"""

import logging
from collections.abc import Callable
from functools import lru_cache
from typing import Final

from jinja2 import TemplateError, UndefinedError
from markupsafe import Markup

log = logging.getLogger("change_ledger")
# What a value raises that no page foresaw. A database that does not answer is a fault of the page.
FAULTS: Final = (ArithmeticError, AttributeError, LookupError, RuntimeError, TemplateError, TypeError, ValueError)
# A page asks for itself again and again, and tells of each row once while it is among so many.
REMEMBERED: Final = 1000
_LACKS: Final = ": it lacks something, as rows do while their view is made anew"
_CELLS: Final = Markup('<tr><td colspan="{}">{}</td></tr>')
_LINE: Final = Markup("<li>{}</li>")
_SAYS: Final = Markup('<p class="notice bad">This row cannot be shown here{}. <a href="{}">Read it as JSON</a>.</p>')


def guarded(place: str, columns: int = 0, *, caller: Callable[[], Markup]) -> Markup:
    """Return a row as its template makes it; where that fails, a row that says so. Called by `{% call %}`.

    `place` is the address of the row as JSON. `columns` are those of the table that it stands in; of a list there are none.
    """
    try:
        return caller()
    except FAULTS as error:
        _tell(place, type(error).__name__)
        says = _SAYS.format(_LACKS if isinstance(error, UndefinedError) else "", place)
        return _CELLS.format(columns, says) if columns else _LINE.format(says)


@lru_cache(maxsize=REMEMBERED)
def _tell(place: str, fault: str) -> None:
    # The message of an error may quote the row, which holds what can be erased; a log does not forget.
    log.warning("a row of the console cannot be shown: %s at %s", fault, place)

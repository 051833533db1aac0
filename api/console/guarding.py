"""One row that cannot be shown hides no other: it says so in its place, and where it is to be read.

Every loop of every template is guarded, and the content of every page: by machinery (`Guarding`, decision 69), so that no page can
forget it.

    {% for row in rows %}<li>…</li>{% endfor %}                                          a line that cannot be shown is a line that says so
    {% for row in rows %}{% call guarded(place) %}<tr>…</tr>{% endcall %}{% endfor %}    and leads to the row as JSON

A part of a row fails by itself where it is a row, a line or a box; a value or a cell takes its row with it. What a row lacks because its
view is being made anew is told in its place, too; what a page lacks is the page's to tell.
"""

import logging
import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any, Final

from jinja2 import TemplateError, UndefinedError, nodes
from jinja2.compiler import CodeGenerator
from markupsafe import Markup

log = logging.getLogger("change_ledger")
# What a value raises that no page foresaw. A database that does not answer is a fault of the page.
FAULTS: Final = (ArithmeticError, AttributeError, LookupError, RuntimeError, TemplateError, TypeError, ValueError)
# A page asks for itself again and again, and tells of each row once while it is among so many.
REMEMBERED: Final = 1000
# How the templates call it.
NAME: Final = "guarded"
_PAGE: Final = "page"
_LACKS: Final = ": it lacks something, as rows do while their view is made anew"
_READ: Final = Markup(' <a href="{}">Read it as JSON</a>.')
_SAYS: Final = Markup('<p class="notice bad">This {} cannot be shown here{}.{}</p>')
_SHORT: Final = Markup('<span class="badge bad">cannot be shown</span>')
# What stands in the place of something, by the element that it begins with. Others are of the shape of a paragraph.
_SHAPES: Final = {
    "tr": Markup('<tr><td colspan="{columns}">{says}</td></tr>'),
    "li": Markup("<li>{says}</li>"),
    "dt": Markup('<div class="wide"><dt>not shown</dt><dd>{says}</dd></div>'),
    "option": Markup("<option disabled>cannot be shown</option>"),
}
# Of a table, the list or the text that a cell or a word is part of says it.
_PARTS: Final = frozenset({"a", "bdi", "code", "dd", "del", "ins", "span", "strong", "td", "th", "time"})
_first_element: Final = re.compile(r"\s*<([a-z0-9]+)").match
_cells: Final = re.compile("<t[dh]").findall


def guarded(place: str = "", kind: str = "", columns: int = 1, *, caller: Callable[[], Markup]) -> Markup:
    """Return what a template makes of one row; where that fails, what says so. Called by `{% call %}`.

    `place` is the address of the row as JSON. `kind` is the element that it begins with, `columns` how many cells its table has at most.
    """
    try:
        return caller()
    except FAULTS as error:
        if kind == _PAGE and isinstance(error, UndefinedError):
            raise
        _tell(place or f"a {kind or 'word'} of a page", type(error).__name__)
        if not kind:
            return _SHORT
        lacks = _LACKS if isinstance(error, UndefinedError) else ""
        says = _SAYS.format(_PAGE if kind == _PAGE else "row", lacks, _READ.format(place) if place else "")
        return _SHAPES.get(kind, Markup("{says}")).format(says=says, columns=columns)


@lru_cache(maxsize=REMEMBERED)
def _tell(place: str, fault: str) -> None:
    # The message of an error may quote the row, which holds what can be erased; a log does not forget.
    log.warning("a row of the console cannot be shown: %s at %s", fault, place)


# -- by machinery ----------------------------------------------------------------------------------------------------------


class Guarding(CodeGenerator):
    """Makes the programs of templates, after guarding what is in them."""

    def visit_Template(self, node: nodes.Template, frame: Any = None) -> None:
        """Guard the loops of a template, and the content of a page."""
        _guard_loops(node, is_within=False)
        for block in node.find_all(nodes.Block):
            if block.name == "content":
                block.body = [_call(block.body, "", _PAGE, 1)]
        super().visit_Template(node, frame)


def _guard_loops(node: nodes.Node, is_within: bool) -> None:
    for child in node.iter_child_nodes():
        is_loop = isinstance(child, nodes.For)
        _guard_loops(child, is_within or is_loop or isinstance(child, nodes.Macro))
        if isinstance(child, nodes.For):
            _guard(child, is_within)


def _guard(loop: nodes.For, is_within: bool) -> None:
    """Guard what a loop makes each time. A part of a row that is no row itself has the row to tell of it."""
    text = "".join(_texts(loop.body))
    found = _first_element(text)
    kind = found[1] if found else ""
    if kind == "div" and "<dt" in text:
        kind = "dt"
    columns = max(1, len(_cells(text)))
    explicit = next((one for one in loop.body if isinstance(one, nodes.CallBlock)), None)
    if explicit is not None and isinstance(explicit.call.node, nodes.Name) and explicit.call.node.name == NAME:
        said = {keyword.key for keyword in explicit.call.kwargs}
        explicit.call.kwargs += [keyword for keyword in _shape(kind, columns) if keyword.key not in said]
    elif kind and kind not in _PARTS:
        loop.body = [_call(loop.body, "", kind, columns)]
    elif not is_within:
        loop.body = [_call(loop.body, "", "", columns)]


def _texts(body: list[nodes.Node]) -> Iterator[str]:
    for node in body:
        for data in node.find_all(nodes.TemplateData):
            yield data.data


def _call(body: list[nodes.Node], place: str, kind: str, columns: int) -> nodes.CallBlock:
    called = nodes.Call(nodes.Name(NAME, "load"), [nodes.Const(place)], _shape(kind, columns), None, None)
    return nodes.CallBlock(called, [], [], body)


def _shape(kind: str, columns: int) -> list[nodes.Keyword]:
    return [nodes.Keyword("kind", nodes.Const(kind)), nodes.Keyword("columns", nodes.Const(columns))]

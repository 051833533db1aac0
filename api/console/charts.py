"""Charts: bars as SVG, made by the server. Every mark is a link with a title; a table beside it says the same for who cannot see it.

No colour says anything alone, and nothing is measured by the chart: it draws the numbers it is given. Heights are rounded to a
tenth of a unit, so that the same numbers are the same bytes, on a page and in a report.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup, escape

WIDTH: Final = 640
HEIGHT: Final = 200
# Around the bars: for the numbers at the left, and the names beneath.
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 8, 10, 26
_LINES: Final = 2


@dataclass(frozen=True, slots=True)
class Mark:
    """One bar: what it is of, how high, which share of it is of the other kind, what it says in words, and where it leads."""

    name: str
    value: float | None
    says: str
    href: str
    part: float = 0


def bars(marks: Sequence[Mark], *, title: str, written: Callable[[float], str]) -> Markup:
    """Return a chart of bars in the order of `marks`. `written` says how a number on the scale is written."""
    top = _round_top(max((mark.value or 0 for mark in marks), default=0))
    inner = HEIGHT - _TOP - _BOTTOM
    step = (WIDTH - _LEFT - _RIGHT) / max(len(marks), 1)
    wide = min(step * 0.7, 48)
    drawn = [
        Markup('<svg class="chart" viewBox="0 0 {} {}" role="group" aria-label="{}">').format(WIDTH, HEIGHT, title),
        *(_line(_TOP + inner - inner * place / _LINES, written(top * place / _LINES)) for place in range(_LINES + 1)),
    ]
    every = max(1, -(-len(marks) // 12))
    for number, mark in enumerate(marks):
        middle = _LEFT + step * (number + 0.5)
        drawn.append(_bar(mark, middle - wide / 2, wide, inner, top))
        if number % every == 0:
            drawn.append(
                Markup('<text class="name" x="{}" y="{}" text-anchor="middle">{}</text>').format(
                    _at(middle), HEIGHT - 8, mark.name
                )
            )
    return Markup("").join([*drawn, Markup("</svg>")])


def _bar(mark: Mark, left: float, wide: float, inner: float, top: float) -> Markup:
    high = inner * (mark.value or 0) / top
    part = inner * mark.part / top
    bottom = _TOP + inner
    shapes = [_rect("whole", left, bottom - high, wide, max(high, 1.5))]
    if part:
        shapes.append(_rect("part", left, bottom - part, wide, part))
    # As high as the chart: so that a small bar is met by a pointer.
    shapes.append(_rect("around", left, _TOP, wide, inner))
    return Markup('<a href="{}" aria-label="{}"><title>{}</title>{}</a>').format(
        mark.href, mark.says, mark.says, Markup("").join(shapes)
    )


def _rect(kind: str, x: float, y: float, width: float, height: float) -> Markup:
    return Markup('<rect class="{}" x="{}" y="{}" width="{}" height="{}"/>').format(
        kind, _at(x), _at(y), _at(width), _at(height)
    )


def _line(y: float, says: str) -> Markup:
    return Markup(
        '<line class="grid" x1="{}" x2="{}" y1="{}" y2="{}"/><text class="scale" x="{}" y="{}" text-anchor="end">{}</text>'
    ).format(_LEFT, WIDTH - _RIGHT, _at(y), _at(y), _LEFT - 6, _at(y + 4), escape(says))


def _at(number: float) -> str:
    return f"{number:.1f}"


def _round_top(greatest: float) -> float:
    """Return where the scale ends: the least of 1, 2, 3, 5, 6 times a power of ten that nothing is above.

    >>> [_round_top(n) for n in (0, 0.4, 1, 7, 23, 450)]
    [1.0, 0.5, 1.0, 10.0, 30.0, 500.0]
    """
    if greatest <= 0:
        return 1.0
    power = 1.0
    while power < greatest:
        power *= 10
    while power / 10 >= greatest:
        power /= 10
    return next(part for part in (power * f for f in (0.1, 0.2, 0.3, 0.5, 0.6, 1)) if part >= greatest * 0.999999)

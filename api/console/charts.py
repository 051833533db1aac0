"""Charts: bars, bars in time, and points as SVG, made by the server. Every mark is a link with a title.

A table beside a chart says the same for who cannot see it.

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


# -- bars from when to when ------------------------------------------------------------------------------------------------

# As wide as a day with its name.
_NAME_OF_TICK: Final = 80
_LANE: Final = 18
_NAMES: Final = 190
# Of a name at the left: what it says in words has all of it.
_NAME: Final = 28
_WIDE: Final = 960


@dataclass(frozen=True, slots=True)
class Lane:
    """One bar from when to when, as parts of the whole time that is shown; what it is, what it says in words, and where it leads."""

    name: str
    kind: str
    begin: float
    end: float
    says: str
    href: str


def lanes(marks: Sequence[Lane], *, title: str, ticks: Sequence[tuple[float, str]]) -> Markup:
    """Return a chart of bars beneath each other, each from when to when. `ticks` are parts of the whole time, with their names."""
    inner = _WIDE - _NAMES - _RIGHT
    high = len(marks) * _LANE + _BOTTOM
    drawn = [
        Markup('<svg class="chart lanes" viewBox="0 0 {} {}" role="group" aria-label="{}">').format(_WIDE, high, title)
    ]
    for part, name in ticks:
        x = _NAMES + part * inner
        # What would not fit before the edge stands before its line.
        is_last = x > _WIDE - _NAME_OF_TICK
        drawn.append(
            Markup(
                '<line class="grid" x1="{}" x2="{}" y1="0" y2="{}"/><text class="name" x="{}" y="{}" text-anchor="{}">{}</text>'
            ).format(
                _at(x),
                _at(x),
                len(marks) * _LANE,
                _at(x - 3 if is_last else x + 3),
                high - 8,
                "end" if is_last else "start",
                name,
            )
        )
    for number, mark in enumerate(marks):
        y, begin = number * _LANE, _NAMES + mark.begin * inner
        wide = max((mark.end - mark.begin) * inner, 3)
        drawn.append(
            Markup(
                '<a href="{}" aria-label="{}"><title>{}</title><text class="name" x="0" y="{}">{}</text>{}{}</a>'
            ).format(
                mark.href,
                mark.says,
                mark.says,
                y + 13,
                mark.name if len(mark.name) <= _NAME else mark.name[: _NAME - 1] + "…",
                _rect("around", 0, y, _WIDE, _LANE),
                _rect(f"whole {mark.kind}", begin, y + 3, wide, _LANE - 6),
            )
        )
    return Markup("").join([*drawn, Markup("</svg>")])


# -- what was predicted, and what came of it -------------------------------------------------------------------------------

_SIDE: Final = 320
_AROUND: Final = 40
_BESIDE: Final = 18


@dataclass(frozen=True, slots=True)
class Point:
    """One share against another, both from 0 to 1; how much it stands for, from 0 to 1; what it says in words, and where it leads."""

    predicted: float
    observed: float
    weight: float
    says: str
    href: str


def reliability(points: Sequence[Point], *, title: str) -> Markup:
    """Return a reliability diagram: on the diagonal, as many failed as were predicted to; above it more, below it fewer."""
    inner = _SIDE - _AROUND - _BESIDE
    drawn = [
        Markup('<svg class="chart square" viewBox="0 0 {} {}" role="group" aria-label="{}">').format(
            _SIDE, _SIDE, title
        ),
        Markup('<line class="diagonal" x1="{}" y1="{}" x2="{}" y2="{}"/>').format(
            _AROUND, _BESIDE + inner, _AROUND + inner, _BESIDE
        ),
    ]
    for share in (0.0, 0.5, 1.0):
        at = _BESIDE + inner * (1 - share)
        drawn.append(
            Markup(
                '<line class="grid" x1="{}" x2="{}" y1="{}" y2="{}"/><text class="scale" x="{}" y="{}" text-anchor="end">{:.0f} %</text>'
                '<text class="name" x="{}" y="{}" text-anchor="middle">{:.0f} %</text>'
            ).format(
                _AROUND,
                _AROUND + inner,
                _at(at),
                _at(at),
                _AROUND - 5,
                _at(at + 4),
                share * 100,
                _at(_AROUND + inner * share),
                _SIDE - 10,
                share * 100,
            )
        )
    for point in points:
        x, y = _AROUND + inner * point.predicted, _BESIDE + inner * (1 - point.observed)
        drawn.append(
            Markup(
                '<a href="{}" aria-label="{}"><title>{}</title><circle class="whole" cx="{}" cy="{}" r="{}"/>{}</a>'
            ).format(
                point.href,
                point.says,
                point.says,
                _at(x),
                _at(y),
                _at(3.5 + 8 * point.weight**0.5),
                Markup('<circle class="around" cx="{}" cy="{}" r="12"/>').format(_at(x), _at(y)),
            )
        )
    return Markup("").join([*drawn, Markup("</svg>")])

"""Charts as SVG, made by the server: bars, bars in time, strips of marks, how far things reach, and shares against each other.

Every mark is a link with a title. A table beside a chart says the same for who cannot see it.

No colour says anything alone, and nothing is measured by the chart: it draws the numbers it is given, and knows no clock and no page.
Heights are rounded to a tenth of a unit, so that the same numbers are the same bytes, on a page and in a report.
Longer than other files because all charts share one frame and its shapes.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

WIDTH: Final = 640
HEIGHT: Final = 200
# Around the bars: for the numbers at the left, and the names beneath.
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 8, 14, 26
_LINES: Final = 2


@dataclass(frozen=True, slots=True)
class Note:
    """A mark above a bar, of what changed it later: what it says in words, and where it leads."""

    says: str
    href: str


@dataclass(frozen=True, slots=True)
class Mark:
    """One bar: what it is of, how high, which share of it is of the other kind, what it says in words, and where it leads.

    `upper` is a second number of the same kind, drawn as a line above the bar: of a median, the ninetieth percentile.
    """

    name: str
    value: float | None
    says: str
    href: str
    part: float = 0
    upper: float | None = None
    notes: tuple[Note, ...] = ()


def bars(marks: Sequence[Mark], *, title: str, written: Callable[[float], str]) -> Markup:
    """Return a chart of bars in the order of `marks`. `written` says how a number on the scale is written."""
    top = _round_top(max((number or 0 for mark in marks for number in (mark.value, mark.upper)), default=0))
    inner = HEIGHT - _TOP - _BOTTOM
    step = (WIDTH - _LEFT - _RIGHT) / max(len(marks), 1)
    wide = min(step * 0.7, 48)
    drawn = [_line(_TOP + inner - inner * place / _LINES, written(top * place / _LINES)) for place in range(_LINES + 1)]
    every = max(1, -(-len(marks) // 12))
    for number, mark in enumerate(marks):
        middle = _LEFT + step * (number + 0.5)
        drawn += _bar(mark, middle - wide / 2, wide, inner, top)
        if number % every == 0:
            drawn.append(_text("name", middle, HEIGHT - 8, mark.name, "middle"))
    return _chart("", WIDTH, HEIGHT, title, drawn)


def _bar(mark: Mark, left: float, wide: float, inner: float, top: float) -> list[Markup]:
    bottom = _TOP + inner

    def height(number: float | None) -> float:
        return inner * (number or 0) / top

    high = height(mark.value)
    shapes = [_rect("whole", left, bottom - high, wide, max(high, 1.5))]
    if mark.part:
        shapes.append(_rect("part", left, bottom - height(mark.part), wide, height(mark.part)))
    if mark.upper is not None:
        at, middle = bottom - height(mark.upper), left + wide / 2
        shapes += [_stroke("upper", middle, bottom - high, middle, at), _stroke("upper", left, at, left + wide, at)]
    # As high as the chart: so that a small bar is met by a pointer.
    shapes.append(_rect("around", left, _TOP, wide, inner))
    highest = max(high, height(mark.upper))
    noted = (
        _link(
            one.href,
            one.says,
            _diamond(left + wide / 2 + 9 * place - 4.5 * (len(mark.notes) - 1), bottom - highest - 8),
        )
        for place, one in enumerate(mark.notes)
    )
    return [_link(mark.href, mark.says, *shapes), *noted]


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


# -- in time: bars from when to when, and strips of marks ---------------------------------------------------------------------

# As wide as a day with its name.
_NAME_OF_TICK: Final = 80
_LANE: Final = 18
_NAMES: Final = 190
# Of a name at the left: what it says in words has all of it.
_NAME: Final = 28
_WIDE: Final = 960
_INNER: Final = _WIDE - _NAMES - _RIGHT
Ticks = Sequence[tuple[float, str]]


@dataclass(frozen=True, slots=True)
class Lane:
    """One bar from when to when, as parts of the whole time that is shown; what it is, what it says in words, and where it leads."""

    name: str
    kind: str
    begin: float
    end: float
    says: str
    href: str


def lanes(marks: Sequence[Lane], *, title: str, ticks: Ticks) -> Markup:
    """Return a chart of bars beneath each other, each from when to when. `ticks` are parts of the whole time, with their names."""
    drawn = _ticks(ticks, len(marks))
    for number, mark in enumerate(marks):
        y, begin = number * _LANE, _NAMES + mark.begin * _INNER
        drawn.append(
            _link(
                mark.href,
                mark.says,
                _name(mark.name, y),
                _rect("around", 0, y, _WIDE, _LANE),
                _rect(f"whole {mark.kind}", begin, y + 3, max((mark.end - mark.begin) * _INNER, 3), _LANE - 6),
            )
        )
    return _chart("lanes", _WIDE, len(marks) * _LANE + _BOTTOM, title, drawn)


@dataclass(frozen=True, slots=True)
class Dot:
    """One mark of a strip: when, as a part of the whole time; of which kind, what it says in words, and where it leads."""

    at: float
    kind: str
    says: str
    href: str


@dataclass(frozen=True, slots=True)
class Strip:
    """Marks in time, of one thing: its name, and where that leads."""

    name: str
    href: str
    dots: tuple[Dot, ...]


def strips(rows: Sequence[Strip], *, title: str, ticks: Ticks) -> Markup:
    """Return a chart of strips beneath each other, in each of which every mark stands at its time."""
    drawn = _ticks(ticks, len(rows))
    for number, row in enumerate(rows):
        y = number * _LANE
        drawn.append(_link(row.href, row.name, _name(row.name, y), _rect("around", 0, y, _NAMES, _LANE)))
        for dot in row.dots:
            x = _NAMES + dot.at * _INNER
            shape = _rect(f"whole {dot.kind}", x - 2.5, y + 3, 5, _LANE - 6)
            drawn.append(_link(dot.href, dot.says, _rect("around", x - 4, y, 8, _LANE), shape))
    return _chart("lanes", _WIDE, len(rows) * _LANE + _BOTTOM, title, drawn)


def _ticks(ticks: Ticks, rows: int) -> list[Markup]:
    drawn = []
    for part, name in ticks:
        x = _NAMES + part * _INNER
        # What would not fit before the edge stands before its line.
        is_last = x > _WIDE - _NAME_OF_TICK
        drawn.append(_stroke("grid", x, 0, x, rows * _LANE))
        beside = (x - 3, "end") if is_last else (x + 3, "start")
        drawn.append(_text("name", beside[0], rows * _LANE + _BOTTOM - 8, name, beside[1]))
    return drawn


def _name(name: str, y: float) -> Markup:
    return _text("name", 0, y + 13, name if len(name) <= _NAME else name[: _NAME - 1] + "…")


# -- how far things reach ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Reach:
    """How far something has come of `size`; what it is, what it says in words, and where it leads."""

    name: str
    value: int
    says: str
    href: str


def reaches(marks: Sequence[Reach], *, size: int, title: str, written: Callable[[int], str]) -> Markup:
    """Return a chart of bars from the left, each as far as something has come. What it lacks, however little, is seen at its end."""
    drawn = _ticks([(0, "0"), (1, written(size))], len(marks))
    for number, mark in enumerate(marks):
        y, lacks = number * _LANE, size - mark.value
        reached = _INNER * mark.value / max(size, 1)
        end = min(reached, _INNER - 3) if lacks else reached
        shapes = [
            _name(mark.name, y),
            _rect("around", 0, y, _WIDE, _LANE),
            _rect("whole", _NAMES, y + 3, end, _LANE - 6),
        ]
        if lacks:
            shapes.append(_rect("part", _NAMES + end, y + 3, _INNER - end, _LANE - 6))
        drawn.append(_link(mark.href, mark.says, *shapes))
    return _chart("lanes", _WIDE, len(marks) * _LANE + _BOTTOM, title, drawn)


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
    drawn = [_stroke("diagonal", _AROUND, _BESIDE + inner, _AROUND + inner, _BESIDE)]
    for share in (0.0, 0.5, 1.0):
        at, says = _BESIDE + inner * (1 - share), f"{share * 100:.0f} %"
        drawn.append(_stroke("grid", _AROUND, at, _AROUND + inner, at))
        drawn.append(_text("scale", _AROUND - 5, at + 4, says, "end"))
        drawn.append(_text("name", _AROUND + inner * share, _SIDE - 10, says, "middle"))
    for point in points:
        x, y = _AROUND + inner * point.predicted, _BESIDE + inner * (1 - point.observed)
        circles = (_circle("whole", x, y, 3.5 + 8 * point.weight**0.5), _circle("around", x, y, 12))
        drawn.append(_link(point.href, point.says, *circles))
    return _chart("square", _SIDE, _SIDE, title, drawn)


# -- the frame, and the shapes ---------------------------------------------------------------------------------------------


def _chart(kind: str, width: int, height: int, title: str, drawn: Iterable[Markup]) -> Markup:
    return Markup('<svg class="{}" viewBox="0 0 {} {}" role="group" aria-label="{}">{}</svg>').format(
        f"chart {kind}".strip(), width, height, title, Markup("").join(drawn)
    )


def _link(href: str, says: str, *shapes: Markup) -> Markup:
    return Markup('<a href="{}" aria-label="{}"><title>{}</title>{}</a>').format(
        href, says, says, Markup("").join(shapes)
    )


def _rect(kind: str, x: float, y: float, width: float, height: float) -> Markup:
    return Markup('<rect class="{}" x="{}" y="{}" width="{}" height="{}"/>').format(
        kind, _at(x), _at(y), _at(width), _at(height)
    )


def _circle(kind: str, x: float, y: float, radius: float) -> Markup:
    return Markup('<circle class="{}" cx="{}" cy="{}" r="{}"/>').format(kind, _at(x), _at(y), _at(radius))


def _diamond(x: float, y: float) -> Markup:
    return Markup('<path class="noted" d="M{} {}l4.5 4.5l-4.5 4.5l-4.5 -4.5z"/>').format(_at(x), _at(y - 4.5))


def _stroke(kind: str, x1: float, y1: float, x2: float, y2: float) -> Markup:
    return Markup('<line class="{}" x1="{}" y1="{}" x2="{}" y2="{}"/>').format(kind, _at(x1), _at(y1), _at(x2), _at(y2))


def _text(kind: str, x: float, y: float, says: str, anchor: str = "start") -> Markup:
    return Markup('<text class="{}" x="{}" y="{}" text-anchor="{}">{}</text>').format(
        kind, _at(x), _at(y), anchor, says
    )


def _line(y: float, says: str) -> Markup:
    return _stroke("grid", _LEFT, y, WIDTH - _RIGHT, y) + _text("scale", _LEFT - 6, y + 4, says, "end")


def _at(number: float) -> str:
    return f"{number:.1f}"

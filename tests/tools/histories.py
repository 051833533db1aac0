"""Random histories of the whole catalogue, drawn from a seed: every event type, said of a few things, so that facts meet.

Data is drawn from the shapes that the classes declare: a new event type is in the histories without a line here. Identifiers,
people and digests come from pools of one to four, narrow or wide by history; each history says some areas often and all
others now and then. Among the statements are repetitions, late facts, withdrawals (also of withdrawals), groups with one
`recorded_at`, hours and weeks in which nothing happens, and corrections of the clock. No statement is drawn to make sense:
what follows the book is the business of a made-up year.

    random_history(7, 60)               sixty entries, the same for ever
    random_history(7, 60, {0, 3, 12})   of these the first, the fourth and the thirteenth alone, and still the same
    smallest(7, 60, fails)              the fewest of them with which `fails` still answers true

One statement is one draw: leaving others out changes its position and nothing else it says, so any part of a history is a
history. `histories()` is a strategy for Hypothesis, which shrinks in that way.
"""

import random
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from typing import Any, Final

from hypothesis import strategies as st
from telling import START, document

from ledger.canonical import MAX_INTEGER
from ledger.clock import to_text
from ledger.events import CATALOGUE, RESERVED_AREAS
from ledger.events.identifiers import TIME_PATTERN
from ledger.log.recorder import WITHDRAWN
from projections.readings.people.settings import SETTINGS

Document = dict[str, Any]
TIME_PASSED: Final = "ledger.time_passed"
CLOCK_CORRECTED: Final = "ledger.clock_corrected"
MINUTE: Final = 60_000_000
HOUR: Final = 60 * MINUTE
BEGINNING: Final = round(START.timestamp()) * 1_000_000
# How long nothing happens before a statement, and how often: mostly an hour, and now and then long enough for everything to fall due.
PAUSES: Final = ((HOUR, 60), (MINUTE, 15), (9 * HOUR, 12), (30 * HOUR, 6), (10 * 24 * HOUR, 4), (100 * 24 * HOUR, 1))

# Pools of what rules know by name, under the examples of their types. All others are made of the example.
POOLS: Final[dict[str, tuple[str, ...]]] = {
    "person:alice": ("person:alice", "person:bob", "person:carol", "service:ci", "github:1"),
    "prod": ("prod", "staging", "PROD", "green"),
    "release-approver": ("release-approver", "deployer"),
    "error_rate": ("low", "high", "error_rate", "scale"),
    "1.4.0": ("1", "2"),
    "ledger.example.com/prod": ("ledger.example.com/prod",),
    "https://ci.example.com/payments": ("https://ci.example.com/payments", "test"),
    "https://ci.example.com/*": ("*", "https://ci.example.com/*", "person:*", "test"),
    "token:9f2c41d07b3e": ("token:desk", "token:root"),
}  # fmt: skip
# The same under the name of a part of `data` and its field.
FIELDS: Final[dict[tuple[str, str], tuple[str, ...]]] = {
    ("Setting", "name"): tuple(SETTINGS),
    ("BranchRule", "name"): ("required_approvals", "force_pushes", "admins_enforced"),
    ("BranchRule", "value"): ("0", "1", "2", "true", "false"),
    ("Setting", "applies_to"): ("any", "prod", "low", "normal"),
    ("Setting", "value"): ("1", "1", "1", "0", "2", "required", "release-approver", "deployer", "main"),
    ("CodeMerged", "branch"): ("main", "other"),
    ("ChangeOpened", "change_type"): ("normal", "standard", "emergency", "unauthorized", "hotfix"),
    ("FreezeDeclared", "exempt_types"): ("emergency", "standard", "normal"),
}
# Pools that no passage holds fast.
ANEW: Final = ("person:alice", "error_rate", "token:9f2c41d07b3e")
DECIMALS: Final = ("1", "0", "2", "0.5", "-1", "40")


@dataclass(frozen=True)
class _Statement:
    """One draw: what is said, and of which other draws it names the positions."""

    type: str
    data: dict[str, Any]
    time: int
    recorded_at: int
    by: str
    credential: str


@dataclass(frozen=True)
class _Earlier:
    """Stands in drawn data for the position of another draw."""

    draw: int


class _Drawing:
    """What is drawn from: one source of chance for a statement, and what its history has so far."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(f"history {seed}")
        self.drawn: list[_Statement] = []
        self.now = BEGINNING
        self.widths: dict[str, int] = {}
        areas = sorted({cls.area() for cls in CATALOGUE.values()} - RESERVED_AREAS)
        # Much is asked of whoever holds a grant, and as a policy says.
        often = [*self.rng.sample(areas, self.rng.randint(1, 4)), *self.rng.choice(([], ["access", "policy"]))]
        # What the ledger says of itself, few views read.
        weights = {name: 0.2 if cls.area() in RESERVED_AREAS else 1.0 for name, cls in CATALOGUE.items()}
        weights |= {name: 20.0 for name, cls in CATALOGUE.items() if cls.area() in often}
        weights |= dict.fromkeys(self.rng.sample(sorted(CATALOGUE), 5), 20.0)
        everything = sum(weights.values())
        weights |= {WITHDRAWN: 0.07 * everything, TIME_PASSED: 0.05 * everything, CLOCK_CORRECTED: 0.004 * everything}
        self.types, self.weights = list(weights), list(weights.values())
        self.fullness = self.rng.choice((0.3, 0.6, 0.9))
        self.areas = areas
        self.often = often
        # What is said next of the same things, and which things those are.
        self.passage: list[str] = []
        self.same: dict[str, str] = {}

    def width(self, pool: str, length: int) -> int:
        """Return how many of a pool this history uses: of people at least two."""
        if pool not in self.widths:
            least = 2 if pool == "person:alice" else 1
            self.widths[pool] = min(length, max(least, self.rng.choice((1, 1, 2, 2, 3, 5))))
        return self.widths[pool]

    def of(self, pool: str, values: tuple[str, ...]) -> str:
        """Return one of the values of a pool that this history uses, the first of them most often."""
        value = values[int(self.width(pool, len(values)) * self.rng.random() ** 1.5)]
        # Who does what differs in a passage: nobody may do all of it.
        return self.same.setdefault(pool, value) if self.passage and pool not in ANEW else value

    def next_type(self) -> str:
        """Return what is said next: the next of a passage, or anything."""
        if self.passage and self.rng.random() < 0.9:
            return self.passage.pop(0)
        if not self.passage and self.rng.random() < 0.1:
            areas = self.rng.sample(self.often if self.rng.random() < 0.7 else self.areas, 1)
            areas += self.rng.sample(self.areas, self.rng.randint(0, 1))
            told = ["policy.published", "policy.approved"] if self.rng.random() < 0.2 else []
            told += [name for area in areas for name, cls in CATALOGUE.items() if cls.area() == area]
            self.passage = [name for name in told if self.rng.random() < 0.7]
            self.same = {}
        return self.rng.choices(self.types, self.weights)[0]

    def moment(self) -> int:
        """Return a time, in microseconds: about now, or about the beginning, or far from both."""
        chance = self.rng.random()
        if chance < 0.6:
            return self.now + self.rng.randint(-30, 60) * HOUR
        if chance < 0.95:
            return BEGINNING + self.rng.randint(0, 60) * HOUR
        return BEGINNING + self.rng.choice((-(10**6), -(10**3), 10**3, 10**6)) * HOUR


Draw = Callable[[_Drawing], Any]


def random_history(seed: int, length: int, kept: Collection[int] | None = None) -> list[Document]:
    """Return the entries of a history as folds need them (see `telling.document`), numbered from 1.

    `kept` are the draws, from 0, that are told: all by default.
    """
    drawn = _drawn(seed, length)
    told = [number for number in range(length) if kept is None or number in kept]
    # What names a draw that is left out names the last before it that is not.
    positions: list[int] = []
    for number in range(length):
        positions.append((positions[-1] if positions else 0) + (kept is None or number in kept))
    return [
        document(
            position, (said := drawn[number]).type, _numbered(said.data, positions),
            time=to_text(said.time), recorded_at=to_text(said.recorded_at), by=said.by, credential=said.credential,
        )
        for position, number in enumerate(told, 1)
    ]  # fmt: skip


def smallest(seed: int, length: int, fails: Callable[[list[Document]], bool]) -> list[Document]:
    """Return the shortest part of a failing history that still fails: none of its entries can be left out."""
    kept = list(range(length))
    size = max(1, length // 2)
    while True:
        begun = len(kept)
        for first in range(0, len(kept), size):
            fewer = kept[:first] + kept[first + size :]
            if len(kept) > len(fewer) and fails(random_history(seed, length, frozenset(fewer))):
                kept = fewer
                break
        if len(kept) == begun:
            if size == 1:
                return random_history(seed, length, frozenset(kept))
            size = max(1, size // 2)


@st.composite
def histories(draw: st.DrawFn, most: int = 60) -> list[Document]:
    """Draw a history of at most so many entries."""
    seed = draw(st.integers(0, 2**32))
    # A zero leaves a statement out: that is how Hypothesis finds what is not needed.
    length = draw(st.integers(1, most))
    told = draw(st.lists(st.integers(0, 9), min_size=length, max_size=length))
    return random_history(seed, length, {number for number, kept in enumerate(told) if kept})


def instants(told: list[Document]) -> list[int]:
    """Return the positions after which `recorded_at` is another: a group of entries is folded whole or not at all."""
    times = [entry["recorded_at"] for entry in told] + [None]
    return [entry["position"] for entry, then in zip(told, times[1:], strict=True) if entry["recorded_at"] != then]


# -- drawing ----------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=64)
def _drawn(seed: int, length: int) -> list[_Statement]:
    drawing = _Drawing(seed)
    for number in range(length):
        # A chance of its own: a longer history begins as the shorter one does.
        drawing.rng.seed(f"{seed}/{number}")
        drawing.drawn.append(_statement(drawing))
    return drawing.drawn


def _statement(drawing: _Drawing) -> _Statement:
    rng = drawing.rng
    # One more microsecond for each: no two groups share an instant, also where the clock is set back.
    if not (drawing.drawn and rng.random() < 0.06):
        drawing.now += rng.choices([pause for pause, _ in PAUSES], [often for _, often in PAUSES])[0] + 1
    if drawing.drawn and rng.random() < 0.05:
        said = rng.choice(drawing.drawn)
        return replace(said, time=rng.choice((said.time, drawing.now)), recorded_at=drawing.now)
    event_type = drawing.next_type()
    if event_type == CLOCK_CORRECTED:
        drawing.now -= rng.randint(1, 50) * HOUR
    data = _data(event_type)(drawing)
    if event_type == TIME_PASSED:
        data["until"] = to_text(drawing.now)
    chance = rng.random()
    late = min(drawing.moment(), drawing.now + 24 * HOUR)
    by = data.get("actor") if rng.random() < 0.5 else None
    if event_type == WITHDRAWN and rng.random() < 0.6 and (about := data["position"].draw) < len(drawing.drawn):
        # Only then it has an effect, but for an operator's.
        by = drawing.drawn[about].by
    return _Statement(
        event_type, data, late if chance < 0.25 else drawing.now, drawing.now,
        by or rng.choice(("service:desk", "service:ci")), drawing.of("token:9f2c41d07b3e", POOLS["token:9f2c41d07b3e"]),
    )  # fmt: skip


def _numbered(value: Any, positions: list[int]) -> Any:
    """Return drawn data with positions where it names other draws."""
    if isinstance(value, _Earlier):
        return max(1, positions[value.draw])
    if isinstance(value, dict):
        return {name: _numbered(item, positions) for name, item in value.items()}
    if isinstance(value, list):
        return [_numbered(item, positions) for item in value]
    return value


@cache
def _data(event_type: str) -> Draw:
    """Return what draws data of an event type, made from the schema of its class."""
    cls = CATALOGUE[event_type]
    schema = cls.model_json_schema()
    whole = _object(schema, schema, cls.area())

    def draw(drawing: _Drawing) -> Any:
        data = whole(drawing)
        for begin, end in cls.intervals:
            # Old entries may end before they begin; new ones may not, and most do not.
            if begin in data and end in data and data[end] < data[begin] and drawing.rng.random() < 0.9:
                data[begin], data[end] = data[end], data[begin]
        return data

    return draw


def _object(part: dict[str, Any], schema: dict[str, Any], area: str) -> Draw:
    required = set(part.get("required", ()))
    fields = [
        (name, name in required, _field(item, schema, area, (part["title"], name)))
        for name, item in part["properties"].items()
        if name != "links"
    ]

    def draw(drawing: _Drawing) -> dict[str, Any]:
        made = {}
        for name, is_required, of_field in fields:
            if is_required or drawing.rng.random() < drawing.fullness:
                value = of_field(drawing)
                if value is not None:
                    made[name] = value
        return made

    return draw


def _field(part: dict[str, Any], schema: dict[str, Any], area: str, name: tuple[str, str]) -> Draw:
    if "$ref" in part:
        part = schema["$defs"][part["$ref"].rpartition("/")[2]]
    if "const" in part:
        return lambda drawing: part["const"]
    if "anyOf" in part:
        options = [_field(option, schema, area, name) for option in part["anyOf"] if option.get("type") != "null"]
        return options[0] if len(options) == 1 else lambda drawing: drawing.rng.choice(options)(drawing)
    if "enum" in part:
        return lambda drawing: drawing.rng.choice(part["enum"])
    kind = part["type"]
    if kind == "object":
        return _object(part, schema, area)
    if kind == "array":
        return _array(part, schema, area, name)
    if kind == "boolean":
        return lambda drawing: drawing.rng.random() < 0.5
    if kind == "integer":
        return _position(area) if part.get("minimum") == 1 and part["examples"] == [1042] else _integer(part)
    return _string(part, name)


def _array(part: dict[str, Any], schema: dict[str, Any], area: str, name: tuple[str, str]) -> Draw:
    of_item = _field(part["items"], schema, area, name)
    least = part.get("minItems", 0)
    most = min(part["maxItems"], least + (9 if part["maxItems"] >= 200 else 2))

    def draw(drawing: _Drawing) -> list[Any]:
        return [of_item(drawing) for _ in range(drawing.rng.randint(least, most) or drawing.rng.randint(0, 1))]

    return draw


def _integer(part: dict[str, Any]) -> Draw:
    low, high = part.get("minimum", 0), min(part.get("maximum", MAX_INTEGER), part.get("minimum", 0) + 2)
    return lambda drawing: drawing.rng.randint(low, high)


def _position(area: str) -> Draw:
    """Draw an earlier statement, mostly one of the same area: what is overridden or corrected is of the same kind."""

    def draw(drawing: _Drawing) -> Any:
        rng, drawn = drawing.rng, drawing.drawn
        fitting = [number for number, said in enumerate(drawn) if said.type.startswith(f"{area}.")]
        if area != "statement" and fitting and rng.random() < 0.8:
            return _Earlier(rng.choice(fitting))
        # The last ones most often; now and then the very entry that says it.
        back = min(len(drawn), int((len(drawn) + 1) * rng.random() ** 2))
        return _Earlier(len(drawn) - back)

    return draw


def _string(part: dict[str, Any], name: tuple[str, str]) -> Draw:
    example, pattern = part["examples"][0], part["pattern"]
    if TIME_PATTERN in pattern:
        return lambda drawing: to_text(drawing.moment())
    if "[1-9][0-9]{0,17}" in pattern:
        return lambda drawing: drawing.rng.choice(DECIMALS)
    if name in FIELDS:
        return lambda drawing: drawing.rng.choice(FIELDS[name])
    values = POOLS.get(example) or _pool(example, pattern, part["maxLength"])
    return lambda drawing: drawing.of(example, values)


def _pool(example: str, pattern: str, longest: int) -> tuple[str, ...]:
    """Return an example and a few others that its pattern takes."""
    others = (example[:-1] + last for last in "2aE3bQw")
    fitting = (text for text in others if len(text) <= longest and re.search(pattern, text))
    return tuple(dict.fromkeys((example, *fitting)))[:3]

"""Data of every event class at its extremes: the longest texts, the largest and most precise numbers, the ends of the calendar.

`data_at_extremes` has one field at a time, and every one of its extremes; `mixed` draws several at once, which none of them alone shows:
a report that says it has as many parts as can be counted, and comes as the last of them.
"""

import itertools
import random
import re
from collections.abc import Iterator
from functools import cache
from typing import Any, Final

from ledger.canonical import MAX_INTEGER, encode
from ledger.errors import StatementError
from ledger.events import CATALOGUE, Event, example
from ledger.events.base import refuse_impossible
from ledger.events.identifiers import TIME_PATTERN
from ledger.statement import MAX_STATEMENT_BYTES

# What a door admits as `time`; all are past.
TIMES: Final = (
    "2026-03-02T09:00:00Z",
    "0001-01-01T00:00:00Z",
    "0001-01-01t00:00:00.5-14:00",
    "0001-01-02T00:00:00.000000001+23:59",
    "0099-02-28t23:59:59.999999z",
    "0999-12-31T23:59:59Z",
    "1000-01-01T00:00:00+00:00",
    "1969-12-31T23:59:59.999999Z",
    "2016-12-31T23:59:60Z",
    "2026-11-23t12:00:00.123456789-12:00",
)
_FIELD_TIMES: Final = (
    "0001-01-01T00:00:00Z",
    "0999-12-31T23:59:59.999999Z",
    "2026-11-23T12:00:00Z",
    "9999-12-31T23:59:59.999999Z",
)
_DECIMALS: Final = (
    "0",
    "-0.5",
    "1",
    "0.000000000000000001",
    "-999999999999999999.999999999999999999",
    "999999999999999999.999999999999999999",
)


def leaves(part: dict[str, Any], schema: dict[str, Any]) -> list[Any]:
    """Return the extremes of a field: its example first."""
    if "$ref" in part:
        part = schema["$defs"][part["$ref"].rpartition("/")[2]]
    if "const" in part:
        return [part["const"]]
    if "enum" in part:
        return list(part["enum"])
    if "anyOf" in part:
        return list(itertools.chain.from_iterable(leaves(option, schema) for option in part["anyOf"]))
    kind = part["type"]
    if kind == "null":
        return [None]
    if kind == "boolean":
        return [True, False]
    if kind == "integer":
        low, high = part.get("minimum", -MAX_INTEGER), part.get("maximum", MAX_INTEGER)
        ends = [low, min(low + 1, high), high, *(number for number in (-1, 0, 1) if low <= number <= high)]
        return list(dict.fromkeys([*part.get("examples", [])[:1], *ends]))
    if kind == "string":
        return _strings(part)
    if kind == "array":
        return _arrays(part, schema)
    whole = {name: leaves(item, schema)[0] for name, item in part["properties"].items()}
    made = [whole]
    for name, item in part["properties"].items():
        made += [whole | {name: value} for value in leaves(item, schema)[1:]]
    required = set(part.get("required", []))
    return [{name: value for name, value in one.items() if value is not None or name in required} for one in made]


def _strings(part: dict[str, Any]) -> list[str]:
    first, pattern, longest = part["examples"][0], part["pattern"], part["maxLength"]
    if TIME_PATTERN in pattern:
        return list(_FIELD_TIMES)
    if "[1-9][0-9]{0,17}" in pattern:
        return list(_DECIMALS)
    # As much of one of its own characters as there is room for, wherever that fits.
    candidates = [
        first[:1],
        first + first[-1] * (longest - len(first)),
        first[0] * longest,
        first.upper(),
        first.replace("-", "%2F"),
    ]
    return [
        first,
        *(
            text
            for text in dict.fromkeys(candidates)
            if len(text) <= longest and re.search(pattern, text) and text != first
        ),
    ]


def _arrays(part: dict[str, Any], schema: dict[str, Any]) -> list[list[Any]]:
    items = leaves(part["items"], schema)
    least, most = part.get("minItems", 0), part["maxItems"]
    full = list(itertools.islice(itertools.cycle(_varied(items, most)), most))
    return [[items[0]] * max(1, least), items[:1] * least, full, *([item] * max(1, least) for item in items[1:])]


def _varied(items: list[Any], count: int) -> list[Any]:
    """Return items that differ, where a text has room for a number."""
    first = items[0]
    if isinstance(first, str) and re.fullmatch(r"[A-Za-z0-9._/-]+", first) and len(first) < 60:
        return [f"{first}{number}" for number in range(count)]
    return items


def data_at_extremes(cls: type[Event]) -> Iterator[dict[str, Any]]:
    """Yield admissible data of a class: whole, and then with one field after another at each of its extremes."""
    schema = cls.model_json_schema()
    whole = example(cls)
    yield whole
    for name, part in schema["properties"].items():
        if name in cls.erasable_fields:
            yield whole | {name: "é" * 8192}
            yield whole | {name: ""}
            continue
        for value in leaves(part, schema):
            changed = {field: held for field, held in (whole | {name: value}).items() if held is not None}
            if set(schema.get("required", [])) <= changed.keys():
                yield changed
    yield {name: value for name, value in whole.items() if name in schema.get("required", [])}


@cache
def _fields(event_type: str) -> tuple[tuple[str, bool, list[Any]], ...]:
    """Return the fields of an event class: name, whether it is required, and its extremes, the example first."""
    cls = CATALOGUE[event_type]
    schema = cls.model_json_schema()
    required = schema.get("required", ())
    return tuple(
        (name, name in required, ["text"] if name in cls.erasable_fields else leaves(part, schema))
        for name, part in schema["properties"].items()
        if name != "links"
    )


def mixed(event_type: str, rng: random.Random) -> dict[str, Any]:
    """Draw admissible data with any number of fields at their extremes, and optional ones there or not; its example where that fails."""
    boldness = rng.random()
    for _ in range(5):
        data = {}
        for name, is_required, extremes in _fields(event_type):
            value = rng.choice(extremes) if rng.random() < boldness else extremes[0]
            if value is not None and (is_required or rng.random() < 0.8):
                data[name] = value
        if len(encode(data)) <= MAX_STATEMENT_BYTES and is_admissible(event_type, data):
            return data
        boldness /= 2
    return example(CATALOGUE[event_type])


def is_admissible(event_type: str, data: dict[str, Any]) -> bool:
    """Say whether the catalogue takes data: some extremes of a string that are guessed here are beyond its pattern."""
    cls = CATALOGUE[event_type]
    held = {name: {"sha256": "0" * 64} if name in cls.erasable_fields else value for name, value in data.items()}
    try:
        CATALOGUE.validate(event_type, held)
    except StatementError:
        return False
    return True


def could_hold(event_type: str, data: dict[str, Any]) -> bool:
    """Say whether a new statement may say this: no interval of it ends before it begins, and it fits with an envelope."""
    try:
        refuse_impossible(CATALOGUE[event_type], data)
    except StatementError:
        return False
    return len(encode(data)) <= MAX_STATEMENT_BYTES - 4096

"""What a stranger may say of things in order to acquit: statements of every type, put together of what a history says of them.

Of a finding, the entries that show it and those about the same things give the values: a new statement of any type takes for each field
a value that stands in one of them under the same name or kind, or any other that the field may have. So it names the very tag that was
missing, the tool that the policy asks for, the artifact that runs. Or it is one of those statements again, with a few values altered.

    Drawing(story, "tags-missing/db-1", seed).statement("resource.tagged")
"""

import functools
import itertools
import random
from collections import defaultdict
from collections.abc import Iterator
from typing import Any, Final

from telling import MemoryLog, Story

from ledger.clock import from_text, to_text
from ledger.conditions import Match
from ledger.errors import StatementError
from ledger.events import CATALOGUE, RESERVED_AREAS, Event
from ledger.events.base import refuse_impossible
from projections.engine.asking import Asking
from projections.engine.finding import Finding
from projections.engine.skips import Skips
from projections.engine.store import MemoryStore
from projections.engine.view import EntryInfo
from projections.gates.asking import Decision, answer
from projections.gates.composition import GATES
from projections.judging.findings import findings
from projections.judging.gate_rule import Question

HOUR: Final = 3_600_000_000
# Nobody but the ledger says these.
SAYABLE: Final = tuple(name for name, cls in CATALOGUE.items() if cls.area() not in RESERVED_AREAS)
# Of each thing so many entries are looked at, the last ones: who says anything of a busy service does not make it another one.
MOST: Final = 40
NUMBERS: Final = (0, 1, 2, 100)
DECIMALS: Final = ("0", "1", "0.5", "-5", "100")


def branched(story: Story, batch: int = 1) -> Story:
    """Return a story that goes on from where another stands, which stays where it is."""
    new = Story(story.views, batch)
    new.log, new.store = MemoryLog(), MemoryStore()
    for entry in story.log.entries([Match()], up_to=len(story.log)):
        new.log.append(entry)
    for view, rows in story.store._rows.items():
        new.store._rows[view] = dict(rows)
    for view, parts in story.store._parts.items():
        new.store._parts[view] = defaultdict(list, {key: list(told) for key, told in parts.items()})
    for view, notes in story.store._notes.items():
        copy = new.store._notes[view]
        copy._by_what = defaultdict(dict, {key: dict(held) for key, held in notes._by_what.items()})
        copy._by_reader = defaultdict(dict, {key: dict(held) for key, held in notes._by_reader.items()})
        copy._waits = dict(notes._waits)
    new._heads = {name: list(head) for name, head in story._heads.items()}
    new._hours = itertools.count(len(story.log) + 1)
    new.begin()
    return new


def open_findings(story: Story) -> dict[str, Finding]:
    """Return what is open in a story."""
    story.flush()
    rows = story.store._rows[findings.name]
    return {name: row for name, row in rows.items() if row.is_open}


@functools.cache
def _schema(cls: type[Event]) -> dict[str, Any]:
    """Return the schema of a type, which nobody changes: made for each statement, it took a quarter of a round."""
    return cls.model_json_schema()


class Drawing:
    """What is said about a finding, from a seed."""

    def __init__(self, story: Story, finding: Finding, seed: str) -> None:
        self.rng = random.Random(seed)
        self.finding = finding
        self.log = story.log
        self.related = list(self._related(finding))
        self._by_field: dict[str, list[Any]] = defaultdict(list)
        self._by_kind: dict[str, list[str]] = defaultdict(list)
        for entry in self.related:
            self._note(entry.statement["data"])
            for kind, field, is_array in CATALOGUE[entry.type].ref_fields:
                value = entry.statement["data"].get(field)
                self._by_kind[kind] += (value if is_array else [value]) if value is not None else []
        self.settings = [
            s["value"]
            for entry in story.log.latest(Match(types=("policy.published",)), up_to=len(story.log))
            for s in entry.statement["data"]["settings"]
        ]

    def _related(self, finding: Finding) -> Iterator[EntryInfo]:
        shown = [self.log.entry(position) for position in finding.positions]
        found = {entry.position: entry for entry in shown}
        for entry in shown:
            for name in entry.refs:
                for other in self.log.latest(Match(refs=(name,)), up_to=len(self.log), limit=MOST):
                    found[other.position] = other
        # What shows it is said most often.
        yield from shown
        yield from shown
        yield from found.values()

    def _note(self, value: Any, field: str = "") -> None:
        if isinstance(value, dict):
            for name, item in value.items():
                self._note(item, name)
        elif isinstance(value, list):
            for item in value:
                self._note(item, field)
        else:
            self._by_field[field].append(value)

    def of_kind(self, kind: str) -> list[str]:
        """Return the names of a kind that the entries about the finding name, the nearest first."""
        return self._by_kind[kind]

    def of_field(self, field: str) -> list[Any]:
        """Return the values under a name in the entries about the finding, the nearest first."""
        return self._by_field[field]

    def statement(self, event_type: str) -> dict[str, Any] | None:
        """Return data of a type, or None where nothing fitting came of it."""
        cls = CATALOGUE[event_type]
        schema = _schema(cls)
        same = [entry for entry in self.related if entry.type == event_type]
        for _ in range(20):
            if same and self.rng.random() < 0.5:
                data = dict(self.rng.choice(same).statement["data"])
                fields = [name for name in schema["properties"] if name not in ("links", "actor")]
                for name in self.rng.sample(fields, min(len(fields), self.rng.choice((0, 1, 1, 2, 3)))):
                    if name not in schema.get("required", ()) and self.rng.random() < 0.3:
                        data.pop(name, None)
                    elif (value := self._value(schema["properties"][name], schema, cls, name)) is not None:
                        data[name] = value
            else:
                data = self._object(schema, schema, cls)
            data.pop("actor", None)
            try:
                CATALOGUE.validate(event_type, data)
                refuse_impossible(cls, data)
            except StatementError:
                continue
            return data
        return None

    def _object(self, part: dict[str, Any], schema: dict[str, Any], cls: Any) -> dict[str, Any]:
        required = set(part.get("required", ()))
        full = self.rng.choice((0.2, 0.6, 1.0))
        return {
            name: value
            for name, item in part["properties"].items()
            if name != "links"
            and (name in required or self.rng.random() < full)
            and (value := self._value(item, schema, cls, name)) is not None
        }

    def _value(self, part: dict[str, Any], schema: dict[str, Any], cls: Any, name: str) -> Any:
        rng = self.rng
        if "$ref" in part:
            part = schema["$defs"][part["$ref"].rpartition("/")[2]]
        if "const" in part:
            return part["const"]
        if "anyOf" in part:
            return self._value(rng.choice([o for o in part["anyOf"] if o.get("type") != "null"]), schema, cls, name)
        if "enum" in part:
            return rng.choice(part["enum"])
        kind = part["type"]
        if kind == "object":
            return {"sha256": "c" * 64} if "sha256" in part["properties"] else self._object(part, schema, cls)
        if kind == "array":
            most = min(part["maxItems"], 4)
            return [
                self._value(part["items"], schema, cls, name) for _ in range(rng.randint(part.get("minItems", 0), most))
            ]
        if kind == "boolean":
            return rng.random() < 0.5
        known = [
            v
            for v in self._by_field[name]
            if isinstance(v, int if kind == "integer" else str) and not isinstance(v, bool)
        ]
        if kind == "integer":
            if part.get("examples") == [1042]:
                return rng.choice(self.related).position if self.related else 1
            return (
                rng.choice(known) if known and rng.random() < 0.6 else max(part.get("minimum", 0), rng.choice(NUMBERS))
            )
        by_kind = [v for k, f, _ in cls.ref_fields if f == name for v in self._by_kind[k]]
        example = part["examples"][0]
        if example.endswith("Z") and example[:2] == "20" and "T" in example:
            return rng.choice(known) if known and rng.random() < 0.4 else self.time()
        if example.replace(".", "").replace("-", "").isdigit() and rng.random() < 0.5:
            return rng.choice(DECIMALS)
        pool = known + by_kind
        if rng.random() < 0.1:
            pool = pool + self.settings
        return rng.choice(pool) if pool and rng.random() < 0.95 else example

    def time(self) -> str:
        """Return now, or when it was done, or a time about that."""
        now = from_text(self.log.entry(len(self.log)).recorded_at)
        acted = from_text(self.finding.acted_at or self.finding.first_seen_at)
        return to_text(
            self.rng.choice((now, acted, acted - HOUR, acted + HOUR, acted - 5000 * HOUR, now + 5000 * HOUR))
        )


def asked_of(story: Story, drawing: Drawing, now: str, actor: str) -> dict[str, Decision]:
    """Return what every gate answers about the things of a finding, asked by somebody at a time."""
    about = {
        "change_id": "change", "deployment_id": "deployment", "service": "service", "environment": "environment",
        "dataset_id": "dataset", "plan": "plan",
    }  # fmt: skip
    told: dict[str, Any] = {name: next(iter(drawing.of_kind(kind)), None) for name, kind in about.items()}
    told |= {name: next(iter(drawing.of_field(name)), None) for name in ("artifact", "commit")}
    story.flush()
    found = {}
    for gate in GATES:
        question = Question(gate, now, actor=actor, to_environment=told["environment"], **told)
        found[gate] = answer(question, Asking(story.folder.rows, now, Skips(story.log)), len(story.log))
    return found

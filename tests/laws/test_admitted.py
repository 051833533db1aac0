"""What a door admits, everything bears: every field of every event class at its extremes, through every view, rule and gate,
the audit, the export and the lists, on SQLite and PostgreSQL. An event class, a view, a rule or a gate that is added is under it.
"""

import csv
import io
import itertools
import random
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import orjson
import pytest
from bearing import bearable
from extremes import TIMES, could_hold, data_at_extremes, is_admissible, mixed
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ledgers import CHECKPOINT_KEY, ORIGIN, keep_checkpoint
from strangers import branched
from telling import Story, at, retold

from ledger.audit.of_database import audit_database
from ledger.audit.report import Pin
from ledger.clock import to_text
from ledger.events import CATALOGUE, RESERVED_AREAS
from ledger.ledger import Ledger
from ledger.log.recorder import Recorded, Submission
from ledger.published.export import export
from projections import VIEWS
from projections.engine.asking import Asking
from projections.engine.checking import check
from projections.engine.progress import progress
from projections.engine.runner import Runner
from projections.engine.serving import MAX_LIMIT, cells, list_rows, row_as_of
from projections.engine.skips import Skips
from projections.engine.sql_store import SqlStore
from projections.gates.asking import answer, ask
from projections.gates.composition import GATES
from projections.gates.rechecking import recheck
from projections.judging.gate_rule import Question

EXTREMES = {
    event_type: [data for data in data_at_extremes(cls) if is_admissible(event_type, data)]
    for event_type, cls in CATALOGUE.items()
}
# What the ledger states about itself decides who may append: it comes by its own doors, and is folded here all the same.
OF_OTHERS = [event_type for event_type, cls in CATALOGUE.items() if cls.area() not in RESERVED_AREAS]
QUESTION = Question(
    "deploy", at(0), "person:alice", "CHG-7", "payments-api-1042", "payments-api", "prod", "sha256:" + "0" * 64, "prod"
)  # fmt: skip

# When gates are asked, and rows are read: now, and at the ends of the calendar.
MOMENTS = (at(10**4), to_text(-(10**18)), to_text(10**18))


def told_of(event_type: str, data: dict[str, Any]) -> dict[str, Any]:
    """Return data with digests where its texts are."""
    erasable = CATALOGUE[event_type].erasable_fields
    return {name: {"sha256": "0" * 64} if name in erasable else value for name, value in data.items()}


def some_of(items: list[Any], count: int, request: pytest.FixtureRequest) -> list[Any]:
    """Return so many of some items, from the first to the last; all with `--all`."""
    return items if request.config.getoption("--all") else items[:: max(1, len(items) // count)]


def ask_one(story: Story, gate: str, asked_at: str) -> None:
    question = replace(QUESTION, gate=gate, asked_at=asked_at)
    answer(question, Asking(story.folder.rows, asked_at, Skips(story.log)), len(story.log))


def ask_all(story: Story) -> None:
    """Ask every gate, now and at the ends of the calendar."""
    for gate, asked_at in itertools.product(GATES, MOMENTS):
        ask_one(story, gate, asked_at)


def test_there_are_extremes_of_every_event_class() -> None:
    assert set(EXTREMES) == set(CATALOGUE)
    assert all(len(found) > 3 for found in EXTREMES.values())


@cache
def one_of_each() -> Story:
    """Return a story of one statement of each type: what is said of the same change, deployment or model meets it."""
    story, times = Story(batch=7), itertools.cycle(TIMES)
    for event_type in CATALOGUE:
        if event_type != "statement.withdrawn":
            story.tell(event_type, time=next(times), **told_of(event_type, EXTREMES[event_type][0]))
    story.flush()
    return story


# Ten stories of a tenth of the types each: what a story begins with costs more than what is told in it.
@pytest.mark.parametrize("part", range(10))
def test_every_view_rule_and_gate_bears_every_field_at_its_extremes(part: int, request: pytest.FixtureRequest) -> None:
    story, times = branched(one_of_each(), batch=7), itertools.cycle(TIMES)
    for event_type in list(CATALOGUE)[part::10]:
        for data in some_of(EXTREMES[event_type], 16, request):
            if event_type == "statement.withdrawn":
                data = data | {"position": min(data["position"], max(1, len(story.log)))}
            story.tell(event_type, time=next(times), **told_of(event_type, data))
    digests = story.digests()
    assert story.folder.failures == {}
    ask_all(story)
    assert retold(story.documents(), batch=64).digests() == digests


@st.composite
def histories_of_extremes(draw: st.DrawFn) -> list[tuple[str, str, dict[str, Any]]]:
    """Draw types, times and data, mostly of a few areas: what is said of the same things meets.

    Each statement is one draw of its seed, so that others can be left out, as in `histories`.
    """
    seed = draw(st.integers(0, 2**32))
    kept = draw(st.lists(st.booleans(), min_size=10, max_size=40))
    rng = random.Random(f"extremes {seed}")
    areas = rng.sample(sorted({cls.area() for cls in CATALOGUE.values()}), rng.randint(1, 4))
    near = [name for name, cls in CATALOGUE.items() if cls.area() in areas]
    told = []
    for number, is_told in enumerate(kept):
        rng.seed(f"{seed}/{number}")
        event_type = rng.choice(near if rng.random() < 0.85 else sorted(CATALOGUE))
        said = event_type, rng.choice(TIMES), mixed(event_type, rng)
        if is_told:
            told.append(said)
    return told


# Each is cheap: what shows itself only where several extremes meet is found by many.
@settings(max_examples=4 * settings().max_examples, suppress_health_check=list(HealthCheck))
@given(histories_of_extremes(), st.integers(1, 9), st.sampled_from(sorted(GATES)), st.sampled_from(MOMENTS))
def test_any_history_of_extremes_is_folded_judged_asked_and_rebuilt_to_the_same(
    history: list[tuple[str, str, dict[str, Any]]], batch: int, gate: str, asked_at: str
) -> None:
    story = Story(batch=batch)
    for event_type, time, data in history:
        if event_type == "statement.withdrawn":
            data = data | {"position": 1 + data["position"] % max(1, len(story.log))}
        with bearable():
            story.tell(event_type, time=time, **told_of(event_type, data))
    with bearable():
        digests = story.digests()
        assert story.folder.failures == {}
        ask_one(story, gate, asked_at)
        for view in VIEWS:
            for text in story.store.texts(view):
                cells(view, view.read_at(orjson.loads(text), asked_at))
        assert retold(story.documents(), batch=100).digests() == digests


def append_all(ledger: Ledger, request: pytest.FixtureRequest) -> None:
    times = itertools.cycle(TIMES)
    made = []
    for event_type in OF_OTHERS:
        # What was admitted once, and is no more, the laws above fold; and all of these. Here is the database's part: each field once.
        could = list(filter(partial(could_hold, event_type), EXTREMES[event_type]))
        for number, data in enumerate(some_of(could, 5, request)):
            if event_type == "statement.withdrawn":
                data = data | {"position": 1 + number}
            event = {
                "specversion": "1.0", "id": f"{event_type}/{number}", "source": "https://ci.example.com/x", "type": event_type,
                "time": next(times), "data": data, "subject": "é" * 256, "note": "\uffff" * 1024,
            }  # fmt: skip
            made.append(Submission((ledger.admission.admit(event),), ledger.local_caller()))
    outcomes = [
        outcome for first in range(0, len(made), 500) for outcome in ledger.append_group(made[first : first + 500])
    ]
    assert all(isinstance(outcome, Recorded) for outcome in outcomes)
    assert len(outcomes) > 300


def test_either_database_bears_every_field_at_its_extremes(
    ledger: Ledger, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    append_all(ledger, request)
    runner = Runner(ledger.database, VIEWS, ledger.watcher)
    assert runner.acquire()
    runner.catch_up()
    with ledger.database.read() as connection:
        assert progress(connection, VIEWS).stopped == {}
    assert all(checked.is_equal for checked in check(ledger.database, VIEWS))
    for gate in GATES:
        decision = ask(ledger, VIEWS, replace(QUESTION, gate=gate))
        assert decision.receipt is not None
        assert recheck(ledger, VIEWS, decision.receipt.position).agrees
        runner.catch_up()
    runner.close()
    store = SqlStore(ledger.database, VIEWS)
    with ledger.database.read() as connection:
        for view in VIEWS:
            page = list_rows(connection, view, where={}, limit=MAX_LIMIT)
            csv.writer(io.StringIO()).writerows(cells(view, view.read_at(row, QUESTION.asked_at)) for row in page.rows)
            if page.rows:
                row_as_of(connection, store, view, page.rows[0][view.key], page.position)
    keep_checkpoint(ledger)
    report = audit_database(ledger.database, pin=Pin(ORIGIN, checkpoint_key=CHECKPOINT_KEY.public_key))
    assert report.verdict == "sound", report
    export(ledger.database, tmp_path / "exported")

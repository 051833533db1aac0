"""The timeline of a change: every entry that names it, and those of its deployments, each once."""

from changes import CHG, opened
from telling import Story

from ledger.events import CATALOGUE, example
from projections.engine.listing import line_of
from projections.readings.changes.timeline import Line, change_timeline


def lines(story: Story, change: str = "CHG-7") -> list[Line]:
    rows = (change_timeline.load(text) for text in story.store.texts(change_timeline))
    return [row for row in rows if row.change_id == change]


def test_every_type_that_may_name_a_change_is_on_its_timeline() -> None:
    story = Story()
    told = []
    for name, event in CATALOGUE.items():
        if any(kind == "change" for kind, _, _ in event.ref_fields):
            erased = {field: {"sha256": "0" * 64} for field in event.erasable_fields}
            own = CHG if "change_id" in event.model_fields else {"changes": [CHG["change_id"]]}
            story.tell(name, **example(event) | erased | own)
            told.append(name)
    assert len(told) > 25
    assert not story.folder.failures
    assert [line.type for line in lines(story)] == told


def test_what_happens_to_a_deployment_is_on_the_timeline_of_the_change_it_is_known_to_be_of() -> None:
    story = opened()
    before = len(lines(story))
    where = {"deployment_id": "d-1", "service": "api", "environment": "prod"}
    story.tell("deployment.started", **where)
    story.tell("deployment.finished", deployment_id="d-1", outcome="success")
    assert len(lines(story)) == before
    story.tell("change.linked", actor="person:alice", **CHG, deployment_id="d-1")
    story.tell("deployment.finished", deployment_id="d-1", outcome="success")
    assert [line.says for line in lines(story)[before:]] == [
        "person:alice linked deployment d-1 to CHG-7",
        "deployment d-1 of (not said) to (not said) ended as success",
    ]


def test_a_gate_that_was_asked_is_on_the_timeline_and_is_no_fact_of_the_ticket() -> None:
    story = opened()
    last = lines(story)[-1].position
    decided = example(CATALOGUE["gate.decided"]) | CHG
    position = story.tell("gate.decided", **decided)
    assert lines(story)[-1].position == position
    assert position == last + 1


def test_a_statement_that_was_taken_back_stays_and_says_where() -> None:
    story = opened()
    first = lines(story)[0]
    at = story.tell("statement.withdrawn", actor="service:desk", position=first.position, reason="x")
    assert [line.withdrawn_position for line in lines(story)] == [at, None]
    key = line_of("CHG-7", first.position)
    assert story.row_as_of(change_timeline, key, at).withdrawn_position == at
    assert story.row_as_of(change_timeline, key, at - 1) == first
    assert story.row_as_of(change_timeline, key, first.position - 1) is None
    # Whoever takes it back again changes nothing.
    story.tell("statement.withdrawn", actor="service:desk", position=first.position, reason="x")
    assert lines(story)[0].withdrawn_position == at


def test_who_may_not_take_back_a_statement_leaves_its_line_as_it_is() -> None:
    story = opened()
    first = lines(story)[0]
    story.tell("statement.withdrawn", actor="service:x", by="service:x", position=first.position, reason="x")
    assert lines(story)[0] == first

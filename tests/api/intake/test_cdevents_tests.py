"""Tests as CDEvents tell of them: what each says, and that a run of them is held against its manifest."""

import base64
import json
import re
from pathlib import Path
from typing import Any

import bodies
import pytest
from changes import found, pass_time
from telling import Story

from api.intake import cdevents, cdevents_custom, cdevents_tests
from api.intake.translation import Fact, ForeignError, Mapped, Unmapped


def event(kind: str, number: int = 1, custom: dict[str, Any] | None = None, **content: Any) -> dict[str, Any]:
    made = bodies.cdevent(kind, number=number)
    made["subject"]["content"] |= content
    return made | {"customData": made["customData"] | (custom or {})}


def facts(body: dict[str, Any]) -> tuple[Fact, ...]:
    told = cdevents.translate({}, bodies.encoded(body))
    assert isinstance(told, Mapped), told
    return told.facts


@pytest.mark.parametrize(
    ("outcome", "expected", "where"),
    [
        ("success", "passed", "passed"),
        ("pass", "passed", "passed"),
        ("failure", "failed", "failed"),
        ("fail", "failed", "failed"),
        ("error", "failed", "errored"),
    ],
)
def test_a_case_is_a_report_of_one_test(outcome: str, expected: str, where: str) -> None:
    [told] = facts(event("testcaserun.finished", outcome=outcome))
    assert (told.data["run_id"], told.data["outcome"], told.data["tests"]) == ("suite-run-7", expected, 1)
    assert told.data[where] == ["paid%20once"]


def test_what_was_skipped_did_not_run_and_what_was_cancelled_says_nothing() -> None:
    [told] = facts(event("testcaserun.skipped"))
    assert (told.data["outcome"], told.data["skipped"]) == ("nothing_ran", ["paid%20once"])
    for kind in ("testcaserun.finished", "testsuiterun.finished"):
        cancelled = cdevents.translate({}, bodies.encoded(event(kind, outcome="cancel")))
        assert cancelled == Unmapped(kind, "field/subject/content/outcome", "/pipelines/prod")


def test_a_sender_says_what_cdevents_have_no_word_for() -> None:
    custom = {
        "run_id": "4711",
        "shard": 2,
        "shards": 3,
        "suite": "unit",
        "commit": bodies.HEAD,
        "service": "payments-api",
    }
    [told] = facts(event("testcaserun.finished", custom=custom))
    assert {name: told.data[name] for name in custom} == custom
    [told] = facts(event("testsuiterun.finished"))
    assert (told.data["run_id"], told.data["suite"], told.data["tests"]) == ("suite-run-7", "payments-api", 0)


def test_a_case_of_performance_is_one_where_it_is_said_of_what_and_since_when() -> None:
    case = {"testCase": {"id": "load", "type": "performance"}, "outcome": "success"}
    assert [told.type for told in facts(event("testcaserun.finished", **case))] == ["test.shard_finished"]
    custom = {"service": "payments-api", "started_at": "2025-05-30T08:00:00Z", "reservation_id": "R-1"}
    _, told = facts(event("testcaserun.finished", custom=custom, **case))
    assert told.type == "perf_test.executed"
    assert (told.data["test_id"], told.data["environment"], told.data["outcome"], told.data["reservation_id"]) == (
        "case-run-7", "staging", "passed", "R-1",
    )  # fmt: skip
    assert (told.data["started_at"], told.data["finished_at"]) == ("2025-05-30T08:00:00Z", "2025-05-30T08:19:30.315Z")


@pytest.mark.parametrize("ran", [("paid once",), ("paid once", "paid abroad")])
def test_cases_of_one_run_are_held_against_what_it_was_to_run(ran: tuple[str, ...]) -> None:
    story = Story()
    story.tell(
        "test.manifest_declared", actor="person:dora", suite="payments-api", version="1", run_id="suite-run-7",
        tests=["paid%20once", "paid%20abroad"],
    )  # fmt: skip
    cases = [event("testcaserun.finished", n, outcome="success", testCase={"name": name}) for n, name in enumerate(ran)]
    for body in (*cases, event("testsuiterun.finished", 9)):
        for told in facts(body):
            story.tell(told.type, **told.data)
    pass_time(story, 2)
    assert ("tests-not-run" in found(story)) is (len(ran) == 1)
    assert "tests-run-twice" not in found(story)


# -- what is kept of what senders add --------------------------------------------------------------------------------------

PARAMETERS = {
    "build": {"parameters": {"TOKEN": "s3cret"}},
    "env": ["s3cret"],
    "password": "s3cret",
    "owner": {"x": "s3cret"},
}


def held(body: dict[str, Any]) -> bytes:
    assert cdevents.FORMAT.redactor is not None
    return cdevents.FORMAT.redactor.cut(bodies.encoded(body))


@pytest.mark.parametrize("mode", ["bare", "structured", "base64"])
def test_parameters_of_a_run_are_not_kept_however_they_come(mode: str) -> None:
    def wrapped(made: dict[str, Any]) -> dict[str, Any]:
        whole = bodies.structured(made)
        if mode == "base64":
            whole["data_base64"] = base64.b64encode(bodies.encoded(whole.pop("data"))).decode()
        return made if mode == "bare" else whole

    plain, added = wrapped(event("testcaserun.finished")), wrapped(event("testcaserun.finished", custom=PARAMETERS))
    assert held(plain) == bodies.encoded(plain)
    assert json.loads(held(added)) == json.loads(held(plain)) or mode == "base64"
    assert cdevents.translate({}, held(added)) == cdevents.translate({}, bodies.encoded(added))
    inside = base64.b64decode(json.loads(held(added)).get("data_base64", ""))
    assert b"s3cret" not in held(added) + inside


def test_data_of_another_type_is_not_kept_and_what_cannot_be_read_neither() -> None:
    made = event("testcaserun.finished") | {
        "customData": "czNjcmV0",
        "customDataContentType": "application/octet-stream",
    }
    assert json.loads(held(made))["customData"] is None
    assert cdevents.FORMAT.redactor is not None
    with pytest.raises(ForeignError):
        cdevents.FORMAT.redactor.cut(bodies.encoded(made)[:-3])
    without = bodies.encoded({name: value for name, value in made.items() if not name.startswith("customData")})
    assert cdevents.FORMAT.redactor.cut(without) == without


def test_whatever_is_read_of_what_senders_add_is_kept() -> None:
    files = [Path(module.__file__ or "").read_text() for module in (cdevents, cdevents_tests)]
    named = set(re.findall(r"customData\.([a-z_]+)", "".join(files)))
    assert named - {"X"} <= cdevents_custom.READ

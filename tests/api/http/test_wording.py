"""What is refused is told in words and by an example, not by a regular expression."""

import typing
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError
from servers import Server, check_problem, event

from ledger.errors import StatementError
from ledger.events import CATALOGUE, example, identifiers
from ledger.events.identifiers import Text

TEXTS = {
    name: found
    for name, found in vars(identifiers).items()
    if any(isinstance(mark, Text) for mark in typing.get_args(found))
}


# A tag may be there without a value.
MAY_BE_BLANK = ("TagValue",)


@pytest.mark.parametrize("name", TEXTS)
def test_every_type_of_text_says_what_it_is_and_gives_an_example_that_it_takes(name: str) -> None:
    mark = next(mark for mark in typing.get_args(TEXTS[name]) if isinstance(mark, Text))
    adapter = TypeAdapter(TEXTS[name])
    assert adapter.validate_python(mark.example) == mark.example
    blank = () if name in MAY_BE_BLANK else ("", " ")
    for wrong in (*blank, "a" * 1000, 5, None, [], "\x00"):
        with pytest.raises(ValidationError) as refused:
            adapter.validate_python(wrong)
        [fault] = refused.value.errors()
        assert fault["loc"] == ()
        assert fault["msg"] == f"expected {mark.says} of at most {mark.max_length} characters, such as {mark.example}"
    assert mark.says != "a text"


def test_no_event_type_answers_a_wrong_text_with_a_pattern() -> None:
    for name, event_class in CATALOGUE.items():
        committed = {field: {"sha256": "0" * 64} for field in event_class.erasable_fields}
        for field in event_class.model_fields:
            with pytest.raises(StatementError) as refused:
                CATALOGUE.validate(name, example(event_class) | committed | {field: "\x01 no such thing"})
            assert not {"pattern", "match", "constrained"} & set(str(refused.value).split(";")[0].split()), (
                refused.value
            )
            assert str(refused.value.place).startswith(f"/data/{field}")


@pytest.mark.parametrize(
    ("method", "path", "more", "place"),
    [
        ("DELETE", "/v1/events/1/texts", {"params": {"reason": "two words"}}, "/reason"),
        ("DELETE", "/v1/events/1/evidence/x", {"params": {"reason": "one"}}, "/sha256"),
        ("DELETE", "/v1/ledger/keys/entry/x", {}, "/key_id"),
        ("POST", "/v1/ledger/credentials", {"json": {"principal": "alice", "roles": ["reporter"]}}, "/principal"),
        ("POST", "/v1/ledger/sources", {"json": {"source": "a b", "door": "events", "principal": "person:a"}}, "/source"),
        (
            "POST", "/v1/ledger/sources",
            {"json": {"source": "https://a/*", "door": "events", "principal": "person:a", "authority_for": ["github"]}},
            "/authority_for/0",
        ),
        ("POST", "/v1/gates/deploy", {"json": {"change_id": " "}}, "/change_id"),
    ],
)  # fmt: skip
def test_no_route_answers_a_wrong_text_with_a_pattern(
    server: Server, method: str, path: str, more: dict[str, Any], place: str
) -> None:
    problem = check_problem(server.client().request(method, path, **more), 422)
    assert problem["place"] == place
    assert "such as" in problem["detail"]
    assert "pattern" not in problem["detail"]


def test_an_unknown_event_type_is_quoted_once(server: Server) -> None:
    problem = check_problem(server.post(event() | {"type": "deployment.exploded"}), 422, "/type")
    assert problem["detail"].startswith("there is no event type 'deployment.exploded'")


def test_what_is_no_field_and_what_is_missing_is_told_in_our_words(server: Server) -> None:
    asked = check_problem(server.client().post("/v1/gates/deploy", json={"servce": "shop"}), 422)
    assert asked["detail"].startswith("there is no field 'servce'; did you mean service?")
    told = event()
    strange = check_problem(server.post(told | {"data": told["data"] | {"environmnt": "prod"}}), 422)
    assert "did you mean environment?" in strange["detail"]
    lacking = check_problem(server.post(told | {"type": "approval.granted", "data": {"change_id": "CHG-7"}}), 422)
    assert lacking["detail"] == "expected a value, found none (at /data/actor)"
    other = check_problem(server.post(told | {"data": told["data"] | {"outcome": "ok"}}), 422)
    assert other["detail"].startswith("expected 'success', 'failure'")
    assert "found 'ok'" in other["detail"]

"""Erasable texts of statements that their producer signed: salted by the producer, kept beside the log."""

from typing import Any

import pytest
from producers import SALT, enrol, post, producer_key, recorded, refused, said, signed, with_texts
from servers import Server

KEY = producer_key(70)
LONGEST_TEXT = 16_384


@pytest.fixture(scope="module", autouse=True)
def enrolled(server: Server) -> None:
    """The producer's key is known to the server."""
    enrol(server, KEY, "https://ci.example.com/*")


def test_texts_are_salted_by_the_producer_and_lie_beside_the_log(server: Server) -> None:
    statement, texts = with_texts(said("change.opened"), title="Raise the size", description="Füße, 😀")
    position = post(server, signed(statement, KEY, texts=texts)).json()["position"]
    found = server.get(f"/v1/events/{position}").json()
    assert found["entry"]["statement"] == statement
    assert found["texts"]["description"] == {"salt": SALT.hex(), "text": "Füße, 😀"} | {
        name: value for name, value in found["texts"]["description"].items() if name not in ("salt", "text")
    }
    assert server.get(f"/v1/events/{position}/entry").content.find(b"Raise") == -1
    assert server.client().delete(f"/v1/events/{position}/texts", params={"reason": "gdpr-17"}).status_code == 200


TITLE = "Raise the size of the pool"


def texts_that_do_not_fit() -> dict[str, tuple[Any, str]]:
    fits = {"salt": SALT.hex(), "text": TITLE}
    return {
        "none": ({}, "/data/title"),
        "another text": ({"title": fits | {"text": "Another"}}, "/data/title"),
        "another salt": ({"title": fits | {"salt": "00" * 32}}, "/data/title"),
        "a short salt": ({"title": fits | {"salt": "5a"}}, "/texts/title"),
        "a salt in capitals": ({"title": fits | {"salt": "5A" * 32}}, "/texts/title"),
        "a salt that is a number": ({"title": fits | {"salt": 5}}, "/texts/title"),
        "no salt": ({"title": {"text": TITLE}}, "/texts/title"),
        "no text": ({"title": {"salt": SALT.hex()}}, "/texts/title"),
        "a text that is a number": ({"title": fits | {"text": 5}}, "/texts/title"),
        "a text that is null": ({"title": fits | {"text": None}}, "/texts/title"),
        "a text with half a character": ({"title": fits | {"text": "\ud800"}}, "/texts/title"),
        "a string alone": ({"title": TITLE}, "/texts/title"),
        "one for a field that has none": ({"title": fits, "description": fits}, "/texts"),
        "one for a field that is no text": ({"title": fits, "change_id": fits}, "/texts"),
        "one for a field that is nowhere": ({"title": fits, "a/b~c": fits}, "/texts"),
    }


@pytest.mark.parametrize("how", list(texts_that_do_not_fit()))
def test_texts_that_are_not_those_that_were_committed_to_are_refused(server: Server, how: str) -> None:
    statement, _ = with_texts(said("change.opened"), title=TITLE)
    texts, place = texts_that_do_not_fit()[how]
    refused(server, signed(statement, KEY, texts=texts), 422, place)


@pytest.mark.parametrize("data", ["x", 7, None, [], True], ids=repr)
def test_data_that_is_no_object_is_refused_also_with_texts(server: Server, data: Any) -> None:
    statement = said("change.opened") | {"data": data}
    refused(server, signed(statement, KEY, texts={"title": {"salt": SALT.hex(), "text": TITLE}}), 422)


def test_a_text_that_stands_in_a_signed_statement_itself_is_refused(server: Server) -> None:
    for title in (TITLE, {"sha256": "0" * 63}, {"sha256": 1}, {}, [], 7):
        refused(server, signed(said("change.opened", title=title), KEY), 422, "/data/title")


def test_a_signed_text_has_at_most_so_many_bytes_as_any(server: Server) -> None:
    statement, texts = with_texts(said("change.opened"), title="é" * (LONGEST_TEXT // 2))
    recorded(server, signed(statement, KEY, texts=texts))
    statement, texts = with_texts(said("change.opened"), title="é" * (LONGEST_TEXT // 2) + "x")
    refused(server, signed(statement, KEY, texts=texts), 413, "/data/title")

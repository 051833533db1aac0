"""CloudEvents over HTTP, where its text says MUST: null, quoted and encoded headers, media types, both modes."""

import base64
import json
from typing import Any

import bodies
import httpx
import pytest
from deliveries import entry_at, numbers, taken
from hypothesis import given
from hypothesis import strategies as st
from servers import BATCH, JSON, Server, check_problem, event

from api.intake.cloudevents import attributes, is_same
from ledger.errors import StatementError


def binary(said: dict[str, Any], **more: str) -> dict[str, str]:
    """Return the headers of binary mode; a keyword replaces or adds one."""
    return {f"ce-{name}": str(value) for name, value in said.items() if name != "data"} | more


def post_without_type(
    server: Server, path: str, body: bytes, headers: dict[str, str], by: str = "all"
) -> httpx.Response:
    """Post as a client does that names no Content-Type."""
    request = server.client(by).build_request("POST", path, content=body, headers=headers)
    assert "content-type" not in request.headers
    return server.client(by).send(request)


# -- headers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ("a%20b", "a b"),
        ('"a b"', "a b"),
        ('"a \\"b\\" \\\\ c"', 'a "b" \\ c'),
        ('"a%20b"', "a b"),
        # One round of decoding.
        ("%2520", "%20"),
        ("100%", "100%"),
        ("Euro%20%E2%82%AC%20%F0%9F%98%80", "Euro € 😀"),
        ("%e2%82%ac", "€"),
        ("%41", "A"),
        ('say "a b" twice', "say a b twice"),
        ('"', '"'),
        ('"a\\"b', '"a\\"b'),
        ('"a" "b\\', 'a "b\\'),
        # Nothing closes the first, and all others are escaped: read once, and not once from each.
        pytest.param('"' + '\\"' * 300_000, '"' + '\\"' * 300_000, id="open quotes"),
        ("", ""),
    ],
)
def test_a_header_is_unquoted_and_then_decoded_once(sent: str, said: str) -> None:
    assert attributes({"ce-subject": sent, "content-type": "x"}) == {"subject": said}


@pytest.mark.parametrize("sent", ["%C0%A0", "%FF", "%ED%A0%80", "é", '"%C3"'])
def test_a_header_that_is_no_utf_8_is_refused(server: Server, sent: str) -> None:
    with pytest.raises(StatementError) as caught:
        attributes({"ce-subject": sent})
    assert caught.value.place == "/subject"
    said = event()
    headers = [(name, value.encode("latin-1")) for name, value in binary(said, **{"ce-subject": sent}).items()]
    body = json.dumps(said["data"]).encode()
    answer = server.client().post("/v1/events", content=body, headers=[*headers, ("Content-Type", JSON.encode())])
    check_problem(answer, 422, "/subject")
    document = bodies.cdevent(number=next(numbers))
    headers = [(n, v.encode("latin-1")) for n, v in (bodies.ce_headers(document) | {"ce-subject": sent}).items()]
    answer = server.client().post("/v1/intake/cdevents", content=bodies.encoded(document), headers=headers)
    check_problem(answer, 422, "/subject")


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1))
def test_what_is_encoded_as_cloudevents_says_comes_back(text: str) -> None:
    sent = "".join(c if "!" <= c <= "~" and c not in '"%' else "".join(f"%{b:02X}" for b in c.encode()) for c in text)
    assert attributes({"ce-subject": sent}) == {"subject": text}


def test_an_attribute_that_comes_twice_is_refused(server: Server) -> None:
    said = event()
    headers = [*binary(said).items(), ("ce-id", "another"), ("Content-Type", JSON)]
    answer = server.client().post("/v1/events", content=json.dumps(said["data"]).encode(), headers=headers)
    check_problem(answer, 422, "/id")


def test_a_quoted_header_is_recorded_without_its_quotes(server: Server) -> None:
    said = event()
    answer = server.post(said["data"], kind=JSON, headers=binary(said, **{"ce-subject": '"a b"'}))
    assert entry_at(server, answer.json()["position"])["statement"]["subject"] == "a b"


@pytest.mark.parametrize(
    ("name", "said", "inside", "same"),
    [
        ("id", "5", "5", True),
        ("x", "5", 5, True),
        ("x", "true", True, True),
        ("x", "True", True, False),
        ("time", "2025-05-30T08:19:30.315000+00:00", "2025-05-30T08:19:30.315Z", True),
        ("time", "2025-05-30T08:19:31Z", "2025-05-30T08:19:30Z", False),
        ("time", "yesterday", "yesterday", True),
        ("time", "yesterday", "today", False),
        ("id", "5", None, False),
        ("id", ["5"], "5", False),
    ],
)
def test_two_places_say_the_same(name: str, said: Any, inside: Any, same: bool) -> None:
    assert is_same(name, said, inside) is same


# -- null, and media types --------------------------------------------------------------------------------------------


def test_null_is_the_same_as_not_set(server: Server) -> None:
    said = event()
    answer = server.post(said | {"subject": None, "traceparent": None, "datacontenttype": None})
    assert answer.status_code == 201
    assert entry_at(server, answer.json()["position"])["statement"] == said
    # So it is the same statement, in a batch too.
    again = server.post([said, event() | {"subject": None}], kind=BATCH)
    assert [item["status"] for item in again.json()["items"]] == [200, 201]
    check_problem(server.post(event() | {"id": None}), 422, "/id")


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", 'application/json;charset="UTF-8"'])
def test_data_that_says_it_is_utf_8_is_accepted(server: Server, kind: str) -> None:
    assert server.post(event() | {"datacontenttype": kind}).status_code == 201
    assert server.post(event(), kind=kind.replace("json", "cloudevents+json", 1)).status_code == 201
    said = event()
    assert server.post(said["data"], kind=kind, headers=binary(said)).status_code == 201
    document = bodies.cdevent(number=next(numbers))
    headers = bodies.ce_headers(document) | {"Content-Type": kind}
    answer = server.client().post("/v1/intake/cdevents", content=bodies.encoded(document), headers=headers)
    assert answer.status_code == 201


def test_data_in_another_charset_is_refused(server: Server) -> None:
    answer = server.post(event() | {"datacontenttype": "application/json; charset=utf-16"})
    check_problem(answer, 422, "/datacontenttype")


def test_binary_mode_without_a_type_carries_json(server: Server) -> None:
    # As the SDK for Python sends what nobody gave a datacontenttype.
    said = event()
    answer = post_without_type(server, "/v1/events", json.dumps(said["data"]).encode(), binary(said))
    assert answer.status_code == 201
    assert entry_at(server, answer.json()["position"])["statement"]["data"] == said["data"]
    document = bodies.cdevent(number=next(numbers))
    headers = bodies.ce_headers(document)
    del headers["Content-Type"]
    answer = post_without_type(server, "/v1/intake/cdevents", bodies.encoded(document), headers)
    assert answer.status_code == 201
    for path in ("/v1/events", "/v1/intake/cdevents"):
        check_problem(post_without_type(server, path, json.dumps(event()).encode(), {}), 415)


# -- CDEvents in CloudEvents ------------------------------------------------------------------------------------------


def test_structured_mode_may_repeat_its_attributes_in_headers(server: Server) -> None:
    document = bodies.cdevent(number=next(numbers))
    headers = bodies.ce_headers(document)
    del headers["Content-Type"]
    answer = server.post(bodies.structured(document), to="/v1/intake/cdevents", headers=headers)
    taken(server, answer)
    document["context"]["id"] += "-b"
    wrong = headers | {"ce-id": "another"}
    check_problem(server.post(bodies.structured(document), to="/v1/intake/cdevents", headers=wrong), 422, "/id")


def test_a_time_that_is_written_otherwise_is_no_contradiction(server: Server) -> None:
    document = bodies.cdevent(number=next(numbers))
    headers = bodies.ce_headers(document) | {"ce-time": "2025-05-30T10:19:30.315000+02:00"}
    answer = server.client().post("/v1/intake/cdevents", content=bodies.encoded(document), headers=headers)
    assert taken(server, answer)["statement"]["time"] == document["context"]["timestamp"]


def test_data_in_base64_is_read(server: Server) -> None:
    document = bodies.cdevent(number=next(numbers))
    said = bodies.structured(document)
    said["data_base64"] = base64.b64encode(bodies.encoded(said.pop("data"))).decode()
    assert taken(server, server.post(said, to="/v1/intake/cdevents"))["statement"]["type"] == "deployment.finished"
    said["data_base64"] = "no base64"
    entry = taken(server, server.post(said, to="/v1/intake/cdevents"), 202)
    assert entry["statement"]["data"]["reason"] == "not-base64"

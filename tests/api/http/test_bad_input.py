"""Bad input at every door: a problem document that names the place, nothing written, and never a 5xx."""

import asyncio
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import bodies
import pytest
from servers import BATCH, JSON, STRUCTURED, Server, check_problem, event

from api.desk import submitting
from ledger.canonical import MAX_INTEGER

LONE = "\ud800"


def with_data(**data: Any) -> dict[str, Any]:
    said = event()
    return said | {"data": said["data"] | data}


def without(said: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in said.items() if name not in names}


def text_of(said: dict[str, Any], **replace: str) -> bytes:
    """Return JSON in which the strings `@name` are replaced, quotes and all, by what no Python value writes."""
    text = json.dumps(said)
    for name, raw in replace.items():
        text = text.replace(f'"@{name}"', raw)
    return text.encode()


def in_a_day(hours: float) -> str:
    return (datetime.now(UTC) + timedelta(hours=hours)).isoformat()


# -- statements that are not admissible --------------------------------------------------------------------------------

# What is wrong -> the body, and a part of the place that the problem names.
NOT_ADMISSIBLE: dict[str, tuple[Callable[[], Any], str]] = {
    "nothing at all": (lambda: b"", "not JSON"),
    "not JSON": (lambda: b"{", "line 1"),
    "not JSON after a while": (lambda: b'{\n"a": 1,\n}', "line 3"),
    "two values": (lambda: b"{} {}", "column 4"),
    "not UTF-8": (lambda: b'{"id": "\xff"}', "byte 8"),
    "UTF-16": (lambda: json.dumps(event()).encode("utf-16"), "UTF-8"),
    "a byte order mark": (lambda: b"\xef\xbb\xbf" + json.dumps(event()).encode(), ""),
    "NaN": (lambda: text_of(with_data(links=["@x"]), x="NaN"), "/data/links/0"),
    "infinity": (lambda: text_of(event() | {"sequence": "@x"}, x="-Infinity"), "/sequence"),
    "an array": (lambda: [event()], "object"),
    "null": (lambda: b"null", "object"),
    "a key twice in the envelope": (lambda: json.dumps(event()).encode()[:-1] + b', "id": "other"}', "/id"),
    "a key twice in data": (
        lambda: text_of(event() | {"data": "@d"}, d='{"outcome": "success", "outcome": "failure"}'),
        "/data/outcome",
    ),
    "a key twice by an escape": (
        lambda: text_of(event() | {"data": "@d"}, d='{"outcome": "success", "outc\\u006fme": "failure"}'),
        "/data/outcome",
    ),
    "a float in data": (lambda: with_data(links=[1.5]), "/data/links/0"),
    "a float in an extension": (lambda: event() | {"sequence": 1.0}, "/sequence"),
    "an exponent": (lambda: text_of(with_data(links=["@x"]), x="1e3"), "/data/links/0"),
    "an integer beyond 2^53-1": (lambda: event() | {"sequence": MAX_INTEGER + 1}, "/sequence"),
    "an integer beyond -(2^53-1)": (lambda: event() | {"sequence": -MAX_INTEGER - 1}, "/sequence"),
    "an integer of five thousand digits": (lambda: text_of(event() | {"sequence": "@x"}, x="9" * 5000), "/sequence"),
    "minus zero": (lambda: text_of(event() | {"sequence": "@x"}, x="-0"), "/sequence"),
    "a lone surrogate in a value of data": (lambda: with_data(service=f"a{LONE}"), "/data/service"),
    "a lone surrogate in a key of data": (lambda: with_data(**{LONE: 1}), "/data/"),
    "a lone surrogate in a key of the envelope": (lambda: event() | {LONE: 1}, "/"),
    "a lone surrogate in an attribute": (lambda: event() | {"subject": LONE}, "/subject"),
    "a lone surrogate in the media type of data": (lambda: event() | {"datacontenttype": LONE}, "/datacontenttype"),
    "a lone surrogate in an extension": (lambda: event() | {"correlationid": LONE}, "/correlationid"),
    "a lone surrogate in the id": (lambda: event() | {"id": LONE}, "/id"),
    "a lone surrogate in the type": (lambda: event() | {"type": LONE}, "/type"),
    "a lone surrogate in the time": (lambda: event() | {"time": LONE}, "/time"),
    "a lone surrogate in the version": (lambda: event() | {"specversion": LONE}, "/specversion"),
    "a lone surrogate in the name of the ledger": (lambda: event() | {"ledger": LONE}, "/ledger"),
    "a lone surrogate in an erasable text": (lambda: event("change.opened", title=f"a{LONE}b"), "/data/title"),
    "a lone surrogate beside an erasable text": (
        lambda: event("change.opened", title="a", **{LONE: "b"}),
        "/data/",
    ),
    "the other lone surrogate": (lambda: event("change.opened", title="\udfff"), "/data/title"),
    "too deep in data": (lambda: with_data(links=json.loads("[" * 20 + "]" * 20)), "/data/links"),
    "too deep for any reader": (lambda: b"[" * 90_000 + b"]" * 90_000, "nested too deeply"),
    "too deep in objects": (lambda: b'{"a":' * 30_000 + b"1" + b"}" * 30_000, "nested too deeply"),
    "too many refs": (
        lambda: event("change.opened", services=[f"service-{n}" for n in range(65)]),
        "/data",
    ),
    "an unknown type": (lambda: event() | {"type": "deployment.exploded"}, "/type"),
    "a type that is no string": (lambda: event() | {"type": 5}, "/type"),
    "a version that is not CloudEvents 1.0": (lambda: event() | {"specversion": "0.3"}, "/specversion"),
    "an unknown field of data": (lambda: with_data(colour="red"), "/data/colour"),
    "a missing field of data": (lambda: event() | {"data": without(event()["data"], "outcome")}, "/data/outcome"),
    "data that is no object": (lambda: event() | {"data": "text"}, "/data"),
    "data in base64": (lambda: without(event(), "data") | {"data_base64": "e30="}, "/data"),
    "data in base64 beside data": (lambda: event() | {"data_base64": "e30="}, "/data_base64"),
    "a signature in the envelope's own way": (lambda: event() | {"dssematerial": "e30="}, "/dssematerial"),
    "data that is not JSON": (lambda: event() | {"datacontenttype": "text/xml"}, "/datacontenttype"),
    "a wrong identifier": (lambda: with_data(deployment_id="no blanks"), "/data/deployment_id"),
    "an identifier with a line feed at its end": (lambda: with_data(deployment_id="a\n"), "/data/deployment_id"),
    "an identifier that is too long": (lambda: with_data(deployment_id="a" * 101), "/data/deployment_id"),
    "an identifier that is a number": (lambda: with_data(deployment_id=5), "/data/deployment_id"),
    "an identity without a kind": (lambda: with_data(actor="alice"), "/data/actor"),
    "a word that is not one of those listed": (lambda: with_data(outcome="exploded"), "/data/outcome"),
    "a field that is null and must not be": (lambda: with_data(outcome=None), "/data/outcome"),
    "a digest where a text is expected": (
        lambda: event("change.opened", title={"sha256": "0" * 64}),
        "/data/title",
    ),
    "an array that is too long": (lambda: with_data(links=[1] * 17), "/data/links"),
    "an id with a blank": (lambda: event() | {"id": "a b"}, "/id"),
    "an empty id": (lambda: event() | {"id": ""}, "/id"),
    "an id that is too long": (lambda: event() | {"id": "a" * 257}, "/id"),
    "a source that is no string": (lambda: event() | {"source": 5}, "/source"),
    "an extension in capitals": (lambda: event() | {"traceParent": "x"}, "/traceParent"),
    "an extension without a name": (lambda: event() | {"": "x"}, "attribute"),
    "an extension that is an object": (lambda: event() | {"trace": {}}, "/trace"),
    "an extension that is too long": (lambda: event() | {"trace": "x" * 1025}, "/trace"),
    "a time without offset": (lambda: event() | {"time": "2025-06-01T12:00:00"}, "/time"),
    "a date without a time": (lambda: event() | {"time": "2025-06-01"}, "/time"),
    "a time that does not exist": (lambda: event() | {"time": "2025-02-30T12:00:00Z"}, "/time"),
    "a time that is no string": (lambda: event() | {"time": 1748779200}, "/time"),
    "a time before there was UTC": (lambda: event() | {"time": "0001-01-01T00:00:00+10:00"}, "/time"),
    "a time more than 24 h ahead": (lambda: event() | {"time": in_a_day(24.1)}, "/time"),
    "a time far ahead": (lambda: event() | {"time": "9999-12-31T23:59:59-10:00"}, "/time"),
    "another ledger": (lambda: event() | {"ledger": "ledger.test/two"}, "/ledger"),
    "a ledger that is no string": (lambda: event() | {"ledger": 5}, "/ledger"),
} | {
    f"no {name}": (lambda name=name: without(event(), name), f"/{name}")  # type: ignore[misc]
    for name in ("specversion", "id", "source", "type", "time", "data")
}


@pytest.mark.parametrize("what", NOT_ADMISSIBLE)
def test_what_is_not_admissible_is_refused_by_its_place_and_nothing_is_written(server: Server, what: str) -> None:
    make, place = NOT_ADMISSIBLE[what]
    before = server.size()
    check_problem(server.post(make()), 422, place)
    assert server.size() == before


@pytest.mark.parametrize("what", [what for what in NOT_ADMISSIBLE if what != "an array"])
def test_one_bad_event_does_not_harm_the_others_of_its_batch(server: Server, what: str) -> None:
    bad = NOT_ADMISSIBLE[what][0]()
    good = event()
    if isinstance(bad, bytes):
        # Between two good ones; what is no JSON at all spoils the array.
        body = b"[" + json.dumps(good).encode() + b"," + bad + b"]"
        answer = server.post(body, kind=BATCH)
        if answer.status_code == 422:
            check_problem(answer)
            return
    else:
        answer = server.post([good, bad], kind=BATCH)
    assert answer.status_code in (207, 422), answer.text
    if answer.status_code == 207:
        first, second = answer.json()["items"]
        assert first["status"] == 201
        assert second["status"] == 422
        assert second["problem"]["place"].startswith("/1")


@pytest.mark.parametrize("hours", [-24 * 365 * 50, 23.9])
def test_a_time_long_ago_or_almost_a_day_ahead_is_admitted(server: Server, hours: float) -> None:
    assert server.post(event() | {"time": in_a_day(hours)}).status_code == 201


@pytest.mark.parametrize("sequence", [MAX_INTEGER, -MAX_INTEGER, 0, True, "", "5"])
def test_extensions_at_the_edge_are_admitted(server: Server, sequence: Any) -> None:
    assert server.post(event() | {"sequence": sequence}).status_code == 201


# -- too long ----------------------------------------------------------------------------------------------------------


def chunks(size: int) -> Iterator[bytes]:
    """Yield a body without saying before how long it is."""
    yield b'{"a": "'
    for _ in range(size // 65536 + 1):
        yield b"x" * 65536
    yield b'"}'


LIMIT = 8_388_608


@pytest.mark.parametrize("kind", [STRUCTURED, BATCH])
def test_a_body_that_is_too_long_is_refused(server: Server, kind: str) -> None:
    before = server.size()
    check_problem(server.post(b" " * (LIMIT + 1), kind=kind), 413)
    assert server.size() == before


def test_an_event_longer_than_any_statement_is_refused(server: Server) -> None:
    before = server.size()
    check_problem(server.post(event() | {f"x{n}": "y" * 1024 for n in range(60)}), 413)
    check_problem(server.post(event("change.opened", title="x" * 16_385)), 413, "/data/title")
    check_problem(server.post(json.dumps(event()).encode() + b" " * 200_000), 413)
    assert server.size() == before


def test_texts_of_many_bytes_are_counted_in_bytes(server: Server) -> None:
    assert server.post(event("change.opened", title="é" * 8192)).status_code == 201
    check_problem(server.post(event("change.opened", title="é" * 8193)), 413, "/data/title")


@pytest.mark.parametrize(
    "path",
    ["/v1/events", "/v1/intake/github", "/v1/intake/cdevents", "/v1/ledger/credentials", "/v1/ledger/sources",
     "/v1/ledger/verify", "/v1/views/check", "/v1/gates/deploy"],
)  # fmt: skip
@pytest.mark.parametrize("chunked", [False, True], ids=["announced", "chunked"])
def test_no_route_reads_more_than_the_longest_body(server: Server, path: str, chunked: bool) -> None:
    content = chunks(LIMIT) if chunked else b"".join(chunks(LIMIT))
    headers = {"Content-Type": JSON, "X-Hub-Signature-256": f"sha256={'0' * 64}"}
    # A connection of its own: the server may close it before all was sent.
    with server.client_with(server.tokens["all"]) as client:
        check_problem(client.post(path, content=content, headers=headers), 413)


# -- header and body ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["id", "source", "type", "time", "specversion"])
def test_a_header_that_contradicts_the_body_is_refused(server: Server, name: str) -> None:
    said = event()
    before = server.size()
    check_problem(server.post(said, headers={f"ce-{name}": "something-else"}), 422, f"/{name}")
    assert server.size() == before


def test_binary_mode_needs_every_attribute_too(server: Server) -> None:
    said = event()
    headers = {f"ce-{name}": said[name] for name in ("specversion", "id", "source", "type")}
    check_problem(server.post(said["data"], kind=JSON, headers=headers), 422, "/time")
    check_problem(server.post(b"[", kind=JSON, headers=headers | {"ce-time": said["time"]}), 422, "line 1")
    check_problem(server.post(b"[]", kind=JSON, headers=headers | {"ce-time": said["time"]}), 422, "/data")


def test_a_header_that_is_no_attribute_is_refused(server: Server) -> None:
    said = event()
    headers = {f"ce-{name}": said[name] for name in ("specversion", "id", "source", "type", "time")}
    check_problem(server.post(said["data"], kind=JSON, headers=headers | {"ce-no-such": "x"}), 422, "no-such")


# -- another content under the same id ---------------------------------------------------------------------------------


def test_another_content_leaves_one_note_however_often_it_comes(server: Server) -> None:
    said = event(outcome="success")
    first = server.record(said)
    before = server.size()
    other, third = event(id=said["id"], outcome="failure"), event(id=said["id"], outcome="error")
    for _ in range(3):
        assert check_problem(server.post(other), 409)["position"] == first["position"]
    [note] = server.entries(before)
    statement = note["entry"]["statement"]
    assert statement["type"] == "intake.conflicted"
    assert statement["data"]["first_position"] == first["position"]
    assert statement["data"]["first_digest"] != statement["data"]["second_digest"]
    # Once per content: a third one is another fact.
    for _ in range(2):
        check_problem(server.post(third), 409)
    assert server.size() == before + 2
    assert server.post(said).json() == first


# -- who may -----------------------------------------------------------------------------------------------------------

BAD_TOKENS = {
    "no token": {},
    "another scheme": {"Authorization": "Basic dXNlcjpwYXNz"},
    "no token after the scheme": {"Authorization": "Bearer"},
    "an unknown token": {"Authorization": "Bearer clt_" + "0" * 64},
    "a token in Latin-1": {"Authorization": b"Bearer caf\xe9"},
    "a very long token": {"Authorization": "Bearer " + "x" * 30_000},
}


@pytest.mark.parametrize("what", BAD_TOKENS)
def test_who_is_not_known_writes_nothing(server: Server, what: str) -> None:
    before = server.size()
    answer = server.post(event(), by="nobody", headers=BAD_TOKENS[what])
    check_problem(answer, 401)
    assert answer.headers["www-authenticate"] == "Bearer"
    assert server.size() == before


def test_a_token_that_has_expired_writes_nothing(server: Server) -> None:
    _, token = server.issue_token("reporter", expires_at="2025-01-01T00:00:00Z")
    before = server.size()
    with server.client_with(token) as client:
        assert "expired" in check_problem(client.post("/v1/events", json=event()), 401)["detail"]
    assert server.size() == before


def test_a_token_that_was_revoked_writes_nothing_and_reads_nothing(server: Server) -> None:
    credential, token = server.issue_token("reporter", "auditor")
    with server.client_with(token) as client:
        assert client.post("/v1/events", json=event()).status_code == 201
        revoked = server.client().delete(f"/v1/ledger/credentials/{credential}", params={"reason": "leaked"})
        assert revoked.status_code == 200
        before = server.size()
        assert "revoked" in check_problem(client.post("/v1/events", json=event()), 401)["detail"]
        check_problem(client.get("/v1/events"), 401)
    assert server.size() == before


def test_a_reporter_stays_within_its_areas_and_sources(server: Server) -> None:
    _, token = server.issue_token("reporter", areas=["deployment"], sources=["https://ci.example.com/*", "jenkins"])
    before = server.size()
    with server.client_with(token) as client:
        allowed = event(), event() | {"source": "jenkins"}
        refused = (
            event("change.opened"),
            event() | {"source": "https://ci.example.org/payments"},
            event() | {"source": "https://ci.example.com"},
            event() | {"source": "jenkins2"},
        )
        assert [client.post("/v1/events", json=said).status_code for said in allowed] == [201, 201]
        for said in refused:
            check_problem(client.post("/v1/events", json=said), 403)
            check_problem(client.post("/v1/events", json=said, params={"dry_run": "true"}), 403)
        batch = client.post("/v1/events", content=json.dumps([event(), *refused]), headers={"Content-Type": BATCH})
        assert [item["status"] for item in batch.json()["items"]] == [201, 403, 403, 403, 403]
        check_problem(
            client.post(
                "/v1/events",
                content=json.dumps([event(), refused[0]]),
                headers={"Content-Type": BATCH},
                params={"atomic": "true"},
            ),
            403,
        )
    assert server.size() == before + 3


@pytest.mark.parametrize("area", ["ledger", "gate", "intake"])
def test_nobody_speaks_for_the_ledger(server: Server, area: str) -> None:
    types = [item["type"] for item in server.get("/v1/catalogue").json() if item["type"].startswith(f"{area}.")]
    assert types
    before = server.size()
    for event_type in types:
        example = server.get(f"/v1/catalogue/{event_type}").json()["example"] | {"time": event()["time"]}
        check_problem(server.post(example), 403)
    assert server.size() == before


@pytest.mark.parametrize("event_type", ["identity.linked", "policy.declared"])
def test_who_decides_who_may_do_what_must_be_operator(server: Server, event_type: str) -> None:
    types = {item["type"] for item in server.get("/v1/catalogue").json()}
    # The area decides; whichever type of it the catalogue has.
    area = event_type.partition(".")[0]
    [some, *_] = sorted(name for name in types if name.startswith(f"{area}."))
    example = server.get(f"/v1/catalogue/{some}").json()["example"] | {"time": event()["time"]}
    check_problem(server.post(example | {"id": f"as-reporter-{some}"}, by="reporter"), 403)
    assert server.post(example | {"id": f"as-operator-{some}"}, by="operator").status_code == 201


# -- outside formats ---------------------------------------------------------------------------------------------------


def test_a_wrong_hmac_writes_nothing(server: Server) -> None:
    body = bodies.encoded(bodies.deployment(11))
    before = server.size()
    for headers in (
        bodies.webhook(body, "deployment", secret="another secret"),
        bodies.webhook(body + b" ", "deployment"),
        {"X-GitHub-Event": "deployment"},
        {"X-GitHub-Event": "deployment", "X-Hub-Signature-256": ""},
        {"X-GitHub-Event": "deployment", "X-Hub-Signature-256": "sha256="},
        # The old header, of a broken hash, is no way in.
        {"X-GitHub-Event": "deployment", "X-Hub-Signature": "sha1=" + "0" * 40},
    ):
        check_problem(server.post(body, to="/v1/intake/github", by="nobody", kind=JSON, headers=headers), 401)
    assert server.size() == before


def test_a_body_that_contradicts_its_headers_is_refused_where_nothing_is_enrolled(server: Server) -> None:
    raw = bodies.encoded(bodies.deployment(7140))
    before = server.size()
    headers = bodies.webhook(raw, "ping")
    check_problem(server.post(raw, to="/v1/intake/github", by="nobody", kind=JSON, headers=headers), 403)
    assert server.size() == before


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("deployment_status", bodies.deployment(7121)),
        ("deployment", bodies.deployment_status("success", 7122)),
        ("pull_request_review", bodies.deployment(7123)),
        ("push", bodies.review(number=7124)),
        ("", bodies.deployment(7125)),
        ("ping", bodies.deployment(7126)),
        ("deployment", bodies.ping() | {"hook_id": 7127}),
    ],
)
def test_a_kind_that_the_body_contradicts_states_nothing_and_the_bytes_are_kept(
    taking: Server, kind: str, body: dict[str, Any]
) -> None:
    raw = bodies.encoded(body)
    before = taking.size()
    for _ in range(2):
        answer = taking.post(raw, to="/v1/intake/github", by="nobody", kind=JSON, headers=bodies.webhook(raw, kind))
        assert "X-GitHub-Event" in check_problem(answer, 422)["detail"]
    assert taking.size() == before + 1
    kept = taking.get(f"/v1/events/{before + 1}").json()["entry"]
    data = kept["statement"]["data"]
    assert kept["statement"]["type"] == "intake.unmapped"
    assert (data["kind"], data["reason"]) == ("none", "contradicts-its-headers")
    place = f"/v1/events/{before + 1}/evidence/{data['body_sha256']}"
    assert taking.get(place).content == raw


def test_a_body_under_many_names_that_it_contradicts_is_kept_once(taking: Server) -> None:
    # The name of the event is no part of what GitHub signs: whoever has one delivery can send it under any.
    raw = bodies.encoded(bodies.deployment(7130))
    before = taking.size()
    for kind in ("pull_request_review", "ping", "deployment_status", "push", "push-0", "push-1"):
        answer = taking.post(raw, to="/v1/intake/github", by="nobody", kind=JSON, headers=bodies.webhook(raw, kind))
        check_problem(answer, 422)
    assert taking.size() == before + 1
    # Under its own name it is the fact that it is.
    own = bodies.webhook(raw, "deployment")
    assert taking.post(raw, to="/v1/intake/github", by="nobody", kind=JSON, headers=own).status_code == 201


def deep_cdevents() -> Iterator[bytes]:
    for depth in (100, 500, 900, 950, 980, 1000, 1020, 1024, 5000):
        nested = "[" * depth + "]" * depth
        event_type = '"type":"dev.cdevents.service.deployed.0.3.0"'
        yield f'{{"context":{{"specversion":"0.5.1",{event_type},"id":{nested}}}}}'.encode()
        yield f'{{"context":{{"specversion":{nested},{event_type}}}}}'.encode()
        yield f'{{"specversion":"1.0","id":{nested},"data":{{"context":{{"id":"x"}}}}}}'.encode()


def test_a_nested_field_of_an_outside_body_is_never_an_error_of_the_server(server: Server) -> None:
    for body in deep_cdevents():
        answer = server.post(body, to="/v1/intake/cdevents", kind=JSON)
        assert answer.status_code in (202, 200, 422), (answer.status_code, len(body))


@pytest.mark.parametrize("payload", ["[" * 100_000, '{"change_id": ' * 50_000, '"\\ud800"', "NaN", "9" * 5000])
def test_a_payload_of_a_deployment_is_never_an_error_of_the_server(taking: Server, payload: str) -> None:
    raw = bodies.encoded(bodies.deployment(13, payload=payload))
    answer = taking.post(raw, to="/v1/intake/github", by="nobody", kind=JSON, headers=bodies.webhook(raw, "deployment"))
    assert answer.status_code in (200, 201, 202), answer.text


# -- routes with a body of their own -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"principal": "service:x", "roles": []},
        {"principal": "service:x", "roles": ["king"]},
        {"principal": "x", "roles": ["reporter"]},
        {"principal": LONE, "roles": ["reporter"]},
        {"principal": "service:x", "roles": ["reporter"], LONE: 1},
        {"principal": "service:x", "roles": ["reporter"], "more": 1},
        {"principal": "service:x", "roles": ["reporter"], "expires_at": "tomorrow"},
        {"principal": "service:x", "roles": ["reporter"], "expires_at": "2025-02-30T00:00:00Z"},
        {"principal": "service:x", "roles": ["reporter"], "areas": []},
        {"principal": "service:x", "roles": ["reporter"], "areas": ["Deployment"]},
        {"principal": "service:x", "roles": ["reporter"], "types": ["deployment"]},
        {"principal": "service:x", "roles": ["reporter"], "types": ["deployment.sarted"]},
        {"principal": "service:x", "roles": ["reporter"], "kind": "robot"},
    ],
)
def test_a_token_that_cannot_be_issued_is_refused(server: Server, body: dict[str, Any]) -> None:
    before = server.size()
    check_problem(server.post(body, to="/v1/ledger/credentials", kind=JSON), 422)
    assert server.size() == before


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b'"\\ud800"', b"[" * 100_000])
@pytest.mark.parametrize("path", ["/v1/ledger/credentials", "/v1/ledger/sources", "/v1/gates/deploy"])
def test_a_body_that_is_no_object_is_refused(server: Server, path: str, body: bytes) -> None:
    before = server.size()
    answer = server.post(body, to=path, kind=JSON)
    assert answer.status_code in (400, 413, 422)
    check_problem(answer)
    assert server.size() == before


def test_a_source_that_is_enrolled_already_is_a_conflict_that_names_the_entry(server: Server) -> None:
    wanted = {"source": "https://twice.example.com/*", "door": "events", "principal": "service:x"}
    first = server.client().post("/v1/ledger/sources", json=wanted)
    assert first.status_code == 201
    before = server.size()
    again = server.client().post("/v1/ledger/sources", json=wanted)
    problem = check_problem(again, 409)
    assert problem["position"] == first.json()["position"]
    assert "retire it first" in problem["detail"]
    assert server.size() == before
    server.client().delete("/v1/ledger/sources", params={"source": wanted["source"], "door": "events"})
    assert server.client().post("/v1/ledger/sources", json=wanted).status_code == 201


def test_unknown_routes_and_methods_are_problems_too(server: Server) -> None:
    check_problem(server.get("/v1/nothing"), 404)
    check_problem(server.client().put("/v1/events"), 405)
    check_problem(server.get("/v1/catalogue/no.such"), 404)
    check_problem(server.client().delete("/v1/ledger/credentials/token:nobody"), 404)
    missing = {"source": "https://nobody.example", "door": "events"}
    check_problem(server.client().delete("/v1/ledger/sources", params=missing), 404)


def test_a_client_that_goes_away_does_not_leave_verification_locked(server: Server) -> None:
    host, port = server.url.removeprefix("http://").split(":")
    for _ in range(5):
        with socket.create_connection((host, int(port))) as connection:
            # Closed with a reset, without waiting for the answer.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            token = server.tokens["auditor"]
            connection.sendall(
                f"POST /v1/ledger/verify HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
                "Content-Length: 0\r\n\r\n".encode()
            )
    deadline = time.monotonic() + 600
    while (answer := server.client().post("/v1/ledger/verify", json={"last": 1})).status_code == 409:
        assert time.monotonic() < deadline, "verification stayed locked"
    assert answer.status_code == 200


@pytest.mark.parametrize("wanted", [{"first": 10**9}, {"first": 3, "last": 2}, {"last": 0}, {"genesis": "00"}])
def test_a_range_that_does_not_exist_is_refused(server: Server, wanted: dict[str, Any]) -> None:
    check_problem(server.client().post("/v1/ledger/verify", json=wanted), 422)


def test_a_long_body_is_not_parsed_where_all_requests_are_answered() -> None:
    async def where(size: int) -> bool:
        worked_in = await submitting.aside(size, threading.get_ident)
        return worked_in == threading.get_ident()

    assert asyncio.run(where(submitting.MAX_AT_ONCE))
    assert not asyncio.run(where(submitting.MAX_AT_ONCE + 1))


# -- what a header says of a body -------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [STRUCTURED, BATCH, JSON, "application/vnd.dsse.envelope.v1+json"])
@pytest.mark.parametrize(
    "parameter",
    ["charset=iso-8859-1", 'charset="UTF-16"', "CHARSET=latin1", "charset=utf-8; charset=utf-16", 'a="; b"; charset=x'],
)
def test_json_in_another_charset_is_refused(server: Server, kind: str, parameter: str) -> None:
    before = server.size()
    answer = server.post(event(), kind=f"{kind}; {parameter}", headers={"ce-id": "1"} if kind == JSON else {})
    assert "expected charset=utf-8" in check_problem(answer, 415)["detail"]
    assert server.size() == before


@pytest.mark.parametrize("path", ["/v1/intake/cdevents", "/v1/ledger/credentials", "/v1/gates/deploy"])
def test_no_door_reads_json_in_another_charset(server: Server, path: str) -> None:
    check_problem(server.post({}, to=path, kind="application/json; charset=iso-8859-1"), 415)


@pytest.mark.parametrize(
    "parameter", ["charset=utf-8", 'Charset="UTF-8"', "charset=us-ascii", 'a="; charset=x"', "charset = utf-8"]
)
def test_json_in_utf_8_is_read_however_that_is_said(server: Server, parameter: str) -> None:
    assert server.post(event(), kind=f"{STRUCTURED}; {parameter}").status_code == 201


@pytest.mark.parametrize(
    "lines", [["identity"], ["Identity"], ["IDENTITY , identity"], [""], ["identity", ""]], ids=str
)
def test_a_body_that_is_not_coded_is_read_however_that_is_said(server: Server, lines: list[str]) -> None:
    headers = [("Content-Type", STRUCTURED), *(("Content-Encoding", line) for line in lines)]
    answer = server.client().post("/v1/events", content=json.dumps(event()), headers=headers)
    assert answer.status_code == 201, answer.text


@pytest.mark.parametrize("lines", [["gzip"], ["identity", "gzip"], ["", "br"], ["identity, GZIP"]], ids=str)
def test_a_coded_body_is_refused_wherever_that_is_said(server: Server, lines: list[str]) -> None:
    headers = [("Content-Type", STRUCTURED), *(("Content-Encoding", line) for line in lines)]
    answer = server.client().post("/v1/events", content=json.dumps(event()), headers=headers)
    check_problem(answer, 415)


@pytest.mark.parametrize("by", ["all", "nobody"])
@pytest.mark.parametrize("path", ["/v1/ledger/", "/v1/events/", "/v1/views/", "/healthz/", "/v1/events/1/"])
def test_a_slash_at_the_end_is_told_and_leads_nowhere(server: Server, path: str, by: str) -> None:
    answer = server.get(path, by=by, params={"nonsense": "1"}, headers={"Host": "evil.example"})
    problem = check_problem(answer, 404)
    assert f"expected {path[:-1]}, without the slash" in problem["detail"]
    assert "evil.example" not in answer.text + str(answer.headers)

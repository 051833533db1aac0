"""No door answers anything at all with an error of the server, and at none does an odd part lose the rest of an authentic fact.

Longer than other files here because the bodies that are altered are drawn in two ways: from what is wrong, and from what is odd.
"""

import copy
import json
import string
import sys
from collections.abc import Callable, Iterator
from typing import Any, Final

import bodies
import httpx
import pytest
from deliveries import deliver, numbers, said, said_by_cdevents
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from servers import BATCH, JSON, STRUCTURED, Server, check_problem, event

from ledger.canonical import MAX_INTEGER

LONE = "\ud800"
Way = tuple[str | int, ...]

# -- anything at all ---------------------------------------------------------------------------------------------------

SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
QUICK = settings(
    max_examples=60,
    database=None,
    suppress_health_check=[*SLOW, HealthCheck.function_scoped_fixture],
    phases=(Phase.explicit, Phase.generate, Phase.shrink),
)

json_text = st.text(st.characters(codec=None), max_size=20) | st.sampled_from([LONE, "\0", "", "a\n", "é", "​"])
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | json_text
    | st.sampled_from([MAX_INTEGER + 1, -(2**63), 10**400]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(json_text, inner, max_size=3),
    max_leaves=8,
)


def paths(value: Any, here: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the way to every part of a JSON value."""
    if here:
        yield here
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from paths(item, (*here, key))


@st.composite
def mutated(draw: st.DrawFn, documents: list[dict[str, Any]]) -> bytes:
    """Draw one of the documents with one to three of its parts replaced, removed, renamed or copied."""
    document = copy.deepcopy(draw(st.sampled_from(documents)))
    for _ in range(draw(st.integers(1, 3))):
        ways = list(paths(document))
        if not ways:
            break
        *way, last = draw(st.sampled_from(ways))
        parent: Any = document
        for step in way:
            parent = parent[step]
        match draw(st.sampled_from(["replace", "remove", "add"])):
            case "replace":
                parent[last] = draw(json_values)
            case "remove":
                del parent[last]
            case "add" if isinstance(parent, dict):
                parent[draw(json_text)] = draw(json_values)
    body = json.dumps(document).encode()
    if draw(st.integers(0, 4)) == 0:
        where = draw(st.integers(0, len(body)))
        body = body[:where] + draw(st.binary(max_size=3)) + body[where + draw(st.integers(0, 2)) :]
    return body


def check_no_harm(answer: httpx.Response) -> None:
    assert answer.status_code < 500, answer.text[:500]
    if answer.status_code >= 400:
        check_problem(answer)


VALID = [
    event(),
    event("change.opened", title="A title", description="And more"),
    event("approval.granted", actor="person:alice", change_id="CHG-1", scope_digest="sha256:" + "0" * 64, links=[1]),
]


@QUICK
@given(body=st.binary(max_size=200), kind=st.sampled_from([STRUCTURED, JSON, BATCH]))
def test_no_bytes_are_an_error_of_the_server(server: Server, body: bytes, kind: str) -> None:
    check_no_harm(server.post(body, kind=kind))


@QUICK
@given(body=mutated(VALID), dry=st.booleans())
def test_no_mutation_of_an_event_is_an_error_of_the_server(server: Server, body: bytes, dry: bool) -> None:
    check_no_harm(server.post(body, params={"dry_run": str(dry).lower()}))


@QUICK
@given(parts=st.lists(mutated(VALID), min_size=1, max_size=4), atomic=st.booleans())
def test_no_batch_of_mutations_is_an_error_of_the_server(server: Server, parts: list[bytes], atomic: bool) -> None:
    answer = server.post(b"[" + b",".join(parts) + b"]", kind=BATCH, params={"atomic": str(atomic).lower()})
    check_no_harm(answer)
    for item in answer.json().get("items", ()):
        assert item["status"] < 500


header_text = st.text(string.printable.strip() + "é%\xff", max_size=30)


@QUICK
@given(
    headers=st.dictionaries(st.sampled_from(["id", "source", "type", "time", "subject", "x", "", "data"]), header_text)
)
def test_no_headers_are_an_error_of_the_server(server: Server, headers: dict[str, str]) -> None:
    said = event()
    fixed = {f"ce-{name}": said[name] for name in ("specversion", "id", "source", "type", "time")}
    raw = [(f"ce-{name}".encode(), value.strip().encode("latin-1")) for name, value in headers.items()]
    given_headers = [(k.encode(), v.encode()) for k, v in fixed.items() if k.removeprefix("ce-") not in headers]
    content = json.dumps(said["data"]).encode()
    more = [(b"content-type", b"application/json")]
    check_no_harm(server.client().post("/v1/events", content=content, headers=[*given_headers, *raw, *more]))


@QUICK
@given(
    body=mutated([bodies.cdevent(), bodies.cdevent("incident.detected", "0.4"), bodies.structured(bodies.cdevent())])
)
def test_no_mutation_of_a_cdevent_is_an_error_of_the_server(server: Server, body: bytes) -> None:
    check_no_harm(server.post(body, to="/v1/intake/cdevents", kind=JSON))


@QUICK
@given(
    drawn=st.sampled_from(
        [("deployment", bodies.deployment()), ("deployment_status", bodies.deployment_status()),
         ("pull_request_review", bodies.review())]
    ).flatmap(lambda pair: st.tuples(st.just(pair[0]), mutated([pair[1]]) | st.binary(max_size=50))),
)  # fmt: skip
def test_no_mutation_of_a_webhook_is_an_error_of_the_server(taking: Server, drawn: tuple[str, bytes]) -> None:
    kind, body = drawn
    headers = bodies.webhook(body, kind)
    check_no_harm(taking.post(body, to="/v1/intake/github", by="nobody", kind=JSON, headers=headers))


@QUICK
@given(expect=mutated([{"after": 1, "none_of": [{"types": ["a.b"], "refs": ["c:d"]}]}]))
def test_no_condition_is_an_error_of_the_server(server: Server, expect: bytes) -> None:
    text = expect.decode("utf-8", "replace")
    check_no_harm(server.post(event(), params={"expect": text, "dry_run": "true"}))


# -- any odd part -----------------------------------------------------------------------------------------------------

# What makes a fact that fact, by the paths of a body: all else may be anything.
GITHUB: Final[dict[str, tuple[Callable[[int], dict[str, Any]], str, tuple[str, ...], tuple[str, ...]]]] = {
    "a deployment": (
        bodies.deployment,
        "deployment",
        ("action", "repository.full_name", "deployment.id", "deployment.environment", "deployment.created_at"),
        ("deployment_id", "environment"),
    ),
    "a deployment that ended": (
        lambda number: bodies.deployment_status("failure", number),
        "deployment_status",
        ("repository.full_name", "deployment.id", "deployment_status.environment", "deployment_status.state",
         "deployment_status.created_at"),
        ("deployment_id", "environment", "outcome"),
    ),
    "a review": (
        lambda number: bodies.review("submitted", "changes_requested", number),
        "pull_request_review",
        ("action", "repository.full_name", "pull_request.number", "review.id", "review.state", "review.submitted_at",
         "review.user.id", "review.user.type"),
        ("actor", "review_id", "verdict", "repository", "pull_request"),
    ),
    "a dismissal": (
        lambda number: bodies.review("dismissed", "dismissed", number),
        "pull_request_review",
        ("action", "repository.full_name", "pull_request.number", "review.id", "review.submitted_at"),
        ("review_id", "repository", "pull_request"),
    ),
    "a proposal": (
        lambda number: bodies.pull_request(number=number),
        "pull_request",
        ("action", "repository.full_name", "number", "pull_request.head.sha", "pull_request.created_at"),
        ("repository", "pull_request", "head_sha"),
    ),
    "a merge": (
        lambda number: bodies.merged(number=number),
        "pull_request",
        ("action", "repository.full_name", "number", "pull_request.merged", "pull_request.merged_at"),
        ("repository", "pull_request"),
    ),
}  # fmt: skip
OF_EVERY_CDEVENT: Final = ("context.id", "context.source", "context.type", "context.timestamp", "context.specversion")
CDEVENTS: Final[dict[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "service.deployed": (("subject.id", "subject.content.environment.id"), ("deployment_id", "service", "environment")),
    "service.rolledback": (("subject.id", "subject.content.environment.id"), ("service", "environment", "outcome")),
    "change.merged": (("subject.content.repository.id",), ("repository",)),
    "incident.detected": (("subject.id",), ("incident_id",)),
}
FEW = settings(max_examples=25, suppress_health_check=list(HealthCheck), database=None)
odd_texts = st.one_of(
    st.text(),
    st.sampled_from(
        ["", "\x00", "a\x00b", "\ud800", "\udfff\ud83d", "\u202egnp.exe", "\x1b[31m", "é" * 9000, "x" * 70_000, "null"]
    ),
)
odd_values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([2**53, 2**64, -1, 0, 10**500, 10**5000, 1e308]),
    st.floats(allow_nan=False, allow_infinity=False),
    odd_texts,
    st.sampled_from([[], {}, [[]], {"id": None}, {"id": True}, {"id": -1}, [None] * 300, {"a": {"b": {"c": ["d"]}}}]),
)


def _paths(value: Any, at: Way = ()) -> Iterator[Way]:
    for key, item in value.items() if isinstance(value, dict) else ():
        yield (*at, key)
        yield from _paths(item, (*at, key))


@st.composite
def altered(draw: st.DrawFn, document: dict[str, Any], required: tuple[str, ...]) -> bytes:
    """A body whose optional parts are replaced, left out, or more than we know."""
    held = {tuple(path.split(".")[:n]) for path in required for n in range(1, path.count(".") + 2)}
    document = copy.deepcopy(document)
    free = [path for path in _paths(document) if path not in held]
    for path in draw(st.lists(st.sampled_from(free), min_size=1, max_size=4, unique=True)):
        *above, last = path
        inside: Any = document
        for key in above:
            inside = inside.get(key) if isinstance(inside, dict) else None
        if isinstance(inside, dict):
            if draw(st.integers(0, 4)) == 0:
                inside.pop(last, None)
            else:
                inside[last] = copy.deepcopy(draw(odd_values))
    for path in draw(st.lists(st.sampled_from([(), *held]), max_size=2)):
        inside = document
        for key in path:
            inside = inside[key]
        if isinstance(inside, dict):
            inside["x" + draw(odd_texts)] = copy.deepcopy(draw(odd_values))
    # The standard library writes what it can: escapes for lone surrogates, integers of any size.
    return json.dumps(document).encode()


@pytest.fixture(scope="module", autouse=True)
def _long_integers() -> Iterator[None]:
    before = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(10_000)
    yield
    sys.set_int_max_str_digits(before)


@pytest.mark.parametrize("what", GITHUB)
@FEW
@given(data=st.data())
def test_no_odd_part_of_a_webhook_loses_the_fact(taking: Server, what: str, data: st.DataObject) -> None:
    make, kind, required, core = GITHUB[what]
    genuine = make(next(numbers))
    body = data.draw(altered(genuine, required))
    answer = deliver(taking, body, kind)
    assert answer.status_code in (200, 201), answer.text
    position = answer.json()["receipts"][0]["position"]
    statement = taking.get(f"/v1/events/{position}").json()["entry"]["statement"]
    expected = said(kind, genuine)
    assert statement["type"] == expected.type
    assert {field: statement["data"].get(field) for field in core} == {field: expected.data[field] for field in core}


@pytest.mark.parametrize("mode", ["bare", "structured", "binary"])
@pytest.mark.parametrize("kind", CDEVENTS)
@FEW
@given(data=st.data())
def test_no_odd_part_of_a_cdevent_loses_the_fact(taking: Server, kind: str, mode: str, data: st.DataObject) -> None:
    required, core = CDEVENTS[kind]
    genuine = bodies.cdevent(kind, number=next(numbers))
    del genuine["customData"]["change_id"]
    # An envelope that names the subject would contradict one that was altered.
    body = data.draw(altered(genuine, (*OF_EVERY_CDEVENT, "subject.id", *required)))
    headers = {"Content-Type": JSON}
    if mode == "structured":
        envelope = {name: value for name, value in bodies.structured(genuine).items() if name != "data"}
        odd = {"subject": None, "traceparent": None, "x" * 30: [1.5, None]}
        body = json.dumps(envelope | odd).encode()[:-1] + b', "data": ' + body + b"}"
        headers = {"Content-Type": STRUCTURED}
    elif mode == "binary":
        headers = bodies.ce_headers(genuine)
    answer = taking.client("reporter").post("/v1/intake/cdevents", content=body, headers=headers)
    assert answer.status_code in (200, 201), answer.text
    position = answer.json()["receipts"][0]["position"]
    statement = taking.get(f"/v1/events/{position}").json()["entry"]["statement"]
    expected = said_by_cdevents(genuine)
    assert statement["type"] == expected.type
    assert {field: statement["data"].get(field) for field in core} == {field: expected.data[field] for field in core}

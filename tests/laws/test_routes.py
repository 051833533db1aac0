"""Every route is described, takes what its description says and nothing else, and answers no input with an error of the server."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis.generation import GenerationMode
from servers import PARTS, PROBLEM, Server, check_problem, event, running_server
from views_processes import wait_for_views

from api.http import auth
from projections import VIEWS

CONFIG = Path(__file__).parents[1] / "tools" / "schemathesis.toml"
# The stream never ends; each verification is a process of its own; all views have the same routes, made by one function.
LEFT_OUT = r"/v1/events/stream|/v1/ledger/verify|/v1/views/(?!deployments|delivery).*"


# All views have the same two routes, made by one function.
LIKE_OTHERS = re.compile(r"/v1/views/(?!deployments|findings)")
ANYTHING = settings(
    database=None, suppress_health_check=list(HealthCheck), phases=(Phase.explicit, Phase.generate, Phase.shrink)
)
METHODS = ("get", "post", "delete", "put", "patch")


@pytest.fixture(scope="module")
def operations(server: Server, request: pytest.FixtureRequest) -> list[tuple[str, str, list[dict[str, Any]]]]:
    """Method, path and query parameters of every route, and of the description itself. Views are made alike: of two, or of all."""
    is_long = request.config.getoption("--all")
    paths = server.get("/openapi.json", by="nobody").json()["paths"]
    found = [
        (method, path, [p for p in operation.get("parameters", ()) if p["in"] == "query"])
        for path, operations in paths.items()
        for method, operation in operations.items()
        if method in METHODS and (is_long or not LIKE_OTHERS.match(path))
    ]
    return [*found, ("get", "/openapi.json", [])]


def ask(client: httpx.Client, method: str, path: str, query: Any) -> httpx.Response:
    """Send a request whose body, where it needs one, is none: nothing is written. Of a stream only the head is read."""
    with client.stream(method, path.format(**PARTS), params=query) as answer:
        if not answer.headers["content-type"].startswith("text/event-stream"):
            answer.read()
        return answer


def example_of(parameter: dict[str, Any]) -> str:
    """Return a value that the description of a parameter allows."""
    schema = parameter["schema"]
    shapes = [shape for shape in schema.get("anyOf", [schema]) if shape.get("type") != "null"]
    schema = {key: value for shape in [schema, *shapes] for key, value in shape.items()}
    if schema.get("type") == "array":
        return str(schema["examples"][0][0])
    for found in (
        parameter.get("example"), schema.get("default"), schema.get("const"), *schema.get("examples", ()),
        *schema.get("enum", ()), schema.get("minimum"),
    ):  # fmt: skip
        if found is not None:
            return str(found).lower() if isinstance(found, bool) else str(found)
    if schema.get("type") == "boolean":
        return "true"
    raise AssertionError(f"the description gives no example of {parameter['name']}: {schema}")


def test_every_documented_parameter_is_taken_by_every_route(server: Server, operations: Any) -> None:
    with httpx.Client(base_url=server.url, headers=server.client().headers, timeout=600) as client:
        for method, path, parameters in operations:
            required = [(p["name"], example_of(p)) for p in parameters if p["required"]]
            for parameter in parameters:
                name, value = parameter["name"], example_of(parameter)
                query = [pair for pair in required if pair[0] != name] + [(name, value)]
                answer = ask(client, method, path, query)
                assert answer.status_code < 500, (path, name, answer.text)
                if answer.status_code == 422:
                    # That there is nothing to fit on is no fault of what was asked.
                    is_empty = "found one kind or none" in answer.text
                    assert is_empty or name not in answer.json().get("place", ""), (path, name, value, answer.text)


def test_a_parameter_that_there_is_not_is_refused_by_every_route_with_what_there_is(
    server: Server, operations: Any
) -> None:
    before = server.size()
    for method, path, parameters in operations:
        names = [p["name"] for p in parameters]
        for wrong in ("bogus", *(f"{name}s" for name in names[:1]), *(name.upper() for name in names[:1])):
            problem = check_problem(ask(server.client(), method, path, {wrong: "1"}), 422, f"/{wrong}")
            assert all(name in problem["detail"] for name in names if "__" not in name), (path, problem)
    assert server.size() == before


def test_a_parameter_given_twice_is_refused_by_every_route_but_where_it_is_a_list(
    server: Server, operations: Any
) -> None:
    tried = 0
    for method, path, parameters in operations:
        for parameter in parameters:
            if parameter["schema"].get("type") != "array":
                name, value = parameter["name"], example_of(parameter)
                if "__" in name and not path.endswith("/deployments"):
                    continue
                answer = ask(server.client(), method, path, [(name, value), (name, value)])
                assert "twice" in check_problem(answer, 422, f"/{name}")["detail"]
                tried += 1
    assert tried > 100


def test_what_is_no_text_is_refused_by_every_route(server: Server, operations: Any) -> None:
    for method, path, parameters in operations:
        for name in [p["name"] for p in parameters][:1]:
            filled = path.format(**PARTS)
            check_problem(server.client().request(method, f"{filled}?{name}=a%00b"), 422, f"/{name}")
            check_problem(server.client().request(method, f"{filled}?{name}=%ff"), 422)
        if "{" in path:
            filled = re.sub(r"\{\w+\}", "%00", path)
            answer = server.client().request(method, filled)
            assert answer.status_code in (404, 422), (filled, answer.text)
            check_problem(answer)


# -- the OpenAPI document ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of its own: what is enrolled and revoked here is nobody else's."""
    with running_server(tmp_path_factory.mktemp("fuzzed") / "var") as running:
        # Until its views are there for the first time, it answers that they are not.
        wait_for_views(running)
        yield running


@pytest.fixture(scope="module")
def described(fuzzed: Server) -> Any:
    """What its description says of each route, read once."""
    return schemathesis.openapi.from_url(f"{fuzzed.url}/openapi.json")


# The stream never ends, and pages have no schema.
SERVED = [
    route
    for route in auth.ROUTES
    if route[1] not in ("/openapi.json", "/v1/events/stream") and not route[1].startswith("/console")
]
# Two routes serve all views, and each view is described by itself: two views stand for all.
DESCRIBED = [
    (method, path.replace("{view}", name))
    for method, path in SERVED
    for name in (("deployments", "findings") if "{view}" in path else ("",))
]


def test_the_openapi_document_describes_every_route(fuzzed: Server) -> None:
    described = fuzzed.get("/openapi.json", by="nobody").json()["paths"]
    found = {(method.upper(), path) for path, methods in described.items() for method in methods}
    names = [view.name for view in VIEWS]
    of_views = {(m, path.replace("{view}", name)) for m, path in SERVED if "{view}" in path for name in names}
    others = {route for route in SERVED if "{view}" not in route[1]}
    assert found == {*others, *of_views, ("GET", "/v1/events/stream")}


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["valid", "invalid"])
@pytest.mark.parametrize(("method", "path"), DESCRIBED, ids=[f"{m} {p}" for m, p in DESCRIBED])
def test_no_input_that_the_openapi_document_allows_or_forbids_is_an_error_of_the_server(
    fuzzed: Server, described: Any, request: pytest.FixtureRequest, method: str, path: str, mode: GenerationMode
) -> None:
    operation = described[path][method.lower()]
    # Each verification is a process of its own.
    examples = 1 if path == "/v1/ledger/verify" else 2
    if request.config.getoption("--all"):
        examples *= 32
    headers = {"Authorization": f"Bearer {fuzzed.tokens['all']}"}

    @settings(ANYTHING, max_examples=examples)
    @given(case=operation.as_strategy(mode))
    def attempt(case: Any) -> None:
        answer = case.call(headers=headers, timeout=600)
        assert answer.status_code < 500, answer.text[:500]
        # What is no HTTP at all does not come as far as the application.
        if answer.status_code >= 400 and answer.text != "Invalid HTTP request received.":
            assert answer.headers["content-type"] == [PROBLEM], answer.text[:500]

    try:
        attempt()
    except Unsatisfiable:
        # A route that takes nothing, or anything at all, takes nothing wrong.
        assert mode == GenerationMode.NEGATIVE


# -- all checks of schemathesis ---------------------------------------------------------------------------------------


@pytest.mark.slow
def test_schemathesis_finds_nothing(tmp_path: Path) -> None:
    with running_server(tmp_path / "var") as server:
        _tell(server)
        command = [
            Path(sys.executable).with_name("schemathesis"), "--config-file", CONFIG, "run", f"{server.url}/openapi.json",
            "--header", f"Authorization: Bearer {server.tokens['all']}", "--checks", "all", "--max-examples", "20", "--seed", "1",
            "--exclude-path-regex", LEFT_OUT, "--suppress-health-check", "all", "--no-color",
        ]  # fmt: skip
        done = subprocess.run(
            [str(part) for part in command], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-2_000:]
        assert server.audit().verdict == "sound"


def _tell(server: Server) -> None:
    """Let there be something of each kind to ask about."""
    server.record(event("change.opened", title="A title"))
    server.record(event("deployment.started", actor="service:ci", deployment_id="d", service="s", environment="prod"))
    position = server.client().post("/v1/ledger/heads").json()["position"]
    server.wait_for_checkpoint(position)
    server.get("/v1/views/deployments", params={"min_position": position})

"""The description of the API: what programs that make clients read. And that answers have the shapes it gives."""

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from pydantic import create_model
from servers import JSON, PROBLEM, Server, event

from api.app import App, create_app
from api.http import auth, description
from api.settings import Settings
from ledger.errors import SetupError


@pytest.fixture(scope="module")
def document(server: Server) -> dict[str, Any]:
    found: dict[str, Any] = server.get("/openapi.json", by="nobody").json()
    return found


def operations(document: dict[str, Any]) -> list[tuple[tuple[str, str], dict[str, Any]]]:
    return [
        ((method.upper(), path), operation)
        for path, found in document["paths"].items()
        for method, operation in found.items()
    ]


def test_every_route_says_who_may(document: dict[str, Any]) -> None:
    assert document["components"]["securitySchemes"]["token"] | {"description": ""} == {
        "type": "http", "scheme": "bearer", "description": ""
    }  # fmt: skip
    for route, operation in operations(document):
        signature = [{f"{route[1].rpartition('/')[2]}_signature": []}]
        # Each view is described by itself; two routes serve them all.
        of_a_view = route[0], re.sub(r"^/v1/views/\w+", "/v1/views/{view}", route[1])
        served = route if route in auth.ROUTES else of_a_view
        wanted = {auth.PUBLIC: [], auth.BY_SIGNATURE: signature}.get(auth.ROUTES[served], [{"token": []}])
        assert operation["security"] == wanted, route


def test_every_name_is_there_once_and_is_one_that_a_class_may_have(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    assert all(re.fullmatch(r"[A-Z][A-Za-z0-9]*", name) for name in schemas), sorted(schemas)
    titles = Counter(schema.get("title", name) for name, schema in schemas.items())
    names = Counter(operation["operationId"] for _, operation in operations(document))
    assert [name for name, count in (titles + names).items() if count > 1] == []
    assert all(re.fullmatch(r"[a-z][a-z_]*", name) for name in names)


def test_no_column_of_a_view_is_called_as_what_every_list_is_asked(document: dict[str, Any]) -> None:
    for route, operation in operations(document):
        names = Counter((parameter["name"], parameter["in"]) for parameter in operation["parameters"])
        assert [name for name, count in names.items() if count > 1] == [], route


def test_every_answer_of_every_route_has_a_shape_and_every_problem_the_same(document: dict[str, Any]) -> None:
    for route, operation in operations(document):
        for status, answer in operation["responses"].items():
            assert answer["description"]
            for media_type, content in answer["content"].items():
                schema = content["schema"]
                if int(status) >= 400:
                    assert (media_type, schema) == (PROBLEM, {"$ref": "#/components/schemas/Problem"}), route
                elif media_type == JSON:
                    assert {"$ref", "anyOf", "items"} & schema.keys(), (route, schema)


def test_every_reference_leads_to_a_schema(document: dict[str, Any]) -> None:
    found = set(re.findall(r'"\$ref": ?"([^"]*)"', json.dumps(document)))
    assert found
    assert found <= {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}


def test_no_parameter_of_a_query_may_be_null_and_every_text_has_a_pattern_or_a_length(
    document: dict[str, Any],
) -> None:
    for route, operation in operations(document):
        for parameter in operation.get("parameters", ()):
            schema = parameter["schema"]
            assert "anyOf" not in schema, (route, parameter)
            if schema.get("type") == "string":
                assert {"pattern", "maxLength", "enum", "const", "format"} & schema.keys(), (route, parameter)


def test_what_is_answered_has_the_shape_that_is_described(server: Server, document: dict[str, Any]) -> None:
    recorded = server.record(event("change.opened", title="A title"))
    server.record(event("deployment.started", actor="service:ci", deployment_id="shaped", service="s", environment="e"))
    position = server.client().post("/v1/ledger/heads").json()["position"]
    server.wait_for_checkpoint(position)
    server.get("/v1/views/change_tickets", params={"min_position": position})
    parts = {
        "{position}": str(recorded["position"]), "{type}": "change.opened", "{ref}": "change:CHG-7", "{gate}": "deploy",
    }  # fmt: skip
    queries = {"/v1/ledger/consistency": {"from": "1", "to": "2"}, "/v1/events": {"total": "true", "limit": "2"}}
    tried = set()
    for (method, path), operation in operations(document):
        filled = path
        for part, value in parts.items():
            filled = filled.replace(part, value)
        if "{" in filled or "stream" in path or (method != "GET" and path != "/v1/gates/{gate}"):
            continue
        body: dict[str, Any] = {} if method == "GET" else {"json": {}}
        answer = server.client().request(method, filled, params=queries.get(path), **body)
        described = operation["responses"][str(answer.status_code)]["content"]
        media_type = answer.headers["content-type"].partition(";")[0]
        assert media_type in described, (path, answer.text[:300])
        if media_type in (JSON, PROBLEM):
            schema = described[media_type]["schema"] | {"components": document["components"]}
            faults = [error.message for error in jsonschema_rs.validator_for(schema).iter_errors(answer.json())]
            assert faults == [], (path, faults, answer.text[:500])
        tried.add((path, answer.status_code))
    assert {
        ("/v1/events", 200),
        ("/v1/gates/{gate}", 200),
        ("/v1/dossiers/{ref}", 200),
        ("/v1/views/delivery", 200),
    } <= tried


def test_two_schemas_of_one_name_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = {("GET", "/healthz"): {200: create_model("Receipt", status=str)}}
    monkeypatch.setattr(description, "ANSWERS", {**description.ANSWERS, **other})
    with pytest.raises(SetupError, match="two schemas of the API are called Receipt"):
        create_app(Settings(directory=tmp_path)).openapi()


def test_what_every_stranger_may_ask_for_is_written_once(tmp_path: Path) -> None:
    app = create_app(Settings(directory=tmp_path))
    assert isinstance(app, App)
    assert app.openapi_json is app.openapi_json
    assert json.loads(app.openapi_json) == json.loads(json.dumps(app.openapi()))


def test_a_route_whose_answers_are_not_described_cannot_be_mounted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    others = {route: shapes for route, shapes in description.ANSWERS.items() if route != ("GET", "/v1/gates")}
    monkeypatch.setattr(description, "ANSWERS", others)
    with pytest.raises(SetupError, match="are not described"):
        create_app(Settings(directory=tmp_path))

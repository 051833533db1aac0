"""Gates over HTTP and from the command line: what a pipeline sees."""

import json
from typing import Any

import pytest
from programs import run
from servers import Server, check_problem, event

from api.cli import gating
from projections.gates import composition

ARTIFACT, SCOPE, MODEL = ("sha256:" + letter * 64 for letter in "abc")
POLICY = {"policy_id": "gates-test", "version": "1", "policy_digest": "sha256:" + "9" * 64}


def value(name: str, number: str) -> dict[str, str]:
    return {"name": name, "value": number}


@pytest.fixture(scope="module")
def change(server: Server) -> str:
    """A standard change by a template: nobody has to approve it."""
    told = (
        ("policy.published", {"actor": "person:olga", **POLICY,
            "settings": [{"name": "quorum", "applies_to": "any", "value": "1"}]}),
        ("policy.approved", {"actor": "person:oscar", **POLICY}),
        ("rollback.trigger_defined", {"actor": "person:bob", "trigger_id": "gates-T", "version": "1",
            "service": "gates", "environment": "prod", "metric": "errors", "comparator": "gt", "threshold": "0.02",
            "window_s": 300, "min_samples": 10, "mode": "manual"}),
        ("template.approved", {"actor": "person:olga", "template_id": "gates-template",
            "expires_at": "2100-01-01T00:00:00Z", "failure_limit": 0}),
        ("change.opened", {"actor": "person:alice", "change_id": "CHG-gates", "change_type": "standard",
            "services": ["gates"], "environment": "prod", "template_id": "gates-template", "title": "x"}),
        ("change.submitted", {"actor": "person:alice", "change_id": "CHG-gates",
            "artifacts": [ARTIFACT]}),
    )  # fmt: skip
    # One caller posts for them all: it has to be enrolled as an authority for people.
    source = event("change.opened")["source"]
    enrolled = {"source": source, "door": "events", "principal": "service:all", "authority_for": ["person:*"]}
    assert server.client().post("/v1/ledger/sources", json=enrolled).is_success
    for kind, data in told:
        server.record(event(kind, **data))
    return "CHG-gates"


def asked(change: str, **more: Any) -> dict[str, Any]:
    where = {"change_id": change, "service": "gates", "environment": "prod", "artifact": ARTIFACT}
    return where | {"actor": "service:ci", "policy_id": "gates-test"} | more


def ask(server: Server, gate: str, question: dict[str, Any]) -> dict[str, Any]:
    answer = server.client().post(f"/v1/gates/{gate}", json=question)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_a_pipeline_is_told_whether_it_may_proceed_and_where_that_is_recorded(server: Server, change: str) -> None:
    found = ask(server, "deploy", asked(change))
    assert found["verdict"] == "allow", found
    recorded = server.get(f"/v1/events/{found['receipt']['position']}").json()
    assert recorded["entry"]["recorded_by"]["principal"] == "service:ledger"
    data = recorded["entry"]["statement"]["data"]
    assert (data["gate"], data["verdict"], data["actor"], data["read_at"]) == (
        "deploy", "allow", "service:ci", found["read_at"],
    )  # fmt: skip
    again = server.get(f"/v1/gates/decisions/{found['receipt']['position']}/recheck").json()
    assert (again["agrees"], again["again"]["rules"]) == (True, found["rules"])


def test_a_refusal_says_which_rule_why_and_on_which_entries(server: Server, change: str) -> None:
    found = ask(server, "deploy", asked(change, artifact="sha256:" + "0" * 64))
    (against,) = (rule for rule in found["rules"] if rule["verdict"] != "allow")
    assert (found["verdict"], against["rule"], against["reason"]) == ("deny", "deployed-is-approved", "other-artifact")
    assert against["positions"]


def test_who_asks_without_naming_anybody_asks_for_themselves(server: Server, change: str) -> None:
    question = asked(change)
    del question["actor"]
    position = ask(server, "deploy", question)["receipt"]["position"]
    actor = server.get(f"/v1/events/{position}").json()["entry"]["statement"]["data"]["actor"]
    assert actor == "service:all"


def test_gates_are_listed_with_their_rules_and_the_settings_they_look_for(server: Server) -> None:
    found = server.get("/v1/gates").json()
    assert [gate["gate"] for gate in found["gates"]] == [
        "approve",
        "deploy",
        "promote",
        "apply",
        "rollback",
        "load_data",
        "close",
    ]
    assert all(rule["doc"] for gate in found["gates"] for rule in gate["rules"])
    assert "quorum" in found["settings"]


@pytest.mark.parametrize("gate", composition.GATES)
def test_every_gate_that_there_is_is_asked_over_http(server: Server, gate: str) -> None:
    answer = server.get(f"/v1/gates/{gate}/what-if")
    assert (answer.status_code, answer.json()["gate"]) == (200, gate)


def test_every_gate_that_there_is_is_asked_from_the_command_line() -> None:
    assert sorted(gating.GATES) == sorted(composition.GATES)


@pytest.mark.parametrize(
    ("gate", "body", "status"),
    [("launch", {}, 422), ("deploy", {"colour": "red"}, 422), ("deploy", {"artifact": "x"}, 422), ("deploy", [], 422)],
)
def test_a_question_that_is_none_is_refused(server: Server, gate: str, body: Any, status: int) -> None:
    check_problem(server.client().post(f"/v1/gates/{gate}", json=body), status)


def test_only_a_decision_can_be_checked_again(server: Server) -> None:
    check_problem(server.get("/v1/gates/decisions/1/recheck"), 404)


def test_the_command_exits_as_the_gate_answers(server: Server, change: str) -> None:
    token = server.tokens["all"]
    where = ("--server", server.url, "--token", token, "gate")
    question = ("--change", change, "--service", "gates", "--environment", "prod", "--policy", "gates-test")
    allowed = run(*where, "deploy", *question, "--artifact", ARTIFACT)
    assert (allowed.returncode, "deploy: allow (recorded at" in allowed.stdout) == (0, True), allowed.stderr
    refused = run(*where, "deploy", *question, "--artifact", "sha256:" + "0" * 64, "--json")
    found = json.loads(refused.stdout)
    assert (refused.returncode, found["verdict"]) == (1, "deny")
    again = run(*where, "recheck", str(found["receipt"]["position"]))
    assert (again.returncode, "agrees" in again.stdout) == (0, True)
    assert run(*where, "recheck", "1").returncode == 2

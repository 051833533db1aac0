"""Jobs of GitHub Actions: what each delivery says of a run, its runner and its end. The bodies are made up here."""

import json
from typing import Any

import pytest

from api.intake import cdevents, github
from api.intake.translation import ContradictionError, Fact, Mapped, Unmapped

COMMIT = "4be1c2d0a9f84e6b8c7d3f2a1b0e9d8c7f6a5b43"
JOB: dict[str, Any] = {
    "id": 21,
    "run_id": 4711,
    "run_attempt": 2,
    "name": "build (3.12, linux)",
    "head_sha": COMMIT,
    "runner_id": 7,
    "runner_name": "GitHub Actions 7",
    "status": "completed",
    "conclusion": "success",
    "started_at": "2026-03-02T09:00:00Z",
    "completed_at": "2026-03-02T09:05:00Z",
    "steps": [{"name": "secret step", "conclusion": "failure"}],
}


def told(action: str, kind: str = "workflow_job", more: dict[str, Any] | None = None, **job: Any) -> Fact | Unmapped:
    repository = {"full_name": "acme/api", "owner": {"login": "acme"}}
    body = {"action": action, "workflow_job": JOB | job, "repository": repository} | (more or {})
    found = github.FORMAT.translate({"x-github-event": kind}, json.dumps(body).encode())
    assert isinstance(found, Mapped | Unmapped)
    return found.facts[0] if isinstance(found, Mapped) else found


def data(found: Fact | Unmapped) -> dict[str, Any]:
    assert isinstance(found, Fact), found
    return found.data


def test_a_job_that_is_on_a_runner_has_begun_and_one_that_is_completed_has_ended() -> None:
    begun, ended = told("in_progress"), told("completed")
    about = {
        "run_id": "4711",
        "attempt": 2,
        "job": "build%20%283.12%2C%20linux%29",
        "tenant": "acme",
        "runner_id": "github/acme/7",
        "service": "acme/api",
        "commit": COMMIT,
    }
    assert data(begun) == about
    assert data(ended) == about | {
        "outcome": "success",
        "started_at": "2026-03-02T09:00:00Z",
        "finished_at": "2026-03-02T09:05:00Z",
    }
    assert isinstance(begun, Fact)
    assert isinstance(ended, Fact)
    assert (begun.type, begun.time) == ("pipeline_run.started", "2026-03-02T09:00:00Z")
    assert (ended.type, ended.time) == ("pipeline_run.finished", "2026-03-02T09:05:00Z")


@pytest.mark.parametrize(
    ("conclusion", "outcome"),
    [("neutral", "success"), ("timed_out", "failure"), ("startup_failure", "failure"), ("cancelled", "cancelled")],
)
def test_a_job_ends_as_its_conclusion_says(conclusion: str, outcome: str) -> None:
    assert data(told("completed", conclusion=conclusion))["outcome"] == outcome


@pytest.mark.parametrize(
    ("action", "job", "reason"),
    [
        ("queued", {"status": "waiting"}, "action-queued"),
        ("completed", {"conclusion": "skipped"}, "conclusion-skipped"),
        ("completed", {"conclusion": None}, "field/conclusion"),
        ("completed", {"run_id": None}, "field/run_id"),
    ],
)
def test_what_had_no_runner_or_says_no_end_is_not_understood(action: str, job: dict[str, Any], reason: str) -> None:
    found = told(action, **job)
    assert isinstance(found, Unmapped)
    assert found.reason == reason


@pytest.mark.parametrize("number", [0, -1, None, "7"])
def test_a_job_that_never_had_a_runner_names_none(number: Any) -> None:
    assert "runner_id" not in data(told("completed", conclusion="cancelled", runner_id=number))


def test_a_job_that_carries_a_deployment_is_a_job_and_no_deployment() -> None:
    carried = {"deployment": {"id": 31, "environment": "prod"}}
    assert data(told("in_progress", more=carried))["run_id"] == "4711"
    with pytest.raises(ContradictionError):
        told("in_progress", "deployment", more=carried)


def test_a_run_of_cdevents_is_told_with_what_its_sender_adds() -> None:
    for kind, content, more in (
        ("started", {"pipelineName": "build"}, {}),
        ("finished", {"outcome": "cancel"}, {"outcome": "cancelled"}),
        ("finished", {"outcome": "shrug"}, {}),
    ):
        context = {
            "specversion": "0.5.1",
            "id": "1",
            "source": "/ci",
            "type": f"dev.cdevents.pipelinerun.{kind}.0.3.0",
            "timestamp": "2026-03-02T09:00:00Z",
        }
        body = {"context": context, "subject": {"id": "run-7", "content": content}, "customData": {"runner_id": "r-7"}}
        found = cdevents.FORMAT.translate({"content-type": "application/json"}, json.dumps(body).encode())
        assert isinstance(found, Mapped)
        assert found.facts[0].type == f"pipeline_run.{kind}"
        assert found.facts[0].data == {"run_id": "run-7", "runner_id": "r-7"} | more

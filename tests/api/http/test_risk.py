"""Backtests and fits over HTTP and from the command line."""

import json
from typing import Any

import pytest
from programs import run
from servers import Server, check_problem, event

DIGEST = "sha256:" + "d" * 64


def value(name: str, number: float) -> dict[str, str]:
    return {"name": name, "value": f"{number:g}"}


@pytest.fixture(scope="module")
def model(server: Server) -> str:
    """A model of two versions, the second of which knows better, and twelve changes with outcomes."""
    for version, weight in (("1", 0.1), ("2", 1)):
        server.record(event("risk.model_published", actor="person:dan", model_id="risk-test", version=version,
            model_digest=DIGEST, form="weighted_points", features_version="1", bands=[value("any", 0)],
            parameters=[value("x", weight), value("scale", 1)]))  # fmt: skip
    for number in range(12):
        failed = number % 3 == 0
        server.record(event("risk.assessed", change_id=f"CHG-risk-{number}", model_id="risk-test", version="1",
            model_digest=DIGEST, features=[value("x", failed)], score=f"{failed / 10:g}", band="any"))  # fmt: skip
        server.record(event("risk.outcome_labelled", actor="service:all", change_id=f"CHG-risk-{number}",
            label="failure" if failed else "success"))  # fmt: skip
    return "risk-test"


def asked(server: Server, path: str, **query: Any) -> dict[str, Any]:
    answer = server.get(f"/v1/risk/{path}", params=query)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_a_version_is_held_against_what_became_of_the_changes(server: Server, model: str) -> None:
    # The views have to have the model.
    server.get("/v1/views/risk_models", params={"min_position": str(server.size())})
    found = asked(server, "backtest", model=f"{model}/2", against=f"{model}/1")
    assert (found["changes"], found["failures"], found["brier"]) == (12, 4, "0")
    assert found["against"]["brier"] == "0.27"
    assert (found["is_better"], found["faults"]) == (False, ["12 outcomes; expected at least 50"])


def test_what_is_fitted_can_be_published_as_it_is(server: Server, model: str) -> None:
    found = asked(server, "fit", feature=["x"])
    assert [parameter["name"] for parameter in found["parameters"]] == ["intercept", "x"]
    trained = {"trained_on": found["trained_on"], "metrics": found["metrics"], "from_version": "2"}
    server.record(event("risk.model_recalibrated", actor="person:dan", model_id=model, version="3",
        model_digest=DIGEST, **trained))  # fmt: skip


@pytest.mark.parametrize(
    ("path", "query", "status"),
    [
        ("backtest", {"model": "nothing/1"}, 404),
        ("backtest", {}, 422),
        ("backtest", {"model": "risk-test/1", "from": "9", "to": "8"}, 422),
        ("fit", {"feature": "colour"}, 422),
        ("fit", {}, 422),
    ],
)
def test_what_cannot_be_asked_is_refused(
    server: Server, model: str, path: str, query: dict[str, str], status: int
) -> None:
    check_problem(server.get(f"/v1/risk/{path}", params=query), status)


def test_the_command_exits_with_one_when_a_version_is_not_better(server: Server, model: str) -> None:
    where = ("--server", server.url, "--token", server.tokens["all"], "risk")
    found = run(*where, "backtest", f"{model}/2", "--against", f"{model}/1")
    assert (found.returncode, "not better: 12 outcomes" in found.stdout) == (1, True), found.stderr
    assert run(*where, "backtest", f"{model}/2", "--json").returncode == 0
    assert json.loads(run(*where, "fit", "x").stdout)["form"] == "logistic"

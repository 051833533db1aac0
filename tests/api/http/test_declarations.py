"""Trust rules, imports of history and published programs over HTTP: recorded by an operator, listed, ended; and what is refused."""

import itertools
from typing import Any

import pytest
from httpx import Response
from servers import Server, check_problem

CI = "https://ci.example.com/*"
numbers = itertools.count(1)
RULE: dict[str, Any] = {
    "issuer": "https://token.actions.githubusercontent.com",
    "audience": "https://ledger.example.com",
    "required": [{"claim": "repository_id", "one_of": ["70107786"]}, {"claim": "ref", "one_of": ["refs/tags/v*"]}],
    "recorded": ["run_id"],
    "principal": "service:payments-ci",
    "roles": ["reporter"],
    "areas": ["deployment"],
    "sources": [CI],
}


def ask(server: Server, path: str, wanted: dict[str, Any], by: str = "operator") -> Response:
    return server.client(by).post(f"/v1/ledger/{path}", json=wanted)


def listed(server: Server, path: str, by: str = "auditor", **narrow: Any) -> list[dict[str, Any]]:
    items = server.client(by).get(f"/v1/ledger/{path}").json()
    return [item for item in items if narrow.items() <= item.items()]


def said_at(server: Server, receipt: dict[str, Any]) -> dict[str, Any]:
    entry = server.get(f"/v1/events/{receipt['position']}").json()["entry"]
    return dict(entry["statement"])


# -- trust rules -------------------------------------------------------------------------------------------------------


def test_a_trust_rule_is_recorded_told_whole_and_ended_as_a_credential(server: Server) -> None:
    made = ask(server, "trust-rules", RULE).json()
    said = said_at(server, made["receipt"])
    assert said["type"] == "ledger.trust_rule_enrolled"
    assert said["data"]["credential"] == made["credential"]
    assert said["data"]["requested_by"].startswith("token:")
    [told] = listed(server, "trust-rules", credential=made["credential"])
    assert {name: told[name] for name in RULE if name != "required"} == {
        n: v for n, v in RULE.items() if n != "required"
    }
    assert sorted(told["required"], key=str) == sorted(RULE["required"], key=str)
    [among_tokens] = listed(server, "credentials", credential=made["credential"])
    assert among_tokens["issuer"] == RULE["issuer"]
    revoked = server.client("operator").delete(f"/v1/ledger/credentials/{made['credential']}").json()["position"]
    assert listed(server, "trust-rules", credential=made["credential"])[0]["revoked_at"] == revoked
    assert server.audit().faults == ()


def test_a_trust_rule_may_take_its_principal_from_a_claim(server: Server) -> None:
    rule = {name: value for name, value in RULE.items() if name != "principal"}
    rule |= {"principal_from": {"kind": "service", "claim": "run_id"}}
    made = ask(server, "trust-rules", rule).json()
    [told] = listed(server, "trust-rules", credential=made["credential"])
    assert (told["principal"], told["principal_from"]) == ("service:*", rule["principal_from"])


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"principal": None}, "a principal, or the claim"),
        ({"principal_from": {"kind": "service", "claim": "run_id"}}, "both or neither"),
        ({"principal": None, "principal_from": {"kind": "service", "claim": "sub"}}, "the claim sub"),
        ({"required": []}, "required"),
        ({"required": [{"claim": "statement", "one_of": ["x"]}]}, "statement"),
        ({"required": [{"claim": "ref", "one_of": []}]}, "one_of"),
        ({"issuer": "http://issuer.example"}, "https"),
        ({"types": ["deployment.finishd"]}, "deployment.finished"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_trust_rule_that_no_token_satisfies_or_that_requires_nothing_is_refused(
    server: Server, changed: dict[str, Any], words: str
) -> None:
    before = server.size()
    problem = check_problem(ask(server, "trust-rules", RULE | changed), 422)
    assert words in problem["detail"] + problem.get("place", "")
    assert server.size() == before


# -- imports -----------------------------------------------------------------------------------------------------------


def an_import(server: Server, **more: Any) -> dict[str, Any]:
    """Return what opens an import under a name of its own."""
    credential, _ = server.issue_token("reporter")
    name = f"acme/history-{next(numbers)}"
    said = {"import_id": name, "credential": credential, "sources": [CI], "until": "2025-01-01T00:00:00Z"}
    return said | {"reason": "migration"} | more


def close(server: Server, name: str) -> Response:
    return server.client("operator").delete(f"/v1/ledger/imports/{name.replace('/', '%2F')}")


def test_an_import_is_opened_told_and_closed(server: Server) -> None:
    wanted = an_import(server)
    opened = ask(server, "imports", wanted).json()
    assert said_at(server, opened)["data"].items() >= wanted.items()
    [told] = listed(server, "imports", import_id=wanted["import_id"])
    assert told == wanted | {"opened_at": opened["position"], "closed_at": None}
    closed = close(server, wanted["import_id"]).json()
    assert said_at(server, closed)["type"] == "ledger.import_closed"
    [told] = listed(server, "imports", import_id=wanted["import_id"])
    assert told["closed_at"] == closed["position"]


def test_an_import_is_opened_once_and_closed_once(server: Server) -> None:
    wanted = an_import(server)
    check_problem(close(server, wanted["import_id"]), 404)
    opened = ask(server, "imports", wanted).json()["position"]
    assert check_problem(ask(server, "imports", wanted), 409)["position"] == opened
    closed = close(server, wanted["import_id"]).json()["position"]
    assert str(closed) in check_problem(close(server, wanted["import_id"]), 404)["detail"]
    # Its name is used up: what was history then stays told apart.
    assert check_problem(ask(server, "imports", wanted), 409)["position"] == opened


def test_what_has_not_come_is_no_history_and_whose_it_is_must_be_known(server: Server) -> None:
    before = server.size()
    check_problem(ask(server, "imports", an_import(server, until="2999-01-01T00:00:00Z")), 422, "/until")
    check_problem(ask(server, "imports", an_import(server, credential="token:0123456789ab")), 404)
    check_problem(ask(server, "imports", an_import(server, sources=[])), 422, "/sources")
    wanted = an_import(server)
    assert server.client("operator").delete(f"/v1/ledger/credentials/{wanted['credential']}").status_code == 200
    check_problem(ask(server, "imports", wanted), 404)
    types = [item["entry"]["statement"]["type"] for item in server.entries(after=before)]
    assert "ledger.import_opened" not in types


# -- programs ----------------------------------------------------------------------------------------------------------


def test_a_program_is_published_once_in_a_version_and_told_to_everybody(server: Server) -> None:
    wanted = {"tool": "verify.html", "version": f"1.{next(numbers)}", "sha256": "ab" * 32}
    published = ask(server, "tools", wanted).json()
    assert said_at(server, published)["data"].items() >= wanted.items()
    assert listed(server, "tools", by="nobody", **wanted) == [wanted | {"published_at": published["position"]}]
    again = check_problem(ask(server, "tools", wanted | {"sha256": "cd" * 32}), 409)
    assert again["position"] == published["position"]
    assert "abab" in again["detail"]
    assert ask(server, "tools", wanted | {"version": f"1.{next(numbers)}"}).status_code == 201

"""Rules of protected branches, as GitHub tells them: what each change says in our words. The bodies are made up here."""

import json
from typing import Any

import pytest

from api.intake.github import FORMAT
from api.intake.translation import Fact, Mapped, Unmapped
from ledger.clock import normalised

HEADERS = {"x-github-event": "branch_protection_rule"}
RULE: dict[str, Any] = {
    "id": 11,
    "name": "release/* ü",
    "created_at": "2026-03-02T05:00:00.000-04:00",
    "updated_at": "2026-03-02T06:00:00.000-04:00",
    "pull_request_reviews_enforcement_level": "non_admins",
    "required_approving_review_count": 1,
    "required_status_checks": ["test", "lint"],
    "admin_enforced": False,
    "allow_force_pushes_enforcement_level": "off",
    "signature_requirement_enforcement_level": "a level of next year",
    "authorized_actor_names": ["octocat"],
}


def told(action: str, **more: Any) -> Fact | Unmapped:
    sender = {"id": 7, "login": "alice", "type": "User"}
    body = {"action": action, "rule": RULE, "repository": {"full_name": "acme/api"}, "sender": sender} | more
    found = FORMAT.translate(HEADERS, json.dumps(body).encode())
    return found.facts[0] if isinstance(found, Mapped) else found  # type: ignore[return-value]


def test_a_change_says_what_the_rules_are_and_what_they_were() -> None:
    changes = {"required_approving_review_count": {"from": 2}, "admin_enforced": {"from": True}}
    fact = told("edited", changes=changes)
    assert isinstance(fact, Fact)
    assert fact.type == "code.branch_protection_changed"
    assert normalised(fact.time) == "2026-03-02T10:00:00.000000Z"
    assert (fact.data["actor"], fact.data["repository"], fact.data["branch"]) == (
        "github:7",
        "acme/api",
        "release/*%20%C3%BC",
    )
    rules = {rule["name"]: rule["value"] for rule in fact.data["rules"]}
    assert rules == {
        "admins_enforced": "false",
        "force_pushes": "off",
        "required_approvals": "1",
        "required_checks": "2",
        "reviews": "non_admins",
    }
    before = {rule["name"]: rule["value"] for rule in fact.data["before"]}
    assert before == {"admins_enforced": "true", "required_approvals": "2"}


def test_a_rule_that_is_for_other_branches_now_protects_those_before_no_more() -> None:
    body = {
        "action": "edited",
        "rule": RULE,
        "repository": {"full_name": "acme/api"},
        "changes": {"name": {"from": "main"}},
    }
    found = FORMAT.translate(HEADERS, json.dumps(body).encode())
    assert isinstance(found, Mapped)
    told = [(fact.data["branch"], fact.data["action"], "rules" in fact.data) for fact in found.facts]
    assert told == [("main", "deleted", False), ("release/*%20%C3%BC", "edited", True)]


def test_a_deletion_says_no_time_and_no_rule() -> None:
    fact = told("deleted")
    assert isinstance(fact, Fact)
    assert (fact.time, fact.data["action"], "rules" in fact.data) == ("", "deleted", False)


@pytest.mark.parametrize(("action", "reason"), [("transferred", "action-transferred"), ("", "field/action")])
def test_what_else_happens_to_a_rule_is_not_understood(action: str, reason: str) -> None:
    found = told(action)
    assert isinstance(found, Unmapped)
    assert found.reason == reason

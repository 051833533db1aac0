"""Who may do what, by GitHub's webhooks: grants and their ends; or why a body says nothing in our words."""

from typing import Any

import bodies
import pytest
from deliveries import said

from api.intake import github
from api.intake.translation import ContradictionError, Unmapped

ORGANISATION = {"id": 6001, "login": "acme"}
BOB = {"login": "bob", "id": 502, "type": "User"}
BY_ALICE = {
    "sender": {"login": "alice", "id": 501, "type": "User"},
    "repository": {"id": 7001, "full_name": "acme/pay"},
}
TEAM = {"id": 81, "slug": "payments", "name": "Payments"}
AT = "2026-03-02T09:00:00Z"
GRANT = {"actor": "github:501", "grant_id": "github-7001-502", "principal": "github:502"}
GRANTED = GRANT | {"principal_kind": "human", "resource": "acme/pay"}
IN_TEAM = GRANT | {"grant_id": "github-team-81-502"}
IN_ORGANISATION = GRANT | {"grant_id": "github-org-6001-502"}
KEY = GRANT | {"grant_id": "github-7001-key-9", "principal": "github-key:9"}
# A kind, a body of it, and what it becomes.
RIGHTS: list[tuple[str, dict[str, Any], str, dict[str, Any]]] = [
    ("member", {"action": "added", "member": BOB, "changes": {"permission": {"to": "write"}}},
     "access.granted", GRANTED | {"role": "github.write"}),
    ("member", {"action": "added", "member": BOB, "changes": {"role_name": {"to": "Release Approver"}}},
     "access.granted", GRANTED | {"role": "github.release-approver"}),
    ("member", {"action": "added", "member": BOB}, "access.granted", GRANTED | {"role": "github.collaborator"}),
    ("member", {"action": "edited", "member": BOB, "changes": {"permission": {"from": "read", "to": "admin"}}},
     "access.granted", GRANTED | {"role": "github.admin"}),
    ("member", {"action": "removed", "member": BOB}, "access.revoked", GRANT),
    ("member", {"action": "added", "member": BOB | {"type": "Bot"}}, "access.granted",
     GRANTED | {"principal": "github-bot:502", "principal_kind": "service", "role": "github.collaborator"}),
    ("membership", {"action": "added", "member": BOB, "team": TEAM, "organization": ORGANISATION},
     "access.granted", IN_TEAM | {"principal_kind": "human", "role": "github.member", "resource": "acme/payments"}),
    ("membership", {"action": "removed", "member": BOB, "team": {"id": 81, "deleted": True}, "organization": ORGANISATION},
     "access.revoked", IN_TEAM),
    ("organization", {"action": "member_added", "membership": {"role": "admin", "user": BOB}, "organization": ORGANISATION},
     "access.granted", IN_ORGANISATION | {"principal_kind": "human", "role": "github.org-admin", "resource": "acme"}),
    ("organization", {"action": "member_removed", "membership": {"role": "admin", "user": BOB}, "organization": ORGANISATION},
     "access.revoked", IN_ORGANISATION),
    ("deploy_key", {"action": "created", "key": {"id": 9, "read_only": False, "created_at": AT, "key": "ssh-rsa AAAA"}},
     "access.granted", KEY | {"principal_kind": "service", "owner": "github:501", "role": "github.key-write", "resource": "acme/pay"}),
    ("deploy_key", {"action": "deleted", "key": {"id": 9, "read_only": True, "created_at": AT}}, "access.revoked", KEY),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "body", "becomes", "data"), RIGHTS)
def test_a_right_is_a_grant_and_its_end_is_one(
    kind: str, body: dict[str, Any], becomes: str, data: dict[str, Any]
) -> None:
    fact = said(kind, BY_ALICE | body)
    assert (fact.type, fact.data, fact.left_out) == (becomes, data, ())
    assert fact.time == (AT if becomes == "access.granted" and kind == "deploy_key" else "")


@pytest.mark.parametrize(
    ("kind", "body", "reason"),
    [
        ("member", {"action": "edited", "member": BOB, "changes": {"old_permission": {"from": "admin"}}}, "new-permission-not-said"),
        ("member", {"action": "added", "member": {"login": "bob"}}, "field/member"),
        ("organization", {"action": "member_invited", "membership": {"user": BOB}}, "action-member_invited"),
        ("workflow_run", {"action": "requested", "workflow_run": {"id": 4711}}, "told-by-its-jobs"),
        ("deployment_review", {"action": "approved", "workflow_run": {"id": 4711}, "approver": BOB}, "names-no-change"),
        ("team", {"action": "edited", "team": TEAM, "changes": {}}, "rights-of-a-team"),
        ("push", {"ref": "refs/heads/main", "deleted": True, "head_commit": None}, "code-comes-by-pull-requests"),
        ("check_run", {"action": "completed", "check_run": {"id": 1}}, "results-come-as-reports"),
        ("release", {"action": "published", "release": {"id": 1}}, "names-no-digest"),
        ("stars", {"action": "created"}, "kind-not-mapped"),
    ],
)  # fmt: skip
def test_what_says_nothing_in_our_words_is_kept_with_its_reason(kind: str, body: dict[str, Any], reason: str) -> None:
    found = github.translate({"x-github-event": kind}, bodies.encoded(BY_ALICE | body))
    assert isinstance(found, Unmapped)
    assert (found.kind, found.reason) == (kind, reason)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("member", {"action": "added", "member": BOB, "team": TEAM}),
        ("push", {"action": "added", "member": BOB, "team": TEAM}),
        ("deploy_key", {"action": "created", "key": {"id": 9}, "member": BOB}),
    ],
)
def test_a_body_under_the_name_of_another_kind_states_nothing(kind: str, body: dict[str, Any]) -> None:
    with pytest.raises(ContradictionError):
        github.translate({"x-github-event": kind}, bodies.encoded(BY_ALICE | body))

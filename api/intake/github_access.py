"""Who may do what, as GitHub webhooks say it: `member`, `membership`, `organization` and `deploy_key`, as grants and their ends.

A grant is of one right in one place: `github-7001-502` is what user 502 may do in repository 7001. Its role is GitHub's, after
`github.`, so that nobody gets a role of ours by what somebody called theirs. What a team may do is not said of its members, only that
they are in it: role `github.member` of `acme/payments`.

These bodies mostly have no time, so it is when they came in. And they have nothing that tells two of one kind apart: a member who is added,
removed and added again in the very same words is added once, as the repository did not change in between.
"""

import re
from typing import Any

from api.intake.github_words import id_of, identity_of, one_fact, source_of
from api.intake.translation import Translation, Unmapped, need, pick, pick_text
from ledger.errors import StatementError


def member(document: dict[str, Any]) -> Translation:
    """Return what somebody may do in a repository. A body that says only what they might before is no grant."""
    action, repository = need(document, "action"), need(document, "repository", dict)
    about = _about(document, "member", f"{id_of(repository)}")
    if action == "removed":
        return one_fact(document, "access.revoked", "", about)
    if action not in ("added", "edited"):
        return Unmapped("member", f"action-{action}", source_of(document))
    role = pick_text(document, "changes.role_name.to", "changes.permission.to")
    if role is None and action == "edited":
        return Unmapped("member", "new-permission-not-said", source_of(document))
    return _granted(document, about, role or "collaborator", need(repository, "full_name"))


def membership(document: dict[str, Any]) -> Translation:
    """Return who is in a team."""
    action, team = need(document, "action"), need(document, "team", dict)
    about = _about(document, "member", f"team-{id_of(team)}")
    if action == "removed":
        return one_fact(document, "access.revoked", "", about)
    if action != "added":
        return Unmapped("membership", f"action-{action}", source_of(document))
    return _granted(document, about, "member", f"{need(document, 'organization.login')}/{need(team, 'slug')}")


def organization(document: dict[str, Any]) -> Translation:
    """Return who is in an organisation, and as what."""
    action = need(document, "action")
    if action not in ("member_added", "member_removed"):
        return Unmapped("organization", f"action-{action}", source_of(document))
    about = _about(document, "membership.user", f"org-{id_of(need(document, 'organization', dict))}")
    if action == "member_removed":
        return one_fact(document, "access.revoked", "", about)
    role = need(document, "membership.role")
    return _granted(document, about, f"org-{role}", need(document, "organization.login"))


def deploy_key(document: dict[str, Any]) -> Translation:
    """Return a key of a machine, which may read a repository or write to it, whoever holds it."""
    action, key, repository = need(document, "action"), need(document, "key", dict), need(document, "repository", dict)
    about = {
        "actor": identity_of(pick(document, "sender")),
        "grant_id": f"github-{id_of(repository)}-key-{id_of(key)}",
        "principal": f"github-key:{id_of(key)}",
    }
    if action == "deleted":
        return one_fact(document, "access.revoked", "", about)
    if action != "created":
        return Unmapped("deploy_key", f"action-{action}", source_of(document))
    # Who added it answers for it, as far as anybody says.
    more = {"principal_kind": "service", "owner": identity_of(pick(document, "sender"))}
    reads = pick(key, "read_only") is True
    more |= {"role": "github.key-read" if reads else "github.key-write", "resource": need(repository, "full_name")}
    return one_fact(document, "access.granted", need(key, "created_at"), about | more)


def _about(document: dict[str, Any], path: str, place: str) -> dict[str, Any]:
    user = need(document, path, dict)
    if (principal := identity_of(user)) is None:
        raise StatementError("expected a user with an id", "/" + path.replace(".", "/"))
    return {
        "actor": identity_of(pick(document, "sender")),
        "grant_id": f"github-{place}-{id_of(user)}",
        "principal": principal,
    }


def _granted(document: dict[str, Any], about: dict[str, Any], role: str, resource: str) -> Translation:
    kind = "human" if about["principal"].startswith("github:") else "service"
    # Organisations name roles of their own as they like.
    named = re.sub(r"[^a-z0-9_.-]+", "-", role.lower())[:57]
    said = about | {"principal_kind": kind, "role": f"github.{named}", "resource": resource}
    return one_fact(document, "access.granted", "", said)

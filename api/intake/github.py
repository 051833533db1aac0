"""GitHub webhooks: `deployment`, `deployment_status`, `pull_request`, `pull_request_review`, `secret_scanning_alert`,
`code_scanning_alert`, `branch_protection_rule`, `workflow_job`, `ping`; and who may do what (`github_access`).

The signature covers the body and nothing else. So the delivery id is ignored (a captured body under a new one is a
repeat), and the event kind that a header names must agree with what the body is. Users are named by number, which
survives a rename; bots are named apart, because they never approve. Longer than other formats: there are thirteen kinds, each with samples.
"""

from typing import Any, Final

from api.intake.formats import JSON, UNMAPPED, Format, HmacHeader, Redactor, Sample
from api.intake.github_access import deploy_key, member, membership, organization
from api.intake.github_alerts import secret_scanning_alert, without_secret
from api.intake.github_rules import branch_of, rules_before, rules_of
from api.intake.github_runs import run_of
from api.intake.github_scanning import code_scanning_alert
from api.intake.github_words import FORM_PREFIX, id_of, identity_of, json_of, one_fact, source_of
from api.intake.translation import (
    ContradictionError,
    ForeignJsonError,
    Headers,
    Mapped,
    Nothing,
    Translation,
    Unmapped,
    fact,
    need,
    pick,
    pick_text,
    pick_time,
    read_json,
)
from ledger.errors import StatementError

_FORM: Final = "application/x-www-form-urlencoded"
# What every body of a kind has. Unknown keys are normal: GitHub adds some at any time.
_SHAPES: Final[dict[str, dict[str, type]]] = {
    "deployment": {"deployment": dict},
    "deployment_status": {"deployment_status": dict, "deployment": dict},
    "pull_request_review": {"review": dict, "pull_request": dict},
    "pull_request": {"action": str, "number": int, "pull_request": dict},
    # Other alerts are called so, too.
    "secret_scanning_alert": {"alert.secret_type": str},
    "code_scanning_alert": {"alert.rule.id": str},
    "branch_protection_rule": {"action": str, "rule": dict},
    "workflow_job": {"action": str, "workflow_job": dict},
    "member": {"action": str, "member": dict},
    "membership": {"action": str, "member": dict, "team": dict},
    "organization": {"membership.user": dict},
    "deploy_key": {"action": str, "key": dict},
    "ping": {"zen": str, "hook_id": int},
    # Not mapped, and they carry what the kinds above have.
    "check_run": {"check_run": dict},
    "deployment_protection_rule": {"deployment_callback_url": str},
}
# Bodies of other kinds carry these too, and a number or a deployment more makes no review less of one.
_CARRIED: Final = ("deployment", "pull_request")
# Of a kind that we do not map we know nothing: it may carry a deployment. Only what has these keys and no others is one.
_DEPLOYMENT_KEYS: Final = {
    "action", "deployment", "workflow", "workflow_run", "repository", "sender", "organization", "installation", "enterprise",
}  # fmt: skip
# What GitHub calls the end of a deployment. It also sends "inactive" when a later deployment takes over: that one did
# not end now.
_OUTCOMES: Final = {"success": "success", "failure": "failure", "error": "error"}
# What brings a pull request to a head that is to be reviewed.
_PROPOSALS: Final = ("opened", "reopened", "ready_for_review", "synchronize")


def translate(headers: Headers, body: bytes) -> Translation:
    """Return the facts of an authenticated webhook body. Raises ContradictionError when header and body do not agree."""
    kind = headers.get("x-github-event", "")
    try:
        document = read_json(json_of(body))
    except ForeignJsonError as error:
        return Unmapped(kind or "none", str(error))
    if not isinstance(document, dict):
        return Unmapped(kind or "none", "not-an-object")
    _check_kind(kind, document)
    translator = _TRANSLATORS.get(kind)
    if translator is None:
        return Unmapped(kind or "none", _NOT_MAPPED.get(kind, "kind-not-mapped"), source_of(document))
    try:
        return translator(document)
    except StatementError as error:
        return Unmapped(kind, f"field{error.place}", source_of(document))


def _check_kind(kind: str, document: dict[str, Any]) -> None:
    """Raise ContradictionError when a body that has the parts of one kind comes under the name of another."""
    keys = document.keys()
    there = [k for k, shape in _SHAPES.items() if all(_is_there(document, *part) for part in shape.items())]
    if kind in _TRANSLATORS:
        own = _SHAPES[kind].keys() if _SHAPES[kind].keys() <= keys else set()
        others = (k for k in there if k != kind and not _SHAPES[k].keys() <= own)
        found = next((k for k in others if not own or kind in _CARRIED or k not in _CARRIED), "")
    else:
        found = next((k for k in there if k in _TRANSLATORS and k != "deployment"), "")
        if "deployment" in keys and keys <= _DEPLOYMENT_KEYS:
            found = "deployment"
    if found:
        raise ContradictionError(f"the header X-GitHub-Event says {kind!r}, the body is a {found}")


def _is_there(document: dict[str, Any], name: str, kind: type) -> bool:
    """Say whether a part is really there: a key alone, null or an object without an id, makes no kind."""
    part = pick(document, name)
    return type(part) is kind and (not isinstance(part, dict) or type(part.get("id")) is int)


def _deployment_data(document: dict[str, Any]) -> dict[str, Any]:
    deployment = need(document, "deployment", dict)
    payload = deployment.get("payload")
    if isinstance(payload, str):
        try:
            payload = read_json(payload)
        except ForeignJsonError:
            payload = None
    return {
        "deployment_id": f"github-{id_of(deployment)}",
        "change_id": pick(payload, "change_id"),
        # A repository is not always called as its service is: who deploys may say so in the payload.
        "service": pick_text(payload, "service") or need(document, "repository.full_name"),
        # A status may name another environment than its deployment did.
        "environment": pick_text(document, "deployment_status.environment") or need(deployment, "environment"),
        "commit": pick(deployment, "sha"),
    }


def _deployment(document: dict[str, Any]) -> Translation:
    if (action := pick_text(document, "action")) != "created":
        return Unmapped("deployment", f"action-{action}", source_of(document))
    data = _deployment_data(document) | {"actor": identity_of(pick(document, "deployment.creator"))}
    return one_fact(document, "deployment.started", need(document, "deployment.created_at"), data)


def _deployment_status(document: dict[str, Any]) -> Translation:
    state = need(document, "deployment_status.state")
    # Not updated_at: it moves when a later deployment makes this one inactive.
    time = need(document, "deployment_status.created_at")
    data = _deployment_data(document) | {"actor": identity_of(pick(document, "deployment_status.creator"))}
    if state not in _OUTCOMES:
        return Unmapped("deployment_status", f"state-{state}", source_of(document))
    return one_fact(document, "deployment.finished", time, data | {"outcome": _OUTCOMES[state]})


def _pull_request(document: dict[str, Any]) -> Translation:
    action, pull = need(document, "action"), need(document, "pull_request", dict)
    data = {
        "repository": need(document, "repository.full_name"),
        "pull_request": need(document, "number", int),
        "head_sha": pick(pull, "head.sha"),
    }
    if action in _PROPOSALS:
        # Whoever pushed to it is an author too; who only opened it again, or called it ready, is not.
        pushed = (pick(pull, "user"), pick(document, "sender") if action == "synchronize" else None)
        authors = dict.fromkeys(who for user in pushed if (who := identity_of(user)) is not None)
        time = need(pull, "created_at" if action == "opened" else "updated_at")
        return one_fact(document, "code.proposed", time, data | {"authors": tuple(authors) or None})
    if action != "closed" or pick(pull, "merged") is not True:
        return Unmapped("pull_request", f"action-{action}", source_of(document))
    merged = {
        "actor": identity_of(pick(pull, "merged_by")),
        "merge_sha": pick(pull, "merge_commit_sha"),
        "branch": pick(pull, "base.ref"),
    }
    return one_fact(document, "code.merged", need(pull, "merged_at"), data | merged)


def _pull_request_review(document: dict[str, Any]) -> Translation:
    action, review = need(document, "action"), need(document, "review", dict)
    data = {
        "repository": need(document, "repository.full_name"),
        "pull_request": need(document, "pull_request.number", int),
        "review_id": str(id_of(review)),
        "commit": pick(review, "commit_id"),
    }
    if action == "dismissed":
        # The body has no time of the dismissal but when the pull request was last touched.
        time = pick_time(document, "pull_request.updated_at", "review.submitted_at") or need(review, "submitted_at")
        who = {"actor": identity_of(pick(document, "sender")), "reviewer": identity_of(pick(review, "user"))}
        return one_fact(document, "code_review.dismissed", time, data | who)
    verdict = str(need(review, "state")).lower()
    if action != "submitted" or verdict not in ("approved", "changes_requested", "commented"):
        return Unmapped("pull_request_review", f"action-{action}", source_of(document))
    more = {
        "actor": identity_of(pick(review, "user")),
        "author": identity_of(pick(document, "pull_request.user")),
        "verdict": verdict,
        "comment": pick(review, "body"),
    }
    return one_fact(document, "code_review.submitted", need(review, "submitted_at"), data | more)


def _branch_protection_rule(document: dict[str, Any]) -> Translation:
    action, rule = need(document, "action"), need(document, "rule", dict)
    if action not in ("created", "edited", "deleted"):
        return Unmapped("branch_protection_rule", f"action-{action}", source_of(document))
    data = {
        "actor": identity_of(pick(document, "sender")),
        "repository": need(document, "repository.full_name"),
        "branch": branch_of(need(rule, "name")),
        "action": action,
        "rules": rules_of(rule) if action != "deleted" else None,
        "before": rules_before(pick(document, "changes")) or None,
    }
    # Of a deletion nobody says when: what the rule has is the time of its last change.
    times = {"created": "created_at", "edited": "updated_at"}
    time = need(rule, times[action]) if action in times else ""
    facts = [fact(source_of(document), "code.branch_protection_changed", time, data)]
    # A rule that was for other branches is for those no more.
    before = pick_text(document, "changes.name.from")
    if before is not None and branch_of(before) != data["branch"]:
        gone = data | {"branch": branch_of(before), "action": "deleted", "rules": None, "before": None}
        facts.insert(0, fact(source_of(document), "code.branch_protection_changed", time, gone))
    return Mapped(tuple(facts))


def _workflow_job(document: dict[str, Any]) -> Translation:
    found = run_of(document)
    if isinstance(found, str):
        return Unmapped("workflow_job", found, source_of(document))
    return one_fact(document, *found)


def _ping(document: dict[str, Any]) -> Translation:
    return Nothing({"pong": need(document, "hook_id", int)})


_TRANSLATORS: Final = {
    "deployment": _deployment,
    "deployment_status": _deployment_status,
    "pull_request": _pull_request,
    "pull_request_review": _pull_request_review,
    "secret_scanning_alert": secret_scanning_alert,
    "code_scanning_alert": code_scanning_alert,
    "branch_protection_rule": _branch_protection_rule,
    "workflow_job": _workflow_job,
    "member": member,
    "membership": membership,
    "organization": organization,
    "deploy_key": deploy_key,
    "ping": _ping,
}
# Kinds that say something, and nothing in our words: why.
_NOT_MAPPED: Final = {
    # It lets a job go on, and names no change whose approval it could be.
    "deployment_review": "names-no-change",
    # Results come as reports, in which each test is named.
    "check_run": "results-come-as-reports",
    "check_suite": "results-come-as-reports",
    # Code counts by the pull request that it was reviewed in.
    "push": "code-comes-by-pull-requests",
    # It names a tag, which somebody may move, and no digest.
    "release": "names-no-digest",
    # What its members may do by it is nobody's grant: whose they are says `membership`.
    "team": "rights-of-a-team",
    # What has a runner, an outcome and an end is a job.
    "workflow_run": "told-by-its-jobs",
}


_AT: Final = "2025-05-30T08:15:00Z"
_ALICE: Final = {"login": "alice", "id": 501, "type": "User"}
_ACME: Final = {"id": 6001, "login": "acme"}
_REPOSITORY: Final = {"repository": {"id": 7001, "full_name": "acme/payments-api"}, "sender": _ALICE}
_DEPLOYED: Final = {
    "id": 31, "sha": "4be1c2d0a9f84e6b8c7d3f2a1b0e9d8c7f6a5b43", "environment": "prod",
    "payload": {"change_id": "CHG-12"}, "creator": _ALICE, "created_at": _AT,
}  # fmt: skip
_PULL: Final = {
    "number": 42, "user": _ALICE, "head": {"sha": _DEPLOYED["sha"]}, "base": {"ref": "main"},
    "created_at": _AT, "updated_at": _AT,
}  # fmt: skip


def _sample(event: str, note: str, body: dict[str, Any], *becomes: str) -> Sample:
    kind = f"{event}, {note}" if note else event
    return Sample(kind, _REPOSITORY | body, becomes, {"x-github-event": event})


def _status(state: str) -> dict[str, Any]:
    status = {"id": 91, "state": state, "environment": "prod", "creator": _ALICE, "created_at": _AT}
    return {"action": "created", "deployment": _DEPLOYED, "deployment_status": status}


def _reviewed(action: str, state: str) -> dict[str, Any]:
    review = {"id": 3001, "user": _ALICE, "commit_id": _DEPLOYED["sha"], "submitted_at": _AT, "state": state}
    return {"action": action, "pull_request": _PULL, "review": review}


def _pulled(action: str, **more: Any) -> dict[str, Any]:
    return {"action": action, "number": 42, "pull_request": _PULL | more}


def _alerted(action: str, **more: Any) -> dict[str, Any]:
    alert = {"number": 7, "secret_type": "aws_access_key_id", "created_at": _AT, "updated_at": _AT}
    return {"action": action, "alert": alert | more}


def _code(action: str, **more: Any) -> dict[str, Any]:
    place = {"ref": "refs/heads/main", "commit_sha": _DEPLOYED["sha"], "location": {"path": "main.tf", "start_line": 3}}
    alert = {
        "number": 10, "created_at": _AT, "updated_at": _AT, "rule": {"id": "AVD-1", "severity": "error"},
        "tool": {"name": "Trivy"}, "most_recent_instance": place,
    }  # fmt: skip
    return {
        "action": action,
        "alert": alert | more,
        "repository": _REPOSITORY["repository"] | {"default_branch": "main"},
    }


def _member(action: str, **more: Any) -> dict[str, Any]:
    return {"action": action, "member": {"login": "bob", "id": 502, "type": "User"}, "organization": _ACME} | more


def _protected(action: str) -> dict[str, Any]:
    rule = {"id": 11, "name": "main", "created_at": _AT, "updated_at": _AT, "required_approving_review_count": 1}
    return {"action": action, "rule": rule, "changes": {"required_approving_review_count": {"from": 2}}}


def _job(action: str) -> dict[str, Any]:
    job = {"id": 21, "run_id": 4711, "run_attempt": 1, "name": "build", "runner_id": 7, "started_at": _AT}
    ended = {"conclusion": "success", "completed_at": _AT} if action == "completed" else {}
    return {"action": action, "workflow_job": job | ended}


FORMAT: Final = Format(
    "github",
    "GitHub webhooks",
    "`deployment`, `deployment_status`, `pull_request`, `pull_request_review`, `secret_scanning_alert`, `code_scanning_alert`, "
    "`branch_protection_rule`, `workflow_job`, `member`, `membership`, `organization`, `deploy_key` and `ping`, in JSON or as a form. "
    "Rights are grants of roles that begin with `github.`.",
    translate,
    signature=HmacHeader("X-Hub-Signature-256"),
    media_types=(JSON, _FORM),
    redactor=Redactor(1, without_secret),
    kept_as=lambda body: _FORM if body.startswith(FORM_PREFIX) else JSON,
    samples=(
        _sample("deployment", "", {"action": "created", "deployment": _DEPLOYED}, "deployment.started"),
        _sample("deployment_status", "at its end", _status("success"), "deployment.finished"),
        _sample("deployment_status", "before", _status("in_progress"), UNMAPPED),
        _sample("pull_request", "a head to review", _pulled("synchronize"), "code.proposed"),
        _sample("pull_request", "merged", _pulled("closed", merged=True, merged_at=_AT), "code.merged"),
        _sample("pull_request_review", "submitted", _reviewed("submitted", "approved"), "code_review.submitted"),
        _sample("pull_request_review", "dismissed", _reviewed("dismissed", "dismissed"), "code_review.dismissed"),
        _sample("secret_scanning_alert", "of a secret", _alerted("created"), "secret.detected"),
        _sample(
            "secret_scanning_alert",
            "revoked",
            _alerted("resolved", resolution="revoked", resolved_by=_ALICE, resolved_at=_AT),
            "secret.rotated",
        ),
        _sample("secret_scanning_alert", "waved through", _alerted("resolved", resolution="wont_fix"), UNMAPPED),
        _sample("code_scanning_alert", "of the default branch", _code("created"), "scan.completed"),
        _sample("code_scanning_alert", "mended there", _code("fixed", state="fixed"), "scan.completed"),
        _sample(
            "code_scanning_alert",
            "dismissed",
            _code(
                "closed_by_user",
                state="dismissed",
                dismissed_by=_ALICE,
                dismissed_at=_AT,
                dismissed_reason="won't fix",
            ),
            "scan.completed",
            "finding.disposed",
        ),
        _sample("branch_protection_rule", "edited", _protected("edited"), "code.branch_protection_changed"),
        _sample("workflow_job", "on a runner", _job("in_progress"), "pipeline_run.started"),
        _sample("workflow_job", "at its end", _job("completed"), "pipeline_run.finished"),
        _sample("workflow_job", "before it has a runner", _job("queued"), UNMAPPED),
        _sample("member", "added", _member("added", changes={"permission": {"to": "write"}}), "access.granted"),
        _sample("member", "edited", _member("edited", changes={"old_permission": {"from": "write"}}), UNMAPPED),
        _sample("member", "removed", _member("removed"), "access.revoked"),
        _sample("membership", "added", _member("added", team={"id": 81, "slug": "payments"}), "access.granted"),
        _sample("membership", "removed", _member("removed", team={"id": 81, "deleted": True}), "access.revoked"),
        _sample(
            "organization",
            "a member left",
            {"action": "member_removed", "membership": {"role": "member", "user": _ALICE}, "organization": _ACME},
            "access.revoked",
        ),
        _sample(
            "deploy_key",
            "added",
            {"action": "created", "key": {"id": 91, "read_only": False, "created_at": _AT}},
            "access.granted",
        ),
        _sample(
            "push", "code counts by its pull request", {"ref": "refs/heads/main", "after": _DEPLOYED["sha"]}, UNMAPPED
        ),
        _sample("ping", "", {"zen": "Half measures are as bad as nothing at all.", "hook_id": 12}),
        _sample("anything else", "", {"action": "added"}, UNMAPPED),
    ),
)

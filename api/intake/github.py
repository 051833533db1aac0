"""GitHub webhooks: `deployment`, `deployment_status`, `pull_request`, `pull_request_review`, `ping`.

The signature covers the body and nothing else. So the delivery id is ignored (a captured body under a new one is a
repeat), and the event kind that a header names must agree with what the body is. Users are named by number, which
survives a rename; bots are named apart, because they never approve.
"""

import hashlib
import hmac
import json
from typing import Any, Final

import orjson

from api.intake.translation import (
    ContradictionError,
    Fact,
    Headers,
    Mapped,
    Nothing,
    Translation,
    Unmapped,
    need,
    pick,
    without_nulls,
)
from ledger.errors import StatementError, UnauthenticatedError
from ledger.events.identifiers import Label, fits

SIGNATURE_HEADER: Final = "x-hub-signature-256"
# Keys that only a body of this kind has.
_SHAPES: Final = {
    "deployment_status": {"deployment_status", "deployment"},
    "pull_request_review": {"review", "pull_request"},
    "pull_request": {"action", "number", "pull_request"},
    "ping": {"zen", "hook_id"},
}
_DEPLOYMENT_KEYS: Final = {
    "action", "deployment", "workflow", "workflow_run", "repository", "sender", "organization", "installation", "enterprise",
}  # fmt: skip
# What GitHub calls the end of a deployment. It also sends "inactive" when a later deployment takes over: that one did
# not end now.
_OUTCOMES: Final = {"success": "success", "failure": "failure", "error": "error"}
# What brings a pull request to a head that is to be reviewed.
_PROPOSALS: Final = ("opened", "reopened", "ready_for_review", "synchronize")


def check_signature(secret: str, body: bytes, headers: Headers) -> None:
    """Raise UnauthenticatedError unless the header carries the HMAC-SHA256 of the raw body under `secret`."""
    found = headers.get(SIGNATURE_HEADER, "")
    expected = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected.encode(), found.encode()):
        raise UnauthenticatedError(
            f"the header {SIGNATURE_HEADER} is not the HMAC of this body under the shared secret"
        )


def translate(headers: Headers, body: bytes) -> Translation:
    """Return the facts of an authenticated webhook body. Raises ContradictionError when header and body do not agree."""
    kind = headers.get("x-github-event", "")
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return Unmapped(kind or "none", "not-json")
    if not isinstance(document, dict):
        return Unmapped(kind or "none", "not-an-object")
    looks_like = _looks_like(document)
    if kind != looks_like and (kind in _TRANSLATORS or looks_like in _TRANSLATORS):
        raise ContradictionError(
            f"the header X-GitHub-Event says {kind!r}, the body is a {looks_like or 'body of another kind'}"
        )
    translator = _TRANSLATORS.get(kind)
    if translator is None:
        return Unmapped(kind or "none", "kind-not-mapped", _source(document))
    try:
        return translator(document)
    except StatementError as error:
        return Unmapped(kind, f"field{error.place}", _source(document))


def _looks_like(document: dict[str, Any]) -> str:
    for kind, keys in _SHAPES.items():
        if keys <= document.keys():
            return kind
    return "deployment" if "deployment" in document and document.keys() <= _DEPLOYMENT_KEYS else ""


def _source(document: dict[str, Any]) -> str:
    """Return who sent it, or nothing where the body names nobody."""
    name = pick(document, "repository.full_name") or pick(document, "organization.login")
    return f"https://github.com/{name}" if isinstance(name, str) else ""


def _identity(user: Any) -> str | None:
    number = pick(user, "id")
    if not isinstance(number, int):
        return None
    return f"{'github-bot' if pick(user, 'type') == 'Bot' else 'github'}:{number}"


def _deployment_data(document: dict[str, Any]) -> dict[str, Any]:
    deployment = need(document, "deployment", dict)
    payload = deployment.get("payload")
    if isinstance(payload, str):
        try:
            payload = json.loads(payload)
        except (ValueError, RecursionError):
            payload = None
    return {
        "deployment_id": f"github-{need(deployment, 'id', int)}",
        "change_id": pick(payload, "change_id"),
        # A repository is not always called as its service is: who deploys may say so in the payload.
        "service": pick(payload, "service") or need(document, "repository.full_name"),
        "environment": need(deployment, "environment"),
        "commit": need(deployment, "sha"),
    }


def _deployment(document: dict[str, Any]) -> Translation:
    action = pick(document, "action")
    if action != "created":
        return Unmapped("deployment", f"action-{action}", _source(document))
    data = _deployment_data(document) | {"actor": _identity(pick(document, "deployment.creator"))}
    return _one(document, "deployment.started", need(document, "deployment.created_at"), data)


def _deployment_status(document: dict[str, Any]) -> Translation:
    state = need(document, "deployment_status.state")
    # Not updated_at: it moves when a later deployment makes this one inactive.
    time = need(document, "deployment_status.created_at")
    data = _deployment_data(document) | {"actor": _identity(pick(document, "deployment_status.creator"))}
    if state not in _OUTCOMES:
        return Unmapped("deployment_status", f"state-{state}", _source(document))
    return _one(document, "deployment.finished", time, data | {"outcome": _OUTCOMES[state]})


def _pull_request(document: dict[str, Any]) -> Translation:
    action, pull = need(document, "action"), need(document, "pull_request", dict)
    data = {
        "repository": need(document, "repository.full_name"),
        "pull_request": need(document, "number", int),
        "head_sha": need(pull, "head.sha"),
    }
    if action in _PROPOSALS:
        # Whoever pushed to it is an author too; who only opened it again, or called it ready, is none.
        pushed = (pick(pull, "user"), pick(document, "sender") if action == "synchronize" else None)
        authors = dict.fromkeys(who for user in pushed if (who := _identity(user)) is not None)
        time = need(pull, "created_at" if action == "opened" else "updated_at")
        return _one(document, "code.proposed", time, data | {"authors": list(authors)})
    if action != "closed" or pick(pull, "merged") is not True:
        return Unmapped("pull_request", f"action-{action}", _source(document))
    # A merge counts whatever its branch is called.
    branch = pick(pull, "base.ref")
    merged = {
        "actor": _identity(pick(pull, "merged_by")),
        "merge_sha": pick(pull, "merge_commit_sha"),
        "branch": branch if fits(Label, branch) else None,
    }
    return _one(document, "code.merged", need(pull, "merged_at"), data | merged)


def _pull_request_review(document: dict[str, Any]) -> Translation:
    action, review = need(document, "action"), need(document, "review", dict)
    data = {
        "repository": need(document, "repository.full_name"),
        "pull_request": need(document, "pull_request.number", int),
        "review_id": str(need(review, "id", int)),
        "commit": need(review, "commit_id"),
    }
    if action == "dismissed":
        reviewer = _identity(pick(review, "user"))
        return _one(
            document,
            "code_review.dismissed",
            # The body has no time of the dismissal but when the pull request was last touched.
            pick(document, "pull_request.updated_at") or need(review, "submitted_at"),
            data | {"actor": _identity(pick(document, "sender")), "reviewer": reviewer},
        )
    verdict = str(need(review, "state")).lower()
    if action != "submitted" or verdict not in ("approved", "changes_requested", "commented"):
        return Unmapped("pull_request_review", f"action-{action}", _source(document))
    more = {
        "actor": _identity(pick(review, "user")),
        "author": _identity(pick(document, "pull_request.user")),
        "verdict": verdict,
        "comment": pick(review, "body") or None,
    }
    return _one(document, "code_review.submitted", need(review, "submitted_at"), data | more)


def _ping(document: dict[str, Any]) -> Translation:
    return Nothing({"pong": pick(document, "hook_id")})


def _one(document: dict[str, Any], event_type: str, time: str, data: dict[str, Any]) -> Translation:
    return Mapped((Fact(_source(document), event_type, time, without_nulls(data)),))


_TRANSLATORS: Final = {
    "deployment": _deployment,
    "deployment_status": _deployment_status,
    "pull_request": _pull_request,
    "pull_request_review": _pull_request_review,
    "ping": _ping,
}

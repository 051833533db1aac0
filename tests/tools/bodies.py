"""Bodies of outside formats, made up here, of the shape that GitHub and CDEvents give theirs."""

import copy
import hashlib
import hmac
import json
from typing import Any

from servers import GITHUB_SECRET

REPOSITORY = "acme/payments-api"
HEAD = "4be1c2d0a9f84e6b8c7d3f2a1b0e9d8c7f6a5b43"
DEPLOYED_AT = "2025-05-30T08:15:00Z"
ENDED_AT = "2025-05-30T08:19:30Z"
ARTIFACT = "pkg:oci/payments-api@sha256%3A5f2c9e0b7d1a4c38"


def user(number: int, *, kind: str = "User") -> dict[str, Any]:
    return {"login": f"user-{number}", "id": number, "type": kind, "site_admin": False}


def _repository() -> dict[str, Any]:
    return {"id": 7001, "name": "payments-api", "full_name": REPOSITORY, "private": True, "topics": []}


def deployment(number: int = 1, **more: Any) -> dict[str, Any]:
    """A `deployment` webhook; keyword arguments go into its `deployment`."""
    made = {
        "id": number,
        "sha": HEAD,
        "ref": "main",
        "task": "deploy",
        "payload": {"change_id": "CHG-12"},
        "original_environment": "prod",
        "environment": "prod",
        "description": None,
        "creator": user(501),
        "created_at": DEPLOYED_AT,
        "updated_at": DEPLOYED_AT,
    }
    return {
        "action": "created",
        "deployment": made | more,
        "workflow": None,
        "workflow_run": None,
        "repository": _repository(),
        "sender": user(501),
    }


def deployment_status(state: str = "success", number: int = 1, **more: Any) -> dict[str, Any]:
    """A `deployment_status` webhook; keyword arguments go into its `deployment_status`."""
    body = deployment(number)
    status = {
        "id": 9000 + number,
        "state": state,
        "creator": user(77, kind="Bot"),
        "description": "",
        "environment": "prod",
        "created_at": ENDED_AT,
        # Later than the end: it moves when another deployment takes over.
        "updated_at": "2025-06-01T00:00:00Z",
    }
    return {
        "action": "created",
        "deployment_status": status | more,
        **{name: body[name] for name in ("deployment", "repository", "sender")},
    }


def review(
    action: str = "submitted", state: str = "approved", number: int = 1, pull: int = 42, **more: Any
) -> dict[str, Any]:
    """A `pull_request_review` webhook; keyword arguments go into its `review`."""
    made = {
        "id": 3000 + number,
        "user": user(502),
        "body": "The rollback plan is sound.",
        "commit_id": HEAD,
        "submitted_at": DEPLOYED_AT,
        "state": state,
        "author_association": "MEMBER",
    }
    return {
        "action": action,
        "review": made | more,
        "pull_request": pull_request(number=pull)["pull_request"],
        "repository": _repository(),
        "sender": user(504),
    }


def pull_request(
    action: str = "opened", head: str = HEAD, number: int = 42, by: int = 503, **more: Any
) -> dict[str, Any]:
    """A `pull_request` webhook that user `by` caused; keyword arguments go into its `pull_request`, which user 503 opened."""
    made = {
        "id": 8100 + number,
        "number": number,
        "state": "open",
        "user": user(503),
        "head": {"sha": head},
        "base": {"ref": "main"},
        "created_at": DEPLOYED_AT,
        "updated_at": ENDED_AT,
        "merged": False,
        "merged_at": None,
        # Also set while it is open: a merge that GitHub tries, and nobody made.
        "merge_commit_sha": "7" * 40,
    }
    return {
        "action": action,
        "number": number,
        "pull_request": made | more,
        "repository": _repository(),
        "sender": user(by),
    }


def merged(head: str = HEAD, number: int = 42, by: int = 505) -> dict[str, Any]:
    """A pull request that user `by` merged by a press of the button."""
    done = {"state": "closed", "merged": True, "merged_at": ENDED_AT, "merged_by": user(by)}
    return pull_request("closed", head, number, by, **done)


def ping() -> dict[str, Any]:
    return {"zen": "Keep it logically awesome.", "hook_id": 12, "hook": {}, "repository": _repository()}


def sign(body: bytes, secret: str = GITHUB_SECRET) -> str:
    """Return the value of X-Hub-Signature-256 for a body."""
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def webhook(body: bytes, kind: str, *, delivery: str = "d-1", secret: str = GITHUB_SECRET) -> dict[str, str]:
    """Return the headers under which GitHub delivers a body."""
    return {
        "Content-Type": "application/json",
        "X-GitHub-Event": kind,
        "X-GitHub-Delivery": delivery,
        "X-Hub-Signature-256": sign(body, secret),
    }


def encoded(document: Any) -> bytes:
    return json.dumps(document).encode()


_CASE: dict[str, Any] = {
    "environment": {"id": "staging"}, "testCase": {"id": "7", "name": "paid once"}, "testSuiteRun": {"id": "suite-run-7"},
}  # fmt: skip
_SUBJECTS: dict[str, dict[str, Any]] = {
    "service.deployed": {"id": "payments-api", "content": {"environment": {"id": "prod"}, "artifactId": ARTIFACT}},
    "service.upgraded": {"id": "payments-api", "content": {"environment": {"id": "prod"}, "artifactId": ARTIFACT}},
    "service.rolledback": {"id": "payments-api", "content": {"environment": {"id": "prod"}, "artifactId": ARTIFACT}},
    "change.merged": {"id": "pull-42", "content": {"repository": {"id": REPOSITORY, "source": "https://git.example"}}},
    "testsuiterun.finished": {
        "id": "suite-run-7",
        "content": {"outcome": "success", "environment": {"id": "staging"}, "testSuite": {"id": "payments-api"}},
    },
    "testcaserun.finished": {"id": "case-run-7", "content": {"outcome": "error", **_CASE}},
    "testcaserun.skipped": {"id": "case-run-8", "content": {"reason": "flaky", **_CASE}},
    "incident.detected": {
        "id": "INC-5",
        "content": {
            "description": "Answers take longer than 300 ms",
            "environment": {"id": "prod"},
            "service": {"id": "payments-api"},
            "artifactId": ARTIFACT,
        },
    },
}


def cdevent(kind: str = "service.deployed", spec: str = "0.5", number: int = 1, **more: Any) -> dict[str, Any]:
    """A CDEvent of a supported kind, as CDEvents 0.4 or 0.5 write it; keyword arguments go into its context."""
    old = spec == "0.4"
    context = {
        ("version" if old else "specversion"): "0.4.1" if old else "0.5.1",
        "id": f"6b1f0d3e-{kind}-{spec}-{number}",
        "source": "/pipelines/prod",
        "type": f"dev.cdevents.{kind}.{'0.2.0' if old else '0.3.0'}",
        "timestamp": "2025-05-30T08:19:30.315Z",
        "chainId": "0f7c5d7a-5c0e-4a55-9d4a-9b0a4b1e7f10",
    }
    subject = {"source": "/k8s/eu1", **copy.deepcopy(_SUBJECTS[kind])}
    if old:
        subject["type"] = kind.partition(".")[0]
    return {
        "context": context | more,
        "subject": subject,
        "customData": {"actor": "service:payments-ci", "change_id": "CHG-12"},
        "customDataContentType": "application/json",
    }


def ce_headers(cdevent: dict[str, Any]) -> dict[str, str]:
    """Return the `ce-` headers of the CloudEvents binding, in binary mode."""
    said = structured(cdevent)
    named = ("specversion", "id", "source", "type", "time", "subject")
    return {f"ce-{name}": said[name] for name in named} | {"Content-Type": "application/json"}


def structured(cdevent: dict[str, Any]) -> dict[str, Any]:
    """Return the CloudEvents object that carries a CDEvent whole under `data`."""
    context = cdevent["context"]
    return {
        "specversion": "1.0",
        "id": context["id"],
        "source": context["source"],
        "type": context["type"],
        "time": context["timestamp"],
        "subject": cdevent["subject"]["id"],
        "datacontenttype": "application/json",
        "data": cdevent,
    }

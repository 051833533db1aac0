"""GitHub's alerts about secrets: what they say, and how a body is kept that says the secret itself.

Webhooks do not, as they are documented; schemas of them had a field for it, and answers of the API have one. A secret in append-only
evidence would be there for good.
"""

import hashlib
from typing import Any
from urllib.parse import quote

from api.intake.github_words import FORM_PREFIX, id_of, identity_of, json_of, one_fact, source_of
from api.intake.translation import Translation, Unmapped, dump_json, need, pick, pick_time, read_json


def without_secret(body: bytes) -> bytes:
    """Return a body as it may be kept: as it came, but for an alert that says its secret. Raises ForeignJsonError for one that cannot be
    read, which may say it, too.
    """
    # As JSON and as a form it is written alike.
    if b"secret_type" not in body:
        return body
    document = read_json(json_of(body))
    alert = pick(document, "alert")
    if not isinstance(alert, dict) or "secret" not in alert:
        return body
    kept = dump_json(document | {"alert": {name: value for name, value in alert.items() if name != "secret"}})
    return FORM_PREFIX + quote(kept).encode() if body.startswith(FORM_PREFIX) else kept


def secret_scanning_alert(document: dict[str, Any]) -> Translation:
    """Return what an alert says: that a secret was found, or is open again, or was revoked. That somebody finds it no secret is no fact
    about the secret: whoever may dispose of the finding does that here.
    """
    action, alert = need(document, "action"), need(document, "alert", dict)
    repository, number = need(document, "repository", dict), need(alert, "number", int)
    named = f"github\n{id_of(repository)}\n{number}"
    data: dict[str, Any] = {"secret": f"sha256:{hashlib.sha256(named.encode()).hexdigest()}"}
    if action == "resolved" and pick(alert, "resolution") == "revoked":
        who = {"actor": identity_of(pick(alert, "resolved_by")) or identity_of(pick(document, "sender"))}
        return one_fact(document, "secret.rotated", need(alert, "resolved_at"), data | who)
    if action not in ("created", "reopened"):
        return Unmapped("secret_scanning_alert", f"action-{action}", source_of(document))
    # Bodies of older servers do not say when it was opened again: that is when it came in.
    time = need(alert, "created_at") if action == "created" else pick_time(alert, "updated_at") or ""
    found = {
        "tool": "github-secret-scanning",
        "rule": need(alert, "secret_type"),
        "repository": need(repository, "full_name"),
        "again": action == "reopened",
    }
    return one_fact(document, "secret.detected", time, data | found)

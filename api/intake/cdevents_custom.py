"""What of a CDEvent is kept: all of it, but for what its `customData` says beside what is read here.

CDEvents leave that part to their senders. Servers of pipelines put into it what they have: the parameters of a run, its environment, the
whole build, and so secrets. It is translated as it came.
"""

import base64
import binascii
from typing import Any, Final

from api.intake.translation import ForeignJsonError, dump_json, read_json

# What translators read of it, and what is told where they read nothing of the event.
READ: Final = frozenset(
    {"actor", "artifact", "attempt", "builder_id", "change_id", "commit", "cost_center", "coverage", "deployment_id", "ephemeral",
     "expires_at", "image_digest", "job", "owner", "reason", "requester", "reservation_id", "rollback_id", "run_id", "runner_id", "service",
     "shard", "shards", "started_at", "suite", "team", "tenant"}
)  # fmt: skip


def without_custom_data(body: bytes) -> bytes:
    """Return a body as it may be kept. Raises ForeignJsonError for one with such data that cannot be read."""
    if b'"customData"' not in body and b'"data_base64"' not in body:
        return body
    document = read_json(body)
    kept = _bare(document)
    return body if kept == document else dump_json(kept)


def _bare(document: Any) -> Any:
    if not isinstance(document, dict):
        return document
    kept = dict(document)
    if "customData" in kept:
        kept["customData"] = _read_of(kept["customData"])
    if isinstance(kept.get("data"), dict):
        kept["data"] = _bare(kept["data"])
    if isinstance(encoded := kept.get("data_base64"), str):
        kept["data_base64"] = _bare_base64(encoded)
    return kept


def _read_of(custom: Any) -> Any:
    if not isinstance(custom, dict):
        return None
    return {name: value for name, value in custom.items() if name in READ and not isinstance(value, dict | list)}


def _bare_base64(encoded: str) -> str:
    try:
        inside = base64.b64decode(encoded, validate=True)
    except binascii.Error:
        raise ForeignJsonError("not-base64") from None
    kept = without_custom_data(inside)
    return encoded if kept == inside else base64.b64encode(kept).decode()

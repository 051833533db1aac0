"""Digests of what the ledger holds: SHA-256 of the canonical JSON (RFC 8785) of a content, without what is empty.

Not of outside things: whoever states a digest of those states it as content.

    content_digest({"change": "CHG-7", "services": ["web", "api"], "commits": []})
    = "sha256:" + hex of SHA-256 of {"change":"CHG-7","services":["web","api"]}

Lists whose order means nothing are sorted by whoever makes the content.
"""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from ledger.canonical import encode


def content_digest(content: Mapping[str, Any]) -> str:
    """Return the digest of a content: `sha256:` and 64 hexadecimal digits."""
    told = {name: value for name, value in content.items() if value not in (None, [], (), {}, "")}
    return "sha256:" + hashlib.sha256(encode(told)).hexdigest()


def list_digest(names: Iterable[str]) -> str:
    """Return the digest of names, of grants or of events: of their JSON array, sorted."""
    return "sha256:" + hashlib.sha256(encode(sorted(names))).hexdigest()

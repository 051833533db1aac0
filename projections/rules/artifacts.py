"""Artifacts by digest: whatever a thing is called, what it is made of names it.

sha256:0b31…                              sha256:0b31…
pkg:oci/payments-api@sha256%3A0b31…       sha256:0b31…
pkg:npm/left-pad@1.3.0                    nothing: a version names no bytes
"""

import re
from typing import Final
from urllib.parse import unquote

_is_digest: Final = re.compile(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}").fullmatch


def digest_of(artifact: str | None) -> str | None:
    """Return the digest that an artifact is named by, or that its package URL has as a version; None where there is none."""
    if artifact is None or not artifact.startswith("pkg:"):
        named = artifact or ""
    else:
        named = unquote(artifact.partition("?")[0].partition("#")[0].rpartition("@")[2])
    return named if _is_digest(named) else None

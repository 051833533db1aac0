"""Artifacts by digest: whatever a thing is called, what it is made of names it.

sha256:0b31…                              sha256:0b31…
pkg:oci/payments-api@sha256%3A0b31…       sha256:0b31…
pkg:npm/left-pad@1.3.0                    nothing: a version names no bytes
pkg:npm/left-pad@1.3.0?checksum=sha512:9b7a…    sha512:9b7a…

A digest of one algorithm says nothing of one of another: what is attested by SHA-512 alone meets what is deployed by SHA-512.
"""

import re
from typing import Final
from urllib.parse import parse_qs, unquote

_is_digest: Final = re.compile(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}").fullmatch


def digest_of(artifact: str | None) -> str | None:
    """Return the digest that an artifact is named by, or that its package URL has as a version; None where there is none."""
    if artifact is None or not artifact.startswith("pkg:"):
        named = artifact or ""
    else:
        bare, _, qualifiers = artifact.partition("#")[0].partition("?")
        named = unquote(bare.rpartition("@")[2])
        if not _is_digest(named):
            # Of several checksums of the same bytes the first that is long enough.
            told = parse_qs(qualifiers).get("checksum", [""])[0].lower().split(",")
            named = next((one for one in told if _is_digest(one)), "")
    return named if _is_digest(named) else None

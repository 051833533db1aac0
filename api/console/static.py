"""What pages are dressed in: the stylesheet, the icon, the scripts. Their addresses change with them, so that they may be kept for ever.

Scripts of others lie in `assets/vendor`, as they were published; `manifest.toml` there says which, from where, and their digests.
"""

import hashlib
from collections.abc import Mapping
from importlib.resources import files
from typing import Final, NamedTuple


class Asset(NamedTuple):
    """One file: under which name it is served, as what, and its bytes."""

    name: str
    media_type: str
    body: bytes


def _asset(path: str, media_type: str) -> Asset:
    body = files("api.console").joinpath("assets", *path.split("/")).read_bytes()
    stem, _, ending = path.rpartition("/")[2].rpartition(".")
    return Asset(f"{stem}-{hashlib.sha256(body).hexdigest()[:12]}.{ending}", media_type, body)


STYLE: Final = _asset("console.css", "text/css")
ICON: Final = _asset("icon.svg", "image/svg+xml")
# In the order in which they run: htmx, what guards it, what it follows streams with, and our own.
SCRIPTS: Final = tuple(
    _asset(path, "text/javascript")
    for path in ("vendor/htmx.min.js", "vendor/hx-csp.min.js", "vendor/hx-sse.min.js", "console.js")
)
ASSETS: Final[Mapping[str, Asset]] = {asset.name: asset for asset in (STYLE, ICON, *SCRIPTS)}

"""What pages are dressed in: the stylesheet and the icon. Their addresses change with them, so that they may be kept for ever."""

import hashlib
from collections.abc import Mapping
from importlib.resources import files
from typing import Final, NamedTuple


class Asset(NamedTuple):
    """One file: under which name it is served, as what, and its bytes."""

    name: str
    media_type: str
    body: bytes


def _asset(stem: str, ending: str, media_type: str) -> Asset:
    body = files("api.console").joinpath("assets", f"{stem}.{ending}").read_bytes()
    return Asset(f"{stem}-{hashlib.sha256(body).hexdigest()[:12]}.{ending}", media_type, body)


STYLE: Final = _asset("console", "css", "text/css")
ICON: Final = _asset("icon", "svg", "image/svg+xml")
ASSETS: Final[Mapping[str, Asset]] = {asset.name: asset for asset in (STYLE, ICON)}

"""The stylesheet of all pages. Its address changes with it, so that it may be kept for ever."""

import hashlib
from importlib.resources import files
from typing import Final

STYLE: Final = files("api.console").joinpath("assets", "console.css").read_bytes()
STYLE_NAME: Final = f"console-{hashlib.sha256(STYLE).hexdigest()[:12]}.css"

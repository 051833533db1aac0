"""Makes verify.html, the verifier in one file, from `api/console/verifier/`: the same bytes from the same sources, everywhere.

Modules are joined in the order in which they import each other, so that the file runs where no module can be fetched: from a
disk. Its policy names the digests of its one script and its one style, and allows nothing else: no connection, nothing inline.
`scripts/docs` writes it, and `scripts/check` says when it is stale.
"""

import base64
import hashlib
import re
import tomllib
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
SOURCES: Final = ROOT / "api" / "console" / "verifier"
MADE: Final = ROOT / "api" / "console" / "assets" / "verify.html"
_IMPORT: Final = re.compile(r'^import \{[^}]*\} from "\./([a-z]+)\.js";\n', re.MULTILINE)
_DECLARED: Final = re.compile(r"^(?:export )?(?:async )?(?:function|const|let|class) (\w+)", re.MULTILINE)


def joined(first: str) -> str:
    """Return a module and all that it imports as one script. Raises ValueError when two of them declare one name."""
    parts: dict[str, str] = {}
    _add(first, parts)
    names = [name for part in parts.values() for name in _DECLARED.findall(part)]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"modules of the verifier are joined: {', '.join(twice)} is declared in two of them")
    return "\n".join(re.sub(r"^export ", "", part, flags=re.MULTILINE) for part in parts.values())


def _add(name: str, parts: dict[str, str]) -> None:
    """Add a module to `parts`, after what it imports."""
    if name in parts:
        return
    text = (SOURCES / f"{name}.js").read_text()
    for imported in _IMPORT.findall(text):
        _add(imported, parts)
    parts[name] = _IMPORT.sub("", text).strip() + "\n"


def make() -> str:
    """Return verify.html."""
    script, style = f"\n{joined('page')}", f"\n{(SOURCES / 'style.css').read_text()}"
    if "</" in script or "</" in style:
        raise ValueError("a script in a page ends at the first </: write what holds it otherwise")
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    policy = f"default-src 'none'; script-src {_source(script)}; style-src {_source(style)}; base-uri 'none'; form-action 'none'"
    parts = {"policy": policy, "version": version, "style": style, "script": script}
    template = (SOURCES / "template.html").read_text()
    return re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], template)


def _source(text: str) -> str:
    """Return how a policy names an inline element by its digest (CSP Level 3 §2.3.1)."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"

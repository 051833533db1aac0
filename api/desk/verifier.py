"""verify.html, the verifier in one file: its bytes, their SHA-256, and the entry by which a ledger says that it is this one.

What it checks is in `api/console/verifier/`, of which `scripts/docs` makes the file. Nothing here vouches for it: whoever has the
file compares its SHA-256 with the entry, with the documentation, and with what somebody else has.
"""

import hashlib
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from typing import Final

from ledger.entry import Receipt
from ledger.errors import EnrolledError
from ledger.ledger import Ledger
from ledger.log.database import Database
from ledger.stewardship.declarations import Tool, publish_tool, tools

NAME: Final = "verify.html"


@cache
def verifier() -> bytes:
    """Return the file."""
    return files("api").joinpath("console", "assets", NAME).read_bytes()


@cache
def sha256() -> str:
    """Return the SHA-256 of the file, in hex."""
    return hashlib.sha256(verifier()).hexdigest()


def published(database: Database) -> Tool | None:
    """Return the entry by which a ledger published this very file, or None."""
    return next((tool for tool in tools(database) if (tool.tool, tool.sha256) == (NAME, sha256())), None)


def publish(ledger: Ledger, *, actor: str) -> Receipt | None:
    """Publish the file as it is now, once for its digest. Returns None where that was done."""
    if published(ledger.database) is not None:
        return None
    # Of two builds of one version each is another program.
    named = f"{version('change-ledger')}+{sha256()[:12]}"
    try:
        return publish_tool(ledger, NAME, version=named, sha256=sha256(), actor=actor)
    except EnrolledError:
        # Another process did so meanwhile.
        return None


def publish_anew(ledger: Ledger, *, actor: str) -> Receipt | None:
    """Publish the file where an earlier one is on record: after an upgrade. A ledger that has none yet is left to `init` and `migrate`."""
    is_known = any(tool.tool == NAME for tool in tools(ledger.database))
    return publish(ledger, actor=actor) if is_known else None

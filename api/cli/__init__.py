"""The command `change-ledger`: a ledger from a terminal, in its database or over HTTP.

Each module holds the commands of one concern; `api.cli.doors` hides where the ledger is.
"""

import sqlite3
import sys
import tomllib

import httpx
from pydantic import ValidationError
from sqlalchemy.exc import DBAPIError

from api.cli import (
    administration,
    auditing,
    checkpoints,
    dossiers,
    gating,
    keys,
    reading,
    risking,
    timestamping,
    verifying,
    viewing,
    witnessing,
    writing,
)
from api.cli.common import app
from api.cli.terminal import errors_console
from api.settings import SETTINGS_FILE, words_of
from ledger.errors import LedgerError
from ledger.published.durable import said
from signing.errors import SigningError

__all__ = [
    "administration",
    "app",
    "auditing",
    "checkpoints",
    "dossiers",
    "gating",
    "keys",
    "main",
    "reading",
    "risking",
    "timestamping",
    "verifying",
    "viewing",
    "witnessing",
    "writing",
]


def main() -> None:
    """Run the command; say in one line what is wrong, and exit with 2 when it could not be done."""
    try:
        app()
    except tomllib.TOMLDecodeError as error:
        _end(f"{SETTINGS_FILE}: {error}")
    except (LedgerError, SigningError, OSError, sqlite3.Error) as error:
        _end(said(error))
    except httpx.HTTPStatusError as error:
        _end(f"the server: {error.request.url} answered {error.response.status_code}")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        _end(f"the server: {error}")
    except ValidationError as error:
        _end(words_of(error))
    except DBAPIError as error:
        _end(f"the database: {error.orig}")


def _end(message: str) -> None:
    # Drivers and libraries explain themselves over several lines.
    line = " ".join(part.strip() for part in message.splitlines())
    errors_console.print(f"change-ledger: {line}")
    sys.exit(2)

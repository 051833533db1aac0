"""The command `change-ledger`: a ledger from a terminal, in its database or over HTTP.

Each module holds the commands of one concern; `api.cli.doors` hides where the ledger is.
"""

import sqlite3
import sys
import tomllib

import httpx
from pydantic import ValidationError
from sqlalchemy.exc import DBAPIError

from api.cli import administration, reading, verifying, writing
from api.cli.common import app, errors_console
from ledger.errors import LedgerError
from signing.errors import SigningError

__all__ = ["administration", "app", "main", "reading", "verifying", "writing"]


def main() -> None:
    """Run the command; say in one line what is wrong, and exit with 2 when it could not be done."""
    try:
        app()
    except (LedgerError, SigningError, OSError) as error:
        errors_console.print(f"change-ledger: {error}", markup=False, highlight=False, soft_wrap=True)
        sys.exit(2)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        errors_console.print(f"change-ledger: the server: {error}", markup=False, highlight=False, soft_wrap=True)
        sys.exit(2)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        errors_console.print(
            f"change-ledger: setting {where}: {first['msg']}", markup=False, highlight=False, soft_wrap=True
        )
        sys.exit(2)
    except (sqlite3.Error, tomllib.TOMLDecodeError) as error:
        errors_console.print(f"change-ledger: {error}", markup=False, highlight=False, soft_wrap=True)
        sys.exit(2)
    except DBAPIError as error:
        errors_console.print(
            f"change-ledger: the database: {error.orig}", markup=False, highlight=False, soft_wrap=True
        )
        sys.exit(2)

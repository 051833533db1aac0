"""What went wrong, in words for whoever gave the command."""

import sqlite3
import sys
import tomllib
from typing import Any

from ledger.errors import LedgerError
from ledger.published.durable import said
from signing.errors import SigningError


def words_of(error: Exception) -> str | None:
    """Say what is wrong, or None for an error that is a fault of this program."""
    if isinstance(error, tomllib.TOMLDecodeError):
        from api.settings import SETTINGS_FILE

        return f"{SETTINGS_FILE}: {error}"
    if isinstance(error, LedgerError | SigningError | OSError | sqlite3.Error):
        return said(error)
    if isinstance(error, _of("httpx", "HTTPStatusError")):
        answer: Any = error
        return f"the server: {answer.request.url} answered {answer.response.status_code}"
    if isinstance(error, (_of("httpx", "HTTPError"), _of("httpx", "InvalidURL"))):
        return f"{_asked(error)}: {error}"
    if isinstance(error, _of("pydantic", "ValidationError")):
        from api.settings import words_of as words_of_settings

        return words_of_settings(error)
    if isinstance(error, _of("sqlalchemy.exc", "DBAPIError")):
        refused: Any = error
        return f"the database: {refused.orig}"
    return None


def _asked(error: Any) -> str:
    """Say which server gave no answer, as far as an error tells."""
    try:
        url = error.request.url
    except (AttributeError, RuntimeError):
        return "the server"
    return f"the server {url.scheme}://{url.netloc.decode()} did not answer"


def _of(package: str, name: str) -> Any:
    """Return a class of errors; where its package was not imported, nothing can have raised it."""
    return getattr(sys.modules.get(package), name, ())

"""What is said of an error, whoever asked: RFC 9457 problem documents, and one table from error class to status.

Not an answer over HTTP: headers and media type are for `api.http.problems`.
"""

import logging
import math
import time
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

import sqlalchemy.exc

from ledger import errors
from ledger.log.database import is_outage, outage_in_words
from projections.engine.serving import ViewNotReadyError
from projections.gates.asking import GateBusyError
from signing.errors import SigningError, VerificationError

MEDIA_TYPE: Final = "application/problem+json"
OUTAGE_TOLD_EVERY_S: Final = 60.0
log = logging.getLogger("change_ledger")

# Most specific first: the first class that an error is an instance of decides.
TABLE: Final[tuple[tuple[type[BaseException], int, str], ...]] = (
    (errors.StatementTooLargeError, 413, "Too large"),
    (errors.UnknownTypeError, 422, "Unknown event type"),
    (errors.StatementError, 422, "Not admissible"),
    (errors.ConflictError, 409, "Recorded with another content"),
    (errors.EnrolledError, 409, "There already"),
    (errors.ConditionFailedError, 412, "Append condition failed"),
    (errors.ForbiddenError, 403, "Not allowed"),
    (errors.UnauthenticatedError, 401, "Not authenticated"),
    (ViewNotReadyError, 503, "The view is not there yet"),
    (errors.NotFoundError, 404, "Not found"),
    (errors.QueueFullError, 503, "Busy"),
    (GateBusyError, 503, "The facts did not stand still"),
    (errors.NoRoomError, 503, "No room"),
    (errors.LastKeyError, 409, "The last key"),
    (errors.LedgerStoppedError, 503, "The ledger does not append"),
    (errors.SetupError, 503, "Not set up"),
    (VerificationError, 422, "Does not verify"),
    (SigningError, 422, "Bad key"),
    (sqlalchemy.exc.DBAPIError, 503, "The database cannot do it now"),
)
# What the table is asked about: anything else is an error that nobody foresaw.
KNOWN: Final = (errors.LedgerError, SigningError, sqlalchemy.exc.DBAPIError)


class RequestError(Exception):
    """A request that is wrong before the ledger is asked: its media type, its parameters, its headers."""

    def __init__(self, status: int, title: str, detail: str, place: str = "") -> None:
        super().__init__(detail)
        self.status = status
        self.title = title
        self.place = place


def problem(status: int, title: str, detail: str, **more: Any) -> dict[str, Any]:
    """Return a problem document. `type` stays about:blank: status and title say what kind it is."""
    document = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    # What is quoted from bad input may not be Unicode; the answer about it must be.
    return {
        name: value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value
        for name, value in (document | more).items()
        if value or name in document
    }


def of_error(error: BaseException) -> dict[str, Any]:
    """Return the problem document of an error, and write down what the caller is not told. Raises the error where nobody foresaw it."""
    if isinstance(error, RequestError):
        return problem(error.status, error.title, str(error), place=error.place)
    for error_class, status, title in TABLE:
        if isinstance(error, error_class):
            _log(error)
            more = {name: getattr(error, name, None) for name in ("place", "position", "canonical")}
            return problem(status, title, _detail(error), **more)
    raise error


def worded(fault: Mapping[str, Any], fields: Collection[str] = (), *, skip: int = 0) -> tuple[str, str]:
    """Return what a fault that pydantic found says, and its place, without the first parts of it that are no part of what was sent."""
    place = "".join(f"/{part}" for part in fault["loc"][skip:])
    return f"{errors.misfit(fault, fields)} (at {place or '/'})", place


def _detail(error: BaseException) -> str:
    if not isinstance(error, sqlalchemy.exc.DBAPIError):
        return str(error)
    # What a database driver says may hold addresses and statements: it goes to the log, not to the caller.
    if is_outage(error):
        return f"{outage_in_words(error)}; try again, and look into the server's log if it stays so"
    return "the database refused the question; an operator finds the reason in the server's log"


class OutageLog:
    """Writes an outage down once in a while, and how many requests met it since: one for each would fill the disk, 10 KB at a time."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._again_at = -math.inf
        self._untold = 0

    def tell(self, error: BaseException, cause: BaseException) -> None:
        self._untold += 1
        if self._now() >= self._again_at:
            log.error(
                "%s, met by %d requests since it was told last", type(error).__name__, self._untold, exc_info=cause
            )
            self._untold, self._again_at = 0, self._now() + OUTAGE_TOLD_EVERY_S


_outages: Final = OutageLog()


def _log(error: BaseException) -> None:
    """Write down what the caller is not told."""
    cause = error if isinstance(error, sqlalchemy.exc.DBAPIError) else error.__cause__
    if not isinstance(cause, sqlalchemy.exc.SQLAlchemyError | OSError):
        return
    if isinstance(cause, OSError) or is_outage(cause):
        _outages.tell(error, cause)
    else:
        log.error("%s", type(error).__name__, exc_info=cause)

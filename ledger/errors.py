"""The error family of this room. A message says what was expected, what was found and, where it helps, what to do."""

import difflib
from collections.abc import Collection, Mapping
from typing import Any, Final

# How much is told of what there is.
MAX_TOLD: Final = 1500


class LedgerError(Exception):
    """Base of everything this room raises."""


class StatementError(LedgerError):
    """A statement cannot be admitted. `place` is a JSON pointer (RFC 6901) into what was submitted."""

    def __init__(self, message: str, place: str = "") -> None:
        super().__init__(message)
        self.place = place


class StatementTooLargeError(StatementError):
    """More bytes than a statement, text or body may have."""


class NotStorableError(StatementError):
    """The database cannot hold a statement that was admitted. Nothing of it was recorded; sending it again does not help."""


class NotCanonicalError(StatementError):
    """What was signed is not in canonical JSON; `canonical` is what it would have to be."""

    def __init__(self, message: str, *, canonical: str) -> None:
        super().__init__(message)
        self.canonical = canonical


class UnknownTypeError(StatementError, KeyError):
    """The event type is not in the catalogue."""

    def __str__(self) -> str:
        # A KeyError shows its message as a literal, in quotes.
        return str(self.args[0])


class DeclarationError(LedgerError):
    """An event class of the catalogue is declared wrongly. Raised at import, never at run time."""


class ConflictError(LedgerError):
    """The pair (source, id) was recorded before with another content."""

    def __init__(self, message: str, *, position: int) -> None:
        super().__init__(message)
        self.position = position


class EnrolledError(LedgerError):
    """What is to be enrolled, opened or published is there already; `position` is where. A source is retired before it is enrolled anew."""

    def __init__(self, message: str, *, position: int) -> None:
        super().__init__(message)
        self.position = position


class ConditionFailedError(LedgerError):
    """An append condition does not hold: `position` is the first entry that speaks against it."""

    def __init__(self, message: str, *, position: int) -> None:
        super().__init__(message)
        self.position = position


class ForbiddenError(LedgerError):
    """The caller is known, and may not do this."""


class UnauthenticatedError(LedgerError):
    """The caller is not known: no credential, or one that is unknown, expired or revoked; `credential` is its id in the latter cases."""

    def __init__(self, message: str, *, credential: str | None = None) -> None:
        super().__init__(message)
        self.credential = credential


class NotFoundError(LedgerError):
    """There is no such entry, event type, text or credential."""


class LedgerStoppedError(LedgerError):
    """The ledger does not append: history was lost, the clock jumped, or no valid key is at hand. An operator must look."""


class LostHistoryError(LedgerStoppedError):
    """What this process had acknowledged is not in the database any more."""


class SignerStoppedError(LedgerStoppedError):
    """The signer of checkpoints does not sign: its memory is missing, behind or another ledger's, or another process signs."""


class ClockError(LedgerStoppedError):
    """The wall clock cannot be believed."""


class KeyNotValidError(LedgerStoppedError):
    """This process holds no entry key that is valid for the next position."""


class DatabaseRefusedError(LedgerStoppedError):
    """The database refused what the ledger writes, and not for its values: an operator must look."""


class LastKeyError(KeyNotValidError):
    """The key is the last that could sign: it cannot be ended before it has a successor."""


class QueueFullError(LedgerError):
    """More callers wait than the writer may hold. Try again after `retry_after` seconds."""

    retry_after = 1


class NoRoomError(LedgerError):
    """There is no room left on a disk for what was sent. Nothing of it was recorded."""


class SetupError(LedgerError):
    """The ledger is not set up as it must be: no schema, an older schema, unsafe database settings, missing keys."""


def no_such(kind: str, name: str, known: Collection[str], *, listed_by: str = "") -> str:
    """Say that there is nothing of that name, which is most like it, and which there are, or who lists them.

    >>> no_such("gate", "deplo", ["approve", "deploy"])
    "there is no gate 'deplo'; did you mean deploy? There are approve, deploy"
    """
    close = difflib.get_close_matches(name[:80], known, n=1)
    hint = f"; did you mean {close[0]}?" if close else "."
    # Ranges and lists of a column are one word each: COLUMN__gte and the like. They are told by their ends.
    ends = dict.fromkeys(f"__{end}" for _, mark, end in (word.partition("__") for word in known) if mark)
    more = f"; some also with an end: {', '.join(sorted(ends))}" if ends else ""
    there_are = f"There are {', '.join(word for word in known if '__' not in word)}{more}" if known else "It takes none"
    return f"there is no {kind} {name[:80]!r}{hint} {listed_by or there_are}"[:MAX_TOLD]


def misfit(fault: Mapping[str, Any], fields: Collection[str] = ()) -> str:
    """Say what does not fit of what was sent, of a fault that pydantic found; `fields` are those that the whole has.

    >>> misfit({"type": "extra_forbidden", "loc": ("servce",), "msg": "Extra inputs are not permitted"}, ["environment", "service"])
    "there is no field 'servce'; did you mean service? There are environment, service"
    >>> misfit({"type": "literal_error", "loc": ("kind",), "msg": "Input should be 'human' or 'service'"})
    "expected 'human' or 'service'"
    """
    if fault["type"] == "missing":
        return "expected a value, found none"
    if fault["type"] == "extra_forbidden":
        named = str(fault["loc"][-1])
        return (
            no_such("field", named, fields)
            if len(fault["loc"]) == 1 and fields
            else f"there is no field {named[:80]!r} here"
        )
    return str(fault["msg"]).removeprefix("Value error, ").replace("Input should be ", "expected ", 1)

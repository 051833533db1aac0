"""Days and moments as people write them into the forms of pages: a day is all of it, until its end."""

from datetime import date

from api.desk.then import Then
from api.desk.views import read_when
from ledger.errors import StatementError
from ledger.ledger import Ledger
from projections.engine.serving import position_as_of


def read_day(text: str, name: str) -> str:
    """Return a time as rows hold it; of a day its end. Raises StatementError naming the parameter."""
    try:
        return f"{date.fromisoformat(text)}T23:59:59.999999Z"
    except ValueError:
        pass
    try:
        when = read_when(text, name)
    except StatementError:
        when = None
    if not isinstance(when, str):
        said = f"expected {name} to be a day, such as 2026-11-23, or a time with offset, such as 2026-11-23T12:00:00Z"
        raise StatementError(said, f"/{name}")
    return when


def read_moment(text: str, name: str) -> int | str | None:
    """Return a position, or a time as rows hold it, and of a day its end; None where nothing is asked. Raises StatementError."""
    if not text:
        return None
    try:
        return read_when(text, name)
    except StatementError:
        pass
    try:
        return read_day(text, name)
    except StatementError:
        said = f"expected {name} to be a position, a day, such as 2026-11-23, or a time with offset, such as 2026-11-23T12:00:00Z"
        raise StatementError(f"{said}; found {text[:40]!r}", f"/{name}") from None


def moment_of(ledger: Ledger, as_of: str, known_at: str = "") -> Then:
    """Return the moment that the two controls of a page ask for. Raises StatementError for what is none."""
    when, known = read_moment(as_of, "as_of"), read_moment(known_at, "known_at")
    if known is not None and not isinstance(when, str):
        said = "expected as_of to be a day or a time where known_at is asked: what had happened by then"
        raise StatementError(said, "/as_of")
    asked = when if known is None else known
    if asked is None:
        return Then(ledger, None, None, ledger.size())
    with ledger.database.read() as connection:
        return Then(ledger, when, known, position_as_of(connection, asked))

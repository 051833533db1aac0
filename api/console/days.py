"""Days as people write them into the forms of pages: a day is all of it, until its end."""

from datetime import date

from api.desk.views import read_when
from ledger.errors import StatementError


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

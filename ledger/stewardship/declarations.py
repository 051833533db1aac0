"""What operators declare: which imports bring in history, and by which programs what the ledger gave out is checked.

Not how facts of an import are judged (`projections`), nor whether a program checks well: here stands that it is this one.
"""

from contextlib import suppress
from typing import Any, NamedTuple

from ledger.clock import from_text
from ledger.conditions import Condition, Match
from ledger.entry import Receipt
from ledger.errors import ConditionFailedError, EnrolledError, NotFoundError, StatementError
from ledger.events.ledger import LedgerImportClosed, LedgerImportOpened, LedgerToolPublished
from ledger.ledger import Ledger
from ledger.log.database import Database
from ledger.log.reading import StoredEntry, read_entries

OPENED, CLOSED, PUBLISHED = LedgerImportOpened.type, LedgerImportClosed.type, LedgerToolPublished.type


class Import(NamedTuple):
    """One import of history: what its opening said, and the positions at which it was opened, and closed."""

    import_id: str
    credential: str
    sources: list[str]
    until: str
    reason: str
    opened_at: int
    closed_at: int | None = None


class Tool(NamedTuple):
    """A program that was published, by its name, version and SHA-256, and where."""

    tool: str
    version: str
    sha256: str
    published_at: int


def open_import(
    ledger: Ledger,
    import_id: str,
    *,
    credential: str,
    sources: list[str],
    until: str,
    reason: str,
    actor: str,
    by: str | None = None,
) -> Receipt:
    """Open an import: what `credential` says of `sources`, dated before `until`, is history from here on.

    Raises NotFoundError for a credential that is not in force, StatementError for an `until` that has not come, and EnrolledError
    for an id that was used.
    """
    known = ledger.current_authority().credentials.get(credential)
    if known is None or known.revoked_at is not None:
        raise NotFoundError(f"no credential {credential} is in force; change-ledger token list shows them")
    if from_text(until) > ledger.clock.now_us():
        raise StatementError(
            f"expected a time that has come, found {until}: what is still to happen is no history", "/until"
        )
    data = {
        "import_id": import_id,
        "credential": credential,
        "sources": sorted(sources),
        "until": until,
        "reason": reason,
    }
    try:
        return ledger.act(OPENED, data, actor=actor, by=by, condition=_never(OPENED, import_id))
    except ConditionFailedError as error:
        raise EnrolledError(
            f"the import {import_id} was opened at position {error.position}; each has an id of its own",
            position=error.position,
        ) from None


def close_import(ledger: Ledger, import_id: str, *, actor: str, by: str | None = None) -> Receipt:
    """Close an import: what its credential records from here on is no history. Raises NotFoundError unless it is open."""
    if all(known.import_id != import_id for known in imports(ledger.database)):
        raise NotFoundError(f"no import {import_id} was opened; change-ledger import list shows them")
    try:
        return ledger.act(CLOSED, {"import_id": import_id}, actor=actor, by=by, condition=_never(CLOSED, import_id))
    except ConditionFailedError as error:
        raise NotFoundError(f"the import {import_id} was closed at position {error.position}") from None


def imports(database: Database) -> list[Import]:
    """Return every import there was, in the order of their openings."""
    found: dict[str, Import] = {}
    for entry in _entries(database, OPENED, CLOSED):
        data = entry.statement["data"]
        name = data["import_id"]
        if entry.type == OPENED:
            said = {field: data[field] for field in ("credential", "sources", "until", "reason")}
            found[name] = Import(name, **said, opened_at=entry.position)
        elif name in found:
            found[name] = found[name]._replace(closed_at=entry.position)
    return list(found.values())


def publish_tool(ledger: Ledger, tool: str, *, version: str, sha256: str, actor: str, by: str | None = None) -> Receipt:
    """Publish a program by the SHA-256 (hex) of its bytes. Raises EnrolledError for a version that was published: it is one program."""
    data = {"tool": tool, "version": version, "sha256": sha256}
    while True:
        published = tools(ledger.database)
        for known in published:
            if (known.tool, known.version) == (tool, version):
                raise EnrolledError(
                    f"{tool} {version} was published at position {known.published_at}, with SHA-256 {known.sha256}",
                    position=known.published_at,
                )
        # Of two that publish at once, the second looks again.
        unseen = Condition((Match((PUBLISHED,)),), after=max((known.published_at for known in published), default=0))
        with suppress(ConditionFailedError):
            return ledger.act(PUBLISHED, data, actor=actor, by=by, condition=unseen)


def tools(database: Database) -> list[Tool]:
    """Return every program that was published, the oldest first."""
    return [_tool(entry.position, entry.statement["data"]) for entry in _entries(database, PUBLISHED)]


def _tool(position: int, data: dict[str, Any]) -> Tool:
    return Tool(data["tool"], data["version"], data["sha256"], position)


def _entries(database: Database, *types: str) -> list[StoredEntry]:
    with database.read() as connection:
        return list(read_entries(connection, [Match(types)], limit=None))


def _never(event_type: str, import_id: str) -> Condition:
    """Return the condition that an import was not opened, or closed, before: of two at once, the second is refused."""
    return Condition((Match((event_type,), (f"import:{import_id}",)),))

"""What is told of entries, whoever asks: pages of them, one, what was hashed of it, and what lies beside it."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from ledger.conditions import Match
from ledger.errors import NotFoundError, StatementError, no_such
from ledger.events import CATALOGUE, sentence
from ledger.ledger import Ledger
from ledger.log.beside import read_evidence, read_texts
from ledger.log.database import Database
from ledger.log.reading import (
    StoredEntry,
    count_entries,
    position_at,
    read_entries,
    read_entries_at,
    read_entry,
    read_size,
    read_types,
)

KINDS: Final = sorted({kind for event_class in CATALOGUE.values() for kind, _, _ in event_class.ref_fields})
REF: Final = rf"({'|'.join(KINDS)}):[!-~]+"


def check_types(database: Database, types: Iterable[str], place: str = "/type") -> None:
    """Raise StatementError for an event type that is neither in the catalogue nor on record."""
    if strange := [name for name in types if name not in CATALOGUE]:
        # An entry may be of a type that this program does not know.
        with database.read() as connection:
            recorded = read_types(connection)
        for name in strange:
            if name not in recorded:
                raise StatementError(CATALOGUE.no_such(name), place)


def check_refs(refs: Iterable[str], place: str = "/ref") -> None:
    """Raise StatementError for what no entry can be about."""
    for found in refs:
        if not re.fullmatch(REF, found):
            kind = found.partition(":")[0]
            words = no_such("kind of ref", kind, KINDS) if kind not in KINDS else f"found {found[:80]!r}"
            raise StatementError(f"expected refs as kind:value, such as change:CHG-7; {words}", place)


def says(stored: StoredEntry) -> str:
    """Return the sentence of an entry; nothing for a type that is not in the catalogue."""
    return says_of(stored.statement)


def says_of(statement: Mapping[str, Any]) -> str:
    """Return the sentence of a statement; nothing for a type that is not in the catalogue."""
    event_class = CATALOGUE.get(statement["type"])
    return sentence(event_class, statement["data"]) if event_class else ""


def page_of(
    ledger: Ledger,
    matches: Sequence[Match],
    *,
    after: int,
    limit: int,
    since: str | None,
    until: str | None,
    total: bool,
) -> dict[str, Any]:
    """Return entries after a position, from a time on and before another; `next` is where the page that follows begins."""
    with ledger.database.read() as connection:
        size = read_size(connection)
        start = position_at(connection, since, before=True) if since else 0
        last = position_at(connection, until, before=True) if until else size
        page = list(read_entries(connection, matches, after=max(after, start), up_to=last, limit=limit))
        items = [_entry(ledger, stored, read_texts(connection, stored.position)) for stored in page]
        counted = {"total": count_entries(connection, matches, after=start, up_to=last)} if total else {}
    more = {"next": page[-1].position} if len(page) == limit else {}
    return {"size": size, "items": items} | more | counted


def entry_of(ledger: Ledger, position: int) -> dict[str, Any]:
    """Return an entry, its receipt, and its texts as far as they were not erased. Raises NotFoundError."""
    with ledger.database.read() as connection:
        return _entry(ledger, read_entry(connection, position), read_texts(connection, position))


def _entry(ledger: Ledger, stored: StoredEntry, texts: Sequence[dict[str, str]]) -> dict[str, Any]:
    return {
        "position": stored.position,
        "says": says(stored),
        "entry": stored.document,
        "receipt": ledger.receipt(stored).to_json(),
        "texts": {text["field"]: {"text": text["text"], "salt": text["salt"]} for text in texts},
    }


def refs_at(ledger: Ledger, positions: Iterable[int]) -> set[str]:
    """Return what the entries at some positions are about. Those that are not there are about nothing."""
    with ledger.database.read() as connection:
        return {ref for stored in read_entries_at(connection, set(positions)) for ref in stored.refs}


def stored_at(ledger: Ledger, position: int) -> StoredEntry:
    """Return an entry with the bytes that were hashed and signed. Raises NotFoundError."""
    with ledger.database.read() as connection:
        return read_entry(connection, position)


def evidence_of(ledger: Ledger, position: int, sha256: str) -> tuple[str, bytes]:
    """Return the media type and the bytes of evidence that an entry names by its digest in hex. Raises NotFoundError."""
    with ledger.database.read() as connection:
        stored = read_entry(connection, position)
        named = [item for item in stored.document["evidence"] if item["sha256"] == sha256]
        if not named:
            raise NotFoundError(f"the entry at position {position} names no evidence {sha256}")
        return named[0]["media_type"], read_evidence(connection, position, bytes.fromhex(sha256))


def shown(stored: StoredEntry) -> dict[str, Any]:
    """Return what a person wants to see of an entry."""
    return {
        "position": stored.position,
        "says": says(stored) or stored.statement["type"],
        "entry": stored.document,
        "entry_hash": stored.leaf_hash.hex(),
        "signature": stored.signature.hex(),
    }


def shown_at(database: Database, position: int) -> dict[str, Any]:
    """Return the same of the entry at a position, with its texts; reading needs no key. Raises NotFoundError."""
    with database.read() as connection:
        stored = read_entry(connection, position)
        texts = read_texts(connection, position)
    return shown(stored) | {"texts": {text["field"]: text["text"] for text in texts}}

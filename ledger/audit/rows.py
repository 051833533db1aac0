"""After a fingerprint differed: find the rows. Memory and time grow with the ledger here, and only here."""

from collections.abc import Iterator
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ledger.audit.ranges import beside
from ledger.audit.reading import PAGE, page, stream, typed
from ledger.audit.summary import Summary
from ledger.events import CATALOGUE, refs_of
from ledger.faults import Fault, Kind
from ledger.log import tables
from ledger.log.reading import blob
from ledger.log.tables import MAX_REFS_PER_ENTRY


def _each_entry(
    connection: Connection, size: int
) -> Iterator[tuple[int, str, str, dict[str, list[int]], dict[str, Any]]]:
    """Yield position, type, source and id, refs and the document of every entry that can be read."""
    for after in range(0, size, PAGE):
        for row in page(connection, after, min(after + PAGE, size)):
            try:
                document = orjson.loads(row.entry)
                statement, refs = document["statement"], document["refs"]
                if not (
                    isinstance(statement["data"], dict) and isinstance(refs, dict) and document["evidence"] is not None
                ):
                    continue
                list(beside(document, CATALOGUE.get(statement["type"])))
                yield row.position, statement["type"], f"{statement['source']} {statement['id']}", refs, document
            except (ValueError, KeyError, TypeError, AttributeError):
                continue  # Reported by the walk.


def name_ref_faults(connection: Connection, summary: Summary) -> None:
    heads: dict[str, tuple[int, int, int]] = {}
    for position, _, _, refs, document in _each_entry(connection, summary.size):
        derived = _derived_refs(document, refs)
        for number, ref in enumerate(derived):
            number_id, count, last = heads.get(ref, (position * MAX_REFS_PER_ENTRY + number, 0, 0))
            if refs.get(ref) != [count + 1, last]:
                detail = f"{ref} is {refs.get(ref)}, expected {[count + 1, last]}"
                summary.faults.append(Fault(position, Kind.BACK_POINTER_WRONG, detail))
            heads[ref] = (number_id, count + 1, position)
    r = typed(tables.refs)
    for ref, number_id, count, last in stream(connection, sa.select(r.ref, r.id, r.count, r.last_position)):
        expected = heads.pop(ref, None)
        if expected != (number_id, count, last):
            position = expected[2] if expected else min(max(last, 0), summary.size)
            detail = (
                f"the row of {ref} says (id, count, last) = {(number_id, count, last)}, the entries make it {expected}"
            )
            summary.faults.append(Fault(position, Kind.REF_HEAD_WRONG, detail))
    for ref, (_, _, last) in heads.items():
        summary.faults.append(Fault(last, Kind.REF_HEAD_WRONG, f"there is no row for {ref}"))


def _derived_refs(document: dict[str, Any], refs: dict[str, list[int]]) -> list[str]:
    """Return the refs that the catalogue derives, or those that stand there where the data cannot be read."""
    event_class = CATALOGUE.get(document["statement"]["type"])
    try:
        return refs_of(event_class, document["statement"]["data"]) if event_class else list(refs)
    except (TypeError, AttributeError):
        return list(refs)


def name_entry_ref_faults(connection: Connection, summary: Summary) -> None:
    r, er, t = typed(tables.refs), typed(tables.entry_refs), typed(tables.event_types)
    names: dict[int, str] = dict(stream(connection, sa.select(r.id, r.ref)))
    query = sa.select(er.position, er.ref_id, sa.func.coalesce(t.name, "?"))
    found: dict[int, set[tuple[str, str]]] = {}
    for position, ref_id, type_name in stream(
        connection, query.select_from(tables.entry_refs.outerjoin(tables.event_types, t.id == er.type_id))
    ):
        found.setdefault(position, set()).add((names.get(ref_id, "?"), type_name))
    for position, event_type, _, refs, _ in _each_entry(connection, summary.size):
        rows, expected = found.pop(position, set()), {(ref, event_type) for ref in refs}
        if rows != expected:
            summary.faults.append(
                Fault(
                    position,
                    Kind.ENTRY_REFS_WRONG,
                    f"rows {sorted(rows - expected)} instead of {sorted(expected - rows)}",
                )
            )
    for position, rows in found.items():
        summary.faults.append(
            Fault(position, Kind.ENTRY_REFS_WRONG, f"rows {sorted(rows)} for a position that has no entry")
        )


def name_statement_faults(connection: Connection, summary: Summary) -> None:
    s, src = typed(tables.statements), typed(tables.sources)
    query = sa.select(s.position, sa.func.coalesce(src.name, "?"), s.id).select_from(
        tables.statements.outerjoin(tables.sources, src.id == s.source_id)
    )
    found: dict[int, list[str]] = {}
    for position, source, identifier in stream(connection, query):
        found.setdefault(position, []).append(f"{source} {identifier}")
    for position, _, pair, _, _ in _each_entry(connection, summary.size):
        if (rows := found.pop(position, [])) != [pair]:
            summary.faults.append(
                Fault(
                    position,
                    Kind.STATEMENT_ROW_WRONG,
                    f"expected (source, id) {pair}, the table has {rows or 'nothing'}",
                )
            )
    for position, rows in found.items():
        summary.faults.append(
            Fault(position, Kind.STATEMENT_ROW_WRONG, f"rows {rows} for a position that has no entry")
        )


def name_text_faults(connection: Connection, summary: Summary, erased: frozenset[tuple[int, str]]) -> None:
    """Name the texts that are missing, or still there after their erasure was recorded."""
    t = typed(tables.texts)
    found = set(stream(connection, sa.select(t.position, t.field)))
    for position, name in _expected_beside(connection, summary, "text") - found - erased:
        detail = f"the text of {name} is gone, and no entry says it was erased"
        summary.faults.append(Fault(position, Kind.TEXT_MISSING, detail))
    for position, name in found & erased:
        detail = f"the text of {name} is still there, after its erasure was recorded"
        summary.faults.append(Fault(position, Kind.TEXT_NOT_ERASED, detail))


def name_evidence_faults(connection: Connection, summary: Summary, removed: frozenset[tuple[int, str]]) -> None:
    """Name the evidence that is missing, that no entry witnesses, or that is still there after its removal was recorded."""
    v = typed(tables.evidence)
    found = {(position, blob(sha256).hex()) for position, sha256 in stream(connection, sa.select(v.position, v.sha256))}
    witnessed = _expected_beside(connection, summary, "evidence")
    for position, sha256 in witnessed - found - removed:
        detail = f"the evidence {sha256[:16]}… is gone, and no entry says it was removed"
        summary.faults.append(Fault(position, Kind.EVIDENCE_MISSING, detail))
    for position, sha256 in found & removed:
        detail = f"{sha256[:16]}… is still there, after its removal was recorded"
        summary.faults.append(Fault(position, Kind.EVIDENCE_NOT_REMOVED, detail))
    for position, sha256 in found - witnessed:
        detail = f"no entry at this position names {sha256[:16]}…"
        summary.faults.append(Fault(position, Kind.EVIDENCE_UNWITNESSED, detail))


def _expected_beside(connection: Connection, summary: Summary, kind: str) -> set[tuple[int, str]]:
    return {
        (position, value)
        for position, event_type, _, _, document in _each_entry(connection, summary.size)
        for of_kind, value in beside(document, CATALOGUE.get(event_type))
        if of_kind == kind and isinstance(value, str)
    }

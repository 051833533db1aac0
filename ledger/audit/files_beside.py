"""Texts and evidence in files, held against what the entries commit to. Files may be handed on without them: that is said, and no fault."""

import hashlib

import orjson

from ledger.audit.log_files import Files, FilesSource, read_or_none
from ledger.audit.ranges import beside
from ledger.audit.summary import Summary
from ledger.errors import LedgerError
from ledger.events import CATALOGUE
from ledger.faults import Fault, Kind
from ledger.published.export import evidence_path, format_texts, is_digest, texts_path
from signing.errors import VerificationError
from signing.tiles import Tile


def check_beside(
    files: Files, source: FilesSource, summary: Summary, deletions: list[tuple[int, str]], known: set[str]
) -> list[str]:
    """Check texts and evidence against what the entries commit to. Where none are there at all, say so.

    Adds the paths of what may lie there to `known`.
    """
    erased = {position for position, sha256 in deletions if not sha256}
    removed = set(deletions)
    texts_missing, texts_wanted = list[Fault](), 0
    evidence_missing, evidence_wanted = list[Fault](), 0
    unread = False
    for tile in source.tiles_of(1, summary.size):
        known.add(texts_path(tile.number))
        try:
            entries = source.bundle(tile)
        except (OSError, VerificationError):
            unread = True
            continue  # Reported by the walk.
        texts, faults = _texts_of(files, tile)
        summary.faults += faults
        for position, entry in enumerate(entries, tile.first + 1):
            found_beside = _beside(entry)
            unread = unread or found_beside is None
            for kind, value, committed in found_beside or ():
                if kind == "evidence" and not is_digest(str(value)):
                    # A digest becomes a path: nothing else may.
                    detail = f"{str(value)[:64]!a} is not the digest of a piece of evidence"
                    summary.faults.append(Fault(position, Kind.ENTRY_MALFORMED, detail))
                elif kind == "text" and position not in erased:
                    texts_wanted += 1
                    found = texts.pop((position, value), None)
                    if found is None:
                        detail = f"the text of {value} is gone, and no entry says it was erased"
                        texts_missing.append(Fault(position, Kind.TEXT_MISSING, detail))
                    elif found != committed:
                        detail = f"the text of {value} is not the one that the entry commits to"
                        summary.faults.append(Fault(position, Kind.TEXT_ALTERED, detail))
                elif kind == "evidence" and (position, value) not in removed:
                    evidence_wanted += 1
                    known.add(evidence_path(value))
                    body = read_or_none(files, evidence_path(value))
                    if body is None:
                        detail = f"the evidence {value[:16]}… is gone, and no entry says it was removed"
                        evidence_missing.append(Fault(position, Kind.EVIDENCE_MISSING, detail))
                    elif hashlib.sha256(body).hexdigest() != value:
                        detail = f"the bytes kept as {value[:16]}… hash to something else"
                        summary.faults.append(Fault(position, Kind.EVIDENCE_ALTERED, detail))
        for position, name in texts:
            if position in erased:
                detail = f"the text of {name} is still there, after its erasure was recorded"
                summary.faults.append(Fault(position, Kind.TEXT_NOT_ERASED, detail))
            else:
                detail = f"no entry at this position commits to a text of {name}"
                summary.faults.append(Fault(position, Kind.TEXT_ALTERED, detail))
    if unread:  # Whose evidence lies there cannot be told.
        known.update(name for name in files.names() or () if name.startswith("evidence/"))
    notes = []
    for what, missing, wanted in (
        ("texts", texts_missing, texts_wanted),
        ("evidence", evidence_missing, evidence_wanted),
    ):
        if missing and len(missing) == wanted:
            notes.append(f"{what}: left out of these files, and not checked")
        else:
            summary.faults += missing
    return notes


def _beside(entry: bytes) -> list[tuple[str, str, str]] | None:
    """Return (kind, field or digest, commitment) of what an entry says lies beside it; None when it cannot be read."""
    try:
        document = orjson.loads(entry)
        data, event_class = document["statement"]["data"], CATALOGUE.get(document["statement"]["type"])
        return [
            (kind, value, data[value]["sha256"] if kind == "text" else value)
            for kind, value in beside(document, event_class)
        ]
    except (ValueError, KeyError, TypeError, AttributeError, LedgerError):
        return None


def _texts_of(files: Files, tile: Tile) -> tuple[dict[tuple[int, str], str], list[Fault]]:
    """Return the commitments that the texts of a tile make, by (position, field)."""
    data = read_or_none(files, texts_path(tile.number))
    if data is None:
        return {}, []
    try:
        rows = [
            (r["position"], r["field"], bytes.fromhex(r["salt"]), r["text"])
            for r in map(orjson.loads, data.splitlines())
        ]
        if not rows or format_texts(rows) != data:
            raise ValueError("it is not written as an export writes it")
        positions = [p for p, _, _, _ in rows]
        if positions != sorted(positions) or len({(p, field) for p, field, _, _ in rows}) < len(rows):
            raise ValueError("expected every text once, in the order of positions")
        return {(p, field): hashlib.sha256(salt + text.encode()).hexdigest() for p, field, salt, text in rows}, []
    except (ValueError, KeyError, TypeError, AttributeError, LedgerError) as error:
        detail = f"{texts_path(tile.number)} cannot be read: {error}"[:300]
        return {}, [Fault(tile.first + 1, Kind.TEXT_ALTERED, detail)]

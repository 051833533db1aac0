"""The audit of a database: its entries walked in pages and in parallel, the tables beside them compared. Nothing is changed in it.

Immutable rows are read in short transactions up to a fixed size; what moves (head, refs) is compared in one snapshot
at the end, together with what was appended meanwhile. One long snapshot would cost every append dearly on PostgreSQL.
"""

import secrets as random_source
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import sqlalchemy as sa

from ledger.audit.checkpoints import of_given
from ledger.audit.fingerprints import Fingerprints
from ledger.audit.held import check_memory, check_receipts
from ledger.audit.parallel import Progress, walk_ranges
from ledger.audit.progress import Resumable
from ledger.audit.ranges import RANGE, whole_tiles
from ledger.audit.reading import fold_authority, last_position, page, read_commitments, typed
from ledger.audit.report import Pin, Report, make_report
from ledger.audit.sources import DatabaseSource, Source
from ledger.audit.summary import Summary, beyond_the_end
from ledger.audit.tables import Beside, finish, tables_beside
from ledger.audit.timestamps import read_timestamps
from ledger.audit.walk import Job
from ledger.conditions import Match
from ledger.errors import SetupError, SignerStoppedError
from ledger.faults import Fault, Kind
from ledger.log import tables
from ledger.log.database import Database
from ledger.log.reading import blob, read_entries
from ledger.published.signer import Memory
from signing.checkpoint import Checkpoint
from signing.merkle import leaf_hash
from signing.notes import Note


def audit_database(
    database: Database,
    *,
    pin: Pin | None = None,
    signatures: bool = True,
    workers: int | None = None,
    first: int = 1,
    last: int | None = None,
    state: Path | None = None,
    receipts: Sequence[tuple[int, bytes]] = (),
    given: Sequence[Checkpoint] = (),
    memory: Memory | None = None,
    on_progress: Progress = lambda done, size: None,
) -> Report:
    """Audit a ledger in its database, all of it or positions `first` to `last`.

    A part is checked by itself: chain, signatures, credentials, refs; what needs the whole (tree, caches, completeness
    of tables) is not. `state` names a file in which progress is kept, so that an interrupted audit goes on where it
    was. `receipts` are pairs (position, entry hash) that somebody was given, `given` checkpoints that somebody holds;
    `memory` is the signer's, where this is its machine. Raises
    SetupError when there is nothing to audit.
    """
    database.check_schema()
    database.read_any_text()
    # First: what is signed meanwhile is remembered before it is kept.
    remembered, unread = _remembered(memory)
    with database.read() as connection:
        top = last_position(connection)
        size = min(top, connection.execute(sa.select(typed(tables.head).size)).scalar() or top)
        if top == 0:
            raise SetupError("nothing to check: the database holds no entries, and an empty ledger is not a sound one")
        authority, faults = fold_authority(connection)
        commitments = read_commitments(connection)
        stamped = read_timestamps(
            (
                (e.position, e.entry)
                for e in read_entries(connection, [Match(types=("ledger.timestamped",))], limit=None)
            ),
            partial(_evidence, connection),
            pin.authorities if pin else None,
        )
        genesis = next((leaf_hash(row.entry) for row in page(connection, 0, 1)), b"")
    source = DatabaseSource(database)
    job = Job(
        authority=authority,
        secrets=Fingerprints.draw(random_source.token_bytes(40)),
        signatures=signatures,
        given=(*map(of_given, given), *stamped.claims),
        commitments=commitments,
        trusted_witnesses=pin.witnesses if pin else None,
    )
    notes: list[str] = []
    whole = first == 1 and last is None
    if whole:
        progress = Resumable(state, job, genesis, "database") if state else None
        job = progress.job if progress else job
        summary = progress.summary if progress else Summary.of(job)
        end = whole_tiles(size)
        beside = tables_beside(job.secrets, end)
        found = walk_ranges(source, job, summary, end, workers, lambda done: on_progress(done, size), progress, beside)
        with database.read() as connection:
            notes = finish(connection, database, job, summary, Beside(end, *found) if found else Beside())
            summary.faults += check_receipts(connection, receipts)
        if remembered is not None:
            with database.read() as connection:
                compared = check_memory(connection, remembered)
            unread, faults = compared.note, [*faults, *compared.faults]
        notes += [f"the signer's memory on this machine was not compared: {unread}"] if unread else []
        summary.faults += beyond_the_end(given, summary)
        on_progress(summary.size, summary.size)
        if progress:
            progress.done()
    else:
        summary = _audit_part(source, database, job, first, min(last or size, size), on_progress)
        notes.append("only a part was checked: the tree, the tables beside it and the way from the genesis were not")
    summary.faults += [*faults, *stamped.faults]
    notes += stamped.notes
    return make_report(summary, authority, pin=pin, genesis=genesis, signatures=signatures, notes=notes, whole=whole)


def _remembered(memory: Memory | None) -> tuple[Note | None, str]:
    """Return what a signer remembers, if there is a memory, or why it cannot be read."""
    try:
        return (memory.read() if memory is not None else None), ""
    except SignerStoppedError as error:
        return None, str(error)


def _evidence(connection: sa.Connection, position: int, digest: str) -> bytes | None:
    v = tables.evidence.c
    query = sa.select(v.body).where(v.position == position, v.sha256 == bytes.fromhex(digest))
    body = connection.execute(query).scalar()
    return blob(body) if body is not None else None


def _audit_part(source: Source, database: Database, job: Job, first: int, last: int, on_progress: Progress) -> Summary:
    if not 1 <= first <= last:
        raise SetupError(f"expected a range of positions, found {first} to {last}")
    summary = Summary(size=first - 1)
    start = (first - 1) // RANGE * RANGE + 1
    with database.read() as connection:
        before = next(page(connection, start - 2, start - 1), None) if start > 1 else None
    if before is not None:
        summary.last_leaf, summary.last_computed = before.leaf_hash, leaf_hash(before.entry)
    for begin in range(start, last + 1, RANGE):
        count = min(RANGE, last - begin + 1)
        part = job.walk(source.rows(begin, count), begin, count)
        summary.faults += [fault for fault in part.faults if first <= fault.position <= last]
        summary.affected += [fault for fault in part.affected if first <= fault.position <= last]
        if part.first_prev and part.first_prev not in (summary.last_leaf, summary.last_computed):
            detail = f"prev is {part.first_prev.hex()[:16]}…, the entry before has {summary.last_leaf.hex()[:16]}…"
            summary.faults.append(Fault(begin, Kind.LINK_BROKEN, detail))
        summary.last_leaf, summary.last_computed = part.last_leaf, part.last_computed
        summary.entries += part.found
        on_progress(begin + count - 1, last)
    summary.size = last
    summary.entries -= first - start
    return summary

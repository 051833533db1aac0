"""The auditor's hands: reads a database for `ledger.audit.walk`, in pages and in parallel, and compares the tables beside the log.

Immutable rows are read in short transactions up to a fixed size; what moves (head, refs) is compared in one snapshot
at the end, together with what was appended meanwhile. One long snapshot would cost every append dearly on PostgreSQL.
"""

import json
import os
import secrets as random_source
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import asdict, replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa

from ledger.audit.checkpoints import of_given
from ledger.audit.reading import fold_authority, last_position, page, read_commitments, typed
from ledger.audit.report import Pin, Report, Summary, beyond_the_end, make_report
from ledger.audit.sources import DatabaseSource, Source
from ledger.audit.tables import check_memory, check_receipts, finish
from ledger.audit.timestamps import read_timestamps
from ledger.audit.walk import RANGE, Affected, Fault, Fingerprints, Job, Products, RangeResult
from ledger.conditions import Match
from ledger.errors import SetupError, SignerStoppedError
from ledger.log import tables
from ledger.log.database import Database
from ledger.log.reading import blob, read_entries
from ledger.published.signer import Memory
from signing.checkpoint import Checkpoint
from signing.merkle import Frontier, leaf_hash
from signing.notes import Note

# Below this many ranges the processes would cost more than they save.
MIN_PARALLEL: Final = 3
Progress = Callable[[int, int], None]


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
        walk_ranges(source, job, summary, size // RANGE, workers, lambda done: on_progress(done, size), progress)
        with database.read() as connection:
            notes = finish(connection, database, job, summary)
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


# -- walking ---------------------------------------------------------------------------------------------------------

_source: Source | None = None


def _open_in_worker(source: Source) -> None:
    global _source
    _source = source


def _walk_in_worker(job: Job, start: int, count: int) -> RangeResult:
    if _source is None:
        raise SetupError("the worker has nothing to read from: it was not started by an audit")
    return _walk(_source, job, start, count)


def _walk(source: Source, job: Job, start: int, count: int) -> RangeResult:
    part = job.walk(source.rows(start, count), start, count, source.checkpoints(start, count))
    part.faults += source.take_faults()
    return part


def walk_ranges(
    source: Source,
    job: Job,
    summary: Summary,
    ranges: int,
    workers: int | None,
    on_progress: Callable[[int], None],
    progress: "Resumable | None" = None,
) -> None:
    """Walk the full ranges that `summary` does not cover yet, in parallel, and join them in order."""
    starts = range(summary.size + 1, ranges * RANGE + 1, RANGE)
    workers = workers or os.cpu_count() or 1

    def join(part: RangeResult) -> None:
        summary.add(part)
        on_progress(summary.size)
        if progress:
            progress.save()

    if len(starts) < MIN_PARALLEL or workers == 1:
        for start in starts:
            join(_walk(source, job, start, RANGE))
        return
    # Spawned, not forked: the caller may have threads and open connections.
    with ProcessPoolExecutor(workers, get_context("spawn"), _open_in_worker, (source,)) as pool:
        waiting: list[Future[RangeResult]] = []
        for start in starts:
            waiting.append(pool.submit(_walk_in_worker, job, start, RANGE))
            if len(waiting) > 2 * workers:
                join(waiting.pop(0).result())
        for future in waiting:
            join(future.result())


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
            summary.faults.append(Fault(begin, "link-broken", detail))
        summary.last_leaf, summary.last_computed = part.last_leaf, part.last_computed
        summary.entries += part.found
        on_progress(begin + count - 1, last)
    summary.size = last
    summary.entries -= first - start
    return summary


class Resumable:
    """Keeps the summary of an audit in a file after every range. The secrets are in it too: the file is for the auditor alone."""

    def __init__(self, path: Path, job: Job, genesis: bytes, source: str) -> None:
        self._path = path
        # What an audit is of, what it is held against and how it was made: another one must not go on from it.
        self._of = {
            "source": source,
            "genesis": genesis.hex(),
            "signatures": job.signatures,
            "authority": job.authority.position,
            "commitments": len(job.commitments),
            "given": [[claim.size, claim.root.hex(), claim.kind, claim.witnesses] for claim in job.given],
            "witnesses": sorted(key.hex() for key in job.trusted_witnesses or ()),
        }
        self.summary = Summary.of(job)
        self.job = job
        if path.exists():
            try:
                kept = json.loads(path.read_text())
                if kept["of"] != self._of:
                    raise SetupError(f"{path} is the state of another audit ({kept['of']}, this one is {self._of})")
                self._restore(kept)
            except (ValueError, KeyError, TypeError) as error:
                raise SetupError(f"{path} cannot be read as the state of an audit: remove it to begin anew") from error

    def _restore(self, kept: dict[str, Any]) -> None:
        salt, *numbers = kept["secrets"]
        self.job = replace(self.job, secrets=Fingerprints(bytes.fromhex(salt), *numbers))
        self.summary = Summary(
            size=kept["size"],
            entries=kept["entries"],
            last_leaf=bytes.fromhex(kept["last_leaf"]),
            last_computed=bytes.fromhex(kept["last_computed"]),
            last_recorded_at=kept["last_recorded_at"],
            upper=Frontier(kept["upper_size"], [bytes.fromhex(node) for node in kept["upper"]]),
            nodes={(height, index): bytes.fromhex(node) for height, index, node in kept["nodes"]},
            products=Products(**kept["products"]),
            type_ids=kept["type_ids"],
            source_ids=kept["source_ids"],
            authority=kept["authority"],
            checkpoint_size=kept["checkpoint_size"],
            signed_by=kept["signed_by"],
            cosigned_size=kept["cosigned_size"],
            commitments=self.job.commitments,
            refs={ref: (count, last) for ref, (count, last) in kept["refs"].items()},
            anchors={int(revoked_at): size for revoked_at, size in kept["anchors"].items()},
            faults=[Fault(**fault) for fault in kept["faults"]],
            affected=[Affected(**fault) for fault in kept["affected"]],
        )

    def save(self) -> None:
        summary, secrets = self.summary, self.job.secrets
        document = {
            "of": self._of,
            "secrets": [secrets.salt.hex(), secrets.x, secrets.a, secrets.b],
            "size": summary.size,
            "entries": summary.entries,
            "last_leaf": summary.last_leaf.hex(),
            "last_computed": summary.last_computed.hex(),
            "last_recorded_at": summary.last_recorded_at,
            "upper_size": summary.upper.size,
            "upper": [node.hex() for node in summary.upper.nodes],
            "nodes": [[height, index, node.hex()] for (height, index), node in summary.nodes.items()],
            "products": asdict(summary.products),
            "type_ids": summary.type_ids,
            "source_ids": summary.source_ids,
            "authority": summary.authority,
            "checkpoint_size": summary.checkpoint_size,
            "signed_by": summary.signed_by,
            "cosigned_size": summary.cosigned_size,
            "anchors": summary.anchors,
            "refs": summary.refs,
            "faults": [asdict(fault) for fault in summary.faults],
            "affected": [asdict(fault) for fault in summary.affected],
        }
        part = self._path.with_suffix(".part")
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump(document, file)
        part.replace(self._path)

    def done(self) -> None:
        self._path.unlink(missing_ok=True)

"""The auditor's hands: reads a database for `ledger.audit`, in pages and in parallel, and compares the tables beside the log.

Immutable rows are read in short transactions up to a fixed size; what moves (head, refs) is compared in one snapshot
at the end, together with what was appended meanwhile. One long snapshot would cost every append dearly on PostgreSQL.
"""

import json
import os
import secrets as random_source
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import asdict, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa

from ledger import tables
from ledger.audit import RANGE, Fault, Fingerprints, Job, Products, RangeResult, Row
from ledger.audit_reading import PAGE, fold_authority, last_position, page, typed
from ledger.audit_report import Pin, Report, Summary, check_pin
from ledger.audit_tables import check_receipts, finish
from ledger.database import Database
from ledger.errors import SetupError
from signing.merkle import Frontier, leaf_hash

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
    on_progress: Progress = lambda done, size: None,
) -> Report:
    """Audit a ledger in its database, all of it or positions `first` to `last`.

    A part is checked by itself: chain, signatures, credentials, refs; what needs the whole (tree, caches, completeness
    of tables) is not. `state` names a file in which progress is kept, so that an interrupted audit goes on where it
    was. `receipts` are pairs (position, entry hash) that somebody was given. Raises SetupError when there is nothing to audit.
    """
    database.check_schema()
    database.read_any_text()
    with database.read() as connection:
        top = last_position(connection)
        size = min(top, connection.execute(sa.select(typed(tables.head).size)).scalar() or top)
        if top == 0:
            raise SetupError("nothing to check: the database holds no entries, and an empty ledger is not a sound one")
        authority, faults = fold_authority(connection)
        genesis = next((leaf_hash(row.entry) for row in page(connection, 0, 1)), b"")
    pinned, pin_faults = check_pin(pin, authority, genesis)
    job = Job(authority, Fingerprints.draw(random_source.token_bytes(40)), signatures)
    notes: list[str] = []
    whole = first == 1 and last is None
    if whole:
        progress = _Resumable(state, job, genesis) if state else None
        job = progress.job if progress else job
        summary = progress.summary if progress else Summary()
        _walk_ranges(database, job, summary, size // RANGE, workers, lambda done: on_progress(done, size), progress)
        with database.read() as connection:
            notes = finish(connection, database, job, summary)
            summary.faults += check_receipts(connection, receipts)
        on_progress(summary.size, summary.size)
        if progress:
            progress.done()
    else:
        summary = _audit_part(database, job, first, min(last or size, size), on_progress)
        notes.append("only a part was checked: the tree, the tables beside it and the way from the genesis were not")
    summary.faults += [*faults, *pin_faults]
    return Report(
        origin=authority.origin,
        size=summary.size,
        entries=summary.entries,
        root=summary.root(),
        genesis=genesis,
        last_leaf=summary.last_leaf,
        pinned=pinned,
        signatures=signatures,
        faults=tuple(sorted(set(summary.faults))),
        affected=tuple(sorted(set(summary.affected))),
        notes=tuple(notes),
        whole=whole,
        checkpoint_key=next((key.public_key for key in authority.keyring.numbered("checkpoint")), b""),
    )


# -- reading entries -------------------------------------------------------------------------------------------------


def _pages(database: Database, start: int, count: int) -> Iterator[Row]:
    """Yield rows in pages, each page its own short transaction."""
    position, end = start - 1, start + count - 1
    while position < end:
        with database.engine.connect() as connection:
            rows = list(page(connection, position, min(position + PAGE, end)))
        yield from rows
        position += PAGE


_database: Database | None = None


def _open_in_worker(url: str) -> None:
    global _database
    _database = Database(url)


def _walk_in_worker(job: Job, start: int, count: int) -> RangeResult:
    if _database is None:
        raise SetupError("the worker has no database: it was not started by an audit")
    return job.walk(_pages(_database, start, count), start, count)


def _walk_ranges(
    database: Database,
    job: Job,
    summary: Summary,
    ranges: int,
    workers: int | None,
    on_progress: Callable[[int], None],
    progress: "_Resumable | None",
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
            join(job.walk(_pages(database, start, RANGE), start, RANGE))
        return
    url = database.url.render_as_string(hide_password=False)
    # Spawned, not forked: the caller may have threads and open connections.
    with ProcessPoolExecutor(workers, get_context("spawn"), _open_in_worker, (url,)) as pool:
        waiting: list[Future[RangeResult]] = []
        for start in starts:
            waiting.append(pool.submit(_walk_in_worker, job, start, RANGE))
            if len(waiting) > 2 * workers:
                join(waiting.pop(0).result())
        for future in waiting:
            join(future.result())


def _audit_part(database: Database, job: Job, first: int, last: int, on_progress: Progress) -> Summary:
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
        part = job.walk(_pages(database, begin, count), begin, count)
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


class _Resumable:
    """Keeps the summary of an audit in a file after every range. The secrets are in it too: the file is for the auditor alone."""

    def __init__(self, path: Path, job: Job, genesis: bytes) -> None:
        self._path = path
        # What an audit is of and how it was made: another one must not go on from it.
        self._of = {"genesis": genesis.hex(), "signatures": job.signatures, "authority": job.authority.position}
        self.summary = Summary()
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
            faults=[Fault(**fault) for fault in kept["faults"]],
            affected=[Fault(**fault) for fault in kept["affected"]],
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

"""Ranges walked in processes of their own, and joined in order. What is found in them is the walk's."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any, Final

from ledger.audit.progress import Resumable
from ledger.audit.ranges import RANGE, RangeResult
from ledger.audit.sources import Source
from ledger.audit.summary import Summary
from ledger.audit.walk import Job
from ledger.errors import SetupError

# Below this many ranges the processes would cost more than they save.
MIN_PARALLEL: Final = 3
# How many entries are done, of how many.
Progress = Callable[[int, int], None]

_source: Source | None = None


def _open_in_worker(source: Source) -> None:
    global _source
    _source = source


def _walk_in_worker(job: Job, start: int, count: int) -> RangeResult:
    return _walk(_opened(), job, start, count)


def _walk(source: Source, job: Job, start: int, count: int) -> RangeResult:
    part = job.walk(source.rows(start, count), start, count, source.checkpoints(start, count))
    part.faults += source.take_faults()
    return part


def _do_in_worker(beside: Callable[[Source], Any]) -> Any:
    return beside(_opened())


def _opened() -> Source:
    if _source is None:
        raise SetupError("the worker has nothing to read from: it was not started by an audit")
    return _source


def walk_ranges(
    source: Source,
    job: Job,
    summary: Summary,
    to: int,
    workers: int | None,
    on_progress: Callable[[int], None],
    progress: Resumable | None = None,
    beside: Sequence[Callable[[Source], Any]] = (),
) -> list[Any]:
    """Walk up to position `to`, the end of a tile, what `summary` does not cover yet, in parallel, and join it in order.

    What else may be done meanwhile is `beside`. Returns what that found, or nothing where one process does everything: then it
    was not done, because it would be done in vain.
    """
    # The last may be shorter: what was left of it to one process was up to 8,191 entries.
    parts = [(start, min(RANGE, to - start + 1)) for start in range(summary.size + 1, to + 1, RANGE)]
    workers = workers or os.cpu_count() or 1

    def join(part: RangeResult) -> None:
        summary.add(part)
        on_progress(summary.size)
        if progress:
            progress.save()

    if to - summary.size < MIN_PARALLEL * RANGE or workers == 1:
        for start, count in parts:
            join(_walk(source, job, start, count))
        return []
    # Spawned, not forked: the caller may have threads and open connections.
    with ProcessPoolExecutor(workers, get_context("spawn"), _open_in_worker, (source,)) as pool:
        # First: each of them may take as long as many ranges.
        done_beside = [pool.submit(_do_in_worker, work) for work in beside]
        waiting: list[Future[RangeResult]] = []
        for start, count in parts:
            waiting.append(pool.submit(_walk_in_worker, job, start, count))
            if len(waiting) > 2 * workers:
                join(waiting.pop(0).result())
        for future in waiting:
            join(future.result())
        return [work.result() for work in done_beside]

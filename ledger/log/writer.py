"""The writer: group commit. Many callers, one transaction.

No timer gathers a group: a group is whatever queued up while the last commit ran, so a lone caller waits for nobody
and a crowd shares one sync.
"""

import asyncio
import contextlib
import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Final

from ledger.errors import LedgerStoppedError, QueueFullError
from ledger.log.recorder import Outcome, Submission

MAX_GROUP: Final = 1000
MAX_WAITING: Final = 10_000

Outcomes = list[Outcome]


class _Request:
    """Submissions of one caller, and where the answer goes."""

    __slots__ = ("future", "loop", "submissions")

    def __init__(
        self,
        submissions: Sequence[Submission],
        future: "asyncio.Future[Outcomes] | Future[Outcomes]",
        loop: asyncio.AbstractEventLoop | None,
    ) -> None:
        self.submissions = submissions
        self.future = future
        self.loop = loop


class Writer:
    """A thread that appends groups. `append_group` is `Ledger.append_group`, or anything that behaves like it."""

    def __init__(self, append_group: Callable[[list[Submission]], Outcomes], *, max_waiting: int = MAX_WAITING) -> None:
        self._append_group = append_group
        self._max_waiting = max_waiting
        self._queue: queue.SimpleQueue[_Request | None] = queue.SimpleQueue()
        self._waiting = 0
        self._closed = False
        self._count = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Append what is queued, then stop."""
        with self._count:
            if not self._closed:
                self._closed = True
                self._queue.put(None)
        self._thread.join()

    async def append(self, submissions: Sequence[Submission]) -> Outcomes:
        """Queue submissions and return their outcomes when they are durable. Raises QueueFullError when too many wait."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Outcomes] = loop.create_future()
        self._enqueue(_Request(submissions, future, loop))
        return await future

    def submit(self, submissions: Sequence[Submission]) -> "Future[Outcomes]":
        """The same for callers without an event loop."""
        future: Future[Outcomes] = Future()
        self._enqueue(_Request(submissions, future, None))
        return future

    def _enqueue(self, request: _Request) -> None:
        with self._count:
            if self._closed:
                raise LedgerStoppedError(
                    "the ledger is shutting down; send this to another process, or again in a moment"
                )
            if self._waiting + len(request.submissions) > self._max_waiting:
                raise QueueFullError(f"{self._waiting} submissions are waiting; expected at most {self._max_waiting}")
            self._waiting += len(request.submissions)
            # Under the same lock as closing, so that nothing is queued behind the end.
            self._queue.put(request)

    def _run(self) -> None:
        closing = False
        while not closing:
            requests: list[_Request] = []
            size = 0
            item = self._queue.get()
            while True:
                if item is None:
                    closing = True
                    break
                requests.append(item)
                size += len(item.submissions)
                if size >= MAX_GROUP:
                    break
                try:
                    item = self._queue.get_nowait()
                except queue.Empty:
                    break
            if requests:
                self._append(requests)

    def _append(self, requests: list[_Request]) -> None:
        submissions = [submission for request in requests for submission in request.submissions]
        outcomes: Outcomes = []
        error: BaseException | None = None
        try:
            outcomes = self._append_group(submissions)
        except Exception as failure:  # noqa: BLE001 - the thread's edge: every caller is told, and it lives on
            error = failure
        with self._count:
            self._waiting -= len(submissions)
        answers: list[tuple[_Request, Outcomes]] = []
        start = 0
        for request in requests:
            end = start + len(request.submissions)
            answers.append((request, outcomes[start:end]))
            start = end
        by_loop: dict[asyncio.AbstractEventLoop | None, list[tuple[_Request, Outcomes]]] = {}
        for answer in answers:
            by_loop.setdefault(answer[0].loop, []).append(answer)
        for loop, of_loop in by_loop.items():
            if loop is None:
                _deliver(of_loop, error)
            else:
                # One wake-up for all callers of a group. A loop that is closed has no caller left to tell.
                with contextlib.suppress(RuntimeError):
                    loop.call_soon_threadsafe(_deliver, of_loop, error)


def _deliver(answers: list[tuple[_Request, Outcomes]], error: BaseException | None) -> None:
    for request, outcomes in answers:
        future = request.future
        if future.done():
            continue  # The caller went away; what was recorded stays recorded.
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(outcomes)

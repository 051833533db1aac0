"""The writer: group commit. Many callers, one transaction.

No timer gathers a group: a group is whatever queued up while the last commit ran, so a lone caller waits for nobody
and a crowd shares one sync.

An event loop may append its callers' group itself, up to the commit (`begin_group`): what a thread does, beside a loop that
is busy, waits for the interpreter at every statement. Only the sync is left to the thread, and the loop goes on meanwhile.
Whatever would have to wait, and what is long, is the thread's from the beginning.
"""

import asyncio
import contextlib
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from functools import partial
from typing import Any, Final

from ledger.errors import LedgerStoppedError, QueueFullError
from ledger.log.recorder import MAX_BEGUN, Outcome, Submission

MAX_GROUP: Final = 1000
MAX_WAITING: Final = 10_000
# Longer than either database waits for a lock: an append that takes so long is answered by nobody, and what comes after it waits for
# nothing.
STALLED_S: Final = 60.0
# So many submissions a loop begins at once: it serves nobody else meanwhile.
MAX_IN_LOOP: Final = MAX_BEGUN
_NOBODY: Final = object()

Outcomes = list[Outcome]
AppendGroup = Callable[[list[Submission]], Outcomes]
# Begins what the returned function commits; None where that cannot be done without waiting.
BeginGroup = Callable[[list[Submission]], Callable[[], Outcomes] | None]


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


class _Group:
    """Requests that are appended together, and what does it. `of_loop` when the loop that begins groups waits for it."""

    __slots__ = ("append", "of_loop", "requests", "size")

    def __init__(
        self, requests: list[_Request], append: Callable[[], Outcomes], size: int, *, of_loop: bool = False
    ) -> None:
        self.requests = requests
        self.append = append
        self.size = size
        self.of_loop = of_loop


class Writer:
    """A thread that appends groups. `append_group` and `begin_group` are the ledger's, or anything that behaves like them.

    With `begin_group` the first event loop that appends begins its groups itself.
    """

    def __init__(
        self, append_group: AppendGroup, *, begin_group: BeginGroup | None = None, max_waiting: int = MAX_WAITING
    ) -> None:
        self._append_group = append_group
        self._begin_group = begin_group
        self._max_waiting = max_waiting
        self._queue: queue.SimpleQueue[_Request | _Group | None] = queue.SimpleQueue()
        # The loop that begins groups; its requests, in the order they came; and whether a group of it is on its way, or about to be.
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ready: deque[_Request] = deque()
        self._is_on_its_way = False
        # Held while the loop begins a group, and gives it to the thread. Closing waits for that, and whoever is not of the loop:
        # what the thread had before a group that is begun would wait for that group, and the group for the thread.
        self._beginning = threading.Lock()
        # Requests that the thread has and that are not of the loop: meanwhile nothing is begun.
        self._others = 0
        self._waiting = 0
        # When the thread began what it is at.
        self._began: float | None = None
        self._closed = False
        self._count = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Append what is queued, then stop."""
        with self._beginning, self._count:
            if not self._closed:
                self._closed = True
                self._queue.put(None)
        self._thread.join()

    def check_moving(self) -> None:
        """Raise LedgerStoppedError while the database does not answer the append that is under way."""
        began = self._began
        if began is not None and (stalled_s := time.monotonic() - began) > STALLED_S:
            raise LedgerStoppedError(
                f"the database has not answered an append for {stalled_s:.0f} s; send this to another process, or again when it does"
            )

    async def append(self, submissions: Sequence[Submission]) -> Outcomes:
        """Queue submissions and return their outcomes when they are durable. Raises QueueFullError when too many wait."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Outcomes] = loop.create_future()
        if self._begin_group is not None and self._loop is None:
            self._loop = loop
        request = _Request(submissions, future, loop)
        if loop is not self._loop:
            with self._beginning:
                self._enqueue(request)
            return await future
        self._enqueue(request)
        if not self._is_on_its_way:
            # After whoever else has something to append in this round of the loop.
            self._is_on_its_way = True
            loop.call_soon(self._begin)
        return await future

    def submit(self, submissions: Sequence[Submission]) -> "Future[Outcomes]":
        """The same for callers without an event loop."""
        future: Future[Outcomes] = Future()
        with self._beginning:
            self._enqueue(_Request(submissions, future, None))
        return future

    def _enqueue(self, request: _Request) -> None:
        with self._count:
            if self._closed:
                raise LedgerStoppedError(
                    "the ledger is shutting down; send this to another process, or again in a moment"
                )
            self.check_moving()
            if self._waiting + len(request.submissions) > self._max_waiting:
                raise QueueFullError(f"{self._waiting} submissions are waiting; expected at most {self._max_waiting}")
            self._waiting += len(request.submissions)
            # Under the same lock as closing, so that nothing is queued behind the end.
            if request.loop is not None and request.loop is self._loop:
                self._ready.append(request)
            else:
                self._others += 1
                self._queue.put(request)

    # -- in the loop ---------------------------------------------------------------------------------------------

    def _begin(self) -> None:
        """Begin what is ready, or leave it to the thread whole. One group at a time: the next when this is answered."""
        with self._beginning:
            if self._closed or not self._ready or self._begin_group is None:
                # What is left when it closes is the thread's.
                self._is_on_its_way = False
                return
            group = self._take_ready()
            try:
                # Dies in here, or before the thread has committed: nothing happened, and nobody was answered.
                may_begin = group.size <= MAX_IN_LOOP and not self._others
                commit = self._begin_group(_submissions(group.requests)) if may_begin else None
            except Exception as failure:  # noqa: BLE001 - as in the thread: every caller is told, and the loop lives on
                commit = partial(_raise, failure)
            if commit is not None:
                group.append = commit
            self._queue.put(group)

    def _take_ready(self) -> _Group:
        """Return the requests that came first: as many as the loop appends at once, or with a long one as many as the thread does."""
        requests = [self._ready.popleft()]
        size = len(requests[0].submissions)
        most = MAX_IN_LOOP if size <= MAX_IN_LOOP else MAX_GROUP
        while self._ready and size + len(self._ready[0].submissions) <= most:
            requests.append(self._ready.popleft())
            size += len(requests[-1].submissions)
        return self._group_of(requests, size, of_loop=True)

    def _answered(self, answers: "list[tuple[_Request, Outcomes]]", error: BaseException | None) -> None:
        _deliver(answers, error)
        # Those who were answered come first.
        asyncio.get_running_loop().call_soon(self._begin)

    # -- the thread ----------------------------------------------------------------------------------------------

    def _run(self) -> None:
        for group in self._groups():
            self._append(group)

    def _groups(self) -> Iterator[_Group]:
        """Yield what is to be appended, until the end: groups of the loop as they are, other requests joined."""
        requests: list[_Request] = []
        size = 0
        while True:
            item: object = _NOBODY
            with contextlib.suppress(queue.Empty):
                item = self._queue.get(block=not requests)
            if isinstance(item, _Request):
                requests.append(item)
                size += len(item.submissions)
                if size < MAX_GROUP:
                    continue
            if requests:
                yield self._group_of(requests, size)
                requests, size = [], 0
            if isinstance(item, _Group):
                yield item
            elif item is None:
                break
        # What the loop had not begun when it closed.
        while self._ready:
            yield self._take_ready()

    def _group_of(self, requests: list[_Request], size: int, *, of_loop: bool = False) -> _Group:
        return _Group(requests, lambda: self._append_group(_submissions(requests)), size, of_loop=of_loop)

    def _append(self, group: _Group) -> None:
        outcomes: Outcomes = []
        error: BaseException | None = None
        self._began = time.monotonic()
        try:
            outcomes = group.append()
        except Exception as failure:  # noqa: BLE001 - the thread's edge: every caller is told, and it lives on
            error = failure
        self._began = None
        with self._count:
            self._waiting -= group.size
            self._others -= 0 if group.of_loop else len(group.requests)
        answers: list[tuple[_Request, Outcomes]] = []
        start = 0
        for request in group.requests:
            end = start + len(request.submissions)
            answers.append((request, outcomes[start:end]))
            start = end
        if group.of_loop:
            _call(self._loop, self._answered, answers, error)
            return
        by_loop: dict[asyncio.AbstractEventLoop | None, list[tuple[_Request, Outcomes]]] = {}
        for answer in answers:
            by_loop.setdefault(answer[0].loop, []).append(answer)
        for loop, of_loop in by_loop.items():
            _call(loop, _deliver, of_loop, error)


def _submissions(requests: list[_Request]) -> list[Submission]:
    return [submission for request in requests for submission in request.submissions]


def _raise(error: Exception) -> Outcomes:
    raise error


def _call(loop: asyncio.AbstractEventLoop | None, deliver: Callable[..., None], *arguments: Any) -> None:
    """Deliver here, or in a loop: one wake-up for all callers of a group."""
    if loop is None:
        deliver(*arguments)
        return
    # A loop that is closed has no caller left to tell.
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(deliver, *arguments)


def _deliver(answers: list[tuple[_Request, Outcomes]], error: BaseException | None) -> None:
    for request, outcomes in answers:
        future = request.future
        if future.done():
            continue  # The caller went away; what was recorded stays recorded.
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(outcomes)

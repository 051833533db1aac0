"""Group commit: callers that come while a commit runs share the next one, and each gets its own answer."""

import asyncio
import queue
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from ledgers import cloud_event, submission

from ledger.audit.of_database import audit_database
from ledger.errors import LedgerError, LedgerStoppedError, QueueFullError
from ledger.ledger import Ledger
from ledger.log import writer as writer_module
from ledger.log.database import Database
from ledger.log.recorder import Recorded, Repeated, Submission
from ledger.log.writer import MAX_GROUP, MAX_IN_LOOP, Writer

WAIT = 30.0


class Gate:
    """Stands in for `Ledger.append_group`: notes every group, and lets none through before it is opened."""

    def __init__(self) -> None:
        self.groups: list[list[Any]] = []
        self.entered = threading.Semaphore(0)
        self.open = threading.Event()
        self.failures: list[BaseException | None] = []

    def append_group(self, submissions: list[Any]) -> list[Any]:
        self.groups.append(list(submissions))
        self.entered.release()
        assert self.open.wait(WAIT)
        if self.failures and (failure := self.failures.pop(0)) is not None:
            raise failure
        return [f"outcome of {item}" for item in submissions]

    def wait_until_entered(self) -> None:
        assert self.entered.acquire(timeout=WAIT)


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
def new_writer(gate: Gate) -> Iterator[Callable[..., Writer]]:
    made: list[Writer] = []

    def make(**more: Any) -> Writer:
        made.append(Writer(gate.append_group, **more))  # type: ignore[arg-type]
        return made[-1]

    yield make
    gate.open.set()
    for writer in made:
        writer.close()


def submit(writer: Writer, *items: Any) -> Any:
    return writer.submit(items)


def test_a_lone_caller_waits_for_nobody(gate: Gate, new_writer: Callable[..., Writer]) -> None:
    gate.open.set()
    assert submit(new_writer(), "a").result(WAIT) == ["outcome of a"]
    assert gate.groups == [["a"]]


def test_behind_an_append_that_the_database_does_not_answer_nobody_waits(
    gate: Gate, new_writer: Callable[..., Writer], monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = new_writer()
    first = submit(writer, "first")
    gate.wait_until_entered()
    writer.check_moving()
    monkeypatch.setattr(writer_module, "STALLED_S", -1.0, raising=False)
    with pytest.raises(LedgerStoppedError, match="has not answered an append for 0 s"):
        submit(writer, "second")
    with pytest.raises(LedgerStoppedError):
        asyncio.run(writer.append(["third"]))  # type: ignore[list-item]
    gate.open.set()
    assert first.result(WAIT) == ["outcome of first"]
    # It answered: whoever comes now is appended.
    assert submit(writer, "fourth").result(WAIT) == ["outcome of fourth"]


def test_callers_that_come_while_a_group_is_appended_share_the_next_one(
    gate: Gate, new_writer: Callable[..., Writer]
) -> None:
    writer = new_writer()
    first = submit(writer, "first")
    gate.wait_until_entered()
    others = [submit(writer, number) for number in range(50)]
    gate.open.set()
    assert first.result(WAIT) == ["outcome of first"]
    assert [other.result(WAIT) for other in others] == [[f"outcome of {number}"] for number in range(50)]
    assert gate.groups == [["first"], list(range(50))]


def test_a_caller_with_several_submissions_gets_all_of_its_outcomes_and_no_others(
    gate: Gate, new_writer: Callable[..., Writer]
) -> None:
    writer = new_writer()
    submit(writer, "first")
    gate.wait_until_entered()
    futures = [submit(writer, *(f"{size}.{n}" for n in range(size))) for size in (3, 1, 0, 5, 2)]
    gate.open.set()
    for size, future in zip((3, 1, 0, 5, 2), futures, strict=True):
        assert future.result(WAIT) == [f"outcome of {size}.{n}" for n in range(size)]
    assert len(gate.groups) == 2


def test_submissions_keep_the_order_in_which_they_came(gate: Gate, new_writer: Callable[..., Writer]) -> None:
    writer = new_writer()
    submit(writer, -1)
    gate.wait_until_entered()
    futures = [submit(writer, number) for number in range(3 * MAX_GROUP)]
    gate.open.set()
    for future in futures:
        future.result(WAIT)
    assert [item for group in gate.groups for item in group] == list(range(-1, 3 * MAX_GROUP))


def test_a_group_ends_when_it_is_full(gate: Gate, new_writer: Callable[..., Writer]) -> None:
    writer = new_writer()
    submit(writer, "first")
    gate.wait_until_entered()
    futures = [submit(writer, number) for number in range(MAX_GROUP + 1)]
    gate.open.set()
    for future in futures:
        future.result(WAIT)
    assert [len(group) for group in gate.groups] == [1, MAX_GROUP, 1]


def test_a_failure_reaches_all_callers_of_its_group_and_the_writer_lives_on(
    gate: Gate, new_writer: Callable[..., Writer]
) -> None:
    failure = LedgerStoppedError("history was lost")
    gate.failures = [None, failure]
    writer = new_writer()
    first = submit(writer, "first")
    gate.wait_until_entered()
    doomed = [submit(writer, number) for number in range(5)]
    gate.open.set()
    assert first.result(WAIT) == ["outcome of first"]
    assert [future.exception(WAIT) for future in doomed] == [failure] * 5
    assert submit(writer, "after").result(WAIT) == ["outcome of after"]


@pytest.mark.parametrize("failure", [ValueError("not foreseen"), OSError("disk full"), MemoryError()])
def test_no_failure_of_a_group_ends_the_writer(
    gate: Gate, new_writer: Callable[..., Writer], failure: Exception
) -> None:
    gate.failures = [failure]
    gate.open.set()
    writer = new_writer()
    assert submit(writer, "a").exception(WAIT) is failure
    assert submit(writer, "b").result(WAIT) == ["outcome of b"]


def test_more_waiting_than_allowed_is_refused_and_says_when_to_try_again(
    gate: Gate, new_writer: Callable[..., Writer]
) -> None:
    writer = new_writer(max_waiting=3)
    accepted = [submit(writer, "a"), submit(writer, "b")]
    gate.wait_until_entered()
    with pytest.raises(QueueFullError, match="at most 3") as caught:
        submit(writer, "c", "d")
    assert caught.value.retry_after >= 1
    accepted.append(submit(writer, "c"))
    with pytest.raises(QueueFullError):
        submit(writer, "d")
    gate.open.set()
    assert [future.result(WAIT) for future in accepted] == [["outcome of a"], ["outcome of b"], ["outcome of c"]]
    assert submit(writer, "d").result(WAIT) == ["outcome of d"]
    assert "d" not in [item for group in gate.groups[:-1] for item in group]


def test_what_failed_does_not_count_as_waiting(gate: Gate, new_writer: Callable[..., Writer]) -> None:
    writer = new_writer(max_waiting=2)
    gate.failures = [ValueError("once"), ValueError("twice")]
    gate.open.set()
    for _ in range(2):
        assert isinstance(submit(writer, "a", "b").exception(WAIT), ValueError)
    assert submit(writer, "c", "d").result(WAIT) == ["outcome of c", "outcome of d"]


def test_closing_appends_what_is_queued_and_then_refuses(gate: Gate, new_writer: Callable[..., Writer]) -> None:
    writer = new_writer()
    futures = [submit(writer, "first")]
    gate.wait_until_entered()
    futures += [submit(writer, number) for number in range(20)]
    closing = threading.Thread(target=writer.close)
    closing.start()
    gate.open.set()
    closing.join(WAIT)
    assert not closing.is_alive()
    assert all(future.done() for future in futures)
    assert [future.result(0) for future in futures[1:]] == [[f"outcome of {number}"] for number in range(20)]
    with pytest.raises(LedgerStoppedError, match="shutting down"):
        submit(writer, "late")


def test_a_caller_that_comes_just_as_the_writer_closes_is_answered_or_refused(
    gate: Gate, new_writer: Callable[..., Writer], monkeypatch: pytest.MonkeyPatch
) -> None:
    # The worst moment: the caller has passed the check, and its request comes into the queue after the mark of the end.
    at_the_queue, may_go_on = threading.Event(), threading.Event()

    class SlowQueue(queue.SimpleQueue):  # type: ignore[type-arg]
        def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
            if item is not None:
                at_the_queue.set()
                may_go_on.wait(0.5)
            super().put(item, block, timeout)
            if item is None:
                may_go_on.set()

    monkeypatch.setattr(writer_module.queue, "SimpleQueue", SlowQueue)
    gate.open.set()
    writer = new_writer()
    answers: list[Any] = []

    def call() -> None:
        try:
            answers.append(submit(writer, "late").result(2))
        except (LedgerError, TimeoutError) as error:
            answers.append(error)

    caller = threading.Thread(target=call)
    caller.start()
    at_the_queue.wait(2)
    writer.close()
    caller.join(WAIT)
    [answer] = answers
    assert answer == ["outcome of late"] or isinstance(answer, LedgerStoppedError)


def test_closing_twice_is_as_good_as_once(new_writer: Callable[..., Writer]) -> None:
    writer = new_writer()
    writer.close()
    writer.close()


def test_tasks_of_an_event_loop_are_joined_and_answered(gate: Gate, new_writer: Callable[..., Writer]) -> None:
    writer = new_writer()

    async def crowd() -> list[Any]:
        first = asyncio.create_task(writer.append(["first"]))  # type: ignore[list-item]
        await asyncio.to_thread(gate.wait_until_entered)
        others = [asyncio.create_task(writer.append([number, -number])) for number in range(40)]  # type: ignore[list-item]
        await asyncio.sleep(0)
        gate.open.set()
        return await asyncio.wait_for(asyncio.gather(first, *others), WAIT)

    answers = asyncio.run(crowd())
    assert answers[0] == ["outcome of first"]
    assert answers[1:] == [[f"outcome of {number}", f"outcome of {-number}"] for number in range(40)]
    assert [len(group) for group in gate.groups] == [1, 80]


def test_a_failure_reaches_tasks_of_an_event_loop(gate: Gate, new_writer: Callable[..., Writer]) -> None:
    gate.failures = [LedgerStoppedError("stopped")]
    gate.open.set()
    writer = new_writer()

    async def call() -> None:
        await asyncio.wait_for(writer.append(["a"]), WAIT)  # type: ignore[list-item]

    with pytest.raises(LedgerStoppedError, match="stopped"):
        asyncio.run(call())


def test_a_caller_that_went_away_harms_nobody(gate: Gate, new_writer: Callable[..., Writer]) -> None:
    writer = new_writer()

    async def call() -> list[Any]:
        gone = asyncio.create_task(writer.append(["gone"]))  # type: ignore[list-item]
        await asyncio.to_thread(gate.wait_until_entered)
        stays = asyncio.create_task(writer.append(["stays"]))  # type: ignore[list-item]
        gone.cancel()
        await asyncio.sleep(0)
        gate.open.set()
        return await asyncio.wait_for(stays, WAIT)

    assert asyncio.run(call()) == ["outcome of stays"]
    assert [item for group in gate.groups for item in group] == ["gone", "stays"]


def test_an_event_loop_that_was_closed_before_its_answer_harms_nobody(
    gate: Gate, new_writer: Callable[..., Writer]
) -> None:
    writer = new_writer()

    async def leave_early() -> None:
        task = asyncio.create_task(writer.append(["left"]))  # type: ignore[list-item]
        await asyncio.to_thread(gate.wait_until_entered)
        task.cancel()

    asyncio.run(leave_early())
    gate.open.set()
    assert submit(writer, "next").result(WAIT) == ["outcome of next"]


def test_callers_of_a_real_ledger_are_answered_with_their_own_receipts(ledger: Ledger) -> None:
    writer = Writer(ledger.append_group)
    try:
        events = {name: [cloud_event(id=f"{name}-{n}") for n in range(7)] for name in "abcdef"}
        answers: dict[str, Any] = {}

        def call(name: str) -> None:
            answers[name] = [writer.submit([submission(ledger, event)]).result(WAIT)[0] for event in events[name]]

        callers = [threading.Thread(target=call, args=(name,)) for name in events]
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join(WAIT)
        positions = []
        for name, outcomes in answers.items():
            assert all(isinstance(outcome, Recorded) for outcome in outcomes)
            receipts = [outcome.receipts[0] for outcome in outcomes]
            assert [receipt.id for receipt in receipts] == [f"{name}-{n}" for n in range(7)]
            assert [receipt.position for receipt in receipts] == sorted(receipt.position for receipt in receipts)
            positions += [receipt.position for receipt in receipts]
        assert sorted(positions) == list(range(2, 2 + 42))
    finally:
        writer.close()


class Beginning:
    """Stands in for `Ledger.begin_group`: notes which thread begins and commits each group. `refusals` are groups to leave alone."""

    def __init__(self) -> None:
        self.begun: list[list[Any]] = []
        self.threads: list[tuple[str, str]] = []
        self.refusals = 0
        self.failures: list[Exception] = []

    def begin_group(self, submissions: list[Any]) -> Callable[[], list[Any]] | None:
        if self.failures:
            raise self.failures.pop()
        if self.refusals:
            self.refusals -= 1
            return None
        self.begun.append(list(submissions))
        begun_by = threading.current_thread().name

        def commit() -> list[Any]:
            self.threads.append((begun_by, threading.current_thread().name))
            return [f"begun {item}" for item in submissions]

        return commit


@pytest.fixture
def beginning() -> Beginning:
    return Beginning()


def crowd_of(writer: Writer, *sizes: int) -> list[Any]:
    """Append requests of so many submissions at once, and return their answers."""

    async def crowd() -> list[Any]:
        appends = [writer.append([f"{n}.{i}" for i in range(size)]) for n, size in enumerate(sizes)]  # type: ignore[list-item]
        return await asyncio.wait_for(asyncio.gather(*appends), WAIT)

    return asyncio.run(crowd())


def test_a_loop_begins_the_group_of_its_callers_and_the_thread_commits_it(
    new_writer: Callable[..., Writer], beginning: Beginning
) -> None:
    answers = crowd_of(new_writer(begin_group=beginning.begin_group), 1, 1, 2)
    assert answers == [["begun 0.0"], ["begun 1.0"], ["begun 2.0", "begun 2.1"]]
    assert beginning.begun == [["0.0", "1.0", "2.0", "2.1"]]
    assert beginning.threads == [("MainThread", "writer")]


def test_what_would_have_to_wait_is_appended_by_the_thread(
    gate: Gate, new_writer: Callable[..., Writer], beginning: Beginning
) -> None:
    gate.open.set()
    beginning.refusals = 1
    writer = new_writer(begin_group=beginning.begin_group)
    assert crowd_of(writer, 1, 1) == [["outcome of 0.0"], ["outcome of 1.0"]]
    assert (gate.groups, beginning.begun) == ([["0.0", "1.0"]], [])


def test_a_long_request_is_appended_by_the_thread_in_its_turn(
    gate: Gate, new_writer: Callable[..., Writer], beginning: Beginning
) -> None:
    gate.open.set()
    answers = crowd_of(new_writer(begin_group=beginning.begin_group), 1, MAX_IN_LOOP + 1, 1, MAX_IN_LOOP)
    assert [len(answer) for answer in answers] == [1, MAX_IN_LOOP + 1, 1, MAX_IN_LOOP]
    assert [len(group) for group in beginning.begun] == [1]
    # A short one that came behind it does not overtake it.
    assert [len(group) for group in gate.groups] == [2 * MAX_IN_LOOP + 2]
    assert answers[2] == ["outcome of 2.0"]


def test_more_callers_than_a_loop_appends_at_once_take_several_groups(
    new_writer: Callable[..., Writer], beginning: Beginning
) -> None:
    answers = crowd_of(new_writer(begin_group=beginning.begin_group), *[1] * (2 * MAX_IN_LOOP + 1))
    assert [len(group) for group in beginning.begun] == [MAX_IN_LOOP, MAX_IN_LOOP, 1]
    assert answers == [[f"begun {n}.0"] for n in range(2 * MAX_IN_LOOP + 1)]


def test_a_failure_to_begin_reaches_all_callers_and_the_next_group_is_begun(
    new_writer: Callable[..., Writer], beginning: Beginning
) -> None:
    writer = new_writer(begin_group=beginning.begin_group)
    beginning.failures = [LedgerStoppedError("history was lost")]

    async def crowd() -> list[Any]:
        doomed = await asyncio.gather(*(writer.append([n]) for n in "ab"), return_exceptions=True)  # type: ignore[list-item]
        return [*map(str, doomed), await asyncio.wait_for(writer.append(["c"]), WAIT)]  # type: ignore[list-item]

    assert asyncio.run(crowd()) == ["history was lost", "history was lost", ["begun c"]]


def test_what_a_loop_has_queued_is_appended_when_the_writer_closes(
    gate: Gate, new_writer: Callable[..., Writer], beginning: Beginning
) -> None:
    gate.open.set()
    writer = new_writer(begin_group=beginning.begin_group)

    async def close_before_it_begins() -> list[Any]:
        waiting = asyncio.create_task(writer.append(["last"]))  # type: ignore[list-item]
        await asyncio.sleep(0)
        # The loop stands still meanwhile.
        writer.close()
        with pytest.raises(LedgerStoppedError):
            await writer.append(["late"])  # type: ignore[list-item]
        return await asyncio.wait_for(waiting, WAIT)

    assert asyncio.run(close_before_it_begins()) == ["outcome of last"]


def test_a_loop_that_closed_in_the_middle_harms_nobody(
    new_writer: Callable[..., Writer], gate: Gate, beginning: Beginning
) -> None:
    gate.open.set()
    writer = new_writer(begin_group=beginning.begin_group)

    async def leave_early() -> None:
        task = asyncio.create_task(writer.append(["left"]))  # type: ignore[list-item]
        await asyncio.sleep(0)
        task.cancel()

    asyncio.run(leave_early())
    assert crowd_of(writer, 1) == [["outcome of 0.0"]]
    assert submit(writer, "next").result(WAIT) == ["outcome of next"]


@pytest.mark.parametrize("held", ["turn", "ledger"])
def test_callers_of_a_loop_are_answered_though_somebody_else_writes(sqlite_ledger: Ledger, held: str) -> None:
    ledger = sqlite_ledger
    writer = Writer(ledger.append_group, begin_group=ledger.begin_group)
    other = Database(str(ledger.database.url))
    blocking = other.turn if held == "turn" else ledger._lock

    async def crowd() -> list[Any]:
        with blocking:
            waiting = [asyncio.create_task(writer.append([submission(ledger, cloud_event())])) for _ in range(5)]
            # The loop itself waits for nobody.
            for _ in range(20):
                await asyncio.sleep(0)
            assert not any(task.done() for task in waiting)
        more = [writer.append([submission(ledger, cloud_event())]) for _ in range(5)]
        return await asyncio.wait_for(asyncio.gather(*waiting, *more), WAIT)

    try:
        found = [outcome.receipts[0].position for [outcome] in asyncio.run(crowd())]
        assert sorted(found) == list(range(2, 12))
    finally:
        writer.close()
        other.close()
    assert audit_database(ledger.database).faults == ()


def test_a_group_that_has_to_be_taken_apart_is_appended_by_the_thread(sqlite_ledger: Ledger) -> None:
    ledger = sqlite_ledger
    token = ledger.ledger_statement("ledger.time_passed", {"until": "2026-11-23T12:00:00.000000Z"})
    alone = ledger.ledger_statement(
        "ledger.clock_corrected",
        {"actor": "person:root", "previous": "2026-11-23T12:00:00.000000Z", "reason": "test"},
    )
    own = ledger.own_caller()
    assert ledger.begin_group([Submission((alone,), own)]) is None
    # One submission of many statements, as an atomic batch is, is as long as many submissions.
    assert ledger.begin_group([submission(ledger, *(cloud_event() for _ in range(MAX_IN_LOOP + 1)))]) is None
    commit = ledger.begin_group([Submission((token,), own)])
    assert commit is not None
    # Begun and not committed: nobody sees it, and nobody else can begin.
    assert ledger.size() == 1
    assert ledger.begin_group([Submission((token,), own)]) is None
    [outcome] = commit()
    assert isinstance(outcome, Recorded)
    assert ledger.size() == 2
    again = ledger.begin_group([Submission((token,), own)])
    assert again is not None
    assert isinstance(again()[0], Repeated)


def test_callers_with_and_without_a_loop_and_the_ledger_itself_append_at_once(sqlite_ledger: Ledger) -> None:
    # Whoever waits for the thread must not be what the thread waits for.
    ledger, turns = sqlite_ledger, 25
    writer = Writer(ledger.append_group, begin_group=ledger.begin_group)
    failed: list[BaseException] = []

    def in_a_thread(append: Callable[[], Any]) -> threading.Thread:
        def work() -> None:
            try:
                for _ in range(turns):
                    append()
            except BaseException as error:
                failed.append(error)
                raise

        thread = threading.Thread(target=work)
        thread.start()
        return thread

    def new() -> Submission:
        return submission(ledger, cloud_event())

    async def task() -> None:
        for _ in range(turns):
            [outcome] = await writer.append([new()])
            assert isinstance(outcome, Recorded)

    async def crowd() -> None:
        others = [in_a_thread(lambda: writer.submit([new()]).result(WAIT)) for _ in range(3)]
        others.append(in_a_thread(lambda: ledger.append(new())))
        await asyncio.wait_for(asyncio.gather(*(task() for _ in range(8))), WAIT)
        for other in others:
            await asyncio.to_thread(other.join, WAIT)
            assert not other.is_alive()

    try:
        asyncio.run(crowd())
    finally:
        writer.close()
    assert failed == []
    assert ledger.size() == 1 + turns * 12
    assert audit_database(ledger.database).faults == ()

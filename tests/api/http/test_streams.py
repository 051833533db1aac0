"""What open streams cost: one look for all of them, however many are open and however much is appended."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from ledgers import append, cloud_event, create_ledger
from servers import make_ledger

from api.app import create_app, end_streams
from api.http.streams import PAUSE_S, Shared, Stream, Streams
from api.settings import Settings, ViewsPlace
from ledger.conditions import Match
from ledger.ledger import Ledger


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    made = create_ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    yield made
    made.close()


@contextmanager
def reads_of(ledger: Ledger) -> Iterator[list[str]]:
    """Give the statements that read entries while the block runs."""
    found: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if "FROM entries" in statement:
            found.append(statement)

    sa.event.listen(ledger.database.engine, "before_cursor_execute", note)
    yield found
    sa.event.remove(ledger.database.engine, "before_cursor_execute", note)


async def told(streams: Streams, ledger: Ledger, stream: Stream) -> AsyncIterator[int]:
    """Yield the positions that a stream is told, as a route does."""
    while not streams.is_closing:
        stream.grown.clear()
        entries, up_to = await streams.page(ledger, stream)
        for stored in entries:
            stream.after = stored.position
            yield stored.position
        stream.after = max(stream.after, up_to)
        if not entries:
            await stream.grown.wait()


async def served(app: FastAPI, token: str, begun: asyncio.Event, positions: list[int]) -> None:
    """Open a stream of an application as a server does, and note what it is told."""
    scope = {
        "type": "http", "method": "GET", "path": "/v1/events/stream", "raw_path": b"/v1/events/stream", "scheme": "http",
        "query_string": b"after=%d" % app.state.ledger.size(), "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 1),
        "headers": [(b"host", b"x"), (b"authorization", f"Bearer {token}".encode())], "root_path": "", "http_version": "1.1",
    }  # fmt: skip

    async def receive() -> dict[str, Any]:
        return await asyncio.get_running_loop().create_future()  # type: ignore[no-any-return]

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            assert message["status"] == 200
            begun.set()
        elif message["body"].startswith(b"id: "):
            positions.append(int(message["body"].partition(b"\n")[0][4:]))

    await app(scope, receive, send)


async def counted(directory: Path, token: str, number: int, appended: int) -> tuple[int, float]:
    """Return how many statements read entries while so many streams were told of what was appended, and how long that took."""
    app = create_app(Settings(directory=directory, views=ViewsPlace.NONE, access_log="off"))
    async with app.router.lifespan_context(app):
        found: list[list[int]] = [[] for _ in range(number)]
        ledger: Ledger = app.state.ledger
        open_streams = []
        for one in found:
            # One after another: what a token has begun at once is bounded, and a stream that has begun is not that.
            begun = asyncio.Event()
            open_streams.append(asyncio.create_task(served(app, token, begun, one)))
            await begun.wait()
        append(ledger, cloud_event())
        while not all(found):
            await asyncio.sleep(0.01)
        began = time.monotonic()
        with reads_of(ledger) as reads:
            for _ in range(appended):
                await asyncio.to_thread(append, ledger, cloud_event())
            last = ledger.size()
            while any(one[-1] < last for one in found):
                await asyncio.sleep(0.01)
            taken, read = time.monotonic() - began, len(reads)
        assert [one[-appended:] for one in found] == [list(range(last - appended + 1, last + 1))] * number
        end_streams(app)
        await asyncio.gather(*open_streams)
    return read, taken


def test_hundreds_of_streams_cost_an_append_what_one_costs(tmp_path: Path) -> None:
    tokens = make_ledger(tmp_path)
    read, taken = asyncio.run(counted(tmp_path, tokens["auditor"], 200, 20))
    # As many as there were looks: no more than their pause lets be, and no more than there was to see.
    assert read <= min(taken / PAUSE_S, 20) + 2


async def woken_by(ledger: Ledger, matches: Sequence[Sequence[Match]], appended: int) -> list[int]:
    """Follow with a stream for each of `matches` while entries are appended; return how often each was woken by them."""
    streams = Streams()
    woken = [0] * len(matches)
    found: list[list[int]] = [[] for _ in matches]
    size = ledger.size()

    async def follow(index: int) -> None:
        with streams.opened(ledger, size, matches[index]) as stream:
            wait = stream.grown.wait

            async def counted() -> Any:
                woken[index] += 1
                return await wait()

            stream.grown.wait = counted  # type: ignore[method-assign]
            async for position in told(streams, ledger, stream):
                found[index].append(position)

    followers = [asyncio.create_task(follow(index)) for index in range(len(matches))]
    # Each waits for the second time: the first look wakes all.
    while min(woken) < 2:
        await asyncio.sleep(0.001)
    for _ in range(appended):
        await asyncio.to_thread(append, ledger, cloud_event("change.opened", change_id="CHG-1"))
    while len(found[0]) < appended:
        await asyncio.sleep(0.001)
    again = [number - 2 for number in woken]
    streams.close()
    await asyncio.gather(*followers)
    assert found == [list(range(size + 1, size + appended + 1)), *[[]] * (len(matches) - 1)]
    return again


def test_a_stream_is_not_woken_by_what_it_did_not_ask_for(ledger: Ledger) -> None:
    wanted, other = (Match(("change.opened",)),), (Match(("deployment.started",)), Match(refs=("change:CHG-2",)))
    first, *others = asyncio.run(woken_by(ledger, [wanted, *[other] * 19], 10))
    assert first > 0
    assert others == [0] * 19


def test_a_stream_that_is_behind_reads_up_and_goes_on_with_the_others(ledger: Ledger) -> None:
    append(ledger, *[cloud_event("change.opened") for _ in range(20)])
    size = ledger.size()

    async def follow() -> list[int]:
        streams = Streams()
        with streams.opened(ledger, 0) as stream:
            found = []
            async for position in told(streams, ledger, stream):
                found.append(position)
                if position == size:
                    await asyncio.to_thread(append, ledger, cloud_event("change.opened"))
                if position > size:
                    streams.close()
        return found

    assert asyncio.run(follow()) == list(range(1, size + 2))


def test_what_many_ask_at_once_is_looked_up_once() -> None:
    looks: list[float] = []

    async def ask() -> None:
        shared = Shared(lambda: looks.append(0) or len(looks), pause_s=3600)
        assert await asyncio.gather(*[shared.get() for _ in range(500)]) == [1] * 500
        assert await shared.get() == 1
        shared = Shared(lambda: looks.append(0) or len(looks), pause_s=0)
        assert [await shared.get(), await shared.get()] == [2, 3]

    asyncio.run(ask())

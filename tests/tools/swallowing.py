"""A proxy in front of a database that can begin to swallow: every byte is acknowledged, and nothing comes back. Not one that is gone."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class SwallowingProxy:
    """Passes on what comes to `port`. What is open or opened while it swallows stays silent for ever; what is opened later passes again."""

    def __init__(self, port: int) -> None:
        self._to = port
        self.port = 0
        self.swallows = False
        self._writers: list[asyncio.StreamWriter] = []

    async def serve(self, ready: threading.Event, stop: asyncio.Event) -> None:
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        ready.set()
        await stop.wait()
        server.close()
        for writer in self._writers:
            writer.transport.abort()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there = None
        self._writers.append(writer)
        if not self.swallows:
            there_reader, there = await asyncio.open_connection("127.0.0.1", self._to)
            self._writers.append(there)
            back = asyncio.create_task(self._pass(there_reader, writer))
        await self._pass(reader, there)
        if there is not None:
            there.close()
            await back

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter | None) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(65_536):
                if self.swallows:
                    writer = None
                if writer is not None:
                    writer.write(data)
                    await writer.drain()
        if writer is not None:
            writer.close()


@contextmanager
def swallowing_proxy(port: int) -> Iterator[SwallowingProxy]:
    """Run a proxy to a port of this machine in a thread."""
    proxy, ready = SwallowingProxy(port), threading.Event()
    loop, stop = asyncio.new_event_loop(), asyncio.Event()

    def run() -> None:
        asyncio.set_event_loop(loop)
        loop.run_until_complete(proxy.serve(ready, stop))
        loop.close()

    thread = threading.Thread(target=run, name="proxy", daemon=True)
    thread.start()
    assert ready.wait(600)
    try:
        yield proxy
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(600)

"""The load: HTTP/1.1 clients over keep-alive connections, in a process of their own, as lean as Python allows.

`python -m benchmarks.load` reads one order a line on its standard input (`Order` as JSON) and answers each with one line (`Answer`).
Requests are made before the clock starts. Closed loop: a client sends its next request when it has its answer. Open loop (`rate`):
requests are due at fixed times, whatever the server does, and a latency begins when a request was *due*, so that a server that stands
still is charged for all who would have come.
"""

import asyncio
import json
import sys
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

import uvloop

from benchmarks.events import event

# More than any server here answers: the requests that are made beforehand.
MOST_PER_SECOND = 20_000


@dataclass
class Order:
    """What load to put on which port. `batch` events a request; `first` is the number of the first event."""

    port: int
    token: str
    clients: int
    seconds: float
    first: int
    batch: int = 1
    rate: float | None = None


@dataclass
class Answer:
    """What was answered: events accepted, the time it took, latencies in milliseconds, and the numbers of events used up."""

    events: int
    seconds: float
    used: int
    statuses: dict[str, int] = field(default_factory=dict)
    latency_ms: dict[str, float] = field(default_factory=dict)
    wrong: str = ""


def requests(order: Order) -> list[bytes]:
    """Make the requests of an order."""
    most = order.rate or (MOST_PER_SECOND if order.batch == 1 else 2 * MOST_PER_SECOND / order.batch)
    kind = "application/cloudevents+json" if order.batch == 1 else "application/cloudevents-batch+json"
    made = []
    for number in range(int(most * order.seconds) + order.clients):
        first = order.first + number * order.batch
        bodies = [event(n, kind=0 if order.batch == 1 else None) for n in range(first, first + order.batch)]
        body = bodies[0] if order.batch == 1 else b"[%b]" % b",".join(bodies)
        made.append(
            b"POST /v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer %b\r\nContent-Type: %b\r\nContent-Length: %d\r\n\r\n%b"
            % (order.token.encode(), kind.encode(), len(body), body)
        )
    return made


class Client(asyncio.Protocol):
    """One connection with at most one request on its way."""

    def __init__(self, run: "Run") -> None:
        self._run = run
        self._received = b""
        self._due = 0.0
        self.transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def send(self, request: bytes, due: float) -> None:
        self._due = due
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        received = self._received + data if self._received else data
        end = received.find(b"\r\n\r\n")
        if end > 0:
            start = received.find(b"content-length: ") + 16
            if len(received) >= end + 4 + int(received[start : received.index(b"\r", start)]):
                self._received = b""
                self._run.answered(self, received, self._due)
                return
        self._received = received

    def connection_lost(self, error: Exception | None) -> None:
        self._run.lost(error)


class Run:
    """One order, being carried out."""

    def __init__(self, order: Order) -> None:
        self.order = order
        self.requests: Iterator[bytes] = iter(requests(order))
        self.latencies: list[float] = []
        self.statuses: dict[str, int] = {}
        self.used = self.in_flight = 0
        self.wrong = ""
        self.stop_at = self.last = 0.0
        self.idle: deque[Client] = deque()
        self.waiting: deque[float] = deque()
        self.finished = asyncio.Event()

    def answered(self, client: Client, answer: bytes, due: float) -> None:
        now = time.perf_counter()
        status = answer[9:12].decode()
        self.statuses[status] = self.statuses.get(status, 0) + 1
        if status != "201" and not self.wrong:
            self.wrong = answer.decode(errors="replace")[:600]
        self.latencies.append(now - due)
        self.last = now
        self.in_flight -= 1
        if self.order.rate is None and now < self.stop_at:
            self.send(client, now)
        elif self.waiting:
            self.send(client, self.waiting.popleft())
        else:
            self.idle.append(client)
            if self.in_flight == 0 and now >= self.stop_at:
                self.finished.set()

    def send(self, client: Client, due: float) -> None:
        if (request := next(self.requests, None)) is None:
            self.wrong = "the server was quicker than expected: raise MOST_PER_SECOND"
            self.finished.set()
            return
        self.used += 1
        self.in_flight += 1
        client.send(request, due)

    def lost(self, error: Exception | None) -> None:
        if not self.finished.is_set():
            self.wrong = f"a connection was closed: {error}"
            self.finished.set()

    async def carry_out(self) -> Answer:
        loop = asyncio.get_running_loop()
        clients = [
            (await loop.create_connection(lambda: Client(self), "127.0.0.1", self.order.port))[1]
            for _ in range(self.order.clients)
        ]
        start = time.perf_counter()
        self.stop_at = start + self.order.seconds
        if self.order.rate is None:
            for client in clients:
                self.send(client, start)
        else:
            self.idle.extend(clients)
            await self._pace(start, self.order.rate)
        if self.in_flight == 0 and self.order.rate is not None:
            self.finished.set()
        await asyncio.wait_for(self.finished.wait(), self.order.seconds + 60)
        for client in clients:
            client.transport.close()
        self.latencies.sort()
        part = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "max": 1.0}
        last = len(self.latencies) - 1
        return Answer(
            events=self.statuses.get("201", 0) * self.order.batch,
            seconds=self.last - start,
            used=self.used * self.order.batch,
            statuses=self.statuses,
            latency_ms={name: 1000 * self.latencies[int(last * at)] for name, at in part.items()} if last >= 0 else {},
            wrong=self.wrong,
        )

    async def _pace(self, start: float, rate: float) -> None:
        sent, total = 0, int(rate * self.order.seconds)
        while sent < total:
            due_by_now = min(total, int((time.perf_counter() - start) * rate) + 1)
            while sent < due_by_now:
                due = start + sent / rate
                if self.idle:
                    self.send(self.idle.popleft(), due)
                else:
                    self.waiting.append(due)
                sent += 1
            await asyncio.sleep(0.0005)
        self.stop_at = 0.0


def main() -> None:
    async def carry_out(order: Order) -> Answer:
        return await Run(order).carry_out()

    for line in sys.stdin:
        answer = uvloop.run(carry_out(Order(**json.loads(line))))
        print(json.dumps(asdict(answer)), flush=True)


if __name__ == "__main__":
    main()

"""All connections of a process, and who has to go when there are too many of them, or too many bytes of bodies.

A stranger is who has not shown a credential yet. The network (a /24 or /48) that holds most loses first, and in it the
slowest: two hundred strangers who dribble go before one sender who is quick, whoever came first. Nobody is dropped whose
request is being worked on, nor for strangers a caller that is known.

A quarter of the connections is for strangers, as everybody is one until the head of a request is read. Where they have less, the
credential loses that holds most: first what only goes on, a stream or an answer that is not read, which is taken up again;
then what is not whole yet, or waits for its turn (`api.http.shares`). So one token keeps nobody out, whatever it opens and sends.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Protocol

from api.http.addresses import Network

# Who has only just begun a request counts as this quick.
CREDIT_BYTES: Final = 65_536
SWEEP_S: Final = 1.0
# One in so many connections.
STRANGERS_SHARE: Final = 4


@dataclass(frozen=True, slots=True)
class Bounds:
    """What may be taken from the server before anybody is known."""

    header_timeout_s: float = 10
    body_timeout_s: float = 60
    max_header_bytes: int = 32_768
    max_connections: int = 500
    max_unauthenticated_bytes: int = 67_108_864
    max_authenticated_bytes: int = 268_435_456
    trusted_proxies: tuple[Network, ...] = ()


class Connection(Protocol):
    """One connection. `began` is when its request did; `pace` what it sent lately, in bytes, halved every second; `held` its
    bytes that are kept here; `holder` the credential of a known caller; `body_size` how much of its body came.
    """

    network: str
    began: float
    pace: float
    held: int
    holder: str
    body_size: int

    @property
    def droppable(self) -> bool: ...
    @property
    def goes_on(self) -> bool: ...
    @property
    def is_begun(self) -> bool: ...
    @property
    def dropped(self) -> bool: ...
    def drop(self, why: str) -> None: ...
    def sweep(self, now: float) -> None: ...


class Connections:
    """Used from the event loop alone."""

    def __init__(self, bounds: Bounds) -> None:
        self.bounds = bounds
        self._open: set[Connection] = set()
        # Dropped, and not closed by the other side yet.
        self._leaving: set[Connection] = set()
        self._holding: set[Connection] = set()
        self._held = 0
        self._sweeping = False

    def admit(self, connection: Connection) -> None:
        """Take in a new connection; over the limit somebody has to go, if need be the new one."""
        self._open.add(connection)
        if not self._sweeping:
            self._sweeping = True
            asyncio.get_running_loop().call_later(SWEEP_S, self._sweep)
        if len(self._open) > self.bounds.max_connections:
            victim = self._first_to_go() or connection
            self._open.discard(victim)
            self._leaving.add(victim)
            victim.drop("more connections are open than the server holds")

    def _first_to_go(self) -> Connection | None:
        now = asyncio.get_running_loop().time()
        strangers = [one for one in self._open if one.droppable]
        if len(strangers) <= self.bounds.max_connections // STRANGERS_SHARE:
            known = [one for one in self._open if one.holder]
            for leaving in ([one for one in known if one.goes_on], [one for one in known if one.is_begun]):
                if (victim := _slowest(leaving, now, lambda _: 1, _holder)) is not None:
                    return victim
        return _slowest(strangers, now, lambda _: 1)

    def weigh(self) -> None:
        """Let go of bodies of known callers while they are too many bytes together; one by itself may be as long as a body may be."""
        known = [one for one in self._open if one.holder]
        bodies = [one for one in known if one.is_begun and one.body_size]
        size = sum(one.body_size for one in known)
        while size > self.bounds.max_authenticated_bytes and len(bodies) > 1:
            victim = _slowest(bodies, asyncio.get_running_loop().time(), lambda one: one.body_size, _holder)
            assert victim is not None
            bodies.remove(victim)
            size -= victim.body_size
            self._open.discard(victim)
            self._leaving.add(victim)
            victim.drop("more is being sent than the server holds")

    def forget(self, connection: Connection) -> None:
        """Let go of a connection that was closed."""
        self._open.discard(connection)
        self._leaving.discard(connection)

    @contextmanager
    def holding(self, connection: Connection) -> Iterator[Callable[[int], bool]]:
        """Count what is kept of a stranger's body. The function takes so many bytes more, and says whether it may stay."""
        self._holding.add(connection)

        def hold(more: int) -> bool:
            connection.held += more
            self._held += more
            while self._held > self.bounds.max_unauthenticated_bytes and self._holding:
                victim = _slowest(list(self._holding), asyncio.get_running_loop().time(), lambda one: one.held)
                assert victim is not None
                self._let_go(victim)
                victim.drop("more is being sent by unknown senders than the server holds")
            return connection in self._holding

        try:
            yield hold
        finally:
            self._let_go(connection)

    def _let_go(self, connection: Connection) -> None:
        self._holding.discard(connection)
        self._held -= connection.held
        connection.held = 0

    def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        for connection in [*self._open, *self._leaving]:
            connection.pace /= 2
            connection.sweep(now)
        self._sweeping = bool(self._open or self._leaving)
        if self._sweeping:
            loop.call_later(SWEEP_S, self._sweep)


def _network(one: Connection) -> str:
    return one.network


def _holder(one: Connection) -> str:
    return one.holder


def _slowest(
    connections: list[Connection],
    now: float,
    weight: Callable[[Connection], int],
    whose: Callable[[Connection], str] = _network,
) -> Connection | None:
    """Return the slowest connection of the network, or holder, that weighs most; among those that only just began, the oldest."""
    weights: Counter[str] = Counter()
    for one in connections:
        weights[whose(one)] += weight(one)
    if not weights:
        return None
    heaviest = max(weights, key=weights.__getitem__)

    def rank(one: Connection) -> tuple[float, float]:
        return max(one.pace, CREDIT_BYTES) if now < one.began + SWEEP_S else one.pace, one.began

    return min((one for one in connections if whose(one) == heaviest), key=rank)

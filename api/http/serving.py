"""A socket and a server around an application: what `serve` and `witness serve` share."""

import asyncio
import errno
import resource
import socket
from collections.abc import Callable
from functools import partial
from types import FrameType
from typing import Any, cast

import typer
import uvicorn

from api.ending import end_within
from api.http.connections import Bounds, Connections
from api.http.protocol import BoundedProtocol
from ledger.errors import SetupError

GRACEFUL_SHUTDOWN_S = 10
# After an order to stop: answers, what is queued, the last checkpoint and the views are done by then, or something hangs.
ENDING_S = 30
BACKLOG = 2048
# Files that a process has open besides its connections: databases, logs, spooled bodies.
OTHER_FILES = 1000


def serve(
    served: Any, host: str, port: int, *, bounds: Bounds | None = None, on_exit: Callable[[], None] = lambda: None
) -> None:
    """Serve an application until the process is told to stop; `on_exit` is called then, before answers are waited for.

    Raises SetupError when the address cannot be listened on.
    """
    bounds = bounds or Bounds()
    _allow_files(bounds.max_connections + OTHER_FILES)
    config = uvicorn.Config(
        served,
        # uvicorn takes whatever makes a protocol.
        http=cast(type[asyncio.Protocol], partial(BoundedProtocol, Connections(bounds))),
        ws="none",
        # It warns of every request that is no HTTP: a log for strangers to fill.
        log_level="error",
        timeout_graceful_shutdown=GRACEFUL_SHUTDOWN_S,
        server_header=False,
        # Which forwarded addresses count is decided by the protocol.
        proxy_headers=False,
    )
    with listen(host, port) as listening:
        # The line that scripts wait for: the socket accepts from here on.
        typer.echo(f"serving http://{f'[{host}]' if ':' in host else host}:{listening.getsockname()[1]}")
        _Server(config, on_exit).run(sockets=[listening])


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that accepts connections. Raises SetupError when the address is taken, or not this machine's."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family, kind, protocol)
    except OSError as error:
        raise SetupError(f"cannot listen on {host}: {error.strerror or error}") from error
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(BACKLOG)
    except OSError as error:
        listening.close()
        remedy = "; stop the program that listens there, or choose another --port"
        raise SetupError(
            f"cannot listen on {host}, port {port}: {error.strerror or error}"
            f"{remedy if error.errno == errno.EADDRINUSE else ''}"
        ) from error
    return listening


def _allow_files(wanted: int) -> None:
    """Let the process have so many files open, if its hard limit does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


class _Server(uvicorn.Server):
    """Ends open streams when it is told to stop, instead of waiting for their readers to leave; and itself, whatever does not answer."""

    def __init__(self, config: uvicorn.Config, on_exit: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_exit = on_exit

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if not self.should_exit:
            end_within(ENDING_S)
        self._on_exit()
        super().handle_exit(sig, frame)

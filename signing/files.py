"""Files that somebody names, of whom nobody knows what they are: regular ones, pipes that a shell made, devices without end."""

import errno
import os
import stat
from pathlib import Path


def read_at_most(path: Path, size: int) -> bytes:
    """Return the first bytes of a file, at most so many. A pipe into which nobody writes is empty: it keeps no reader waiting.

    Raises OSError, naming the file, for what cannot be read.
    """
    try:
        file = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        with os.fdopen(file, "rb", buffering=0) as opened:
            return _read(opened.fileno(), size)
    except OSError as error:
        raise type(error)(error.errno, error.strerror, str(path)) from None


def _read(file: int, size: int) -> bytes:
    mode = os.fstat(file).st_mode
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    found = bytearray()
    try:
        found += os.read(file, min(size, 65_536))
        more = bool(found)
    except BlockingIOError:
        # Whoever has a pipe open is going to write, as the other side of `<(…)` does; whoever sits at a terminal, perhaps.
        if not stat.S_ISFIFO(mode) and not os.isatty(file):
            raise
        more = True
    os.set_blocking(file, True)
    while more and len(found) < size:
        part = os.read(file, min(size - len(found), 1 << 20))
        found += part
        more = bool(part)
    return bytes(found)

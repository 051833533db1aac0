"""Files: those that must be on the disk, whole, before anybody is told so; and those of strangers, read with distrust."""

import errno
import os
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from ledger.errors import SetupError
from signing.files import read_at_most

# Longer than any file of an export: evidence has at most the 8 MiB of a body, the texts of 256 entries a little more.
MAX_FILE_BYTES: Final = 1 << 26
# Whoever reads the file may, as the umask has it; or its owner alone.
SHARED: Final = 0o666
OWN: Final = 0o600


def read_below(root: Path, name: str, *, limit: int = MAX_FILE_BYTES) -> bytes:
    """Return the bytes of the regular file `name` (with `/` between its parts) below a directory that a stranger filled.

    Raises FileNotFoundError where there is none, and OSError for a link anywhere on the way, for what is not a regular file
    (a pipe would keep the reader waiting), and for one of more than `limit` bytes.
    """
    *folders, last = name.split("/")
    at = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for folder in folders:
            _check_kind(at, folder, name, stat.S_ISDIR)
            inner = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=at)
            os.close(at)
            at = inner
        # Asked before it is opened: opening a device may do something. And again by the flags: it may be swapped meanwhile.
        _check_kind(at, last, name, stat.S_ISREG)
        file = os.open(last, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=at)
    except FileNotFoundError as error:
        raise FileNotFoundError(errno.ENOENT, "it is not there", name) from error
    finally:
        os.close(at)
    with os.fdopen(file, "rb") as opened:
        return _bounded(opened.read(limit + 1), name, limit)


def read_bounded(path: Path, *, limit: int = MAX_FILE_BYTES) -> bytes:
    """Return the bytes of a file that its reader named, a pipe perhaps. Raises OSError for more than `limit` of them."""
    return _bounded(read_at_most(path, limit + 1), str(path), limit)


def read_input(path: Path, *, limit: int = MAX_FILE_BYTES) -> bytes:
    """Return the bytes of a file that its reader named; of standard input for `-`. Raises OSError for more than `limit` of them."""
    if str(path) == "-":
        return _bounded(sys.stdin.buffer.read(limit + 1), "standard input", limit)
    return read_bounded(path, limit=limit)


def read_configured(path: Path, *, limit: int = MAX_FILE_BYTES) -> str | None:
    """Return the text of a file that was not named in a command, but is looked for at its place; None where nothing is there.

    Raises SetupError for what is there and is no text of a regular file: a pipe would keep the reader waiting, and a link that leads
    nowhere, taken for nothing, would leave out what somebody set.
    """
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise SetupError(f"{path}: expected a regular file, found something else; move it away")
        return read_bounded(path, limit=limit).decode()
    except UnicodeDecodeError as error:
        raise SetupError(f"{path}: expected text in UTF-8, found other bytes at {error.start}") from error
    except OSError as error:
        raise SetupError(f"{path}: {error.strerror or error}") from error


def _bounded(data: bytes, name: str, limit: int) -> bytes:
    if len(data) > limit:
        raise OSError(errno.EFBIG, f"expected at most {limit} bytes, found more", name)
    return data


def _check_kind(folder: int, part: str, name: str, is_kind: Callable[[int], bool]) -> None:
    mode = os.stat(part, dir_fd=folder, follow_symlinks=False).st_mode
    if stat.S_ISLNK(mode):
        raise OSError(errno.ELOOP, f"{part} is a link, and links of strangers are not followed", name)
    if not is_kind(mode):
        # As `read_or_none` expects it of what is there and is not a file.
        kind = IsADirectoryError if stat.S_ISDIR(mode) else NotADirectoryError if is_kind is stat.S_ISDIR else OSError
        raise kind(errno.EINVAL, f"{part} is no {'directory' if is_kind is stat.S_ISDIR else 'regular file'}", name)


def said(error: Exception) -> str:
    """Return what an error says without its number: `<file>: <what>`."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error)


def write_out(path: Path, text: str) -> None:
    """Write what a command was told to put somewhere: a file is replaced whole or not at all, a device or a pipe is written to.

    Raises OSError with the name of the file.
    """
    if path.exists() and not path.is_file():
        with _naming(path):
            path.write_text(text)
    else:
        write_durably(path, text.encode(), mode=SHARED)


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Name the file in an error that does not: a full disk is told of the descriptor."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


def write_durably(path: Path, data: bytes, *, mode: int = OWN) -> None:
    """Replace a file, for its owner alone unless told otherwise. When this returns, a power failure does not bring the old one back.

    Raises OSError with the name of the file, which stands as it was.
    """
    part = path.with_name(path.name + ".part")
    with _naming(path):
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        except OSError:
            part.unlink(missing_ok=True)
            raise
    # Dies here: the old file stands.
    part.replace(path)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)

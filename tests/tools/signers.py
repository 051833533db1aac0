"""Signers of checkpoints for tests: a host with a memory, a disk whose every step can fail, and the law they must keep."""

import errno
import os
import signal
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from ledgers import CHECKPOINT_KEY, ENTRY_KEY, ORIGIN, append, cloud_event
from textbook_tree import textbook_root

from ledger.ledger import Ledger
from ledger.log import tables
from ledger.log.database import Database
from ledger.published import durable, signer
from ledger.published.signer import CheckpointSigner, Memory
from signing.checkpoint import check_checkpoint
from signing.keys import SigningKey
from signing.notes import Note, NoteKey, parse_note

# What signing does, in its order.
STEPS = ("open", "write", "fsync", "rename", "open directory", "fsync directory", "insert", "commit")


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 600
    while not condition():
        assert time.monotonic() < deadline


class Host:
    """A ledger, a checkpoint key, and the file in which this host remembers what it signed."""

    def __init__(self, ledger: Ledger, path: Path, key: SigningKey = CHECKPOINT_KEY) -> None:
        self.ledger = ledger
        self.path = path
        self.memory = Memory(path)
        self.signer = CheckpointSigner(ledger.database, key, self.memory, ledger.current_authority)

    @classmethod
    def new(cls, ledger: Ledger, path: Path) -> "Host":
        """A host on which the ledger was made."""
        Memory(path).begin(ORIGIN, CHECKPOINT_KEY)
        return cls(ledger, path)

    def again(self, key: SigningKey = CHECKPOINT_KEY) -> "Host":
        """The same host after a restart, maybe with another key."""
        self.signer.release()
        self.signer = CheckpointSigner(self.ledger.database, key, Memory(self.path), self.ledger.current_authority)
        return self

    def sign(self) -> Note | None:
        # The server takes back the lock of a connection that was closed in its own time.
        wait_until(self.signer.acquire)
        return self.signer.sign()

    def grow(self, count: int = 1) -> None:
        # Ids that a forked child does not use again.
        append(self.ledger, *(cloud_event(id=uuid.uuid4().hex) for _ in range(count)))

    def signed(self, count: int = 1) -> Note:
        """Grow, sign, and return the note."""
        self.grow(count)
        note = self.sign()
        assert note is not None
        return note

    def state(self) -> tuple[bytes | None, list[tuple[int, str]]]:
        """What is remembered and what is kept, byte for byte."""
        return self.path.read_bytes() if self.path.exists() else None, self.kept()

    def kept(self) -> list[tuple[int, str]]:
        with self.ledger.database.engine.connect() as connection:
            rows = connection.execute(sa.select(tables.checkpoints.c.size, tables.checkpoints.c.note).order_by("size"))
            return [(size, note) for size, note in rows]

    def leaves(self) -> list[bytes]:
        e = tables.entries.c
        with self.ledger.database.engine.connect() as connection:
            return list(connection.execute(sa.select(e.leaf_hash).order_by(e.position)).scalars())

    @contextmanager
    def refusing(self, error: type[Exception] | tuple[type[Exception], ...], message: str) -> Iterator[None]:
        """What is done in here is refused with this message, and leaves neither memory nor checkpoints altered."""
        before = self.state()
        with pytest.raises(error, match=message):
            yield
        assert self.state() == before


def open_copy(path: Path) -> Ledger:
    """Open a SQLite file with the test's entry key: a backup that was put back."""
    return Ledger.open(Database(f"sqlite:///{path}"), ENTRY_KEY)


def consistent(notes: list[str], leaves: list[bytes], *, origin: str = ORIGIN) -> None:
    """The law: each of these notes is signed, and each states the root of the one history, so that no two contradict."""
    key = NoteKey(origin, CHECKPOINT_KEY.public_key)
    for text in notes:
        checkpoint = check_checkpoint(parse_note(text.encode()), [key])
        assert checkpoint.root == textbook_root(leaves[: checkpoint.size]), f"a false checkpoint of {checkpoint.size}"
        assert checkpoint.size <= len(leaves)


def in_child(work: Callable[[], None]) -> int:
    """Run in a forked child and return how it ended: 0, minus a signal, or 1 when it raised."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            work()
            status = 0
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def kill_itself() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def disk_full() -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


class Disk:
    """Stands where the signer's module of files finds `os`; does as it does, and fails when it is told to.

    A file counts as durable once the directory was synced after it was put there; what a power failure brings back.
    """

    def __init__(self, patch: pytest.MonkeyPatch, host: Host) -> None:
        self.fail: Callable[[], None] = disk_full
        self.at: tuple[str, str] | None = None
        self.durable = host.path.read_bytes()
        self.remembered = [self.durable.decode()]
        self.too_early: list[str] = []
        self._path = host.path
        self._directories: set[int] = set()
        store, replace = signer.store_checkpoint, Path.replace
        patch.setattr(durable, "os", self)
        dialect = host.ledger.database.engine.dialect
        commit = dialect.do_commit

        def storing(connection: Any, note: Note) -> None:
            if self.durable.decode() != str(note):
                self.too_early.append(str(note))
            self._step("insert", lambda: store(connection, note))

        def replacing(source: Path, target: Path) -> None:
            def move() -> None:
                replace(source, target)
                self.remembered.append(target.read_text())

            self._step("rename", move)

        patch.setattr(signer, "store_checkpoint", storing)
        patch.setattr(Path, "replace", replacing)
        patch.setattr(dialect, "do_commit", lambda connection: self._step("commit", lambda: commit(connection)))

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def open(self, path: Path, flags: int, mode: int = 0o777) -> int:
        step = "open directory" if path.is_dir() else "open"
        opened: int = self._step(step, lambda: os.open(path, flags, mode))
        if path.is_dir():
            self._directories.add(opened)
        return opened

    def fsync(self, descriptor: int) -> None:
        if descriptor not in self._directories:
            self._step("fsync", lambda: os.fsync(descriptor))
            return

        def sync() -> None:
            os.fsync(descriptor)
            self.durable = self._path.read_bytes()

        self._step("fsync directory", sync)

    def close(self, descriptor: int) -> None:
        self._directories.discard(descriptor)
        os.close(descriptor)

    @contextmanager
    def fdopen(self, descriptor: int, mode: str) -> Iterator[Any]:
        disk = self
        with os.fdopen(descriptor, mode) as file:

            class Written:
                fileno = staticmethod(file.fileno)
                flush = staticmethod(file.flush)

                @staticmethod
                def write(data: bytes) -> None:
                    if disk.at == ("write", "after"):
                        # Of what was to be written, a part is there.
                        file.write(data[: len(data) // 2])
                        file.flush()
                        disk.trip()
                    disk._step("write", lambda: file.write(data))

            yield Written

    def trip(self) -> None:
        self.at = None
        self.fail()

    def _step(self, name: str, work: Callable[[], Any]) -> Any:
        if self.at == (name, "before"):
            self.trip()
        result = work()
        if self.at == (name, "after"):
            self.trip()
        return result

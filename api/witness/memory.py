"""What a witness remembers: the last checkpoint of each log that it cosigned. Checked and kept in one step."""

import fcntl
import hashlib
import logging
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ledger.errors import SetupError
from ledger.published.durable import write_durably
from signing.errors import VerificationError
from signing.notes import (
    Note,
    NoteKey,
    SignatureLine,
    parse_note,
)
from signing.witness import (
    Witness,
    check_cosigned,
    parse_request,
    remembered,
)

log = logging.getLogger("change_ledger")


class WitnessStore:
    """What a witness remembers: for every log the last checkpoint that it cosigned, a file each.

    Any number of threads and processes may share the directory. A log without a file was never cosigned: nothing here
    notices that a whole memory was removed, or replaced by an older one.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._mutex = threading.Lock()
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)

    @staticmethod
    def name_of(origin: str) -> str:
        """Return the name of a log's file, which is also its place in the monitoring URL."""
        return hashlib.sha256(origin.encode()).hexdigest()

    def read(self, origin: str, key: NoteKey) -> Note | None:
        """Return the checkpoint of a log that was cosigned last, None when there is none. Raises SetupError when it cannot be read.

        It is durable: a write that failed halfway may have left one that a power failure would take back.
        """
        with self._locked():
            if (note := self._read(origin, key)) is not None:
                directory = os.open(self.directory, os.O_RDONLY)
                try:
                    os.fsync(directory)
                finally:
                    os.close(directory)
            return note

    def cosign(self, witness: Witness, body: bytes, clock: Callable[[], float]) -> SignatureLine:
        """Check a checkpoint against what is remembered, remember it, and return the line: one step, for all processes.

        Raises WitnessRefusalError; SetupError when the memory cannot be read, which is never taken for an empty one, or
        cannot be kept.
        """
        *_, submitted = parse_request(body)
        origin = witness.origin_of(submitted)
        with self._locked():
            known = self._read(origin, witness.key)
            last = remembered(str(known).encode(), origin) if known is not None else None
            note, line = witness.cosign(body, last, int(clock()))
            # Dies here: nothing was promised.
            write_durably(self.directory / self.name_of(origin), str(note).encode())
            # Dies here, or failed in there after the rename: nobody has the line; the log asks again, and is told the size.
        return line

    def _read(self, origin: str, key: NoteKey) -> Note | None:
        try:
            data = (self.directory / self.name_of(origin)).read_bytes()
        except FileNotFoundError:
            return None
        try:
            note = parse_note(data)
            # What this witness did not sign is not its memory, whoever wrote it.
            check_cosigned(note, [key], at_least=1)
            remembered(data, origin)
        except VerificationError as error:
            raise SetupError(
                f"the memory of {ascii(origin)[:160]} in {self.directory} cannot be read: {error}; this log is not "
                "cosigned until its file is restored"
            ) from error
        return note

    @contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            with self._mutex, (self.directory / "lock").open("ab") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                yield
        except OSError as error:
            raise SetupError(f"the memory in {self.directory} cannot be kept: {error}") from error

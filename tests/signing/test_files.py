"""Files of which nobody knows what they are: none keeps its reader waiting, or is read without end."""

import os
import threading
from pathlib import Path

import pytest

from signing.errors import KeyFormatError
from signing.files import read_at_most
from signing.keys import load_public


def test_a_file_is_read_as_far_as_it_may_be_long(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * 200_000)
    assert read_at_most(path, 300_000) == b"x" * 200_000
    assert len(read_at_most(path, 100_001)) == 100_001
    assert len(read_at_most(Path("/dev/zero"), 70_000)) == 70_000


def test_a_pipe_into_which_nobody_writes_is_empty(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert read_at_most(tmp_path / "pipe", 10) == b""
    with pytest.raises(KeyFormatError):
        load_public(tmp_path / "pipe")


def test_what_comes_by_a_pipe_is_read_to_its_end() -> None:
    reading, writing = os.pipe()

    def write() -> None:
        with os.fdopen(writing, "wb", buffering=0) as file:
            for _ in range(30):
                file.write(b"x" * 10_000)

    writer = threading.Thread(target=write)
    # Before anything was written, as when a shell begins both sides at once.
    threading.Timer(0.01, writer.start).start()
    try:
        assert len(read_at_most(Path(f"/dev/fd/{reading}"), 1_000_000)) == 300_000
    finally:
        os.close(reading)


def test_what_cannot_be_read_is_told_by_its_name(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none", tmp_path / ("n" * 300), tmp_path / "loop"):
        if path.name == "loop":
            path.symlink_to(path)
        with pytest.raises(OSError, match=path.name[:20]):
            read_at_most(path, 10)

"""What stands where a command looks for a file, or is to put one: pipes, devices, links that lead nowhere, and disks without room."""

import os
import resource
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from commands import Command

from api.cli import writing
from api.settings import SETTINGS_FILE, Settings
from ledger.published.durable import MAX_FILE_BYTES, write_durably, write_out


def binary(path: Path) -> None:
    path.write_bytes(b"\x00\xff\xfe")


def endless(path: Path) -> None:
    path.symlink_to("/dev/zero")


def loop(path: Path) -> None:
    path.symlink_to(path)


def lost(path: Path) -> None:
    path.symlink_to(path.with_name("nowhere"))


KINDS = [binary, endless, loop, lost, os.mkfifo, os.mkdir]


@pytest.mark.parametrize("make", KINDS)
def test_what_is_no_file_of_settings_is_refused_and_not_passed_over(
    cli: Command, directory: Path, make: Callable[[Path], None]
) -> None:
    make(Path(SETTINGS_FILE))
    refused = cli("show", "1")
    assert (refused.status, refused.out) == (2, "")
    assert SETTINGS_FILE in refused.err
    assert "Traceback" not in refused.err


@pytest.mark.parametrize("make", KINDS)
def test_what_is_no_file_of_pins_is_no_verdict(cli: Command, make: Callable[[Path], None]) -> None:
    path = Settings().known_ledgers_path
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    make(path)
    refused = cli("verify")
    assert refused.status == 2, refused.err
    assert path.name in " ".join(refused.err.split())
    assert "Traceback" not in refused.err


@pytest.mark.parametrize("words", [("append", "-"), ("digest", "-"), ("intake", "sarif", "-")])
def test_of_a_long_pipe_no_more_is_read_than_of_a_file(
    cli: Command, words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "MAX_BYTES", MAX_FILE_BYTES)
    refused = cli(*words, stdin=bytes(MAX_FILE_BYTES + 1))
    assert refused.status == 2, refused.err
    assert "standard input: expected at most" in " ".join(refused.err.split())


@pytest.fixture
def no_room() -> Iterator[None]:
    """Let no file of this process become longer than a byte, as if the disk were full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("write", [write_out, lambda path, text: write_durably(path, text.encode())])
def test_what_could_not_be_written_leaves_what_was_there(
    tmp_path: Path, write: Callable[[Path, str], None], request: pytest.FixtureRequest
) -> None:
    out = tmp_path / "out"
    out.write_text("from before")
    request.getfixturevalue("no_room")
    with pytest.raises(OSError, match="out"):
        write(out, "a proof")
    assert out.read_text() == "from before"
    assert list(tmp_path.glob("out*")) == [out]


def test_a_device_is_written_to_and_not_replaced(cli: Command) -> None:
    assert cli("checkpoint").status == 0
    assert cli("proof", "1", "--out", "/dev/null").status == 0
    assert not Path("/dev/null").is_file()
    refused = cli("proof", "1", "--out", "/dev/full")
    assert refused.status == 2
    assert "/dev/full" in refused.err

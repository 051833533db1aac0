"""Directories that strangers filled: what is no regular file in them is not read, and no word of theirs makes us wait or grow."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from exports import STRANGERS_KEY, opaque_log

from ledger.audit.log_files import MAX_UNREADABLE, Directory
from ledger.audit.of_any_log import audit_opaque
from ledger.audit.of_files import audit_files
from ledger.audit.report import Report
from ledger.errors import SetupError
from ledger.published import durable as files_module
from ledger.published.durable import read_below, read_bounded
from signing.checkpoint import Checkpoint, sign_checkpoint
from signing.notes import NoteKey

KEY = NoteKey("log.test/opaque", STRANGERS_KEY.public_key)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return opaque_log(tmp_path / "log", [b"entry %d" % number for number in range(300)], STRANGERS_KEY)


def a_link(path: Path) -> None:
    path.symlink_to("/dev/zero")


def a_link_within(path: Path) -> None:
    path.with_name("copy").write_bytes(b"x")
    path.symlink_to("copy")


def said_of(audit: Callable[[], Report]) -> str:
    try:
        return audit().verdict
    except (SetupError, OSError):
        return "refused"


@pytest.mark.parametrize("make", [a_link, a_link_within, os.mkfifo, os.mkdir])
@pytest.mark.parametrize("name", ["checkpoint", "tile/entries/000", "tile/0/001.p/44"])
def test_what_is_no_regular_file_is_not_read(log: Path, make: Callable[[Path], None], name: str) -> None:
    (log / name).unlink()
    make(log / name)
    for audit in (lambda: audit_opaque(Directory(log), [KEY]), lambda: audit_files(Directory(log), workers=1)):
        assert said_of(audit) in ("faults", "refused")


def test_a_linked_folder_is_not_entered(log: Path, tmp_path: Path) -> None:
    (log / "tile" / "entries").rename(tmp_path / "entries")
    (log / "tile" / "entries").symlink_to(tmp_path / "entries")
    with pytest.raises(OSError, match="entries is a link"):
        read_below(log, "tile/entries/000")


def test_a_directory_that_its_reader_names_may_be_a_link(log: Path, tmp_path: Path) -> None:
    (tmp_path / "latest").symlink_to(log)
    assert audit_opaque(Directory(tmp_path / "latest"), [KEY]).verdict == "sound"


def test_a_file_that_is_too_long_is_refused(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (log / "checkpoint").open("r+b") as file:
        file.truncate(files_module.MAX_FILE_BYTES + 1)
    with pytest.raises(SetupError, match=r"checkpoint cannot be read.*at most"):
        audit_opaque(Directory(log), [KEY])
    with pytest.raises(OSError, match="at most 10 bytes"):
        read_bounded(Path("/dev/zero"), limit=10)


def test_a_size_of_which_nothing_is_there_is_not_counted_through(log: Path) -> None:
    note = sign_checkpoint(Checkpoint("log.test/opaque", 1 << 60, bytes(32)), STRANGERS_KEY)
    (log / "checkpoint").write_text(str(note))
    for audit in (lambda: audit_opaque(Directory(log), [KEY]), lambda: audit_files(Directory(log), workers=1)):
        with pytest.raises(SetupError, match=rf"more than {MAX_UNREADABLE} of their bundles"):
            audit()


def test_folders_below_folders_are_listed_without_end(tmp_path: Path) -> None:
    at = os.open(tmp_path, os.O_RDONLY)
    for _ in range(400):
        os.mkdir("d", dir_fd=at)
        inner = os.open("d", os.O_RDONLY, dir_fd=at)
        os.close(at)
        at = inner
    os.close(at)
    assert list(Directory(tmp_path)._names()) == []


def test_a_log_that_keeps_its_entries_in_another_way_is_no_verdict(log: Path) -> None:
    (log / "tile" / "entries").rename(log / "tile" / "data")
    for audit in (lambda: audit_opaque(Directory(log), [KEY]), lambda: audit_files(Directory(log), workers=1)):
        with pytest.raises(SetupError, match=r"not in a format that I read.*tile/data"):
            audit()


def test_what_is_not_there_is_told_by_its_name(log: Path) -> None:
    (log / "tile" / "0" / "001.p" / "44").unlink()
    [fault] = [fault for fault in audit_opaque(Directory(log), [KEY]).faults if fault.kind == "tile-wrong"]
    assert fault.detail == "tile/0/001.p/44: it is not there"

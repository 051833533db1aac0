"""The audit of an export: sound as it was written, and never with one byte, one file, one key of it other than it was.

Several ranges, interruption and memory are in `test_audit_files_long`, an export written anew in `test_audit_files_forged`.
"""

import shutil
from collections.abc import Callable
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import orjson
import pytest
from exports import (
    BY_KEY,
    STRANGERS_KEY,
    Made,
    changed,
    contents,
    make_export,
    paths,
    places_of,
    put,
    verified_once,
)
from ledgers import CHECKPOINT_KEY, ORIGIN, WITNESS_KEY

from ledger.audit.log_files import Directory
from ledger.audit.of_files import audit_files
from ledger.audit.report import Pin
from ledger.errors import SetupError
from signing.checkpoint import Checkpoint, sign_checkpoint
from signing.merkle import EMPTY_ROOT


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return make_export(tmp_path_factory.mktemp("export"))


@pytest.fixture
def files(original: Made, tmp_path: Path) -> Path:
    return original.copy(tmp_path / "files")


def kinds(original: Made, files: Path, **more: Any) -> set[str]:
    return {fault.kind for fault in original.audit(files, **more).faults}


# -- as it was written -----------------------------------------------------------------------------------------------


def test_an_export_is_sound_without_its_database_and_says_how_far_it_is_anchored(original: Made) -> None:
    report = original.audit(original.files)
    assert (report.verdict, report.faults, report.notes, report.exit_status) == ("sound", (), (), 0)
    assert (report.origin, report.size, report.entries) == (ORIGIN, 300, 300)
    assert (report.checkpoint_size, report.anchored_size) == (300, 300)
    assert report.root == original.checkpoints[1].root
    assert report.last_leaf == original.receipts[-1][1]


def test_it_is_sound_under_either_pin_and_consistent_without_one(original: Made) -> None:
    directory = Directory(original.files)
    for pin in (original.pin, BY_KEY, replace(BY_KEY, origin=ORIGIN, genesis=original.genesis)):
        assert audit_files(directory, pin=pin, workers=1).verdict == "sound"
    for pin in (None, Pin(), Pin(origin=ORIGIN)):
        assert audit_files(directory, pin=pin, workers=1).verdict == "consistent"
    assert original.audit(original.files, signatures=False).verdict == "consistent"


@pytest.mark.parametrize(
    ("pin", "kind"),
    [
        (Pin(origin="ledger.test/two"), "not-pinned-origin"),
        (Pin(genesis=bytes(32)), "not-pinned-genesis"),
        (Pin(checkpoint_key=STRANGERS_KEY.public_key), "not-pinned-key"),
        (Pin(checkpoint_key=WITNESS_KEY.public_key), "not-pinned-key"),
    ],
)
def test_a_pin_of_another_ledger_is_a_fault(original: Made, pin: Pin, kind: str) -> None:
    assert [fault.kind for fault in audit_files(Directory(original.files), pin=pin, workers=1).faults] == [kind]


def test_only_witnesses_that_the_auditor_believes_anchor_it(original: Made) -> None:
    directory = Directory(original.files)
    for believed, anchored in ((frozenset({WITNESS_KEY.public_key}), 300), (frozenset(), 0)):
        report = audit_files(directory, pin=replace(original.pin, witnesses=believed), workers=1)
        assert (report.verdict, report.anchored_size) == ("sound", anchored)


# -- what somebody else holds ----------------------------------------------------------------------------------------


def test_checkpoints_and_receipts_that_fit_are_no_faults(original: Made) -> None:
    report = original.audit(original.files, given=original.checkpoints, receipts=original.receipts)
    assert report.verdict == "sound"


@pytest.mark.parametrize("size", [1, 255, 256, 257, 260, 300])
def test_a_checkpoint_of_another_history_is_named_at_its_size(original: Made, size: int) -> None:
    report = original.audit(original.files, given=[Checkpoint(ORIGIN, size, b"\x01" * 32)])
    assert [(fault.position, fault.kind) for fault in report.faults] == [(size, "checkpoint-contradicted")]


def test_a_checkpoint_beyond_the_end_is_named(original: Made) -> None:
    assert kinds(original, original.files, given=[Checkpoint(ORIGIN, 301, b"\x01" * 32)]) == {"checkpoint-contradicted"}


@pytest.mark.parametrize("receipt", [(1, b"\x01" * 32), (300, b"\x01" * 32), (301, b"\x01" * 32), (0, b"\x01" * 32)])
def test_a_receipt_of_an_entry_that_is_not_there_is_broken(original: Made, receipt: tuple[int, bytes]) -> None:
    report = original.audit(original.files, receipts=[*original.receipts, receipt])
    assert [(fault.position, fault.kind) for fault in report.faults] == [(receipt[0], "receipt-broken")]


def test_an_export_put_back_to_its_first_checkpoint_is_caught_by_whoever_holds_the_second(
    original: Made, files: Path
) -> None:
    for name in contents(files):
        if name.endswith(".p/44") or name in {"checkpoints/300", "checkpoint"}:
            (files / name).unlink()
    (files / "checkpoints/index").write_text("260\n")
    shutil.copy(files / "checkpoints/260", files / "checkpoint")
    shutil.rmtree(files / "texts")
    shutil.rmtree(files / "evidence")
    assert original.audit(files).size == 260
    assert original.audit(files).verdict == "sound"
    assert kinds(original, files, given=original.checkpoints) == {"checkpoint-contradicted"}
    assert kinds(original, files, receipts=original.receipts) == {"receipt-broken"}


# -- one byte, one file ------------------------------------------------------------------------------------------------


def missed_bytes(original: Made, files: Path, places: Callable[[int], list[int]], *patterns: int) -> list[Any]:
    missed = []
    for path in paths(files):
        data = path.read_bytes()
        for count, place in enumerate(places(len(data))):
            for pattern in patterns[count % len(patterns) :][:1] if len(patterns) == 2 else patterns:
                with changed(path, data[:place] + bytes([data[place] ^ pattern]) + data[place + 1 :]):
                    if not original.refuses(files):
                        missed.append((str(path.relative_to(files)), place, pattern))
    return missed


def test_any_one_byte_changed_is_found(original: Made, files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with verified_once(monkeypatch):
        assert missed_bytes(original, files, lambda size: places_of(size, 8), 1, 0x20) == []
    assert original.audit(files).verdict == "sound"


@pytest.mark.slow
def test_every_one_byte_changed_is_found(original: Made, files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with verified_once(monkeypatch):
        every = missed_bytes(original, files, lambda size: places_of(size, max(300, min(size, 2048))), 1, 0x20, 0xFF)
    assert every == []


def test_any_file_removed_cut_off_emptied_or_grown_is_found(
    original: Made, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    missed = []
    with verified_once(monkeypatch):
        for path in paths(files):
            data = path.read_bytes()
            half, name = data[: len(data) // 2], str(path.relative_to(files))
            for what in (b"", half, half + bytes(len(data) - len(half)), data[:-1], data + b"\n", data + data):
                with changed(path, what):
                    if not original.refuses(files):
                        missed.append((name, len(what)))
            path.unlink()
            # Older partial tiles may be deleted, says tlog-tiles.
            if not original.refuses(files) and not name.endswith(".p/4"):
                missed.append((name, -1))
            path.write_bytes(data)
    assert missed == []


def test_any_two_files_swapped_are_found(original: Made, files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    missed = []
    with verified_once(monkeypatch):
        for one, two in combinations(paths(files), 2):
            first, second = one.read_bytes(), two.read_bytes()
            with changed(one, second), changed(two, first):
                # The last checkpoint lies there twice.
                if first != second and not original.refuses(files):
                    missed.append((str(one.relative_to(files)), str(two.relative_to(files))))
    assert missed == []


@pytest.mark.parametrize("folder", ["texts", "evidence"])
def test_texts_or_evidence_left_out_altogether_are_a_note_and_one_of_them_a_fault(
    original: Made, files: Path, folder: str
) -> None:
    next(paths(files / folder)).unlink()
    assert original.audit(files).verdict == "faults"
    shutil.rmtree(files / folder)
    report = original.audit(files)
    assert (report.verdict, report.notes) == ("sound", (f"{folder}: left out of these files, and not checked",))


@pytest.mark.parametrize(
    "name",
    [
        "readme.txt",
        ".checkpoint.part",
        "tile/0/002",
        "tile/0/001.p/45",
        "tile/0/000.p/256",
        "tile/0/000.p/0",
        "tile/00/000",
        "tile/2/000.p/1",
        "tile/1/000.p/2",
        "tile/0/x000/000",
        "tile/entries/001.p/3",
        "tile/others/000",
        "checkpoints/299",
        "checkpoints/0260",
        "texts/002.jsonl",
        "texts/000.jsonl.old",
        "evidence/readme.txt",
        f"evidence/00/{'0' * 64}",
    ],
)
def test_a_file_that_belongs_to_no_export_is_named(original: Made, files: Path, name: str) -> None:
    put(files, {name: b"something else\n"})
    [fault] = original.audit(files).faults
    assert fault.kind in {"file-unknown", "tile-wrong"}
    assert name in fault.detail


def test_what_was_erased_or_removed_may_not_lie_there_again(original: Made, files: Path) -> None:
    put(files, {"evidence/fd/fd0ad16b8c7ef4e2d0c7b9d1b4a3f4ae": b"another report"})
    assert kinds(original, files) == {"file-unknown"}
    shutil.rmtree(files / "evidence/fd")
    [first, *rest] = (files / "texts/000.jsonl").read_bytes().splitlines(keepends=True)
    erased = orjson.loads(first) | {"position": orjson.loads(first)["position"] - 1}
    again = orjson.dumps(erased, option=orjson.OPT_SORT_KEYS) + b"\n"
    (files / "texts/000.jsonl").write_bytes(b"".join([again, first, *rest]))
    assert kinds(original, files) == {"text-not-erased"}


def test_a_text_may_not_stand_there_twice(original: Made, files: Path) -> None:
    path = files / "texts/000.jsonl"
    [first, *rest] = path.read_bytes().splitlines(keepends=True)
    forged = orjson.dumps(orjson.loads(first) | {"text": "Something else"}, option=orjson.OPT_SORT_KEYS) + b"\n"
    for lines in ([forged, first, *rest], [first, first, *rest], [*rest, first]):
        path.write_bytes(b"".join(lines))
        assert kinds(original, files) <= {"text-altered", "text-missing"}
        assert original.refuses(files)


# -- nothing to check ------------------------------------------------------------------------------------------------


def test_an_empty_directory_none_or_a_checkpoint_alone_is_never_a_pass(original: Made, tmp_path: Path) -> None:
    for missing in (tmp_path / "none", put(tmp_path / "empty", {}), put(tmp_path / "other", {"a": b"b"})):
        with pytest.raises(SetupError, match="nothing to check"):
            original.audit(missing)
    alone = put(tmp_path / "alone", {"checkpoint": (original.files / "checkpoint").read_bytes()})
    assert original.audit(alone).verdict == "faults"


def test_a_checkpoint_that_is_unreadable_a_directory_or_of_an_empty_log_is_never_a_pass(
    original: Made, files: Path
) -> None:
    empty = str(sign_checkpoint(Checkpoint(ORIGIN, 0, EMPTY_ROOT), CHECKPOINT_KEY)).encode()
    for data in (b"", b"\xff\xfe", b"\n\n", empty, empty.replace(b"\n0\n", b"\n-1\n"), b"\x00" * 300):
        (files / "checkpoint").write_bytes(data)
        with pytest.raises(SetupError, match="nothing to check"):
            original.audit(files)
    (files / "checkpoint").unlink()
    (files / "checkpoint").mkdir()
    with pytest.raises(SetupError, match="nothing to check"):
        original.audit(files)


@pytest.mark.parametrize("folder", ["tile", "tile/0", "tile/1", "tile/entries", "tile/signatures", "checkpoints"])
def test_no_folder_of_the_log_may_be_missing(original: Made, files: Path, folder: str) -> None:
    shutil.rmtree(files / folder)
    if folder == "checkpoints":  # What the last one covers is still there: other logs keep only that.
        assert original.audit(files).verdict == "sound"
    else:
        assert original.audit(files).verdict == "faults"


def test_a_checkpoint_that_nobody_or_only_a_witness_signed_is_a_fault(original: Made, files: Path) -> None:
    text, _, lines = (files / "checkpoint").read_text().partition("\n\n")
    for kept in ("", lines.splitlines(keepends=True)[1]):
        for name in ("checkpoint", "checkpoints/300"):
            (files / name).write_text(f"{text}\n\n{kept}")
        assert original.refuses(files)


@pytest.mark.parametrize(
    "index", ["0\n260\n300\n", "-1\n260\n300\n", "260\n300\n400\n", "260\n260\n300\n", "300\n260\n"]
)
def test_an_index_that_names_other_sizes_is_a_fault(original: Made, files: Path, index: str) -> None:
    put(files, {"checkpoints/index": index.encode()})
    for size in ("0", "-1", "400"):
        if f"{size}\n" in index.splitlines(keepends=True):
            put(files, {f"checkpoints/{size}": b"anything"})
    assert original.refuses(files)

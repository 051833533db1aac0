"""Exports: laid out as tlog-tiles says, the same in one step or two, safe to kill, and never over somebody else's files."""

import hashlib
from pathlib import Path

import c2sp
import pytest
from exports import contents, grow, position_of, put, verified_once, witness
from ledgers import CHECKPOINT_KEY, ENTRY_KEY, append, cloud_event, create_ledger, enrol_witness, keep_checkpoint

from ledger.audit.log_files import Directory
from ledger.audit.of_any_log import audit_opaque
from ledger.audit.of_files import audit_files
from ledger.entry import ENTRY_PAYLOAD_TYPE
from ledger.errors import LostHistoryError, NotFoundError, SetupError
from ledger.ledger import Ledger
from ledger.log.reading import read_entries
from ledger.published import export as export_module
from ledger.published.export import Exported, export
from ledger.stewardship.removal import erase_texts, remove_evidence
from signing.notes import NoteKey, format_verifier_key

VKEY = format_verifier_key(NoteKey("ledger.test/one", CHECKPOINT_KEY.public_key))


def exported(source: Ledger, target: Path, **more: bool) -> Exported:
    keep_checkpoint(source)
    return export(source.database, target, **more)


def opened(source: Ledger, *titles: str) -> list[int]:
    """Append changes with these titles, which are erasable texts; return their positions."""
    return [
        position_of(outcome)
        for outcome in append(source, *[cloud_event("change.opened", title=title) for title in titles])
    ]


def holds(root: Path, *words: bytes) -> list[bool]:
    everything = b"".join(contents(root).values())
    return [word in everything for word in words]


def faults(root: Path) -> list[str]:
    return [f"{fault.kind}: {fault.detail}" for fault in audit_files(Directory(root), workers=1).faults]


# -- the layout --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 255, 256, 257, 513])
def test_a_client_that_knows_only_tlog_tiles_reads_every_entry(
    sqlite_ledger: Ledger, tmp_path: Path, size: int
) -> None:
    grow(sqlite_ledger, size)
    done = exported(sqlite_ledger, tmp_path / "files")
    files = contents(tmp_path / "files")
    assert done == Exported(0, size, len(files))
    origin, stated, root = c2sp.open_checkpoint(files["checkpoint"], VKEY)
    entries = c2sp.fetch_entries(files.__getitem__, stated)
    leaves = c2sp.fetch_leaves(files.__getitem__, stated)
    assert (origin, stated, root) == (sqlite_ledger.origin, size, c2sp.root(leaves))
    assert [c2sp.leaf(entry) for entry in entries] == leaves
    with sqlite_ledger.database.read() as connection:
        assert entries == [stored.entry for stored in read_entries(connection, limit=None)]
    for entry, (number, signature) in zip(entries, c2sp.fetch_signatures(files.__getitem__, stated), strict=True):
        c2sp.check_signature([ENTRY_KEY.public_key][number], ENTRY_PAYLOAD_TYPE, entry, signature)
    # Exactly those files, and upper tiles of full tiles alone.
    tiles = {c2sp.tile_path(level, *tile) for level in (0, "entries", "signatures") for tile in c2sp.tiles(size)}
    if size >= 256:
        upper = [c2sp.root(leaves[start : start + 256]) for start in range(0, size - size % 256, 256)]
        tiles.add(name := c2sp.tile_path(1, 0, len(upper)))
        assert files[name] == b"".join(upper)
    assert set(files) == tiles | {"checkpoint", "checkpoints/index", f"checkpoints/{size}"}
    assert files["checkpoints/index"] == f"{size}\n".encode()
    assert files[f"checkpoints/{size}"] == files["checkpoint"]


@pytest.mark.parametrize(("first", "second"), [(1, 2), (100, 256), (200, 300), (256, 257), (256, 600), (300, 513)])
def test_two_steps_make_the_same_files_as_one_but_for_older_partial_tiles(
    sqlite_ledger: Ledger, tmp_path: Path, first: int, second: int
) -> None:
    opened(sqlite_ledger, *(["To be kept"] if first > 1 else []))
    grow(sqlite_ledger, first)
    exported(sqlite_ledger, tmp_path / "twice")
    grow(sqlite_ledger, second - 2)
    if second - first > 2:
        opened(sqlite_ledger, "A later one")
        witness(sqlite_ledger, b"a report")
    grow(sqlite_ledger, second)
    assert exported(sqlite_ledger, tmp_path / "twice").since == first
    export(sqlite_ledger.database, tmp_path / "once")
    once, twice = contents(tmp_path / "once"), contents(tmp_path / "twice")
    older = set(twice) - set(once)
    assert {name: twice[name] for name in once} == once
    # Those of what is full by now are gone.
    number, width = divmod(first, 256)
    grown = width and second < (number + 1) * 256
    expected = {c2sp.tile_path(level, number, width) for level in (0, "entries", "signatures")} if grown else set()
    if first >> 8 and first >> 8 != second >> 8:
        expected.add(c2sp.tile_path(1, 0, first >> 8))
    assert older == expected
    assert faults(tmp_path / "twice") == faults(tmp_path / "once") == []


def test_an_export_without_anything_new_writes_no_tile(sqlite_ledger: Ledger, tmp_path: Path) -> None:
    exported(sqlite_ledger, tmp_path / "files")
    before = contents(tmp_path / "files")
    assert export(sqlite_ledger.database, tmp_path / "files") == Exported(1, 1, 3)
    assert contents(tmp_path / "files") == before


def test_cosignatures_that_came_later_are_written_beneath_the_checkpoint(
    sqlite_ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    enrol_witness(sqlite_ledger)
    append(sqlite_ledger, cloud_event())
    keep_checkpoint(sqlite_ledger, 2)
    keep_checkpoint(sqlite_ledger, cosigned=True)
    export(sqlite_ledger.database, tmp_path / "files")
    files = contents(tmp_path / "files")
    assert files["checkpoints/index"] == b"2\n3\n"
    assert (files["checkpoint"].count(b"\n\xe2\x80\x94 "), files["checkpoints/2"].count(b"\n\xe2\x80\x94 ")) == (2, 1)
    assert audit_opaque(Directory(tmp_path / "files"), []).verdict == "consistent"


# -- texts and evidence ------------------------------------------------------------------------------------------------


def test_what_was_erased_or_removed_since_vanishes_with_the_next_export(sqlite_ledger: Ledger, tmp_path: Path) -> None:
    first, *_ = opened(sqlite_ledger, "To be erased", "To be kept")
    report = witness(sqlite_ledger, b"report to be removed", b"report to be kept")
    shared = witness(sqlite_ledger, b"report of two")
    witness(sqlite_ledger, b"report of two")
    grow(sqlite_ledger, 260)
    alone, *_ = opened(sqlite_ledger, "Alone in its bundle")
    exported(sqlite_ledger, tmp_path / "files")
    words = (b"To be erased", b"Alone in its bundle", b"report to be removed", b"To be kept", b"report to be kept")
    assert holds(tmp_path / "files", *words, b"report of two") == [True] * 6
    for position in (first, alone):
        erase_texts(sqlite_ledger, position, actor="person:dpo", reason="gdpr-17")
    for position, body in ((report, b"report to be removed"), (shared, b"report of two")):
        digest = hashlib.sha256(body).digest()
        remove_evidence(sqlite_ledger, position, digest, actor="person:op", reason="retention")
    exported(sqlite_ledger, tmp_path / "files")
    # What another entry witnesses too stays for its sake.
    assert holds(tmp_path / "files", *words, b"report of two") == [False, False, False, True, True, True]
    assert not (tmp_path / "files/texts/001.jsonl").exists()
    assert faults(tmp_path / "files") == []


def test_texts_and_evidence_can_be_left_out_and_added_later(sqlite_ledger: Ledger, tmp_path: Path) -> None:
    opened(sqlite_ledger, "A text")
    witness(sqlite_ledger, b"a report")
    exported(sqlite_ledger, tmp_path / "files", texts=False, evidence=False)
    assert {name.partition("/")[0] for name in contents(tmp_path / "files")} == {"checkpoint", "checkpoints", "tile"}
    assert holds(tmp_path / "files", b"A text", b"a report") == [False, False]
    report = audit_files(Directory(tmp_path / "files"), workers=1)
    assert (report.faults, len(report.notes)) == ((), 2)
    opened(sqlite_ledger, "A later text")
    exported(sqlite_ledger, tmp_path / "files")
    assert holds(tmp_path / "files", b"A text", b"a report", b"A later text") == [True, True, True]
    assert faults(tmp_path / "files") == []


@pytest.mark.parametrize(("left_out", "what"), [({"texts": False}, "texts"), ({"evidence": False}, "evidence")])
def test_they_are_not_left_out_where_they_lie_already(
    sqlite_ledger: Ledger, tmp_path: Path, left_out: dict[str, bool], what: str
) -> None:
    # What is erased later has to vanish from there.
    opened(sqlite_ledger, "A text")
    witness(sqlite_ledger, b"a report")
    exported(sqlite_ledger, tmp_path / "files")
    with pytest.raises(SetupError, match=f"holds {what}"):
        export(sqlite_ledger.database, tmp_path / "files", **left_out)


def test_what_is_recorded_as_erased_is_not_exported_even_when_it_still_lies_in_the_database(
    sqlite_ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    position, *_ = opened(sqlite_ledger, "To be erased", "To be kept")
    report = witness(sqlite_ledger, b"report to be removed")
    exported(sqlite_ledger, tmp_path / "files")
    # As after a crash: both are recorded first.
    sqlite_ledger.state(
        "ledger.texts_erased", {"actor": "person:dpo", "position": position, "erased": 1, "reason": "gdpr-17"}
    )
    digest = hashlib.sha256(b"report to be removed").hexdigest()
    sqlite_ledger.state(
        "ledger.evidence_removed",
        {"actor": "person:op", "position": report, "sha256": digest, "reason": "retention"},
    )
    exported(sqlite_ledger, tmp_path / "files")
    export(sqlite_ledger.database, tmp_path / "anew")
    for name in ("files", "anew"):
        found = holds(tmp_path / name, b"To be erased", b"report to be removed", b"To be kept")
        assert found == [False, False, True], name
        assert faults(tmp_path / name) == []


# -- killed ------------------------------------------------------------------------------------------------------------


class Killed(BaseException):
    """The process is gone."""


@pytest.fixture
def two_steps(sqlite_ledger: Ledger) -> Ledger:
    """A ledger with one checkpoint behind it, and another ahead."""
    opened(sqlite_ledger, "To be erased", "To be kept")
    witness(sqlite_ledger, b"a report")
    grow(sqlite_ledger, 270)
    return sqlite_ledger


@pytest.mark.parametrize("after_writing", [False, True])
def test_an_export_killed_at_any_file_is_completed_by_the_next(
    two_steps: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after_writing: bool
) -> None:
    exported(two_steps, tmp_path / "first")
    older = contents(tmp_path / "first")
    erase_texts(two_steps, 2, actor="person:dpo", reason="gdpr-17")
    grow(two_steps, 300)
    witness(two_steps, b"another report")
    keep_checkpoint(two_steps)
    export(two_steps.database, tmp_path / "once")
    total = export(two_steps.database, put(tmp_path / "whole", older)).files
    write = export_module._Files.write
    replace = Path.replace
    for kill_at in range(1, total + 1):
        target = put(tmp_path / f"killed-{kill_at}", older)
        written = [0]

        def killed(self: export_module._Files, name: str, data: bytes, count: list[int] = written) -> None:
            count[0] += 1
            if count[0] == kill_at:  # noqa: B023
                if after_writing:  # but before it is put in its place
                    monkeypatch.setattr(Path, "replace", _die)
                    write(self, name, data[: len(data) // 2])
                raise Killed
            write(self, name, data)

        monkeypatch.setattr(export_module._Files, "write", killed)
        with pytest.raises(Killed):
            export(two_steps.database, target)
        monkeypatch.setattr(export_module._Files, "write", write)
        monkeypatch.setattr(Path, "replace", replace)
        assert (target / "checkpoint").read_bytes() == older["checkpoint"]
        assert export(two_steps.database, target).since == 270
        left = {name: data for name, data in contents(target).items() if not name.endswith(".p/14")}
        assert left == contents(tmp_path / "once"), kill_at


def _die(self: Path, target: Path) -> Path:
    raise Killed


def test_nothing_half_written_is_left_by_an_export_that_goes_further(
    two_steps: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep_checkpoint(two_steps)
    for size in (280, 290, 300):
        with monkeypatch.context() as context:
            context.setattr(Path, "replace", _die)
            with pytest.raises(Killed):
                export(two_steps.database, tmp_path / "files")
        grow(two_steps, size)
        keep_checkpoint(two_steps)
    export(two_steps.database, tmp_path / "files")
    assert [name for name in contents(tmp_path / "files") if ".part" in name] == []
    with verified_once(monkeypatch):
        assert faults(tmp_path / "files") == []


# -- refusals ----------------------------------------------------------------------------------------------------------


def test_before_the_first_checkpoint_it_says_that_nothing_is_signed(sqlite_ledger: Ledger, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="no checkpoint was signed yet"):
        export(sqlite_ledger.database, tmp_path / "files")


def test_a_directory_with_other_files_or_an_unreadable_checkpoint_is_refused(
    sqlite_ledger: Ledger, tmp_path: Path
) -> None:
    keep_checkpoint(sqlite_ledger)
    for name, words in (("letter.txt", "holds other files"), ("checkpoint", "cannot be read")):
        target = put(tmp_path / name, {name: b"dear"})
        with pytest.raises(SetupError, match=words):
            export(sqlite_ledger.database, target)
        assert contents(target) == {name: b"dear"}


def test_another_history_a_newer_one_or_another_ledger_is_not_exported_over(
    sqlite_ledger: Ledger, tmp_path: Path
) -> None:
    append(sqlite_ledger, cloud_event())
    exported(sqlite_ledger, tmp_path / "files")
    before = contents(tmp_path / "files")
    other = create_ledger(f"sqlite:///{tmp_path / 'other.db'}")
    for size in (1, 2, 3):
        grow(other, size)
        keep_checkpoint(other)
        with pytest.raises(LostHistoryError, match="not the first ones of this ledger"):
            export(other.database, tmp_path / "files")
    other.close()
    assert contents(tmp_path / "files") == before


def test_a_checkpoint_that_does_not_say_what_was_erased_is_not_exported(sqlite_ledger: Ledger, tmp_path: Path) -> None:
    opened(sqlite_ledger, "To be erased")
    report = witness(sqlite_ledger, b"a report")
    keep_checkpoint(sqlite_ledger)
    erase_texts(sqlite_ledger, 2, actor="person:dpo", reason="gdpr-17")
    with pytest.raises(SetupError, match="position 4 erases something, and the last checkpoint covers 3"):
        export(sqlite_ledger.database, tmp_path / "files")
    keep_checkpoint(sqlite_ledger)
    export(sqlite_ledger.database, tmp_path / "files")
    digest = hashlib.sha256(b"a report").digest()
    remove_evidence(sqlite_ledger, report, digest, actor="person:op", reason="retention")
    with pytest.raises(SetupError, match="sign one first"):
        export(sqlite_ledger.database, tmp_path / "files")


def test_an_altered_entry_is_not_exported_over_the_last_good_copy(sqlite_ledger: Ledger, tmp_path: Path) -> None:
    grow(sqlite_ledger, 6)
    exported(sqlite_ledger, tmp_path / "files")
    before = contents(tmp_path / "files")
    with sqlite_ledger.database.engine.begin() as connection:
        connection.exec_driver_sql("DROP TRIGGER entries_refuses_update")
        altered = "CAST(replace(CAST(entry AS TEXT), 'success', 'failure') AS BLOB)"
        connection.exec_driver_sql(f"UPDATE entries SET entry = {altered} WHERE position = 3")
    grow(sqlite_ledger, 300)
    keep_checkpoint(sqlite_ledger)
    with pytest.raises(LostHistoryError, match="position 3 is not the one that was recorded"):
        export(sqlite_ledger.database, tmp_path / "files")
    after = contents(tmp_path / "files")
    assert {name: after[name] for name in before} == before

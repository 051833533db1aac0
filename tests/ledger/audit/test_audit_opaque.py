"""The audit of logs that are not ours: any C2SP log, of which nothing is known but its key."""

import tracemalloc
from pathlib import Path

import pytest
from exports import (
    STRANGERS_KEY,
    THEIR_CHECKPOINT,
    THEIR_LEAVES,
    THEIR_PROOF_OF_THREE,
    THEIR_VKEY,
    changed,
    opaque_log,
    paths,
    places_of,
    their_log,
)
from textbook_tree import textbook_leaf, textbook_root

from ledger.audit.log_files import Directory
from ledger.audit.of_any_log import audit_opaque
from ledger.audit.of_files import audit_files
from ledger.errors import SetupError
from signing.merkle import leaf_hash
from signing.notes import NoteKey, parse_verifier_key
from signing.proof import check_proof, parse_proof

KEY = parse_verifier_key(THEIR_VKEY)
OUR_KEY = NoteKey("log.test/opaque", STRANGERS_KEY.public_key)


def refuses(files: Path, key: NoteKey) -> bool:
    try:
        return audit_opaque(Directory(files), [key]).verdict == "faults"
    except SetupError:
        return True


def test_a_published_log_is_sound_under_its_key_and_consistent_without(tmp_path: Path) -> None:
    files = Directory(their_log(tmp_path))
    report = audit_opaque(files, [KEY])
    assert (report.verdict, report.size, report.entries, report.faults) == ("sound", 15, 15, ())
    assert audit_opaque(files, []).verdict == "consistent"
    assert audit_opaque(files, [OUR_KEY]).verdict == "faults"
    with pytest.raises(SetupError, match=r"not in a format that I read.*--opaque"):
        audit_files(files, workers=1)
    assert report.root == textbook_root([textbook_leaf(leaf) for leaf in THEIR_LEAVES])


def test_the_published_proof_is_of_the_published_checkpoint() -> None:
    proof = parse_proof(THEIR_PROOF_OF_THREE.encode())
    assert str(proof.checkpoint) == THEIR_CHECKPOINT
    check_proof(proof, leaf_hash(b"three"), [KEY])


@pytest.mark.parametrize("pattern", [1, 0x80])
def test_any_one_byte_of_a_published_log_counts(tmp_path: Path, pattern: int) -> None:
    missed = []
    for path in paths(their_log(tmp_path)):
        data = path.read_bytes()
        for place in range(len(data)):
            with changed(path, data[:place] + bytes([data[place] ^ pattern]) + data[place + 1 :]):
                if not refuses(tmp_path, KEY):
                    missed.append((path.name, place))
    assert missed == []


def test_any_byte_or_file_of_a_log_with_two_levels_counts(tmp_path: Path) -> None:
    files = opaque_log(tmp_path, [b"entry %d" % number for number in range(600)], STRANGERS_KEY)
    assert audit_opaque(Directory(files), [OUR_KEY]).verdict == "sound"
    missed = []
    for path in paths(files):
        data = path.read_bytes()
        wrong = [data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :] for place in places_of(len(data), 20)]
        for what in (*wrong, b"", data[:-1], data + b"\n", data[32:] + data[:32]):
            with changed(path, what):
                if not refuses(files, OUR_KEY):
                    missed.append(path.name)
        path.unlink()
        if not refuses(files, OUR_KEY):
            missed.append(path.name)
        path.write_bytes(data)
    assert missed == []


def test_what_has_no_entries_is_never_a_pass(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="nothing to check"):
        audit_opaque(Directory(tmp_path), [KEY])
    (tmp_path / "checkpoint").write_text(THEIR_CHECKPOINT)
    assert audit_opaque(Directory(tmp_path), [KEY]).verdict == "faults"


def test_a_longer_log_takes_no_more_memory(tmp_path: Path) -> None:
    peaks = []
    for size in (2_000, 8_000):
        files = opaque_log(tmp_path / str(size), [b"entry %d" % number for number in range(size)], STRANGERS_KEY)
        tracemalloc.start()
        try:
            assert audit_opaque(Directory(files), [OUR_KEY]).verdict == "sound"
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
    assert peaks[1] < 1.3 * peaks[0]

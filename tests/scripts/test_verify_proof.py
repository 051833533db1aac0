"""`scripts/verify_proof`, with nothing beside it but `signing/`: what it accepts, and that it accepts nothing else."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from textbook_tree import textbook_inclusion, textbook_leaf, textbook_root

from signing.checkpoint import Checkpoint, sign_checkpoint
from signing.keys import SigningKey
from signing.notes import COSIGNATURE, Note, NoteKey, format_verifier_key
from signing.proof import Proof, parse_proof
from signing.witness import cosign

ROOT = Path(__file__).parents[2]
LOG, ONE, TWO = (SigningKey.from_seed(seed * 32) for seed in (b"l", b"1", b"2"))
ORIGIN = "log.test/proofs"
VKEY = format_verifier_key(NoteKey(ORIGIN, LOG.public_key))
WITNESSES = [
    format_verifier_key(NoteKey(f"w{n}", key.public_key, COSIGNATURE)) for n, key in enumerate((ONE, TWO), start=1)
]
ENTRIES = [b'{"entry":%d}' % number for number in range(11)]
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the script, `signing/`, a proof and its entry."""
    place = tmp_path_factory.mktemp("alone")
    shutil.copytree(ROOT / "signing", place / "signing", ignore=shutil.ignore_patterns("__pycache__", "timestamps.py"))
    (place / "scripts").mkdir()
    shutil.copy(ROOT / "scripts" / "verify_proof", place / "scripts")
    leaves = [textbook_leaf(entry) for entry in ENTRIES]
    note = sign_checkpoint(Checkpoint(ORIGIN, len(leaves), textbook_root(leaves)), LOG)
    note = note.with_lines([cosign(note.text, "w1", ONE, 1_795_435_200)])
    (place / "7.tlog-proof").write_text(str(Proof(6, tuple(textbook_inclusion(6, leaves)), note)))
    (place / "7.json").write_bytes(ENTRIES[6])
    return place


@pytest.fixture
def run(place: Path) -> Run:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-P", str(place / "scripts" / "verify_proof"), *arguments]
        return subprocess.run(command, cwd=place, capture_output=True, text=True, check=False, env={})

    return run


def test_it_is_short_enough_to_be_read() -> None:
    assert len((ROOT / "scripts" / "verify_proof").read_text().splitlines()) < 100


def test_a_proof_is_accepted_and_said_in_words(run: Run) -> None:
    done = run("7.tlog-proof", "7.json", VKEY, "--witness", WITNESSES[0])
    assert (done.returncode, done.stderr) == (0, "")
    assert f"position 7 of the log {ORIGIN}" in done.stdout
    assert "checkpoint of 11 entries" in done.stdout
    assert "cosigned by w1 at 2026-11-23T12:00:00Z" in done.stdout


def test_without_witnesses_it_says_who_vouches(run: Run) -> None:
    done = run("7.tlog-proof", "7.json", VKEY)
    assert done.returncode == 0
    assert "the log alone vouches for it" in done.stdout


def test_every_named_witness_must_have_cosigned_unless_fewer_will_do(run: Run) -> None:
    both = ["--witness", WITNESSES[0], "--witness", WITNESSES[1]]
    assert run("7.tlog-proof", "7.json", VKEY, *both).returncode == 1
    assert run("7.tlog-proof", "7.json", VKEY, *both, "--at-least", "1").returncode == 0


def test_another_entry_another_key_and_another_file_are_refused(run: Run, place: Path) -> None:
    (place / "8.json").write_bytes(ENTRIES[7])
    other = format_verifier_key(NoteKey(ORIGIN, ONE.public_key))
    renamed = format_verifier_key(NoteKey("log.test/other", LOG.public_key))
    for entry, vkey in (("8.json", VKEY), ("7.tlog-proof", VKEY), ("7.json", other), ("7.json", renamed)):
        done = run("7.tlog-proof", entry, vkey)
        assert done.returncode == 1
        assert done.stdout.startswith("NOT PROVED: ")
    assert run("7.json", "7.json", VKEY).returncode == 1


@pytest.mark.parametrize("cut", range(0, 400, 37))
def test_an_altered_proof_is_refused(run: Run, place: Path, cut: int) -> None:
    data = (place / "7.tlog-proof").read_bytes()
    at = min(cut, len(data) - 1)
    altered = place / f"altered-{cut}.tlog-proof"
    altered.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
    assert run(altered.name, "7.json", VKEY, "--witness", WITNESSES[0]).returncode == 1


def test_how_many_must_have_cosigned_is_at_least_one_and_at_most_all(run: Run) -> None:
    for number in ("0", "-3", "2"):
        done = run("7.tlog-proof", "7.json", VKEY, "--witness", WITNESSES[0], f"--at-least={number}")
        assert done.returncode == 2
        assert "--at-least is from 1" in done.stderr


def test_a_time_that_is_no_date_is_said(run: Run, place: Path) -> None:
    note = parse_proof((place / "7.tlog-proof").read_bytes())
    text = note.checkpoint.text
    late = Note(text, (note.checkpoint.lines[0], cosign(text, "w1", ONE, 2**62)))
    (place / "late.tlog-proof").write_text(str(replace(note, checkpoint=late)))
    done = run("late.tlog-proof", "7.json", VKEY, "--witness", WITNESSES[0])
    assert done.returncode == 0
    assert "which is no date" in done.stdout


def test_what_cannot_be_read_is_said_and_is_2(run: Run) -> None:
    for arguments in (("none", "7.json", VKEY), ("7.tlog-proof", "none", VKEY), ("7.tlog-proof", "7.json", "no-key")):
        done = run(*arguments)
        assert done.returncode == 2
        assert done.stderr.startswith("cannot be read: ")
    assert run().returncode == 2

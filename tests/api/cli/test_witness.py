"""`change-ledger witness`: made, told of logs, served, shown, on files of its own; nothing of a ledger is near."""

import re
import signal
import subprocess
import threading
from pathlib import Path

import httpx
import pytest
from commands import Command, clean_place, run_on_a_taken_port
from programs import program
from servers import START_TIMEOUT_S, environment_for
from textbook_tree import textbook_leaf, textbook_root

from signing import keys
from signing.checkpoint import Checkpoint, sign_checkpoint
from signing.keys import SigningKey
from signing.notes import COSIGNATURE, Note, NoteKey, format_verifier_key, parse_signature_line, parse_verifier_key
from signing.witness import check_cosigned, format_request

NAME, ORIGIN = "witness.example.org", "log.test/one"
LOG_KEY, NEXT_KEY = SigningKey.from_seed(b"l" * 32), SigningKey.from_seed(b"n" * 32)
LOG, NEXT = (format_verifier_key(NoteKey(ORIGIN, key.public_key)) for key in (LOG_KEY, NEXT_KEY))
OTHER = format_verifier_key(NoteKey("log.test/another", LOG_KEY.public_key))
NOTE = sign_checkpoint(Checkpoint(ORIGIN, 2, textbook_root([textbook_leaf(b"0"), textbook_leaf(b"1")])), LOG_KEY)


@pytest.fixture
def cli(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    clean_place(tmp_path, monkeypatch)
    return Command(capsys, monkeypatch, "witness")


@pytest.fixture
def directory(cli: Command, tmp_path: Path) -> Path:
    """A witness that was made, in the directory that is taken when none is given."""
    cli.ok("init", "--name", NAME)
    return tmp_path / "witness"


def files(directory: Path) -> dict[str, bytes]:
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


# -- init --------------------------------------------------------------------------------------------------------------


def test_init_makes_a_private_key_and_prints_what_logs_are_given(cli: Command, tmp_path: Path) -> None:
    said = cli.ok("init", "--name", NAME, "--directory", tmp_path / "deep" / "own")
    key = parse_verifier_key(said.out.removesuffix("\n"))
    assert (key.name, key.type) == (NAME, COSIGNATURE)
    pem = tmp_path / "deep" / "own" / "key.pem"
    assert keys.load(pem).public_key == key.public_key
    assert pem.stat().st_mode & 0o777 == 0o600
    assert pem.parent.stat().st_mode & 0o077 == 0
    assert list((tmp_path / "var").iterdir()) == []


def test_a_second_init_says_who_is_there_and_changes_nothing(cli: Command, directory: Path) -> None:
    before, [vkey] = files(directory), cli.ok("show").out.split()
    cli.refused("init", "--name", "another.example.org", words=f"{vkey} already")
    assert files(directory) == before


def test_an_init_that_was_cut_short_is_finished_with_its_key(cli: Command, directory: Path) -> None:
    [vkey] = cli.ok("show").out.split()
    (directory / "name").unlink()
    (directory / "memory").rmdir()
    cli.refused("show", words="init")
    assert cli.ok("init", "--name", NAME).out == f"{vkey}\n"


@pytest.mark.parametrize("name", ["", "two words", "with+plus", "ümlaut", "a\nb", "\x01", "x" * 161])
def test_a_wrong_name_is_refused_and_nothing_is_made(cli: Command, tmp_path: Path, name: str) -> None:
    cli.refused("init", "--name", name, words="--name is")
    assert not (tmp_path / "witness").exists()


# -- add-log -----------------------------------------------------------------------------------------------------------


def test_logs_are_kept_one_a_line_and_may_have_several_keys(cli: Command, directory: Path) -> None:
    for vkey in (LOG, NEXT, OTHER):
        cli.ok("add-log", vkey)
    assert sorted((directory / "logs").read_text().splitlines()) == sorted([LOG, NEXT, OTHER])
    assert cli.ok("show").out.splitlines()[1:] == ["log.test/another  nothing yet", f"{ORIGIN}  nothing yet"]


def test_a_log_that_is_known_is_not_written_twice(cli: Command, directory: Path) -> None:
    cli.ok("add-log", LOG)
    before = files(directory)
    assert "known already" in cli.ok("add-log", LOG).out
    assert files(directory) == before


def test_a_log_is_added_to_a_file_without_a_last_newline(cli: Command, directory: Path) -> None:
    (directory / "logs").write_text(f"\n{LOG}")
    cli.ok("add-log", OTHER)
    assert len(cli.ok("show").out.splitlines()) == 3


@pytest.mark.parametrize("vkey", ["", "no key", LOG[:-1], f"x{LOG}", f"{LOG} ", LOG.replace("+", "-")])
def test_a_key_that_is_none_is_refused(cli: Command, directory: Path, vkey: str) -> None:
    before = files(directory)
    cli.refused("add-log", vkey, words="key")
    assert files(directory) == before


def test_the_key_of_a_witness_is_no_log(cli: Command, directory: Path) -> None:
    [vkey] = cli.ok("show").out.split()
    cli.refused("add-log", vkey, words="a witness is no log")
    assert not (directory / "logs").exists()


# -- what is wrong is said in one line -----------------------------------------------------------------------------------


@pytest.mark.parametrize("words", [["add-log", LOG], ["show"], ["serve", "--port", "0"]], ids=lambda words: words[0])
def test_without_a_witness_every_command_says_so_and_makes_nothing(
    cli: Command, tmp_path: Path, words: list[str]
) -> None:
    cli.refused(*words, words="change-ledger witness init")
    assert not (tmp_path / "witness").exists()


def test_a_witness_without_logs_does_not_serve(cli: Command, directory: Path) -> None:
    cli.refused("serve", "--port", "0", words="add-log")


@pytest.mark.parametrize(
    ("name", "damage", "words"),
    [("logs", LOG + "\nno key\n", "logs:2: "), ("logs", b"\xff", "logs"), ("name", "", "name"), ("name", "a b", "name"),
     ("key.pem", "no key", "PEM")],
)  # fmt: skip
def test_a_damaged_file_is_named(cli: Command, directory: Path, name: str, damage: str | bytes, words: str) -> None:
    cli.ok("add-log", LOG)
    (directory / name).write_bytes(damage if isinstance(damage, bytes) else damage.encode())
    for command in (["show"], ["serve", "--port", "0"], ["add-log", OTHER]):
        cli.refused(*command, words=words)


def test_a_key_that_others_can_read_is_refused(cli: Command, directory: Path) -> None:
    (directory / "key.pem").chmod(0o644)
    cli.refused("show", words="chmod 600")


def test_a_memory_that_is_gone_is_not_begun_anew(cli: Command, directory: Path) -> None:
    cli.ok("add-log", LOG)
    (directory / "memory" / "lock").unlink(missing_ok=True)
    (directory / "memory").rmdir()
    for command in (["show"], ["serve", "--port", "0"]):
        cli.refused(*command, words="memory is gone")
    assert not (directory / "memory").exists()


# -- serve and show ------------------------------------------------------------------------------------------------------


def test_a_served_witness_cosigns_and_shows_what_and_when(cli: Command, directory: Path) -> None:
    cli.ok("add-log", LOG)
    command = program("witness", "serve", "--directory", directory, "--port", "0")
    with subprocess.Popen(
        command, env=environment_for(directory), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        guard = threading.Timer(START_TIMEOUT_S, process.kill)
        guard.start()
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
            assert re.fullmatch(r"serving http://127\.0\.0\.1:\d+\n", line)
            answer = httpx.post(f"{line.split()[1]}/add-checkpoint", content=format_request(0, [], NOTE), timeout=600)
            shown = cli.ok("show").out.splitlines()
        finally:
            guard.cancel()
            process.terminate()
            _, errors = process.communicate(timeout=600)
    assert process.returncode in (0, -signal.SIGTERM)
    assert errors == ""
    key = parse_verifier_key(shown[0])
    own = parse_signature_line(answer.text.removesuffix("\n"))
    assert check_cosigned(Note(NOTE.text, (own,)), [key], at_least=1)
    assert re.fullmatch(rf"{ORIGIN}  size 2  20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ", shown[1])
    assert cli.ok("show").out.splitlines() == shown
    [kept] = [path for path in (directory / "memory").iterdir() if len(path.name) == 64]
    kept.write_bytes(kept.read_bytes()[:-5])
    cli.refused("show", words=f"the memory of '{ORIGIN}'")


def test_a_port_that_is_taken_is_said_without_a_traceback(cli: Command, directory: Path) -> None:
    cli.ok("add-log", LOG)
    done = run_on_a_taken_port(directory, "witness", "serve", "--directory", str(directory))
    assert done.returncode == 2
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert "address already in use" in done.stderr.lower()

"""The command `change-ledger`: on a ledger of one's own and over HTTP, with exit statuses that programs can trust.

Most commands run in this process, through the same `main` as the program; what must be another process is one.
"""

import contextlib
import json
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from commands import Command, Result, run_on_a_taken_port
from ledgers import CHECKPOINT_KEY, ENTRY_KEY, ORIGIN, append
from servers import START_TIMEOUT_S, Server, environment_for, event, running_server

from api.cli import remote_door, writing
from api.desk.verifier import sha256
from ledger.audit.of_database import audit_database
from ledger.audit.ranges import RANGE
from ledger.ledger import Ledger
from ledger.log.database import Database
from signing import keys
from signing.keys import SigningKey
from signing.notes import NoteKey, format_verifier_key

HEX64 = re.compile(r"[0-9a-f]{64}")
NEW_ORIGIN = "ledger.test/new"


def squashed(text: str) -> str:
    """Return a text without blanks and line ends: what a terminal of any width would show."""
    return "".join(text.split())


def check_refused(result: Result, *words: str, status: int = 2) -> None:
    """Check that a command said on stderr what is wrong, by no traceback, and nothing on stdout."""
    assert result.status == status, result
    assert result.out == ""
    assert result.err.strip().startswith("change-ledger: "), result.err
    assert "Traceback" not in result.err
    for word in words:
        assert squashed(word) in squashed(result.err), result.err


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_server(tmp_path_factory.mktemp("server") / "var") as running:
        yield running


def lines_of(*events: Any) -> bytes:
    return b"".join(json.dumps(said).encode() + b"\n" for said in events)


def write(path: Path, content: Any) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return path


def size_of(directory: Path) -> int:
    with contextlib.closing(sqlite3.connect(directory / "ledger.db")) as connection:
        return int(connection.execute("SELECT size FROM head").fetchone()[0])


# -- init --------------------------------------------------------------------------------------------------------------


def test_init_makes_a_ledger_with_private_keys_and_pins_it(bare: Command, directory: Path) -> None:
    made = bare.ok("init", "--origin", NEW_ORIGIN)
    genesis = HEX64.search(made.out)
    assert genesis is not None
    for name in ("entry", "checkpoint"):
        assert (directory / "keys" / f"{name}.pem").stat().st_mode & 0o777 == 0o600
    assert (directory / "keys").stat().st_mode & 0o077 == 0
    vkey = format_verifier_key(NoteKey(NEW_ORIGIN, keys.load(directory / "keys" / "checkpoint.pem").public_key))
    assert vkey in made.out
    assert (directory / "known").read_text() == f"{NEW_ORIGIN} {genesis[0]} {vkey}\n"
    report = bare.ok("verify", "--json").json
    assert (report["verdict"], report["origin"], report["genesis"]) == ("sound", NEW_ORIGIN, genesis[0])


def test_init_makes_its_directory_for_the_owner_alone(bare: Command, directory: Path) -> None:
    directory.rmdir()
    bare.ok("init", "--origin", NEW_ORIGIN)
    assert directory.stat().st_mode & 0o077 == 0


def test_what_lies_beside_the_log_is_for_the_owner_alone(bare: Command, directory: Path, tmp_path: Path) -> None:
    # The directory may have been there, open to others; the database holds erasable texts and the secret of their digests.
    directory.chmod(0o755)
    bare.ok("init", "--origin", NEW_ORIGIN)
    assert (directory / "ledger.db").stat().st_mode & 0o077 == 0
    bare.ok("backup", tmp_path / "copy.db")
    assert (tmp_path / "copy.db").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("origin", ["two words", "with+plus", "", "ümlaut", "x" * 161, "a\nb"])
def test_a_wrong_origin_is_refused_and_a_right_one_works_afterwards(
    bare: Command, directory: Path, origin: str
) -> None:
    check_refused(bare("init", "--origin", origin), "origin")
    assert not (directory / "known").exists()
    bare.ok("init", "--origin", NEW_ORIGIN)
    bare.ok("verify")


def test_a_second_init_is_refused_and_changes_nothing(bare: Command, directory: Path) -> None:
    bare.ok("init", "--origin", NEW_ORIGIN)
    before = {path: path.read_bytes() for path in sorted(directory.rglob("*")) if path.suffix in (".pem", "")
              and path.is_file()}  # fmt: skip
    check_refused(bare("init", "--origin", "ledger.test/another"), "holds a ledger already")
    assert {path: path.read_bytes() for path in before} == before
    assert size_of(directory) == 2


def test_an_origin_that_is_pinned_to_another_ledger_is_refused_before_anything_is_made(
    bare: Command, directory: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    bare.ok("init", "--origin", NEW_ORIGIN)
    elsewhere = Command(capsys, monkeypatch, "--directory", str(tmp_path / "elsewhere"))
    check_refused(elsewhere("init", "--origin", NEW_ORIGIN), "pins")
    elsewhere.ok("init", "--origin", "ledger.test/elsewhere")


def test_init_needs_an_origin(bare: Command) -> None:
    assert bare("init").status == 2


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
def test_a_key_that_others_can_read_is_refused(cli: Command, directory: Path, tmp_path: Path, mode: int) -> None:
    (directory / "keys" / "entry.pem").chmod(mode)
    file = write(tmp_path / "one.json", event())
    check_refused(cli("append", file), "open to others", "chmod 600")
    check_refused(cli("serve", "--port", "0"), "open to others")
    assert size_of(directory) == 6


def test_a_key_that_is_not_the_ledgers_is_refused(cli: Command, directory: Path, tmp_path: Path) -> None:
    (directory / "keys" / "entry.pem").unlink()
    file = write(tmp_path / "one.json", event())
    check_refused(cli("append", file), "cannot read the private key")
    keys.save(SigningKey.from_seed(b"x" * 32), directory / "keys" / "entry.pem")
    check_refused(cli("append", file), "may not sign")
    assert size_of(directory) == 6


def test_whoever_reads_needs_no_private_key(cli: Command, directory: Path, tmp_path: Path) -> None:
    (policy := tmp_path / "policy.toml").write_text(cli.ok("policy", "new", "starter").out)
    shutil.rmtree(directory / "keys")
    for words in (
        ("show", "1"), ("tail",), ("keys",), ("token", "list"), ("source", "list"), ("verify",), ("delivery",),
        ("views", "rebuild", "sboms"), ("views", "list"), ("views", "check"), ("views", "show", "credentials"),
        ("findings", "ends"), ("policy", "check", policy), ("policy", "try", policy),
    ):  # fmt: skip
        cli.ok(*words)
    for words, said in (
        (("gate", "recheck", 1), "expected gate.decided"),
        (("dossier", "identity:service:all"), "checkpoint"),
    ):
        assert said in cli(*words).err
    file = write(tmp_path / "one.json", event())
    check_refused(cli("append", file), "cannot read the private key")


@pytest.mark.parametrize(
    "words",
    [["append", "-"], ["show", "1"], ["tail"], ["verify"], ["keys"], ["token", "list"], ["serve", "--port", "0"],
     ["erase", "1", "--reason", "x"], ["backup", "copy.db"], ["clock", "correct", "--reason", "x"]],
    ids=lambda words: words[0],
)  # fmt: skip
def test_without_a_ledger_every_command_says_so_and_makes_nothing(
    bare: Command, directory: Path, tmp_path: Path, words: list[str]
) -> None:
    check_refused(bare(*words, stdin=lines_of(event())), "init")
    assert list(directory.iterdir()) == []
    assert not (tmp_path / "copy.db").exists()


def test_an_error_is_one_line_however_long_its_paths_are(bare: Command, directory: Path) -> None:
    bare.ok("init", "--origin", NEW_ORIGIN)
    (directory / "keys" / "entry.pem").chmod(0o644)
    said = bare("token", "create", "--principal", "service:ci", "--role", "reporter").err
    assert str(directory / "keys" / "entry.pem") in said
    assert len(said.strip().splitlines()) == 1, said


def test_an_error_is_not_preceded_by_an_empty_line(cli: Command) -> None:
    assert cli("verify", "--first", "5", "--last", "4").err.startswith("change-ledger: ")


# -- settings ----------------------------------------------------------------------------------------------------------


def test_a_setting_that_cannot_be_read_is_refused_in_words(bare: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHANGE_LEDGER_PORT", "eighty")
    check_refused(bare("keys"), "setting CHANGE_LEDGER_PORT: ")


def test_a_secret_that_is_too_short_is_named_and_not_shown(bare: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHANGE_LEDGER_GITHUB_SECRET", "thirteen-long")
    refused = bare("keys")
    check_refused(refused, "expected CHANGE_LEDGER_GITHUB_SECRET to have at least 16 characters, found 13")
    assert "thirteen" not in refused.err


def test_a_settings_file_with_an_unknown_name_is_refused_in_words(bare: Command, tmp_path: Path) -> None:
    (tmp_path / "change-ledger.toml").write_text('colour = "red"\n')
    check_refused(bare("keys"), "change-ledger.toml: there is no setting 'colour'")
    (tmp_path / "change-ledger.toml").write_text("prot = 8001\n")
    check_refused(bare("keys"), "did you mean port?")
    (tmp_path / "change-ledger.toml").write_text('port = "eighty"\n')
    check_refused(bare("keys"), "setting change-ledger.toml: port: ")


def test_a_variable_that_is_no_setting_is_named(bare: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHANGE_LEDGER_DIRECTROY", "x")
    monkeypatch.setenv("CHANGE_LEDGER_MY_KEY", "…")
    monkeypatch.setenv("CHANGE_LEDGER_CHECKPOINT_KEY", "env:CHANGE_LEDGER_MY_KEY")
    monkeypatch.setenv("CHANGE_LEDGER_TOKEN", "x")
    said = bare.ok("catalogue").err
    assert said.startswith(
        "change-ledger: there is no setting 'CHANGE_LEDGER_DIRECTROY'; did you mean CHANGE_LEDGER_DIRECTORY?"
    )
    assert said.count("\n") == 1


def test_a_settings_file_that_is_no_toml_is_refused_in_words(bare: Command, tmp_path: Path) -> None:
    (tmp_path / "change-ledger.toml").write_text("port = \n")
    check_refused(bare("keys"), "change-ledger.toml: ")


def test_a_database_of_another_kind_is_refused_in_words(bare: Command) -> None:
    check_refused(bare("--database-url", "mysql://nobody@localhost/x", "keys"))
    check_refused(bare("--database-url", "no such url", "keys"))


# -- append ------------------------------------------------------------------------------------------------------------


def receipts_of(result: Result) -> list[tuple[int, str, str]]:
    found = [line.split() for line in result.out.splitlines()]
    return [(int(position), entry_hash, identifier) for position, entry_hash, identifier in found]


def counts_of(result: Result) -> str:
    return result.err.strip().splitlines()[-1]


def test_a_file_with_one_event_is_appended_and_again_is_a_repeat(door: Command, tmp_path: Path) -> None:
    said = event()
    file = write(tmp_path / "one.json", json.dumps(said, indent=2).encode())
    first = door.ok("append", file)
    [(position, entry_hash, identifier)] = receipts_of(first)
    assert identifier == said["id"]
    assert counts_of(first) == "1 recorded, 0 repeated, 0 refused"
    again = door.ok("append", file)
    assert again.out == first.out
    assert counts_of(again) == "0 recorded, 1 repeated, 0 refused"
    shown = door.ok("show", position, "--json").json
    assert shown["entry_hash"] == entry_hash
    assert shown["entry"]["statement"] == said


def test_an_array_and_lines_and_standard_input_are_appended_in_order(door: Command, tmp_path: Path) -> None:
    in_array, in_lines, piped = ([event() for _ in range(3)] for _ in range(3))
    files = write(tmp_path / "array.json", in_array), write(tmp_path / "lines.ndjson", lines_of(*in_lines) + b"\n")
    done = door.ok("append", *files, "-", stdin=lines_of(*piped))
    receipts = receipts_of(done)
    assert [identifier for *_, identifier in receipts] == [said["id"] for said in in_array + in_lines + piped]
    positions = [position for position, *_ in receipts]
    assert positions == list(range(positions[0], positions[0] + 9))


def test_more_events_than_one_batch_are_appended(door: Command, tmp_path: Path) -> None:
    done = door.ok("append", write(tmp_path / "many.ndjson", lines_of(*(event() for _ in range(450)))))
    assert counts_of(done) == "450 recorded, 0 repeated, 0 refused"
    assert len(receipts_of(done)) == 450


BAD_LINES = {
    "not JSON": b"{no",
    "a float": b'{"time": 1.5}',
    "a key twice": b'{"id": "a", "id": "b"}',
    "an unknown type": json.dumps(event() | {"type": "no.such"}).encode(),
    "an unknown field": json.dumps(event(colour="red")).encode(),
    "a reserved area": json.dumps(
        event() | {"type": "ledger.time_passed", "data": {"until": event()["time"]}}
    ).encode(),
    "a lone surrogate": json.dumps(event(service="\ud800")).encode(),
    "no object": b"5",
}


@pytest.mark.parametrize("what", BAD_LINES)
def test_one_bad_line_is_refused_by_its_number_and_the_others_are_recorded(
    door: Command, tmp_path: Path, what: str
) -> None:
    good = event(), event()
    file = write(tmp_path / "some.ndjson", lines_of(good[0]) + BAD_LINES[what] + b"\n" + lines_of(good[1]))
    result = door("append", file)
    assert result.status == 1
    assert [identifier for *_, identifier in receipts_of(result)] == [said["id"] for said in good]
    assert f"{file}:2: " in result.err.replace("\n", "")
    assert counts_of(result) == "2 recorded, 0 repeated, 1 refused"


def test_a_conflict_is_refused_and_names_the_position(door: Command, tmp_path: Path) -> None:
    said = event(outcome="success")
    [(position, *_)] = receipts_of(door.ok("append", write(tmp_path / "one.json", said)))
    result = door("append", write(tmp_path / "other.json", event(id=said["id"], outcome="failure")))
    assert result.status == 1
    assert f"position {position}" in " ".join(result.err.split())


def test_a_fault_in_an_event_of_many_lines_is_told_once_with_its_place(cli: Command, tmp_path: Path) -> None:
    file = write(tmp_path / "one.json", json.dumps(event() | {"sequence": 1.5}, indent=2).encode())
    result = cli("append", file)
    assert result.status == 1
    assert "/sequence" in result.err
    assert counts_of(result) == "0 recorded, 0 repeated, 1 refused"


@pytest.mark.parametrize(
    "words",
    [
        ("append",), ("digest",), ("source", "enrol", "in-toto", "https://b.example.com", "--principal", "service:b", "--key"),
        ("timestamp", "--authority", "https://t.example.com", "--certificate"), ("init", "--origin", "x.example/l", "--predecessor"),
    ],
)  # fmt: skip
def test_a_file_without_end_is_not_read_to_it(
    filled: Command, words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "MAX_BYTES", 1 << 20)
    refused = filled(*words, "/dev/zero")
    assert refused.status == 2, refused.err
    assert "expected at most" in refused.err


@pytest.mark.parametrize("content", [b"", b"\n\n", b"[]"])
def test_nothing_to_append_is_no_success(cli: Command, tmp_path: Path, content: bytes) -> None:
    assert cli("append", write(tmp_path / "empty.json", content)).status == 1


def test_a_file_that_is_not_there_is_said_in_one_line(cli: Command, tmp_path: Path) -> None:
    check_refused(cli("append", tmp_path / "missing.json"), "missing.json")


def test_what_the_machine_itself_appends_is_asserted_and_no_more(cli: Command, tmp_path: Path) -> None:
    [(position, *_)] = receipts_of(cli.ok("append", write(tmp_path / "one.json", event())))
    assert cli.ok("show", position, "--json").json["entry"]["recorded_by"]["trust"] == "asserted"


# -- show, tail, catalogue, keys ---------------------------------------------------------------------------------------


def test_show_says_what_happened_with_its_texts(door: Command, tmp_path: Path) -> None:
    said = event("change.opened", change_id="CHG-shown", title="Move the queue")
    [(position, *_)] = receipts_of(door.ok("append", write(tmp_path / "one.json", said)))
    shown = door.ok("show", position).out
    assert "person:alice opened normal change CHG-shown" in " ".join(shown.split())
    assert "Move the queue" in shown
    assert door.ok("show", position, "--json").json["texts"] == {"title": "Move the queue"}


def test_show_prints_the_whole_hash_on_one_line(cli: Command, tmp_path: Path) -> None:
    [(position, entry_hash, _)] = receipts_of(cli.ok("append", write(tmp_path / "one.json", event())))
    assert entry_hash in cli.ok("show", position).out


def test_show_does_not_pass_control_characters_to_the_terminal(cli: Command, tmp_path: Path) -> None:
    said = event("change.opened", title="\x1b]0;owned\x07 \x1b[31mred \u202e reversed [bold]markup[/bold]")
    [(position, *_)] = receipts_of(cli.ok("append", write(tmp_path / "one.json", said)))
    shown = cli.ok("show", position).out
    assert not set("\x1b\x07\u202e") & set(shown)
    assert "[bold]" in shown


@pytest.mark.parametrize("position", ["1000000", str(2**53)])
def test_a_position_beyond_the_end_is_said_in_one_line(door: Command, position: str) -> None:
    check_refused(door("show", position))


def test_show_of_no_position_is_a_usage_error(cli: Command) -> None:
    assert cli("show", "0").status == 2
    assert cli("show", "x").status == 2


def test_tail_prints_the_last_ten_in_order(door: Command, tmp_path: Path) -> None:
    receipts = receipts_of(door.ok("append", write(tmp_path / "many.json", [event() for _ in range(12)])))
    printed = [int(line.split()[0]) for line in door.ok("tail").out.splitlines()]
    assert printed == [position for position, *_ in receipts[2:]]


def test_a_server_that_does_not_answer_is_named(cli: Command) -> None:
    nobody = ("--server", "http://127.0.0.1:9", "--token", "x")
    cli.at(*nobody).refused("tail", words="the server http://127.0.0.1:9 did not answer")


def test_tail_says_which_types_and_refs_there_are_not(door: Command) -> None:
    door.refused("tail", "--type", "deployment.finishd", words="did you mean deployment.finished?")
    door.refused("tail", "--ref", "chnge:CHG-7", words="did you mean change?")


def test_tail_narrows_by_position_type_and_ref(door: Command, tmp_path: Path) -> None:
    about = "CHG-tail-" + tmp_path.name
    events = [event(change_id=about), event("change.opened", change_id=about), event("change.opened")]
    first, second, third = (p for p, *_ in receipts_of(door.ok("append", write(tmp_path / "e.json", events))))

    def printed(*words: object) -> list[int]:
        return [json.loads(line)["position"] for line in door.ok("tail", "--json", *words).out.splitlines()]

    assert printed("--ref", f"change:{about}") == [first, second]
    assert printed("--ref", f"change:{about}", "--type", "change.opened") == [second]
    assert printed("--after", first) == [second, third]
    assert printed("--after", third) == []


@contextlib.contextmanager
def following(*words: str, environment: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """Run `tail --follow` in a process of its own, and end it."""
    command = [sys.executable, "-u", "-m", "api.cli", *words]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        guard = threading.Timer(START_TIMEOUT_S, process.kill)
        guard.start()
        try:
            yield process
        finally:
            guard.cancel()
            process.terminate()
            _, err = process.communicate(timeout=600)
            assert "Traceback" not in err, err


def read_positions(process: subprocess.Popen[str], count: int) -> list[int]:
    assert process.stdout is not None
    return [int(process.stdout.readline().split()[0]) for _ in range(count)]


def test_tail_follow_sees_what_another_process_appends(cli: Command, directory: Path, tmp_path: Path) -> None:
    environment = environment_for(directory)
    with following("--directory", str(directory), "tail", "--follow", "--after", "5", environment=environment) as tail:
        assert read_positions(tail, 1) == [6]
        for number in range(3):
            cli.ok("append", write(tmp_path / "one.json", event()))
            assert read_positions(tail, 1) == [7 + number]


def test_tail_follow_over_http_sees_what_others_append(server: Server, directory: Path) -> None:
    environment = environment_for(
        directory, CHANGE_LEDGER_SERVER=server.url, CHANGE_LEDGER_TOKEN=server.tokens["auditor"]
    )
    size = server.size()
    with following("tail", "-f", "--after", str(size - 1), environment=environment) as tail:
        assert read_positions(tail, 1) == [size]
        for number in range(3):
            server.record(event())
            assert read_positions(tail, 1) == [size + 1 + number]


def test_tail_follow_begins_with_the_last_ten_as_tail_does(cli: Command, directory: Path, tmp_path: Path) -> None:
    cli.ok("append", write(tmp_path / "many.json", [event() for _ in range(14)]))
    words = ("--directory", str(directory), "tail", "--follow")
    with following(*words, environment=environment_for(directory)) as tail:
        assert read_positions(tail, 10) == list(range(11, 21))


def test_the_catalogue_lists_every_type_and_shows_one_with_an_example(bare: Command, tmp_path: Path) -> None:
    listed = bare.ok("catalogue").out
    assert "deployment.finished" in listed
    assert "change.opened" in listed
    shown = bare.ok("catalogue", "change.opened").json
    assert shown["example"]["type"] == "change.opened"
    assert shown["erasable"] == ["title", "description"]


def test_a_type_that_the_catalogue_lacks_is_said_in_one_line(bare: Command) -> None:
    check_refused(bare("catalogue", "no.such"), "there is no event type 'no.such'")


def test_keys_are_listed_whole_with_their_positions(cli: Command) -> None:
    listed = cli.ok("keys").out
    for key in (ENTRY_KEY, CHECKPOINT_KEY):
        assert key.key_id in listed


def test_erase_removes_the_texts_and_records_that_it_did(door: Command, tmp_path: Path) -> None:
    said = event("change.opened", title="A name to be forgotten")
    [(position, *_)] = receipts_of(door.ok("append", write(tmp_path / "one.json", said)))
    [erased_at] = re.findall(r"position (\d+)", door.ok("erase", position, "--reason", "gdpr-17").out)
    assert "forgotten" not in door.ok("show", position).out
    assert door.ok("show", erased_at, "--json").json["entry"]["statement"]["type"] == "ledger.texts_erased"
    check_refused(door("erase", position, "--reason", "gdpr-17"))


def test_the_clock_is_corrected_on_the_machine_and_not_over_http(cli: Command, remote: Command) -> None:
    [position] = re.findall(r"position (\d+)", cli.ok("clock", "correct", "--reason", "ntp").out)
    assert cli.ok("show", position, "--json").json["entry"]["statement"]["type"] == "ledger.clock_corrected"
    check_refused(remote("clock", "correct", "--reason", "ntp"), "on the machine itself")


def test_migrate_puts_the_verifier_on_record_once_and_changes_nothing_else(cli: Command, directory: Path) -> None:
    said = cli.ok("migrate").out
    assert "verify.html is on record at position 7" in said
    assert sha256() in said
    assert "position" not in cli.ok("migrate").out
    assert size_of(directory) == 7
    assert f"tool     {sha256()}  verify.html" in cli.ok("verify").out
    [told] = cli.ok("verify", "--json").json["tools"]
    assert (told["tool"], told["sha256"], told["position"]) == ("verify.html", sha256(), 7)


def test_a_role_for_sqlite_is_refused_before_a_ledger_is_made(bare: Command, directory: Path) -> None:
    check_refused(bare("init", "--origin", "ledger.test/roles", "--grant-to", "app"), "--grant-to is for PostgreSQL")
    assert "opened" in bare.ok("init", "--origin", "ledger.test/roles").out


@pytest.mark.postgres
def test_a_role_that_is_not_there_leaves_no_half_made_ledger_and_may_be_given_again(
    bare: Command, monkeypatch: pytest.MonkeyPatch, new_postgres: Callable[[], str]
) -> None:
    url, role = new_postgres(), f"app_{uuid.uuid4().hex[:12]}"
    monkeypatch.setenv("CHANGE_LEDGER_DATABASE_URL", url)
    check_refused(bare("init", "--origin", "ledger.test/roles", "--grant-to", role), f'role "{role}" does not exist')
    assert "opened" in bare.ok("init", "--origin", "ledger.test/roles").out
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    may_append = sa.text(f"SELECT has_table_privilege('{role}', 'entries', 'INSERT')")
    with engine.connect() as owner:
        owner.execute(sa.text(f"CREATE ROLE {role}"))
        assert not owner.scalar(may_append)
        # As after a migration that added tables.
        bare.ok("migrate", "--grant-to", role)
        assert owner.scalar(may_append)
        owner.execute(sa.text(f"DROP OWNED BY {role}; DROP ROLE {role}"))
    engine.dispose()


def test_migrate_where_no_entry_key_is_says_that_the_verifier_is_not_on_record(cli: Command, directory: Path) -> None:
    (directory / "keys" / "entry.pem").unlink()
    said = cli.ok("migrate").out
    assert "verify.html was not put on record" in said
    assert size_of(directory) == 6


# -- backup ------------------------------------------------------------------------------------------------------------


def test_a_backup_of_a_ledger_in_use_verifies(server: Server, tmp_path: Path, directory: Path, bare: Command,
                                              capsys: pytest.CaptureFixture[str],
                                              monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    used = Command(capsys, monkeypatch, "--directory", str(server.directory))
    monkeypatch.setenv("CHANGE_LEDGER_KNOWN_LEDGERS", str(server.directory / "known"))
    done = threading.Event()
    refused: list[int] = []

    def append() -> None:
        with server.client_with(server.tokens["reporter"]) as client:
            while not done.is_set():
                if client.post("/v1/events", json=event()).status_code != 201:
                    refused.append(1)

    server.record(event("change.opened"))
    before = server.size()
    appending = threading.Thread(target=append)
    appending.start()
    try:
        for number in range(3):
            used.ok("backup", tmp_path / f"copy-{number}.db")
    finally:
        done.set()
        appending.join()
    assert not refused
    for number in range(3):
        copy = Command(capsys, monkeypatch, "--database-url", f"sqlite:///{tmp_path}/copy-{number}.db")
        report = copy.ok("verify", "--json").json
        assert report["verdict"] == "sound"
        assert before <= report["size"] <= server.size()


def test_a_backup_never_overwrites(cli: Command, tmp_path: Path) -> None:
    target = write(tmp_path / "precious", b"precious")
    check_refused(cli("backup", target), "precious exists")
    assert target.read_bytes() == b"precious"
    check_refused(cli("backup", tmp_path / "no" / "such" / "directory" / "copy.db"))


# -- verify ------------------------------------------------------------------------------------------------------------


def tamper(directory: Path, statement: str, *parameters: Any) -> None:
    """Change what is append-only, as somebody who owns the file can: without the triggers, which are put back."""
    with contextlib.closing(sqlite3.connect(directory / "ledger.db")) as connection:
        triggers = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for name, _ in triggers:
            connection.execute(f"DROP TRIGGER {name}")
        assert connection.execute(statement, parameters).rowcount > 0
        for _, sql in triggers:
            connection.execute(sql)
        connection.commit()


@pytest.fixture
def filled(cli: Command, tmp_path: Path) -> Command:
    """A ledger of twenty entries."""
    cli.ok("append", write(tmp_path / "many.json", [event() for _ in range(14)]))
    return cli


def test_a_pinned_ledger_verifies_as_sound(filled: Command, directory: Path) -> None:
    said = filled.ok("verify")
    assert "sound" in said.out
    assert "(pinned)" in said.out
    report = filled.ok("verify", "--json").json
    assert (report["verdict"], report["size"], report["entries"], report["faults"]) == ("sound", 20, 20, [])
    assert report["pinned"]
    assert report["signatures_checked"]


def test_the_triggers_refuse_what_tampering_must_first_remove(filled: Command, directory: Path) -> None:
    with (
        contextlib.closing(sqlite3.connect(directory / "ledger.db")) as connection,
        pytest.raises(sqlite3.IntegrityError, match="append-only"),
    ):
        connection.execute("UPDATE entries SET entry = x'00' WHERE position = 13")


@pytest.mark.parametrize(
    ("statement", "position"),
    [
        ("UPDATE entries SET entry = CAST(replace(CAST(entry AS TEXT), 'success', 'failure') AS BLOB) "
         "WHERE position = 13", 13),
        ("UPDATE entries SET signature = zeroblob(64) WHERE position = 8", 8),
        ("UPDATE entries SET leaf_hash = zeroblob(32) WHERE position = 9", 9),
        ("DELETE FROM entries WHERE position = 10", 10),
        ("UPDATE head SET size = 19", 20),
    ],
    ids=["a word of an entry", "a signature", "a leaf hash", "an entry removed", "the head"],
)  # fmt: skip
def test_tampering_is_found_and_its_position_named(
    filled: Command, directory: Path, statement: str, position: int
) -> None:
    tamper(directory, statement)
    said = filled("verify")
    assert said.status == 1
    assert f"position {position}" in said.out
    assert "FAULTS" in said.out
    report = filled("verify", "--json")
    assert report.status == 1
    assert position in {fault["position"] for fault in report.json["faults"]}


def test_faults_of_one_kind_are_told_one_by_one_three_times_and_then_counted(filled: Command, directory: Path) -> None:
    tamper(directory, "UPDATE entries SET signature = zeroblob(64) WHERE position BETWEEN 5 AND 12")
    kinds = Counter(fault["kind"] for fault in filled("verify", "--json").json["faults"])
    [(kind, count)] = [(kind, count) for kind, count in kinds.items() if count > 3]
    lines = filled("verify").out.splitlines()
    assert len([line for line in lines if line.startswith("FAULT ") and kind in line]) == 3
    assert f"         … and {count - 3} more of {kind}; --json lists them all" in lines


def test_a_ledger_without_a_first_entry_is_not_called_sound(filled: Command, directory: Path) -> None:
    tamper(directory, "UPDATE entries SET entry = x'00' WHERE position = 1")
    result = filled("verify")
    assert result.status in (1, 2)
    assert "Traceback" not in result.err


def test_without_a_pin_a_ledger_is_consistent_and_no_more(filled: Command, directory: Path) -> None:
    (directory / "known").unlink()
    said = filled("verify")
    assert said.status == 3
    assert "authenticity not checked" in said.out
    # To be trusted is not to be verified: this run stands on nothing yet, the next one does.
    assert filled("verify", "--trust").status == 3
    assert "sound" in filled.ok("verify").out


def test_without_signatures_a_ledger_is_consistent_and_no_more(filled: Command) -> None:
    assert filled("verify", "--no-signatures").status == 3


def test_a_pin_can_be_given_and_a_wrong_one_is_a_fault(filled: Command, directory: Path) -> None:
    genesis = filled.ok("verify", "--json").json["genesis"]
    (directory / "known").unlink()
    vkey = format_verifier_key(NoteKey(ORIGIN, CHECKPOINT_KEY.public_key))
    filled.ok("verify", "--genesis", genesis)
    filled.ok("verify", "--genesis", genesis, "--vkey", vkey)
    other_key = format_verifier_key(NoteKey(ORIGIN, ENTRY_KEY.public_key))
    other_name = format_verifier_key(NoteKey("ledger.test/two", CHECKPOINT_KEY.public_key))
    for words in (["--genesis", "0" * 64], ["--genesis", genesis, "--vkey", other_key],
                  ["--genesis", genesis, "--vkey", other_name]):  # fmt: skip
        result = filled("verify", *words)
        assert result.status == 1, (words, result)
        assert "FAULT" in result.out
    for words in (["--genesis", "no hex"], ["--genesis", "00"], ["--vkey", "no key"]):
        check_refused(filled("verify", *words))


def test_a_damaged_list_of_known_ledgers_is_said_in_one_line(filled: Command, directory: Path) -> None:
    (directory / "known").write_text(f"{ORIGIN} nonsense\n")
    check_refused(filled("verify"), "known:1")


def test_another_ledger_of_the_same_name_is_a_fault_and_is_not_trusted(
    filled: Command, directory: Path, tmp_path: Path
) -> None:
    pinned = f"{ORIGIN} {'0' * 64} {format_verifier_key(NoteKey(ORIGIN, CHECKPOINT_KEY.public_key))}\n"
    (directory / "known").write_text(pinned)
    assert filled("verify").status == 1
    assert filled("verify", "--trust").status in (1, 2)
    assert (directory / "known").read_text() == pinned


def test_a_part_is_verified_by_itself(filled: Command, directory: Path) -> None:
    tamper(directory, "UPDATE entries SET signature = zeroblob(64) WHERE position = 8")
    # A part without faults is no sound ledger: the rest of it, and what needs the whole, was not looked at.
    assert filled("verify", "--first", "10", "--last", "15").status == 3
    assert filled("verify", "--first", "7", "--last", "9").status == 1
    check_refused(filled("verify", "--first", "10", "--last", "9"), "range")


class Interrupted(Exception):
    """Somebody pulled the plug."""


def test_an_interrupted_verification_goes_on_where_it_was(filled: Command, directory: Path, tmp_path: Path) -> None:
    ledger = Ledger.open(Database(f"sqlite:///{directory / 'ledger.db'}"), ENTRY_KEY)
    for _ in range(9):
        append(ledger, *(event() for _ in range(1000)))
    state = tmp_path / "state.json"

    def interrupt(done: int, size: int) -> None:
        # The last word of an audit comes after its last range was kept, and before the state is removed.
        if done > RANGE:
            raise Interrupted

    with pytest.raises(Interrupted):
        audit_database(ledger.database, workers=1, state=state, on_progress=interrupt)
    append(ledger, event())
    ledger.close()
    kept = state.read_bytes()
    assert kept
    report = filled.ok("verify", "--state", state, "--json").json
    assert (report["verdict"], report["entries"], report["size"]) == ("sound", 9021, 9021)
    assert report["root"] == filled.ok("verify", "--json").json["root"]
    # What is kept is for this ledger, and what was not checked yet is checked.
    tamper(directory, "UPDATE entries SET signature = zeroblob(64) WHERE position = 9000")
    state.write_bytes(kept)
    assert "position 9000" in filled("verify", "--state", state).out


def test_a_finished_verification_leaves_no_state(filled: Command, tmp_path: Path) -> None:
    filled.ok("verify", "--state", tmp_path / "state.json")
    assert not (tmp_path / "state.json").exists()


@pytest.mark.parametrize("damage", [b"", b"{}", b"[]", b"no JSON", b'{"position": 5}', b"\xff"])
def test_a_state_that_cannot_be_read_is_said_or_begun_anew(filled: Command, tmp_path: Path, damage: bytes) -> None:
    state = write(tmp_path / "state.json", damage)
    result = filled("verify", "--state", state)
    if result.status == 0:
        assert "20 of 20" in result.out
    else:
        check_refused(result, "state.json")


# -- over HTTP ---------------------------------------------------------------------------------------------------------


def test_verification_over_http_is_the_servers_word(remote: Command, server: Server) -> None:
    report = remote.ok("verify", "--json").json
    assert (report["verdict"], report["origin"]) == ("sound", ORIGIN)
    said = remote("verify", "--genesis", "0" * 64)
    assert said.status == 1
    assert "FAULT" in said.out


def test_over_http_one_needs_a_token_that_is_known(
    server: Server, directory: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    check_refused(Command(capsys, monkeypatch, "--server", server.url)("tail"), "token")
    unknown = Command(capsys, monkeypatch, "--server", server.url, "--token", "clt_unknown")
    for words in (["append", "-"], ["show", "1"], ["tail"], ["token", "list"], ["verify"], ["tail", "-f"]):
        check_refused(unknown(*words, stdin=lines_of(event())), "401")
    auditor = Command(capsys, monkeypatch, "--server", server.url, "--token", server.tokens["auditor"])
    check_refused(auditor("append", "-", stdin=lines_of(event())), "403", "reporter")


def test_server_and_token_may_come_from_the_environment(
    server: Server, directory: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHANGE_LEDGER_SERVER", server.url)
    monkeypatch.setenv("CHANGE_LEDGER_TOKEN", server.tokens["all"])
    shown = Command(capsys, monkeypatch)("show", "1", "--json")
    assert shown.json["entry"]["statement"]["type"] == "ledger.opened"


@pytest.mark.parametrize(
    "words", [["append", "-"], ["show", "1"], ["tail"], ["token", "list"], ["verify"]], ids=" ".join
)
def test_a_server_that_is_not_there_is_said_in_one_line(
    directory: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    # It is asked again for a minute.
    monkeypatch.setattr(remote_door, "pause", lambda seconds: None)
    with socket.socket() as reserved:
        # Bound, and not listening: nobody else gets the port, and nobody answers.
        reserved.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{reserved.getsockname()[1]}"
        absent = Command(capsys, monkeypatch, "--server", url, "--token", "clt_x")
        check_refused(absent(*words, stdin=lines_of(event())))


@pytest.mark.parametrize("url", ["no url", "ftp://127.0.0.1", "http://"])
def test_a_server_that_is_no_address_is_said_in_one_line(
    directory: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    check_refused(Command(capsys, monkeypatch, "--server", url, "--token", "clt_x")("show", "1"))


# -- serve -------------------------------------------------------------------------------------------------------------


def test_the_line_that_scripts_wait_for_is_a_promise(cli: Command, directory: Path) -> None:
    command = [sys.executable, "-m", "api.cli", "--directory", str(directory), "serve", "--port", "0"]
    with subprocess.Popen(
        command, env=environment_for(directory), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        guard = threading.Timer(START_TIMEOUT_S, process.kill)
        guard.start()
        assert process.stdout is not None
        try:
            url = process.stdout.readline().removeprefix("serving ").strip()
            assert httpx.get(f"{url}/healthz", timeout=600).status_code == 200
        finally:
            guard.cancel()
            process.terminate()
            process.communicate(timeout=600)


def test_a_server_stopped_by_its_service_manager_has_lost_nothing(tmp_path: Path) -> None:
    with running_server(tmp_path / "var") as own:
        receipt = own.record(event())
        assert own.stop() in (0, -signal.SIGTERM)
        assert "Traceback" not in (own.directory / "server.err").read_text()
        tokens = own.tokens
    with running_server(tmp_path / "var", tokens=tokens) as again:
        assert again.get(f"/v1/events/{receipt['position']}").json()["receipt"] == receipt
        assert again.audit().verdict == "sound"


def test_a_port_that_is_taken_is_said_without_a_traceback(cli: Command, directory: Path) -> None:
    done = run_on_a_taken_port(directory, "--directory", str(directory), "serve")
    assert done.returncode == 2
    assert done.stdout == ""
    [line] = done.stderr.splitlines()
    assert line.startswith("change-ledger: cannot listen on 127.0.0.1, port ")
    assert "address already in use" in line.lower()
    assert "choose another --port" in line


# -- as a program ------------------------------------------------------------------------------------------------------


def test_the_program_ends_with_the_status_of_what_it_found(cli: Command, directory: Path) -> None:
    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "api.cli", "--directory", str(directory), *words],
            env=environment_for(directory),
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )

    sound = run("verify", "--json")
    assert sound.returncode == 0
    assert json.loads(sound.stdout)["verdict"] == "sound"
    again = run("init", "--origin", "x")
    assert again.returncode == 2
    assert "Traceback" not in again.stderr
    assert again.stdout == ""


@pytest.mark.parametrize("words", [["--help"], ["token", "--help"], ["verify", "--help"]], ids=" ".join)
def test_help_explains_itself(bare: Command, words: list[str]) -> None:
    said = Command(bare._capsys, bare._monkeypatch).ok(*words)
    assert "Usage: change-ledger" in said.out


def test_a_view_that_has_not_stopped_steps_over_nothing(cli: Command) -> None:
    cli.ok("views", "rebuild", "sboms")
    cli.refused("views", "skip", 1, "--view", "deployments", "--reason", "x", words="has not stopped")
    cli.refused("views", "skip", 1, "--view", "deploymnets", "--reason", "x", words="no view 'deploymnets'")

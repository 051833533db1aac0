"""The commands `checkpoint`, `proof`, `signer`, `heads`, `dossier`, `check-dossier`: on a ledger of one's own and over HTTP."""

import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from commands import Command
from ledgers import CHECKPOINT_KEY, ORIGIN
from servers import Server, event, log_server

from api.cli import pins
from ledger.log.tables import guards
from signing import keys
from signing.checkpoint import check_checkpoint
from signing.keys import SigningKey
from signing.notes import NoteKey, format_verifier_key, parse_note
from signing.proof import check_proof, parse_proof

KEYS = [NoteKey(ORIGIN, CHECKPOINT_KEY.public_key)]
VKEY = format_verifier_key(KEYS[0])
OTHER_VKEY = format_verifier_key(NoteKey(ORIGIN, SigningKey.from_seed(b"o" * 32).public_key))
DEAD = "http://127.0.0.1:1"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with log_server(tmp_path_factory.mktemp("checkpoints") / "var") as running:
        running.record(event(change_id="CHG-7"))
        running.wait_for_checkpoint(7)
        yield running


@pytest.fixture
def remote(
    server: Server, directory: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Command:
    shutil.copy(server.directory / "known", directory / "known")
    return Command(capsys, monkeypatch, "--server", server.url, "--token", server.tokens["all"])


def record(cli: Command, path: Path, **data: Any) -> None:
    path.write_text(json.dumps(event(**data)))
    cli.ok("append", path)


# -- checkpoint and proof ----------------------------------------------------------------------------------------------


def test_a_checkpoint_is_signed_when_there_is_something_new_and_printed(cli: Command, tmp_path: Path) -> None:
    first = cli.ok("checkpoint").out
    assert check_checkpoint(parse_note(first.encode()), KEYS).size == 6
    assert cli.ok("checkpoint").out == first
    record(cli, tmp_path / "one.json")
    assert check_checkpoint(parse_note(cli.ok("checkpoint").out.encode()), KEYS).size == 7


def test_a_server_is_asked_for_its_checkpoint_without_a_token(remote: Command, server: Server) -> None:
    out = remote.at("--server", server.url).ok("checkpoint").out
    assert out == server.get("/checkpoint").text


def test_a_proof_is_printed_or_written_and_verifies(cli: Command, tmp_path: Path) -> None:
    cli.refused("proof", 3, words="checkpoint")
    cli.ok("checkpoint")
    found = cli.ok("proof", 3).out
    leaf = bytes.fromhex(cli.ok("show", 3, "--json").json["entry_hash"])
    assert check_proof(parse_proof(found.encode()), leaf, KEYS).size == 6
    cli.ok("proof", 3, "--out", tmp_path / "3.tlog-proof")
    assert (tmp_path / "3.tlog-proof").read_text() == found


def test_a_proof_comes_over_http_too(remote: Command, server: Server) -> None:
    proof = parse_proof(remote.ok("proof", 2).out.encode())
    assert check_checkpoint(proof.checkpoint, KEYS).size >= 7
    remote.refused("proof", 999, words="not under a published checkpoint yet")
    remote.at("--server", server.url).refused("proof", 1, words="401")


def test_what_no_checkpoint_covers_has_no_proof_yet(cli: Command, tmp_path: Path) -> None:
    cli.ok("checkpoint")
    record(cli, tmp_path / "one.json")
    cli.refused("proof", 7, words="not under a published checkpoint yet; the last one covers 6")
    cli.refused("proof", 999, words="the last one covers 6")
    cli.refused("proof", 1, "--out", tmp_path / "nowhere" / "1.tlog-proof", words="nowhere")
    for wrong in ("0", "-1", "x", ""):
        assert cli("proof", wrong).status == 2


@pytest.mark.parametrize("words", [("checkpoint",), ("proof", "1"), ("heads",), ("dossier", "change:CHG-7"),
                                   ("keys",), ("keys", "--vkey")])  # fmt: skip
def test_a_server_that_is_not_there_is_said_in_one_line(remote: Command, words: tuple[str, ...]) -> None:
    remote.at("--server", DEAD, "--token", "x").refused(*words, words="the server")


# -- the signer --------------------------------------------------------------------------------------------------------


def test_the_signer_says_what_it_remembers(cli: Command) -> None:
    assert "remembers size 0" in cli.ok("signer", "status").out
    cli.ok("checkpoint")
    assert f"remembers size 6 of {ORIGIN}, and the database agrees" in cli.ok("signer", "status").out


def test_a_signer_without_a_memory_stands_until_it_takes_over_the_last_checkpoint(
    cli: Command, directory: Path, tmp_path: Path
) -> None:
    first = tmp_path / "first"
    first.write_text(cli.ok("checkpoint").out)
    record(cli, tmp_path / "one.json")
    last = tmp_path / "last"
    last.write_text(cli.ok("checkpoint").out)
    (directory / "signer" / "checkpoint").unlink()
    for words in (("checkpoint",), ("signer", "status")):
        cli.refused(*words, words="no memory")
    cli.refused("signer", "take-over", first, words="expected the last checkpoint that was published, of size 7")
    assert "signs from size 7 on" in cli.ok("signer", "take-over", last).out
    cli.ok("signer", "status")
    record(cli, tmp_path / "two.json")
    assert cli.ok("checkpoint").out.splitlines()[1] == "8"
    assert cli.ok("verify", "--json").json["verdict"] == "sound"


def test_a_last_checkpoint_that_was_deleted_is_missed_on_the_machine_of_the_signer(
    cli: Command, directory: Path
) -> None:
    cli.ok("checkpoint")
    with closing(sqlite3.connect(directory / "ledger.db")) as database, database:
        database.execute("DROP TRIGGER checkpoints_refuses_delete")
        database.execute("DELETE FROM checkpoints")
        database.execute(guard_of("checkpoints_refuses_delete"))
    report = cli("verify", "--json")
    assert (report.status, [fault["kind"] for fault in report.json["faults"]]) == (1, ["checkpoint-missing"])
    # Elsewhere nobody remembers it; and the signer keeps it again, as after a crash.
    assert cli("audit", directory / "ledger.db", "--json").json["verdict"] == "sound"
    cli.ok("checkpoint")
    assert cli.ok("verify", "--json").json["verdict"] == "sound"


def test_a_memory_of_another_ledger_is_not_compared_and_that_is_said(cli: Command, directory: Path) -> None:
    cli.ok("checkpoint")
    (directory / "signer" / "checkpoint").write_text("nothing\n")
    report = cli.ok("verify", "--json").json
    assert "was not compared" in report["notes"][0]


def guard_of(name: str) -> str:
    [statement] = [ddl for ddl in guards("sqlite") if f" {name} " in ddl]
    return statement


def test_what_is_no_checkpoint_of_this_ledger_is_not_taken_over(
    cli: Command, directory: Path, tmp_path: Path, server: Server
) -> None:
    note = cli.ok("checkpoint").out
    (tmp_path / "empty").write_text("")
    (tmp_path / "bytes").write_bytes(b"\xff\n\nx")
    (tmp_path / "altered").write_text(note.replace("\n6\n", "\n5\n"))
    (tmp_path / "unsigned").write_text(note.partition("\n\n")[0] + "\n")
    before = (directory / "signer" / "checkpoint").read_bytes()
    for name in ("empty", "bytes", "altered", "unsigned", "missing", "."):
        cli.refused("signer", "take-over", tmp_path / name)
    # Another ledger under the same keys and the same name: its history is not this one.
    for url in (f"{server.url}/checkpoint", f"{server.url}/nowhere", f"{DEAD}/checkpoint", "http://", "http://[x"):
        cli.refused("signer", "take-over", url)
    assert (directory / "signer" / "checkpoint").read_bytes() == before


def test_a_restored_backup_is_refused_until_the_loss_is_recorded(cli: Command, directory: Path, tmp_path: Path) -> None:
    cli.ok("checkpoint")
    cli.ok("backup", tmp_path / "old.db")
    record(cli, tmp_path / "one.json")
    cli.ok("checkpoint")
    cli.refused("signer", "restore", "--reason", "disk-lost", words="nothing was lost")
    for name in ("ledger.db-wal", "ledger.db-shm"):
        (directory / name).unlink(missing_ok=True)
    shutil.copy(tmp_path / "old.db", directory / "ledger.db")
    for words in (("append", tmp_path / "one.json"), ("heads",), ("serve", "--port", "0"), ("checkpoint",),
                  ("signer", "status"), ("proof", "1")):  # fmt: skip
        cli.refused(*words, words="of size 7 was signed")
    cli.refused("signer", "restore", "--reason", "two words")
    assert f"{ORIGIN}#2" in cli.ok("signer", "restore", "--reason", "disk-lost").out
    assert cli.ok("checkpoint").out.startswith(f"{ORIGIN}#2\n")
    cli.refused("signer", "restore", "--reason", "disk-lost", words="nothing was lost")
    report = cli.ok("verify", "--json").json
    assert report["verdict"] == "sound"


def test_the_signer_is_worked_on_where_it_is(remote: Command) -> None:
    for words in (("status",), ("take-over", "x"), ("restore", "--reason", "x")):
        if words[0] != "take-over":
            remote.refused("signer", *words, words="not over HTTP")
    remote.refused("signer", "take-over", "x")


def test_a_host_without_a_checkpoint_key_does_not_sign(cli: Command, directory: Path) -> None:
    (directory / "keys" / "checkpoint.pem").unlink()
    for words in (("checkpoint",), ("signer", "status")):
        cli.refused(*words, words="this host does not sign")
    keys.save(SigningKey.from_seed(b"o" * 32), directory / "keys" / "checkpoint.pem")
    cli.refused("checkpoint", words="keys enrol checkpoint")


# -- dossiers ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def made(cli: Command, tmp_path: Path) -> Path:
    """A dossier of two entries in a file."""
    for name in ("a", "b"):
        record(cli, tmp_path / f"{name}.json", change_id="CHG-7")
    assert "committed at position 9" in cli.ok("heads").out
    cli.ok("checkpoint")
    told = cli.ok("dossier", "change:CHG-7", "--out", tmp_path / "dossier.json")
    assert "2 entries; complete up to position 8" in told.err
    return tmp_path / "dossier.json"


def test_a_dossier_is_checked_under_the_pin_or_a_key_that_is_given(cli: Command, made: Path, tmp_path: Path) -> None:
    cli.refused("dossier", "CHG-7", words="expected refs as kind:value, such as change:CHG-7")
    assert "2 entries, each under the checkpoint of 9" in cli.ok("check-dossier", made).out
    assert "ended as success" in cli.ok("check-dossier", made, "--entries").out
    assert cli.ok("check-dossier", made, "--vkey", VKEY).status == 0
    record(cli, tmp_path / "c.json", change_id="CHG-7")
    cli.ok("checkpoint")
    made.write_text(cli.ok("dossier", "change:CHG-7").out)
    assert "after that, 1 more, of which others may be missing: [10]" in cli.ok("check-dossier", made).out


def test_a_dossier_that_does_not_hold_ends_with_1(cli: Command, made: Path) -> None:
    whole = json.loads(made.read_text())
    for damage in ({"entries": whole["entries"][1:]}, {"entries": []}, {"ref": "change:CHG-8"}, {"heads": []},
                   {"commitment": whole["entries"][0]}, {"checkpoint": whole["checkpoint"].replace("\n9\n", "\n8\n")},
                   {"entries": None}, {"entries": [1]}, {"commitment": None}, {"heads": [{}]}):  # fmt: skip
        made.write_text(json.dumps(whole | damage))
        result = cli("check-dossier", made, "--vkey", VKEY)
        assert (result.status, result.out.startswith("DOES NOT HOLD: ")) == (1, True), (damage, result)
    made.write_text(json.dumps(whole))
    assert cli("check-dossier", made, "--vkey", OTHER_VKEY).status == 1


def test_several_dossiers_are_checked_at_once_and_the_worst_counts(cli: Command, made: Path, tmp_path: Path) -> None:
    bad, no = tmp_path / "bad.json", tmp_path / "no.json"
    bad.write_text(json.dumps(json.loads(made.read_text()) | {"entries": []}))
    no.write_text("{}")
    for paths, status in (((made, made), 0), ((made, no), 2), ((no, bad, made), 1), ((bad, no), 1)):
        done = cli("check-dossier", *paths, "--vkey", VKEY)
        assert done.status == status
        assert ("no.json is no dossier" in done.err) == (no in paths)
        assert ("DOES NOT HOLD: " in done.out) == (bad in paths)
        assert done.out.count("each under the checkpoint") == paths.count(made)


def test_what_is_no_dossier_is_said_in_one_line(cli: Command, made: Path, tmp_path: Path, directory: Path) -> None:
    for name, content in {"empty": b"", "text": b"no json", "bytes": b"\xff", "list": b"[]", "null": b"null",
                          "object": b"{}", "deep": b"[" * 100_000}.items():  # fmt: skip
        (tmp_path / name).write_bytes(content)
        cli.refused("check-dossier", tmp_path / name)
    cli.refused("check-dossier", tmp_path / "missing", words="missing")
    cli.refused("check-dossier", tmp_path)
    for vkey in ("nothing", VKEY[:-4], VKEY.replace("ledger", "other")):
        cli.refused("check-dossier", made, "--vkey", vkey)
    (directory / "known").unlink()
    cli.refused("check-dossier", made, words="give --vkey")


def test_without_a_commitment_or_a_checkpoint_there_is_no_dossier(cli: Command, tmp_path: Path) -> None:
    cli.refused("dossier", "change:CHG-7", words="no checkpoint was signed")
    cli.ok("checkpoint")
    cli.refused("dossier", "change:CHG-7", words="no commitment")
    cli.ok("heads")
    cli.ok("checkpoint")
    cli.refused("dossier", "change:CHG-7", "--out", tmp_path / "nowhere" / "d.json", words="nowhere")


def test_a_dossier_comes_over_http_and_is_checked_here(
    remote: Command, server: Server, directory: Path, tmp_path: Path
) -> None:
    position = int(remote.ok("heads").out.split()[-1])
    server.wait_for_checkpoint(position)
    remote.ok("dossier", "change:CHG-7", "--out", tmp_path / "d.json")
    assert pins.read(directory / "known", ORIGIN) is not None
    assert "1 entry, each" in remote.ok("check-dossier", tmp_path / "d.json").out
    remote.at("--server", server.url, "--token", server.tokens["reporter"]).refused("dossier", "change:x", words="403")
    remote.at("--server", server.url, "--token", server.tokens["auditor"]).refused("heads", words="403")

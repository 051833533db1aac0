"""The command `keys`: list, make, enrol, retire, revoke; what is wrong is said in one line."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from commands import Command
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from ledgers import CHECKPOINT_KEY, ENTRY_KEY, ORIGIN, possession
from servers import Server, event, log_server

from ledger.ledger import Ledger
from ledger.log.database import Database
from signing import keys as signing_keys
from signing.keys import SigningKey
from signing.notes import COSIGNATURE, NoteKey, format_verifier_key

VKEY = format_verifier_key(NoteKey(ORIGIN, CHECKPOINT_KEY.public_key))
KEY = SigningKey.from_seed(b"k" * 32)
HEX = KEY.public_key.hex()
PROOF = ("--possession", possession(KEY, "producer"))
WITNESS = format_verifier_key(NoteKey("witness.test", KEY.public_key, COSIGNATURE))
PRODUCER = ("enrol", "producer", HEX, "--name", "service:ci", "--source", "https://ci.example.com/*", *PROOF)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with log_server(tmp_path_factory.mktemp("keys") / "var") as running:
        yield running


@pytest.fixture(params=["database", "server"])
def door(
    request: pytest.FixtureRequest,
    directory: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Command:
    """The command in a database, and over HTTP."""
    if request.param == "database":
        command: Command = request.getfixturevalue("cli")
        return command
    running: Server = request.getfixturevalue("server")
    return Command(capsys, monkeypatch, "--server", running.url, "--token", running.tokens["operator"])


def fresh() -> SigningKey:
    """Return a key that no other test has enrolled: a key is enrolled once."""
    return SigningKey.generate()


def listed(cli: Command, key: SigningKey, role: str) -> dict[str, object]:
    [found] = [item for item in cli.ok("keys", "--json").json if (item["key_id"], item["role"]) == (key.key_id, role)]
    return dict(found)


# -- listing and making ------------------------------------------------------------------------------------------------


def test_the_verifier_key_is_printed_alone_to_be_pinned(door: Command) -> None:
    assert door.ok("keys", "--vkey").out == VKEY + "\n"


def test_keys_are_listed_whole_by_role_and_number(door: Command) -> None:
    out = door.ok("keys").out
    assert ENTRY_KEY.key_id in out
    assert CHECKPOINT_KEY.key_id in out
    first = listed(door, ENTRY_KEY, "entry")
    assert (first["number"], first["valid_from"], first["name"]) == (0, 1, ORIGIN)
    assert first["public_key"] == ENTRY_KEY.public_key.hex()


def test_a_new_key_is_written_for_its_owner_alone_and_never_over_another(cli: Command, tmp_path: Path) -> None:
    made = cli.ok("keys", "new", tmp_path / "sub" / "new.pem")
    key = signing_keys.load(tmp_path / "sub" / "new.pem")
    assert (tmp_path / "sub" / "new.pem").stat().st_mode & 0o777 == 0o600
    assert key.public_key.hex() in made.out
    assert key.key_id in made.out
    before = (tmp_path / "sub" / "new.pem").read_bytes()
    cli.refused("keys", "new", tmp_path / "sub" / "new.pem", words="exists")
    assert (tmp_path / "sub" / "new.pem").read_bytes() == before


def test_a_new_key_needs_no_ledger(directory: Path, capsys: pytest.CaptureFixture[str],
                                   monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:  # fmt: skip
    Command(capsys, monkeypatch, "--directory", directory).ok("keys", "new", tmp_path / "k.pem")


def test_a_new_key_where_nothing_can_be_written_is_said_in_one_line(cli: Command, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    cli.refused("keys", "new", tmp_path / "file" / "k.pem")


# -- enrolling ---------------------------------------------------------------------------------------------------------


def test_a_producers_key_is_enrolled_retired_and_its_history_kept(door: Command) -> None:
    key = fresh()
    proof = ("--possession", possession(key, "producer"))
    words = ("keys", "enrol", "producer", key.public_key.hex(), "--name", "service:ci", *proof)
    assert "recorded at position" in door.ok(*words, "--source", "https://a.example/*", "--source", "b").out
    found = listed(door, key, "producer")
    assert (found["name"], found["sources"], found["valid_until"]) == ("service:ci", ["b", "https://a.example/*"], None)
    door.ok("keys", "retire", "producer", key.key_id[:8])
    assert listed(door, key, "producer")["valid_until"] is not None


def test_a_key_is_enrolled_from_a_file_of_either_half(door: Command, tmp_path: Path) -> None:
    private, public = fresh(), fresh()
    signing_keys.save(private, tmp_path / "private.pem")
    pem = Ed25519PublicKey.from_public_bytes(public.public_key).public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    (tmp_path / "public.pem").write_bytes(pem)
    for name in ("private", "public"):
        door.ok("keys", "enrol", "witness", tmp_path / f"{name}.pem", "--name", f"witness.test/{name}")
    assert listed(door, private, "witness")["valid_until"] is None
    assert listed(door, public, "witness")["name"] == "witness.test/public"


def test_a_witness_is_enrolled_by_its_verifier_key_which_is_told_back(door: Command) -> None:
    vkey = format_verifier_key(NoteKey("witness.test/a", fresh().public_key, COSIGNATURE))
    assert door.ok("keys", "enrol", "witness", vkey).out.splitlines()[-1] == vkey


def test_a_checkpoint_key_bears_the_ledgers_name_whatever_it_is_called(door: Command) -> None:
    key = fresh()
    proof = ("--possession", possession(key, "checkpoint"))
    door.ok("keys", "enrol", "checkpoint", key.public_key.hex(), "--name", "other.example", *proof)
    assert listed(door, key, "checkpoint")["name"] == ORIGIN
    assert format_verifier_key(NoteKey(ORIGIN, key.public_key)) in door.ok("keys", "--vkey").out
    door.ok("keys", "retire", "checkpoint", key.key_id)
    assert door.ok("keys", "--vkey").out == VKEY + "\n"


def test_a_proof_is_made_where_the_private_key_is_and_given_to_whoever_enrols(door: Command, tmp_path: Path) -> None:
    key = fresh()
    signing_keys.save(key, tmp_path / "private.pem")
    proof = door.ok("keys", "prove", "producer", tmp_path / "private.pem", "--origin", ORIGIN).out.strip()
    assert proof == possession(key, "producer")
    words = ("keys", "enrol", "producer", key.public_key.hex(), "--name", "service:ci", "--source", "x")
    assert "keys prove producer KEY.pem" in door.refused(*words, words="DSSEv1").err
    door.refused(*words, "--possession", possession(key, "entry"), words="found another")
    door.ok(*words, "--possession", proof)
    assert listed(door, key, "producer")["proved"] is True


def test_a_proof_is_made_by_the_way_when_the_private_key_is_at_hand(door: Command, tmp_path: Path) -> None:
    key = fresh()
    signing_keys.save(key, tmp_path / "private.pem")
    door.ok("keys", "enrol", "producer", tmp_path / "private.pem", "--name", "service:ci", "--source", "x")
    assert listed(door, key, "producer")["proved"] is True


def test_what_cannot_be_proved_is_said_in_one_line(bare: Command, tmp_path: Path) -> None:
    signing_keys.save(KEY, tmp_path / "k.pem")
    for words, said in (
        (("witness", tmp_path / "k.pem"), "cosignature"),
        (("admin", tmp_path / "k.pem"), "expected the role"),
        (("entry", tmp_path / "nowhere.pem"), "private key"),
        (("entry", HEX), "private key"),
    ):
        bare.refused("keys", "prove", *words, "--origin", ORIGIN, words=said)


WRONG: dict[str, tuple[tuple[str, ...], str]] = {
    "another role": (("enrol", "admin", HEX), "role"),
    "a key that is none": (("enrol", "entry", "nothing"), "nothing"),
    "a key of 63 digits": (("enrol", "entry", HEX[1:]), ""),
    "a key in capitals": (("enrol", "entry", HEX.upper()), ""),
    "a key with a wrong id": (("enrol", "witness", WITNESS.replace("+", "+0", 1)), ""),
    "a verifier key cut short": (("enrol", "witness", WITNESS[:-4]), ""),
    "an argument of 5,000 characters": (("enrol", "entry", "x" * 5000), ""),
    "a witness by two names": (("enrol", "witness", WITNESS, "--name", "other"), "one name"),
    "a witness without a name": (("enrol", "witness", HEX), "--name"),
    "a producer without a name": (("enrol", "producer", HEX, "--source", "x"), "--name"),
    "a producer without sources": (("enrol", "producer", HEX, "--name", "service:ci"), "sources"),
    "an entry key with sources": (("enrol", "entry", HEX, "--source", "x"), "sources"),
    "a name with a blank": (("enrol", "producer", HEX, "--name", "a b", "--source", "x"), ""),
    "a name with a plus": (("enrol", "witness", HEX, "--name", "a+b"), ""),
    "an empty name": (("enrol", "witness", HEX, "--name", ""), ""),
    "a source with a blank": (("enrol", "producer", HEX, "--name", "service:ci", "--source", "a b"), ""),
    "17 sources": (("enrol", "producer", HEX, "--name", "a", *(f"--source=s{n}" for n in range(17))), ""),
    "a key that is there": (("enrol", "entry", ENTRY_KEY.public_key.hex()), "once"),
    "the last entry key": (("retire", "entry", ENTRY_KEY.key_id), "only valid entry key"),
    "the last entry key, revoked": (("revoke", "entry", ENTRY_KEY.key_id, "--from-position", "1"), "only valid"),
    "a key of another role": (("retire", "witness", ENTRY_KEY.key_id), "0 keys"),
    "seven digits": (("retire", "entry", ENTRY_KEY.key_id[:7]), "8 digits"),
    "no digits": (("retire", "entry", ""), "8 digits"),
    "digits that fit none": (("retire", "entry", "00000000"), "0 keys"),
    "retire in another role": (("retire", "admin", ENTRY_KEY.key_id), "0 keys"),
    "a revocation in the future": (("revoke", "checkpoint", CHECKPOINT_KEY.key_id, "--from-position", "999"), "future"),
    "a reason of two words": (
        ("revoke", "checkpoint", CHECKPOINT_KEY.key_id, "--from-position", "1", "--reason", "was leaked"),
        "",
    ),
}


def test_what_cannot_be_done_with_a_key_is_said_in_one_line_and_changes_nothing(door: Command) -> None:
    before = door.ok("keys", "--json").out
    for words, said in WRONG.values():
        door.refused("keys", *words, words=said)
    assert door.ok("keys", "--json").out == before


def test_files_that_hold_no_key_are_refused_in_one_line(cli: Command, tmp_path: Path) -> None:
    other = generate_private_key(SECP256R1())
    (tmp_path / "other.pem").write_bytes(
        other.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    (tmp_path / "text.pem").write_text("no key\nat all\n")
    (tmp_path / "bytes.pem").write_bytes(b"\xff\xfe")
    (tmp_path / "half.pem").write_bytes(KEY.to_pem()[:60])
    (tmp_path / "open.pem").write_bytes(KEY.to_pem())
    (tmp_path / "open.pem").chmod(0o644)
    for name in ("other.pem", "text.pem", "bytes.pem", "half.pem", "open.pem", "missing.pem", "."):
        cli.refused("keys", "enrol", "entry", tmp_path / name)


def test_a_key_is_enrolled_once_in_a_role_also_after_it_was_retired(cli: Command) -> None:
    cli.ok("keys", *PRODUCER)
    cli.refused("keys", *PRODUCER, words="once")
    cli.ok("keys", "retire", "producer", KEY.key_id)
    cli.refused("keys", *PRODUCER, words="once")
    # A key has one role.
    cli.refused("keys", "enrol", "witness", HEX, "--name", "witness.test", words="enrolled as producer already")


def test_a_prefix_that_fits_two_keys_is_refused(cli: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in (b"1", b"2"):
        key = SigningKey.from_seed(seed * 32)
        cli.ok("keys", "enrol", "entry", key.public_key.hex(), "--possession", possession(key, "entry"))
    ids = [item["key_id"] for item in cli.ok("keys", "--json").json if item["role"] == "entry"]
    assert len({key_id[:8] for key_id in ids}) == len(ids)
    cli.refused("keys", "retire", "entry", ids[0][:7], words="8 digits")
    cli.ok("keys", "retire", "entry", ids[1][:8])


def test_a_revocation_names_its_position_and_reason(door: Command) -> None:
    key = fresh()
    door.ok("keys", "enrol", "witness", key.public_key.hex(), "--name", "witness.test/b")
    door.ok("keys", "revoke", "witness", key.key_id[:12], "--from-position", "2", "--reason", "leaked")
    found = listed(door, key, "witness")
    assert found["revoked_from"] == 2
    assert found["revoked_at"] is not None
    assert door("keys", "revoke", "witness", key.key_id).status == 2


def test_keys_over_http_need_an_operators_token(
    server: Server, directory: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    anybody = Command(capsys, monkeypatch, "--server", server.url)
    assert anybody.ok("keys", "--vkey").out == VKEY + "\n"
    auditor = anybody.at("--server", server.url, "--token", server.tokens["auditor"])
    auditor.refused("keys", *PRODUCER, words="403")
    auditor.refused("keys", "retire", "checkpoint", CHECKPOINT_KEY.key_id, words="403")


# -- keys from the environment -----------------------------------------------------------------------------------------


def test_keys_may_come_from_the_environment(
    cli: Command, directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for role in ("entry", "checkpoint"):
        path = directory / "keys" / f"{role}.pem"
        monkeypatch.setenv(f"PEM_{role}", path.read_text())
        monkeypatch.setenv(f"CHANGE_LEDGER_{role.upper()}_KEY", f"env:PEM_{role}")
        path.unlink()
    cli.ok("keys", *PRODUCER)
    assert cli.ok("checkpoint").out.splitlines()[1] == "7"
    assert cli.ok("verify", "--json").json["verdict"] == "sound"


@pytest.mark.parametrize("role", ["ENTRY", "CHECKPOINT"])
def test_a_wrong_key_in_the_environment_is_said_in_one_line(
    cli: Command, monkeypatch: pytest.MonkeyPatch, role: str
) -> None:
    monkeypatch.setenv(f"CHANGE_LEDGER_{role}_KEY", "env:PEM")
    command = "heads" if role == "ENTRY" else "checkpoint"
    cli.refused(command, words="PEM")
    for pem in ("", "no key", KEY.to_pem().decode()[:80], KEY.to_pem().decode()):
        monkeypatch.setenv("PEM", pem)
        assert "PRIVATE KEY" not in cli.refused(command).err


def test_a_key_by_its_path_or_as_a_file_is_the_same(
    cli: Command, directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (directory / "keys" / "entry.pem").rename(tmp_path / "moved.pem")
    for reference in (str(tmp_path / "moved.pem"), f"file:{tmp_path / 'moved.pem'}", "moved.pem"):
        monkeypatch.setenv("CHANGE_LEDGER_ENTRY_KEY", reference)
        cli.ok("heads")
    monkeypatch.setenv("CHANGE_LEDGER_ENTRY_KEY", str(tmp_path / "nowhere.pem"))
    cli.refused("heads", words="nowhere.pem")


def test_an_entry_key_is_rotated_on_one_machine(
    cli: Command, directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cli.ok("keys", "new", tmp_path / "second.pem")
    cli.ok("keys", "enrol", "entry", tmp_path / "second.pem", "--name", "host-b")
    monkeypatch.setenv("CHANGE_LEDGER_ENTRY_KEY", str(tmp_path / "second.pem"))
    cli.ok("keys", "retire", "entry", ENTRY_KEY.key_id)
    (tmp_path / "one.json").write_text(json.dumps(event()))
    cli.ok("append", tmp_path / "one.json")
    assert cli.ok("verify", "--json").json["verdict"] == "sound"
    monkeypatch.delenv("CHANGE_LEDGER_ENTRY_KEY")
    cli.refused("append", tmp_path / "one.json", words="may not sign")
    cli.refused("serve", "--port", "0", words="may not sign")


# -- without keys, and back ---------------------------------------------------------------------------------------------


def entry_key_ends(directory: Path) -> None:
    """Leave no valid entry key, as could happen before the last one was kept."""
    ledger = Ledger.open(Database(f"sqlite:///{directory / 'ledger.db'}"), ENTRY_KEY)
    data = {"actor": "person:root", "role": "entry", "key_id": ENTRY_KEY.key_id, "from_position": 1, "reason": "x"}
    ledger.state("ledger.key_revoked", data)
    ledger.close()


def test_reading_needs_no_private_key(cli: Command, directory: Path, tmp_path: Path) -> None:
    signed = cli.ok("checkpoint").out
    shutil.rmtree(directory / "keys")
    assert cli.ok("checkpoint").out == signed
    assert "index 0" in cli.ok("proof", 1).out
    cli.ok("export", tmp_path / "export")
    cli.ok("keys")
    cli.ok("show", 1)
    assert cli.ok("audit", tmp_path / "export", "--json").json["verdict"] == "sound"
    assert cli.ok("verify", "--json").json["verdict"] == "sound"


def test_when_no_entry_key_is_valid_all_can_be_read_and_the_checkpoint_key_lets_a_new_one_in(
    cli: Command, directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry_key_ends(directory)
    (tmp_path / "one.json").write_text(json.dumps(event()))
    cli.refused("append", tmp_path / "one.json", words="keys recover")
    assert cli.ok("checkpoint").out.splitlines()[1] == "7"
    cli.ok("export", tmp_path / "export")
    assert cli.ok("audit", tmp_path / "export", "--json").json["verdict"] == "sound"
    new = tmp_path / "new.pem"
    cli.ok("keys", "new", new)
    key = signing_keys.load(new)
    assert "recorded at position 8" in cli.ok("keys", "recover", new, "--reason", "ended").out
    cli.refused("keys", "recover", new, "--reason", "ended", words="enrolled as entry already")
    monkeypatch.setenv("CHANGE_LEDGER_ENTRY_KEY", str(new))
    cli.ok("append", tmp_path / "one.json")
    found = cli("verify", "--json")
    assert (found.status, found.json["verdict"], found.json["unaccepted"]) == (3, "consistent", [key.key_id])
    assert "to accept the recovery" in cli("verify").out
    cli.ok("export", tmp_path / "export")
    assert cli("audit", tmp_path / "export").status == 3
    assert cli("audit", tmp_path / "export", "--recovered", key.key_id).status == 0
    assert cli("verify", "--recovered", key.key_id).status == 0
    cli.refused("verify", "--recovered", "x", words="64 lower-case hex digits")
    assert cli("verify", "--trust").status == 3
    assert cli("verify").status == cli("audit", tmp_path / "export").status == 0
    # The pin is one line still, and says what it accepts.
    [line] = (directory / "known").read_text().splitlines()
    assert line.split()[3:] == [key.key_id]


def test_a_recovery_while_a_key_is_valid_is_asked_for_in_so_many_words(cli: Command, tmp_path: Path) -> None:
    cli.ok("keys", "new", tmp_path / "new.pem")
    cli.refused("keys", "recover", tmp_path / "new.pem", "--reason", "lost", words="--end-others")
    cli.ok("keys", "recover", tmp_path / "new.pem", "--reason", "lost", "--end-others")
    assert cli("verify").status == 3


def test_without_the_checkpoint_key_nothing_is_recovered_and_a_successor_names_the_last_checkpoint(
    cli: Command, directory: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    last = tmp_path / "last"
    last.write_text(cli.ok("checkpoint").out)
    entry_key_ends(directory)
    cli.ok("keys", "new", tmp_path / "new.pem")
    (directory / "keys" / "checkpoint.pem").unlink()
    cli.refused("keys", "recover", tmp_path / "new.pem", "--reason", "lost", words="checkpoint.pem")
    cli.ok("keys", "new", directory / "keys" / "checkpoint.pem")
    cli.refused("keys", "recover", tmp_path / "new.pem", "--reason", "lost", words="init --predecessor")
    monkeypatch.setenv("CHANGE_LEDGER_KNOWN_LEDGERS", str(tmp_path / "known"))
    # The key that is there is not the ledger's: it signs nothing, and what was signed is still to be read.
    cli.refused("checkpoint", words="enrol it")
    assert cli.ok("checkpoint", "--no-sign").out == last.read_text()
    cli.ok("export", tmp_path / "export")
    other = Command(capsys, monkeypatch, "--directory", tmp_path / "other")
    other.refused("init", "--origin", ORIGIN, "--predecessor", last, words="another name")
    other.refused("init", "--origin", "ledger.test/two", "--predecessor", tmp_path / "new.pem")
    other.refused("init", "--origin", "ledger.test/two", "--predecessor", tmp_path / "nowhere")
    assert not (tmp_path / "other" / "ledger.db").exists()
    other.ok("init", "--origin", "ledger.test/two", "--predecessor", last)
    said = other.ok("show", 1, "--json").json["entry"]["statement"]["data"]["predecessor"]
    assert (said["origin"], said["size"]) == (ORIGIN, 6)
    report = other.ok("verify", "--json").json
    assert any(ORIGIN in note and said["root"] in note for note in report["notes"])


def test_a_ledger_is_not_begun_with_a_key_that_everybody_has_or_with_one_for_two(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    published = SigningKey.from_seed(bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"))
    for role in ("entry", "checkpoint"):
        begun = Command(capsys, monkeypatch, "--directory", tmp_path / role)
        signing_keys.save(published, tmp_path / role / "keys" / f"{role}.pem")
        begun.refused("init", "--origin", f"ledger.test/{role}", words="anybody can sign")
    both = Command(capsys, monkeypatch, "--directory", tmp_path / "both")
    for role in ("entry", "checkpoint"):
        signing_keys.save(KEY, tmp_path / "both" / "keys" / f"{role}.pem")
    both.refused("init", "--origin", "ledger.test/both", words="one role")

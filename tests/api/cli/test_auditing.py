"""The commands `export` and `audit`: a ledger as files, and the audit of files, of a running server, of a database."""

import http.server
import json
import shutil
import threading
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from commands import Command
from ledgers import CHECKPOINT_KEY, ORIGIN
from servers import BATCH, Server, event, log_server

from api.cli import remote_files
from signing.keys import SigningKey
from signing.notes import NoteKey, format_verifier_key

VKEY = format_verifier_key(NoteKey(ORIGIN, CHECKPOINT_KEY.public_key))
OTHER_VKEY = format_verifier_key(NoteKey(ORIGIN, SigningKey.from_seed(b"o" * 32).public_key))
ENTRIES = 300


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server on a ledger of 300 entries."""
    with log_server(tmp_path_factory.mktemp("auditing") / "var") as running:
        said = [event() for _ in range(ENTRIES - running.size())]
        assert running.post(said, kind=BATCH).status_code == 201
        running.wait_for_checkpoint(ENTRIES)
        yield running


@pytest.fixture
def outside(
    server: Server, directory: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Command:
    """The command of an auditor who has pinned the server's ledger, and has no ledger of their own."""
    shutil.copy(server.directory / "known", directory / "known")
    return Command(capsys, monkeypatch, "--directory", directory)


@pytest.fixture
def files(server: Server, outside: Command, tmp_path: Path) -> Path:
    """An export of the server's ledger, made beside the running server."""
    outside.at("--directory", server.directory).ok("export", tmp_path / "files")
    return tmp_path / "files"


def report_of(cli: Command, *words: object) -> dict[str, Any]:
    found: dict[str, Any] = cli.ok("audit", *words, "--json").json
    return found


def test_the_same_ledger_is_sound_as_files_as_a_server_and_as_a_database(
    outside: Command, server: Server, files: Path
) -> None:
    with_token = outside.at("--token", server.tokens["auditor"])
    reports = [report_of(outside, files), report_of(with_token, server.url),
               report_of(outside, server.directory / "ledger.db"), report_of(outside, server.database_url)]  # fmt: skip
    for report in reports:
        assert (report["verdict"], report["pinned"], report["faults"]) == ("sound", True, [])
        assert (report["origin"], report["entries"], report["root"]) == (ORIGIN, ENTRIES, reports[0]["root"])


def test_an_export_behind_any_web_server_is_audited(outside: Command, files: Path) -> None:
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(files))) as web:
        threading.Thread(target=web.serve_forever, daemon=True).start()
        assert report_of(outside, f"http://127.0.0.1:{web.server_port}/")["entries"] == ENTRIES
        web.shutdown()


def test_a_server_with_public_entries_is_audited_without_a_token(outside: Command, server: Server) -> None:
    outside.refused("audit", server.url, words="not public: give --token of the role auditor")
    outside.at("--token", server.tokens["reporter"]).refused("audit", server.url, words="not public")
    with log_server(server.directory, tokens=server.tokens, CHANGE_LEDGER_PUBLIC_ENTRIES="1") as public:
        assert report_of(outside, public.url)["verdict"] == "sound"


def test_without_a_pin_files_are_consistent_and_no_more(outside: Command, files: Path, directory: Path) -> None:
    (directory / "known").unlink()
    assert outside("audit", files).status == 3
    assert report_of(outside, files, "--vkey", VKEY)["verdict"] == "sound"
    genesis = outside("audit", files, "--json").json["genesis"]
    assert report_of(outside, files, "--genesis", genesis)["verdict"] == "sound"
    other = outside("audit", files, "--genesis", "0" * 64)
    assert (other.status, "(the pin says otherwise)" in other.out, "not pinned" in other.out) == (1, True, False)
    assert outside("audit", files, "--vkey", OTHER_VKEY).status in (1, 2)


def test_any_log_is_audited_opaquely_under_its_key(outside: Command, files: Path) -> None:
    assert outside("audit", files, "--opaque", "--vkey", VKEY).status in (0, 3)
    bundle = files / "tile" / "entries" / "000"
    bundle.write_bytes(bundle.read_bytes().replace(b"success", b"failure", 1))
    assert outside("audit", files, "--opaque", "--vkey", VKEY).status == 1


@pytest.mark.parametrize("name", ["tile/entries/000", "tile/signatures/001.p/44", "tile/0/000", "tile/1/000.p/1",
                                  "checkpoint"])  # fmt: skip
@pytest.mark.parametrize("damage", ["altered", "cut", "empty", "removed"])
def test_files_that_were_tampered_with_are_never_sound(outside: Command, files: Path, name: str, damage: str) -> None:
    path = files / name
    data = path.read_bytes()
    match damage:
        case "altered":
            path.write_bytes(data[:-20] + bytes([data[-20] ^ 1]) + data[-19:])
        case "cut":
            path.write_bytes(data[:-1])
        case "empty":
            path.write_bytes(b"")
        case "removed":
            path.unlink()
    result = outside("audit", files, "--vkey", VKEY)
    assert result.status in (1, 2), result
    assert "Traceback" not in result.err


def test_an_export_is_taken_further_and_what_is_written_stays(cli: Command, tmp_path: Path) -> None:
    assert "reaches from size 0 to 6" in cli.ok("export", tmp_path / "out").out
    (tmp_path / "one.json").write_text(json.dumps(event()))
    cli.ok("append", tmp_path / "one.json")
    assert "reaches from size 6 to 7" in cli.ok("export", tmp_path / "out").out
    assert report_of(cli, tmp_path / "out")["entries"] == 7
    assert sorted(p.name for p in (tmp_path / "out" / "checkpoints").iterdir()) == ["6", "7", "index"]


def test_an_export_goes_nowhere_else(cli: Command, server: Server, files: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("x")
    cli.refused("export", tmp_path / "mine", words="other files")
    cli.refused("export", tmp_path / "mine" / "letter.txt")
    # Another ledger's export lies there.
    before = (files / "checkpoint").read_bytes()
    cli.refused("export", files, words="not the first ones of this ledger")
    assert (files / "checkpoint").read_bytes() == before
    (files / "checkpoint").write_text("no note")
    cli.refused("export", files, words="export into a new directory")
    cli.at("--server", server.url, "--token", "x").refused("export", tmp_path / "x", words="not over HTTP")


def test_an_export_without_checkpoint_key_and_checkpoint_is_refused(cli: Command, directory: Path) -> None:
    (directory / "keys" / "checkpoint.pem").unlink()
    cli.refused("export", directory / "out", words="no checkpoint was signed")


def test_what_cannot_be_audited_is_said_in_one_line(outside: Command, files: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.txt").write_text("not a database at all " * 100)
    (tmp_path / "nothing.db").write_bytes(b"")
    (tmp_path / "note").write_text("no note")
    (tmp_path / "deep").write_text("[" * 100_000)
    (tmp_path / "pem").write_text("no certificate")
    for target in (tmp_path / "nowhere", tmp_path / "empty", tmp_path / "text.txt", tmp_path / "nothing.db", "",
                   "http://127.0.0.1:1/", "http://", "http://[x/", "ftp://x/", "mysql://x/y", "sqlite:////nowhere/x.db",
                   "postgresql://nobody@127.0.0.1:1/x", "x\n"):  # fmt: skip
        outside.refused("audit", target)
    for words in (("--genesis", "00"), ("--genesis", "G" * 64), ("--vkey", "x"), ("--vkey", VKEY + "x"),
                  ("--checkpoint", tmp_path / "note"), ("--checkpoint", tmp_path / "nowhere"),
                  ("--receipt", tmp_path / "note"), ("--receipt", tmp_path / "deep"), ("--receipt", tmp_path / "no"),
                  ("--witness", "x"), ("--certificate", tmp_path / "pem"), ("--certificate", tmp_path / "no"),
                  ("--state", tmp_path / "empty")):  # fmt: skip
        outside.refused("audit", files, *words)
    outside.refused("audit", files, "--opaque", "--vkey", "x")
    assert outside("audit", files, "--workers", "0").status == 2
    assert outside("audit").status == 2


def test_a_checkpoint_and_receipts_that_somebody_holds_are_held_against_files(
    outside: Command, server: Server, files: Path, tmp_path: Path
) -> None:
    receipt = server.get("/v1/events/7").json()["receipt"]
    (tmp_path / "mine").write_text(server.get("/checkpoint").text)
    (tmp_path / "receipt").write_text(json.dumps(receipt))
    held = ("--checkpoint", tmp_path / "mine", "--receipt", tmp_path / "receipt", "--vkey", VKEY)
    assert report_of(outside, files, *held)["verdict"] == "sound"
    (tmp_path / "receipt").write_text(json.dumps(receipt | {"entry_hash": "0" * 64}))
    assert outside("audit", files, *held).status == 1
    (tmp_path / "receipt").write_text(json.dumps(receipt | {"position": 999}))
    assert outside("audit", files, *held).status == 1


def test_a_database_that_is_not_there_is_not_made(outside: Command, tmp_path: Path) -> None:
    outside.refused("audit", f"sqlite:///{tmp_path / 'new.db'}")
    assert not (tmp_path / "new.db").exists()


class Dripping(http.server.BaseHTTPRequestHandler):
    """Sends without end, a byte at a time: a head, or a body."""

    inside_head = False
    over = threading.Event()

    def do_GET(self) -> None:
        if self.inside_head:
            self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        else:
            self.send_response(200)
            self.end_headers()
        with suppress(OSError):
            while not self.over.wait(0.01):
                self.wfile.write(b"x")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.mark.parametrize("inside_head", [False, True], ids=["body", "head"])
def test_an_answer_that_drips_is_given_up(outside: Command, inside_head: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote_files, "TIMEOUT_S", 0.5)
    monkeypatch.setattr(Dripping, "inside_head", inside_head)
    monkeypatch.setattr(Dripping, "over", threading.Event())
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Dripping) as web:
        threading.Thread(target=web.serve_forever, daemon=True).start()
        try:
            outside.refused("audit", f"http://127.0.0.1:{web.server_port}", words="comes too slowly")
        finally:
            Dripping.over.set()
            web.shutdown()


def test_a_scheme_is_one_in_any_case(outside: Command, stranger: tuple[str, list[str | None]]) -> None:
    assert report_of(outside, stranger[0].replace("http", "HTTP"))["entries"] == ENTRIES


@pytest.fixture
def stranger(files: Path) -> Iterator[tuple[str, list[str | None]]]:
    """A web server that keeps the credentials that it is sent; its URL, and these."""
    seen: list[str | None] = []

    class Curious(http.server.SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(self.headers["Authorization"])
            super().do_GET()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Curious, directory=str(files))) as web:
        threading.Thread(target=web.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{web.server_port}", seen
        web.shutdown()


def test_a_token_goes_where_it_was_meant_for_and_nowhere_else(
    outside: Command, stranger: tuple[str, list[str | None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, seen = stranger
    monkeypatch.setenv("CHANGE_LEDGER_TOKEN", "clt_secret")
    outside.ok("audit", url)
    monkeypatch.setenv("CHANGE_LEDGER_SERVER", "http://127.0.0.1:1")
    outside.ok("audit", url)
    assert set(seen) == {None}
    seen.clear()
    monkeypatch.setenv("CHANGE_LEDGER_SERVER", url)
    outside.ok("audit", f"{url}/")
    assert set(seen) == {"Bearer clt_secret"}
    seen.clear()
    monkeypatch.delenv("CHANGE_LEDGER_SERVER")
    outside.at(*outside.options, "--token", "clt_given").ok("audit", url)
    assert set(seen) == {"Bearer clt_given"}


def test_a_token_of_one_server_is_not_given_to_another(
    outside: Command, stranger: tuple[str, list[str | None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, seen = stranger
    monkeypatch.setenv("CHANGE_LEDGER_TOKEN", "clt_secret")
    monkeypatch.setenv("CHANGE_LEDGER_SERVER", "https://ledger.example.com")
    outside.at("--server", url).refused("show", "1", words=f"goes nowhere else: give --token for {url}")
    outside.at("--server", url)("checkpoint")
    assert set(seen) == {None}
    outside.at("--server", url, "--token", "clt_given")("show", "1")
    assert seen[-1] == "Bearer clt_given"


def test_an_audit_without_a_pin_says_where_one_comes_from(outside: Command, files: Path, directory: Path) -> None:
    (directory / "known").unlink()
    said = outside("audit", files).out
    assert "a pin comes from whoever opened the ledger" in said
    assert "--trust" not in said


@pytest.mark.parametrize("name", ["q?a", "pct%41dir", "a#b", "a b", "é", "x;y@z:1", "%", "sqlite:", ":memory:"])
def test_a_path_is_a_path_whatever_is_in_it(bare: Command, tmp_path: Path, name: str) -> None:
    place = tmp_path / name / "var"
    beside = tmp_path / f"{name}2" / "var"
    for directory in (place, beside):
        bare.at("--directory", directory).ok("init", "--origin", f"ledger.test/{directory.parent.name.encode().hex()}")
        assert (directory / "ledger.db").is_file()
    at = bare.at("--directory", place)
    at.ok("backup", place / f"{name}.db")
    for target in (place / "ledger.db", place / f"{name}.db"):
        assert report_of(bare, target)["verdict"] == "sound"
        assert bare.at("--database-url", target).ok("verify", "--json").json["verdict"] == "sound"
    relative = Path(name) / "var"
    assert bare.at("--directory", relative).ok("verify", "--json").json["verdict"] == "sound"
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted({name, f"{name}2", "var"})


def test_a_copy_with_a_name_of_sqlites_own_is_a_file(cli: Command, tmp_path: Path) -> None:
    cli.ok("backup", ":memory:")
    assert (tmp_path / ":memory:").stat().st_size > 0
    assert report_of(cli, ":memory:")["entries"] == 6

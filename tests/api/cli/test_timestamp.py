"""The command `timestamp`: asks a real authority, and records only what verifies."""

import gzip
import os
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from authority import REPLY, Authority, running_authority
from ledgers import CHECKPOINT_KEY, ENTRY_KEY, ORIGIN, append, cloud_event
from servers import make_ledger
from sqlalchemy.engine import Connection
from textbook_tree import textbook_root

from api.cli import main
from api.cli import timestamping as command
from ledger.audit.of_database import audit_database
from ledger.ledger import LOCAL_OPERATOR, Ledger
from ledger.log.beside import read_evidence
from ledger.log.checkpoints import store_checkpoint
from ledger.log.database import Database
from ledger.log.reading import read_entries, read_entry, read_size
from ledger.published.timestamps import check
from signing.checkpoint import Checkpoint, sign_checkpoint
from signing.timestamps import MAX_RESPONSE_BYTES, make_request, read_certificates

ENTRIES = 6
DEAD_SERVER = "http://127.0.0.1:1"


@dataclass
class Result:
    status: int
    out: str
    err: str


Run = Callable[..., Result]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """An authority that is not trusted."""
    return Authority(tmp_path_factory.mktemp("elsewhere"))


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A ledger of six entries, and a checkpoint signed over them."""
    for name in [name for name in os.environ if name.startswith("CHANGE_LEDGER_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    var = tmp_path / "var"
    var.mkdir(mode=0o700)
    make_ledger(var)
    sign(var)
    return var


@pytest.fixture
def run(
    directory: Path, authority: Authority, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Run:
    """Run the command in this process, as the program would, under the authority's root."""

    def run(url: str, *options: object, certificate: Path | None = None) -> Result:
        words = ["change-ledger", "--directory", directory, *options, "timestamp", "--authority", url]
        words += ["--certificate", certificate or authority.path("root.pem")]
        capsys.readouterr()
        monkeypatch.setattr(sys, "argv", list(map(str, words)))
        status: Any = 0
        try:
            main()
        except SystemExit as ended:
            status = ended.code or 0
        captured = capsys.readouterr()
        return Result(status, captured.out, captured.err)

    return run


@contextmanager
def reading(directory: Path) -> Iterator[Connection]:
    with closing(opened(directory)) as database, database.read() as connection:
        yield connection


def opened(directory: Path) -> Database:
    return Database(f"sqlite:///{directory / 'ledger.db'}")


def size_of(directory: Path) -> int:
    with reading(directory) as connection:
        return read_size(connection)


def sign(directory: Path) -> bytes:
    """Sign the ledger's head as its signer would, and return the root."""
    with closing(opened(directory)) as database, database.engine.begin() as connection:
        leaves = [stored.leaf_hash for stored in read_entries(connection)]
        head = Checkpoint(ORIGIN, len(leaves), textbook_root(leaves))
        store_checkpoint(connection, sign_checkpoint(head, CHECKPOINT_KEY))
    return head.root


def recorded(directory: Path) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Return the entry after the first six, and its evidence by digest."""
    with reading(directory) as connection:
        document = read_entry(connection, ENTRIES + 1).document
        digests = [item["sha256"] for item in document["evidence"]]
        return document, {name: read_evidence(connection, ENTRIES + 1, bytes.fromhex(name)) for name in digests}


def check_refused(directory: Path, result: Result, *words: str) -> None:
    """Check that the command said what is wrong in one line, and recorded nothing."""
    assert result.status == 2, result
    assert result.out == ""
    assert result.err.startswith("change-ledger: ")
    assert result.err.count("\n") == 1
    for word in words:
        assert word in result.err, result.err
    assert size_of(directory) == ENTRIES


def test_the_last_checkpoint_is_timestamped_and_recorded(run, directory, authority):
    with running_authority(authority.answer) as url:
        result = run(url)
    assert result.status == 0, result
    document, bodies = recorded(directory)
    data = document["statement"]["data"]
    time = check(document, bodies, read_certificates(authority.root))
    assert (data["actor"], data["size"]) == (LOCAL_OPERATOR, ENTRIES)
    assert (data["authority"], data["timestamp"]) == (url, f"{time:%Y-%m-%dT%H:%M:%SZ}")
    assert result.out.split() == f"timestamp {data['timestamp']} size 6 recorded at position 7".split()
    with closing(opened(directory)) as database:
        assert audit_database(database, workers=1).faults == ()


def test_a_checkpoint_can_be_timestamped_by_several_authorities_and_again(run, directory, authority):
    with running_authority(authority.answer) as url:
        assert [run(url).status, run(url).status] == [0, 0]
    assert size_of(directory) == ENTRIES + 2


def test_openssl_accepts_what_was_recorded(run, directory, authority):
    with running_authority(authority.answer) as url:
        assert run(url).status == 0
    note, token = recorded(directory)[1].values()
    assert authority.accepts(token, note)
    assert not authority.accepts(token, note + b"\n")


# -- before anybody is asked -----------------------------------------------------------------------------------------


def nobody_is_asked(_: bytes) -> bytes:
    raise AssertionError("the authority was asked")


def test_a_timestamp_is_not_recorded_over_http(run, directory):
    check_refused(directory, run(DEAD_SERVER, "--server", DEAD_SERVER, "--token", "t"), "on the machine itself")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("tsa.test", "http or https URL"),
        ("ftp://tsa.test/", "http or https URL"),
        ("https://tsa.test/ö", "http or https URL"),
        ("https://tsa.test/" + "x" * 256, "at most 256"),
        ("https://alice:secret@tsa.test/", "without a user and a password"),
        ("https://alice@tsa.test/", "without a user and a password"),
        ("http://[::1/", "the server"),
    ],
)
def test_a_url_that_cannot_or_should_not_be_recorded_is_refused(run, directory, url, words):
    result = run(url)
    check_refused(directory, result, words)
    assert "secret" not in result.err


def test_a_file_without_roots_is_refused(run, directory, tmp_path):
    (tmp_path / "empty.pem").touch()
    with running_authority(nobody_is_asked) as url:
        check_refused(directory, run(url, certificate=tmp_path / "empty.pem"), "expected certificates in PEM")
        check_refused(directory, run(url, certificate=tmp_path / "missing.pem"), "missing.pem")


def test_without_a_signed_checkpoint_there_is_nothing_to_timestamp(run, directory, tmp_path):
    bare = tmp_path / "bare"
    bare.mkdir(mode=0o700)
    make_ledger(bare)
    with running_authority(nobody_is_asked) as url:
        result = run(url, "--directory", bare)
    assert result.status == 2
    assert "no checkpoint was signed yet" in result.err
    assert size_of(bare) == ENTRIES


# -- what an authority may answer ------------------------------------------------------------------------------------


def answering(answer: Callable[[bytes], bytes] | bytes, **more: Any) -> AbstractContextManager[str]:
    return running_authority((lambda _: answer) if isinstance(answer, bytes) else answer, **more)


def test_an_authority_under_another_root_is_refused(run, directory, elsewhere):
    with answering(elsewhere.answer) as url:
        check_refused(directory, run(url), "does not verify", "self-signed certificate in certificate chain")


def test_a_token_over_another_message_is_refused(run, directory, authority):
    with answering(lambda _: authority.answer(make_request(b"other"))) as url:
        check_refused(directory, run(url), "over other bytes")


def test_an_older_answer_that_is_played_again_is_refused(run, directory, authority):
    seen: list[bytes] = []

    def remembering(request: bytes) -> bytes:
        seen.append(authority.answer(request))
        return seen[0]

    with answering(remembering) as url:
        assert run(url).status == 0
        result = run(url)
    assert result.status == 2
    assert "expected the nonce of the request" in result.err
    assert len(seen) == 2
    assert seen[0] != seen[1]
    assert size_of(directory) == ENTRIES + 1


def test_a_rejection_is_told_in_the_authoritys_words(run, directory, authority):
    with answering(lambda request: authority.answer(request, digests="sha512")) as url:
        check_refused(directory, run(url), "REJECTION", "Message digest algorithm is not supported.")


@pytest.mark.parametrize(
    ("body", "media_type", "words"),
    [
        (b"<html>Welcome</html>", "text/html; charset=utf-8", "expected 200 and application/timestamp-reply"),
        (b"<html>Welcome</html>", REPLY, "does not verify"),
        (b"", REPLY, "does not verify"),
        (bytes(MAX_RESPONSE_BYTES + 1), REPLY, f"expected at most {MAX_RESPONSE_BYTES} bytes"),
    ],
    ids=["html", "html that claims to be a timestamp", "nothing", "too much"],
)
def test_what_is_no_timestamp_is_refused(run, directory, body, media_type, words):
    with answering(body, media_type=media_type) as url:
        check_refused(directory, run(url), words)


def test_a_good_token_under_another_type_is_refused(run, directory, authority):
    with answering(authority.answer, media_type="application/octet-stream") as url:
        check_refused(directory, run(url), "application/octet-stream")


def test_a_parameter_of_the_type_does_not_matter(run, directory, authority):
    with answering(authority.answer, media_type="Application/Timestamp-Reply; charset=binary") as url:
        assert run(url).status == 0


def test_an_error_of_the_authority_is_told(run, directory, authority):
    with answering(authority.answer, status=503) as url:
        check_refused(directory, run(url), "found 503")


def test_a_redirection_is_not_followed(run, directory, authority):
    with answering(authority.answer) as other, answering(b"", status=307, Location=other) as url:
        check_refused(directory, run(url), "found 307")


def test_a_compressed_answer_is_not_unpacked(run, directory, authority):
    with answering(lambda request: gzip.compress(authority.answer(request)), **{"Content-Encoding": "gzip"}) as url:
        check_refused(directory, run(url), "does not verify")


def test_an_authority_that_is_down_is_told_with_its_name(run, directory):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        # Bound, and not listening: nobody else gets the port, and nobody answers.
        url = f"http://127.0.0.1:{free.getsockname()[1]}/tsr"
        check_refused(directory, run(url), url, "cannot be asked")


def test_an_authority_that_accepts_and_says_nothing_is_given_up(run, directory, monkeypatch):
    monkeypatch.setattr(command, "TIMEOUT_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        check_refused(directory, run(f"http://127.0.0.1:{silent.getsockname()[1]}/"), "cannot be asked")


def test_an_authority_that_is_too_slow_as_a_whole_is_given_up(run, directory, monkeypatch, authority):
    # Each part may come in time, and the answer never end.
    ticks = iter(range(0, 10**6, command.TIMEOUT_S + 1))
    monkeypatch.setattr(command.time, "monotonic", lambda: next(ticks))
    with answering(authority.answer) as url:
        check_refused(directory, run(url), "did not answer within 30 s")


def test_the_checkpoint_that_is_timestamped_is_the_last_one(run, directory, authority):
    ledger = Ledger.open(opened(directory), ENTRY_KEY)
    append(ledger, cloud_event())
    ledger.close()
    root = sign(directory)
    with answering(authority.answer) as url:
        assert "size       7" in run(url).out
    with reading(directory) as connection:
        data = read_entry(connection, ENTRIES + 2).statement["data"]
    assert (data["size"], data["root"]) == (ENTRIES + 1, root.hex())

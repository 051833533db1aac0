"""Witnesses over HTTP: real processes on one memory, a disk that fails at every step, and witnesses that lie to a ledger."""

import gzip
import hashlib
import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from ledgers import WITNESS, WITNESS_KEY, WITNESSED_AT
from programs import kill, program
from servers import START_TIMEOUT_S, environment_for
from textbook_tree import textbook_consistency, textbook_leaf, textbook_root

from api.outbound import witnesses
from api.outbound.witnesses import MAX_AHEAD_S, WitnessAddress, WitnessError, ask
from api.witness.memory import WitnessStore
from api.witness.service import MAX_REQUEST_BYTES
from ledger.errors import SetupError
from signing import keys
from signing.checkpoint import Checkpoint, parse_checkpoint, sign_checkpoint
from signing.keys import SigningKey
from signing.notes import (
    COSIGNATURE,
    Note,
    NoteKey,
    SignatureLine,
    check_note,
    format_verifier_key,
    parse_note,
    parse_signature_line,
)
from signing.witness import Witness, WitnessRefusalError, check_cosigned, cosign, format_request

KEY = NoteKey(WITNESS, WITNESS_KEY.public_key, COSIGNATURE)
LOG_KEY, STRANGER = SigningKey.from_seed(b"l" * 32), SigningKey.from_seed(b"s" * 32)
TEXT = "text/plain; charset=utf-8"


@dataclass(frozen=True)
class Log:
    """A log of 80 entries, and the other history that it would show to somebody else."""

    origin: str
    key: SigningKey = LOG_KEY

    def leaves(self, size: int, history: str = "") -> list[bytes]:
        return [textbook_leaf(f"{history}{number}".encode()) for number in range(size)]

    def note(self, size: int, history: str = "", *, signer: SigningKey | None = None) -> Note:
        root = textbook_root(self.leaves(size, history))
        return sign_checkpoint(Checkpoint(self.origin, size, root), signer or self.key)

    def proof(self, old: int, new: int, history: str = "") -> list[bytes]:
        return textbook_consistency(old, self.leaves(new, history)) if 0 < old < new else []

    def body(self, old: int, new: int, history: str = "") -> bytes:
        return format_request(old, self.proof(old, new, history), self.note(new, history))

    @property
    def vkey(self) -> NoteKey:
        return NoteKey(self.origin, self.key.public_key)

    @property
    def name(self) -> str:
        return hashlib.sha256(self.origin.encode()).hexdigest()


LOG = Log("log.test/log")
LOGS = [Log(f"log.test/{number}") for number in range(20)]


@contextmanager
def witness_process(directory: Path) -> Iterator[tuple[subprocess.Popen[str], httpx.Client]]:
    """Run a witness in a process of its own, and yield it and a client for it."""
    command = program("witness", "serve", "--directory", directory, "--port", "0")
    with subprocess.Popen(
        command, env=environment_for(directory), cwd=directory, stdout=subprocess.PIPE, text=True
    ) as process:
        guard = threading.Timer(START_TIMEOUT_S, process.kill)
        guard.start()
        assert process.stdout is not None
        url = process.stdout.readline().removeprefix("serving ").strip()
        guard.cancel()
        try:
            with httpx.Client(base_url=url, timeout=600) as client:
                yield process, client
        finally:
            process.terminate()
            process.wait(600)


def make_witness(directory: Path) -> Path:
    keys.save(WITNESS_KEY, directory / "key.pem")
    (directory / "name").write_text(f"{WITNESS}\n")
    (directory / "logs").write_text("".join(f"{format_verifier_key(log.vkey)}\n" for log in LOGS))
    (directory / "memory").mkdir()
    return directory


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_witness(tmp_path_factory.mktemp("witness") / "var")


@pytest.fixture(scope="module")
def clients(directory: Path) -> Iterator[list[httpx.Client]]:
    """Clients of two witness processes that share one memory."""
    with ExitStack() as stack:
        yield [stack.enter_context(witness_process(directory))[1] for _ in range(2)]


@pytest.fixture(scope="module")
def client(clients: list[httpx.Client]) -> httpx.Client:
    return clients[0]


fresh_logs = iter(LOGS)


@pytest.fixture
def log() -> Log:
    """A log that the witness knows and never cosigned."""
    return next(fresh_logs)


def post(client: httpx.Client, body: bytes, **more: Any) -> httpx.Response:
    return client.post("/add-checkpoint", content=body, **more)


def check_line(answer: httpx.Response, log: Log, size: int) -> None:
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == TEXT
    line = parse_signature_line(answer.text.removesuffix("\n"))
    assert check_cosigned(Note(log.note(size).text, (line,)), [KEY], at_least=1)[KEY] > WITNESSED_AT - 10**9


def check_said(answer: httpx.Response, status: int, *words: str) -> None:
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, TEXT), answer.text
    assert all(word in answer.text for word in words), answer.text


def check_size(answer: httpx.Response, size: int) -> None:
    assert (answer.status_code, answer.text) == (409, f"{size}\n")
    assert answer.headers["Content-Type"] == "text/x.tlog.size"


# -- the service -----------------------------------------------------------------------------------------------------


def test_a_first_checkpoint_and_its_growth_are_cosigned_and_shown_to_monitors(client: httpx.Client, log: Log) -> None:
    check_said(client.get(f"/{log.name}/checkpoint"), 404)
    for old, new in ((0, 1), (1, 7), (7, 64), (64, 64), (64, 80)):
        answer = post(client, log.body(old, new))
        check_line(answer, log, new)
        shown = client.get(f"/{log.name}/checkpoint")
        assert shown.headers["Content-Type"] == TEXT
        # The log's line, and the very line that was answered.
        assert shown.text == f"{log.note(new)}{answer.text}"
        assert set(check_note(parse_note(shown.content), [log.vkey, KEY])) == {log.vkey, KEY}


def test_an_old_size_that_is_not_the_last_one_is_told_the_last_one(client: httpx.Client, log: Log) -> None:
    check_size(post(client, log.body(3, 9)), 0)
    check_line(post(client, log.body(0, 8)), log, 8)
    for old in (0, 7, 9):
        check_size(post(client, log.body(old, 9)), 8)
    check_size(post(client, log.body(3, 5)), 8)
    check_line(post(client, log.body(8, 9)), log, 9)


def test_another_history_is_refused_and_not_remembered(client: httpx.Client, log: Log) -> None:
    check_line(post(client, log.body(0, 8)), log, 8)
    kept = client.get(f"/{log.name}/checkpoint").text
    for old, new, history in ((8, 8, "other"), (8, 12, "other")):
        check_said(post(client, log.body(old, new, history)), 422, "not consistent")
    for proof in (log.proof(8, 12)[:-1], [*log.proof(8, 12), bytes(32)], []):
        check_said(post(client, format_request(8, proof, log.note(12))), 422)
    assert client.get(f"/{log.name}/checkpoint").text == kept


def test_a_log_that_is_not_known_is_not_cosigned(client: httpx.Client) -> None:
    unknown = Log("log.test/unknown")
    check_said(post(client, unknown.body(0, 1)), 404, "log.test/unknown")
    check_said(client.get(f"/{unknown.name}/checkpoint"), 404)


def test_a_checkpoint_that_the_log_did_not_sign_is_not_cosigned(client: httpx.Client, log: Log) -> None:
    check_said(post(client, format_request(0, [], log.note(5, signer=STRANGER))), 403)
    signed, other = log.note(5), log.note(6)
    check_said(post(client, format_request(0, [], Note(other.text, signed.lines))), 403)
    check_line(post(client, format_request(0, [], signed.with_lines(log.note(5, signer=STRANGER).lines))), log, 5)


@pytest.mark.parametrize(
    "body",
    [b"", b"\n", b"old\n\n", b"old 0\n\n", b"old 00\n\nx", b"old -1\n\nx", b"\xff\xfe", b"old 0\n\n\xff\n\n\xff\n", b"{}",
     b"old 0\n" + b"A" * 43 + b"=\n" * 64 + b"\nx"],
)  # fmt: skip
def test_what_is_no_request_is_refused_in_words(client: httpx.Client, body: bytes) -> None:
    check_said(post(client, body), 400, "cannot be read")


def test_an_old_size_over_the_checkpoints_is_refused(client: httpx.Client, log: Log) -> None:
    check_said(post(client, format_request(6, [], log.note(5))), 400, "old size 6")


def test_a_body_that_is_too_long_or_compressed_is_refused_in_words(client: httpx.Client) -> None:
    check_said(post(client, b"x" * (MAX_REQUEST_BYTES + 1)), 413)
    assert client.post("/add-checkpoint", content=iter([b"x" * 50_000] * 2)).status_code == 413
    check_said(post(client, gzip.compress(b"old 0\n"), headers={"Content-Encoding": "gzip"}), 415)


def test_other_paths_are_refused_as_text(client: httpx.Client) -> None:
    for path in ("/", "/docs", "/openapi.json", "/../key.pem/checkpoint", "/lock/checkpoint", "/%2e%2e/checkpoint"):
        check_said(client.get(path), 404)
    check_said(client.get("/add-checkpoint"), 405)


def test_a_line_that_is_repeated_in_the_request_does_not_spoil_the_memory(client: httpx.Client, log: Log) -> None:
    note = log.note(5)
    check_line(post(client, format_request(0, [], Note(note.text, note.lines * 100))), log, 5)
    check_line(post(client, log.body(5, 6)), log, 6)


def test_of_two_checkpoints_that_race_from_one_size_one_is_cosigned(clients: list[httpx.Client], log: Log) -> None:
    # The race of tlog-witness: both are checked against the same size, and the later write would roll the other back.
    last, threads = 0, 8
    with ThreadPoolExecutor(threads) as pool:
        for _ in range(12):
            barrier = threading.Barrier(threads)

            def submit(
                number: int, last: int = last, barrier: threading.Barrier = barrier
            ) -> tuple[int, httpx.Response]:
                size = last + 1 + 4 * (number % 2)
                body = log.body(last, size)
                barrier.wait(600)
                return size, post(clients[number // 2 % 2], body)

            answers = list(pool.map(submit, range(threads)))
            [(last, line)] = [(size, answer) for size, answer in answers if answer.status_code == 200]
            check_line(line, log, last)
            for _, answer in answers:
                if answer is not line:
                    check_size(answer, last)
            for client in clients:
                assert client.get(f"/{log.name}/checkpoint").text == f"{log.note(last)}{line.text}"


def test_a_witness_that_is_killed_remembers(tmp_path: Path) -> None:
    log, directory = LOGS[0], make_witness(tmp_path / "var")
    with witness_process(directory) as (process, client):
        check_line(post(client, log.body(0, 8)), log, 8)
        kept = client.get(f"/{log.name}/checkpoint").text
        kill(process)
    # What a write leaves that was cut short.
    (directory / "memory" / f"{log.name}.part").write_text("half a no")
    with witness_process(directory) as (_, client):
        assert client.get(f"/{log.name}/checkpoint").text == kept
        check_size(post(client, log.body(0, 8, "other")), 8)
        check_said(post(client, log.body(8, 8, "other")), 422)
        check_line(post(client, log.body(8, 9)), log, 9)


def test_a_damaged_memory_refuses_its_log_and_no_other(client: httpx.Client, directory: Path, log: Log) -> None:
    check_line(post(client, log.body(0, 8)), log, 8)
    path = directory / "memory" / log.name
    kept = path.read_bytes()
    path.write_bytes(b"")
    for answer in (post(client, log.body(0, 8)), post(client, log.body(8, 9)), client.get(f"/{log.name}/checkpoint")):
        check_said(answer, 503, "memory")
        assert str(directory) not in answer.text
    other = next(fresh_logs)
    check_line(post(client, other.body(0, 3)), other, 3)
    path.write_bytes(kept)
    check_line(post(client, log.body(8, 9)), log, 9)


# -- the memory ------------------------------------------------------------------------------------------------------


@pytest.fixture
def witness() -> Witness:
    return Witness(WITNESS, WITNESS_KEY, {LOG.origin: (LOG.vkey,)})


@pytest.fixture
def store(tmp_path: Path, witness: Witness) -> WitnessStore:
    """A memory that holds size 8 of the LOG."""
    made = WitnessStore(tmp_path / "memory")
    made.cosign(witness, LOG.body(0, 8), lambda: WITNESSED_AT)
    return made


def test_no_byte_of_a_memory_can_be_altered_unnoticed(store: WitnessStore, witness: Witness) -> None:
    path = store.directory / LOG.name
    kept = path.read_bytes()
    lines = kept.splitlines(keepends=True)
    # All but the log's own line, which says nothing about what this witness cosigned.
    inside = sum(map(len, lines[:-2]))
    for at in (*range(inside), *range(inside + len(lines[-2]), len(kept))):
        path.write_bytes(kept[:at] + bytes([kept[at] ^ 1]) + kept[at + 1 :])
        with pytest.raises(SetupError, match=r"cannot be read"):
            store.cosign(witness, LOG.body(8, 9), lambda: WITNESSED_AT)
    for length in range(len(kept)):
        path.write_bytes(kept[:length])
        with pytest.raises(SetupError, match=r"cannot be read"):
            store.read(LOG.origin, KEY)


def test_the_memory_of_another_log_or_witness_is_not_believed(store: WitnessStore, witness: Witness) -> None:
    other = Log("log.test/other")
    both = Witness(WITNESS, WITNESS_KEY, {name.origin: (name.vkey,) for name in (LOG, other)})
    (store.directory / other.name).write_bytes((store.directory / LOG.name).read_bytes())
    with pytest.raises(SetupError, match="expected a checkpoint of"):
        store.cosign(both, other.body(8, 9), lambda: WITNESSED_AT)
    with pytest.raises(SetupError):
        store.cosign(Witness(WITNESS, STRANGER, witness.logs), LOG.body(8, 9), lambda: WITNESSED_AT)


def test_a_memory_that_is_gone_or_no_file_is_not_an_empty_one(store: WitnessStore, witness: Witness) -> None:
    path = store.directory / LOG.name
    path.unlink()
    path.mkdir()
    with pytest.raises(SetupError, match="cannot be kept"):
        store.read(LOG.origin, KEY)
    store.directory.rename(store.directory.with_name("elsewhere"))
    with pytest.raises(SetupError, match="cannot be kept"):
        store.cosign(witness, LOG.body(0, 8), lambda: WITNESSED_AT)
    assert not store.directory.exists()


STEPS = ("open", "fsync", "rename", "open directory", "fsync directory")


class Disk:
    """Steps of a durable write, in their order; fails at one of them, before or after it took effect."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.done: list[str] = []
        self.fail: tuple[str, bool] | None = None
        self._patch(patch, os, "open", lambda path, *_: "open directory" if Path(path).is_dir() else "open")
        self._patch(patch, os, "fsync", lambda _: "fsync directory" if self.renamed else "fsync")
        self._patch(patch, Path, "replace", lambda *_: "rename")

    @property
    def renamed(self) -> bool:
        return "rename" in self.done

    def _patch(self, patch: pytest.MonkeyPatch, owner: Any, name: str, step_of: Callable[..., str]) -> None:
        real = getattr(owner, name)

        def stand_in(*arguments: Any) -> Any:
            step = step_of(*arguments)
            if self.fail == (step, False):
                raise OSError(28, "No space left on device")
            result = real(*arguments)
            self.done.append(step)
            if self.fail == (step, True):
                raise OSError(5, "Input/output error")
            return result

        patch.setattr(owner, name, stand_in)


def test_a_line_leaves_after_every_step_of_its_write(
    store: WitnessStore, witness: Witness, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        disk = Disk(patch)
        store.cosign(witness, LOG.body(8, 9), lambda: WITNESSED_AT)
        assert tuple(disk.done) == STEPS


@pytest.mark.parametrize("took_effect", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("step", STEPS)
def test_no_line_leaves_when_a_step_of_its_write_fails(
    store: WitnessStore, witness: Witness, monkeypatch: pytest.MonkeyPatch, step: str, took_effect: bool
) -> None:
    with monkeypatch.context() as patch:
        disk = Disk(patch)
        disk.fail = (step, took_effect)
        with pytest.raises(SetupError, match="cannot be kept"):
            store.cosign(witness, LOG.body(8, 9), lambda: WITNESSED_AT)
        if disk.renamed and "directory" in step:
            # What is there might not be there after a power failure: it is shown to nobody.
            with pytest.raises(SetupError, match="cannot be kept"):
                store.read(LOG.origin, KEY)
    kept = store.read(LOG.origin, KEY)
    assert kept is not None
    size = parse_checkpoint(kept.text).size
    assert size == (9 if disk.renamed else 8)
    # The memory is whole, old or new, and the log goes on from it; another history does not.
    with pytest.raises(WitnessRefusalError):
        store.cosign(witness, LOG.body(size, 12, "other"), lambda: WITNESSED_AT)
    line = store.cosign(witness, LOG.body(size, 12), lambda: WITNESSED_AT)
    assert check_cosigned(Note(LOG.note(12).text, (line,)), [KEY], at_least=1) == {KEY: WITNESSED_AT}


# -- asking one ------------------------------------------------------------------------------------------------------

GOOD = cosign(LOG.note(8).text, WITNESS, WITNESS_KEY, WITNESSED_AT)
Answer = tuple[int, bytes, dict[str, str]]


class Liar:
    """A server that answers what it is told, one answer after the other, the last for ever."""

    def __init__(self, *answers: Answer | Callable[[BaseHTTPRequestHandler], None]) -> None:
        self.answers = list(answers)
        self.asked: list[bytes] = []
        self.over = threading.Event()

    @contextmanager
    def running(self) -> Iterator[WitnessAddress]:
        liar = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                liar.asked.append(self.rfile.read(int(self.headers["Content-Length"])))
                answer = liar.answers.pop(0) if len(liar.answers) > 1 else liar.answers[0]
                try:
                    if callable(answer):
                        answer(self)
                        return
                    self.send_response(answer[0])
                    for name, value in ({"Content-Length": str(len(answer[1]))} | answer[2]).items():
                        self.send_header(name, value)
                    self.end_headers()
                    self.wfile.write(answer[1])
                except (BrokenPipeError, ConnectionResetError):
                    self.close_connection = True  # Whoever asked has heard enough.

            def log_message(self, format: str, *arguments: object) -> None:
                """Tests have nobody who reads it."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield WitnessAddress(KEY, f"http://127.0.0.1:{server.server_port}/w/1")
        finally:
            self.over.set()
            server.shutdown()
            thread.join()
            server.server_close()

    def ask(self, *, known: int = 0, note: Note | None = None, timeout: float = 10) -> SignatureLine:
        with self.running() as address, httpx.Client(timeout=timeout, follow_redirects=True) as client:
            return ask(
                address,
                checkpoint=note or LOG.note(8),
                known_size=known,
                prove=lambda old: LOG.proof(old, 8),
                client=client,
                now=WITNESSED_AT,
            )

    def refused(self, words: str, **more: Any) -> str:
        with pytest.raises(WitnessError, match=words) as caught:
            self.ask(**more)
        said = str(caught.value)
        assert said.startswith(WITNESS)
        assert said.isprintable()
        assert len(said) <= 300
        return said


def said(*lines: SignatureLine | str) -> Answer:
    return 200, "".join(map(str, lines)).encode(), {}


def line_at(time: int, size: int = 8, key: SigningKey = WITNESS_KEY, name: str = WITNESS) -> SignatureLine:
    return cosign(LOG.note(size).text, name, key, time)


def test_a_ledger_gets_the_line_of_a_witness_that_it_never_asked_or_lost_count_of(
    client: httpx.Client, log: Log
) -> None:
    address = WitnessAddress.parse(f"{format_verifier_key(KEY)} {client.base_url}")
    with httpx.Client(timeout=600) as asking:
        for known, size in ((0, 8), (0, 20), (3, 21), (21, 80)):
            line = ask(address, checkpoint=log.note(size), known_size=known,
                       prove=lambda old, size=size: log.proof(old, size), client=asking, now=2**40)  # fmt: skip
            assert check_cosigned(log.note(size).with_lines([line]), [KEY], at_least=1)
        with pytest.raises(WitnessError, match="size 80 already"):
            ask(address, checkpoint=log.note(8), known_size=0, prove=lambda old: [], client=asking, now=2**40)
        with pytest.raises(WitnessError, match="422: the checkpoint of size 80 is not consistent"):
            ask(
                address, checkpoint=log.note(80, "other"), known_size=80, prove=lambda old: [], client=asking, now=2**40
            )


def test_lines_of_other_keys_are_passed_over() -> None:
    strangers = (line_at(WITNESSED_AT, key=STRANGER), line_at(WITNESSED_AT, name="witness.test/two"))
    assert Liar(said(strangers[0], GOOD, strangers[1])).ask() == GOOD


def test_a_stale_size_is_answered_once_with_a_proof_from_there() -> None:
    liar = Liar((409, b"5\n", {}), said(GOOD))
    assert liar.ask(known=3) == GOOD
    assert liar.asked == [LOG.body(3, 8), LOG.body(5, 8)]


def test_a_witness_that_is_never_content_is_asked_twice() -> None:
    liar = Liar((409, b"5\n", {}))
    liar.refused("409")
    assert len(liar.asked) == 2


@pytest.mark.parametrize(
    "size", [b"", b"\n", b"-1\n", b"05\n", b"5 \n", b"five\n", b"\xff", b"9" * 19 + b"9\n", b"5\n5\n"]
)
def test_a_stale_size_that_is_none_is_said(size: bytes) -> None:
    liar = Liar((409, size, {}))
    liar.refused("without a size")
    assert len(liar.asked) == 1


def test_a_witness_ahead_of_the_checkpoint_is_not_asked_again() -> None:
    liar = Liar((409, b"9\n", {}))
    liar.refused("size 9 already, over 8")
    assert len(liar.asked) == 1


def altered(line: SignatureLine, at: int) -> SignatureLine:
    signature = bytearray(line.signature)
    signature[at] ^= 1
    return SignatureLine(line.name, line.key_id, bytes(signature))


@pytest.mark.parametrize(
    "answer",
    [said(), said("\n"), said("no line\n"), said(GOOD, "\n"), said(GOOD, "no line\n"), (200, b"\xff\xfe", {}),
     said(line_at(WITNESSED_AT, size=7)), said(line_at(WITNESSED_AT, key=STRANGER)), said(altered(GOOD, 0)),
     said(altered(GOOD, 70)), said(GOOD, altered(GOOD, 70)), said(altered(GOOD, 70), GOOD),
     said(SignatureLine(GOOD.name, GOOD.key_id, GOOD.signature[8:])), said(str(LOG.note(8)), GOOD),
     (200, gzip.compress(str(GOOD).encode()), {"Content-Encoding": "gzip"})],
)  # fmt: skip
def test_an_answer_that_does_not_verify_is_no_cosignature(answer: Answer) -> None:
    Liar(answer).refused("no line that verifies")


def test_a_line_that_was_sent_along_is_no_answer() -> None:
    stranger = line_at(WITNESSED_AT, key=STRANGER)
    Liar(said(stranger)).refused("no line that verifies", note=LOG.note(8).with_lines([GOOD]))


def test_a_time_that_is_none_or_far_ahead_is_refused() -> None:
    for time in (0, WITNESSED_AT + MAX_AHEAD_S + 1, 2**63 - 1):
        Liar(said(line_at(time))).refused("states the time")
    for time in (1, WITNESSED_AT + MAX_AHEAD_S):
        assert Liar(said(line_at(time))).ask() == line_at(time)


@pytest.mark.parametrize("status", [201, 204, 304, 400, 403, 404, 422, 429, 500, 503])
def test_a_refusal_is_told_with_its_status_and_words(status: int) -> None:
    body = b"" if status in (204, 304) else b"not\x1b[31m today\r\n" + b"x" * 5000
    words = Liar((status, body, {})).refused(f"answered {status}")
    assert ("today" in words) == bool(body)


def test_a_redirect_is_not_followed() -> None:
    target = Liar(said(GOOD))
    for status in (301, 302, 307, 308):
        with target.running() as address:
            Liar((status, b"", {"Location": f"{address.url}/add-checkpoint"})).refused(f"answered {status}")
    assert target.asked == []


def test_an_answer_without_end_is_not_read_to_its_end() -> None:
    def endless(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        while True:
            handler.wfile.write(b"x" * 65_536)

    Liar(endless).refused("over 16384 bytes")


def test_an_answer_that_never_comes_is_not_waited_for() -> None:
    liar = Liar((200, b"", {}))
    liar.answers = [lambda _: liar.over.wait(60) and None]
    liar.refused("did not answer: ReadTimeout", timeout=0.2)


def test_an_answer_in_drops_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(witnesses, "MAX_ANSWER_S", 0.2)
    liar = Liar((200, b"", {}))

    def dripping(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        while not liar.over.wait(0.02):
            handler.wfile.write(b"x")

    liar.answers = [dripping]
    liar.refused("did not finish")


def test_an_answer_that_breaks_off_is_said() -> None:
    Liar((200, str(GOOD).encode(), {"Content-Length": "1000"})).refused("did not answer")
    Liar(lambda handler: None).refused("did not answer")


def test_a_witness_that_is_not_there_is_said() -> None:
    with Liar(said(GOOD)).running() as address:
        pass
    with httpx.Client(timeout=5) as client, pytest.raises(WitnessError, match="did not answer: ConnectError"):
        ask(address, checkpoint=LOG.note(8), known_size=0, prove=lambda old: [], client=client, now=WITNESSED_AT)


def test_a_ledger_that_cannot_prove_says_so_itself() -> None:
    def prove(old: int) -> list[bytes]:
        raise LookupError(old)

    with httpx.Client() as client, pytest.raises(LookupError):
        ask(WitnessAddress(KEY, "http://127.0.0.1:9"), checkpoint=LOG.note(8), known_size=0, prove=prove,
            client=client, now=WITNESSED_AT)  # fmt: skip


def test_an_address_is_a_witnesss_key_and_a_url() -> None:
    vkey = format_verifier_key(KEY)
    for written in (f"{vkey} https://w.test/a", f"  {vkey}   https://w.test/a/\n"):
        assert WitnessAddress.parse(written) == WitnessAddress(KEY, "https://w.test/a")
    of_log = format_verifier_key(LOG.vkey)
    for wrong in ("", vkey, f"{vkey} ", f"{vkey} w.test", f"{vkey} ftp://w.test", f"{vkey} http://", f"{vkey} http://w.test:x",
                  f"{vkey} http://w.test/?q=1", f"{of_log} http://w.test", f"x{vkey} http://w.test", "http://w.test"):  # fmt: skip
        with pytest.raises(SetupError, match="expected"):
            WitnessAddress.parse(wrong)

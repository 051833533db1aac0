"""A real server in a process of its own: a ledger in a directory, a token for each role, a socket.

Nothing here reaches into the application: what the tests see is what came over HTTP. Environment and working
directory of the process are its own, so that neither settings of whoever runs the tests nor a known-ledgers file of
theirs plays a part.
"""

import atexit
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import httpx
from ledgers import CHECKPOINT_KEY, ENTRY_KEY, cloud_event, create_ledger
from programs import program

from api.cli import pins
from ledger.audit.of_database import audit_database
from ledger.audit.report import Pin, Report
from ledger.log.database import Database
from ledger.log.following import Watcher
from ledger.log.reading import read_entry
from ledger.published.signer import Memory
from ledger.stewardship.credentials import issue_token
from projections import VIEWS
from projections.engine.runner import Runner
from signing import keys
from signing.merkle import leaf_hash

# GitHub publishes its test vector with this secret.
GITHUB_SECRET = "It's a Secret to Everybody"
ROLES = ("reporter", "auditor", "analyst", "operator")
ROOT = Path(__file__).resolve().parents[2]
JSON = "application/json"
STRUCTURED = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"
PROBLEM = "application/problem+json"
LONG_AGO = "2025-06-01T12:00:00Z"
START_TIMEOUT_S = 600
# Between two looks at whether something is so: who looks all the time takes the processor from whoever is to do it.
PAUSE_S = 0.02
# What to ask for in a path, so that nothing but the role decides; what is missing or unknown is an answer too.
PARTS = {
    "position": "1",
    "sha256": "0" * 64,
    "credential": "token:nobody",
    "type": "deployment.started",
    "level": "0",
    "path": "000.p/1",
    "ref": "change:CHG-7",
    "role": "entry",
    "key_id": "0" * 64,
    "view": "deployments",
    "key": "nothing",
    "import_id": "nothing",
    "gate": "deploy",
}


def event(event_type: str = "deployment.finished", /, *, id: str | None = None, **data: Any) -> dict[str, Any]:
    """Return a CloudEvents event that is admissible on whatever day the tests run."""
    return cloud_event(event_type, id=id, **data) | {"time": LONG_AGO}


def environment_for(directory: Path, **more: str) -> dict[str, str]:
    """Return an environment that knows this directory's known ledgers, and no settings of anybody else."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("CHANGE_LEDGER_")}
    known = {"CHANGE_LEDGER_KNOWN_LEDGERS": str(directory / "known"), "PYTHONPATH": str(ROOT)}
    # A process more for each server would take the tests longer than all that they ask it. Tests of processes say `beside`.
    return clean | known | {"CHANGE_LEDGER_VIEWS": "inside"} | more


def make_ledger(directory: Path) -> dict[str, str]:
    """Make a ledger with the test keys, pinned, in `directory`; return a token for each role and one for all."""
    ledger = create_ledger(f"sqlite:///{directory / 'ledger.db'}")
    keys.save(ENTRY_KEY, directory / "keys" / "entry.pem")
    keys.save(CHECKPOINT_KEY, directory / "keys" / "checkpoint.pem")
    Memory(directory / "signer" / "checkpoint").begin(ledger.origin, CHECKPOINT_KEY)
    with ledger.database.read() as connection:
        genesis = leaf_hash(read_entry(connection, 1).entry)
    pins.write(directory / "known", ledger.origin, genesis, CHECKPOINT_KEY.public_key)
    wanted = {role: [role] for role in ROLES} | {"all": list(ROLES)}
    tokens = {
        name: issue_token(ledger, actor="person:tester", principal=f"service:{name}", kind="service", roles=roles)[1]
        for name, roles in wanted.items()
    }
    ledger.close()
    return tokens


def copy_ledger(directory: Path) -> dict[str, str]:
    """Give `directory` a copy of such a ledger whose views have come to its end, and return its tokens.

    To make a hundred views for the first time takes a server longer than all else at its start.
    """
    made, tokens = _with_views()
    shutil.copytree(made, directory, dirs_exist_ok=True)
    return dict(tokens)


@cache
def _with_views() -> tuple[Path, dict[str, str]]:
    made = tempfile.TemporaryDirectory(prefix="made-")
    atexit.register(made.cleanup)
    directory = Path(made.name)
    tokens = make_ledger(directory)
    database = Database(f"sqlite:///{directory / 'ledger.db'}")
    runner = Runner(database, VIEWS, Watcher(database))
    assert runner.acquire()
    runner.catch_up()
    runner.close()
    database.close()
    return directory, tokens


@dataclass
class Server:
    """A running server, and clients for it by the name of their token."""

    directory: Path
    url: str
    tokens: dict[str, str]
    process: subprocess.Popen[str]
    environment: Mapping[str, str]
    _clients: dict[str, httpx.Client] = field(default_factory=dict)

    def client(self, name: str = "all") -> httpx.Client:
        """Return a client that carries the token of a role, or `nobody`'s, which carries none."""
        if name not in self._clients:
            self._clients[name] = self.client_with(self.tokens.get(name))
        return self._clients[name]

    def client_with(self, token: str | None) -> httpx.Client:
        """Return a client with a token of one's own, for the caller to close."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        # A connection for each request: what one request does to its connection is no business of the next.
        limits = httpx.Limits(max_keepalive_connections=0)
        # It speaks HTTP: nobody's certificates have to be read, which takes longer than most requests.
        return httpx.Client(base_url=self.url, headers=headers, timeout=600, limits=limits, verify=False)

    def post(
        self, document: Any, *, to: str = "/v1/events", by: str = "all", kind: str = STRUCTURED, **more: Any
    ) -> httpx.Response:
        """Post JSON, or bytes as they are. Lone surrogates travel as escapes, as they would in an attack."""
        content = document if isinstance(document, bytes) else json.dumps(document).encode()
        headers = {"Content-Type": kind} | more.pop("headers", {})
        return self.client(by).post(to, content=content, headers=headers, **more)

    def get(self, path: str, *, by: str = "all", **more: Any) -> httpx.Response:
        return self.client(by).get(path, **more)

    def record(self, document: dict[str, Any]) -> dict[str, Any]:
        """Append an event and return its receipt."""
        answer = self.post(document)
        assert answer.status_code == 201, answer.text
        receipt: dict[str, Any] = answer.json()
        return receipt

    def issue_token(self, *roles: str, **more: Any) -> tuple[str, str]:
        """Issue a token over HTTP; return the credential's id and the token."""
        wanted = {"principal": "service:made-for-a-test", "roles": list(roles) or ["reporter"]} | more
        answer = self.client().post("/v1/ledger/credentials", json=wanted)
        assert answer.status_code == 201, answer.text
        return answer.json()["credential"], answer.json()["token"]

    def size(self) -> int:
        return int(self.get("/v1/ledger", by="nobody").json()["size"])

    def entries(self, after: int = 0, **narrow: str) -> list[dict[str, Any]]:
        """Return all entries after a position, page by page."""
        found: list[dict[str, Any]] = []
        while True:
            page = self.get("/v1/events", params={"after": str(after), "limit": "1000"} | narrow).json()
            found += page["items"]
            if "next" not in page:
                return found
            after = page["next"]

    def wait_for_checkpoint(self, size: int = 1) -> str:
        """Return the published checkpoint once it covers `size` entries."""
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            answer = self.get("/checkpoint", by="nobody")
            if answer.status_code == 200 and int(answer.text.split("\n")[1]) >= size:
                return answer.text
            time.sleep(PAUSE_S)
        raise TimeoutError(f"no checkpoint of size {size} was published")

    @property
    def database_url(self) -> str:
        return f"sqlite:///{self.directory / 'ledger.db'}"

    def audit(self) -> Report:
        """Audit the database beside the running server, under a pin, as an auditor would."""
        database = Database(self.database_url)
        try:
            with database.read() as connection:
                pin = Pin(genesis=leaf_hash(read_entry(connection, 1).entry))
            return audit_database(database, pin=pin, workers=1)
        finally:
            database.close()

    def stop(self) -> int:
        """Ask the process to end, as a service manager does, and return its exit status."""
        for client in self._clients.values():
            client.close()
        self._clients.clear()
        self.process.terminate()
        return self.process.wait(600)


@contextmanager
def running_server(
    directory: Path,
    *,
    tokens: dict[str, str] | None = None,
    github_secret: str | None = GITHUB_SECRET,
    tree: Path | None = None,
    **more: str,
) -> Iterator[Server]:
    """Run a server on a ledger in `directory`, made here unless `tokens` says that it is there already.

    `more` goes into its environment. With `tree` it is the program of another directory, in an interpreter of its own.
    """
    if tokens is None:
        tokens = make_ledger(directory) if more.get("CHANGE_LEDGER_VIEWS") == "none" else copy_ledger(directory)
    secret = {} if github_secret is None else {"CHANGE_LEDGER_GITHUB_SECRET": github_secret}
    given = environment_for(directory, **secret | more)
    words = ("--directory", str(directory), "serve", "--port", "0")
    command = program(*words) if tree is None else [sys.executable, "-m", "api.cli", *words]
    given |= {} if tree is None else {"PYTHONPATH": str(tree)}
    with (directory / "server.err").open("w") as errors:
        process = subprocess.Popen(
            command, env=given, cwd=directory, stdout=subprocess.PIPE, stderr=errors, text=True, bufsize=1
        )
    assert process.stdout is not None
    # Reading a line waits for as long as the process lives: one that hangs is not let live.
    guard = threading.Timer(START_TIMEOUT_S, process.kill)
    guard.start()
    line = process.stdout.readline()
    guard.cancel()
    if not line.startswith("serving http://"):
        process.kill()
        process.wait()
        process.stdout.close()
        raise RuntimeError(f"the server did not start: {line}{(directory / 'server.err').read_text()[-2000:]}")
    server = Server(directory, line.split()[1], tokens, process, given)
    try:
        _wait_until_it_accepts(server)
        yield server
    finally:
        if process.poll() is None:
            server.stop()
        process.stdout.close()


def log_server(directory: Path, **more: Any) -> AbstractContextManager[Server]:
    """Run a server of the log alone, for tests that read no views: to make a hundred of them takes longer than all else at its start."""
    return running_server(directory, **{"CHANGE_LEDGER_VIEWS": "none"} | more)


def _wait_until_it_accepts(server: Server) -> None:
    # Whether the line itself is a promise is for a test of its own (tests/api/cli).
    deadline = time.monotonic() + START_TIMEOUT_S
    while True:
        try:
            server.get("/healthz", by="nobody")
            return
        except httpx.ConnectError:
            if time.monotonic() > deadline or server.process.poll() is not None:
                raise
            time.sleep(PAUSE_S)


def check_problem(answer: httpx.Response, status: int | None = None, place: str = "") -> dict[str, Any]:
    """Check that an answer is an RFC 9457 problem that says what is wrong, and where; return it."""
    assert status is None or answer.status_code == status, f"{answer.status_code}: {answer.text[:500]}"
    assert answer.headers["content-type"] == PROBLEM, answer.text[:500]
    problem: dict[str, Any] = answer.json()
    assert problem["status"] == answer.status_code
    assert problem["title"]
    assert problem["detail"]
    assert place in problem.get("place", "") or place in problem["detail"], problem
    return problem

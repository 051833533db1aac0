"""The tutorial and the README do what they say: every `console` block is executed, in order, in one shell for each document.

A line that begins with `$ ` is a command and `> ` continues it; what follows is its output, where `…` stands for any
text in a line and, alone on a line, for any lines. A command that ends in `&` is left running once its output has been
seen. The documents say port 8000; a free one takes its place.
"""

import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
DONE = "-- done --"
DEADLINE_S = 120


def commands(text: str) -> Iterator[tuple[str, list[str]]]:
    """Yield every command of a document's console blocks with the lines of output shown for it."""
    for block in re.findall(r"^```console\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        # A command with its continuations, then lines that begin no other command.
        for command, output in re.findall(r"^\$ (.*\n(?:> .*\n)*)((?:(?!\$ ).*\n)*)", block, re.MULTILINE):
            yield command.replace("\n> ", "\n").strip(), output.splitlines()


def pattern(shown: list[str]) -> re.Pattern[str]:
    lines = (
        r"(?:.*\n)*?" if line.strip() == "…" else re.escape(line.rstrip()).replace("…", ".*?") + r"[ ]*\n"
        for line in shown
    )
    return re.compile("".join(lines))


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A bash in an empty directory, with `change-ledger` on its path and a home of its own."""
    program = tmp_path / "bin" / "change-ledger"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nPYTHONPATH="{ROOT}" exec "{sys.executable}" -m api.cli "$@"\n')
    program.chmod(0o755)
    here = tmp_path / "here"
    here.mkdir()
    unset = ("CHANGE_LEDGER_", "COLUMNS", "PYTHONPATH")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(unset)}
    path = f"{program.parent}:{Path(sys.executable).parent}:{environment['PATH']}"
    bash = subprocess.Popen(
        ["bash", "--noprofile", "--norc"],
        cwd=here, env=environment | {"PATH": path, "HOME": str(tmp_path)},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
    )  # fmt: skip
    # Whatever hangs, the server of a failed document included, ends with the group: reading then ends too.
    ends = threading.Timer(DEADLINE_S, os.killpg, (bash.pid, 9))
    ends.start()
    yield bash
    ends.cancel()
    os.killpg(bash.pid, 9)
    bash.communicate()


@pytest.mark.parametrize("document", ["README.md", "docs/tutorial.md"])
def test_the_commands_of_a_document_do_what_it_shows(document: str, shell: subprocess.Popen[str]) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    assert shell.stdin is not None
    assert shell.stdout is not None
    shell.stdin.write(f"export CHANGE_LEDGER_PORT={port}\n")
    found = list(commands((ROOT / document).read_text().replace("8000", port)))
    assert found, f"{document} has no console block"
    for command, shown in found:
        shell.stdin.write(f"{command}\necho '{DONE}'\n")
        shell.stdin.flush()
        expected, output, done = pattern(shown), "", False
        while not (done and (not command.endswith("&") or expected.fullmatch(output))):
            line = shell.stdout.readline()
            assert line, f"{document}: the shell ended in: {command}\n{output}"
            done, output = done or line.endswith(f"{DONE}\n"), output + line.removesuffix(f"{DONE}\n")
        # A progress bar that took itself away leaves an empty line, and not every output ends its last one.
        output = "".join(f"{line}\n" for line in [output.strip("\n")] if line)
        wanted = "\n".join(shown)
        assert expected.fullmatch(output), f"{document}: $ {command}\nexpected:\n{wanted}\nfound:\n{output}"

"""Documents as sessions: every `console` block is executed, in order, and what it shows is what must come.

A line that begins with `$ ` is a command and `> ` continues it; what follows is its output, where `…` stands for any
text in a line and, alone on a line, for any lines. A command that ends in `&` is left running once its output has been
seen. A word before the `$` names the machine: each is a shell with a directory and a home of its own, and `scp` copies
between them. The documents say ports from 8000 on; free ones take their places.

A command that only reads what a server or a witness does in the background (`READS`) is given again until it shows what
the document says, as a reader would.
"""

import contextlib
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from ports import free_ports

ROOT = Path(__file__).resolve().parents[2]
DONE = "-- done --"
# A busy machine fails no document: only what hangs takes so long.
DEADLINE_S = 600
PATIENCE_S = 120
READS = re.compile(
    r"curl -s(?: -[io])? \S+(?:; echo| \| [^>]*)?|change-ledger (?:witness|views) show\b.*|grep -o .* server\.log"
)
SCP = r"""#!/bin/sh
# Between the machines of a test: HOST: is the directory of that machine.
for word; do
    shift
    case $word in -*) ;; *:*) word="$MACHINES/${word%%:*}/here/${word#*:}" ;; esac
    set -- "$@" "$word"
done
exec cp "$@"
"""


def commands(text: str) -> Iterator[tuple[str, str, list[str]]]:
    """Yield every command of a document's console blocks: its machine, itself, and the lines of output shown for it."""
    for indent, block in re.findall(r"^( *)```console\n(.*?)^\1```$", text, re.MULTILINE | re.DOTALL):
        block = re.sub(f"^{indent}", "", block, flags=re.MULTILINE)
        # A command with its continuations, then lines that begin no other command.
        found = re.findall(r"^([a-z]*)\$ (.*\n(?:> ?.*\n)*)((?:(?![a-z]*\$ ).*\n)*)", block, re.MULTILINE)
        for machine, command, output in found:
            yield machine, re.sub(r"\n> ?", "\n", command).strip(), output.splitlines()


def pattern(shown: list[str]) -> re.Pattern[str]:
    """Return what the output must be."""
    lines = (
        r"(?:.*\n)*?" if line.strip() == "…" else re.escape(line.rstrip()).replace("…", ".*?") + r"[ ]*\n"
        for line in shown
    )
    return re.compile("".join(lines))


def with_free_ports(text: str) -> str:
    """Return a document in which free ports take the place of 8000 to 8009."""
    for number, port in zip(range(8000, 8010), free_ports(10), strict=True):
        text = re.sub(rf"\b{number}\b", str(port), text)
    return text


class Machine:
    """A bash in a directory that is empty at first, with `change-ledger` on its path and a home of its own."""

    def __init__(self, root: Path, name: str, *, warm: Path | None = None) -> None:
        self.home = root / name
        self.directory = self.home / "here"
        self.directory.mkdir(parents=True)
        programs = self.home / "bin"
        programs.mkdir()
        start = f'PYTHONPATH="{ROOT}" exec "{sys.executable}" -m api.cli "$@"'
        if warm is not None:
            start = f'exec "{sys.executable}" -I -S "{Path(__file__).with_name("warm.py")}" run "{warm}" "$@"'
        for program, text in (("change-ledger", f"#!/bin/sh\n{start}\n"), ("scp", SCP)):
            (programs / program).write_text(text)
            (programs / program).chmod(0o755)
        unset = ("CHANGE_LEDGER_", "COLUMNS", "PYTHONPATH")
        environment = {name: value for name, value in os.environ.items() if not name.startswith(unset)}
        # A document that is about processes says which.
        environment["CHANGE_LEDGER_VIEWS"] = "inside"
        path = f"{programs}:{ROOT / 'scripts'}:{Path(sys.executable).parent}:{environment['PATH']}"
        self._bash = subprocess.Popen(
            ["bash", "--noprofile", "--norc"],
            cwd=self.directory, env=environment | {"PATH": path, "HOME": str(self.home), "MACHINES": str(root)},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
        )  # fmt: skip
        # Whatever hangs, the server of a failed document included, ends with the group: reading then ends too.
        self._ends = threading.Timer(DEADLINE_S, os.killpg, (self._bash.pid, 9))
        self._ends.start()

    def close(self) -> None:
        """End the shell, and everything that it started."""
        self._ends.cancel()
        os.killpg(self._bash.pid, 9)
        self._bash.communicate()

    def run(self, command: str, expected: re.Pattern[str]) -> str:
        """Return the output of a command; of one that ends in `&`, once it is the expected."""
        assert self._bash.stdin is not None
        assert self._bash.stdout is not None
        self._bash.stdin.write(f"{command}\necho '{DONE}'\n")
        self._bash.stdin.flush()
        output, done = "", False
        while not (done and (not command.endswith("&") or expected.fullmatch(output))):
            line = self._bash.stdout.readline()
            assert line, f"the shell ended in: {command}\n{output}"
            done, output = done or line.endswith(f"{DONE}\n"), output + line.removesuffix(f"{DONE}\n")
        # A progress bar that took itself away leaves an empty line, and not every output ends its last one.
        return "".join(f"{line}\n" for line in [output.strip("\n")] if line)

    def check(self, command: str, shown: list[str]) -> None:
        """Run a command and compare what it prints with what a document shows."""
        expected, deadline = pattern(shown), time.monotonic() + PATIENCE_S
        output = self.run(command, expected)
        while not expected.fullmatch(output) and READS.fullmatch(command) and time.monotonic() < deadline:
            output = self.run(command, expected)
        wanted = "\n".join(shown)
        assert expected.fullmatch(output), f"$ {command}\nexpected:\n{wanted}\nfound:\n{output}"


@contextlib.contextmanager
def machines(root: Path, *names: str, warm: Path | None = None) -> Iterator[dict[str, Machine]]:
    """Machines by name, until the block ends."""
    made: dict[str, Machine] = {}
    try:
        for name in names:
            made[name] = Machine(root, name, warm=warm)
        yield made
    finally:
        for machine in made.values():
            machine.close()


@contextlib.contextmanager
def warm_commands(socket_path: Path) -> Iterator[Path]:
    """A process that has imported the program, so that machines given `warm` need not do so for each command."""
    words = [sys.executable, str(Path(__file__).with_name("warm.py")), "serve", str(socket_path)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CHANGE_LEDGER_")}
    process = subprocess.Popen(
        words, env=environment | {"PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "warm\n"
        yield socket_path
    finally:
        os.killpg(process.pid, 9)
        process.communicate()

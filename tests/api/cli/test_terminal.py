"""What strangers wrote is shown, and interpreted by nobody: no markup, no escape, no change of direction, no formula."""

import io
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from commands import Command
from hypothesis import given
from hypothesis import strategies as st

from api.cli import common, terminal, verifying
from api.cli.terminal import Table, Terminal, safe
from projections.engine.serving import cells
from projections.readings.delivery.deployments import deployments

HOSTILE = [
    "person:a[/red]",
    "person:alice[conceal]",
    "[link=file:///etc/passwd]x[/link]",
    ":warning:",
    "\x1b[2J\x1b]0;title\x07",
    "\x1b]8;;http://evil.example\x1b\\here\x1b]8;;\x1b\\",
    "\x9b31m",
    "\x90q\x9c",
    "\u202eevoba si sihT",
    "\u2066a\u2069",
    "\u200f\u200b\ufeff",
    "two\nlines\rback",
    "\x00\x07\x08\x7f",
    "\ud800",
    "\U000e0041",
    "\u2028",
]
hostile = st.lists(st.sampled_from(HOSTILE) | st.text(max_size=20), min_size=1, max_size=4).map("".join)


def is_inert(written: str) -> bool:
    """Say whether a terminal would show a text as it is: lines of printable characters."""
    return all(c.isprintable() for line in written.split("\n") for c in line)


class ATerminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@given(hostile)
def test_a_safe_text_is_one_line_and_says_what_was_there(text: str) -> None:
    assert is_inert(safe(text))
    assert "\n" not in safe(text)
    kept = re.sub(r"\\(x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8}|[tnr])", "", safe(text))
    assert [c for c in text if c.isprintable() and c != "\\"] == [c for c in kept if c != "\\"] or "\\" in text


@given(hostile, st.sampled_from((io.StringIO, ATerminal)))
def test_lines_tables_and_what_programs_read_are_inert(text: str, stream: type[io.StringIO]) -> None:
    for write in (
        lambda out: out.print(text),
        lambda out: out.print(made(text)),
        lambda out: out.print(text, style="red"),
    ):
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(sys, "stdout", shown := stream())
            write(Terminal())
            assert shown.getvalue()
            # Our own colours are the only escapes.
            assert is_inert(re.sub(r"\x1b\[(0|1|31)m", "", shown.getvalue()))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sys, "stdout", shown := ATerminal())
        terminal.echo(text)
        assert is_inert(shown.getvalue())


def made(text: str) -> Table:
    table = Table(text, "other")
    table.add(text, text)
    return table


def entry_of(text: str) -> dict[str, Any]:
    """Return what a door tells of an entry in which every text is a stranger's."""
    return {
        "position": 7,
        "says": text,
        "entry_hash": "f" * 64,
        "texts": {"title": text},
        "entry": {
            "prev": "e" * 64,
            "recorded_at": text,
            "recorded_by": {"principal": text, "trust": text, "credential": text},
            "refs": {text: [1, 0]},
            "statement": {
                "type": text, "subject": text, "time": text, "source": text, "id": text,
                "data": {text: text, "title": {"sha256": "0"}, "n": [text]},
            },
        },
    }  # fmt: skip


class StrangersDoor:
    """A door behind which a stranger answers."""

    def __init__(self, text: str) -> None:
        self.text = text

    def works_alone(self) -> bool:
        return False

    def show(self, position: int) -> dict[str, Any]:
        return entry_of(self.text)

    def follow(self, *_: Any, **__: Any) -> list[dict[str, Any]]:
        return [entry_of(self.text)]

    def view(self, *_: Any) -> dict[str, Any]:
        return {"items": [{"a": self.text, "b": [self.text]}]}

    def tokens(self) -> list[dict[str, Any]]:
        text = self.text
        return [
            {
                "credential": text,
                "principal": text,
                "kind": text,
                "roles": [text],
                "areas": [text],
                "types": [text],
                "sources": [text],
            }
            | {"issued_at": 1, "revoked_at": None}
        ]

    def keys(self) -> list[dict[str, Any]]:
        text = self.text
        return [
            {
                "role": text,
                "number": 0,
                "key_id": text,
                "name": text,
                "valid_from": 1,
                "valid_until": 2,
                "revoked_from": 3,
            }
        ]

    def ask(self, *_: Any) -> dict[str, Any]:
        rule = dict.fromkeys(("rule", "verdict", "reason", "words", "remedy"), self.text)
        return {
            "gate": self.text,
            "verdict": self.text,
            "rules": [rule | {"positions": [1], "able": [self.text]}],
            "policy": {"is_of_one": True},
            "read_at": self.text,
            "receipt": {"position": self.text},
        }

    def append(self, events: list[Any]) -> list[dict[str, Any]]:
        return [{"status": 422, "problem": {"detail": self.text}} for _ in events]


COMMANDS = [
    ("show", "7"),
    ("show", "7", "--json"),
    ("tail", "--after", "1"),
    ("tail", "--after", "1", "--json"),
    ("views", "show", "findings", "--columns", "a,b"),
    ("views", "show", "findings"),
    ("token", "list"),
    ("keys",),
    ("gate", "deploy", "--actor", "person:a", "--change", "CHG-1"),
    ("append", "-"),
]


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_no_command_lets_a_stranger_write_to_the_terminal(
    bare: Command, command: tuple[str, ...], text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(common.Where, "door", lambda _: StrangersDoor(text))
    done = bare(*command, stdin=b"{}")
    assert "Traceback" not in done.err
    assert done.out or done.err
    assert is_inert(done.out)
    assert is_inert(done.err)
    assert text.isprintable() or text not in done.out + done.err


@pytest.mark.parametrize("text", HOSTILE)
def test_no_report_of_an_audit_and_no_error_does(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    fault = {"position": 1, "kind": text, "detail": text}
    report = {
        "origin": text, "entries": 1, "size": 1, "root": "0", "checkpoint_size": 1, "anchored_size": 0, "witnesses_pinned": False,
        "genesis": text, "pinned": False, "affected": [fault], "notes": [text], "faults": [fault], "verdict": "faults",
        "tools": [{"position": 1, "tool": text, "version": text, "sha256": text}],
    }  # fmt: skip
    with pytest.raises(Exception, match="1"):
        verifying.finish(report, as_json=False)
    assert is_inert(capsys.readouterr().out)


def test_an_entry_is_shown_without_a_box_and_with_hashes_in_one_piece(cli: Command) -> None:
    shown = cli.ok("show", "1").out
    assert not set("│╭╮╰╯─") & set(shown)
    assert re.search(r"entry hash +[0-9a-f]{64}$", shown, re.MULTILINE)
    assert max(map(len, shown.splitlines())) < 250


@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "\t", "\r", "\n", "＝"])
def test_a_spreadsheet_computes_nothing_that_a_stranger_wrote(sign: str) -> None:
    row = dict.fromkeys(deployments.columns) | {
        "deployment_id": f"{sign}HYPERLINK()",
        "service": "-0.5",
        "outcome": "a=b",
    }
    found = dict(zip(deployments.columns, cells(deployments, row), strict=True))
    assert found["deployment_id"] == f"'{sign}HYPERLINK()"
    assert (found["service"], found["outcome"]) == ("-0.5", "a=b")


def test_all_that_commands_print_goes_through_one_place() -> None:
    """No module of the command prints by itself; of the library that draws, only the bars of progress are used."""
    folder = Path(terminal.__file__).parent
    for path in folder.glob("*.py"):
        if path.name == "terminal.py":
            continue
        source = path.read_text()
        assert not re.search(
            r"typer\.(echo|secho)|(?<![.\w])print\(|sys\.std(out|err)\.write|rich\.(console|table|panel)", source
        ), path
        assert set(re.findall(r"from rich\.(\w+)", source)) <= {"progress", "text"}, path

"""What a command costs before it does anything, told by what it imports; and what all commands have alike."""

import inspect
import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from commands import Command
from servers import Server, event, running_server
from views_processes import wait_for_views

from api.cli import COMMANDS, app, gating, load
from api.cli.terminal import Table, Terminal
from ledger.events import CATALOGUE
from ledger.events.gate import Asked, GateDecided
from projections.gates.composition import GATES

ROOT = Path(__file__).parents[3]
HEAVY = {
    "fastapi",
    "starlette",
    "uvicorn",
    "alembic",
    "sqlalchemy",
    "psycopg",
    "pydantic_settings",
    "cryptography",
    "projections",
}
# What a command that acts is given; whatever else there is reads, and answers programs too.
ACT = {
    "init", "serve", "migrate", "backup", "erase", "token create", "token revoke", "source enrol", "source retire",
    "trust-rule enrol", "import open", "import close", "tool publish", "policy publish", "policy approve", "clock correct",
    "findings dispose",
    "append", "intake", "views rebuild", "views run", "views skip", "export", "signer take-over", "signer restore", "heads", "timestamp",
    "keys new", "keys enrol", "keys retire", "keys revoke", "keys recover", "witness init", "witness add-log", "witness serve",
}  # fmt: skip
# What they print has a form of its own, which other programs read.
OF_A_FORM_OF_THEIR_OWN = {"completion", "checkpoint", "proof", "dossier", "keys prove", "policy new"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_server(tmp_path_factory.mktemp("starting") / "var") as running:
        # Until they are there for the first time, a command that shows one is told to come again.
        wait_for_views(running)
        yield running


def imported_by(place: Path, *words: str, status: int = 0) -> set[str]:
    """Run a command in a fresh interpreter, and return the modules that it has imported when it ends."""
    program = f"import sys, atexit; sys.path.insert(0, {str(ROOT)!r}); sys.argv = {['change-ledger', *words]!r}\n" + (
        "atexit.register(lambda: sys.stderr.write('\\nMODULES ' + ' '.join(sys.modules)))\nfrom api.cli import main; main()"
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CHANGE_LEDGER_")}
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=place,
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == status, done
    return set(done.stderr.rpartition("MODULES ")[2].split())


def packages(modules: set[str]) -> set[str]:
    return {name.partition(".")[0] for name in modules}


def test_the_version_and_the_list_of_commands_import_none_of_them(tmp_path: Path) -> None:
    for words in (("--version",), ("--help",)):
        found = imported_by(tmp_path, *words)
        assert packages(found) & (HEAVY | {"httpx", "pydantic", "rich"}) == set()
        assert {name for name in found if name.startswith("api.")} == {"api.cli", "api.cli.common", "api.cli.terminal"}
        assert {name for name in found if name.startswith("ledger.")} == {"ledger.errors"}


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (("show", "1"), 0),
        (("show", "1", "--json"), 0),
        (("tail",), 0),
        (("append", "event.json"), 0),
        (("gate", "deploy", "--change", "CHG-1", "--service", "pay", "--environment", "prod"), 1),
        (("views", "list"), 0),
        (("views", "show", "findings"), 0),
        (("token", "create", "--principal", "service:ci", "--role", "reporter"), 0),
        (("token", "list"), 0),
        (("trust-rule", "list"), 0),
        (("source", "enrol", "events", "https://ci.example.com/starting/*"), 0),
        (("source", "list"), 0),
        (("import", "list"), 0),
        (("tool", "list"), 0),
        (("keys",), 0),
        (("keys", "--vkey"), 0),
        (("verify",), 0),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_command_over_http_imports_no_server_no_database_and_no_catalogue(
    server: Server, tmp_path: Path, words: tuple[str, ...], status: int
) -> None:
    (tmp_path / "event.json").write_text(json.dumps(event()))
    found = imported_by(tmp_path, "--server", server.url, "--token", server.tokens["all"], *words, status=status)
    assert "httpx" in found
    assert packages(found) & HEAVY == set()
    light = {"ledger.errors", "ledger.canonical", "ledger.published", "ledger.published.durable", "ledger.words"}
    assert {name for name in found if name.startswith("ledger.")} <= light
    # Lines that a pipe reads are drawn by nobody.
    assert "rich" not in packages(found)


def test_the_version_is_the_projects(bare: Command) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert bare.ok("--version").out == f"{project['version']}\n"


def test_the_list_of_commands_says_what_they_say_of_themselves() -> None:
    for name, (_, doc) in COMMANDS.items():
        assert load(name).get_short_help_str(400) == doc, name
    assert set(gating.GATES) == set(GATES)


def test_the_options_of_a_gate_are_the_fields_of_a_question() -> None:
    # The answer of the event, the body over HTTP and the options are of one class.
    [deploy] = [known.callback for known in gating.gate.registered_commands if known.name == "deploy"]
    assert deploy is not None
    options = set(inspect.signature(deploy).parameters) - {"context", "as_json"}
    named = {"change": "change_id", "deployment": "deployment_id", "policy": "policy_id", "dataset": "dataset_id"}
    assert {named.get(option, option) for option in options} == set(Asked.model_fields)
    assert set(Asked.model_fields) < set(GateDecided.model_fields)


def walk(commands: dict[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    for name, command in commands.items():
        if inner := getattr(command, "commands", None):
            yield from walk(inner, f"{path}{name} ")
        if not inner or command.invoke_without_command:
            yield f"{path}{name}", command


def test_every_command_that_reads_answers_in_json_too() -> None:
    found = dict(walk({name: load(name) for name in COMMANDS}))
    assert found.keys() >= ACT | OF_A_FORM_OF_THEIR_OWN
    without = {name for name, command in found.items() if not any("--json" in p.opts for p in command.params)}
    assert without == ACT | OF_A_FORM_OF_THEIR_OWN


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_is_given_a_script_that_asks_for_what_may_come_next(bare: Command, shell: str) -> None:
    script = bare.ok("completion", shell).out
    assert f"_CHANGE_LEDGER_COMPLETE=complete_{shell}" in script
    assert "change-ledger" in script


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("ver", {"verify"}),
        ("gate pro", {"promote"}),
        ("views l", {"list"}),
        ("show --j", {"--json"}),
        ("--ver", {"--version"}),
    ],
)
def test_bash_is_told_what_may_come_next(
    monkeypatch: pytest.MonkeyPatch, bare: Command, typed: str, offered: set[str]
) -> None:
    monkeypatch.setenv("COMP_WORDS", f"change-ledger {typed}")
    monkeypatch.setenv("COMP_CWORD", str(len(typed.split())))
    monkeypatch.setenv("_CHANGE_LEDGER_COMPLETE", "complete_bash")
    assert set(bare.at().ok().out.split()) == offered


def test_the_program_is_called_by_its_name_wherever_it_runs(bare: Command) -> None:
    for words in (("--help",), ("gate", "--help"), ("show", "--help")):
        assert bare.ok(*words).out.lstrip().startswith("Usage: change-ledger ")
    assert app.info.name == "change-ledger"


def test_a_mistyped_command_is_told_which_may_be_meant(bare: Command) -> None:
    assert "Did you mean 'verify'" in bare.at()("verfy").err


def test_a_row_in_a_pipe_is_one_line_with_its_hashes_whole(capsys: pytest.CaptureFixture[str]) -> None:
    table = Table("a", "hash", "b", "words")
    table.add("x" * 200, "f" * 64, "y" * 200, "z" * 300)
    Terminal().print(table)
    head, row = capsys.readouterr().out.splitlines()
    assert row == f"{'x' * 200}  {'f' * 64}  {'y' * 200}  {'z' * 300}"
    assert head.split() == ["a", "hash", "b", "words"]


def test_a_server_lists_its_views(server: Server, bare: Command) -> None:
    over_http = bare.at("--server", server.url, "--token", server.tokens["auditor"])
    found = over_http.ok("views", "list", "--json").json
    assert {view["name"] for view in found["views"]} >= {"change_tickets", "findings"}
    assert "change_tickets" in over_http.ok("views", "list").out
    over_http.refused("views", "show", "findigns", words="did you mean findings")


def test_a_server_looks_after_its_views(server: Server, bare: Command) -> None:
    operator = bare.at("--server", server.url, "--token", server.tokens["operator"])
    assert "asked the process that runs the views to rebuild" in operator.ok("views", "rebuild", "sboms").out
    operator.refused("views", "rebuild", "sbomz", words="did you mean sboms")
    operator.refused("views", "skip", 1, "--view", "deployments", "--reason", "x", words="has not stopped")
    operator.refused("views", "run", words="where the database is")
    auditor = bare.at("--server", server.url, "--token", server.tokens["auditor"])
    # Not the one that is filled meanwhile.
    found = auditor.ok("views", "check", "freezes", "--json").json
    assert "freezes" in {view["name"] for view in found["views"]}
    assert all(view["is_equal"] for view in found["views"])
    assert found["not_checked"] == []
    auditor.refused("views", "rebuild", "sboms", words="operator")


def test_nothing_but_an_erasable_text_has_the_shape_of_one() -> None:
    """`show` tells an erased text by its shape, because over HTTP it has no catalogue."""
    for event_class in CATALOGUE.values():
        for name, field in event_class.model_fields.items():
            if name not in event_class.erasable_fields:
                fields = getattr(field.annotation, "model_fields", {})
                assert set(fields) != {"sha256"}, (event_class.type, name)

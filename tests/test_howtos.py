"""The how-to pages do what they say: their `console` blocks are executed, in order, on a fresh ledger for each page.

`sessions` says how a page is read. Before it begins, there is what a reader has: a ledger with its pin and some facts,
a token in `CHANGE_LEDGER_TOKEN`, and `URL`; for some pages a witness that runs, or a ledger that is broken.
"""

import json
import re
import sys
import types
from pathlib import Path
from typing import Any

import pytest
from authority import Authority, running_authority
from programs import warm
from sessions import ROOT, Machine, commands, machines, with_free_ports
from telling import Story

from api.intake import FORMATS
from api.intake.formats import Format
from projections import VIEWS
from projections.engine.progress import with_inputs
from projections.engine.view import View
from projections.readings.delivery.deployments import deployments
from projections.readings.environments.environments import environments

HOWTOS = ROOT / "docs" / "howto"
# These are about services that a test does not have.
NOT_EXECUTED = {"post-from-a-pipeline.md", "run-on-postgresql.md"}
# These show code.
DECLARING = {"add-a-view.md", "add-a-rule.md", "project-with-eventsourcing.md"}
PAGES = sorted(path.name for path in HOWTOS.glob("*.md") if path.name not in NOT_EXECUTED | DECLARING)
# It makes by hand what the others begin with, so it begins with nothing.
FROM_NOTHING = "try-a-page.md"
WITNESSED = {"restore-a-backup.md", "rotate-a-key.md"}
ANYTHING = re.compile("(?:.|\n)*")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """A timestamp authority, in the place of timestamp.example.com."""
    return Authority(tmp_path_factory.mktemp("authority"))


def deployment(number: int) -> dict[str, object]:
    data = {"deployment_id": f"payments-api-{number}", "change_id": "CHG-7", "service": "payments-api"}
    return {
        "specversion": "1.0",
        "id": f"{number}/finished",
        "source": "https://ci.example.com/payments",
        "type": "deployment.finished",
        "time": "2026-02-03T10:06:00Z",
        "data": data | {"environment": "prod", "outcome": "success"},
    }


def run(machine: Machine, command: str) -> str:
    """Run what a page takes for granted, and return what it prints. It must succeed."""
    output = machine.run(f"{command}\necho $?", ANYTHING)
    assert output.endswith("0\n"), f"{command}\n{output}"
    return output.removesuffix("0\n")


def prepare(made: dict[str, Machine], port: str) -> None:
    """Make the ledger that the pages begin with, six entries or, with a witness, seven; and what a shell holds."""
    ledger = made["ledger"]
    for machine in made.values():
        # A fact with a number, as a pipeline would send it: what the pages use to go on.
        for number in range(1, 10):
            (machine.directory / f"fact-{number}.json").write_text(json.dumps(deployment(number)))
        run(machine, f"export CHANGE_LEDGER_PORT={port} URL=http://127.0.0.1:{port}")
    said = run(ledger, "change-ledger init --origin ledger.example.com/prod")
    assert "opened" in said, said


def record(made: dict[str, Machine]) -> None:
    """Issue a token that may do everything, which two shells hold, and record three facts about CHG-7."""
    roles = "--role operator --role reporter --role auditor"
    token = run(made["ledger"], f"change-ledger token create --principal person:op {roles} -q 2>/dev/null").strip()
    for name in made.keys() & {"ledger", "ci"}:
        run(made[name], f"export CHANGE_LEDGER_TOKEN={token}")
    said = run(made["ledger"], "change-ledger append fact-1.json fact-2.json fact-3.json")
    assert "3 recorded" in said, said


def witnessed(made: dict[str, Machine], port: str) -> None:
    """Let a witness run on the auditor's machine, and the ledger insist on it."""
    ledger, auditor = made["ledger"], made["auditor"]
    log = run(ledger, "change-ledger keys --vkey").strip()
    witness = run(
        auditor, f"change-ledger witness init --name witness.example.org; change-ledger witness add-log {log}"
    )
    auditor.check(f"change-ledger witness serve --port {port} &", ["serving …"])
    run(ledger, f"change-ledger keys enrol witness {witness.split()[0]}")
    settings = f'witnesses = ["{witness.split()[0]} http://127.0.0.1:{port}"]\nwitness_policy = "require:1"\n'
    (ledger.directory / "change-ledger.toml").write_text(settings)


FORGE = """
import sqlite3
forged = sqlite3.connect("forged.db", isolation_level=None)
forged.execute("DROP TRIGGER entries_refuses_update")
forged.execute("UPDATE entries SET entry = CAST(replace(entry, 'success', 'failure') AS BLOB) WHERE position = 4")
"""
REPLACE = 'import sqlite3; sqlite3.connect("forged.db").backup(sqlite3.connect("var/ledger.db"))'


def broken(ledger: Machine) -> None:
    """Replace the database of a running server by one with an altered entry 4 and another entry 7."""
    run(ledger, "change-ledger export before; change-ledger backup sunday.db; cp sunday.db forged.db")
    run(ledger, f"python3 - <<END{FORGE}END")
    run(ledger, "change-ledger --database-url sqlite:///forged.db append fact-5.json")
    ledger.check("change-ledger serve 2> server.log &", ["serving …"])
    run(ledger, "change-ledger --server $URL append fact-4.json")
    kind = "Content-Type: application/cloudevents+json"
    bearer = "Authorization: Bearer $CHANGE_LEDGER_TOKEN"
    run(ledger, f'curl -s $URL/v1/events -H "{bearer}" -H "{kind}" -d @fact-4.json > receipt.json')
    ledger.check("curl -s $URL/checkpoint | head -2", ["ledger.example.com/prod", "7"])
    run(ledger, f"change-ledger backup standby.db; python3 -c '{REPLACE}'; rm forged.db")


@pytest.mark.parametrize("page", PAGES)
def test_the_commands_of_a_page_do_what_it_shows(page: str, authority: Authority, tmp_path: Path) -> None:
    ledger_port, witness_port, text = with_free_ports(f"8000\n8001\n{(HOWTOS / page).read_text()}").split("\n", 2)
    found = list(commands(text))
    assert found, f"{page} has no console block"
    names = sorted({"ledger", *(name for name, _, _ in found if name)})
    with machines(tmp_path, *names, warm=warm()) as made, running_authority(authority.answer) as url:
        if page != FROM_NOTHING:
            prepare(made, ledger_port)
            if page in WITNESSED:
                witnessed(made, witness_port)
            record(made)
        if page == "respond-to-a-broken-chain.md":
            broken(made["ledger"])
        for machine in made.values():
            (machine.directory / "root.pem").write_bytes(authority.root)
        for name, command, shown in found:
            made[name or "ledger"].check(command.replace("https://timestamp.example.com/", url), shown)


def declared_by(page: str, *others: View[Any]) -> tuple[dict[str, Any], Story]:
    """Run the code of a page as a module of its own, and return its names and a story that is folded into its view."""
    (code,) = re.findall(r"^```python\n(.*?)^```", (HOWTOS / page).read_text(), re.DOTALL | re.MULTILINE)
    module = types.ModuleType(page.removesuffix(".md").replace("-", "_"))
    sys.modules[module.__name__] = module
    exec(compile(code, page, "exec"), vars(module))
    view = next(value for value in vars(module).values() if isinstance(value, View) and value not in VIEWS)
    return vars(module), Story((*others, view))


def test_the_view_of_the_page_is_folded() -> None:
    names, story = declared_by("add-a-view.md")
    for _ in range(2):
        story.tell("rollback.trigger_fired", trigger_id="T", version="1", service="api", measured="1", samples=9)
    assert (story.row(names["firings"], "T").fired, story.row_as_of(names["firings"], "T", 1).fired) == (2, 1)


def test_the_rule_of_the_page_finds() -> None:
    names, story = declared_by("add-a-rule.md", *with_inputs(VIEWS, [deployments, environments]))
    for number, said in enumerate(({}, {"strategy": "rolling"})):
        where = {"deployment_id": f"d-{number}", "service": "api", "environment": "prod"}
        story.tell("deployment.started", actor="service:ci", **where, **said)
    found = [names["findings"].load(text).finding_id for text in story.store.texts(names["findings"])]
    assert found == ["strategy-not-said/d-0"]


@pytest.mark.parametrize("known", FORMATS, ids=lambda known: known.name)
def test_every_door_of_a_format_is_shown_on_a_page(known: Format) -> None:
    """A file by the command that takes it in, or by the dialect beside it; a message by its route."""
    told = "".join(page.read_text() for page in HOWTOS.glob("*.md"))
    shown = (f"intake {known.name} ", f"`{known.name}`") if known.is_file else (f"/intake/{known.name}",)
    assert any(way in told for way in shown)

"""The tutorial and the README do what they say: every `console` block is executed, in order, in one shell for each document.

`sessions` says how a document is read.
"""

import re
from pathlib import Path

import pytest
from programs import warm
from sessions import ROOT, commands, machines, with_free_ports


@pytest.mark.parametrize(
    "document", ["README.md", "docs/tutorial.md", "docs/tutorial-governance.md", "docs/tutorial-plan-to-production.md"]
)
def test_the_commands_of_a_document_do_what_it_shows(document: str, tmp_path: Path) -> None:
    port, _, text = with_free_ports(f"8000\n{(ROOT / document).read_text()}").partition("\n")
    found = list(commands(text))
    assert found, f"{document} has no console block"
    with machines(tmp_path, "ledger", warm=warm()) as made:
        made["ledger"].run(f"export CHANGE_LEDGER_PORT={port}", re.compile(""))
        for _, command, shown in found:
            made["ledger"].check(command, shown)

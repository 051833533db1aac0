"""Numbers of things in words: whatever is said of one thing is said in the singular, in every sentence of entries, rules and pages.

Sentences of events are tried with one of everything that they count; the sources are searched for numbers that stand before a plural.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.events import CATALOGUE, Event, example, sentence, wording

ROOT = Path(__file__).resolve().parents[2]
# Words that end in s and count nothing.
VERBS = {"is", "was", "has", "its", "as", "comes", "goes", "of"}
_ones = re.compile(r"(?<![\w./:-])1 ((?:[a-z]+ )?[a-z]+s)\b").findall
_plural = re.compile(r" (?:more |open |other )?(?:[a-z]+s|people)\b").match


@pytest.mark.parametrize("event", CATALOGUE.values(), ids=lambda event: event.type)
def test_one_of_what_an_event_counts_is_said_in_the_singular(event: type[Event]) -> None:
    ones = {name: 1 if type(value) is int else value for name, value in example(event).items()}
    said = sentence(event, ones)
    assert not [words for words in _ones(said) if words.split()[-1] not in VERBS], said
    assert "(s)" not in wording(event)


def test_nobody_writes_a_number_before_a_plural_by_hand() -> None:
    assert list(_by_hand()) == []


def _by_hand() -> Iterator[str]:
    for path in (*ROOT.glob("projections/**/*.py"), *ROOT.glob("api/**/*.py"), *ROOT.glob("ledger/**/*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and "(s)" in node.value:
                yield f"{path.relative_to(ROOT)}:{node.lineno}: (s)"
            if isinstance(node, ast.JoinedStr):
                for number, text in zip(node.values, node.values[1:], strict=False):
                    if _is_length(number) and isinstance(text, ast.Constant) and _plural(str(text.value)):
                        yield f"{path.relative_to(ROOT)}:{node.lineno}: say {ast.unparse(number)} by number_of"
    for path in ROOT.glob("api/console/templates/*.html"):
        if found := re.search(r"\| (?:length|grouped) \}\} (?:more )?[a-z]+s\b|\"s\" if", path.read_text()):
            yield f"{path.relative_to(ROOT)}: say {found[0]} by number_of"


def _is_length(value: ast.expr) -> bool:
    return (
        isinstance(value, ast.FormattedValue)
        and isinstance(value.value, ast.Call)
        and ast.unparse(value.value.func) == "len"
    )

"""Every practice has one test file, in which each of its findings and gate rules is named; and every finding is planted in the year."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from year import PRACTICES as TESTS
from year import Year

from projections.judging.findings import findings
from projections.practices import PRACTICES

# Which says a position: only a ledger gives one.
NOT_PLANTED = {"withdrawal-of-anothers"}
NAMES = [module.__name__.removeprefix("projections.practices.") for module in PRACTICES]


def file_of(name: str) -> Path:
    area, _, practice = name.partition(".")
    return TESTS / area / f"test_{practice}.py"


def rules_of(name: str) -> Iterator[str]:
    """Yield the findings and gate rules that a practice's file declares, as they are called."""
    source = TESTS.parents[2] / "projections" / "practices" / f"{name.replace('.', '/')}.py"
    for node in ast.parse(source.read_text()).body:
        if isinstance(node, ast.FunctionDef) and any(
            "rule" in (d := ast.unparse(decorator)) or "finding" in d for decorator in node.decorator_list
        ):
            yield node.name.replace("_", "-")


def test_every_rule_is_one_of_a_practice() -> None:
    assert set(findings.rules) <= {rule for name in NAMES for rule in rules_of(name)}


@pytest.mark.parametrize("name", NAMES)
def test_a_practice_has_a_test_that_names_each_of_its_rules(name: str) -> None:
    said = file_of(name).read_text()
    rules = list(rules_of(name))
    assert rules
    assert [rule for rule in rules if f'"{rule}' not in said] == []


def test_a_test_of_a_practice_has_a_practice() -> None:
    assert sorted(TESTS.rglob("test_*.py")) == sorted(file_of(name) for name in NAMES)


def test_every_finding_is_planted_in_the_year() -> None:
    planted = {finding.partition("/")[0] for finding in Year(services=20, changes=100, planted=1).expected}
    assert planted == set(findings.rules) - NOT_PLANTED

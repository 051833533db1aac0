"""The curriculum has its forty-eight practices, and each that is said to be served has a test that exercises what serves it."""

import ast
from pathlib import Path

import pytest

from projections import PRACTICES, VIEWS
from projections.engine.view import DeclarationError
from projections.gates.composition import GATES
from projections.judging.findings import findings
from projections.judging.gate_rule import RULES
from projections.practices.practice import Practice
from projections.practices.serving import Served, capabilities

ROOT = Path(__file__).parents[3]
SERVED = {practice.number: practice for practice in capabilities() if practice.is_served}


def test_all_forty_eight_are_there_in_their_order() -> None:
    numbers = [f"{module}.{number}" for module in range(1, 9) for number in range(1, 7)]
    assert [practice.number for practice in capabilities()] == numbers


def test_every_file_of_a_practice_serves_it_and_is_named_once() -> None:
    files = {path for path in (ROOT / "projections" / "practices").glob("*/*.py") if path.stem != "__init__"}
    assert sorted(files) == sorted(Path(str(module.__file__)) for module in PRACTICES)
    assert sorted(SERVED) == sorted(module.PRACTICE.number for module in PRACTICES)
    assert len({module.PRACTICE.number for module in PRACTICES}) == len(PRACTICES)


def test_a_file_says_in_its_first_line_which_practice_it_is() -> None:
    for practice in SERVED.values():
        assert practice.module is not None
        assert (practice.module.__doc__ or "").startswith(f"{practice.number} "), practice.module.__name__


@pytest.mark.parametrize("number", SERVED)
def test_what_serves_a_practice_is_exercised_by_the_test_of_its_name(number: str) -> None:
    practice = SERVED[number]
    said = _said_in(_test_of(practice))
    names = [*practice.findings, *practice.gate_rules]
    assert [name for name in names if name not in said] == []
    # Views are read by that test, have one of their own, or a finding that it names judges their rows.
    judged = {findings.rules[name].subject.name for name in practice.findings}
    assert [view.name for view in practice.views if view.name not in said | judged | _said_by_readings()] == []


def test_every_finding_gate_rule_and_view_serves_a_practice() -> None:
    assert {name for practice in SERVED.values() for name in practice.findings} == set(findings.rules)
    assert {name for practice in SERVED.values() for name in practice.gate_rules} == {name for name, _ in RULES}
    served = {view.name for practice in SERVED.values() for view in practice.views}
    assert served == {view.name for view in VIEWS} - {findings.name}, "name each view in `views` of a practice"


def test_every_gate_rule_of_today_is_asked_by_a_gate() -> None:
    asked = {rule.name for gate in GATES.values() for rule in gate.rules}
    assert {name for practice in SERVED.values() for name in practice.gate_rules} - asked == set()


@pytest.mark.parametrize(("number", "name"), [("3.3", "Drift"), ("9.1", "Drift detection")])
def test_a_practice_that_is_not_in_the_curriculum_is_refused_at_import(number: str, name: str) -> None:
    with pytest.raises(DeclarationError, match="of the curriculum, found"):
        Practice(number, name)


def _test_of(practice: Served) -> Path:
    assert practice.module is not None
    *rooms, name = practice.module.__name__.split(".")
    path = Path("tests", *rooms, f"test_{name}.py")
    assert (ROOT / path).is_file(), f"expected {path}, the test of {practice.number} {practice.name}: there is none"
    return ROOT / path


def _said_by_readings() -> set[str]:
    paths = (ROOT / "tests" / "projections" / "readings").rglob("test_*.py")
    return {name for path in paths for name in _said_in(path)}


def _said_in(path: Path) -> set[str]:
    """Return the names and the words of the texts that a test uses, in its code and not in its comments."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Name):
            found |= {node.id, node.id.replace("_", "-")}
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found |= {node.value, node.value.partition("/")[0]}
    return found

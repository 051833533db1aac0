"""Settings of policies: each is declared where it is read, and nobody reads one that is not declared."""

import ast
from functools import cache
from pathlib import Path

import pytest

from projections import PRACTICES
from projections.engine.view import DeclarationError
from projections.practices.serving import capabilities
from projections.readings.people.policies import InForce, Setting
from projections.readings.people.settings import SETTINGS, Number, Words

ROOT = Path(__file__).parents[3]
TREES = {path: ast.parse(path.read_text()) for path in sorted((ROOT / "projections").rglob("*.py"))}
ASKING = ("number", "numbers", "words")


@cache
def declared() -> dict[str, tuple[Path, str]]:
    """The constants that hold settings, and in which module and under which name of a setting each is declared."""
    found = {}
    for path, tree in TREES.items():
        for node in tree.body:
            match node:
                case ast.AnnAssign(
                    target=ast.Name(constant),
                    value=ast.Call(func=ast.Name("Number" | "Words"), args=[ast.Constant(name), *_]),
                ):
                    found[constant] = path, str(name)
    return found


@cache
def asked() -> dict[str, set[Path]]:
    """What policies are asked for: the words of the first argument, and in which modules."""
    found: dict[str, set[Path]] = {}
    for path, tree in TREES.items():
        for node in ast.walk(tree):
            match node:
                case ast.Call(func=ast.Attribute(attr=name), args=[first, *_]) if name in ASKING:
                    found.setdefault(ast.unparse(first), set()).add(path)
    return found


@cache
def passed_on() -> set[str]:
    """The settings that a module gives to a function of its own, which asks a policy for what it is given."""
    return {
        argument.id
        for tree in TREES.values()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        for argument in node.args
        if isinstance(argument, ast.Name)
    }


def test_every_setting_that_there_is_is_a_constant_of_one_module() -> None:
    assert sorted(name for _, name in declared().values()) == sorted(SETTINGS)
    assert len(SETTINGS) > 10


def test_every_setting_is_read_in_the_module_that_declares_it() -> None:
    for constant, (path, _) in declared().items():
        assert path in asked().get(constant, ()) or constant in passed_on(), constant


def test_nothing_is_asked_of_a_policy_but_declared_settings() -> None:
    policies = ROOT / "projections" / "readings" / "people" / "policies.py"
    asks = {what for what, paths in asked().items() if paths - {policies}}
    # `setting` is a parameter, whose type says that it is declared.
    assert asks <= {*declared(), "setting"}


def test_a_practice_has_the_settings_of_its_file_and_every_setting_is_of_a_practice() -> None:
    served = {setting.name for practice in capabilities() for setting in practice.settings}
    assert served == set(SETTINGS)
    approvals = next(practice for practice in capabilities() if practice.number == "5.4")
    assert {"escalate-after-hours", "quorum", "required-role"} <= {setting.name for setting in approvals.settings}
    assert len(PRACTICES) == len({practice.module for practice in capabilities() if practice.module})


@pytest.mark.parametrize(("name", "doc"), [("quorum", "again"), ("Not A Name", "x"), ("no-doc", " ")])
def test_a_setting_that_is_declared_twice_or_without_words_is_refused_at_import(name: str, doc: str) -> None:
    before = dict(SETTINGS)
    with pytest.raises(DeclarationError):
        Number(name, doc)
    assert before == SETTINGS


def policy(*settings: tuple[str, str, str]) -> InForce:
    return InForce("p", "1", 1, tuple(Setting(*setting) for setting in settings))


def test_the_first_of_what_a_setting_applies_to_wins_then_any_then_its_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("projections.readings.people.settings.SETTINGS", {})
    days = Number("days", "x", default=7, defaults={"prod": 1})
    role = Words("role", "x", default=("nobody",), is_several=True)
    said = policy(("days", "any", "5"), ("days", "dev", "3"), ("role", "prod", "a"), ("role", "prod", "b"))
    assert [said.number(days, where) for where in ("dev", "prod", None)] == [3, 5, 5]
    assert [policy().number(days, where) for where in ("dev", "prod", None)] == [7, 1, 7]
    assert [said.words(role, where) for where in ("prod", "dev")] == [("a", "b"), ("nobody",)]
    assert said.numbers(days) == {"any": 5, "dev": 3}
    # What is no whole number is as if it were not there.
    assert policy(("days", "any", "soon")).number(days) == 7
    assert days.fault("soon") == "soon is no whole number"
    assert Words("one", "x", choices=("yes", "no")).fault("maybe") == "maybe is not one of yes, no"

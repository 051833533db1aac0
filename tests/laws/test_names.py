"""Names: the same history with production called otherwise gives the same rows, findings and answers, up to the name.

Called now by its own name and now by an alias, it gives the same findings. And nobody compares names of environments by hand: the
sources are searched.
"""

import ast
import copy
import json
import random
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from asking import ask
from histories import random_history
from telling import Story, document, retold
from year import Year
from year import told as told_of

from ledger.authority import LEDGER_PRINCIPAL
from ledger.events import CATALOGUE, refs_of
from ledger.events.identifiers import name_of
from ledger.log.recorder import WITHDRAWN
from projections import VIEWS
from projections.rules.environments import compared

HISTORIES = 5
ALL_HISTORIES = 4000
LENGTH = 50
CALLED = ("production", "PROD", "prod-eu-west-1", "Production%20EU", "live", "customer-a")


def renamed(documents: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    """Return a history with another name for `prod`, in fields, in settings, and in patterns that would fit either."""
    found = []
    for entry in documents:
        data = _renamed(copy.deepcopy(entry["statement"]["data"]), name)
        refs = refs_of(CATALOGUE[entry["statement"]["type"]], data)
        found.append(entry | {"refs": refs, "statement": entry["statement"] | {"data": data}})
    return found


def _renamed(value: Any, name: str) -> Any:
    if isinstance(value, dict):
        return {key: _renamed(item, name) for key, item in value.items()}
    if isinstance(value, list):
        return [_renamed(item, name) for item in value]
    return {"prod": name, "PROD": name, "prod-*": "zzz-*"}.get(value, value) if isinstance(value, str) else value


def declared_first(documents: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    """Return a history that begins with an operator who says what an environment is, in the place of its first entry."""
    now = documents[0]["recorded_at"]
    data = {"actor": "person:olga", "environment": name, "tier": "production"}
    root = {"by": LEDGER_PRINCIPAL, "credential": "key:root"}
    return [document(1, "environment.declared", data, time=now, recorded_at=now, **root), *documents[1:]]


def rows(story: Story, name: str) -> dict[str, list[str]]:
    """Return all rows of all views, with one word for whatever the environment is called."""
    story.flush()
    assert not story.folder.failures
    called = sorted(
        {name, compared(name), name_of(name), name_of(compared(name)), "production", "prod"}, key=len, reverse=True
    )
    one = re.compile("|".join(re.escape(word) for word in called))
    # A digest is of what it is made of, names too: what counts is which of them are the same.
    numbers: dict[str, str] = {}

    def numbered(found: re.Match[str]) -> str:
        return numbers.setdefault(found[0], f"digest {len(numbers)}")

    # The refs of an entry stand in the order of their texts.
    return {
        view.name: [
            _DIGEST.sub(numbered, text)
            for text in sorted(_REFS.sub(_in_order, one.sub("X", text)) for text in story.store.texts(view))
        ]
        for view in VIEWS
    }


def _in_order(found: re.Match[str]) -> str:
    return f'"refs":[{",".join(sorted(found[1].split(",")))}]'


_REFS = re.compile(r'"refs":\[([^\]]*)\]')
_DIGEST = re.compile(r'sha256:[0-9a-f]{64}|"[A-Za-z0-9+/]{43}="')


@pytest.mark.parametrize("name", CALLED)
def test_random_histories_mean_the_same_whatever_production_is_called(
    name: str, request: pytest.FixtureRequest
) -> None:
    many = ALL_HISTORIES if request.config.getoption("--all") else HISTORIES
    for seed in random.Random(name).sample(range(100_000), many):
        documents = random_history(seed, LENGTH)
        as_it_is, otherwise = (
            retold(declared_first(renamed(documents, called), called), batch=LENGTH) for called in ("prod", name)
        )
        assert rows(as_it_is, "prod") == rows(otherwise, name), f"seed {seed}"


@cache
def year_of() -> list[dict[str, Any]]:
    return told_of(Year(services=20, changes=60, planted=1), 300).documents()


@cache
def year_in(called: str) -> Story:
    """Return a year in which production has a name."""
    return retold(declared_first(renamed(year_of(), called), called), batch=300)


# A year is long: one name that says what it is, and one that has to be declared; the others with `--all`.
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in ("PROD", "customer-a") else pytest.mark.slow) for name in CALLED]
)
def test_a_year_means_the_same_whatever_production_is_called(name: str) -> None:
    as_it_is, otherwise = year_in("prod"), year_in(name)
    assert rows(as_it_is, "prod") == rows(otherwise, name)
    asked_at = 24 * 200.0
    for change in ("CHG-7", "CHG-20", "CHG-33"):
        about = {"hours": asked_at, "change_id": change, "service": "service-1", "actor": "service:team-1-ci"}
        answers = [
            [(a.rule, a.verdict, a.reason, a.positions) for a in ask(story, environment=called, **about).answers]
            for story, called in ((as_it_is, "prod"), (otherwise, name))
        ]
        assert answers[0] == answers[1]


# -- two names at once -----------------------------------------------------------------------------------------------

ALIAS = "customer-a"
# Before every time that a history names.
EVER = "1800-01-01T00:00:00.000000Z"
# What these say of environments is content, which approvals are of: another spelling is another scope, or another policy.
OF_CONTENT = ("change.", "approval.", "policy.", "finding.", "playbook.", "template.")


def with_an_alias(documents: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return a history in which an operator has always said what an environment is called, and nobody says anything else of any."""

    def said(position: int, recorded_at: str) -> dict[str, Any]:
        data = {"actor": "person:olga", "environment": "prod", "tier": "production", "aliases": [ALIAS]}
        by = {"by": LEDGER_PRINCIPAL, "credential": "key:root"}
        return document(position, "environment.declared", data, time=EVER, recorded_at=recorded_at, **by)

    def is_about_names(told: dict[str, Any]) -> bool:
        kind, data = told["statement"]["type"], told["statement"]["data"]
        return kind == "environment.declared" or (kind == WITHDRAWN and data["position"] == 1)

    others = [
        said(told["position"], told["recorded_at"]) if is_about_names(told) else told
        for told in renamed(documents[1:], "prod")
    ]
    return [said(1, EVER), *others]


def by_either(documents: list[dict[str, Any]], seed: int) -> list[dict[str, Any]]:
    """Return a history in which about half of the statements use the alias."""
    chance = random.Random(seed)
    return [
        told
        if chance.random() < 0.5 or told["statement"]["type"].startswith((*OF_CONTENT, "environment.declared"))
        else renamed([told], ALIAS)[0]
        for told in documents
    ]


def open_findings(story: Story) -> set[tuple[str, str]]:
    """Return the rules that are broken, and by what, with one word for either name. Whoever stands for both of them may change."""
    one = re.compile(f"{ALIAS}|prod")
    story.flush()
    assert not story.folder.failures
    found = [json.loads(text) for text in story.store.texts(next(view for view in VIEWS if view.name == "findings"))]
    return {(row["rule"], one.sub("X", row["subject"])) for row in found if row["is_open"]}


def test_an_environment_that_is_called_by_either_of_its_names_means_the_same(request: pytest.FixtureRequest) -> None:
    many = 1000 if request.config.getoption("--all") else 10
    for seed in random.Random(ALIAS).sample(range(100_000), many):
        documents = with_an_alias(random_history(seed, LENGTH))
        as_it_is, otherwise = (retold(told, batch=LENGTH) for told in (documents, by_either(documents, seed)))
        assert open_findings(as_it_is) == open_findings(otherwise), f"seed {seed}"


# -- the sources -----------------------------------------------------------------------------------------------------

ROOT = Path(__file__).parents[2]
# The one place that compares names, and the one that knows words for production.
KNOWS: frozenset[str] = frozenset(
    {"projections/rules/environments.py", "projections/readings/environments/environments.py"}
)
# Whoever keys rows by a name asks for them under all names; a grant cannot, as whether an alias counts rests on grants. What a template
# says is content, in whichever spelling.
KEYS: frozenset[str] = frozenset(
    {
        "projections/readings/changes/dependencies.py", "projections/readings/changes/templates.py",
        "projections/readings/delivery/named_services.py", "projections/readings/delivery/placements.py",
        "projections/readings/environments/backups.py", "projections/readings/environments/lifetimes.py",
        "projections/readings/environments/named.py", "projections/readings/environments/parity.py",
        "projections/readings/environments/readiness.py", "projections/readings/environments/reservations.py",
        # Services, in whatever letter case.
        "projections/readings/environments/selected.py",
        "projections/readings/environments/tags.py", "projections/readings/infrastructure/drifts.py",
        "projections/readings/infrastructure/module_users.py", "projections/readings/infrastructure/states.py",
        "projections/readings/people/powers.py",
    }
)  # fmt: skip
NAMES = {"environment", "to_environment", "environments"}


def by_hand(tree: ast.Module) -> Iterator[str]:
    """Yield where a module compares names of environments, asks for rows of one by a ref, or knows a name of production."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            others = [side for side in sides if not (isinstance(side, ast.Constant) and side.value is None)]
            is_identity = all(isinstance(op, (ast.Is, ast.IsNot)) for op in node.ops)
            if not is_identity and len(others) > 1 and any(_names_one(side) for side in others):
                yield f"line {node.lineno} compares an environment: ask same_environment, is_meant or is_production"
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "ref":
            if node.args and isinstance(node.args[0], ast.Constant) and node.args[0].value == "environment":
                yield f"line {node.lineno} looks for one spelling: ask for all rows, and is_meant of each"
        elif (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in ("number", "words")
        ):
            if any(_names_one(arg) for arg in node.args):
                yield f"line {node.lineno} asks a policy by a name: ask by names_for"
        elif isinstance(node, ast.Constant) and node.value in ("prod", "prd"):
            yield f"line {node.lineno} knows a name of production"


def _names_one(node: ast.expr) -> bool:
    if isinstance(node, (ast.Tuple, ast.List, ast.Set)):
        return any(_names_one(item) for item in node.elts)
    named = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else None
    return named in NAMES


def test_nobody_compares_names_of_environments_by_hand() -> None:
    found = []
    for path in sorted((ROOT / "projections").rglob("*.py")):
        name = str(path.relative_to(ROOT))
        if name not in KNOWS:
            found += [f"{name}: {said}" for said in by_hand(ast.parse(path.read_text()))]
    assert found == []


def test_only_who_keys_rows_by_a_name_asks_how_names_compare() -> None:
    using = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "projections").rglob("*.py")
        if re.search(
            r"^from projections\.rules\.environments import .*\bcompared\b|^    compared,$", path.read_text(), re.M
        )
    }
    assert using - KNOWS == KEYS


@pytest.mark.parametrize(
    "line",
    [
        "row.environment == 'x'", "row.environment in (None, scope.environment)", "(other.environment, 1) == (a, b)",
        "environment in freeze.environments", "ref('environment', name)", "policy.number(X, row.environment)", "PRODUCTION = 'prod'",
    ],
)  # fmt: skip
def test_what_is_compared_by_hand_is_seen(line: str) -> None:
    assert list(by_hand(ast.parse(line)))


@pytest.mark.parametrize(
    "line", ["row.environment is None", "None in (row.environment,)", "is_meant(look, a.environment, b, at)"]
)
def test_what_is_not_is_not(line: str) -> None:
    assert not list(by_hand(ast.parse(line)))

"""The walls between the rooms: who may import what, and what a pure module must not touch."""

import ast
import re
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("signing", "ledger", "projections", "api", "scripts")
SOURCES = {str(path.relative_to(ROOT)): path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py"))}
TREES = {name: ast.parse(path.read_text(), name) for name, path in SOURCES.items()}

# Outside packages, and the modules that may import them.
ONLY = {
    "fastapi": ["api/http/*", "api/witness/*", "api/app.py"],
    "starlette": ["api/http/*", "api/witness/*"],
    "uvicorn": ["api/http/*"],
    "typer": ["api/cli/*", "api/http/serving.py"],
    "rich": ["api/cli/*"],
    "cryptography": ["signing/*"],
    "rfc3161_client": ["signing/timestamps.py"],
    "sqlalchemy": [
        *(f"{room}/*" for room in ("ledger/log", "ledger/published", "ledger/audit", "projections/engine")),
        # Its error classes, to be told in words.
        *("api/http/problems.py", "api/outbound/publishing.py"),
    ],
    "alembic": ["ledger/log/database.py", "ledger/log/migrations/*"],
    "eventsourcing": ["ledger/adapters/*"],
}
PURE = [
    *(f"ledger/{name}.py" for name in ("audit/walk", "entry", "statement", "canonical", "conditions")),
    *(
        "ledger/events/*",
        "projections/rules/*",
        "projections/readings/*",
        "projections/judging/*",
        "projections/practices/*",
    ),
    "api/intake/*",
    "api/desk/cloudevents.py",
]
IMPURE = {"time", "random", "secrets", "os", "socket", "pathlib", "sqlalchemy", "subprocess", "threading", "io", "sys"}
CLOCKS = {("datetime", "now"), ("datetime", "utcnow"), ("datetime", "today"), ("date", "today")}


def is_one_of(name: str, patterns: list[str]) -> bool:
    return any(fnmatch(name, pattern) for pattern in patterns)


def imports(name: str) -> Iterator[str]:
    """Yield the top-level packages that a module imports, wherever in it."""
    for node in ast.walk(TREES[name]):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name} imports relatively"
            yield (node.module or "").partition(".")[0]


def test_there_are_modules_to_look_at() -> None:
    assert {name.partition("/")[0] for name in SOURCES} >= {"signing", "ledger", "projections", "api"}


@pytest.mark.parametrize("name", SOURCES)
def test_imports_run_one_way(name: str) -> None:
    # signing <- ledger <- projections <- api; scripts may import any, and nobody imports scripts.
    room = name.partition("/")[0]
    above = set(ROOMS[ROOMS.index(room) + 1 :])
    assert not above & set(imports(name))
    assert "tests" not in imports(name)


@pytest.mark.parametrize("package", ONLY)
def test_an_outside_package_is_imported_only_where_it_may_be(package: str) -> None:
    users = [name for name in SOURCES if package in imports(name) and not name.startswith("scripts/")]
    assert [name for name in users if not is_one_of(name, ONLY[package])] == []


@pytest.mark.parametrize("name", [name for name in SOURCES if is_one_of(name, PURE)])
def test_a_pure_module_has_no_clock_no_randomness_and_no_files(name: str) -> None:
    assert not IMPURE & set(imports(name))
    for node in ast.walk(TREES[name]):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            owner = node.func.value
            last = owner.attr if isinstance(owner, ast.Attribute) else getattr(owner, "id", "")
            assert (last, node.func.attr) not in CLOCKS, f"line {node.lineno}"
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in ("open", "input", "print", "exec", "eval"), f"line {node.lineno}"


# Inside projections, from the ground up. A room imports those below it.
FLOORS = ("engine", "rules", "readings", "judging", "practices", "gates")


@pytest.mark.parametrize("name", [name for name in SOURCES if name.startswith("projections/") and name.count("/") > 1])
def test_inside_projections_imports_run_down(name: str) -> None:
    floor = FLOORS.index(name.split("/")[1])
    above = {f"projections.{room}" for room in FLOORS[floor + 1 :]} | {"projections"}
    for node in ast.walk(TREES[name]):
        if isinstance(node, ast.ImportFrom):
            assert ".".join((node.module or "").split(".")[:2]) not in above, f"line {node.lineno}"


@pytest.mark.parametrize("name", SOURCES)
def test_every_module_says_what_it_is(name: str) -> None:
    assert (ast.get_docstring(TREES[name]) or "").strip()


@pytest.mark.parametrize("name", SOURCES)
def test_everything_is_caught_only_at_an_edge_and_with_a_reason(name: str) -> None:
    lines = SOURCES[name].read_text().splitlines()
    for node in ast.walk(TREES[name]):
        if not isinstance(node, ast.ExceptHandler):
            continue
        caught = {n.id for n in ast.walk(node.type) if isinstance(n, ast.Name)} if node.type else {"BaseException"}
        if not caught & {"Exception", "BaseException"}:
            continue
        # Whoever raises again has not swallowed anything.
        if isinstance(node.body[-1], ast.Raise) and node.body[-1].exc is None:
            continue
        edges = ("ledger/log/writer.py", "projections/engine/folding.py", "projections/engine/runner.py")
        assert name in edges or name.startswith(("api/", "scripts/")), f"line {node.lineno}"
        handler = "\n".join(lines[node.lineno - 1 : node.body[0].lineno - 1])
        assert re.search(r"#.*\w+ \w+", handler), f"no reason on line {node.lineno}"


# Under tests: what holds for everything, what tests are made with, what is kept, and what is told over several rooms.
BESIDE_THE_ROOMS = ("laws", "tools", "vectors", "golden", "story")
TESTS = [path.relative_to(ROOT) for path in sorted((ROOT / "tests").rglob("test_*.py"))]


def test_a_test_stands_in_the_room_of_what_it_tests() -> None:
    inside = [test for test in TESTS if test.parts[1] not in BESIDE_THE_ROOMS]
    assert len(inside) > 80
    assert [str(test) for test in inside if not ROOT.joinpath(*test.parts[1:-1]).is_dir()] == []
    # These two are nothing but rooms.
    assert [str(test) for test in inside if test.parent.name in ("api", "projections")] == []


@pytest.mark.parametrize("test", TESTS, ids=str)
def test_tests_share_through_tools_and_not_with_each_other(test: Path) -> None:
    for node in ast.walk(ast.parse((ROOT / test).read_text(), str(test))):
        if isinstance(node, ast.ImportFrom):
            assert (node.module or "").partition(".")[0] != "tests", f"line {node.lineno}"

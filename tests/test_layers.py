"""The walls between the rooms: who may import what, and what a pure module must not touch."""

import ast
import re
from collections.abc import Iterator
from fnmatch import fnmatch
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("signing", "ledger", "projections", "api", "scripts")
SOURCES = {str(path.relative_to(ROOT)): path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py"))}
TREES = {name: ast.parse(path.read_text(), name) for name, path in SOURCES.items()}

# Outside packages, and the modules that may import them.
ONLY = {
    "fastapi": ["api/http/*", "api/console/*", "api/witness/*", "api/app.py"],
    "starlette": ["api/http/*", "api/witness/*"],
    "jinja2": ["api/console/*"],
    "uvicorn": ["api/http/*"],
    "typer": ["api/cli/*", "api/http/serving.py"],
    "rich": ["api/cli/*"],
    "cryptography": ["signing/*"],
    "rfc3161_client": ["signing/timestamps.py"],
    "sqlalchemy": [
        *(f"{room}/*" for room in ("ledger/log", "ledger/published", "ledger/audit", "projections/engine")),
        # Its error classes, to be told in words.
        *("api/desk/problems.py", "api/outbound/publishing.py"),
    ],
    "alembic": ["ledger/log/database.py", "ledger/log/migrations/*"],
    "eventsourcing": ["ledger/adapters/*"],
}
PURE = [
    *(
        f"ledger/{name}.py"
        for name in (
            "audit/walk",
            "audit/ranges",
            "audit/summary",
            "audit/report",
            "audit/fingerprints",
            "faults",
            "entry",
            "statement",
            "canonical",
            "conditions",
        )
    ),
    *(
        "ledger/events/*",
        "projections/rules/*",
        "projections/readings/*",
        "projections/judging/*",
        "projections/practices/*",
    ),
    "api/intake/*",
    "api/desk/posted.py",
]
IMPURE = {
    *(
        "time",
        "random",
        "secrets",
        "uuid",
        "os",
        "sys",
        "io",
        "pathlib",
        "tempfile",
        "shutil",
        "subprocess",
        "threading",
    ),
    *("asyncio", "multiprocessing", "socket", "http", "httpx", "sqlalchemy", "sqlite3", "psycopg"),
}
# It replays the log of a database, to score what was: a question, and no reading.
REPLAYS = ["projections/readings/risk/backtest.py"]
# Of what folds and judges, those that know a database, a process or the rows that are served.
MACHINERY = ("tables", "store", "runner", "serving", "checking", "progress", "standing", "folding")
CALLS = {"open", "input", "print", "exec", "eval", "__import__"}
CLOCKS = {"now", "utcnow", "today"}


def is_one_of(name: str, patterns: list[str]) -> bool:
    return any(fnmatch(name, pattern) for pattern in patterns)


@cache
def imports(name: str) -> frozenset[str]:
    """Return the top-level packages that a module imports, wherever in it."""
    found: set[str] = set()
    for node in ast.walk(TREES[name]):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name} imports relatively"
            found.add((node.module or "").partition(".")[0])
    return frozenset(found)


def impurities(tree: ast.Module) -> Iterator[str]:
    """Yield what in a module knows more than it is given: a clock, chance, files, a database, or a state of its own."""
    for node in ast.walk(tree):
        modules: list[str] = []
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            modules = [node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)]
        for module in modules:
            room, _, rest = module.partition("projections.engine.")
            if module.partition(".")[0] in IMPURE or (room == "" and rest.partition(".")[0] in MACHINERY):
                yield f"line {node.lineno} imports {module}"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in CLOCKS:
            yield f"line {node.lineno} asks a clock"
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in CALLS:
            yield f"line {node.lineno} calls {node.func.id}"
        elif isinstance(node, ast.Global):
            yield f"line {node.lineno} keeps a state"


def test_there_are_modules_to_look_at() -> None:
    assert {name.partition("/")[0] for name in SOURCES} >= {"signing", "ledger", "projections", "api"}


def test_imports_run_one_way() -> None:
    # signing <- ledger <- projections <- api; scripts may import any, and nobody imports scripts.
    for name in SOURCES:
        above = {*ROOMS[ROOMS.index(name.partition("/")[0]) + 1 :], "tests"}
        assert not above & imports(name), name


@pytest.mark.parametrize("package", ONLY)
def test_an_outside_package_is_imported_only_where_it_may_be(package: str) -> None:
    users = [name for name in SOURCES if package in imports(name) and not name.startswith("scripts/")]
    assert [name for name in users if not is_one_of(name, ONLY[package])] == []


def test_a_pure_module_has_no_clock_no_randomness_and_no_files() -> None:
    watched = [name for name in SOURCES if is_one_of(name, PURE) and name not in REPLAYS]
    assert [f"{name}: {found}" for name in watched for found in impurities(TREES[name])] == []


def test_what_is_excused_needs_it() -> None:
    assert all(list(impurities(TREES[name])) for name in REPLAYS)


def test_whatever_judges_folds_or_translates_is_pure() -> None:
    """A file that is added there is under the test above."""
    rooms = [f"projections/{room}/" for room in ("rules", "readings", "judging", "practices")] + [
        "ledger/events/",
        "api/intake/",
    ]
    watched = [name for name in SOURCES if is_one_of(name, PURE)]
    assert [name for name in SOURCES if name.startswith(tuple(rooms)) and name not in watched] == []
    assert all(any(name.startswith(room) for name in watched) for room in rooms)


@pytest.mark.parametrize(
    "line",
    [
        "import time",
        "from random import choice",
        "import os.path",
        "def f():\n    from pathlib import Path",
        "from projections.engine.tables import SqlStore",
        "from projections.engine import tables",
        "from datetime import datetime as d\nd.now()",
        "import datetime\ndatetime.date.today()",
        "open('x')",
        "def f():\n    global x\n    x = 1",
    ],
)
def test_what_is_impure_is_seen(line: str) -> None:
    assert list(impurities(ast.parse(line)))


# Inside projections, from the ground up. A room imports those below it.
FLOORS = ("engine", "rules", "readings", "judging", "practices", "gates")


def test_nobody_reaches_into_a_private_module_of_an_outside_package() -> None:
    for name, tree in TREES.items():
        for node in ast.walk(tree):
            modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                modules = [f"{node.module}.{alias.name}" for alias in node.names]
            for module in modules:
                package, *inside = module.split(".")
                private = [part for part in inside if part.startswith("_") and not part.startswith("__")]
                assert package in ROOMS or not private, f"{name}, line {node.lineno}: {module}"


def test_a_long_module_says_why() -> None:
    for name, path in SOURCES.items():
        if path.read_text().count("\n") > 300:
            assert re.search(r"\bLong(er)?\b", ast.get_docstring(TREES[name]) or ""), name


def test_inside_projections_imports_run_down() -> None:
    for name in SOURCES:
        if not name.startswith("projections/") or name.count("/") < 2:
            continue
        floor = FLOORS.index(name.split("/")[1])
        above = {f"projections.{room}" for room in FLOORS[floor + 1 :]} | {"projections"}
        for node in ast.walk(TREES[name]):
            if isinstance(node, ast.ImportFrom):
                assert ".".join((node.module or "").split(".")[:2]) not in above, f"{name}: line {node.lineno}"


def modules(name: str) -> Iterator[str]:
    """Yield the modules that a module imports, wherever in it, and what it takes from them."""
    for node in ast.walk(TREES[name]):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


DOORS = tuple(f"api.{room}." for room in ("http", "cli", "console", "app", "outbound"))
FRAMEWORKS = {"fastapi", "starlette", "uvicorn", "typer", "rich"}


def test_the_desk_knows_no_door() -> None:
    # What is answered, whoever asks: no HTTP, no command line, and nothing that is only for one of them.
    desk = [name for name in SOURCES if name.startswith("api/desk/")]
    assert len(desk) > 8
    assert [name for name in desk if FRAMEWORKS & set(imports(name))] == []
    assert [(name, m) for name in desk for m in modules(name) if f"{m}.".startswith(DOORS)] == []


def test_who_reads_outside_formats_knows_no_desk() -> None:
    """The desk has them read: the other way round would be a circle."""
    intake = [name for name in SOURCES if name.startswith("api/intake/")]
    assert len(intake) > 8
    assert [(name, m) for name in intake for m in modules(name) if f"{m}.".startswith((*DOORS, "api.desk."))] == []


def test_a_route_imports_no_other_route() -> None:
    routes = [name for name in SOURCES if name.startswith("api/http/routes/")]
    assert len(routes) > 10
    assert [(name, m) for name in routes for m in modules(name) if m.startswith("api.http.routes")] == []


def test_every_module_says_what_it_is() -> None:
    assert [name for name in SOURCES if not (ast.get_docstring(TREES[name]) or "").strip()] == []


def test_everything_is_caught_only_at_an_edge_and_with_a_reason() -> None:
    assert [f"{name}: {found}" for name in SOURCES for found in careless_handlers(name)] == []


def careless_handlers(name: str) -> Iterator[str]:
    """Yield where a module catches everything: without being an edge, or without a reason."""
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
        if name not in edges and not name.startswith(("api/", "scripts/")):
            yield f"line {node.lineno} is no edge"
        handler = "\n".join(lines[node.lineno - 1 : node.body[0].lineno - 1])
        if not re.search(r"#.*\w+ \w+", handler):
            yield f"no reason on line {node.lineno}"


# Under tests: what holds for everything, what tests are made with, what is kept, and what is told over several rooms.
BESIDE_THE_ROOMS = ("laws", "tools", "vectors", "golden", "story")
TESTS = [path.relative_to(ROOT) for path in sorted((ROOT / "tests").rglob("test_*.py"))]


def test_a_test_stands_in_the_room_of_what_it_tests() -> None:
    inside = [test for test in TESTS if test.parts[1] not in BESIDE_THE_ROOMS]
    assert len(inside) > 80
    assert [str(test) for test in inside if not ROOT.joinpath(*test.parts[1:-1]).is_dir()] == []
    # These two are nothing but rooms.
    assert [str(test) for test in inside if test.parent.name in ("api", "projections")] == []


def test_tests_share_through_tools_and_not_with_each_other() -> None:
    for test in TESTS:
        for node in ast.walk(ast.parse((ROOT / test).read_text(), str(test))):
            if isinstance(node, ast.ImportFrom):
                assert (node.module or "").partition(".")[0] != "tests", f"{test}: line {node.lineno}"

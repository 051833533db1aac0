"""Fixtures: real databases, real keys, and ledgers in them. PostgreSQL is never skipped: a private server is started."""

import gc
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from ledgers import create_ledger
from postgres import new_databases, postgres_server
from servers import Server, running_server
from views_processes import wait_for_views

from ledger.ledger import Ledger

# A busy machine fails no test: nothing here is measured. What a property does not say otherwise, it is tried so often.
settings.register_profile("each time", deadline=None, max_examples=30)
settings.register_profile("all", deadline=None, max_examples=300)

# Files that take longest come first: no process is left alone with one of them at the end.
LONGEST = (
    "test_howtos.py", "test_browser.py", "test_admitted.py", "test_runner.py", "test_crash.py", "test_cli.py", "test_views_process.py",
    "test_tutorial.py", "test_tampering.py", "test_clients.py", "test_year.py", "test_costs.py", "test_guarding.py", "test_limits.py",
    "test_filters.py", "test_keys.py", "test_append_only.py", "test_auditing.py", "test_processes.py", "test_checkpoints.py",
    "test_audit_files_long.py", "test_audit_files.py", "test_old_ledgers.py",
)  # fmt: skip
# Programs for other interpreters, which import what this one has not.
collect_ignore_glob = ["tools/clients/*"]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--all", action="store_true", help="run the long tests too")


def pytest_configure(config: pytest.Config) -> None:
    # Nothing that is imported or collected is garbage.
    gc.disable()
    settings.load_profile("all" if config.getoption("--all") else "each time")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    places = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path.name, len(places)))
    if not config.getoption("--all"):
        slow = pytest.mark.skip(reason="slow: runs with scripts/test --all")
        for item in items:
            if "slow" in item.keywords:
                item.add_marker(slow)


def pytest_collection_finish(session: pytest.Session) -> None:
    # What was imported stays until the end: no collection of garbage looks at it again, and every command ends with one.
    gc.collect()
    gc.freeze()
    # Rows, entries and answers are made by the thousand and few of them are garbage in a circle: looked for after every 700 objects, that
    # takes a fifth of all tests of views.
    gc.set_threshold(20_000, 10, 100)
    gc.enable()


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory that all processes of this run have in common, for `shared.made_once`."""
    mine = tmp_path_factory.getbasetemp()
    return mine.parent if "PYTEST_XDIST_WORKER" in os.environ else mine


@pytest.fixture(scope="session")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a PostgreSQL server's maintenance database, as its superuser."""
    with postgres_server(tmp_path_factory.mktemp("postgres")) as url:
        yield url


@pytest.fixture
def new_postgres(postgres_url: str) -> Iterator[Callable[[], str]]:
    """Make empty databases on the server; they are dropped afterwards."""
    with new_databases(postgres_url) as make:
        yield make


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database, on SQLite and on PostgreSQL."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'ledger.db'}"
    make: Callable[[], str] = request.getfixturevalue("new_postgres")
    return make()


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'ledger.db'}"


@pytest.fixture
def ledger(database_url: str) -> Iterator[Ledger]:
    """A ledger with its genesis entry, on SQLite and on PostgreSQL."""
    made = create_ledger(database_url)
    yield made
    made.close()


@pytest.fixture
def sqlite_ledger(sqlite_url: str) -> Iterator[Ledger]:
    made = create_ledger(sqlite_url)
    yield made
    made.close()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for the tests of HTTP: they append, and compare with how long the ledger was before."""
    with running_server(tmp_path_factory.mktemp("server") / "var") as running:
        # Until they are there for the first time, whoever asks a view is told to come again.
        wait_for_views(running)
        yield running


@pytest.fixture(scope="module")
def taking(server: Server) -> Iterator[Server]:
    """The server, at whose GitHub door the organisation acme is enrolled while a module's tests run."""
    wanted = {"source": "https://github.com/acme/*", "door": "github", "principal": "service:github"}
    # Whoever reviews there says so there: the host tells it as an authority for its logins.
    asked = wanted | {"authority_for": ["github:*"]}
    assert server.client().post("/v1/ledger/sources", json=asked).status_code == 201
    yield server
    retired = server.client().delete("/v1/ledger/sources", params={"source": wanted["source"], "door": "github"})
    assert retired.status_code == 200

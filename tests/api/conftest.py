"""One server for the tests of HTTP: they append, and compare with how long the ledger was before."""

from collections.abc import Iterator

import pytest
from servers import Server, running_server


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_server(tmp_path_factory.mktemp("server") / "var") as running:
        yield running


@pytest.fixture(scope="module")
def taking(server: Server) -> Iterator[Server]:
    """The server, at whose GitHub door the organisation acme is enrolled while a module's tests run."""
    wanted = {"source": "https://github.com/acme/*", "door": "github", "principal": "service:github"}
    assert server.client().post("/v1/ledger/sources", json=wanted).status_code == 201
    yield server
    retired = server.client().delete("/v1/ledger/sources", params={"source": wanted["source"], "door": "github"})
    assert retired.status_code == 200

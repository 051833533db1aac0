"""Clients that others' programs make from the description of the API, used: they post and read."""

import os
import re
import shutil
from pathlib import Path

import pytest
from client_makers import HERE, python_maker, run, typescript_maker
from servers import Server

from api.intake import FILES


@pytest.fixture(scope="module")
def description(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("description") / "openapi.json"
    path.write_bytes(server.get("/openapi.json", by="nobody").content)
    return path


def test_a_client_in_python_posts_and_reads(server: Server, description: Path, tmp_path: Path) -> None:
    environment = python_maker()
    # It formats what it made with its own ruff.
    path = {**os.environ, "PATH": f"{environment / 'bin'}:{os.environ['PATH']}", "PYTHONPATH": str(tmp_path)}
    made = ("--path", description, "--meta", "none", "--output-path", tmp_path / "ledger_client")
    said = run(environment / "bin/openapi-python-client", "generate", *made, env=path, cwd=tmp_path)
    # Three things it does not know: a body that is an array among others, lines of JSON, and files that are not JSON.
    left_out = {"POST /v1/events", "POST /v1/ledger/verify", "POST /v1/views/check"}
    left_out |= {
        f"POST {known.path}"
        for known in FILES.values()
        if not all(kind.endswith(("/json", "+json")) for kind in known.media_types)
    }
    assert set(re.findall(r"(?:WARNING|ERROR) parsing (\S+ \S+)", said)) == left_out
    assert "Unable to process schema" not in said
    script = HERE / "post_and_read.py"
    position = run(environment / "bin/python", script, server.url, server.tokens["all"], env=path, cwd=tmp_path)
    assert server.get(f"/v1/events/{int(position)}").status_code == 200


def test_a_client_in_typescript_compiles_strictly_posts_and_reads(
    server: Server, description: Path, tmp_path: Path
) -> None:
    tools = typescript_maker()
    (tmp_path / "node_modules").symlink_to(tools / "node_modules")
    shutil.copy(HERE / "package.json", tmp_path)
    shutil.copy(HERE / "post_and_read.ts", tmp_path)
    programs = tools / "node_modules/.bin"
    run(programs / "openapi-typescript", description, "--output", tmp_path / "schema.d.ts", cwd=tmp_path)
    strict = ("--strict", "--noUncheckedIndexedAccess", "--exactOptionalPropertyTypes", "--module", "nodenext")
    more = ("--target", "es2022", "--lib", "es2022,dom", "post_and_read.ts")
    run(programs / "tsc", *strict, *more, cwd=tmp_path)
    position = run("node", "post_and_read.js", server.url, server.tokens["all"], cwd=tmp_path)
    assert server.get(f"/v1/events/{int(position)}").status_code == 200

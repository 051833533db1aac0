"""All checks of schemathesis, with a token, one call following from another, find nothing in a bounded run."""

import subprocess
import sys
from pathlib import Path

import pytest
from servers import Server, event, running_server

CONFIG = Path(__file__).parents[2] / "tools" / "schemathesis.toml"
# The stream never ends; each verification is a process of its own; all views have the same routes, made by one function.
LEFT_OUT = r"/v1/events/stream|/v1/ledger/verify|/v1/views/(?!deployments|delivery).*"


def test_schemathesis_finds_nothing(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    is_long = request.config.getoption("--all")
    examples = ("--max-examples", "20") if is_long else ("--max-examples", "1", "--phases", "coverage,stateful")
    with running_server(tmp_path / "var") as server:
        _tell(server)
        command = [
            Path(sys.executable).with_name("schemathesis"), "--config-file", CONFIG, "run", f"{server.url}/openapi.json",
            "--header", f"Authorization: Bearer {server.tokens['all']}", "--checks", "all", *examples, "--seed", "1",
            "--exclude-path-regex", LEFT_OUT, "--suppress-health-check", "all", "--no-color",
        ]  # fmt: skip
        done = subprocess.run(
            [str(part) for part in command], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-2_000:]
        assert server.audit().verdict == "sound"


def _tell(server: Server) -> None:
    """Let there be something of each kind to ask about."""
    server.record(event("change.opened", title="A title"))
    server.record(event("deployment.started", actor="service:ci", deployment_id="d", service="s", environment="prod"))
    position = server.client().post("/v1/ledger/heads").json()["position"]
    server.wait_for_checkpoint(position)
    server.get("/v1/views/deployments", params={"min_position": position})

"""A practice over known nouns is one file and one line: made up in a copy of the program, it is served and judges."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

from servers import environment_for

ROOT = Path(__file__).parents[3]
PLAYBOOKS = '''"""7.1 Rollback playbooks: what is deployed says how it is undone."""

from typing import Final

from projections.engine.finding import Breach
from projections.engine.reads import Look
from projections.judging.findings import finding
from projections.practices.practice import Practice
from projections.readings.delivery.deployments import Deployment, deployments
from projections.readings.environments.environments import is_production

PRACTICE: Final = Practice("7.1", "Rollback playbooks", views=(deployments,))


@finding(deployments, severity="low")
def strategy_not_said(row: Deployment, look: Look) -> Breach | None:
    """A deployment to production did not say by which strategy."""
    if row.started_at is None or row.strategy is not None or not is_production(look, row.environment, row.started_at):
        return None
    return Breach(f"{row.deployment_id} did not say how it was deployed", row.positions)
'''
ASKING = """
from changes import deploy, found
from projections.practices.serving import capabilities
from telling import Story

story = Story()
deploy(story)
deploy(story, "d-2", strategy="canary")
assert found(story)["strategy-not-said"] == ["d-1"], found(story)
[served] = [practice for practice in capabilities() if practice.number == "7.1"]
assert (served.part, served.findings) == ("Rollback and incidents", ("strategy-not-said",)), served
"""


def test_a_made_up_practice_is_served_and_judges(tmp_path: Path) -> None:
    for room in ("signing", "ledger", "projections"):
        shutil.copytree(ROOT / room, tmp_path / room, ignore=shutil.ignore_patterns("__pycache__"))
    practices = tmp_path / "projections" / "practices"
    (practices / "recovery" / "playbooks.py").write_text(PLAYBOOKS)
    said = (practices / "__init__.py").read_text()
    said, imports = re.subn(r"(?m)^(from projections\.practices\.recovery import .*)$", r"\1, playbooks", said)
    said, lists = re.subn(r"(?m)^    incidents,$", "    playbooks,\n    incidents,", said)
    assert (imports, lists) == (1, 1), "expected one import of the module's practices, and one list of all"
    (practices / "__init__.py").write_text(said)
    environment = environment_for(tmp_path) | {"PYTHONPATH": f"{tmp_path}:{ROOT / 'tests' / 'tools'}"}
    done = subprocess.run(
        [sys.executable, "-c", ASKING], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr

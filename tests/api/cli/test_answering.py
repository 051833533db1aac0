"""`findings`: what was found is answered from a terminal, on a database and over HTTP, and how findings end is listed."""

import json
import uuid

from commands import Command
from servers import event

RULE = "deployment-without-change"


def found(door: Command) -> str:
    """Have somebody deploy without a change; return the finding."""
    name = f"answered-{uuid.uuid4().hex[:8]}"
    told = event("deployment.started", deployment_id=name, service="api", environment="prod", actor="service:ci")
    door.ok("append", "-", stdin=json.dumps(told).encode())
    return f"{RULE}/{name}"


def ended(door: Command) -> int:
    rows = {row["rule"]: row for row in door.ok("findings", "ends", "--json").json}
    answered: int = rows[RULE]["false_positive"]
    return answered


def test_findings_are_answered_of_what_they_say_and_how_they_end_is_listed(cli: Command) -> None:
    one, other = found(cli), found(cli)
    about = ("--reason", "a drill", "--actor", "person:nora")
    cli.refused("findings", "dispose", one, "--as", "nothing", *about, words="expected --as accepted")
    cli.refused("findings", "dispose", f"{RULE}/none", "--as", "accepted", *about, words=f"no row '{RULE}/none'")
    done = cli.ok("findings", "dispose", one, other, "--as", "false_positive", *about)
    assert "2 answered as false_positive" in done.out
    assert ended(cli) == 2
    assert "false positive share" in cli.ok("findings", "ends").out
    cli.refused("findings", "dispose", one, "--as", "accepted", *about, words="is not open")


def test_what_somebody_answers_in_anothers_name_is_recorded_and_does_not_count(remote: Command) -> None:
    one = found(remote)
    done = remote("findings", "dispose", one, "--as", "accepted", "--reason", "a drill", "--actor", "person:nora")
    assert done.status == 1
    assert "recorded, and does not count" in done.out
    assert "0 answered" in done.out

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


def test_findings_are_listed_with_what_came_of_them(cli: Command) -> None:
    one, name = (told := found(cli)), told.partition("/")[2]
    asked = ("findings", "list", "--rule", RULE, "--subject", name)
    (row,) = cli.ok(*asked, "--json").json["items"]
    assert (row["finding_id"], row["known_then"], row["justified_by"]) == (one, True, None)
    assert row["age_s"] < 3600
    words = cli.ok(*asked).out
    assert all(said in words for said in ("known then", "justified afterwards", "age in days"))
    answered = ("--as", "accepted", "--reason", "a drill", "--actor", "person:nora", "--until", "2999-01-01T00:00:00Z")
    cli.ok("findings", "dispose", one, *answered)
    assert cli.ok(*asked, "--json").json["items"] == []
    (row,) = cli.ok(*asked, "--all", "--json").json["items"]
    assert (row["disposition"], row["disposed_until"]) == ("accepted", "2999-01-01T00:00:00.000000Z")


def test_what_somebody_answers_in_anothers_name_is_recorded_and_does_not_count(remote: Command) -> None:
    one = found(remote)
    done = remote("findings", "dispose", one, "--as", "accepted", "--reason", "a drill", "--actor", "person:nora")
    assert done.status == 1
    assert "recorded, and does not count" in done.out
    assert "0 answered" in done.out

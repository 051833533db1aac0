"""`import`, `tool`: on a database and over HTTP, whichever door."""

import hashlib
import itertools
import json
import re
from pathlib import Path

from commands import Command
from servers import Server, event

numbers = itertools.count(1)


def test_an_import_is_opened_listed_and_closed(door: Command) -> None:
    made = door.ok("token", "create", "--principal", "service:migrator", "--role", "reporter").out
    [credential] = re.findall(r"token:[0-9a-f]{12}", made)
    name = f"acme/by-command-{next(numbers)}"
    words = ("--credential", credential, "--source", "https://old.example.com/*", "--reason", "migration")
    door.refused("import", "open", name, *words, "--until", "2999-01-01T00:00:00Z", words="has come")
    opened = door.ok("import", "open", name, *words, "--until", "2025-01-01T00:00:00Z").out
    door.refused("import", "open", name, *words, "--until", "2025-01-01T00:00:00Z", words="opened at position")
    closed = door.ok("import", "close", name).out
    [item] = [item for item in door.ok("import", "list", "--json").json if item["import_id"] == name]
    [*positions] = (int(position) for said in (opened, closed) for position in re.findall(r"position (\d+)", said))
    assert [item["opened_at"], item["closed_at"]] == positions
    assert (item["credential"], item["sources"]) == (credential, ["https://old.example.com/*"])
    assert name in door.ok("import", "list").out
    door.refused("import", "close", name, words="was closed")


def test_whoever_is_given_a_published_program_can_tell_that_it_is_this_one(door: Command, tmp_path: Path) -> None:
    program = tmp_path / "verify.html"
    program.write_text(f"<p>{next(numbers)}</p>")
    version, digest = f"1.0.{next(numbers)}", hashlib.sha256(program.read_bytes()).hexdigest()
    assert door("tool", "check", program).status == 1
    assert door.ok("tool", "publish", program, "--version", version).out.splitlines()[-1] == digest
    assert f"verify.html {version}" in door.ok("tool", "check", program).out
    [item] = door.ok("tool", "check", program, "--json").json
    assert (item["tool"], item["version"], item["sha256"]) == ("verify.html", version, digest)
    assert digest in door.ok("tool", "list").out
    program.write_text("something else")
    other = door("tool", "check", program)
    assert other.status == 1
    assert "was not published" in other.out
    door.refused("tool", "publish", program, "--version", version, words="was published at position")


def test_nobody_needs_a_token_to_check_a_program(bare: Command, server: Server, tmp_path: Path) -> None:
    program = tmp_path / "verify.html"
    program.write_text("never published")
    found = bare.at("--server", server.url)("tool", "check", program, "--json")
    assert (found.status, found.json) == (1, [])


def test_the_digest_of_a_scope_is_printed_before_anybody_records_it(bare: Command) -> None:
    about = {"change_id": "CHG-digest", "actor": "person:paul"}
    told = [event("change.opened", **about), event("change.submitted", **about)]
    lines = "\n".join(map(json.dumps, told)).encode()
    digest, named, key = bare.ok("digest", "-", stdin=lines).out.split()
    assert (named, key, len(digest)) == ("change.submitted", "CHG-digest", 71)
    refused = bare("digest", "-", stdin=json.dumps(event("freeze.lifted")).encode())
    assert refused.status != 0
    assert "expected one of change.opened" in refused.err

"""`token`, `trust-rule`, `source`: on a database and over HTTP, whichever door."""

import re

import pytest
from commands import Command

ISSUER = "https://token.actions.githubusercontent.com"
RULE = (
    "trust-rule", "enrol", ISSUER, "--audience", "https://ledger.example.com", "--role", "reporter",
    "--require", "repository_id=70107786", "--require", "ref=refs/heads/main", "--require", "ref=refs/tags/v*",
)  # fmt: skip

# -- token -------------------------------------------------------------------------------------------------------------


def test_a_token_is_shown_once_and_listed_without_itself(door: Command) -> None:
    made = door.ok("token", "create", "--principal", "service:payments-ci", "--role", "reporter", "--role", "auditor")
    [token] = re.findall(r"clt_[0-9a-f]{64}", made.out)
    [credential] = re.findall(r"token:[0-9a-f]{12}", made.out)
    assert "not shown again" in made.err
    listed = door.ok("token", "list", "--json")
    [item] = [item for item in listed.json if item["credential"] == credential]
    assert (item["principal"], item["kind"]) == ("service:payments-ci", "service")
    assert item["roles"] == ["auditor", "reporter"]
    assert item["revoked_at"] is None
    assert token not in listed.out
    assert credential in door.ok("token", "list").out


def test_a_quiet_token_is_printed_alone(door: Command) -> None:
    made = door.ok("token", "create", "--principal", "person:alice", "--role", "analyst", "--kind", "human", "-q")
    assert re.fullmatch(r"clt_[0-9a-f]{64}\n", made.out)


def test_areas_sources_and_expiry_of_a_token_are_kept(door: Command) -> None:
    door.ok("token", "create", "--principal", "service:narrow", "--role", "reporter", "--area", "deployment",
            "--source", "https://ci.example.com/*", "--expires-at", "2999-01-01T00:00:00Z")  # fmt: skip
    item = door.ok("token", "list", "--json").json[-1]
    assert (item["areas"], item["sources"]) == (["deployment"], ["https://ci.example.com/*"])


def test_a_token_and_a_source_are_given_single_event_types(door: Command) -> None:
    door.ok("token", "create", "--principal", "service:approvals", "--role", "reporter", "--type", "approval.granted",
            "--type", "approval.rejected")  # fmt: skip
    item = door.ok("token", "list", "--json").json[-1]
    assert (item["areas"], item["types"], item["issuer"]) == ([], ["approval.granted", "approval.rejected"], None)
    door.ok("source", "enrol", "events", "https://hr.example.com/*", "--type", "access.granted")
    door.refused("token", "create", "--principal", "service:x", "--role", "reporter", "--type", "approval.grantd",
                 words="approval.granted")  # fmt: skip


def test_a_revoked_token_is_listed_with_the_position_that_revoked_it(door: Command) -> None:
    made = door.ok("token", "create", "--principal", "service:leaky", "--role", "reporter")
    [credential] = re.findall(r"token:[0-9a-f]{12}", made.out)
    revoked = door.ok("token", "revoke", credential, "--reason", "leaked", "--from-position", "2")
    [position] = re.findall(r"position (\d+)", revoked.out)
    [item] = [i for i in door.ok("token", "list", "--json").json if i["credential"] == credential]
    assert item["revoked_at"] == int(position)


@pytest.mark.parametrize(
    "words",
    [
        ["create", "--principal", "service:x", "--role", "king"],
        ["create", "--principal", "nobody", "--role", "reporter"],
        ["create", "--principal", "service:x", "--role", "reporter", "--expires-at", "tomorrow"],
        ["create", "--principal", "service:x", "--role", "reporter", "--kind", "robot"],
        ["revoke", "token:000000000000"],
    ],
)
def test_what_cannot_be_done_with_a_token_is_said_in_one_line(door: Command, words: list[str]) -> None:
    door.refused("token", *words)


# -- trust rule --------------------------------------------------------------------------------------------------------


def test_a_trust_rule_is_listed_with_what_it_asks_and_ended_as_a_credential(door: Command) -> None:
    made = door.ok(*RULE, "--record", "run_id", "--principal", "service:payments-ci", "--area", "deployment").out
    [credential] = re.findall(r"oidc:[0-9a-f]{12}", made)
    [item] = [item for item in door.ok("trust-rule", "list", "--json").json if item["credential"] == credential]
    assert (item["issuer"], item["principal"], item["areas"]) == (ISSUER, "service:payments-ci", ["deployment"])
    assert item["required"] == [
        {"claim": "ref", "one_of": ["refs/heads/main", "refs/tags/v*"]},
        {"claim": "repository_id", "one_of": ["70107786"]},
    ]
    assert (item["recorded"], item["principal_from"]) == (["run_id"], None)
    assert "ref=refs/heads/main|refs/tags/v*" in door.ok("trust-rule", "list").out
    [position] = re.findall(r"position (\d+)", door.ok("token", "revoke", credential).out)
    [item] = [item for item in door.ok("trust-rule", "list", "--json").json if item["credential"] == credential]
    assert item["revoked_at"] == int(position)


def test_a_trust_rule_takes_its_principal_from_a_claim(door: Command) -> None:
    door.ok(*RULE, "--principal-from", "service:repository_id", "--kind", "service")
    item = door.ok("trust-rule", "list", "--json").json[-1]
    assert item["principal_from"] == {"kind": "service", "claim": "repository_id"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "both or neither"),
        (("--principal-from", "sub"), "KIND:CLAIM"),
        (("--principal-from", "service:sub"), "the claim sub"),
        (("--principal", "service:x", "--require", "ref"), "CLAIM=VALUE"),
        (("--principal", "nobody"), "identity"),
    ],
)
def test_a_trust_rule_that_cannot_be_is_said_in_one_line(door: Command, words: tuple[str, ...], said: str) -> None:
    door.refused(*RULE, *words, words=said)


# -- source ------------------------------------------------------------------------------------------------------------


def test_a_source_is_enrolled_and_a_webhook_secret_proposed(door: Command) -> None:
    done = door.ok("source", "enrol", "github", "https://github.com/acme/*", "--authority-for", "github:*")
    [secret] = re.findall(r"CHANGE_LEDGER_GITHUB_SECRET=([0-9a-f]{64})", done.out)
    assert len(set(secret)) > 4
    [position] = re.findall(r"position (\d+)", done.out)
    data = door.ok("show", position, "--json").json["entry"]["statement"]["data"]
    assert (data["source"], data["authority_for"]) == ("https://github.com/acme/*", ["github:*"])
    door.refused("source", "enrol", "gitlab", "https://gitlab.com/acme/*")
    door.ok("source", "retire", "github", "https://github.com/acme/*")


def test_a_source_is_listed_until_when_it_is_accepted(door: Command) -> None:
    source = "https://ci.example.com/listed/*"
    door.ok("source", "enrol", "events", source, "--must-sign")
    [position] = re.findall(r"position (\d+)", door.ok("source", "retire", "events", source).out)
    [item] = [item for item in door.ok("source", "list", "--json").json if item["source"] == source]
    assert (item["door"], item["must_sign"], item["retired_at"]) == ("events", True, int(position))
    assert source in door.ok("source", "list").out
    door.refused("source", "retire", "events", source, words="no source")

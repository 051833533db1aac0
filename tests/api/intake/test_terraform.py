"""Plans of Terraform and OpenTofu: what each would do to which resource, and no value of anything.

The plans are made up here, in the shapes that versions from 0.12 to 1.14 and OpenTofu print.
"""

import hashlib
import json
from typing import Any

import pytest
from files import facts_of, is_taken, mutations, odd_documents

from api.intake.terraform import FORMAT
from api.intake.terraform_modules import commit_of, module_of
from api.intake.translation import Fact, ForeignError, Mapped, Unmapped
from ledger.events.iac import fingerprint_of_tag

SAID = {"environment": "prod", "run": "4711"}


def change(address: str, *actions: str, **more: Any) -> dict[str, Any]:
    importing = {"importing": more.pop("importing")} if "importing" in more else {}
    values = {"before": {"password": "s3cret"}, "after": {"password": "s3cret"}, "after_sensitive": {"password": True}}
    return {"address": address, "mode": "managed", "change": {"actions": list(actions), **values, **importing}} | more


def plan(*changes: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"format_version": "1.2", "planned_values": {"x": "s3cret"}, "resource_changes": list(changes)} | more


def data_of(document: dict[str, Any], **said: str) -> dict[str, Any]:
    [fact] = facts_of(FORMAT, json.dumps(document), SAID | said)
    assert (fact.type, fact.left_out) == ("iac.plan_produced", ())
    return fact.data


# What a change is like, the change, what is to become of the resource, and what it counts as.
CHANGES: list[tuple[str, dict[str, Any], str | None, dict[str, int]]] = [
    ("create", change("a.b", "create"), "create", {"creates": 1}),
    ("update", change("a.b", "update"), "update", {"updates": 1}),
    ("delete", change("a.b", "delete", action_reason="delete_because_no_resource_config"), "delete", {"destroys": 1}),
    ("replace", change("a.b", "delete", "create"), "replace", {"creates": 1, "destroys": 1, "replaces": 1}),
    ("replace, new one first", change("a.b", "create", "delete"), "replace", {"creates": 1, "destroys": 1, "replaces": 1}),
    ("forget", change("a.b", "forget"), "forget", {"forgets": 1}),
    ("open", change("ephemeral.a.b", "open"), "read", {}),
    ("read", change("data.a.b", "read", mode="data"), "read", {}),
    ("nothing", change("a.b", "no-op"), None, {}),
    ("nothing, with a reason for show", change("a.b", "no-op", action_reason="delete_because_no_resource_config"), None, {}),
    ("an import that hides in nothing", change("a.b", "no-op", importing={"id": "s3cret"}), "import", {"imports": 1}),
    ("a move", change("a.b", "no-op", previous_address="a.c"), "move", {}),
    ("what nobody knows, that deletes", change("a.b", "delete", "shrug"), "delete", {"destroys": 1}),
    ("what nobody knows", change("a.b", "shrug"), "update", {"updates": 1}),
]  # fmt: skip


@pytest.mark.parametrize(("made", "action", "counts"), [pytest.param(*row[1:], id=row[0]) for row in CHANGES])
def test_a_change_is_what_its_actions_say(made: dict[str, Any], action: str | None, counts: dict[str, int]) -> None:
    data = data_of(plan(made))
    assert [one["action"] for one in data.get("changes", [])] == ([action] if action else [])
    names = ("creates", "updates", "destroys", "replaces", "forgets", "imports")
    assert {name: data[name] for name in names if data[name]} == counts


def test_addresses_are_whole_whatever_is_in_them() -> None:
    keyed = 'module.sg["a.b"].aws_route53_zone.example["x"]'
    data = data_of(plan(change(keyed, "create"), change("a.b", "update"), change("a.b", "delete", deposed="1f2e3d4c")))
    assert [one["address"] for one in data["changes"]] == [
        "a.b",
        "a.b%20deposed",
        "module.sg%5B%22a.b%22%5D.aws_route53_zone.example%5B%22x%22%5D",
    ]
    assert (data["updates"], data["destroys"]) == (1, 1)


def test_drift_is_what_changed_outside_and_not_what_will_be_done() -> None:
    drift = [change("a.gone", "delete"), change("a.kept", "update"), change("a.silent", "update")]
    data = data_of(plan(change("a.gone", "create"), change("a.kept", "no-op"), resource_drift=drift))
    assert (data["drifted"], data["creates"], data["destroys"], data["updates"]) == (3, 1, 0, 0)
    assert data["changes"] == [
        {"address": "a.gone", "action": "create", "drifted": True, "tagged": "none"},
        {"address": "a.kept", "drifted": True},
        {"address": "a.silent", "drifted": True},
    ]


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, {}),
        ({"complete": True, "errored": False}, {"complete": True, "errored": False}),
        ({"complete": False}, {"complete": False}),
        ({"errored": True}, {"errored": True}),
        ({"errored": "yes"}, {}),
        ({"terraform_version": "1.14.9"}, {"tool_version": "1.14.9"}),
        ({"checks": [{"status": "pass"}, {"status": "fail"}, {"status": "error"}]}, {"failed_checks": 2}),
        ({"format_version": "0.1"}, {"format_version": "0.1"}),
        ({"format_version": "2.0"}, {"format_version": "2.0"}),
    ],
)
def test_a_plan_says_what_it_says_of_itself_and_nothing_else(more: dict[str, Any], expected: dict[str, Any]) -> None:
    data = data_of(plan(**more))
    said = {
        name: data[name]
        for name in ("complete", "errored", "tool_version", "failed_checks", "format_version")
        if name in data
    }
    assert said == {"failed_checks": 0, "format_version": "1.2"} | expected


def test_the_plan_is_named_by_the_digest_of_the_file_as_it_came() -> None:
    text = json.dumps(plan(), indent=1)
    [fact] = facts_of(FORMAT, text, SAID)
    assert fact.data["plan"] == f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
    assert (fact.data["environment"], fact.data["run_id"], fact.time) == ("prod", "4711", "")
    [fact] = facts_of(FORMAT, json.dumps(plan(timestamp="2024-10-25T21:40:20Z")), SAID)
    assert fact.time == "2024-10-25T21:40:20Z"


def test_a_plan_that_changes_nothing_is_one_though_it_names_no_changes() -> None:
    [fact] = facts_of(FORMAT, json.dumps({"format_version": "1.2", "planned_values": {}, "variables": {"x": 1}}), SAID)
    assert [fact.data[name] for name in ("creates", "updates", "destroys", "parts")] == [0, 0, 0, 0]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "not-json"),
        (b"Terraform will perform\n{}", "not-json"),
        (b"{}", "not-a-plan"),
        (b'{"format_version": "1.0"}', "not-a-plan"),
        (b'{"format_version": 1, "planned_values": {}}', "not-a-plan"),
        (b'{"planned_values": {}, "resource_changes": []}', "not-a-plan"),
        (b'{"format_version": "1.0", "terraform_version": "0.14.0", "values": {"root_module": {}}}', "a-state-and-no-plan"),
        (b'{"format_version": "1.0", "format_version": "1.0", "planned_values": {}}', "key-twice"),
    ],
)  # fmt: skip
def test_what_is_no_plan_is_no_empty_one(body: bytes, reason: str) -> None:
    assert FORMAT.redactor is not None
    with pytest.raises(ForeignError, match=reason):
        FORMAT.redactor.cut(body)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_plan_is_read_as_a_shell_wrote_it(encoding: str) -> None:
    [fact] = facts_of(FORMAT, json.dumps(plan(change("a.é", "create"))).encode(encoding), SAID)
    assert fact.data["changes"] == [{"address": "a.%C3%A9", "action": "create", "tagged": "none"}]


def has(*tags: tuple[str, str]) -> list[str]:
    return [fingerprint_of_tag(*tag) for tag in tags]


OWNER, TEAM = ("owner", "s3cret"), ("team", "Team%20S3cret")
# What the values after it say, and which are known later or sensitive; the keys of tags that are told, and whether these are all.
TAGS: list[tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = [
    ({"tags": {"owner": "s3cret", "blank": " "}, "tags_all": {"owner": "s3cret", "team": "Team S3cret"}}, {},
     {"tagged": "all", "tags": ["owner", "team"], "values": has(OWNER, TEAM)}),
    ({"tags": {"owner": "s3cret"}}, {"tags": {"id": True}, "tags_all": True},
     {"tagged": "some", "tags": ["owner", "id"], "values": has(OWNER)}),
    ({"tags": None}, {}, {"tagged": "all"}),
    ({"labels": {"owner": "s3cret"}}, {}, {"tagged": "all", "tags": ["owner"], "values": has(OWNER)}),
    ({"tags": {"owner": "s3cret"}}, {"sensitive": {"tags": True}}, {"tagged": "some"}),
    ({"tags": {"owner": "s3cret", "team": "Team S3cret"}}, {"sensitive": {"tags": {"owner": True}}},
     {"tagged": "all", "tags": ["team", "owner"], "values": has(TEAM)}),
    # Nobody knows which of two it will be.
    ({"tags": {"owner": "s3cret"}, "tags_all": {"owner": "another"}}, {}, {"tagged": "all", "tags": ["owner"]}),
    ({"tags": {"owner": "s3cret", "s\u00e9cret": "x"}}, {}, {"tagged": "some", "tags": ["owner"], "values": has(OWNER)}),
    ({"tags": ["http-server"]}, {}, {"tagged": "none"}),
    ({"policy": "s3cret"}, {}, {"tagged": "none"}),
]  # fmt: skip


@pytest.mark.parametrize(("after", "unknown", "expected"), TAGS)
def test_of_the_tags_of_what_is_created_the_keys_are_told(
    after: dict[str, Any], unknown: dict[str, Any], expected: dict[str, Any]
) -> None:
    made, sensitive = change("a.b", "create"), unknown.pop("sensitive", {})
    made["change"] |= {"after": after, "after_unknown": unknown, "after_sensitive": sensitive}
    data = data_of(plan(made))
    assert data["changes"] == [{"address": "a.b", "action": "create"} | expected]
    assert "s3cret" not in json.dumps(data).lower()
    # Of what is there already nothing is told.
    made["change"]["actions"] = ["update"]
    assert data_of(plan(made))["changes"] == [{"address": "a.b", "action": "update"}]


def test_no_value_of_a_plan_is_kept() -> None:
    whole = plan(
        change("a.b", "update", action_reason="s3cret"), variables={"x": {"value": "s3cret"}},
        prior_state={"values": "s3cret"}, output_changes={"x": {"after": "s3cret"}},
        configuration={"provider_config": {"aws": {"expressions": {"secret_key": {"constant_value": "s3cret"}}}}},
        relevant_attributes=["s3cret"], resource_drift=[change("a.c", "update")], s3cret="s3cret",
        checks=[{"status": "fail", "instances": [{"problems": [{"message": "s3cret"}]}]}],
    )  # fmt: skip
    assert FORMAT.redactor is not None
    kept = FORMAT.redactor.cut(json.dumps(whole).encode())
    assert b"s3cret" not in kept
    assert "s3cret" not in json.dumps(data_of(whole))


STATE = {"version": 4, "terraform_version": "1.9.5", "serial": 7, "lineage": "3f1c", "outputs": {"x": {"value": "s3cret"}},
    "resources": [{"instances": [{"attributes": {"password": "s3cret"}}]}]}  # fmt: skip


def test_a_state_is_which_it_is_and_how_often_it_was_written_and_nothing_of_what_it_holds() -> None:
    body = json.dumps(STATE)
    assert FORMAT.redactor is not None
    assert b"s3cret" not in FORMAT.redactor.cut(body.encode())
    [fact] = facts_of(FORMAT, body, SAID | {"workspace": "payments"})
    assert (fact.type, fact.time) == ("state.observed", "")
    digest = f"sha256:{hashlib.sha256(body.encode()).hexdigest()}"
    assert fact.data == {"environment": "prod", "workspace": "payments", "state_digest": digest, "serial": 7,
        "lineage": "3f1c", "tool_version": "1.9.5", "resources": 1}  # fmt: skip


@pytest.mark.parametrize(
    "more", [{"serial": "7"}, {"serial": -1}, {"serial": True}, {"serial": 2**60}, {"lineage": ""}]
)
def test_a_state_that_does_not_count_its_writings_is_none(more: dict[str, Any]) -> None:
    assert FORMAT.redactor is not None
    with pytest.raises(ForeignError, match="not-a-state"):
        FORMAT.redactor.cut(json.dumps(STATE | more).encode())


def test_a_state_of_no_environment_is_not_understood() -> None:
    assert FORMAT.redactor is not None
    body = json.dumps(STATE).encode()
    found = FORMAT.translate(FORMAT.context({}).beside(body), FORMAT.redactor.cut(body))
    assert found == Unmapped("terraform", "field/data/environment", "/intake/terraform")


def test_many_changes_are_a_summary_and_parts() -> None:
    summary, *parts = facts_of(FORMAT, json.dumps(plan(*(change(f"a.b[{n}]", "create") for n in range(1500)))), SAID)
    assert (summary.data["creates"], summary.data["parts"], "changes" in summary.data) == (1500, len(parts), False)
    assert {fact.data["plan"] for fact in parts} == {summary.data["plan"]}
    assert len({one["address"] for fact in parts for one in fact.data["changes"]}) == 1500


# -- modules ---------------------------------------------------------------------------------------------------------------

# How a source is written, under which name the module is known, and which version the source says.
SOURCES = [
    ("terraform-aws-modules/vpc/aws", "terraform-aws-modules/vpc/aws", ""),
    ("terraform-aws-modules/vpc/aws//modules/endpoints", "terraform-aws-modules/vpc/aws", ""),
    ("registry.terraform.io/acme/vpc/aws", "acme/vpc/aws", ""),
    ("registry.opentofu.org/acme/vpc/aws", "acme/vpc/aws", ""),
    ("app.terraform.io/acme/vpc/aws", "app.terraform.io/acme/vpc/aws", ""),
    ("git::https://x:s3cret@github.com/acme/vpc.git//net?ref=v1.2.0&sshkey=s3cret", "git:github.com/acme/vpc", "1.2.0"),
    ("git::ssh://git@github.com/acme/vpc.git?ref=main", "git:github.com/acme/vpc", ""),
    ("git@github.com:acme/vpc.git?ref=v2.0.0", "git:github.com/acme/vpc", "2.0.0"),
    ("github.com/acme/vpc?ref=1.0.0-rc.1", "git:github.com/acme/vpc", "1.0.0-rc.1"),
    ("git::http://example.com/vpc.git", "git:http://example.com/vpc", ""),
    ("https://example.com/vpc.zip?archive=zip&token=s3cret", "https://example.com/vpc.zip", ""),
    ("s3::https://s3.example.com/bucket/vpc.zip", "s3::https://s3.example.com/bucket/vpc.zip", ""),
    ("oci://registry.example.com/vpc", "oci://registry.example.com/vpc", ""),
    ("./modules/vpc", "", ""),
    ("../vpc", "", ""),
]


@pytest.mark.parametrize(("source", "name", "version"), SOURCES)
def test_a_module_has_one_name_however_its_source_is_written(source: str, name: str, version: str) -> None:
    assert module_of(source) == (name, version)


@pytest.mark.parametrize(
    ("source", "commit"),
    [
        (
            "git::https://example.com/vpc.git?ref=51d462976d84fdea54b47d80dcabbf680badcdb8",
            "51d462976d84fdea54b47d80dcabbf680badcdb8",
        ),
        (
            "github.com/acme/vpc//net?depth=1&ref=51D462976D84FDEA54B47D80DCABBF680BADCDB8",
            "51d462976d84fdea54b47d80dcabbf680badcdb8",
        ),
        (f"git@example.com:vpc.git?ref={'a' * 64}", "a" * 64),
        # A part of a commit may come to be another's, a branch may lead elsewhere, and a ZIP has no commit.
        ("git::https://example.com/vpc.git?ref=51d4629", ""),
        ("git::https://example.com/vpc.git?ref=main", ""),
        ("git::https://example.com/vpc.git", ""),
        (f"https://example.com/vpc.zip?ref={'a' * 40}", ""),
    ],
)
def test_the_source_of_a_git_module_names_a_commit_whole_or_none(source: str, commit: str) -> None:
    assert commit_of(source, module_of(source)[0]) == commit


def configured(**calls: dict[str, Any]) -> dict[str, Any]:
    constant = {"expressions": {"secret": {"constant_value": "s3cret"}}}
    return {
        "root_module": {
            "module_calls": {name: constant | call for name, call in calls.items()},
            "variables": {"x": "s3cret"},
        }
    }


def uses_of(configuration: Any) -> list[Fact]:
    made, *told = facts_of(FORMAT, json.dumps(plan(configuration=configuration)), SAID)
    assert (made.type, {fact.type for fact in told} <= {"module.used"}) == ("iac.plan_produced", True)
    assert all(fact.data["plan"] == made.data["plan"] for fact in told)
    return told


def test_a_plan_says_which_modules_it_uses_and_which_versions_it_admits() -> None:
    inner = {
        "module_calls": {"b": {"source": "acme/b/aws", "version_constraint": "~> 2.0"}, "own": {"source": "../own"}}
    }
    [told] = uses_of(
        configured(
            a={"source": "acme/a/aws", "version_constraint": ">= 1.0, < 2.0", "module": inner},
            again={"source": "acme/a/aws//sub", "version_constraint": ">= 1.0, < 2.0"},
            git={"source": "git::https://s3cret@github.com/acme/c?ref=v1.2.0"},
            pinned={"source": f"git::https://github.com/acme/e?ref={'a' * 40}"},
            odd={"source": "acme/d/aws", "version_constraint": "s3cret é"},
            none={"source": 3},
        )
    )
    assert told.data["uses"] == [
        {"module": "acme/a/aws", "constraint": ">= 1.0, < 2.0"},
        {"module": "acme/b/aws", "constraint": "~> 2.0"},
        {"module": "acme/d/aws"},
        {"module": "git:github.com/acme/c", "version": "1.2.0"},
        {"module": "git:github.com/acme/e", "commit": "a" * 40},
    ]
    assert (told.data["part"], told.data["parts"], told.data["environment"]) == (1, 1, "prod")


def test_a_plan_without_modules_says_so_and_one_without_its_configuration_does_not() -> None:
    [told] = uses_of(configured())
    assert (told.data["uses"], told.data["parts"]) == ([], 1)
    for configuration in (None, {}, {"root_module": []}, {"provider_config": {"aws": {}}}):
        assert uses_of(configuration) == []


def test_many_modules_are_told_in_parts_and_nothing_of_a_configuration_is_kept_but_where_they_come_from() -> None:
    calls = {
        f"m{n}": {"source": f"git::https://s3cret@example.com/acme/m{n}.git?ref=v1.0.0&x=s3cret"} for n in range(500)
    }
    told = uses_of(configured(**calls))
    assert [(fact.data["part"], fact.data["parts"]) for fact in told] == [
        (n, len(told)) for n in range(1, len(told) + 1)
    ]
    assert len({use["module"] for fact in told for use in fact.data["uses"]}) == 500
    assert FORMAT.redactor is not None
    assert b"s3cret" not in FORMAT.redactor.cut(json.dumps(plan(configuration=configured(**calls))).encode())


def test_no_mutation_of_a_plan_is_worse_than_not_understood() -> None:
    assert FORMAT.redactor is not None
    calls = configured(a={"source": "git::https://x@example.com/a.git//b?ref=v1.0.0", "version_constraint": "~> 1.2"})
    more = {"resource_drift": [change("a.c", "update")], "checks": [{}], "configuration": calls}
    body = json.dumps(plan(change("a.b", "delete", "create"), **more)).encode()
    for changed in mutations(body, 400):
        try:
            kept = FORMAT.redactor.cut(changed)
        except ForeignError:
            continue
        found = FORMAT.translate(FORMAT.context(SAID).beside(changed), kept)
        assert isinstance(found, Mapped | Unmapped)
        assert not isinstance(found, Mapped) or all(isinstance(fact, Fact) for fact in found.facts)


def test_no_odd_part_of_a_plan_is_worse_than_not_understood() -> None:
    moved = change("a.b", "delete", "create") | {"previous_address": "a.z", "deposed": "00"}
    whole = plan(
        moved, resource_drift=[change("a.c", "update")], checks=[{"status": "fail"}], terraform_version="1.9.0"
    )
    taken = [is_taken(FORMAT, json.dumps(odd).encode(), SAID) for odd in odd_documents(whole)]
    assert any(taken)


def test_providers_are_told_by_one_name_with_all_that_is_asked_of_them() -> None:
    configured = {
        "aws": {"name": "aws", "full_name": "registry.terraform.io/hashicorp/aws", "version_constraint": "~> 5.0", "expressions":
                {"secret_key": {"constant_value": "s3cret"}}},
        "module.a:aws": {"full_name": "registry.terraform.io/hashicorp/aws", "version_constraint": ">= 5.10, ~> 5.0"},
        "tofu": {"full_name": "registry.opentofu.org/hashicorp/random"},
        "own": {"full_name": "registry.example.com/acme/own", "version_constraint": "(none)"},
        "old": {"name": "null", "version_constraint": "~> 2.0"},
    }  # fmt: skip
    plan = {
        "format_version": "1.2",
        "planned_values": {},
        "configuration": {"root_module": {}, "provider_config": configured},
    }
    assert FORMAT.redactor is not None
    assert b"s3cret" not in FORMAT.redactor.cut(json.dumps(plan).encode())
    *_, told = facts_of(FORMAT, json.dumps(plan), {"environment": "prod", "workspace": "blue"})
    assert (told.type, told.data["environment"], told.data["workspace"]) == ("provider.used", "prod", "blue")
    assert told.data["uses"] == [
        {"provider": "hashicorp/aws", "constraint": ">= 5.10, ~> 5.0"},
        {"provider": "hashicorp/random"},
        {"provider": "registry.example.com/acme/own"},
    ]

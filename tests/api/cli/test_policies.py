"""`policy`: on a database and over HTTP, whichever door; and files of policies, whoever reads them."""

import itertools
from pathlib import Path

import pytest
from commands import Command

from api.cli.policy_files import STARTING, policy_of, read_policy, starting_policy
from api.desk.policies import PolicyText, read_alone
from ledger.errors import SetupError

numbers = itertools.count(1)
HEAD = 'version = "1"\n[settings]\n'


def written(tmp_path: Path, settings: str, version: str = "1", policy: str = "change-approval") -> Path:
    path = tmp_path / f"policy-{next(numbers)}.toml"
    path.write_text(f'policy = "{policy}"\nversion = "{version}"\n[settings]\n{settings}\n')
    return path


def test_a_file_says_values_and_for_whom() -> None:
    text = 'version = "2"\neffective_from = 2026-03-01T00:00:00Z\n[settings]\nquorum = { high = 2, any = 1 }\nbands = ["a", "b"]\n'
    told = policy_of(text, "p.toml")
    assert (told["version"], told["effective_from"]) == ("2", "2026-03-01T00:00:00Z")
    assert [tuple(setting.values()) for setting in told["settings"]] == [
        ("quorum", "high", "2"), ("quorum", "any", "1"), ("bands", "any", "a"), ("bands", "any", "b"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("version = ", "p.toml: expected TOML"),
        ("[settings]\nquorum = 1", "p.toml: expected version"),
        ('version = "1"', "p.toml: expected settings"),
        ('version = "1"\nsettings = 3', "to be a table"),
        ('version = "1"\nquorum = 1\n[settings]', "found quorum"),
        (HEAD + "quorum = 1.5", "p.toml: quorum: expected a text or a whole number, found 1.5"),
        (HEAD + "quorum = { high = true }", "p.toml: quorum (high): expected"),
        (HEAD + "quorum = " + "9" * 5000, "p.toml: expected TOML"),
        (HEAD + "quorum = 0x" + "f" * 9000, "p.toml: quorum: expected a whole number of at most 64 bits"),
        (HEAD + "quorum = " + "[" * 3000 + "]" * 3000, "p.toml: expected TOML"),
        (HEAD + "quorum = " + "{a=" * 3000 + "1" + "}" * 3000, "p.toml: expected TOML"),
        (HEAD + "a." * 100_000 + "b = 1", "p.toml: expected at most 256 dots in a line"),
        ("effective_from = 9999-12-31T23:59:59-23:59\n" + HEAD, "expected a time in the years 1 to 9999 of UTC"),
        ("effective_from = 0001-01-01T00:00:00+14:00\n" + HEAD, "expected a time in the years 1 to 9999 of UTC"),
    ],
)
def test_a_file_that_is_no_policy_is_refused_with_its_place(text: str, words: str) -> None:
    with pytest.raises(SetupError) as refused:
        policy_of(text, "p.toml")
    assert words in str(refused.value)


def test_a_file_without_end_is_not_read() -> None:
    with pytest.raises(OSError, match="expected at most"):
        read_policy(Path("/dev/zero"))


@pytest.mark.parametrize("name", STARTING)
def test_nothing_is_wrong_with_a_policy_to_begin_with(name: str) -> None:
    wanted = PolicyText.model_validate(policy_of(starting_policy(name), name))
    assert read_alone(wanted)["faults"] == []


def test_the_order_of_settings_makes_no_other_policy_and_the_order_of_values_does() -> None:
    one, other, turned = (
        PolicyText.model_validate(policy_of(HEAD + settings, "p")).digest
        for settings in (
            'quorum = 1\nbands = ["a", "b"]',
            'bands = ["a", "b"]\nquorum = 1',
            'quorum = 1\nbands = ["b", "a"]',
        )
    )
    assert one == other != turned


def test_what_means_nothing_and_what_nobody_can_give_is_said(door: Command, tmp_path: Path) -> None:
    path = written(tmp_path, 'quorum = [1, 2]\nallow-minutes = { prod = 5 }\nchange = "never"\ncolour = "red"')
    alone = door("policy", "check", path, "--alone")
    assert alone.status == 1
    assert "colour: nothing reads it" in alone.out
    found = door("policy", "check", path, "--json")
    assert found.status == 1
    assert found.json["faults"] == [
        "quorum: expected one value, found several",
        "allow-minutes (prod): it holds for all; expected any",
        "change: never is not one of required, not-required",
        "colour: nothing reads it",
    ]
    nobody = door("policy", "check", written(tmp_path, 'required-role = "nobody-has-it"'))
    assert nobody.status == 1
    assert "asks for 1 of nobody-has-it (any): none for anybody" in nobody.out
    door.refused("policy", "publish", path, "--actor", "person:olga", words="colour: nothing reads it")


def test_a_file_is_published_and_in_force_when_another_operator_approved_it(door: Command, tmp_path: Path) -> None:
    name = f"by-command-{next(numbers)}"
    path = written(tmp_path, "quorum = 1", policy=name)
    # Over HTTP whoever writes it has a token of their own; and who there is to approve, depends on what others recorded there.
    author = "person:olga" if "--directory" in door.options else "service:all"
    checked = door("policy", "check", path)
    assert "nothing is wrong" in checked.out or (author == "service:all" and "not enough but" in checked.out), checked
    assert "published" in door.ok("policy", "publish", path, "--actor", author).out
    door.refused("policy", "publish", path, "--actor", author, words="was published at position")
    words = ("policy", "approve", "1", "--policy", name, "--actor")
    own = door(*words, author)
    assert own.status == 1
    assert "does not count" in own.out
    other = written(tmp_path, "quorum = 2", policy=name)
    door.refused(*words, "person:oscar", "--file", other, words="was published as sha256:")
    if author == "person:olga":
        assert "it is in force" in door.ok(*words, "person:oscar", "--file", path).out
        assert door.ok("policy", "diff", path).out.startswith(f"{name}: version 1 is in force, and says the same")
        differs = door("policy", "diff", other, "--json")
        assert (differs.status, differs.json["differs"]) == (
            1, [{"setting": "quorum", "applies_to": "any", "in_force": "1", "here": "2"}],
        )  # fmt: skip
    door.refused("policy", "approve", "9", "--policy", name, "--actor", author, words="no version 9")


def test_a_ledger_begins_with_a_policy_that_another_operator_approves(bare: Command) -> None:
    words = ("init", "--origin", f"ledger.test/{next(numbers)}", "--policy")
    for more, why in (
        (("starter",), "expected --actor"),
        (("solo", "--actor", "person:olga"), "found --policy 'solo'"),
        (("github", "--solo", "--actor", "person:olga"), "leave --policy away"),
        (("github", "--actor", "olga"), "such as person:olga; found 'olga'"),
    ):
        bare.refused(*words, *more, words=why)
    begun = bare.ok(*words, "github", "--actor", "person:olga").out
    assert "change-approval github-1, published by person:olga" in begun
    assert "change-ledger policy approve github-1 --actor WHO" in begun
    asked = bare("gate", "deploy", "--service", "shop", "--environment", "prod", "--commit", "a" * 40, "--json").json
    assert asked["policy"] == {"policy_id": "change-approval", "version": None, "is_of_one": False}
    # What several rules wait for is said once.
    waiting = bare("gate", "deploy", "--service", "shop", "--environment", "prod").out
    assert waiting.count("would allow: name a change that was opened") == 1
    assert "(policy publish, policy approve); github-1 was published by person:olga, and waits for the other" in waiting
    assert bare("policy", "approve", "github-1", "--actor", "person:olga").status == 1
    assert "it is in force" in bare.ok("policy", "approve", "github-1", "--actor", "person:oscar").out


def test_one_person_alone_begins_at_once_and_gates_and_audits_tell_it(bare: Command) -> None:
    begun = bare.ok("init", "--origin", f"ledger.test/{next(numbers)}", "--solo", "--actor", "person:olga").out
    assert "person:olga works here alone" in begun
    where = ("gate", "deploy", "--service", "shop", "--environment", "prod", "--commit", "a" * 40)
    asked = bare.ok(*where).out
    assert "one person works here alone" in asked
    assert bare.ok(*where, "--json").json["policy"]["is_of_one"] is True
    assert "position 3: a policy was published by which one person works here alone" in bare("verify").out
    assert "one person works here alone" in bare.ok("show", "2").out

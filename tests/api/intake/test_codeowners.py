"""CODEOWNERS: who owns which paths, as GitHub and GitLab read it, and what nobody keeps.

Made up here, in the shapes that the two hosts document ("About code owners", "Code Owners"), and of the files of public
repositories.
"""

import json
from typing import Any

import pytest
from files import facts_of, mutations

from api.intake.codeowners import FORMAT
from api.intake.translation import ForeignError, Mapped

SAID = {"repository": "acme/shop", "commit": "9fceb02d0ae598e95dc970b74767f19372d61af8"}
GITHUB = r"""# Owners of everything, s3cret
*       @acme/core   # s3cret beside it
*.js    @Alice s3cret@example.com
/docs/
apps/ @bob#1 nobody
[odd] @alice
!no     @alice
a\ b/   @alice
Ünder/  @alice
"""
GITLAB = """* @admins
[Database][2] @dba @acme/data
/db/
/db/seeds @alice @@maintainer
^[Docs] @writers
/docs/
!/docs/generated
"""
# What is read of each: pattern, owners, and what else is said.
READ: dict[str, tuple[str, list[dict[str, Any]], int]] = {
    "github": (
        GITHUB,
        [
            {"pattern": "*", "owners": ["github:acme/core"]},
            {"pattern": "*.js", "owners": ["github:Alice"], "others": 1},
            {"pattern": "/docs/", "owners": []},
            {"pattern": "a\\%20b/", "owners": ["github:alice"]},
            {"pattern": "%C3%9Cnder/", "owners": ["github:alice"]},
        ],
        3,
    ),
    "gitlab": (
        GITLAB,
        [
            {"pattern": "*", "owners": ["gitlab:admins"]},
            {"pattern": "/db/", "owners": ["gitlab:dba", "gitlab:acme/data"], "section": "Database", "approvals": 2},
            {"pattern": "/db/seeds", "owners": ["gitlab:alice", "gitlab-role:maintainer"], "section": "Database", "approvals": 2},
            {"pattern": "/docs/", "owners": ["gitlab:writers"], "section": "Docs", "optional": True},
            {"pattern": "!/docs/generated", "owners": ["gitlab:writers"], "section": "Docs", "optional": True},
        ],
        0,
    ),
}  # fmt: skip


@pytest.mark.parametrize("host", READ)
def test_lines_are_read_as_their_host_reads_them(host: str) -> None:
    body, rules, invalid = READ[host]
    [said] = facts_of(FORMAT, body, SAID | ({"host": host} if host == "github" else {}))
    assert json.loads(json.dumps(said.data["rules"])) == rules
    assert (said.data["host"], said.data["invalid"], said.data["parts"]) == (host, invalid, 1)


def test_who_posts_it_says_which_host_reads_it_where_the_file_does_not() -> None:
    [said] = facts_of(FORMAT, "* @alice\n", SAID | {"host": "gitlab"})
    assert said.data["rules"][0]["owners"] == ("gitlab:alice",)


def test_comments_and_addresses_are_kept_nowhere() -> None:
    assert FORMAT.redactor is not None
    assert b"s3cret" not in FORMAT.redactor.cut(GITHUB.encode())


def test_what_nobody_owns_anything_by_is_no_such_file() -> None:
    assert FORMAT.redactor is not None
    for body in (b"", b"# nothing\n", b'{"a": 1}', b"<a b='c'/>", b"\x00\x01", b"\xff\xfe@", b"/docs/\n"):
        with pytest.raises(ForeignError, match=r"nobody-owns-anything|not-utf-8"):
            FORMAT.redactor.cut(body)


def test_many_lines_are_told_in_parts() -> None:
    body = "* @acme/core\n" + "".join(f"/src/{n}/ @team-{n}\n" for n in range(90)) + "/free/\n"
    facts = facts_of(FORMAT, body, SAID)
    assert [(said.data["part"], said.data["parts"]) for said in facts] == [(1, 3), (2, 3), (3, 3)]
    assert facts[-1].data["rules"][-1] == {"pattern": "/free/", "owners": ()}


def test_no_mutation_of_a_file_is_worse_than_not_read() -> None:
    assert FORMAT.redactor is not None
    for body in mutations(GITLAB.encode(), 300):
        try:
            left = FORMAT.redactor.cut(body)
        except ForeignError:
            continue
        if isinstance(FORMAT.translate(FORMAT.context(SAID).beside(body), left), Mapped):
            facts_of(FORMAT, body.decode(), SAID)

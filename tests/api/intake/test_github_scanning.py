"""GitHub's alerts about code: what each says, what becomes of the finding, and by whom a dismissal counts."""

from typing import Any

import bodies
import pytest
from asking import against, ask, ready_to_deploy
from changes import finding, found
from people import enrol
from telling import Story, at

from api.intake import github
from api.intake.translation import Fact, Mapped, Unmapped

KIND, REPOSITORY = "code_scanning_alert", "https://github.com/acme/payments-api"
COMMIT = bodies.HEAD
RULE, SERIES = "scan-error-stands", "github:7001:code-scanning-10"
HOST = "service:github"


def instance(ref: str = "refs/heads/main", **more: Any) -> dict[str, Any]:
    place = {"path": "src/Book.java", "start_line": 84, "end_line": 84}
    return {"ref": ref, "state": "open", "commit_sha": COMMIT, "location": place} | more


def alert(action: str = "created", hours: int = 1, ref: str = "refs/heads/main", **more: Any) -> dict[str, Any]:
    """A webhook about an alert; keyword arguments go into its `alert`."""
    made = {
        "number": 10, "created_at": at(1), "updated_at": at(hours), "state": "open", "fixed_at": None,
        "dismissed_by": None, "dismissed_at": None, "dismissed_reason": None, "dismissed_comment": None,
        "rule": {"id": "java/sql-injection", "severity": "error", "security_severity_level": "high", "tags": ["security"]},
        "tool": {"name": "CodeQL", "guid": None, "version": "2.19.0"}, "most_recent_instance": instance(ref),
    }  # fmt: skip
    repository = {"id": 7001, "full_name": "acme/payments-api", "default_branch": "main"}
    body = {"action": action, "alert": made | more, "ref": ref, "commit_oid": COMMIT, "repository": repository}
    return body | {"sender": bodies.user(501)}


def dismissed(
    by: int, hours: int, reason: str = "won't fix", action: str = "closed_by_user", **more: Any
) -> dict[str, Any]:
    said = {
        "state": "dismissed",
        "dismissed_by": bodies.user(by),
        "dismissed_at": at(hours),
        "dismissed_reason": reason,
    }
    return alert(action, hours, **said | more)


def translated(body: dict[str, Any]) -> Any:
    return github.translate({"x-github-event": KIND}, bodies.encoded(body))


def facts(body: dict[str, Any]) -> tuple[Fact, ...]:
    told = translated(body)
    assert isinstance(told, Mapped), told
    return told.facts


@pytest.mark.parametrize(
    ("body", "time", "errors"),
    [
        (alert(), at(1), 1),
        (alert("appeared_in_branch", 2), at(2), 1),
        (alert("reopened", 3), at(3), 1),
        (alert("fixed", 4, state="fixed"), at(4), 0),
        (alert("fixed", 4, state="fixed", fixed_at=at(3)), at(3), 0),
        # Older bodies do not say when.
        (alert("reopened", updated_at=None), "", 1),
    ],
)
def test_an_alert_is_a_scan_of_one_thing(body: dict[str, Any], time: str, errors: int) -> None:
    [told] = facts(body)
    assert (told.type, told.time, told.data["errors"]) == ("scan.completed", time, errors)
    assert (told.data["series"], told.data["tool"], told.data["commit"]) == (SERIES, "github-code-scanning", COMMIT)
    if errors:
        [one] = told.data["results"]
        assert (one["rule"], one["path"], one["line"], one["level"]) == (
            "CodeQL/java/sql-injection", "src/Book.java", 84, "error",
        )  # fmt: skip
    assert "executed" not in told.data


@pytest.mark.parametrize(
    ("rule", "level"),
    [
        ({"severity": "note", "security_severity_level": "high"}, "note"),
        ({"severity": None, "security_severity_level": "critical"}, "error"),
        ({"severity": None, "security_severity_level": "medium"}, "warning"),
        ({"severity": "odd"}, "warning"),
    ],
)
def test_the_level_is_the_tools_own_else_as_github_ranks_it(rule: dict[str, Any], level: str) -> None:
    [told] = facts(alert(rule={"id": "r"} | rule))
    assert told.data["results"][0]["level"] == level


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (alert(ref="refs/heads/feature"), "not-of-the-default-branch"),
        # What is fixed in a pull request is not fixed on the branch that it is for.
        (alert("fixed", ref="refs/pull/11/merge", state="fixed"), "not-of-the-default-branch"),
        (alert("fixed", ref="refs/pull/11/merge", state="dismissed", dismissed_reason="won't fix"), "not-of-the-default-branch"),
        (alert("closed_by_user"), "not-dismissed"),
        (dismissed(502, 2, "bored"), "dismissed-reason-bored"),
        (alert("updated_assignment"), "action-updated_assignment"),
        (alert(number="10"), "field/number"),
        (alert(tool={"name": ""}), "field/tool/name"),
        (alert("reopened_by_user", updated_at=None), "field/updated_at"),
    ],
)  # fmt: skip
def test_what_is_not_known_or_is_elsewhere_states_nothing(body: dict[str, Any], reason: str) -> None:
    assert translated(body) == Unmapped(KIND, reason, REPOSITORY)


def test_a_body_as_it_was_in_2021_says_as_much() -> None:
    body = dismissed(502, 2, "false positive", instances=[instance("refs/heads/main", state="dismissed")])
    del body["alert"]["most_recent_instance"]
    body |= {"ref": "", "commit_oid": ""}
    scan, disposed = facts(body)
    assert (scan.data["commit"], disposed.data["disposition"]) == (COMMIT, "false_positive")


# -- what becomes of the finding -------------------------------------------------------------------------------------------


def tell(story: Story, body: dict[str, Any]) -> None:
    """Tell what an alert says as its source does, which is believed about users of the code host."""
    for one in facts(body):
        data = one.data | ({"reason": {"sha256": "0" * 64}} if "reason" in one.data else {})
        story.tell(one.type, time=one.time or None, by=HOST, token="source:github", **data)


@pytest.fixture
def story() -> Story:
    story = Story()
    enrol(story, HOST, "github:*", types=("scan.completed", "finding.disposed"))
    return story


def is_open(story: Story) -> bool:
    return RULE in found(story)


def test_an_alert_stands_until_it_is_fixed_on_the_default_branch(story: Story) -> None:
    tell(story, alert())
    assert finding(story, RULE, found(story)[RULE][0]).says == (
        "github-code-scanning found CodeQL/java/sql-injection in src/Book.java (github:7001:code-scanning-10)"
    )
    tell(story, alert("fixed", 4, state="fixed"))
    assert not is_open(story)
    tell(story, alert("reopened", 5))
    assert is_open(story)


def test_a_dismissal_by_somebody_else_holds_until_the_alert_is_opened_again(story: Story) -> None:
    tell(story, alert())
    tell(story, dismissed(502, 2))
    assert not is_open(story)
    tell(story, alert("reopened_by_user", 3))
    assert is_open(story)
    tell(story, dismissed(502, 4, "false positive"))
    assert not is_open(story)
    # Where code is fixed and found again, it is what was dismissed.
    tell(story, dismissed(502, 4, "false positive", "appeared_in_branch", updated_at=at(5)))
    assert not is_open(story)


def test_a_dismissal_is_about_the_alert_where_it_is_now(story: Story) -> None:
    tell(story, alert())
    moved = instance(location={"path": "src/Shelf.java", "start_line": 7})
    tell(story, dismissed(502, 2, most_recent_instance=moved))
    assert not is_open(story)


def test_whoever_wrote_the_code_dismisses_nothing(story: Story) -> None:
    story.tell(
        "code.proposed", repository="acme/payments-api", pull_request=42, head_sha=COMMIT, authors=["github:502"],
        by=HOST, token="source:github",
    )  # fmt: skip
    tell(story, alert())
    tell(story, dismissed(502, 2))
    assert is_open(story)
    tell(story, dismissed(503, 3))
    assert not is_open(story)


def test_a_dismissal_on_a_pull_request_holds_once_it_is_merged(story: Story) -> None:
    tell(story, dismissed(502, 1, ref="refs/pull/11/merge"))
    assert not is_open(story)
    tell(story, alert("appeared_in_branch", 2))
    assert not is_open(story)


def test_no_alert_lets_a_commit_through_that_scans_are_asked_for() -> None:
    for tool in ("CodeQL", "github-code-scanning"):
        story = ready_to_deploy("normal", ("scan-tool", "prod", tool), ("quorum", "any", "1"))
        enrol(story, HOST, "github:*", types=("scan.completed", "finding.disposed"))
        body = alert("fixed", 4, state="fixed")
        body["repository"]["full_name"] = "api"
        tell(story, body)
        assert (
            against(ask(story, commit=COMMIT, hours=60)).get("scans-are-clean", ("allow",))[0]
            == "insufficient_evidence"
        )

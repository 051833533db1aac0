"""3.1 Mandatory peer review: given these facts, this is found, and this is answered."""

from typing import Any

import pytest
from changes import finding, found, publish
from telling import Story
from year import DAY, START, Year

A, B = "a" * 40, "b" * 40


PULL = {"repository": "acme/api", "pull_request": 12}


def propose(story: Story, head: str = A, *authors: str) -> None:
    story.tell("code.proposed", **PULL, head_sha=head, authors=list(authors or ("person:ann",)))


def look_at(
    story: Story, who: str = "person:bob", commit: str = A, verdict: str = "approved", number: str = "1"
) -> None:
    story.tell("code_review.submitted", actor=who, **PULL, review_id=number, commit=commit, verdict=verdict)


def merge(story: Story, head: str = A, **more: str) -> None:
    story.tell("code.merged", actor="person:merger", **PULL, head_sha=head, merge_sha="c" * 40, **more)


def dismiss(story: Story) -> None:
    story.tell("code_review.dismissed", actor="person:ann", **PULL, review_id="1", commit=A, reviewer="person:bob")


NOT_REVIEWED: dict[str, Any] = {
    "nobody looked": lambda s: propose(s),
    "the approval is of an earlier commit": lambda s: (propose(s), look_at(s), propose(s, B)),
    "the author approved": lambda s: (propose(s), look_at(s, "person:ann")),
    "it was dismissed": lambda s: (propose(s), look_at(s), dismiss(s)),
    "a bot approved": lambda s: (propose(s), look_at(s, "service:bot")),
    "the last verdict is another one": lambda s: (propose(s), look_at(s), look_at(s, verdict="changes_requested")),
    "one of two authors approved": lambda s: (propose(s, A, "person:ann", "person:bob"), look_at(s)),
    "no author is known": lambda s: look_at(s),
}


@pytest.mark.parametrize("why", NOT_REVIEWED)
def test_code_that_nobody_else_approved_is_found_when_it_is_merged(why: str) -> None:
    story = Story()
    NOT_REVIEWED[why](story)
    assert found(story) == {}
    merge(story, B if "earlier" in why else A)
    assert found(story) == {"merged-without-review": ["acme/api#12"]}


OBJECTIONS: dict[str, tuple[Any, bool]] = {
    "another wants changes": (lambda s: look_at(s, "person:rob", verdict="changes_requested", number="2"), True),
    "a bot wants changes": (lambda s: look_at(s, "service:bot", verdict="changes_requested", number="2"), True),
    "wanted changes of an earlier commit": (
        lambda s: (look_at(s, "person:rob", B, "changes_requested", "2"), propose(s)), True,
    ),
    "wanted changes, and then approved": (
        lambda s: (look_at(s, "person:rob", verdict="changes_requested", number="2"), look_at(s, "person:rob", number="3")),
        False,
    ),
    "wanted changes, and remarked on them": (
        lambda s: (look_at(s, "person:rob", verdict="changes_requested", number="2"),
                   look_at(s, "person:rob", verdict="commented", number="3")),
        True,
    ),
    "wanted changes, and was dismissed": (
        lambda s: (look_at(s, "person:rob", verdict="changes_requested", number="1"), dismiss(s)), False,
    ),
    "the author wants changes": (lambda s: look_at(s, "person:ann", verdict="changes_requested", number="2"), False),
}  # fmt: skip


@pytest.mark.parametrize("how", OBJECTIONS)
def test_what_one_approved_and_another_wants_changed_is_found_when_it_is_merged(how: str) -> None:
    tell, is_found = OBJECTIONS[how]
    story = Story()
    propose(story)
    tell(story)
    look_at(story, number="9")
    merge(story)
    assert found(story) == ({"merged-without-review": ["acme/api#12"]} if is_found else {})
    if is_found:
        assert finding(story, "merged-without-review", "acme/api#12").says.endswith("had asked for changes")


def test_an_approval_of_no_commit_approves_none() -> None:
    story = Story()
    propose(story)
    story.tell("code_review.submitted", actor="person:bob", **PULL, review_id="1", verdict="approved")
    story.tell("code.merged", actor="person:merger", **PULL)
    assert found(story) == {"merged-without-review": ["acme/api#12"]}


def test_a_merge_into_a_branch_that_the_policy_does_not_name_needs_no_review() -> None:
    for branch, others in (("main", False), ("release/1", False), ("feature/x", True), (None, False)):
        story = Story()
        publish(story, ("reviewed-branch", "acme/api", "main"), ("reviewed-branch", "acme/api", "release/1"))
        propose(story)
        merge(story, **({"branch": branch} if branch else {}))
        assert found(story) == ({} if others else {"merged-without-review": ["acme/api#12"]}), branch
    # The policy that named it is taken back.
    story = Story()
    publish(story, ("reviewed-branch", "acme/api", "main"))
    propose(story)
    merge(story, branch="feature/x")
    assert found(story) == {}
    story.tell("statement.withdrawn", actor="service:desk", position=2, reason="x")
    assert found(story) == {"merged-without-review": ["acme/api#12"]}


def test_code_that_somebody_else_approved_is_none_whoever_merges_it() -> None:
    story = Story()
    propose(story)
    look_at(story)
    look_at(story, "person:ann", number="2")
    merge(story)
    assert found(story) == {}
    # It turns out that the approver is the author.
    story.tell("identity.linked", actor="person:olga", identities=["person:ann", "person:bob"], evidence="hr")
    assert found(story) == {"merged-without-review": ["acme/api#12"]}


def test_a_reviewer_who_is_known_only_after_the_merge_counts_from_then_on() -> None:
    story = Story()
    propose(story)
    look_at(story, "github:2")
    merge(story)
    assert found(story) == {"merged-without-review": ["acme/api#12"]}
    story.tell("identity.linked", actor="person:olga", identities=["github:2", "person:bob"], evidence="hr")
    assert found(story) == {}
    # And one that turns out to be an author's does not count any more.
    story.tell("identity.linked", actor="person:olga", identities=["person:bob", "person:ann"], evidence="hr")
    assert found(story) == {"merged-without-review": ["acme/api#12"]}


# -- planted in the year -------------------------------------------------------------------------------------------------


def plant_code_that_nobody_reviewed(year: Year) -> set[str]:
    pull = {"repository": "acme/tools", "pull_request": 1, "head_sha": A}
    year.say(START + 30 * DAY, "code.proposed", actor="person:t0-1", **pull, authors=["person:t0-1"])
    year.say(START + 31 * DAY, "code.merged", actor="person:t0-1", **pull, branch="main")
    return {"merged-without-review/acme/tools#1"}

"""Findings about changes: given these facts, this rule is broken; and when that was recorded, and what resolved it."""

from typing import Any

import pytest
from changes import (
    ARTIFACT,
    CHG,
    OTHER,
    SCOPE,
    approve,
    assess,
    deploy,
    emergency,
    finding,
    found,
    found_by_any_process,
    open_change,
    opened,
    pass_time,
    publish,
    ready,
    request,
    review,
)
from telling import Story, at

from projections.readings.changes.impacts import dependents_of
from projections.readings.changes.reviews import reviews


def test_a_change_by_the_book_is_no_finding() -> None:
    story = ready()
    deploy(story, artifact=ARTIFACT)
    review(story)
    pass_time(story, 50)
    assert found(story) == {}


def test_a_change_that_starts_before_its_approval_stays_found() -> None:
    story = opened()
    assess(story)
    request(story)
    deploy(story)
    assert found(story) == {"started-without-approval": ["CHG-7"]}
    approve(story)
    assert found(story) == {"started-without-approval": ["CHG-7"]}


def test_a_scope_that_is_amended_after_the_start_takes_no_approval_back() -> None:
    story = ready()
    deploy(story)
    story.tell("change.scope_amended", actor="person:alice", **CHG, scope_digest=OTHER, previous_digest=SCOPE)
    assert found(story) == {}


def test_approving_ones_own_change_is_found_also_when_the_logins_are_linked_later() -> None:
    story = opened(actor="github:1")
    assess(story)
    request(story)
    approve(story)
    assert found(story) == {}
    story.tell("identity.linked", actor="person:olga", identities=["github:1", "gitlab:1"], evidence="hr")
    linked = story.tell("identity.linked", actor="person:olga", identities=["gitlab:1", "person:bob"], evidence="hr")
    assert found(story) == {"approval-of-ones-own": ["CHG-7"]}
    assert finding(story, "approval-of-ones-own", "CHG-7").first_seen_position == linked


def test_who_deploys_what_they_approved_is_found() -> None:
    story = ready()
    deploy(story, actor="person:bob")
    assert found(story) == {"approval-of-ones-own": ["CHG-7"], "started-without-approval": ["CHG-7"]}


def test_approvals_that_never_counted_are_found() -> None:
    story = ready()
    approve(story, "person:zoe")
    approve(story, "person:carol", by="service:bot")
    assert finding(story, "approval-without-standing", "CHG-7").says == (
        "approvals of CHG-7 that never counted: person:zoe: S5: no grant of release-approver was in force; "
        "person:carol: S12: service:bot may not speak for person:carol"
    )


def test_an_approval_that_is_owed_is_found_at_the_first_entry_after_its_time() -> None:
    story = emergency()
    pass_time(story, 22)
    assert found(story) == {}
    pass_time(story, 3)
    row = finding(story, "retro-approval-overdue", "CHG-7")
    assert row.is_open
    late = row.first_seen_position
    approve(story, "person:carol")
    # Late is never on time.
    assert found(story) == {"retro-approval-overdue": ["CHG-7"]}
    assert finding(story, "retro-approval-overdue", "CHG-7").first_seen_position == late


def test_an_approval_that_is_owed_and_given_in_time_is_none() -> None:
    story = emergency()
    approve(story, "person:carol")
    pass_time(story, 40)
    assert found(story) == {}


def test_an_unauthorized_change_is_found_until_it_is_reviewed() -> None:
    story = Story()
    open_change(story, "unauthorized")
    assert found(story) == {"unauthorized-change": ["CHG-7"]}
    review(story)
    assert found(story) == {}


def test_an_approved_change_that_nobody_deploys_is_found_when_its_window_ends() -> None:
    story = ready()
    story.tell("change.scheduled", actor="person:alice", **CHG, planned_start=at(20), planned_end=at(30))
    pass_time(story, 10)
    assert found(story) == {}
    pass_time(story, 20)
    assert found(story) == {"approved-and-not-deployed": ["CHG-7"]}


def test_two_who_approve_each_other_in_one_release_are_found() -> None:
    story = opened(release_id="R")
    open_change(story, change="CHG-8", actor="person:bob", release_id="R")
    approve(story)
    assert found(story) == {}
    story.tell("approval.granted", actor="person:alice", by="person:alice", change_id="CHG-8", scope_digest=SCOPE)
    assert found(story) == {"circular-approval": ["CHG-7", "CHG-8"]}


def test_two_who_approve_each_other_are_found_when_a_login_turns_out_to_be_theirs() -> None:
    story = opened(release_id="R")
    open_change(story, change="CHG-8", actor="gitlab:7", release_id="R")
    approve(story)
    story.tell("approval.granted", actor="person:alice", by="person:alice", change_id="CHG-8", scope_digest=SCOPE)
    assert found(story) == {}
    story.tell("identity.linked", actor="person:olga", identities=["gitlab:7", "person:bob"], evidence="hr")
    assert found(story) == {"circular-approval": ["CHG-7", "CHG-8"]}


def test_an_escalation_of_an_earlier_scope_does_not_excuse_the_next_one() -> None:
    story = opened()
    story.tell("approval.requested", actor="person:alice", **CHG, scope_digest=SCOPE, policy_id="p", policy_version="1",
        rule="normal", required_roles=["release-approver"], quorum=1, due_at=at(10))  # fmt: skip
    story.tell("change.escalated", actor="person:alice", **CHG, to_role="cab", reason={"sha256": "0" * 64})
    pass_time(story, 10)
    assert found(story) == {}
    story.tell("change.submitted", actor="person:alice", **CHG, scope_digest=OTHER, artifacts=[ARTIFACT])
    story.tell("approval.requested", actor="person:alice", **CHG, scope_digest=OTHER, policy_id="p", policy_version="1",
        rule="normal", required_roles=["release-approver"], quorum=1, due_at=at(30))  # fmt: skip
    assert found(story) == {}
    pass_time(story, 20)
    assert found(story) == {"approval-overdue": ["CHG-7"]}
    found_by_any_process(story)


def test_what_an_impact_assessment_left_out_is_found_when_the_change_is_implemented() -> None:
    story = ready()
    depend = {"actor": "person:ann", "depends_on": "db"}
    story.tell("dependency.declared", **depend, resource="api", shared=True)
    story.tell("change.impact_assessed", actor="person:alice", **CHG, targets=["db"], method="graph", dependents=[])
    assert found(story) == {}
    deploy(story)
    assert found(story) == {"impact-not-covered": ["CHG-7"]}
    # What was declared later could not be assessed.
    story.tell("change.impact_assessed", actor="person:alice", **CHG, targets=["db"], method="graph",
        dependents=[{"resource": "api", "depth": 1}])  # fmt: skip
    story.tell("dependency.declared", **depend, resource="mail", shared=False)
    review(story)
    assert found(story) == {}


def test_what_depended_when_the_change_was_implemented_had_to_be_assessed_whatever_became_of_it() -> None:
    story = ready()
    depend = {"actor": "person:ann", "depends_on": "db", "resource": "api"}
    story.tell("dependency.declared", **depend, shared=True)
    story.tell("change.impact_assessed", actor="person:alice", **CHG, targets=["db"], method="graph", dependents=[])
    deploy(story)
    story.tell("dependency.removed", **depend)
    # Judged again, and found as before.
    story.tell("change.impact_assessed", actor="person:alice", **CHG, targets=["db"], method="list", dependents=[])
    assert finding(story, "impact-not-covered", "CHG-7").is_open
    assert dependents_of(story.folder.rows, "db") == set()
    story.tell("dependency.declared", **depend, shared=True)
    assert dependents_of(story.folder.rows, "db") == {"api"}


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


def test_a_review_that_is_not_done_in_time_is_found_until_it_is_done() -> None:
    story = ready()
    deploy(story)
    story.tell("pir.opened", actor="person:frank", pir_id="PIR-7", **CHG, due_at=at(30), mandatory=True)
    pass_time(story, 30)
    assert found(story) == {"review-overdue": ["PIR-7"]}
    review(story)
    assert found(story) == {}


@pytest.mark.parametrize(("done_at", "is_late"), [(20, False), (31, True)])
def test_a_review_that_is_imported_is_late_by_its_own_time(done_at: float, is_late: bool) -> None:
    story = ready()
    deploy(story)
    pass_time(story, 100)
    pir: dict[str, Any] = {"actor": "person:frank", "pir_id": "PIR-7", **CHG}
    story.tell("pir.opened", **pir, due_at=at(30), mandatory=True, time=at(10))
    assert found(story) == {}
    story.tell("pir.completed", **pir, outcome="successful", rolled_back=False, time=at(done_at))
    row = story.row(reviews, "PIR-7")
    assert (row.is_late, row.recorded_late) == (is_late, True)
    assert found(story) == {}


def test_a_review_that_is_imported_and_not_said_to_be_done_is_found_after_a_day() -> None:
    story = ready()
    deploy(story)
    pass_time(story, 100)
    story.tell("pir.opened", actor="person:frank", pir_id="PIR-7", **CHG, due_at=at(30), mandatory=True, time=at(10))
    pass_time(story, 125)
    assert found(story) == {"review-overdue": ["PIR-7"]}


@pytest.mark.parametrize("by", ["the policy", "the request"])
def test_approvals_that_do_not_come_in_time_are_found_until_the_change_is_escalated(by: str) -> None:
    story = opened()
    if by == "the policy":
        publish(story, ("escalate-after-hours", "low", "4"))
    assess(story)
    now = len(story.log) + 1
    request(story, **({} if by == "the policy" else {"due_at": at(now + 4)}))
    pass_time(story, 3)
    assert found(story) == {}
    pass_time(story, 1)
    assert found(story) == {"approval-overdue": ["CHG-7"]}
    assert finding(story, "approval-overdue", "CHG-7").says == (
        f"CHG-7 misses 1 approval(s) due at {at(now + 4)}, and was not escalated"
    )
    story.tell("change.escalated", actor="person:alice", **CHG, to_role="cab")
    assert found(story) == {}


def test_approvals_that_come_in_time_are_none() -> None:
    story = opened()
    assess(story)
    request(story, due_at=at(len(story.log) + 5))
    approve(story)
    pass_time(story, 10)
    assert found(story) == {}


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

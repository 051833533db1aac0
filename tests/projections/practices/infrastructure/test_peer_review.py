"""3.1 Mandatory peer review: given these facts, this is found, and this is answered."""

from collections.abc import Callable
from typing import Any

import pytest
from asking import against, ask, ready_to_deploy, refused
from changes import ARTIFACT, deploy, finding, found, found_by_any_process, give, pass_time, publish, request
from people import enrol, issue
from telling import Story, at, document
from year import DAY, HOUR, START, Change, Year

from projections.readings.changes.approvals import AT_MOST
from projections.readings.changes.code import code_changes
from projections.readings.changes.commits import commits
from projections.readings.changes.technical import is_asked
from projections.readings.changes.tickets import change_tickets
from projections.readings.people.policies import InForce, Setting
from projections.rules.digests import list_digest

A, B = "a" * 40, "b" * 40


PULL = {"repository": "acme/api", "pull_request": 12}


def propose(story: Story, head: str = A, *authors: str) -> None:
    story.tell("code.proposed", **PULL, head_sha=head, authors=list(authors or ("person:ann",)))


def look_at(
    story: Story, who: str = "person:bob", commit: str = A, verdict: str = "approved", number: str = "1", **more: str
) -> None:
    story.tell("code_review.submitted", actor=who, **PULL, review_id=number, commit=commit, verdict=verdict, **more)


def merge(story: Story, head: str = A, **more: str) -> None:
    story.tell("code.merged", actor="person:merger", **PULL, head_sha=head, merge_sha="c" * 40, **more)


def dismiss(story: Story, who: str = "person:lead", **more: str) -> None:
    story.tell("code_review.dismissed", actor=who, **PULL, review_id="1", commit=A, reviewer="person:bob", **more)


def push(story: Story, **more: str) -> int:
    return story.tell("code.merged", **{"actor": "person:paul", "repository": "acme/api", "merge_sha": B} | more)


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
        lambda s: (look_at(s, "person:rob", verdict="changes_requested", number="1"), dismiss(s, "person:rob")), False,
    ),
    "wanted changes, and somebody else dismissed it": (
        lambda s: (look_at(s, "person:rob", verdict="changes_requested", number="1"), dismiss(s)), True,
    ),
    "wanted changes, and somebody else dismissed it there": (
        lambda s: (enrol(s, "service:github", "person:*"), look_at(s, "person:rob", verdict="changes_requested", number="1"),
                   dismiss(s, by="service:github")),
        False,
    ),
    "wanted changes, and the author dismissed it": (
        lambda s: (look_at(s, "person:rob", verdict="changes_requested", number="1"), dismiss(s, "person:ann")), True,
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


def test_who_says_that_their_code_is_anothers_does_not_review_it() -> None:
    for teller, is_found in (("person:bob", True), ("service:ci", False)):
        story = Story()
        for who, kind in (("person:bob", "human"), ("service:ci", "service")):
            issue(story, who, kind=kind)
        story.tell("code.proposed", actor=teller, **PULL, head_sha=A, authors=["person:ann"])
        look_at(story, token="token:person.bob")
        merge(story)
        assert found(story) == ({"merged-without-review": ["acme/api#12"]} if is_found else {})


def test_a_review_after_the_merge_is_a_justification_and_no_leave() -> None:
    story = Story()
    propose(story)
    merge(story)
    look_at(story)
    assert found(story) == {"merged-without-review": ["acme/api#12"]}
    row = finding(story, "merged-without-review", "acme/api#12")
    assert (row.justified_by, row.justified_at, row.justified_position) == ("person:bob", at(3), 3)
    # One that says of itself that it was given before was not on record, either.
    story.tell(
        "code_review.submitted", actor="person:cat", **PULL, review_id="2", commit=A, verdict="approved", time=at(0.5)
    )
    assert found(story) == {"merged-without-review": ["acme/api#12"]}


@pytest.mark.parametrize(("minutes", "is_found"), [(10, False), (20, True)])
def test_a_review_that_was_given_before_and_delivered_within_the_lag_counts(minutes: int, is_found: bool) -> None:
    told = Story()
    propose(told)
    # The merge is recorded at three, and the review of half past two so many minutes later.
    for type_, data, time, recorded in (
        ("code.merged", {"actor": "person:merger", **PULL, "head_sha": A}, at(3), at(3)),
        ("code_review.submitted", {"actor": "person:bob", **PULL, "review_id": "1", "commit": A, "verdict": "approved"},
         at(2.5), at(3 + minutes / 60)),
    ):  # fmt: skip
        told.add(
            document(len(told.log) + 1, type_, data, time=time, recorded_at=recorded, by=str(data["actor"]),
                credential="token:own")
        )  # fmt: skip
    assert found(told) == ({"merged-without-review": ["acme/api#12"]} if is_found else {})


def test_a_dismissal_or_a_change_of_mind_after_the_merge_changes_nothing() -> None:
    story = Story()
    propose(story)
    look_at(story)
    merge(story)
    dismiss(story)
    look_at(story, "person:rob", verdict="changes_requested", number="2")
    assert found(story) == {}
    # An objection that was there stays one, whoever dismisses it afterwards.
    story = Story()
    propose(story)
    look_at(story, number="2")
    look_at(story, "person:rob", verdict="changes_requested")
    merge(story)
    dismiss(story)
    look_at(story, "person:rob", number="3")
    assert found(story) == {"merged-without-review": ["acme/api#12"]}


def test_a_short_hash_is_the_commit_that_begins_with_it() -> None:
    story = Story()
    propose(story)
    look_at(story, commit=A[:7])
    merge(story)
    assert found(story) == {}
    assert story.row(commits, A).code_changes == ("acme/api#12",)
    # Unless two heads begin so.
    story = Story()
    propose(story, "a" * 39 + "b")
    propose(story)
    look_at(story, commit=A[:7])
    merge(story)
    assert found(story) == {"merged-without-review": ["acme/api#12"]}


def test_code_that_was_pushed_without_a_pull_request_is_found_by_its_commit() -> None:
    story = Story()
    push(story)
    assert found(story) == {"merged-without-review": [f"acme/api@{B}"]}
    row = story.row(code_changes, f"acme/api@{B}")
    assert (row.pull_request, row.authors, row.merge_sha) == (None, ("person:paul",), B)
    # A pull request that is told of afterwards, review and all, excuses nothing.
    propose(story, B)
    look_at(story, commit=B)
    merge(story, B)
    assert found(story)["merged-without-review"] == [f"acme/api@{B}"]


def test_what_two_doors_say_of_one_merge_is_one_merge() -> None:
    for is_reviewed in (True, False):
        for begins_with_the_push in (False, True):
            story = Story()
            propose(story)
            if is_reviewed:
                look_at(story)
            told = [lambda s: merge(s), lambda s: push(s, merge_sha="c" * 40)]
            for tell in reversed(told) if begins_with_the_push else told:
                tell(story)
            named = [] if is_reviewed else ["acme/api#12"]
            # What an hour later names the pull request came too late for the push.
            late = [f"acme/api@{'c' * 40}"] if begins_with_the_push else []
            assert sorted(found(story).get("merged-without-review", [])) == sorted(named + late)


def test_a_push_of_a_commit_that_was_reviewed_as_the_head_of_a_pull_request_is_reviewed() -> None:
    for who, is_found in (("person:bob", False), ("person:paul", True), ("person:ann", True)):
        story = Story()
        propose(story, B)
        look_at(story, who, commit=B)
        push(story, merge_sha=B[:12])
        assert found(story) == ({"merged-without-review": [f"acme/api@{B[:12]}"]} if is_found else {}), who
    # A head of another repository is another commit's business.
    story = Story()
    propose(story, B)
    look_at(story, commit=B)
    push(story, repository="acme/web")
    assert found(story) == {"merged-without-review": [f"acme/web@{B}"]}


def test_a_second_merge_of_another_head_is_judged_by_itself() -> None:
    story = Story()
    propose(story)
    look_at(story)
    merge(story)
    propose(story, B)
    merge(story, B)
    assert found(story) == {"merged-without-review": ["acme/api#12"]}


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


def test_a_reviewer_who_is_known_only_after_the_merge_does_not_count() -> None:
    story = Story()
    propose(story)
    look_at(story, "github:2")
    merge(story)
    assert found(story) == {"merged-without-review": ["acme/api#12"]}
    story.tell(
        "access.granted", actor="person:olga", grant_id="G", principal="person:bob", principal_kind="human", role="x"
    )
    story.tell("identity.linked", actor="person:olga", identities=["github:2", "person:bob"], evidence="hr")
    assert found(story) == {"merged-without-review": ["acme/api#12"]}


def test_a_reviewer_whom_an_authority_for_them_reports_is_a_human_and_one_that_a_pipeline_reports_is_not() -> None:
    for identities, is_known in ((["github:*"], True), ([], False)):
        story = Story()
        story.tell("ledger.source_enrolled", actor="person:olga", source="test", door="github", principal="service:github",
            must_sign=False, authority_for=identities)  # fmt: skip
        propose(story)
        story.tell("code_review.submitted", by="service:github", actor="github:2", **PULL, review_id="1", commit=A,
            verdict="approved")  # fmt: skip
        merge(story)
        assert ("merged-without-review" in found(story)) is not is_known


def test_a_review_that_the_code_host_told_late_counts_when_its_own_list_has_it() -> None:
    story = Story()
    story.tell("ledger.source_enrolled", actor="person:olga", source="test", door="github", principal="service:github",
        must_sign=False, authority_for=["github:*"])  # fmt: skip
    propose(story)
    merge(story)
    late = story.tell("code_review.submitted", by="service:github", actor="github:2", **PULL, review_id="1", commit=A,
        verdict="approved", time=at(2.5))  # fmt: skip
    assert found(story) == {"merged-without-review": ["acme/api#12"]}
    ids = [str(late)]
    story.tell("source.reconciled", actor="service:github", source="test", period_start=at(0), period_end=at(4),
        listed=ids, listed_count=1, listed_digest=list_digest(ids), missing_count=0, extra_count=0)  # fmt: skip
    assert found(story) == {}


# -- what cannot wait, and what is deployed ------------------------------------------------------------------------------


def needs_review(*more: tuple[str, str, str]) -> Story:
    story = Story()
    publish(story, ("change", "any", "not-required"), ("code-review", "any", "required"), *more)
    return story


def put(story: Story, commit: str, number: int = 1) -> None:
    deploy(story, f"d-{number}", None, commit=commit, actor="person:ann")


@pytest.mark.parametrize(("hours", "is_found"), [(3, False), (9, True)])
def test_what_could_not_wait_is_reviewed_within_the_hours_of_the_policy(hours: int, is_found: bool) -> None:
    story = needs_review(("retro-review-hours", "any", "5"))
    propose(story)
    merge(story)
    put(story, "c" * 40)
    assert found(story) == {}
    pass_time(story, hours - 3)
    look_at(story)
    pass_time(story, 9)
    both = {"deployed-without-review": ["d-1"], "merged-without-review": ["acme/api#12"]}
    assert found(story) == (both if is_found else {})
    found_by_any_process(story)


def test_a_review_in_anothers_name_reviews_nothing_and_no_machine_dismisses_an_objection() -> None:
    story = needs_review()
    issue(story, "person:bob")
    propose(story)
    story.tell("code_review.submitted", actor="person:bob", by="service:ci", **PULL, review_id="1", commit=A,
        verdict="approved")  # fmt: skip
    merge(story)
    assert found(story)["merged-without-review"] == ["acme/api#12"]
    question = {"change_id": None, "commit": "c" * 40}
    assert against(ask(story, **question))["code-is-reviewed"] == ("needs_approval", "not-reviewed")
    story = Story()
    propose(story)
    look_at(story, "person:rob", verdict="changes_requested", number="2")
    look_at(story)
    told = {**PULL, "review_id": "2", "commit": A, "reviewer": "person:rob"}
    story.tell("code_review.dismissed", actor="service:ci", **told)
    story.tell("code_review.dismissed", actor="person:lead", by="service:ci", **told)
    merge(story)
    assert found(story)["merged-without-review"] == ["acme/api#12"]


def test_what_a_pipeline_says_was_merged_from_a_reviewed_pull_request_was_not_where_others_tell_of_that() -> None:
    evil = {**PULL, "head_sha": A, "merge_sha": "e" * 40}
    for who in ("service:desk", "service:github"):
        story = needs_review()
        enrol(story, "service:github", "github:*")
        head = {**PULL, "head_sha": A, "authors": ["github:1"]}
        story.tell("code.proposed", by=who, **head)
        story.tell("code_review.submitted", by="service:github", actor="github:2", **PULL, review_id="1", commit=A,
            verdict="approved")  # fmt: skip
        # However often it tells of the pull request itself.
        story.tell("code.proposed", by="service:ci", **head)
        story.tell("code.merged", by="service:ci", **evil)
        put(story, "e" * 40)
        assert finding(story, "deployed-without-review", "d-1").says.endswith(f"nobody had merged {'e' * 40}")
        question = {"change_id": None, "commit": "e" * 40}
        assert against(ask(story, **question))["code-is-reviewed"] == ("insufficient_evidence", "not-merged")
        # The code host tells what it merged; it is believed about that.
        story.tell("code.merged", by="service:github", actor="github:1", **evil)
        assert "code-is-reviewed" not in against(ask(story, **question))


def test_what_was_never_merged_or_not_reviewed_is_found_when_it_is_deployed() -> None:
    story = needs_review()
    propose(story)
    put(story, A)
    assert finding(story, "deployed-without-review", "d-1").says.endswith(f"nobody had merged {A}")
    # That of a merge which nobody reviewed goes with whatever is deployed next.
    propose(story)
    look_at(story)
    merge(story, branch="main")
    put(story, "c" * 40, 2)
    assert "d-2" not in found(story)["deployed-without-review"]
    push(story, branch="main")
    other = {"repository": "acme/api", "pull_request": 13}
    story.tell("code.proposed", **other, head_sha="d" * 40, authors=["person:ann"])
    story.tell("code_review.submitted", actor="person:bob", **other, review_id="7", commit="d" * 40, verdict="approved")
    story.tell("code.merged", actor="person:bob", **other, head_sha="d" * 40, merge_sha="e" * 40, branch="main")
    against_ = against(ask(story, change_id=None, artifact=None, commit="e" * 40, hours=60))
    assert against_ == {
        "code-is-reviewed": ("needs_approval", "not-reviewed"),
        "rollback-is-prepared": ("deny", "no-trigger"),
    }
    put(story, "e" * 40, 3)
    assert f"with acme/api@{B}: nobody had reviewed" in finding(story, "deployed-without-review", "d-3").says


def test_a_merge_that_is_told_after_the_deployment_excuses_it_only_where_an_authoritys_own_list_has_it() -> None:
    story = needs_review()
    enrol(story, "service:github", "github:*")
    propose(story)
    look_at(story)
    put(story, "c" * 40)
    done = len(story.log)
    merge(story, time=at(done - 1.5))
    assert finding(story, "deployed-without-review", "d-1").says.endswith(f"nobody had merged {'c' * 40}")
    merged = {**PULL, "head_sha": A, "merge_sha": "c" * 40}
    late = story.tell("code.merged", by="service:github", actor="github:1", **merged, time=at(done - 1.5))
    assert found(story) == {"deployed-without-review": ["d-1"]}
    ids = [str(late)]
    story.tell("source.reconciled", actor="service:github", source="test", period_start=at(0), period_end=at(done),
        listed=ids, listed_count=1, listed_digest=list_digest(ids), missing_count=0, extra_count=0)  # fmt: skip
    assert found(story) == {}


def test_where_no_change_is_asked_for_code_review_is_the_approval() -> None:
    story = needs_review(("rollback-triggers", "any", "0"))
    propose(story)
    look_at(story)
    merge(story, branch="main")
    asked = {"change_id": None, "artifact": None, "commit": "c" * 40}
    assert ask(story, **asked).verdict == "allow"
    assert against(ask(story, **asked | {"commit": A[:8] + "f" * 32})) == {
        "code-is-reviewed": ("insufficient_evidence", "not-merged")
    }
    assert against(ask(story, **asked | {"commit": None})) == {
        "code-is-reviewed": ("insufficient_evidence", "not-said")
    }
    # Whoever names a change is judged by it.
    assert against(ask(story, **asked | {"change_id": "CHG-9"}))["change-may-start"][1] == "no-change"
    put(story, "c" * 40)
    assert found(story) == {}


IN_VAIN: dict[str, tuple[Callable[[Story], Any], str]] = {
    "by a source that speaks for nobody": (
        lambda s: s.tell("code_review.submitted", by="service:github", actor="github:502", **PULL, review_id="1", commit=A,
            verdict="approved"),
        "github:502: S12: service:github may not speak for github:502; an operator lets the source speak for people",
    ),
    "by a machine": (lambda s: look_at(s, "service:bot"), "service:bot: "),
    "of another commit": (lambda s: look_at(s, commit=B), f"person:bob: it is of {B}"),
    "dismissed": (lambda s: (look_at(s), dismiss(s)), "person:bob: it was dismissed"),
}  # fmt: skip


@pytest.mark.parametrize("how", IN_VAIN)
def test_which_approvals_of_code_do_not_count_is_told_with_what_would_let_it_go_out(how: str) -> None:
    tell, why = IN_VAIN[how]
    story = needs_review(("rollback-triggers", "any", "0"))
    propose(story)
    tell(story)
    merge(story, branch="main")
    answer = refused(story, ask(story, change_id=None, artifact=None, commit="c" * 40))["code-is-reviewed"]
    assert answer.reason == "not-reviewed"
    assert f"somebody else approves the pull request, as it was merged; do not count: {why}" in answer.remedy


def test_where_one_person_works_alone_nobody_has_to_review() -> None:
    story = Story()
    settings = (("people", "any", "one"), ("change", "any", "not-required"), ("code-review", "any", "required"))
    publish(story, *settings, ("rollback-triggers", "any", "0"))
    propose(story)
    merge(story)
    put(story, "c" * 40)
    assert found(story) == {}
    decision = ask(story, change_id=None, artifact=None)
    assert (decision.verdict, decision.answers[0].reason) == ("allow", "in-force-of-one")


# -- of a change as a whole ---------------------------------------------------------------------------------------------

TECHNICAL = (("technical-review", "normal", "required"), ("technical-role", "any", "architect"))


def review_change(story: Story, who: str = "person:carol", verdict: str = "approved", **more: Any) -> None:
    story.tell("change.reviewed", **{"actor": who, "change_id": "CHG-7", "verdict": verdict} | more)


def to_be_reviewed(*settings: tuple[str, str, str]) -> Story:
    """A change that is scored and approved, where a policy asks for a technical review; carol holds the role to give one."""
    story = ready_to_deploy("normal", *(settings or TECHNICAL))
    give(story, kind="human", grant_id="GR-9", principal="person:carol", role="architect")
    return story


def technical(story: Story, hours: float = 20) -> tuple[str, str]:
    """What the gate says of the technical review: the reason, and the words."""
    rule = next(answer for answer in ask(story, hours=hours).answers if answer.rule == "change-is-technically-reviewed")
    return rule.reason, rule.words


def test_a_change_is_being_assessed_until_somebody_reviewed_what_it_does() -> None:
    story = to_be_reviewed()
    ticket = story.row(change_tickets, "CHG-7")
    assert (ticket.state, ticket.unreviewed) == (
        "assessing",
        "no pull request is known of its code, nor did anybody who holds architect review it",
    )
    assert against(ask(story)) == {
        "change-may-start": ("insufficient_evidence", "assessing"),
        "change-is-technically-reviewed": ("needs_approval", "not-reviewed"),
    }
    review_change(story)
    assert story.row(change_tickets, "CHG-7").state == "scheduled"
    assert ask(story).verdict == "allow"
    # Of another scope it is no review.
    story.tell("change.scope_amended", actor="person:alice", change_id="CHG-7", artifacts=[ARTIFACT], commits=[A])
    assert technical(story)[0] == "not-reviewed"


@pytest.mark.parametrize(
    "tell",
    [
        lambda story: review_change(story, "person:alice"),
        lambda story: review_change(story, "person:bob"),
        lambda story: review_change(story, by="service:ci"),
        lambda story: review_change(story, verdict="changes_requested"),
        lambda story: (review_change(story), review_change(story, verdict="changes_requested")),
        lambda story: review_change(story, scope_digest="sha256:" + "f" * 64),
    ],
    ids=["an author", "without the role", "in another's name", "an objection", "a change of mind", "another scope"],
)
def test_a_review_counts_from_somebody_else_who_holds_the_role_and_may_say_so(tell: Callable[[Story], Any]) -> None:
    story = to_be_reviewed()
    give(story, kind="human", grant_id="GR-10", principal="person:alice", role="architect")
    tell(story)
    assert technical(story)[0] == "not-reviewed"


def test_the_review_of_its_code_is_a_technical_review() -> None:
    story = to_be_reviewed(TECHNICAL[0])
    story.tell("change.submitted", actor="person:alice", change_id="CHG-7", artifacts=[ARTIFACT], commits=[A])
    propose(story, A, "person:ann")
    look_at(story, "person:alice")
    assert technical(story) == ("not-reviewed", f"nobody else than its authors had approved acme/api#12 at {A}")
    look_at(story, "person:bob", number="2")
    assert technical(story)[0] == "reviewed"
    # One commit more, of which nobody knows where it comes from.
    story.tell("change.submitted", actor="person:alice", change_id="CHG-7", artifacts=[ARTIFACT], commits=[A, B])
    assert technical(story) == ("not-reviewed", f"no pull request is known of {B}")


def test_code_that_names_the_change_is_its_code_and_an_objection_keeps_it_back() -> None:
    story = to_be_reviewed(TECHNICAL[0])
    story.tell("code.proposed", **PULL, head_sha=A, authors=["person:ann"], change_id="CHG-7")
    look_at(story)
    assert ask(story).verdict == "allow"
    look_at(story, "person:carol", verdict="changes_requested", number="2")
    assert technical(story) == ("not-reviewed", "person:carol had asked for changes")


def test_a_pull_request_of_others_is_no_code_of_a_change_because_a_pipeline_says_so() -> None:
    for host, who in (("service:desk", "service:ci"), ("service:github", "person:mallory")):
        story = to_be_reviewed(TECHNICAL[0])
        enrol(story, "service:github", types=("code.proposed",))
        told = {**PULL, "head_sha": A, "authors": ["person:ann"]}
        story.tell("code.proposed", by=host, **told)
        look_at(story)
        story.tell("code.proposed", actor=who, **told, change_id="CHG-7")
        assert technical(story) == ("not-reviewed", "no pull request is known of its code"), host
        # Where somebody else says that it brings the change, and nobody approved it, that is not forgotten.
        other = {"repository": "acme/api", "pull_request": 13, "head_sha": B, "authors": ["person:ann"]}
        story.tell("code.proposed", by=host, **other, change_id="CHG-7")
        story.tell("code.proposed", actor=who, **other, change_id="CHG-8")
        assert technical(story) == ("not-reviewed", f"nobody else than its authors had approved acme/api#13 at {B}")
        story.tell("code_review.submitted", actor="person:bob", repository="acme/api", pull_request=13, review_id="2",
            commit=B, verdict="approved")  # fmt: skip
        assert technical(story, 60)[0] == "reviewed"


def test_a_pull_request_that_is_said_to_bring_a_change_after_it_went_out_excuses_nothing() -> None:
    story = to_be_reviewed(TECHNICAL[0])
    propose(story)
    look_at(story)
    deploy(story)
    story.tell("code.proposed", **PULL, head_sha=A, authors=["person:ann"], change_id="CHG-7")
    assert found(story) == {"changed-without-technical-review": ["CHG-7"]}


def test_an_objection_holds_however_much_others_ask_for_meanwhile() -> None:
    story = to_be_reviewed()
    give(story, kind="human", grant_id="GR-10", principal="person:dave", role="architect")
    review_change(story, "person:dave", "changes_requested")
    for _ in range(AT_MOST):
        request(story, by="service:ci")
    review_change(story)
    assert technical(story) == ("not-reviewed", "person:dave had asked for changes")


@pytest.mark.parametrize("kind", ["standard", "emergency"])
def test_what_rests_on_a_template_or_cannot_wait_is_reviewed_only_where_the_policy_names_it(kind: str) -> None:
    anything = InForce("p", "1", 1, (Setting("technical-review", "any", "required"),))
    assert (is_asked(anything, "normal"), is_asked(anything, kind)) == (True, False)
    assert is_asked(InForce("p", "1", 1, (Setting("technical-review", kind, "required"),)), kind)


def test_a_change_that_went_out_without_a_technical_review_is_found_and_a_later_one_ends_nothing() -> None:
    story = to_be_reviewed()
    deploy(story)
    review_change(story)
    assert found(story) == {"changed-without-technical-review": ["CHG-7"]}
    story = to_be_reviewed()
    review_change(story)
    deploy(story)
    review_change(story, verdict="changes_requested")
    assert found(story) == {}


# -- planted in the year -------------------------------------------------------------------------------------------------


def plant_code_that_nobody_reviewed(year: Year) -> set[str]:
    pull = {"repository": "acme/tools", "pull_request": 1, "head_sha": A}
    year.say(START + 30 * DAY, "code.proposed", actor="person:t0-1", **pull, authors=["person:t0-1"])
    year.say(START + 31 * DAY, "code.merged", actor="person:t0-1", **pull, branch="main")
    return {"merged-without-review/acme/tools#1"}


def plant_a_push_without_a_pull_request(year: Year) -> set[str]:
    year.say(
        START + 32 * DAY, "code.merged", actor="person:t0-1", repository="acme/tools", merge_sha=B, branch="main"
    )  # fmt: skip
    return {f"merged-without-review/acme/tools@{B}"}


def plant_a_review_that_is_said_to_have_been_before(year: Year) -> set[str]:
    pull = {"repository": "acme/tools", "pull_request": 2}
    begin = START + 33 * DAY
    year.say(begin, "code.proposed", actor="person:t0-1", **pull, head_sha=A, authors=["person:t0-1"])
    year.say(begin + DAY, "code.merged", actor="person:t0-1", **pull, head_sha=A, branch="main")
    year.say(begin + DAY / 2, "code_review.submitted", late=DAY, by="person:t0-2", actor="person:t0-2", **pull, review_id="1",
        commit=A, verdict="approved")  # fmt: skip
    return {"merged-without-review/acme/tools#2"}


def plant_a_deployment_of_what_was_never_merged(year: Year) -> set[str]:
    """Where the policy asks for review of what goes out, and for no change."""
    year.settings += [("code-review", "prod-reviewed", "required"), ("change", "prod-reviewed", "not-required")]
    where = {"deployment_id": "D-unreviewed", "service": "web-idle", "environment": "prod-reviewed", "commit": "9" * 40}
    year.say(START + 34 * DAY, "deployment.started", actor="person:t0-1", **where)
    year.say(START + 34 * DAY + HOUR, "deployment.finished", actor="person:t0-1", **where, outcome="success")
    return {f"{rule}/D-unreviewed" for rule in ("deployed-without-review", "deployer-without-grant")}


def plant_a_change_that_nobody_reviewed(year: Year, change: Change) -> set[str]:
    """Of a type of its own, of which the policy wants what it does to be reviewed."""
    change.kind = "reviewed-change"
    return {f"changed-without-technical-review/{change.id}"}


def plant_nothing_where_somebody_reviewed_the_change(year: Year, change: Change) -> set[str]:
    change.kind = "reviewed-change"
    year.say(
        change.begins - 28 * HOUR, "change.reviewed", actor=change.approver, change_id=change.id, verdict="approved"
    )
    return set()

"""5.4 Approval and escalation by policy: given these facts, this is found, and this is answered."""

from typing import Any

import pytest
from asking import against, ask, define_trigger, ready_to_deploy
from changes import (
    ARTIFACT,
    CHG,
    OTHER,
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
)
from people import issue
from telling import Story, at
from year import DAY, DAYS, HOUR, START, Change, Year

from projections.readings.changes.tickets import change_tickets


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


def test_two_who_approve_each_other_in_one_release_are_found() -> None:
    story = opened(release_id="R")
    open_change(story, change="CHG-8", actor="person:bob", release_id="R")
    approve(story)
    assert found(story) == {}
    story.tell("approval.granted", actor="person:alice", by="person:alice", change_id="CHG-8")
    assert found(story) == {"circular-approval": ["CHG-7", "CHG-8"]}


def test_a_circle_is_not_broken_by_who_is_said_to_have_deployed() -> None:
    story = opened(release_id="R")
    open_change(story, change="CHG-8", actor="person:bob", release_id="R")
    approve(story)
    story.tell("approval.granted", actor="person:alice", by="person:alice", change_id="CHG-8")
    deploy(story, change="CHG-7", actor="person:bob", by="service:mallory")
    assert {approval.why[:3] for approval in story.row(change_tickets, "CHG-7").approvals} == {"S2:"}
    assert found(story)["circular-approval"] == ["CHG-7", "CHG-8"]


def test_two_who_approve_each_other_are_found_when_a_login_turns_out_to_be_theirs() -> None:
    story = opened(release_id="R")
    open_change(story, change="CHG-8", actor="gitlab:7", release_id="R")
    approve(story)
    story.tell("approval.granted", actor="person:alice", by="person:alice", change_id="CHG-8")
    assert found(story) == {}
    story.tell("identity.linked", actor="person:olga", identities=["gitlab:7", "person:bob"], evidence="hr")
    assert found(story) == {"circular-approval": ["CHG-7", "CHG-8"]}


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
        f"CHG-7 misses 1 approval due at {at(now + 4)}, and was not escalated"
    )
    story.tell("change.escalated", actor="person:alice", **CHG, to_role="cab")
    assert found(story) == {}


def test_of_what_services_opened_the_authors_of_the_commits_are_the_authors_and_without_any_nobody_approved_it() -> (
    None
):
    commit = "a" * 40
    story = opened(actor="service:ci")
    publish(story)
    define_trigger(story)
    assess(story)
    approve(story)
    assert against(ask(story)) == {"change-is-approved": ("insufficient_evidence", "no-author")}
    for author, expected in (("person:bob", ("needs_approval", "quorum")), ("person:zoe", None)):
        story = opened(actor="service:ci")
        publish(story)
        define_trigger(story)
        about = {"actor": "service:ci", **CHG, "commits": [commit], "artifacts": [ARTIFACT]}
        story.tell("change.submitted", **about)
        story.tell("code.proposed", repository="acme/api", pull_request=1, head_sha=commit, authors=[author])
        assess(story)
        approve(story)
        assert against(ask(story)).get("change-is-approved") == expected


def test_an_escalation_takes_a_change_from_no_body_that_the_policy_or_somebody_else_put_it_before() -> None:
    story = opened()
    publish(story, ("board-band", "any", "high"), ("required-role", "any", "release-approver"))
    assess(story, "high")
    request(story)
    approve(story)
    about = {"actor": "service:ci", **CHG}
    assert story.row(change_tickets, "CHG-7").missing_approvals == 1
    story.tell("change.escalated", **about, to_role="release-approver")
    assert story.row(change_tickets, "CHG-7").missing_approvals == 1
    story = opened()
    publish(story)
    assess(story)
    approve(story)
    story.tell("change.escalated", actor="person:dan", **CHG, to_role="board")
    story.tell("change.escalated", **about, to_role="release-approver")
    assert story.row(change_tickets, "CHG-7").missing_approvals == 1
    # Whoever put it there may put it elsewhere.
    story.tell("change.escalated", actor="person:dan", **CHG, to_role="release-approver")
    assert story.row(change_tickets, "CHG-7").missing_approvals == 0


def test_an_escalation_of_an_earlier_scope_does_not_excuse_the_next_one() -> None:
    story = opened()
    story.tell("approval.requested", actor="person:alice", **CHG, policy_id="p", policy_version="1",
        rule="normal", required_roles=["release-approver"], quorum=1, due_at=at(10))  # fmt: skip
    story.tell("change.escalated", actor="person:alice", **CHG, to_role="cab", reason={"sha256": "0" * 64})
    pass_time(story, 10)
    assert found(story) == {}
    story.tell("change.submitted", actor="person:alice", **CHG, artifacts=[OTHER])
    story.tell("approval.requested", actor="person:alice", **CHG, policy_id="p", policy_version="1",
        rule="normal", required_roles=["release-approver"], quorum=1, due_at=at(30))  # fmt: skip
    assert found(story) == {}
    pass_time(story, 20)
    assert found(story) == {"approval-overdue": ["CHG-7"]}
    found_by_any_process(story)


def test_approvals_that_come_in_time_are_none() -> None:
    story = opened()
    assess(story)
    request(story, due_at=at(len(story.log) + 5))
    approve(story)
    pass_time(story, 10)
    assert found(story) == {}


def test_a_policy_that_nobody_can_satisfy_is_found_until_somebody_can() -> None:
    story = opened()
    policy = {"policy_id": "change-approval", "version": "1", "policy_digest": OTHER}
    settings = [
        {"name": "required-role", "applies_to": "high", "value": "cab"},
        {"name": "quorum", "applies_to": "any", "value": "1"},
    ]
    published = story.tell("policy.published", actor="person:olga", **policy, settings=settings)
    row = finding(story, "policy-cannot-be-satisfied", "change-approval")
    assert (row.first_seen_position, row.says) == (
        published,
        "change-approval 1 asks for 1 of cab (high): none for anybody",
    )
    grant = {"actor": "person:olga", "principal_kind": "human", "role": "cab"}
    story.tell("access.granted", **grant, grant_id="C-1", principal="person:bob")
    assert finding(story, "policy-cannot-be-satisfied", "change-approval").says.endswith("none for person:bob")
    story.tell("access.granted", **grant, grant_id="C-2", principal="person:carol")
    assert found(story) == {}
    story.tell("access.revoked", actor="person:olga", grant_id="C-2", principal="person:carol")
    assert found(story) == {"policy-cannot-be-satisfied": ["change-approval"]}
    # Somebody can, for as long as the grant lasts.
    story.tell("access.granted", **grant, grant_id="C-3", principal="person:dora", expires_at=at(len(story.log) + 4))
    assert found(story) == {}
    pass_time(story, 3)
    assert found(story) == {"policy-cannot-be-satisfied": ["change-approval"]}


def test_a_policy_that_one_person_with_two_logins_would_satisfy_is_found_when_they_are_linked() -> None:
    story = opened()
    publish(story, ("required-role", "high", "cab"), ("quorum", "any", "1"))
    for number, who in enumerate(("person:bob", "gitlab:7")):
        story.tell("access.granted", actor="person:olga", principal_kind="human", role="cab", grant_id=f"C-{number}",
            principal=who)  # fmt: skip
    assert found(story) == {}
    story.tell("identity.linked", actor="person:olga", identities=["gitlab:7", "person:bob"], evidence="hr")
    assert found(story) == {"policy-cannot-be-satisfied": ["change-approval"]}


def test_a_policy_has_to_be_satisfied_in_each_environment_and_by_grants_that_count() -> None:
    story = opened()
    publish(story, ("required-role", "high", "cab"), ("quorum", "any", "1"))
    grant = {"actor": "person:olga", "principal_kind": "human", "role": "cab"}
    for number, (who, where) in enumerate(
        (("bob", "prod"), ("carol", "prod"), ("bob", "staging"), ("dora", "staging"))
    ):
        story.tell("access.granted", **grant, grant_id=f"C-{number}", principal=f"person:{who}", environment=where)
    assert found(story) == {}
    story.tell("access.revoked", actor="person:olga", grant_id="C-3", principal="person:dora")
    assert finding(story, "policy-cannot-be-satisfied", "change-approval").says.endswith(
        "none for person:bob in staging"
    )
    # Nobody counts whom a stranger made a member.
    story.tell(
        "access.granted", **grant | {"actor": "person:eve"}, by="person:eve", grant_id="C-9", principal="person:dora"
    )
    assert "policy-cannot-be-satisfied" in found(story)


def test_a_quorum_without_a_role_needs_as_many_others_beside_whoever_is_the_author() -> None:
    story = opened()
    publish(story, ("quorum", "high", "3"))
    # Alice, bob and carol are there: for each of them two others.
    assert finding(story, "policy-cannot-be-satisfied", "change-approval").says == (
        "change-approval 1 asks for 3 people (high): not enough but person:alice"
    )
    dora = {"grant_id": "D", "principal": "person:dora"}
    story.tell("access.granted", actor="person:olga", **dora, principal_kind="human", role="reader")
    assert found(story) == {}
    story.tell("access.revoked", actor="person:olga", **dora)
    assert "policy-cannot-be-satisfied" in found(story)
    # Of whom a directory tells, not all are on record.
    story.tell("ledger.source_enrolled", actor="person:root", source="hr", door="events", principal="service:hr",
               must_sign=False, authority_for=["person:*"], by="service:ledger", token="key:story")  # fmt: skip
    assert found(story) == {}


def test_a_role_by_type_and_a_quorum_by_band_are_asked_for_together() -> None:
    story = opened()
    grant = {"actor": "person:olga", "principal_kind": "human", "role": "cab"}
    for who in ("bob", "carol"):
        story.tell("access.granted", **grant, grant_id=f"C-{who}", principal=f"person:{who}")
    publish(story, ("required-role", "normal", "cab"), ("quorum", "high", "2"))
    assert finding(story, "policy-cannot-be-satisfied", "change-approval").says == (
        "change-approval 1 asks for 2 of cab (normal high): none for person:bob"
    )


def test_the_board_has_to_have_members_where_a_band_asks_for_it() -> None:
    story = opened()
    publish(story, ("board-band", "any", "high"), ("board-quorum", "any", "1"))
    assert finding(story, "policy-cannot-be-satisfied", "change-approval").says.endswith(
        "asks for 1 of cab (high): none for anybody"
    )


def test_a_version_that_is_not_in_force_any_more_is_not_asked_for() -> None:
    story = opened()
    publish(story, ("required-role", "high", "cab"))
    assert found(story) == {"policy-cannot-be-satisfied": ["change-approval"]}
    publish(story, ("quorum", "any", "1"), version="2")
    assert found(story) == {}


def test_a_missing_approval_is_asked_for_and_says_which_do_not_count() -> None:
    story = ready_to_deploy("normal", ("quorum", "low", "2"))
    approve(story, "person:alice")
    decision = ask(story)
    assert against(decision)["change-is-approved"] == ("needs_approval", "quorum")
    words = next(a.words for a in decision.answers if a.rule == "change-is-approved")
    assert words == "1 approval by release-approver missing; do not count: person:alice: S1: person:alice is the author"


def test_a_role_that_the_policy_asks_for_is_asked_for_whatever_was_requested() -> None:
    story = ready_to_deploy("normal", ("required-role", "low", "security"))
    assert against(ask(story))["change-is-approved"] == ("needs_approval", "quorum")
    words = next(a.words for a in ask(story).answers if a.rule == "change-is-approved")
    assert "S5: no grant of security was in force" in words
    deploy(story, artifact=ARTIFACT)
    assert "started-without-approval" in found(story)


def test_nobody_asks_for_fewer_approvals_than_the_policy_does() -> None:
    story = ready_to_deploy("normal", ("quorum", "any", "2"))
    request(story, quorum=1)
    assert against(ask(story))["change-is-approved"] == ("needs_approval", "quorum")


def test_from_a_band_of_risk_on_the_board_is_asked_too() -> None:
    story = ready_to_deploy("normal", ("board-band", "any", "low"), ("board-role", "any", "board"))
    assert against(ask(story))["change-is-approved"] == ("needs_approval", "quorum")
    story.tell("access.granted", actor="person:olga", grant_id="GR-B", principal="person:carol", principal_kind="human",
        role="board")  # fmt: skip
    approve(story, "person:carol")
    assert "change-is-approved" not in against(ask(story))


def test_an_emergency_may_start_with_one_approval() -> None:
    story = opened("emergency")
    publish(story, ("quorum", "any", "2"))
    define_trigger(story)
    assert against(ask(story))["change-is-approved"] == ("needs_approval", "quorum")
    request(story, quorum=2)
    approve(story)
    assert ask(story).verdict == "allow"


@pytest.mark.parametrize(
    ("actor", "found"),
    [
        ("person:carol", {}),
        ("person:alice", {"approval-would-count": ("deny", "S1")}),
        ("person:zoe", {"approval-would-count": ("deny", "S4")}),
        ("service:bot", {"approval-would-count": ("deny", "S4")}),
    ],
)
def test_an_approver_may_ask_beforehand(actor: str, found: dict[str, Any]) -> None:
    assert against(ask(ready_to_deploy(), "approve", actor=actor)) == found


def test_a_gate_needs_a_policy_that_somebody_else_than_its_author_approved() -> None:
    story = opened()
    assert against(ask(story))["policy-is-in-force"] == ("insufficient_evidence", "no-policy")
    policy = {"policy_id": "change-approval", "version": "1", "policy_digest": OTHER}
    settings = [{"name": "quorum", "applies_to": "any", "value": "1"}]
    story.tell("policy.published", actor="person:olga", **policy, settings=settings)
    story.tell("policy.approved", actor="person:olga", **policy)
    assert against(ask(story))["policy-is-in-force"] == ("insufficient_evidence", "no-policy")
    story.tell("policy.approved", actor="person:oscar", **policy)
    assert "policy-is-in-force" not in against(ask(story))


def test_without_a_policy_in_force_no_gate_allows() -> None:
    story = opened()
    assert against(ask(story, "approve", actor="person:bob")) == {
        "policy-is-in-force": ("insufficient_evidence", "no-policy"),
        "change-waits-for-approval": ("insufficient_evidence", "assessing"),
        "risk-comes-out-again": ("insufficient_evidence", "not-assessed"),
    }


def test_a_change_that_runs_already_waits_for_no_approval() -> None:
    story = ready_to_deploy()
    deploy(story)
    found = against(ask(story, "approve", actor="person:carol"))
    assert found["change-waits-for-approval"] == ("deny", "reviewing")


def test_an_emergency_is_not_closed_while_approvals_are_owed() -> None:
    story = emergency()
    publish(story, ("quorum", "any", "2"))
    assert against(ask(story, "close"))["approvals-are-not-owed"] == ("needs_approval", "retro")
    approve(story, "person:carol")
    assert "approvals-are-not-owed" not in against(ask(story, "close"))


# -- that it has begun lets nobody go on -----------------------------------------------------------------------------------


def standard() -> Story:
    """A standard change that rests on its template."""
    story = Story()
    story.tell(
        "access.granted", actor="person:olga", grant_id="GR", principal="person:bob", principal_kind="human",
        role="release-approver",
    )  # fmt: skip
    publish(story)
    define_trigger(story)
    story.tell(
        "template.approved", actor="person:olga", template_id="T", failure_limit=9, expires_at=at(5000),
        by="service:ledger", token="key:story",
    )  # fmt: skip
    open_change(story, "standard", template_id="T")
    assert ask(story).verdict == "allow"
    return story


def begin(story: Story, hours: float | None = None) -> None:
    """A pipeline says that something of the change was put somewhere, where nobody needs leave."""
    story.tell(
        "deployment.started", actor="service:mallory", deployment_id="d-9", service="api", environment="staging",
        change_id="CHG-7", artifact=ARTIFACT, time=at(hours) if hours is not None else None,
    )  # fmt: skip


def test_a_standard_change_that_was_sent_back_is_let_go_on_by_nobody_who_says_that_it_has_begun() -> None:
    story = standard()
    story.tell("approval.rejected", actor="person:bob", change_id="CHG-7")
    for hours in (None, 3):
        begin(story, hours)
        assert story.row(change_tickets, "CHG-7").state == "implementing"
        assert set(against(ask(story))) == {"change-may-start", "change-is-approved"}
    # And what is done for it all the same is found.
    deploy(story, artifact=ARTIFACT)
    assert found(story)["started-without-approval"] == ["CHG-7"]


def test_a_standard_change_that_is_amended_and_not_submitted_rests_on_no_template() -> None:
    story = standard()
    story.tell("change.scope_amended", actor="person:alice", change_id="CHG-7", artifacts=[OTHER])
    deploy(story, artifact=OTHER)
    assert found(story)["started-without-approval"] == ["CHG-7"]
    # Nor does one that was never submitted, of a template that nobody knows.
    story = Story()
    story.tell("change.opened", actor="person:alice", change_id="CHG-7", change_type="standard", services=["api"],
        environment="prod", title={"sha256": "0" * 64})  # fmt: skip
    story.tell("change.scope_amended", actor="person:alice", change_id="CHG-7", artifacts=[OTHER])
    deploy(story, artifact=OTHER)
    assert found(story)["started-without-approval"] == ["CHG-7"]


@pytest.mark.parametrize("ended", ["expired", "retired"])
def test_no_date_of_a_submission_brings_a_template_back(ended: str) -> None:
    story = standard()
    valid = at(len(story.log))
    operator = {"actor": "person:olga", "template_id": "T"}
    if ended == "expired":
        story.tell("template.approved", **operator, failure_limit=9, expires_at=at(len(story.log) + 2))
        pass_time(story, 3)
    else:
        story.tell("template.retired", **operator)
    open_change(story, "standard", "CHG-8", template_id="T")
    story.tell("change.submitted", actor="person:alice", change_id="CHG-8", artifacts=[ARTIFACT], time=valid)
    refused = against(ask(story, hours=40, change_id="CHG-8"))
    assert refused["change-is-approved"] == ("needs_approval", "quorum")
    deploy(story, "d-8", "CHG-8", artifact=ARTIFACT)
    assert found(story)["started-without-approval"] == ["CHG-8"]


def test_nobody_dates_a_beginning_back_to_where_less_was_asked_for() -> None:
    story = ready_to_deploy()
    publish(story, ("quorum", "any", "2"), version="2")
    for hours in (None, len(story.log) - 3):
        begin(story, hours)
        assert set(against(ask(story, hours=40))) == {"change-may-start", "change-is-approved"}
    approve(story, "person:carol")
    assert against(ask(story, hours=40)) == {}


def test_nobody_dates_a_beginning_back_to_before_the_change_was_cancelled() -> None:
    story = ready_to_deploy()
    story.tell("change.cancelled", actor="person:alice", change_id="CHG-7")
    begin(story, len(story.log) - 3)
    assert story.row(change_tickets, "CHG-7").state == "cancelled"
    assert ask(story, hours=40).verdict == "deny"


def test_who_asks_for_approvals_once_more_takes_back_their_own_request_and_no_others() -> None:
    story = ready_to_deploy()
    request(story, quorum=2, by="person:rita")
    assert against(ask(story))["change-is-approved"] == ("needs_approval", "quorum")
    for who in ("person:alice", "service:ci"):
        request(story, quorum=1, by=who)
        assert against(ask(story))["change-is-approved"] == ("needs_approval", "quorum")
    request(story, quorum=1, by="person:rita")
    assert ask(story).verdict == "allow"


@pytest.mark.parametrize(("kind", "is_own"), [("human", True), ("service", False)])
def test_who_opens_a_change_in_anothers_name_does_not_approve_it(kind: str, is_own: bool) -> None:
    story = opened()
    publish(story)
    issue(story, "person:bob", kind=kind)
    about = {"actor": "person:zoe", "by": "person:bob", "token": "token:person.bob"}
    story.tell("change.submitted", **about, **CHG, artifacts=[ARTIFACT])
    assess(story)
    approve(story, token="token:person.bob")
    row = story.row(change_tickets, "CHG-7")
    assert row.approvals[0].why.startswith("S1:" if is_own else "S4:")
    assert ("person:bob" in row.authors) is is_own


# -- planted in the year -------------------------------------------------------------------------------------------------


def test_a_policy_that_sets_what_means_nothing_is_found_until_another_version_is_published_and_in_force() -> None:
    story = opened()
    publish(story, ("quorm", "any", "2"), ("quorum", "high", "two"), ("verification", "dev", "optional"))
    row = finding(story, "policy-sets-what-means-nothing", "change-approval")
    assert row.says == (
        "change-approval 1 sets what means nothing: quorm: nothing reads it; quorum: two is no whole number"
    )
    publish(story, ("quorum", "any", "2"), version="2")
    assert found(story) == {}


def plant_a_policy_with_a_setting_that_nothing_reads(year: Year) -> set[str]:
    year.say(START + 11 * DAY, "policy.published", actor="person:olga", policy_id="misspelt", version="1",
        policy_digest=year.digest(), settings=[{"name": "quorm", "applies_to": "any", "value": "2"}])  # fmt: skip
    return {"policy-sets-what-means-nothing/misspelt"}


def plant_an_approval_of_ones_own(year: Year, change: Change) -> set[str]:
    change.author = change.approver
    return {f"approval-of-ones-own/{change.id}", f"started-without-approval/{change.id}"}


def plant_an_approval_of_ones_own_under_another_login(year: Year, change: Change) -> set[str]:
    """The author approves under a login that is linked at the end of the year."""
    change.author = f"github:{change.id[4:]}"
    year.say(START + (DAYS - 5) * DAY, "identity.linked", actor="person:olga",
        identities=[change.author, change.approver], evidence="hr")  # fmt: skip
    return {f"approval-of-ones-own/{change.id}", f"started-without-approval/{change.id}"}


def plant_an_approval_without_a_role(year: Year, change: Change) -> set[str]:
    change.approver = f"person:stranger-{change.id}"
    return {f"approval-without-standing/{change.id}", f"started-without-approval/{change.id}"}


def plant_an_approval_that_is_not_given(year: Year, change: Change) -> set[str]:
    change.is_approved = change.is_deployed = False
    return {f"approval-overdue/{change.id}"}


def plant_an_emergency_that_one_person_approved(year: Year, change: Change) -> set[str]:
    """The second approval never comes."""
    change.kind = "emergency"
    return {f"retro-approval-overdue/{change.id}"}


def plant_two_who_approve_each_other(year: Year) -> set[str]:
    one, other = (year.new_change(START + 40 * DAY + hours * HOUR) for hours in (0, 50))
    for change in (one, other):
        change.kind, change.release, change.may_fail = "normal", "R-circle", False
    one.author, one.approver = "person:t0-lead-0", "person:t0-lead-1"
    other.author, other.approver = one.approver, one.author
    year.tell_change(one)
    year.tell_change(other)
    return {f"circular-approval/{one.id}", f"circular-approval/{other.id}"}


def plant_a_policy_that_nobody_can_satisfy(year: Year) -> set[str]:
    year.say(START + 10 * DAY, "policy.published", actor="person:olga", policy_id="too-strict", version="1",
        policy_digest=year.digest(), settings=[{"name": "required-role", "applies_to": "any", "value": "board"}])  # fmt: skip
    return {"policy-cannot-be-satisfied/too-strict"}

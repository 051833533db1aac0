"""Change tickets: given these facts, the ticket stands here, and this approval counts for that reason."""

import pytest
from changes import ARTIFACT, CHG, OTHER, SCOPE, approve, assess, deploy, found, open_change, opened, request, review
from people import enrol
from telling import Story, at

from projections.readings.changes.facts import change_facts
from projections.readings.changes.scopes import change_scopes
from projections.readings.changes.templates import templates
from projections.readings.changes.ticket import Ticket
from projections.readings.changes.tickets import change_tickets
from projections.readings.delivery.deployments import deployments
from projections.readings.people.sources import authorities
from projections.readings.risk.outcomes import base_rates, outcomes


def ticket(story: Story, change: str = "CHG-7") -> Ticket:
    row: Ticket = story.row(change_tickets, change)
    return row


def reason(story: Story) -> str:
    """Why the last approval does not count."""
    last = ticket(story).approvals[-1]
    assert last.counts == (not last.why)
    return last.why


def test_a_normal_change_goes_from_draft_to_closed() -> None:
    story = opened()
    states = [ticket(story).state]
    assess(story)
    states.append(ticket(story).state)
    request(story)
    position = approve(story)
    states.append(ticket(story).state)
    assert (ticket(story).approved_position, ticket(story).missing_approvals) == (position, 0)
    story.tell("deployment.started", deployment_id="d-1", service="api", environment="prod", **CHG)
    states.append(ticket(story).state)
    story.tell("deployment.finished", deployment_id="d-1", outcome="success")
    states.append(ticket(story).state)
    review(story)
    row = ticket(story)
    assert [*states, row.state] == ["assessing", "authorizing", "scheduled", "implementing", "reviewing", "closed"]
    assert (row.outcome, row.reviewed_by, row.deployments) == ("successful", "person:carol", ("d-1",))
    assert story.row(change_facts, "CHG-7").last_fact_position == len(story.log)


def test_an_amended_scope_voids_the_approvals_and_is_a_draft_again() -> None:
    story = opened()
    assess(story)
    approve(story)
    story.tell("change.scope_amended", actor="person:alice", **CHG, artifacts=[OTHER])
    row = ticket(story)
    assert (row.state, row.approved_position, row.missing_approvals) == ("draft", None, 1)
    assert reason(story) == "S3: the scope is another one now"
    story.tell("change.submitted", actor="person:alice", **CHG, artifacts=[OTHER])
    assess(story)
    assert ticket(story).state == "authorizing"
    approve(story)
    assert ticket(story).state == "scheduled"


def test_a_scope_that_is_submitted_again_with_the_same_content_keeps_its_approvals() -> None:
    story = opened()
    assess(story)
    approve(story)
    story.tell("change.submitted", actor="person:alice", **CHG, artifacts=[ARTIFACT])
    assess(story)
    assert ticket(story).state == "scheduled"


def test_an_approval_is_of_what_the_scope_says_and_not_of_what_is_stated_as_its_digest() -> None:
    story = opened()
    assess(story)
    story.tell("change.submitted", actor="person:alice", **CHG, scope_digest=SCOPE, artifacts=[ARTIFACT])
    approve(story, digest=SCOPE)
    story.tell("change.submitted", actor="person:alice", **CHG, scope_digest=SCOPE, artifacts=[OTHER])
    assert reason(story) == "S3: the scope is another one now"


def test_an_approval_names_the_digest_that_the_ledger_computed() -> None:
    story = opened()
    digest = story.row(change_scopes, "CHG-7").versions[-1].digest
    approve(story, digest=digest)
    assert reason(story) == ""
    approve(story, "person:carol", digest=OTHER)
    assert reason(story) == "S3: the scope is another one now"


def test_an_old_assessment_is_not_of_the_new_scope() -> None:
    story = opened()
    assess(story)
    story.tell("change.submitted", actor="person:alice", **CHG, artifacts=[OTHER])
    assert ticket(story).state == "assessing"


@pytest.mark.parametrize("login", ["person:alice", "github:1"])
def test_the_author_does_not_approve_under_any_login(login: str) -> None:
    story = opened()
    grant = {"actor": "person:olga", "grant_id": "GR-9", "principal": login, "principal_kind": "human"}
    story.tell("access.granted", **grant, role="release-approver")
    story.tell("identity.linked", actor="person:olga", identities=["person:alice", "github:1"], evidence="hr")
    assess(story)
    approve(story, login)
    assert reason(story).startswith("S1: ")
    assert ticket(story).state == "authorizing"


@pytest.mark.parametrize("first", ["person:alice", "person:bob"])
def test_nobody_who_opened_a_change_approves_it_though_another_opens_it_again(first: str) -> None:
    story = opened(actor=first)
    open_change(story, actor="person:alice" if first == "person:bob" else "person:bob")
    assess(story)
    approve(story, "person:bob")
    assert reason(story).startswith("S1: ")
    assert ticket(story).state == "authorizing"
    assert found(story)["opened-twice"] == ["CHG-7"]
    assert found(story)["approval-of-ones-own"] == ["CHG-7"]


def test_a_link_that_comes_later_shows_that_the_author_approved_and_so_does_a_withdrawal_of_it() -> None:
    story = opened()
    story.tell(
        "access.granted", actor="person:olga", grant_id="GR-9", principal="github:1", principal_kind="human",
        role="release-approver",
    )  # fmt: skip
    assess(story)
    approve(story, "github:1")
    assert reason(story) == ""
    linked = story.tell("identity.linked", actor="person:olga", identities=["person:alice", "github:1"], evidence="hr")
    assert reason(story).startswith("S1: ")
    assert ticket(story).state == "authorizing"
    story.tell("statement.withdrawn", actor="service:desk", position=linked, reason="x")
    assert ticket(story).state == "scheduled"


def test_a_machine_does_not_approve() -> None:
    story = opened()
    approve(story, "service:bot")
    assert reason(story) == "S4: service:bot is not known to be a human"


def test_the_role_must_be_held_at_the_time_of_the_approval() -> None:
    story = opened()
    request(story)
    story.tell("access.revoked", actor="person:olga", grant_id="GR-1", principal="person:bob")
    approve(story)
    assert reason(story) == "S5: no grant of release-approver was in force"
    approve(story, "person:carol")
    assert reason(story) == ""
    # A revocation later on does not void what was approved before.
    story.tell("access.revoked", actor="person:olga", grant_id="GR-2", principal="person:carol")
    assert reason(story) == ""


def test_a_quorum_is_of_distinct_people() -> None:
    story = opened()
    story.tell("identity.linked", actor="person:olga", identities=["person:bob", "github:2"], evidence="hr")
    story.tell(
        "access.granted", actor="person:olga", grant_id="GR-9", principal="github:2", principal_kind="human",
        role="release-approver",
    )  # fmt: skip
    assess(story, "high")
    request(story, quorum=2)
    approve(story)
    approve(story, "github:2")
    assert (reason(story), ticket(story).missing_approvals, ticket(story).state) == ("", 1, "authorizing")
    approve(story, "person:carol")
    assert ticket(story).state == "scheduled"


def test_an_approval_reported_by_somebody_else_counts_from_an_authority_only() -> None:
    story = opened()
    approve(story, by="service:desk")
    assert reason(story) == "S12: service:desk may not speak for person:bob"
    story.tell(
        "ledger.source_enrolled", actor="person:olga", source="test", door="events", principal="service:desk",
        must_sign=False, authority_for=["person:*"],
    )  # fmt: skip
    assert story.row(authorities, "events:test").identities == ("person:*",)
    approve(story, by="service:desk")
    assert reason(story) == ""
    story.tell("ledger.source_retired", actor="person:olga", source="test", door="events")
    approve(story, by="service:desk")
    assert reason(story).startswith("S12")


def test_who_deploys_to_production_is_not_who_approved() -> None:
    story = opened()
    assess(story)
    approve(story)
    deploy(story, actor="person:bob")
    assert reason(story) == "S2: person:bob deployed it"
    assert ticket(story).missing_approvals == 1


def test_a_rejection_and_a_revert_go_back_to_draft_and_withdraw_what_was_approved() -> None:
    story = opened()
    assess(story)
    request(story, quorum=2)
    approve(story)
    story.tell("approval.rejected", by="person:carol", actor="person:carol", **CHG)
    assert [(a.verdict, a.why) for a in ticket(story).approvals] == [
        ("granted", "withdrawn"),
        ("rejected", "it is a rejection"),
    ]
    assert ticket(story).state == "draft"


def test_an_approval_that_is_withdrawn_takes_the_ticket_back() -> None:
    story = opened()
    assess(story)
    approve(story)
    story.tell("approval.withdrawn", by="person:bob", actor="person:bob", **CHG)
    assert (ticket(story).state, reason(story)) == ("authorizing", "withdrawn")


def test_an_escalated_change_needs_the_higher_role() -> None:
    story = opened()
    assess(story, "high")
    story.tell("change.escalated", actor="person:alice", **CHG, to_role="change-board")
    story.tell(
        "access.granted", actor="person:olga", grant_id="GR-9", principal="person:bob", principal_kind="human",
        role="change-board",
    )  # fmt: skip
    approve(story, "person:carol")
    assert (reason(story), ticket(story).missing_approvals, ticket(story).state) == ("", 1, "authorizing")
    story.tell("approval.granted", by="person:bob", actor="person:bob", **CHG, role="change-board")
    assert ticket(story).state == "scheduled"


# -- standard, emergency, unauthorised ---------------------------------------------------------------------------------


def template(story: Story, until: float = 1000, failures: int = 0) -> None:
    story.tell(
        "template.approved", actor="person:carol", template_id="routine", expires_at=at(until), failure_limit=failures
    )


def test_a_standard_change_rests_on_a_template_that_is_valid() -> None:
    story = Story()
    template(story)
    assert story.row(templates, "routine").failure_limit == 0
    open_change(story, "standard", template_id="routine")
    assert ticket(story).state == "scheduled"


@pytest.mark.parametrize(
    ("until", "named", "fault"),
    [(1, "routine", "expired"), (1000, "unheard", "no approved template"), (1000, None, None)],
)
def test_without_one_it_is_assessed_like_a_normal_change(until: float, named: str | None, fault: str | None) -> None:
    story = Story()
    template(story, until)
    open_change(story, "standard", **({"template_id": named} if named else {}))
    assert ticket(story).state == "assessing"
    assert (fault or "no approved template") in (ticket(story).template_fault or "")


def test_who_may_not_approve_a_template_neither_makes_one_nor_ends_one() -> None:
    story = opened()
    about = {"template_id": "routine", "actor": "person:paul", "by": "person:paul"}

    def fault_of(change: str) -> str:
        open_change(story, "standard", change, template_id="routine")
        return story.row(change_tickets, change).template_fault or ""

    story.tell("template.approved", **about, expires_at=at(1000), failure_limit=0)
    assert fault_of("CHG-8").startswith("the approval of template routine does not count: without power")
    template(story)
    story.tell("template.retired", **about)
    assert fault_of("CHG-9") == ""
    story.tell("template.retired", template_id="routine", actor="person:olga")
    assert fault_of("CHG-10") == "template routine is retired"


def test_a_template_whose_changes_failed_too_often_carries_no_more_of_them() -> None:
    story = Story()
    template(story)
    open_change(story, "standard", template_id="routine")
    deploy(story)
    review(story, outcome="backed_out", rolled_back=True)
    open_change(story, "standard", "CHG-8", template_id="routine")
    assert ticket(story, "CHG-8").template_fault == "template routine failed 1 time, of 0 allowed"


def test_an_emergency_starts_with_one_approval_and_owes_the_others() -> None:
    story = opened("emergency")
    assess(story, "high")
    request(story, quorum=2)
    approve(story)
    assert ticket(story).state == "scheduled"
    deploy(story)
    row = ticket(story)
    assert (row.retro, row.retro_due_at) == ("due", at(11 + 24))
    approve(story, "person:carol")
    assert ticket(story).retro == "on_time"


def test_a_late_approval_of_an_emergency_is_never_on_time_whatever_time_it_claims() -> None:
    story = opened("emergency")
    deploy(story)
    started = ticket(story).started_at
    for _ in range(24):
        story.tell("ledger.time_passed", until=at(0))
    approve(story, time=started)
    row = ticket(story)
    assert row.approvals[-1].at < (row.retro_due_at or "") < row.approvals[-1].recorded_at
    assert (row.retro, row.missing_approvals) == ("late", 0)


def test_an_unauthorised_change_is_there_to_be_reviewed() -> None:
    story = Story()
    deploy(story, change=None)
    open_change(story, "unauthorized")
    story.tell("change.linked", actor="person:alice", **CHG, deployment_id="d-1")
    row = ticket(story)
    assert (row.state, row.deployments, row.deployed_by) == ("reviewing", ("d-1",), ("service:ci",))


def test_a_deployment_without_approval_is_a_fact_and_moves_the_ticket() -> None:
    story = opened()
    deploy(story)
    assert ticket(story).state == "reviewing"
    assert ticket(story).missing_approvals == 1


def test_nothing_is_cancelled_after_the_start() -> None:
    story = opened()
    story.tell("change.cancelled", actor="person:alice", **CHG)
    assert ticket(story).state == "cancelled"
    story = opened()
    deploy(story)
    story.tell("change.cancelled", actor="person:alice", **CHG)
    assert ticket(story).state == "reviewing"


def test_who_deployed_a_risky_change_does_not_close_it_with_a_review_of_their_own() -> None:
    story = opened()
    assess(story, "high")
    deploy(story, actor="person:carol")
    review(story, "person:carol")
    assert ticket(story).state == "reviewing"
    review(story, "person:bob")
    assert ticket(story).state == "closed"


# -- deployments that do not name their change ---------------------------------------------------------------------------


def test_a_deployment_is_tied_to_the_change_that_names_its_artifact() -> None:
    story = opened()
    open_change(story, change="CHG-8")
    deploy(story, change=None, artifact=ARTIFACT)
    assert (story.row(deployments, "d-1").change_id, story.row(deployments, "d-1").linked_by) == ("CHG-7", "digest")
    assert ticket(story).state == "reviewing"


def test_a_deployment_is_tied_to_the_change_planned_for_that_time_unless_there_are_two() -> None:
    story = opened()
    story.tell("change.scheduled", **CHG, planned_start=at(0), planned_end=at(100))
    deploy(story, change=None, artifact=None)
    assert (story.row(deployments, "d-1").change_id, story.row(deployments, "d-1").linked_by) == ("CHG-7", "window")
    open_change(story, change="CHG-8")
    story.tell("change.scheduled", change_id="CHG-8", planned_start=at(0), planned_end=at(100))
    deploy(story, "d-2", change=None, artifact=None)
    assert story.row(deployments, "d-2").change_id is None


def test_another_environment_is_no_fit() -> None:
    story = opened()
    story.tell("change.scheduled", **CHG, planned_start=at(0), planned_end=at(100))
    story.tell("deployment.started", deployment_id="d-1", service="api", environment="staging")
    assert story.row(deployments, "d-1").change_id is None


# -- outcomes -------------------------------------------------------------------------------------------------------------


def test_a_failure_stands_until_who_has_the_power_says_otherwise_and_a_correction_counts_before_an_earlier_label() -> (
    None
):
    story = opened()
    review(story, outcome="backed_out", rolled_back=True)
    assert story.row(outcomes, "CHG-7").label == "failure"
    # What somebody found takes who has the power back, and who found it.
    story.tell("risk.outcome_labelled", actor="service:desk", **CHG, label="success")
    assert story.row(outcomes, "CHG-7").label == "failure"
    enrol(story, "service:desk", types=("risk.outcome_labelled",))
    story.tell("risk.outcome_labelled", actor="service:desk", **CHG, label="success")
    assert story.row(outcomes, "CHG-7").label == "success"
    story.tell("risk.outcome_labelled", actor="service:desk", **CHG, label="failure", corrects=1)
    for scope in ("api/prod/normal", "service:api", "all"):
        row = story.row(base_rates, scope)
        assert (row.changes, row.failures, len(row.days)) == (1, 1, 1)


def test_a_label_that_was_taken_back_counts_no_more() -> None:
    story = opened()
    wrong = story.tell("risk.outcome_labelled", actor="service:desk", **CHG, label="failure")
    story.tell("risk.outcome_labelled", actor="service:desk", **CHG, label="success")
    taken = story.tell("statement.withdrawn", actor="service:desk", position=wrong, reason="wrong-change")
    row = story.row(base_rates, "all")
    assert (row.changes, row.failures) == (1, 0)
    assert story.row_as_of(base_rates, "all", taken) == row
    assert story.row_as_of(base_rates, "all", wrong).failures == 1
    assert story.row(outcomes, "CHG-7").label == "success"

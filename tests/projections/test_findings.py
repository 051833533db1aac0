"""Findings: given these facts, this rule is broken; and when that was recorded, and what resolved it."""

from typing import Any

import pytest
from changes import ARTIFACT, CHG, OTHER, SCOPE, approve, assess, deploy, open_change, opened, request, review
from telling import Story, at, retold

from projections.engine.derived import Finding
from projections.findings import findings


def found(story: Story) -> dict[str, list[str]]:
    """The open findings: subjects by rule."""
    story.flush()
    rows = [findings.load(text) for text in story.store.texts(findings)]
    by_rule: dict[str, list[str]] = {}
    for row in rows:
        if row.is_open:
            by_rule.setdefault(row.rule, []).append(row.subject)
    return by_rule


def finding(story: Story, rule: str, subject: str) -> Finding:
    row: Finding = story.row(findings, f"{rule}/{subject}")
    return row


def ready(kind: str = "normal", **more: Any) -> Story:
    story = opened(kind, **more)
    assess(story)
    request(story)
    approve(story)
    return story


def pass_time(story: Story, hours: int) -> None:
    for _ in range(hours):
        story.tell("ledger.time_passed", until=at(0))


def test_a_change_by_the_book_is_no_finding() -> None:
    story = ready()
    deploy(story, artifact=ARTIFACT)
    review(story)
    pass_time(story, 50)
    assert found(story) == {}


# -- deployments --------------------------------------------------------------------------------------------------------


def test_a_deployment_without_a_change_is_found_until_it_is_linked() -> None:
    story = Story()
    deploy(story, change=None)
    assert found(story) == {"deployment-without-change": ["d-1"]}
    linked = story.tell("change.linked", actor="person:ann", change_id="CHG-7", deployment_id="d-1")
    row = finding(story, "deployment-without-change", "d-1")
    assert (row.is_open, row.first_seen_position, row.resolved_position) == (False, 1, linked)
    assert (row.severity, row.says) == ("high", "d-1 put api into prod without a change")
    assert [(change.position, change.is_open) for change in row.changes] == [(1, True), (2, True), (3, False)]


def test_another_artifact_than_the_approved_one_is_found() -> None:
    story = ready()
    deploy(story, artifact=OTHER)
    assert found(story) == {"artifact-not-approved": ["d-1"]}


@pytest.mark.parametrize(("start", "is_found"), [(40, True), (1, False)])
def test_a_deployment_outside_its_window_is_found_also_when_the_window_is_told_later(
    start: int, is_found: bool
) -> None:
    story = ready()
    deploy(story)
    story.tell("change.scheduled", actor="person:alice", **CHG, planned_start=at(start), planned_end=at(50))
    assert ("outside-window" in found(story)) is is_found


def freeze(story: Story, **more: Any) -> int:
    data = {"environments": ["prod"], "start": at(1), "end": at(50), "time_zone": "UTC"} | more
    return story.tell("freeze.declared", actor="person:frank", freeze_id="F", **data)


def test_a_freeze_that_is_recorded_after_the_fact_finds_what_was_deployed_in_it() -> None:
    story = ready()
    deploy(story)
    assert found(story) == {}
    declared = freeze(story)
    assert found(story) == {"deployed-in-freeze": ["d-1"]}
    row = finding(story, "deployed-in-freeze", "d-1")
    assert (row.first_seen_position, row.says.endswith(", in freeze F, declared afterwards")) == (declared, True)
    assert declared in row.positions
    freeze(story, services=["web"])
    assert found(story) == {}


def test_what_was_let_through_a_freeze_in_time_is_none() -> None:
    story = ready()
    freeze(story)
    override: dict[str, Any] = {
        "actor": "person:frank",
        "freeze_id": "F",
        "expires_at": at(60),
        "reason": {"sha256": "0" * 64},
    }
    story.tell("freeze.override_granted", **override, **CHG, requester="person:alice")
    deploy(story)
    assert found(story) == {}
    story.tell("freeze.override_granted", **override, **CHG, requester="person:frank")
    assert found(story) == {"override-of-ones-own": ["F"]}


def test_a_deployer_without_the_role_that_the_policy_asks_for_is_found() -> None:
    story = ready()
    policy = {"policy_id": "change-approval", "version": "1", "policy_digest": OTHER}
    settings = [{"name": "deployer-role", "applies_to": "prod", "value": "deployer"}]
    story.tell("policy.published", actor="person:olga", **policy, settings=settings)
    story.tell("policy.approved", actor="person:oscar", **policy)
    deploy(story)
    assert found(story) == {"deployer-without-grant": ["d-1"]}
    # It turns out that there was one: the grant was recorded late.
    story.tell("access.granted", actor="person:olga", grant_id="G", principal="service:ci", principal_kind="service",
        role="deployer", environment="prod", time=at(0))  # fmt: skip
    assert found(story) == {}


# -- changes ------------------------------------------------------------------------------------------------------------


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


def emergency() -> Story:
    story = opened("emergency")
    request(story, quorum=2)
    approve(story)
    deploy(story)
    return story


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


# -- code ---------------------------------------------------------------------------------------------------------------

A, B = "a" * 40, "b" * 40
PULL = {"repository": "acme/api", "pull_request": 12}


def propose(story: Story, head: str = A, *authors: str) -> None:
    story.tell("code.proposed", **PULL, head_sha=head, authors=list(authors or ("person:ann",)))


def look_at(
    story: Story, who: str = "person:bob", commit: str = A, verdict: str = "approved", number: str = "1"
) -> None:
    story.tell("code_review.submitted", actor=who, **PULL, review_id=number, commit=commit, verdict=verdict)


def merge(story: Story, head: str = A) -> None:
    story.tell("code.merged", actor="person:merger", **PULL, head_sha=head, merge_sha="c" * 40)


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


# -- risk, policies and reviews -----------------------------------------------------------------------------------------


def test_a_score_that_does_not_come_out_again_is_found() -> None:
    story = opened()
    assess(story)
    story.tell("risk.assessed", **CHG, model_id="m", version="1", model_digest=OTHER, score="2", band="low",
        features=[{"name": "criticality", "value": "1"}])  # fmt: skip
    assert finding(story, "assessment-not-reproducible", "CHG-7").says == "CHG-7: score 2, recomputed 1"


def test_a_model_that_its_author_approved_is_found() -> None:
    story = opened()
    assess(story)
    model = {"actor": "person:zoe", "model_id": "m", "version": "2", "model_digest": OTHER}
    one = [{"name": "x", "value": "1"}]
    story.tell("risk.model_published", **model, form="weighted_points", features_version="1", parameters=one, bands=one)
    story.tell("risk.model_approved", **model)
    assert found(story) == {"model-approval-does-not-count": ["m/2"]}


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


def test_a_review_that_is_not_done_in_time_is_found_until_it_is_done() -> None:
    story = ready()
    deploy(story)
    story.tell("pir.opened", actor="person:frank", pir_id="PIR-7", **CHG, due_at=at(30), mandatory=True)
    pass_time(story, 30)
    assert found(story) == {"review-overdue": ["PIR-7"]}
    review(story)
    assert found(story) == {}


def access_review(story: Story, *grants: str, count: int = 3) -> None:
    story.tell("access_review.opened", actor="person:olga", review_id="Q", population_digest=OTHER,
        population_count=count, due_at=at(40))  # fmt: skip
    for number, grant in enumerate(grants):
        who = ("alice", "bob", "carol")[number]
        story.tell("access_review.item_decided", actor="person:dan", review_id="Q", grant_id=grant,
            principal=f"person:{who}", decision="keep")  # fmt: skip


def complete(story: Story) -> None:
    story.tell("access_review.completed", actor="person:olga", review_id="Q", kept=3, revoked=0)


def test_a_review_of_every_grant_by_somebody_else_is_none() -> None:
    story = opened()
    access_review(story, "GR-0", "GR-1", "GR-2")
    # Granted after the opening: not part of it, whoever decides about it.
    story.tell(
        "access.granted", actor="person:olga", grant_id="GR-9", principal="person:zoe", principal_kind="human", role="x"
    )
    complete(story)
    pass_time(story, 50)
    assert found(story) == {}


def test_what_a_review_left_out_is_found() -> None:
    story = opened()
    access_review(story, "GR-0", "GR-1", count=2)
    story.tell(
        "access.granted", actor="person:olga", grant_id="GR-9", principal="person:zoe", principal_kind="human", role="x"
    )
    story.tell("access_review.item_decided", actor="person:dan", review_id="Q", grant_id="GR-9",
        principal="person:zoe", decision="keep")  # fmt: skip
    complete(story)
    assert finding(story, "access-review-incomplete", "Q").says == (
        "Q: 1 of 3 grants without a decision that counts; opened over 2 grants, 3 were in force; "
        "decided about GR-9, not in force at the opening"
    )


def test_who_reviews_their_own_access_is_found() -> None:
    story = opened()
    access_review(story, "GR-0", "GR-1")
    story.tell("access_review.item_decided", actor="person:carol", review_id="Q", grant_id="GR-2",
        principal="person:carol", decision="keep")  # fmt: skip
    complete(story)
    assert set(found(story)) == {"own-access-reviewed", "access-review-incomplete"}


def test_a_revocation_that_does_not_come_is_found_after_seven_days() -> None:
    story = opened()
    access_review(story, "GR-0", "GR-1")
    story.tell("access_review.item_decided", actor="person:dan", review_id="Q", grant_id="GR-2",
        principal="person:carol", decision="revoke")  # fmt: skip
    complete(story)
    pass_time(story, 7 * 24 - 2)
    assert found(story) == {}
    pass_time(story, 2)
    assert found(story) == {"revocation-overdue": ["Q"]}
    story.tell("access.revoked", actor="person:olga", grant_id="GR-2", principal="person:carol")
    assert found(story) == {}


# -- the machinery ------------------------------------------------------------------------------------------------------


def test_a_statement_that_is_taken_back_resolves_what_it_showed() -> None:
    story = Story()
    deploy(story, change=None)
    for position in (1, 2):
        story.tell("statement.withdrawn", actor="service:desk", position=position, reason="x")
    assert found(story) == {}


def test_a_finding_is_had_as_it_stood() -> None:
    story = Story()
    deploy(story, change=None)
    story.tell("change.linked", actor="person:ann", change_id="CHG-7", deployment_id="d-1")
    key = "deployment-without-change/d-1"
    assert story.row_as_of(findings, key, 2).is_open
    assert not story.row_as_of(findings, key, 3).is_open
    assert story.row_as_of(findings, key, 3) == story.row(findings, key)
    assert Story().row_as_of(findings, key, 0) is None


def test_what_falls_due_is_found_whoever_folds_and_from_wherever() -> None:
    story = emergency()
    pass_time(story, 30)
    told = story.documents()
    for batch in (1, 7, 100):
        again = retold(told, batch=batch)
        assert again.digests() == story.digests()
    # A process that takes over half-way knows what the rows before it wait for.
    begun = retold(told[: len(told) - 15], batch=1)
    begun.flush()
    taken_over = Story()
    taken_over.log, taken_over.store = begun.log, begun.store
    taken_over.begin()
    for document in told[len(told) - 15 :]:
        taken_over.add(document)
    assert taken_over.digests() == story.digests()

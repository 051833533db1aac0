"""Findings about what changes are judged by: given these facts, this rule is broken; and when that was recorded, and what resolved it."""

from changes import CHG, OTHER, assess, deploy, finding, found, opened, pass_time, publish
from telling import Story, at


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


def test_who_takes_back_what_another_said_is_found_whether_it_counts_or_not() -> None:
    story = Story()
    deploy(story, change=None)
    story.tell(
        "statement.withdrawn", by="service:other", token="token:other", actor="service:other", position=1, reason="x"
    )
    row = finding(story, "withdrawal-of-anothers", "3")
    assert (row.is_open, row.positions) == (True, (1, 3))
    assert row.says == "service:other withdrew the statement at 1, which service:desk had made"
    assert found(story)["deployment-without-change"] == ["d-1"]
    story.tell("statement.withdrawn", actor="service:desk", position=1, reason="x")
    assert finding(story, "withdrawal-of-anothers", "4") is None

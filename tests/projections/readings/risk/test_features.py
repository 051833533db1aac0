"""Features that the ledger computes when a change is assessed: from what was on record by then, and from nothing else."""

from typing import Any

from scoring import DIGEST, approve, label, open_change, publish, values
from telling import Story, at

from projections.readings.risk.assessments import risk_assessments

COMMIT = "a3f5b21c" * 5
PLAN = "sha256:" + "7" * 64


def features(story: Story, *names: str, change: str = "CHG-1", **stated: str) -> dict[str, str | None]:
    """Assess a change, stating 7 of all these features; return what the ledger computed, or why it could not."""
    told = values(**dict.fromkeys(names, "7"), **stated)
    story.tell("risk.assessed", change_id=change, model_id="m", version="1", model_digest=DIGEST, features=told,
        score="1", band="low")  # fmt: skip
    seen = story.row(risk_assessments, change).assessments[-1].seen
    return {one.name: one.computed or one.missing for one in seen}


def submit(story: Story, change: str = "CHG-1", **more: Any) -> None:
    story.tell("change.submitted", actor="person:alice", change_id=change, **more)


def test_history_counts_labels_of_the_service_and_the_team_before_the_assessment() -> None:
    story = Story()
    for number, (service, outcome) in enumerate((("api", "failure"), ("web", "failure"), ("api", "success")), 2):
        open_change(story, f"CHG-{number}", service)
        label(story, outcome, f"CHG-{number}")
    open_change(story, "CHG-1")
    names = ("service_changes_90d", "service_failures_90d", "team_changes_90d", "team_failures_90d")
    expected = dict(zip(sorted(names), ("2", "1", "3", "2"), strict=True))
    assert features(story, *names) == expected
    # What is labelled later was not known then, and a row as of then says the same.
    first = len(story.log)
    label(story, "failure", "CHG-4")
    assert features(story, *names)["service_failures_90d"] == "2"
    for row in (story.row(risk_assessments, "CHG-1"), story.row_as_of(risk_assessments, "CHG-1", first)):
        assert {one.name: one.computed for one in row.assessments[0].seen} == expected


def test_the_scope_is_counted_as_it_was_submitted_last() -> None:
    story = Story()
    open_change(story, "CHG-1")
    assert features(story, "scope_services", "scope_commits") == {
        "scope_services": "1",
        "scope_commits": "its scope was not submitted",
    }
    submit(story, services=["api", "web"], environments=["prod", "eu"], commits=[COMMIT], plans=[PLAN])
    story.tell(
        "iac.plan_produced", plan=PLAN, format_version="1.2", creates=0, updates=0, destroys=2, replaces=1,
        changes=[{"address": "db", "action": "delete"}],
    )  # fmt: skip
    for service in ("api", "mail"):
        story.tell("dependency.declared", actor="person:ann", resource=service, depends_on="db", shared=False)
    found = features(
        story, "scope_services", "scope_environments", "scope_commits", "resources_destroyed", "shared_targets"
    )
    assert found == {
        "scope_services": "2",
        "scope_environments": "2",
        "scope_commits": "1",
        "resources_destroyed": "3",
        # Both services, as they change together, and what both depend on.
        "shared_targets": "3",
    }


def test_a_freeze_counts_from_who_may_declare_one_until_it_is_lifted() -> None:
    story = Story()
    open_change(story, "CHG-1")
    freeze = {"freeze_id": "F", "environments": ["prod"], "start": at(100), "end": at(200), "time_zone": "UTC"}
    story.tell("freeze.declared", by="person:paul", actor="person:paul", **freeze)
    assert features(story, "days_to_freeze") == {"days_to_freeze": "30"}
    story.tell("freeze.declared", actor="person:olga", **freeze)
    assert features(story, "days_to_freeze") == {"days_to_freeze": "3"}
    story.tell("freeze.lifted", actor="person:olga", freeze_id="F")
    assert features(story, "days_to_freeze") == {"days_to_freeze": "30"}


def test_reviewers_are_people_who_wrote_neither_the_code_nor_the_change() -> None:
    story = Story()
    open_change(story, "CHG-1")
    submit(story, commits=[COMMIT])
    assert features(story, "independent_reviewers") == {
        "independent_reviewers": f"no pull request is known of {COMMIT}"
    }
    pull = {"repository": "acme/api", "pull_request": 1}
    story.tell("code.proposed", actor="person:paul", **pull, head_sha=COMMIT, authors=["person:paul"])
    for number, who in enumerate(("person:alice", "service:bot", "person:paul", "person:bob")):
        story.tell("code_review.submitted", actor=who, **pull, review_id=str(number), commit=COMMIT, verdict="approved")
    assert features(story, "independent_reviewers") == {"independent_reviewers": "1"}


def test_a_score_rests_on_what_the_ledger_computes_and_not_on_what_is_stated() -> None:
    story = Story()
    publish(story, parameters=values(criticality="1", scope_services="2"))
    approve(story)
    open_change(story, "CHG-1")
    assess: dict[str, Any] = {"change_id": "CHG-1", "model_id": "m", "version": "1", "model_digest": DIGEST}
    for score, stated, fault in (
        ("3", {"scope_services": "1"}, ""),
        # The ledger knows it: nobody needs to state it.
        ("3", {}, ""),
        ("5", {"scope_services": "2"}, "score 5, recomputed 3 with scope_services 1"),
    ):
        story.tell("risk.assessed", **assess, score=score, band="low", features=values(criticality="1", **stated))
        assert story.row(risk_assessments, "CHG-1").assessments[-1].fault == fault
    publish(story, version="2", parameters=values(team_failures_90d="1", scope_commits="1"))
    assess |= {"version": "2", "score": "1", "band": "low"}
    story.tell("risk.assessed", **assess, features=values(team_failures_90d="1"))
    assert story.row(risk_assessments, "CHG-1").assessments[-1].fault == (
        "not computed: scope_commits (its scope was not submitted)"
    )

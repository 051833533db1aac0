"""5.6 Automated advice: what a machine said is kept, with who decided otherwise, and it never counts as an approval."""

from typing import Any

from asking import against, ask, ready_to_deploy
from telling import Story

from projections.readings.changes.advice import Advice, AdvisedAs, Adviser, advice, advisers, advisories


def test_advice_is_kept_with_who_decided_otherwise_and_what_came_of_it() -> None:
    story = Story()
    about = {"actor": "service:adviser", "change_id": "CHG-7"}
    told = story.tell("advisory.issued", **about, verdict="reject", reasons=["coverage"])
    override = {"change_id": "CHG-7", "actor": "person:bob", "reason": {"sha256": "0" * 64}}
    story.tell("advisory.overridden", **override, advisory=told + 7)
    assert not story.row(advice, "CHG-7").is_overridden
    story.tell("advisory.overridden", **override, advisory=told)
    story.tell("risk.outcome_labelled", actor="service:desk", change_id="CHG-7", label="failure")
    found: Advice = story.row(advice, "CHG-7")
    assert (found.verdict, found.is_overridden, found.label) == ("reject", True, "failure")
    assert found.advisories[0].overridden_by == "person:bob"
    story.tell("advisory.issued", **about, verdict="approve", reasons=["tests"])
    assert not story.row(advice, "CHG-7").is_overridden


def advise(
    story: Story, change: str, verdict: str, *, version: str | None = "1", by: str | None = None, **more: Any
) -> None:
    """Advise on a change, and let somebody decide otherwise, if anybody does."""
    rules = {"policy_id": "advice", "policy_version": version} if version is not None else {}
    told = story.tell(
        "advisory.issued", actor="service:adviser", change_id=change, verdict=verdict, reasons=["x"], **rules
    )
    if by is not None:
        story.tell(
            "advisory.overridden", actor=by, change_id=change, advisory=told, reason={"sha256": "0" * 64}, **more
        )


def label(story: Story, change: str, outcome: str) -> None:
    story.tell("risk.outcome_labelled", actor="service:desk", change_id=change, label=outcome)


def test_advisers_are_counted_by_version_with_what_came_of_deciding_otherwise() -> None:
    story = Story()
    for number, (verdict, by, outcome) in enumerate(
        (
            ("reject", "person:bob", "failure"),
            ("reject", "person:bob", "success"),
            ("reject", "person:bob", None),
            ("reject", None, "failure"),
            ("approve", None, "success"),
        )
    ):
        advise(story, f"CHG-{number}", verdict, by=by)
        if outcome is not None:
            label(story, f"CHG-{number}", outcome)
    advise(story, "CHG-9", "approve", version="2")
    advise(story, "CHG-9", "approve", version=None)
    row: Adviser = story.row(advisers, "service:adviser@advice/1")
    assert (row.adviser, row.policy_version, row.changes, row.overridden) == ("service:adviser", "1", 5, 3)
    assert (row.override_rate, row.overridden_failure_rate) == ("0.6000", "0.5000")
    assert row.verdicts == (AdvisedAs("approve", 1, 0, kept_succeeded=1), AdvisedAs("reject", 4, 3, 1, 1, 1))
    assert story.row(advisers, "service:adviser@advice/2").changes == 1
    assert story.row(advisers, "service:adviser@unversioned").override_rate == "0.0000"
    # A corrected outcome corrects the counts.
    label(story, "CHG-1", "failure")
    assert story.row(advisers, "service:adviser@advice/1").overridden_failure_rate == "1.0000"


def test_a_change_counts_once_however_often_a_pipeline_asked_and_overriding_counts_from_humans_alone() -> None:
    story = Story()
    advise(story, "CHG-7", "reject", by="person:bob")
    advise(story, "CHG-7", "approve")
    advise(story, "CHG-8", "reject", by="service:bot")
    row: Adviser = story.row(advisers, "service:adviser@advice/1")
    assert (row.changes, row.overridden) == (2, 1)
    assert row.verdicts == (AdvisedAs("reject", 2, 1),)
    assert len(story.row(advisories, "CHG-8").overrides) == 1
    assert story.row(advice, "CHG-8").advisories[0].overridden_by is None


def test_advice_to_approve_is_no_approval_and_a_machine_may_give_none() -> None:
    story = ready_to_deploy("normal", ("quorum", "low", "2"))
    missing = against(ask(story))
    story.tell("advisory.issued", actor="service:adviser", change_id="CHG-7", verdict="approve", reasons=["tests"])
    assert (
        against(ask(story))
        == missing
        == {
            "change-may-start": ("needs_approval", "authorizing"),
            "change-is-approved": ("needs_approval", "quorum"),
        }
    )
    assert against(ask(story, "approve", actor="service:adviser"))["approval-would-count"] == ("deny", "S4")

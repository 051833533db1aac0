"""5.6 Automated advice: what a machine said is kept, with who decided otherwise, and it never counts as an approval."""

from asking import against, ask, ready_to_deploy
from telling import Story

from projections.readings.changes.advice import Advice, advice


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

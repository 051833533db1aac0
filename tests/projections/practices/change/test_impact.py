"""5.3 Impact assessment for shared infrastructure: given these facts, this is found, and this is answered."""

from typing import Any

from asking import against, ask, ready_to_deploy
from changes import CHG, deploy, finding, found, ready, review
from telling import Story
from year import DAY, HOUR, Change, Year

from projections.readings.changes.impacts import dependents_of, impacts, resources


def test_what_an_impact_assessment_left_out_is_found_when_the_change_is_implemented() -> None:
    story = ready()
    depend = {"actor": "person:ann", "depends_on": "db"}
    story.tell("dependency.declared", **depend, resource="api", shared=True)
    story.tell("change.impact_assessed", actor="person:alice", **CHG, targets=["db"], method="graph", dependents=[])
    assert found(story) == {}
    deploy(story)
    assert found(story) == {"impact-not-covered": ["CHG-7"]}
    assert story.row(resources, "db").is_shared
    assert story.row(impacts, "CHG-7").dependents == ()
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


def depend(story: Story, resource: str, on: str = "db", kind: str = "declared", **more: Any) -> None:
    story.tell(f"dependency.{kind}", actor="person:ann", resource=resource, depends_on=on, **more)


def assess_impact(story: Story, *dependents: str) -> None:
    story.tell(
        "change.impact_assessed", actor="person:alice", change_id="CHG-7", targets=["db"], method="graph",
        dependents=[{"resource": name, "depth": 1} for name in dependents],
    )  # fmt: skip


def test_all_that_depends_on_what_is_shared_has_to_be_assessed_directly_or_not() -> None:
    story = ready_to_deploy()
    depend(story, "api", shared=True)
    depend(story, "web", "api", shared=False)
    assert ask(story).verdict == "allow"
    assess_impact(story, "api")
    assert against(ask(story)) == {"impact-is-covered": ("deny", "not-covered")}
    assess_impact(story, "api", "web")
    assert ask(story).verdict == "allow"
    depend(story, "mail", shared=False)
    assert against(ask(story)) == {"impact-is-covered": ("deny", "not-covered")}
    depend(story, "mail", kind="removed")
    assert ask(story).verdict == "allow"


def test_a_policy_may_ask_for_an_impact_assessment() -> None:
    story = ready_to_deploy("normal", ("impact-assessment", "normal", "required"))
    assert against(ask(story)) == {"impact-is-covered": ("insufficient_evidence", "not-assessed")}
    assess_impact(story)
    assert ask(story).verdict == "allow"


# -- planted in the year -------------------------------------------------------------------------------------------------


def plant_an_assessment_that_leaves_something_out(year: Year, change: Change) -> set[str]:
    shared, user = f"db.{change.id}", f"service.{change.id}"
    at = change.begins - 20 * HOUR
    year.say(at - DAY, "dependency.declared", actor="person:dan", resource=user, depends_on=shared, shared=True)
    year.say(at, "change.impact_assessed", actor=change.author, change_id=change.id, targets=[shared], method="graph",
        dependents=[])  # fmt: skip
    return {f"impact-not-covered/{change.id}"}

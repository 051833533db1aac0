"""5.3 Impact assessment for shared infrastructure: given these facts, this is found, and this is answered."""

from collections.abc import Callable
from typing import Any

import pytest
from asking import against, ask, ready_to_deploy
from changes import ARTIFACT, CHG, deploy, finding, found, publish, ready, review
from people import enrol
from telling import Story
from year import DAY, HOUR, Change, Year

from ledger.authority import LEDGER_PRINCIPAL
from projections.readings.changes.dependencies import is_tagged, reach_of, resources
from projections.readings.changes.impacts import impacts


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
    # What was declared later could not be assessed, and what is assessed later covers nothing.
    story.tell("change.impact_assessed", actor="person:alice", **CHG, targets=["db"], method="graph",
        dependents=[{"resource": "api", "depth": 1}])  # fmt: skip
    story.tell("dependency.declared", **depend, resource="mail", shared=False)
    review(story)
    assert found(story) == {"impact-not-covered": ["CHG-7"]}
    assert finding(story, "impact-not-covered", "CHG-7").says == "CHG-7 was implemented without an assessment of api"


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
    assert reach_of(story.folder.rows, "db").dependents == set()
    story.tell("dependency.declared", **depend, shared=True)
    assert reach_of(story.folder.rows, "db").dependents == {"api"}


def depend(story: Story, resource: str, on: str = "db", kind: str = "declared", **more: Any) -> None:
    story.tell(f"dependency.{kind}", actor="person:ann", resource=resource, depends_on=on, **more)


def assess_impact(story: Story, *dependents: str, targets: list[str] | None = None, by: str | None = None) -> None:
    story.tell(
        "change.impact_assessed", by=by, actor="person:alice", change_id="CHG-7", targets=targets or ["db"],
        method="graph", dependents=[{"resource": name, "depth": 1} for name in dependents],
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


def test_what_somebody_declared_to_depend_is_taken_away_by_them_or_by_who_is_given_the_power_to() -> None:
    story = ready_to_deploy("normal", ("quorum", "any", "1"))
    assess_impact(story)
    depend(story, "web", shared=True)
    removed = {"resource": "web", "depends_on": "db"}
    story.tell("dependency.removed", **removed, actor="service:ci")
    assert against(ask(story)) == {"impact-is-covered": ("deny", "not-covered")}
    story.tell("dependency.removed", **removed, actor="person:olga", by=LEDGER_PRINCIPAL, token="key:story")
    assert against(ask(story)) == {}
    depend(story, "web", shared=True)
    publish(story, ("role-for", "dependency.removed", "curator"), ("quorum", "any", "1"), version="2")
    story.tell("access.granted", actor="person:olga", grant_id="GR-9", principal="person:carol", principal_kind="human",
        role="curator")  # fmt: skip
    story.tell("dependency.removed", **removed, actor="person:carol")
    assert reach_of(story.folder.rows, "db").dependents == set()


def test_a_policy_may_ask_for_an_impact_assessment() -> None:
    story = ready_to_deploy("normal", ("impact-assessment", "normal", "required"))
    assert against(ask(story)) == {"impact-is-covered": ("insufficient_evidence", "not-assessed")}
    assess_impact(story)
    assert ask(story).verdict == "allow"


WHEN_SHARED = ("impact-assessment", "normal", "when-shared")


@pytest.mark.parametrize(
    ("tell", "why"),
    [
        (lambda story: depend(story, "web", "api", shared=True), "api is shared (declared to be shared)"),
        (lambda story: [depend(story, name, "api", shared=False) for name in ("web", "mail")], "2 depend on it"),
        (lambda story: tag(story, "api", "true"), "api is shared (tagged shared)"),
        (lambda story: plan(story, "db", shared=True), "db is shared (declared to be shared)"),
        (lambda story: submit(story, services=["api", "web"]), "the change is of 2 services"),
    ],
)
def test_an_assessment_is_due_when_a_target_is_known_to_be_shared(tell: Callable[[Story], Any], why: str) -> None:
    story = ready_to_deploy("normal", WHEN_SHARED)
    assert ask(story).verdict == "allow"
    tell(story)
    answer = next(answer for answer in ask(story).answers if answer.rule == "impact-is-covered")
    assert (answer.verdict, answer.reason) == ("insufficient_evidence", "not-assessed")
    assert why in answer.words


def test_a_tag_that_another_saw_is_there_until_they_or_who_has_the_power_see_it_no_more() -> None:
    story = Story()
    shared: dict[str, Any] = {"key": "shared", "places": frozenset(), "at": None}

    def is_shared() -> bool:
        return is_tagged(story.row(resources, "api"), **shared)

    tag(story, "api", "true", actor="service:inventory")
    for _ in range(3):
        tag(story, "api", "no")
    assert is_shared()
    assert len(story.row(resources, "api").tagged) == 1
    tag(story, "api", "no", actor="service:inventory")
    assert not is_shared()
    tag(story, "api", "true")
    enrol(story, "service:cloud", types=("resource.tagged",))
    tag(story, "api", "no", actor="service:cloud")
    assert not is_shared()


def tag(story: Story, resource: str, value: str, environment: str = "prod", actor: str = "service:ci") -> None:
    tags = [{"key": "shared", "value": value}]
    story.tell("resource.tagged", actor=actor, resource=resource, environment=environment, tags=tags)


def submit(story: Story, **more: Any) -> None:
    story.tell("change.submitted", actor="person:alice", change_id="CHG-7", artifacts=[ARTIFACT], **more)


def plan(story: Story, address: str, **more: Any) -> None:
    digest = "sha256:" + "7" * 64
    story.tell("iac.plan_produced", plan=digest, format_version="1.2", creates=0, updates=1, destroys=0,
        changes=[{"address": address, "action": "update"}])  # fmt: skip
    depend(story, "web", address, **more)
    submit(story, plans=[digest])


@pytest.mark.parametrize(
    "tell",
    [
        lambda story: depend(story, "web", "api", shared=False),
        lambda story: tag(story, "api", "false"),
        lambda story: tag(story, "api", "true", "staging"),
        lambda story: (tag(story, "api", "true"), tag(story, "api", "no")),
        lambda story: depend(story, "web", "elsewhere", shared=True),
    ],
)
def test_nothing_is_due_where_nothing_tells_that_a_target_is_shared(tell: Callable[[Story], Any]) -> None:
    story = ready_to_deploy("normal", WHEN_SHARED)
    tell(story)
    assert ask(story).verdict == "allow"


def test_an_assessment_names_every_shared_target_and_is_newer_than_what_depends_on_it() -> None:
    story = ready_to_deploy("normal", WHEN_SHARED)
    depend(story, "web", "api", shared=True)
    assess_impact(story, "web")
    assert against(ask(story)) == {"impact-is-covered": ("deny", "not-covered")}
    assess_impact(story, "web", targets=["api"])
    assert ask(story).verdict == "allow"
    depend(story, "web", "api", kind="removed")
    assert against(ask(story)) == {"impact-is-covered": ("insufficient_evidence", "outdated")}
    assess_impact(story, targets=["api"])
    assert ask(story).verdict == "allow"
    # By whom may not say so, nothing is taken away, and nothing is assessed.
    depend(story, "mail", "api", shared=False)
    assess_impact(story, "mail", targets=["api"], by="service:ci")
    assert against(ask(story)) == {"impact-is-covered": ("deny", "not-covered")}


def test_a_change_that_was_not_assessed_when_it_was_due_is_found_and_nothing_said_later_ends_that() -> None:
    story = ready_to_deploy("normal", WHEN_SHARED)
    tag(story, "api", "true")
    deploy(story)
    assert found(story) == {"impact-not-assessed": ["CHG-7"]}
    assert finding(story, "impact-not-assessed", "CHG-7").says == (
        "CHG-7 was implemented, and nobody had assessed its impact: api is shared (tagged shared)"
    )
    tag(story, "api", "false")
    assess_impact(story, targets=["api"])
    assert finding(story, "impact-not-assessed", "CHG-7").is_open


def test_a_change_that_was_assessed_in_time_is_not_found_whatever_depends_on_it_later() -> None:
    story = ready_to_deploy("normal", WHEN_SHARED)
    depend(story, "web", "api", shared=True)
    assess_impact(story, "web", targets=["api"])
    deploy(story)
    depend(story, "mail", "api", shared=True)
    assess_impact(story, targets=["api"])
    assert found(story) == {}


# -- planted in the year -------------------------------------------------------------------------------------------------


def plant_an_assessment_that_leaves_something_out(year: Year, change: Change) -> set[str]:
    shared, user = f"db.{change.id}", f"service.{change.id}"
    at = change.begins - 20 * HOUR
    year.say(at - DAY, "dependency.declared", actor="person:dan", resource=user, depends_on=shared, shared=True)
    year.say(at, "change.impact_assessed", actor=change.author, change_id=change.id, targets=[shared], method="graph",
        dependents=[])  # fmt: skip
    return {f"impact-not-covered/{change.id}"}


def plant_a_change_that_was_not_assessed(year: Year, change: Change) -> set[str]:
    """Of a type of its own, of which the policy wants what is shared to be assessed."""
    change.kind = "shared-change"
    _share(year, change)
    return {f"impact-not-assessed/{change.id}"}


def plant_nothing_where_it_was_assessed(year: Year, change: Change) -> set[str]:
    change.kind = "shared-change"
    user = _share(year, change)
    year.say(change.begins - 20 * HOUR, "change.impact_assessed", actor=change.author, change_id=change.id,
        targets=[change.service], method="graph", dependents=[{"resource": user, "depth": 1}])  # fmt: skip
    return set()


def _share(year: Year, change: Change) -> str:
    user = f"user.{change.id}"
    needs = {"actor": "person:dan", "resource": user, "depends_on": change.service}
    year.say(change.begins - 40 * HOUR, "dependency.declared", **needs, shared=True)
    year.say(change.begins + 5 * HOUR, "dependency.removed", **needs)
    return user

"""Acts: the same whichever report came first, one for each service, environment and attempt."""

import itertools
from dataclasses import replace
from typing import Any

from telling import Story, at

from projections.readings.delivery.acts import Act, Report, acts_of
from projections.readings.delivery.deployments import deployments
from projections.readings.people.voices import Spoken
from projections.rules.environments import compared

FIRST, SECOND = (f"sha256:{letter * 64}" for letter in "ab")


def report(kind: Any, hour: float, position: int, **more: Any) -> Report:
    said = Spoken("service:ci", "service:ci", "token:ci", "test", at(hour), at(hour + 1), position)
    return Report(kind, said, **({"service": "api", "environment": "prod"} | more))


def told(acts: tuple[Act, ...]) -> set[tuple[Any, ...]]:
    return {(act.service, act.environment, act.attempt, act.started_at, act.finished_at, act.outcome) for act in acts}


def test_a_start_after_an_end_is_the_next_attempt_in_whatever_order_they_are_told() -> None:
    times = [("started", 1, None), ("finished", 2, "failure"), ("started", 3, None), ("finished", 4, "success")]
    for order in itertools.permutations(times):
        reports = (report(kind, hour, place, outcome=how) for place, (kind, hour, how) in enumerate(order, 1))
        acts = acts_of(reports, compared)
        assert told(acts) == {
            ("api", "prod", 1, at(1), at(2), "failure"),
            ("api", "prod", 2, at(3), at(4), "success"),
        }


def test_one_run_that_deploys_two_services_to_two_places_is_four_acts() -> None:
    story = Story()
    for service, place in itertools.product(("api", "web"), ("staging", "prod")):
        about = {"deployment_id": "d", "service": service, "environment": place}
        story.tell("deployment.started", actor="service:ci", **about)
        story.tell("deployment.finished", **about, outcome="success")
    row = story.row(deployments, "d")
    assert {(act.service, act.environment) for act in row.acts} == set(
        itertools.product(("api", "web"), ("staging", "prod"))
    )
    assert all(act.finished_at for act in row.acts)


def test_when_an_act_began_is_what_was_said_first_and_by_other_doors_soon_after() -> None:
    honest = report("started", 100, 1)
    other_door = report("started", 99.9, 2)
    assert {acts_of(order, compared)[0].at for order in itertools.permutations([honest, other_door])} == {at(99.9)}
    too_late = replace(other_door, said=replace(other_door.said, recorded_at=at(102)))
    assert acts_of([honest, too_late], compared)[0].at == at(100)
    assert acts_of([honest, report("started", 1, 2)], compared)[0].at == at(100)


def test_what_is_known_by_its_end_alone_is_an_act_of_that_time() -> None:
    story = Story()
    story.tell("deployment.finished", deployment_id="d", outcome="success", service="api", environment="prod")
    (act,) = story.row(deployments, "d").acts
    assert (act.at, act.started_at, act.finished_at) == (at(1), None, at(1))


def test_a_promotion_is_an_act_where_it_goes() -> None:
    story = Story()
    about = {"deployment_id": "d", "service": "api"}
    story.tell("deployment.started", actor="service:ci", **about, environment="staging")
    story.tell("deployment.promoted", actor="person:ann", **about, environment="staging", to_environment="prod")
    assert [(act.kind, act.environment, act.actor) for act in story.row(deployments, "d").acts] == [
        ("deployment", "staging", "service:ci"),
        ("promotion", "prod", "person:ann"),
    ]


def test_an_older_state_that_is_told_later_takes_no_newer_ones_place() -> None:
    story = Story()
    about = {"deployment_id": "d", "service": "api", "environment": "prod"}
    story.tell("deployment.finished", **about, outcome="success", time=at(0.9))
    story.tell("deployment.finished", **about, outcome="failure", time=at(0.8))
    row = story.row(deployments, "d")
    assert (row.outcome, row.finished_at) == ("success", at(0.9))


def test_nobody_takes_back_a_failure_that_another_told_but_by_the_next_attempt() -> None:
    story = Story()
    where = {"deployment_id": "d-1", "service": "api", "environment": "prod"}
    story.tell("deployment.finished", by="service:ci", **where, outcome="failure")
    for who, outcome in (("person:eve", "failure"), ("service:other", "failure"), ("service:ci", "success")):
        story.tell("deployment.finished", by=who, **where, outcome="success")
        assert story.row(deployments, "d-1").outcome == outcome
    story.tell("deployment.finished", by="service:ci", **where, outcome="failure")
    assert story.row(deployments, "d-1").outcome == "failure"
    story.tell("deployment.started", by="service:ci", **where)
    story.tell("deployment.finished", by="service:ci", **where, outcome="success")
    assert [act.outcome for act in story.row(deployments, "d-1").acts] == ["failure", "success"]


def test_the_same_said_again_adds_nothing() -> None:
    story = Story()
    for _ in range(5):
        story.tell("deployment.started", time=at(1), deployment_id="d", service="api", environment="prod")
    row = story.row(deployments, "d")
    assert (len(row.acts), len(row.reports)) == (1, 1)


def test_the_start_and_the_end_of_one_act_may_call_its_environment_by_two_names() -> None:
    story = Story()
    story.tell("environment.declared", actor="person:olga", environment="prod", tier="production", aliases=["blue"])
    story.tell("deployment.started", deployment_id="d", service="api", environment="prod", artifact=FIRST)
    story.tell("deployment.finished", deployment_id="d", service="api", environment="Blue", outcome="success")
    row = story.row(deployments, "d")
    assert [(act.attempt, act.environment, act.outcome) for act in row.acts] == [(1, "prod", "success")]
    # What ran there before is there under either name as well.
    for name, artifact, where in (("e", SECOND, "blue"), ("f", FIRST, "prod")):
        story.tell("deployment.finished", deployment_id=name, service="api", environment=where, artifact=artifact,
            outcome="success")  # fmt: skip
    assert story.row(deployments, "e").undone_by == ("deployment:f",)


def test_what_an_import_brings_in_is_history_and_nothing_else_of_its_credential() -> None:
    story = Story()
    story.tell(
        "ledger.import_opened", actor="person:olga", import_id="old", credential="token:old", sources=["test"],
        until=at(2), reason="migration",
    )  # fmt: skip
    for name, hour in (("before", 1), ("after", 3)):
        story.tell("deployment.finished", time=at(hour), token="token:old", deployment_id=name, outcome="success",
            service="api", environment="prod")  # fmt: skip
    story.tell("ledger.import_closed", actor="person:olga", import_id="old")
    story.tell("deployment.finished", time=at(1), token="token:old", deployment_id="late", outcome="success",
        service="api", environment="prod")  # fmt: skip
    known = {name: story.row(deployments, name).acts[0].is_history for name in ("before", "after", "late")}
    assert known == {"before": True, "after": False, "late": False}

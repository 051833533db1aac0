"""4.3 One environment, one at a time: given these facts, this is found."""

from typing import Any

import pytest
from changes import found, publish
from telling import Story, at
from year import DAY, HOUR, START, Year, stamp

from projections.readings.environments.reservations import deployed_hours, perf_tests, reservations, reserved_days


def reserve(story: Story, name: str = "R-1", begin: float = 20, end: float = 30, **more: Any) -> int:
    return story.tell("environment.reserved", **{"actor": "person:dave", "reservation_id": name, "environment": "qa-perf",
        "start": at(begin), "end": at(end), "purpose": "load"} | more)  # fmt: skip


def release(story: Story, name: str = "R-1", **more: Any) -> int:
    return story.tell(
        "environment.released", **{"actor": "person:dave", "reservation_id": name, "environment": "qa-perf"} | more
    )


def run(story: Story, name: str = "T-1", begin: float = 20, end: float = 22, **more: Any) -> int:
    return story.tell("perf_test.executed", **{"actor": "service:load", "test_id": name, "service": "api", "environment": "qa-perf",
        "started_at": at(begin), "finished_at": at(end), "outcome": "passed"} | more)  # fmt: skip


def deploy(story: Story, begin: float, end: float, environment: str = "qa-perf") -> None:
    where = {"deployment_id": "d-1", "service": "web", "environment": environment}
    story.tell("deployment.started", time=at(begin), actor="service:ci", **where)
    story.tell("deployment.finished", time=at(end), **where, outcome="success")


def pass_to(story: Story, hours: int) -> None:
    while len(story.log) < hours:
        story.tell("ledger.time_passed", until=at(0))


@pytest.mark.parametrize(
    ("more", "is_found"),
    [
        ({}, True),
        ({"environment": "QA-PERF"}, True),
        ({"exclusive": False}, True),
        ({"environment": "qa-2"}, False),
        ({"begin": 30, "end": 40}, False),
        ({"begin": 29, "end": 2000}, True),
        ({"time": at(-100)}, True),
    ],
)
def test_an_environment_is_reserved_for_one_at_a_time(more: dict[str, Any], is_found: bool) -> None:
    story = Story()
    reserve(story)
    reserve(story, **{"name": "R-2", "actor": "person:eve"} | more)
    assert found(story) == ({"reservations-overlap": ["R-2"]} if is_found else {})


def test_two_who_share_do_not_overlap() -> None:
    story = Story()
    reserve(story, exclusive=False)
    reserve(story, "R-2", exclusive=False)
    assert found(story) == {}
    assert story.row(reserved_days, "qa-perf#2026-03-03").reservations == ("R-1", "R-2")


def test_whoever_reserved_releases_and_from_then_on_others_may_have_it() -> None:
    story = Story()
    reserve(story, begin=0, end=30)
    release(story)
    reserve(story, "R-2", begin=5)
    assert found(story) == {}
    assert len(story.row(reservations, "R-1").releases) == 1


def test_a_release_that_is_told_late_or_by_a_stranger_makes_no_room() -> None:
    for more in ({"time": at(1)}, {"actor": "person:eve"}):
        story = Story()
        reserve(story, begin=0, end=30)
        reserve(story, "R-2", begin=2, end=4)
        pass_to(story, 8)
        release(story, **more)
        assert found(story)["reservations-overlap"] == ["R-2"]
        assert ("reserved-twice" in found(story)) is ("actor" in more)


def test_a_reservation_has_one_life() -> None:
    story = Story()
    reserve(story)
    reserve(story)
    assert found(story) == {}
    reserve(story, end=25)
    reserve(story, "R-2", begin=26, end=28)
    assert found(story) == {"reserved-twice": ["R-1"], "reservations-overlap": ["R-2"]}


def test_what_is_said_again_under_another_name_of_the_environment_says_nothing_else() -> None:
    story = Story()
    story.tell("environment.declared", actor="person:olga", environment="qa-perf", tier="testing", aliases=["blue"])
    reserve(story)
    reserve(story, environment="Blue")
    run(story, reservation_id="R-1")
    run(story, reservation_id="R-1", environment="blue")
    assert found(story) == {}


def test_a_stranger_takes_no_id_away() -> None:
    story = Story()
    reserve(story, by="service:ci", begin=1, end=2)
    reserve(story)
    run(story, by="service:ci", begin=1, end=2)
    run(story, reservation_id="R-1")
    assert found(story) == {"spoken-for-another": ["1", "3"]}
    assert story.row(reservations, "R-1").start_at == story.row(perf_tests, "T-1").started_at == at(20)


@pytest.mark.parametrize(
    ("begin", "end", "environment", "is_found"),
    [
        (19, 20, "qa-perf", False), (19, 21, "Qa-perf", True), (20.5, 20.6, "qa-perf", True),
        (15, 25, "qa-perf", True), (22, 23, "qa-perf", False),
        (20.5, 20.6, "staging", False),
    ],
)  # fmt: skip
def test_a_result_is_valid_where_nothing_was_deployed_meanwhile(
    begin: float, end: float, environment: str, is_found: bool
) -> None:
    for is_told_first in (True, False):
        story = Story()
        pass_to(story, 23)
        if is_told_first:
            deploy(story, begin, end, environment)
        run(story)
        if not is_told_first:
            deploy(story, begin, end, environment)
        assert found(story) == ({"perf-result-disturbed": ["T-1"]} if is_found else {})


def test_whoever_dates_a_deployment_back_takes_it_out_of_no_test() -> None:
    story = Story()
    pass_to(story, 23)
    where = {"deployment_id": "d-1", "service": "api", "environment": "qa-perf"}
    story.tell("deployment.started", actor="service:ci", time=at(20.5), **where)
    run(story)
    assert found(story) == {"perf-result-disturbed": ["T-1"]}
    story.tell("deployment.started", actor="person:mallory", time=at(1), **where)
    assert found(story) == {"perf-result-disturbed": ["T-1"]}


def test_a_result_is_valid_where_nobody_else_had_the_environment() -> None:
    story = Story()
    reserve(story, begin=20, end=22)
    reserve(story, "R-2", begin=22, end=30)
    run(story, reservation_id="R-1")
    assert found(story) == {}
    run(story, "T-2", begin=21, end=23, reservation_id="R-1")
    assert found(story) == {"perf-result-disturbed": ["T-2"]}


def test_two_names_are_one_environment() -> None:
    story = Story()
    story.tell("environment.declared", actor="person:olga", environment="qa-perf", tier="testing", aliases=["load"])
    reserve(story)
    pass_to(story, 23)
    reserve(story, "R-2", begin=22, end=30, environment="load")
    deploy(story, 21, 21.5, "load")
    run(story, reservation_id="R-1")
    assert found(story) == {"reservations-overlap": ["R-2"], "perf-result-disturbed": ["T-1"]}
    assert story.row(deployed_hours, "load#2026-03-03T06").deployments == ("d-1",)


@pytest.mark.parametrize(
    ("more", "is_found"),
    [
        ({}, False),
        ({"end": 21}, True),
        ({"environment": "qa-2"}, True),
        ({"by": "service:ci"}, True),
    ],
)
def test_where_the_policy_asks_for_it_the_environment_is_reserved_for_the_test(
    more: dict[str, Any], is_found: bool
) -> None:
    story = Story()
    publish(story, ("perf-reservation", "qa-perf", "required"))
    reserve(story, **more)
    pass_to(story, 22)
    run(story, reservation_id="R-1")
    assert ("perf-test-unreserved" in found(story)) is is_found


def test_a_reservation_that_is_made_afterwards_or_not_at_all_is_none() -> None:
    story = Story()
    publish(story, ("perf-reservation", "qa-perf", "required"))
    run(story, begin=3, end=4)
    pass_to(story, 10)
    reserve(story, begin=3, end=30, time=at(2))
    run(story, "T-2", begin=3, end=4, reservation_id="R-1")
    assert found(story)["perf-test-unreserved"] == ["T-1", "T-2"]


def test_a_test_is_reported_once_and_what_runs_for_weeks_nobody_can_tell() -> None:
    story = Story()
    run(story)
    run(story)
    assert found(story) == {}
    run(story, begin=50, end=51)
    run(story, "T-2", begin=0, end=200)
    assert found(story) == {"perf-test-stated-twice": ["T-1"], "perf-result-disturbed": ["T-2"]}
    assert story.row(perf_tests, "T-1").started_at == at(20)


# -- planted in the year -------------------------------------------------------------------------------------------------


def plant_two_who_have_one_environment(year: Year) -> set[str]:
    """And a third, who comes after them."""
    for name, who, begin, end in (("R-1", "dan", 20, 23), ("R-2", "erin", 22, 24), ("R-3", "dan", 25, 26)):
        year.say(START + DAY, "environment.reserved", actor=f"person:{who}", reservation_id=name, environment="qa-perf", purpose="load",
            start=stamp(START + begin * DAY), end=stamp(START + end * DAY))  # fmt: skip
    year.say(START + 2 * DAY, "environment.released", actor="person:erin", reservation_id="R-1", environment="qa-perf")
    return {"reservations-overlap/R-2", "reserved-twice/R-1"}


def plant_tests_that_were_disturbed(year: Year) -> set[str]:
    """One by a deployment; one that had no reservation, and was told twice. The third is by the book."""
    year.settings.append(("perf-reservation", "qa-perf", "required"))
    year.say(START + 20 * DAY + HOUR, "deployment.started", actor="service:platform", deployment_id="d-perf", service="service-1",
        environment="qa-perf")  # fmt: skip
    for name, begin, held in (("T-1", 20 * DAY, "R-1"), ("T-2", 40 * DAY, None), ("T-3", 25 * DAY, "R-3")):
        about = {"actor": "service:platform", "test_id": name, "service": "service-1", "environment": "qa-perf"}
        for outcome in ("failed", "passed") if name == "T-2" else ("passed",):
            year.say(START + begin + 2 * HOUR, "perf_test.executed", **about, reservation_id=held, outcome=outcome,
                started_at=stamp(START + begin), finished_at=stamp(START + begin + 2 * HOUR))  # fmt: skip
    return {"perf-result-disturbed/T-1", "perf-test-unreserved/T-2", "perf-test-stated-twice/T-2"}

"""6.5 Correlating alerts with deployments: what the ledger holds possible, and how good methods were by what was confirmed."""

from typing import Any

import pytest
from changes import publish
from telling import Story, at

from projections.readings.delivery.attributions import Attributed, attribution_methods, attributions
from projections.rules.attribution import Possible, attributed

API = {"service": "api", "environment": "prod"}


def deploy(story: Story, name: str, hours: float, **where: str) -> None:
    story.tell("deployment.started", actor="service:ci", deployment_id=name, **(API | where), time=at(hours))


def detect(story: Story, hours: float, name: str = "INC-1", **where: str) -> Attributed:
    story.tell("incident.detected", incident_id=name, **(API | where), time=at(hours))
    row: Attributed = story.row(attributions, name)
    return row


def say(story: Story, method: str, name: str = "INC-1", *, confirmed: bool = False, **cause: Any) -> int:
    return story.tell(
        "incident.attributed", incident_id=name, method=method, method_version="1", confirmed=confirmed, **cause
    )  # fmt: skip


def later() -> Story:
    """A story that begins after everything it tells of."""
    story = Story()
    for _ in range(40):
        story.tell("ledger.time_passed", until=at(0))
    return story


def test_an_incident_long_after_one_deployment_and_before_another_is_of_none() -> None:
    """Two deployments 12 h apart, an incident at 6 h, a window of 2 h: apache/devlake#8150."""
    story = later()
    deploy(story, "d-1", 0)
    deploy(story, "d-2", 12)
    row = detect(story, 6)
    assert row.named is None
    assert [(one.deployment_id, one.score) for one in row.candidates] == [("d-1", "0.3324")]
    assert row.none_score == "0.6676"


def test_the_same_labels_beat_a_deployment_that_came_later() -> None:
    story = later()
    deploy(story, "d-1", 5)
    deploy(story, "d-2", 5.9, service="web")
    row = detect(story, 6)
    assert row.named == "d-1"
    assert [one.deployment_id for one in row.candidates] == ["d-1", "d-2"]


def test_a_policy_says_how_long_a_deployment_is_suspected_and_how_likely_none_is() -> None:
    for window, none, named in (("120", "10", None), ("720", "10", "d-1"), ("720", "100", None), ("0", "0", None)):
        story = Story()
        publish(story, ("attribution-window-minutes", "any", window), ("attribution-none-percent", "any", none))
        story.tell("ledger.time_passed", until=at(0))
        deploy(story, "d-1", 4)
        for _ in range(10):
            story.tell("ledger.time_passed", until=at(0))
        assert detect(story, 11).named == named, (window, none)


@pytest.mark.parametrize("percent", [1, 10, 100, 10**6])
def test_shares_sum_up_to_one_whatever_is_asked(percent: int) -> None:
    possible = [Possible(f"d-{n}", {"service": "api"}, n * 1000) for n in range(5)]
    shares = attributed({"service": "api"}, [*possible, Possible("after", {"service": "api"}, -1)], 7200, percent)
    assert abs(sum(float(share) for _, share in shares.candidates) + float(shares.none) - 1) < 0.001
    assert "after" not in dict(shares.candidates)


def test_methods_are_measured_by_what_was_confirmed() -> None:
    story = later()
    deploy(story, "d-1", 1)
    deploy(story, "d-2", 2, service="web")
    for number, (service, hours, guess, cause) in enumerate(
        (("api", 1.5, "d-1", "d-1"), ("web", 2.5, "d-1", "d-2"), ("api", 1.6, None, "d-1"), ("api", 30, "d-1", None))
    ):
        name = f"INC-{number}"
        detect(story, hours, name, service=service)
        say(story, "guess", name, **({"deployment_id": guess} if guess else {}))
        assert not story.row(attributions, name).is_confirmed
        say(story, "person", name, confirmed=True, **({"deployment_id": cause} if cause else {}))
    row = story.row(attribution_methods, "guess/1")
    assert (row.incidents, row.caused, row.named, row.right) == (4, 3, 3, 1)
    assert (row.precision, row.recall) == ("0.3333", "0.3333")
    own = story.row(attribution_methods, "ledger:label-overlap/1")
    assert (own.precision, own.recall) == ("1.0000", "1.0000")
    # A confirmation is a person's word and no method's.
    assert story.row(attribution_methods, "person/1") is None
    said = {one.method_id: one.agrees for one in story.row(attributions, "INC-0").said}
    assert said == {"guess/1": True, "ledger:label-overlap/1": True}


def test_a_confirmation_that_is_taken_back_measures_nothing() -> None:
    story = later()
    deploy(story, "d-1", 1)
    detect(story, 1.5)
    position = say(story, "person", confirmed=True, deployment_id="d-1")
    assert story.row(attribution_methods, "ledger:label-overlap/1").right == 1
    story.tell("statement.withdrawn", actor="service:desk", position=position, reason="x")
    assert story.row(attribution_methods, "ledger:label-overlap/1") is None


def test_candidates_with_shares_are_what_a_method_says_where_it_names_nobody() -> None:
    story = later()
    deploy(story, "d-1", 1)
    detect(story, 1.5)
    candidates = [{"deployment_id": "d-1", "score": "0.3"}, {"deployment_id": "d-2", "score": "0.5"}]
    say(story, "model", candidates=candidates, none_score="0.2")
    say(story, "timid", candidates=candidates, none_score="0.6")
    named = {one.method_id: one.deployment_id for one in story.row(attributions, "INC-1").said}
    assert (named["model/1"], named["timid/1"]) == ("d-2", None)

"""6.1 Health checks after a deployment: given these facts, this is found, and this is answered."""

import itertools
from typing import Any

import pytest
from asking import against, ask, deployed, ready_to_deploy
from changes import ARTIFACT, found
from people import enrol
from telling import Story, at
from year import HOUR, Change, Year

from projections.readings.delivery.incidents import incidents


def verify(story: Story, verdict: str, **more: Any) -> None:
    checks = [{"name": "probe", "passed": verdict == "healthy", "observations": 3}]
    story.tell("deployment.verified", deployment_id="d-1", verdict=verdict, checks=checks, **more)


def staged() -> Story:
    """An approved change to production that was deployed to staging first."""
    return deployed(ready_to_deploy(), environment="staging", artifact=ARTIFACT)


def test_what_is_healthy_may_be_promoted() -> None:
    story = staged()
    q = {"deployment_id": "d-1", "to_environment": "prod", "environment": "staging"}
    assert against(ask(story, "promote", **q)) == {"deployment-is-healthy": ("insufficient_evidence", "not-verified")}
    verify(story, "degraded")
    assert against(ask(story, "promote", **q)) == {"deployment-is-healthy": ("deny", "degraded")}
    verify(story, "healthy")
    assert ask(story, "promote", **q).verdict == "allow"
    story.tell("incident.attributed", incident_id="INC-1", method="m", method_version="1", deployment_id="d-1",
        confirmed=True)  # fmt: skip
    assert against(ask(story, "promote", **q)) == {"deployment-held": ("deny", "incident")}


def test_nobody_verifies_as_healthy_what_another_found_to_be_degraded_unless_they_have_the_power() -> None:
    story = staged()
    enrol(story, "service:monitoring", types=("deployment.verified",))
    verify(story, "degraded")
    verify(story, "healthy", by="service:ci")
    assert against(ask(story, "promote", **Q)) == {"deployment-is-healthy": ("deny", "degraded")}
    verify(story, "healthy", by="service:monitoring")
    assert ask(story, "promote", **Q).verdict == "allow"


def test_nobody_takes_back_a_cause_that_somebody_else_confirmed_and_no_machine_ends_an_incident_that_another_saw() -> (
    None
):
    story = deployed(ready_to_deploy())
    story.tell("incident.detected", incident_id="INC", service="api", environment="prod", by="service:alerts")
    cause = {"incident_id": "INC", "method": "m", "method_version": "1", "confirmed": True}
    story.tell("incident.attributed", **cause, deployment_id="d-1", actor="person:bob")
    for again, who in itertools.product(({"deployment_id": "d-0"}, {}), ("service:ci", "person:carol")):
        story.tell("incident.attributed", **cause, **again, actor=who)
    # Whoever says the same takes it over from nobody.
    story.tell("incident.attributed", **cause, deployment_id="d-1", actor="person:carol")
    story.tell("incident.attributed", **cause, actor="person:carol")
    story.tell("incident.detected", incident_id="INC", service="api", environment="prod", by="service:ci")
    story.tell("incident.resolved", incident_id="INC", actor="service:ci")
    row = story.row(incidents, "INC")
    assert (row.deployment_id, row.resolved_at) == ("d-1", None)
    assert (
        row.attributions[-1].fault
        == "person:bob confirmed another cause, and person:carol has no power to take that back"
    )
    assert against(ask(story, "promote", **Q))["deployment-held"] == ("deny", "incident")
    story.tell("incident.resolved", incident_id="INC", actor="service:alerts")
    story.tell("incident.attributed", **cause, deployment_id="d-0", actor="person:bob")
    row = story.row(incidents, "INC")
    assert (row.deployment_id, row.resolved_at is not None) == ("d-0", True)
    enrol(story, "service:desk", types=("incident.attributed",))
    story.tell("incident.attributed", **cause, by="service:desk")
    assert story.row(incidents, "INC").deployment_id is None
    # That nothing caused it keeps nobody from finding what did.
    story.tell("incident.attributed", **cause, deployment_id="d-1", actor="person:carol")
    assert story.row(incidents, "INC").deployment_id == "d-1"


Q = {"deployment_id": "d-1", "to_environment": "prod", "environment": "staging"}


@pytest.mark.parametrize(("check", "verdict"), [
    ({"passed": False, "observations": 3}, "deny"), ({"passed": True, "observations": 0}, "insufficient_evidence"),
])  # fmt: skip
def test_a_healthy_verdict_against_its_own_checks_is_none_and_is_found(check: dict[str, Any], verdict: str) -> None:
    story = staged()
    checks = [{"name": "probe", "passed": True, "observations": 9}, {"name": "errors", **check}]
    story.tell("deployment.verified", deployment_id="d-1", verdict="healthy", checks=checks)
    assert against(ask(story, "promote", **Q)) == {"deployment-is-healthy": (verdict, "contradicts-itself")}
    assert found(story)["healthy-against-its-checks"] == ["d-1"]
    # A better one afterwards lets it through, and takes nothing of the finding away.
    verify(story, "healthy")
    assert ask(story, "promote", **Q).verdict == "allow"
    assert found(story)["healthy-against-its-checks"] == ["d-1"]


def test_a_verification_of_another_artifact_or_of_an_older_time_verifies_nothing() -> None:
    story = staged()
    checks = [{"name": "probe", "passed": True, "observations": 3}]
    told = {"deployment_id": "d-1", "checks": checks}
    story.tell("deployment.verified", **told, verdict="healthy", artifact="sha256:" + "e" * 64)
    assert against(ask(story, "promote", **Q)) == {
        "deployment-is-healthy": ("insufficient_evidence", "another-artifact")
    }
    story.tell("deployment.verified", **told, verdict="degraded")
    story.tell("deployment.verified", **told, verdict="healthy", time=at(1))
    assert against(ask(story, "promote", **Q)) == {"deployment-is-healthy": ("deny", "degraded")}


# -- planted in the year -------------------------------------------------------------------------------------------------


def plant_a_verdict_against_its_checks(year: Year, change: Change) -> set[str]:
    year.say(change.begins + 2 * HOUR, "deployment.verified", deployment_id=change.deployment, service=change.service,
        environment="prod", change_id=change.id, verdict="healthy",
        checks=[{"name": "error_rate", "passed": False, "observations": 900}])  # fmt: skip
    return {f"healthy-against-its-checks/{change.deployment}"}

"""6.1 Health checks after a deployment: given these facts, this is found, and this is answered."""

from asking import against, ask, deployed, ready_to_deploy
from telling import Story


def verify(story: Story, verdict: str) -> None:
    checks = [{"name": "probe", "passed": verdict == "healthy", "observations": 3}]
    story.tell("deployment.verified", deployment_id="d-1", verdict=verdict, checks=checks)


def test_what_is_healthy_may_be_promoted() -> None:
    story = deployed(ready_to_deploy())
    q = {"deployment_id": "d-1", "to_environment": "prod", "environment": "staging"}
    assert against(ask(story, "promote", **q)) == {"deployment-is-healthy": ("insufficient_evidence", "not-verified")}
    verify(story, "degraded")
    assert against(ask(story, "promote", **q)) == {"deployment-is-healthy": ("deny", "degraded")}
    verify(story, "healthy")
    assert ask(story, "promote", **q).verdict == "allow"
    story.tell("incident.attributed", incident_id="INC-1", method="m", method_version="1", deployment_id="d-1",
        confirmed=True)  # fmt: skip
    assert against(ask(story, "promote", **q)) == {"deployment-held": ("deny", "incident")}

"""7.4 Triggering incident response: given these facts, this is found, and this is answered."""

from asking import against, ask, deployed, ready_to_deploy
from changes import review

from projections.readings.delivery.incidents import incidents


def test_an_open_incident_keeps_a_change_open() -> None:
    story = deployed(ready_to_deploy())
    story.tell("incident.opened", actor="person:bob", incident_id="INC-1", service="api", severity="sev2")
    story.tell("incident.attributed", incident_id="INC-1", method="m", method_version="1", deployment_id="d-1",
        confirmed=True)  # fmt: skip
    review(story)
    assert against(ask(story, "close", hours=60)) == {"incidents-are-over": ("deny", "incident-open")}
    story.tell("incident.resolved", incident_id="INC-1")
    assert ask(story, "close", hours=60).verdict == "allow"
    assert story.row(incidents, "INC-1").resolved_at is not None

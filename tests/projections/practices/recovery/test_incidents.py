"""7.4 Triggering incident response: given these facts, this is found, and this is answered."""

from typing import Any

import pytest
from asking import against, ask, deployed, ready_to_deploy
from changes import deploy, open_change, review
from telling import Story, at

from projections.readings.changes.tickets import change_tickets
from projections.readings.delivery.deployments import deployments
from projections.readings.delivery.incidents import caused_by, incidents
from projections.readings.delivery.metrics import delivery

API = {"incident_id": "INC-1", "service": "api", "environment": "prod"}


def blame(story: Story, *, time: str | None = None, confirmed: bool = True, **cause: Any) -> int:
    return story.tell(
        "incident.attributed", time=time, incident_id="INC-1", method="m", method_version="1", confirmed=confirmed, **cause
    )  # fmt: skip


def blamed(story: Story) -> dict[str, tuple[str, ...]]:
    """Who is held to have caused something, by every view that says so."""
    names = ("d-1", "d-2")
    rows = {name: story.row(deployments, name) for name in names}
    month = story.row(delivery, "api/2026-03")
    tickets = {name: story.row(change_tickets, name) for name in ("CHG-1", "CHG-2")}
    return {
        "incidents": tuple(name for name in (story.row(incidents, "INC-1").deployment_id,) if name),
        "deployments": tuple(name for name, row in rows.items() if row is not None and row.incidents),
        "tickets": tuple(name for name, row in tickets.items() if row is not None and row.incidents),
        "delivery": tuple(item.deployment_id for item in month.items if item.is_failed),
    }


def two_deployments() -> Story:
    story = Story()
    for number in (1, 2):
        open_change(story, change=f"CHG-{number}")
        deploy(story, f"d-{number}", change=f"CHG-{number}")
    return story


def of(number: int) -> dict[str, tuple[str, ...]]:
    name = f"d-{number}"
    return {"incidents": (name,), "deployments": (name,), "tickets": (f"CHG-{number}",), "delivery": (name,)}


NOBODY: dict[str, tuple[str, ...]] = dict.fromkeys(("incidents", "deployments", "tickets", "delivery"), ())


def test_an_open_incident_keeps_a_change_open() -> None:
    story = deployed(ready_to_deploy())
    story.tell("incident.opened", actor="person:bob", incident_id="INC-1", service="api", severity="sev2")
    story.tell("incident.attributed", incident_id="INC-1", method="m", method_version="1", deployment_id="d-1",
        confirmed=True)  # fmt: skip
    review(story, outcome="unsuccessful")
    assert against(ask(story, "close", hours=60))["incidents-are-over"] == ("deny", "incident-open")
    story.tell("incident.resolved", actor="person:bob", incident_id="INC-1")
    assert ask(story, "close", hours=60).verdict == "allow"
    assert story.row(incidents, "INC-1").resolved_at is not None
    # It is seen again after its end: then it is open again, and ends with its last end.
    story.tell("incident.detected", incident_id="INC-1")
    assert against(ask(story, "close", hours=60))["incidents-are-over"] == ("deny", "incident-open")
    story.tell("incident.resolved", actor="person:bob", incident_id="INC-1")
    assert story.row(incidents, "INC-1").resolved_at == at(len(story.log))


def test_an_incident_is_over_by_the_times_of_what_is_said_and_not_by_their_order() -> None:
    story = Story()
    for hours in (0, 1, 2, 3, 4):
        story.tell("ledger.time_passed", until=at(hours))
    story.tell("incident.resolved", **API, time=at(4))
    story.tell("incident.detected", **API, time=at(2))
    row = story.row(incidents, "INC-1")
    assert (row.detected_at, row.resolved_at) == (at(2), at(4))
    # Within what clocks may be apart, the record decides.
    story.tell("incident.opened", actor="person:bob", **API, severity="sev1", time=at(4 - 1 / 60))
    assert story.row(incidents, "INC-1").resolved_at is None


def test_an_incident_has_one_cause_and_every_view_names_the_same() -> None:
    story = two_deployments()
    first = blame(story, deployment_id="d-1")
    assert blamed(story) == of(1)
    second = blame(story, deployment_id="d-2")
    assert blamed(story) == of(2)
    # Another method may suspect what it will.
    blame(story, deployment_id="d-1", confirmed=False)
    assert blamed(story) == of(2)
    assert story.row(incidents, "INC-1").suspected == ("d-1",)
    for position, cause in ((first, of(1)), (second, of(2))):
        then = Story()
        for document in story.documents()[:position]:
            then.add(document)
        assert blamed(then) == cause
    story.tell("statement.withdrawn", actor="service:desk", position=second, reason="x")
    assert blamed(story) == of(1)
    story.tell("statement.withdrawn", actor="service:desk", position=first, reason="x")
    assert blamed(story) == NOBODY


def test_the_confirmation_of_a_later_time_holds_in_whatever_order_they_come() -> None:
    story = two_deployments()
    blame(story, deployment_id="d-2", time=at(8))
    blame(story, deployment_id="d-1", time=at(7))
    assert blamed(story) == of(2)
    # That nothing which was deployed did it is a cause like any other.
    blame(story)
    assert blamed(story) == NOBODY


def test_an_incident_of_a_change_is_of_its_deployments_of_that_service() -> None:
    story = two_deployments()
    deploy(story, "d-3", change="CHG-1", service="web")
    story.tell("incident.detected", **API)
    blame(story, change_id="CHG-1")
    assert story.row(change_tickets, "CHG-1").incidents == ("INC-1",)
    assert story.row(delivery, "api/2026-03").failed == 1
    assert story.row(delivery, "web/2026-03").failed == 0
    # What began after it was seen did not cause it.
    deploy(story, "d-4", change="CHG-1")
    assert story.row(delivery, "api/2026-03").failed == 1
    story.tell("incident.resolved", **API)
    assert [item.recovery_s is not None for item in story.row(delivery, "api/2026-03").items] == [True, False, False]
    blame(story, deployment_id="d-2")
    assert story.row(change_tickets, "CHG-1").incidents == ()
    assert [item.deployment_id for item in story.row(delivery, "api/2026-03").items if item.is_failed] == ["d-2"]
    assert [row.incident_id for row in caused_by(story.folder.rows, story.row(deployments, "d-2"))] == ["INC-1"]


@pytest.mark.parametrize("batch", [1, 100])
def test_an_incident_that_moved_is_told_the_same_by_any_process(batch: int) -> None:
    story = two_deployments()
    positions = [
        blame(story, **cause) for cause in ({"deployment_id": "d-1"}, {"change_id": "CHG-2"}, {"deployment_id": "d-2"})
    ]
    story.tell("statement.withdrawn", actor="service:desk", position=positions[2], reason="x")
    again = Story(batch=batch)
    for document in story.documents():
        again.add(document)
    assert again.digests() == story.digests()
    for view in (incidents, deployments, change_tickets, delivery):
        for text in story.store.texts(view):
            row = view.load(text)
            assert story.row_as_of(view, getattr(row, view.key), len(story.log)) == row

"""Who spoke, and who may: of every type that gives leave, power or acquittal, a statement counts by credential and power."""

from typing import Any

import pytest
from changes import deploy, found, open_change, publish, ready
from people import enrol, issue
from telling import Story, at

from ledger.events import CATALOGUE, OPERATOR_AREAS, example
from projections.readings.changes.reviews import reviews
from projections.readings.changes.scopes import change_scopes
from projections.readings.changes.tickets import change_tickets
from projections.readings.delivery.deliveries import deliveries
from projections.readings.delivery.deployments import deployments
from projections.readings.delivery.incidents import incidents
from projections.readings.delivery.rollbacks import rollbacks
from projections.readings.delivery.verifications import verifications
from projections.readings.people.holders import GIVE_NOTHING, HOLDERS
from projections.readings.people.powers import ROLE_FOR, fault_of_speaker
from projections.readings.people.voices import Spoken
from projections.readings.risk.outcomes import base_rates, outcomes

# How a credential may speak that is not the actor's own: not at all; by an authority for nobody, for others, or that was retired.
STRANGERS = ("a token of somebody else", "a source for nobody", "a source for others", "a source that was retired")


def say(story: Story, event_type: str, actor: str, by: str, token: str) -> int:
    """Tell an example of a type."""
    data: dict[str, Any] = {
        name: {"sha256": "0" * 64} if name in CATALOGUE[event_type].erasable_fields else value
        for name, value in example(CATALOGUE[event_type]).items()
    }
    return story.tell(event_type, by=by, token=token, **data | {"actor": actor})


def fault(story: Story, position: int) -> str:
    """Return why a statement does not count, as is known now."""
    entry = story.log.entry(position)
    by, data = entry.by, entry.statement["data"]
    said = Spoken(
        data.get("actor"), by["principal"], by["credential"], entry.source, entry.time, entry.recorded_at, position
    )
    story.flush()
    return fault_of_speaker(story.folder.rows, entry.type, said, data.get("environment"))


def powerful(event_type: str) -> tuple[Story, str]:
    """A story in which alice may say something of a type; and her credential."""
    story = Story()
    return story, issue(story, "person:alice", *(("operator",) if HOLDERS[event_type] == "operator" else ("reporter",)))


def test_every_type_of_event_gives_something_or_nothing() -> None:
    assert not GIVE_NOTHING & set(HOLDERS)
    assert GIVE_NOTHING | set(HOLDERS) == set(CATALOGUE)


@pytest.mark.parametrize("event_type", HOLDERS)
def test_it_counts_from_who_has_the_power_by_a_credential_of_their_own(event_type: str) -> None:
    story, token = powerful(event_type)
    position = say(story, event_type, "person:alice", "person:alice", token)
    assert fault(story, position) == ""
    assert {"spoken-for-another", "without-power"}.isdisjoint(found(story))


@pytest.mark.parametrize("stranger", STRANGERS)
@pytest.mark.parametrize("event_type", HOLDERS)
def test_it_does_not_count_by_a_strangers_credential_and_is_found(event_type: str, stranger: str) -> None:
    story, _ = powerful(event_type)
    # Even an operator's does not speak for others.
    token = issue(story, "service:pipeline", "reporter", "operator", kind="service")
    if stranger != STRANGERS[0]:
        enrol(
            story, "service:pipeline", *{STRANGERS[2]: ("person:bob*",), STRANGERS[3]: ("person:*",)}.get(stranger, ())
        )
    if stranger == STRANGERS[3]:
        story.tell("ledger.source_retired", actor="person:root", source="test", door="events", by="service:ledger")
    position = say(story, event_type, "person:alice", "service:pipeline", token)
    assert fault(story, position) == "S12: service:pipeline may not speak for person:alice"
    assert found(story)["spoken-for-another"] == [str(position)]


@pytest.mark.parametrize("event_type", [name for name, holder in HOLDERS.items() if holder == "operator"])
def test_it_does_not_count_from_who_is_no_operator_and_is_found(event_type: str) -> None:
    story = Story()
    position = say(story, event_type, "person:alice", "person:alice", issue(story, "person:alice"))
    assert fault(story, position).startswith("without power: person:alice is no operator")
    assert found(story)["without-power"] == [str(position)]


@pytest.mark.parametrize("event_type", [name for name, holder in HOLDERS.items() if holder == "human"])
def test_a_machine_judges_nobodys_work_whatever_its_name(event_type: str) -> None:
    for principal, kind in (("service:ci", "service"), ("person:robot", "service"), ("team:x", "service")):
        story = Story()
        token = issue(story, principal, "reporter", "operator", kind=kind)
        position = say(story, event_type, principal, principal, token)
        assert fault(story, position) == f"without power: {principal} is not known to be a human"
        assert found(story)["without-power"] == [str(position)]


@pytest.mark.parametrize("event_type", HOLDERS)
def test_an_authority_speaks_for_whom_it_was_enrolled_and_gives_power_only_where_its_types_say_so(
    event_type: str,
) -> None:
    for types in ((), (event_type,)):
        story = Story()
        token = issue(story, "service:directory", kind="service")
        enrol(story, "service:directory", "person:*", types=types)
        position = say(story, event_type, "person:alice", "service:directory", token)
        counts = bool(types) or HOLDERS[event_type] != "operator"
        assert (fault(story, position) == "") is counts


@pytest.mark.parametrize("event_type", HOLDERS)
def test_the_ledgers_own_key_speaks_for_operators_and_approves_for_nobody(event_type: str) -> None:
    story = Story()
    position = say(story, event_type, "person:alice", "service:ledger", "key:story")
    assert (fault(story, position) == "") is (HOLDERS[event_type] != "human")


@pytest.mark.parametrize("event_type", [name for name in HOLDERS if name.partition(".")[0] not in OPERATOR_AREAS])
def test_where_the_policy_names_a_role_its_holder_has_the_power_and_nobody_else_but_operators(event_type: str) -> None:
    story = Story()
    publish(story, (ROLE_FOR.name, event_type, "warden"))
    tokens = {who: issue(story, who) for who in ("person:alice", "person:bob")}
    story.tell(
        "access.granted",
        actor="person:olga",
        grant_id="G",
        principal="person:alice",
        principal_kind="human",
        role="warden",
    )
    counting = say(story, event_type, "person:alice", "person:alice", tokens["person:alice"])
    position = say(story, event_type, "person:bob", "person:bob", tokens["person:bob"])
    assert fault(story, counting) == ""
    assert fault(story, position) == "without power: person:bob held no grant of warden that counts"
    assert found(story)["without-power"] == [str(position)]


@pytest.mark.parametrize("event_type", [name for name in HOLDERS if name.partition(".")[0] in OPERATOR_AREAS])
def test_no_policy_says_who_may_change_it_or_who_somebody_is(event_type: str) -> None:
    story = Story()
    publish(story, (ROLE_FOR.name, event_type, "warden"))
    token = issue(story, "person:alice")
    story.tell(
        "access.granted",
        actor="person:olga",
        grant_id="G",
        principal="person:alice",
        principal_kind="human",
        role="warden",
    )
    position = say(story, event_type, "person:alice", "person:alice", token)
    assert fault(story, position).startswith("without power: person:alice is no operator")


@pytest.mark.parametrize("event_type", HOLDERS)
def test_what_a_credential_said_is_not_believed_from_where_it_was_revoked(event_type: str) -> None:
    story, token = powerful(event_type)
    position = say(story, event_type, "person:alice", "person:alice", token)
    about = {"credential": token, "reason": "stolen"}
    story.tell("ledger.credential_revoked", actor="person:root", **about, by="service:ledger", token="key:story")
    assert fault(story, position) == ""
    story.tell("ledger.credential_revoked", actor="person:root", **about, from_position=position, by="service:ledger")
    assert fault(story, position) == f"S12: {token} is not believed from position {position} on"


# -- what does not count changes nothing -----------------------------------------------------------------------------------

SAYS: dict[str, tuple[str, dict[str, Any]]] = {
    "change.linked": ("person:ann", {"change_id": "CHG-8", "deployment_id": "d-0"}),
    "incident.attributed": (
        "person:ann",
        {"incident_id": "INC", "method": "human", "method_version": "1", "deployment_id": "d-1", "confirmed": True},
    ),
    "incident.resolved": ("person:ann", {"incident_id": "INC"}),
    "pir.completed": (
        "person:carol", {"change_id": "CHG-7", "pir_id": "P", "outcome": "successful", "rolled_back": False},
    ),
    "risk.outcome_labelled": ("person:ann", {"change_id": "CHG-7", "label": "failure"}),
    "rollback.decided": (
        "person:bob",
        {"rollback_id": "R", "deployment_id": "d-1", "service": "api", "environment": "prod", "decision": "roll_back",
         "options": ["roll_back"]},
    ),
    "deployment.verified": (
        "person:ann",
        {"deployment_id": "d-1", "verdict": "healthy", "checks": [{"name": "x", "passed": True, "observations": 9}]},
    ),
}  # fmt: skip


def deployed(*settings: tuple[str, str, str]) -> Story:
    """A change by the book that was deployed, another one, and an incident of the service."""
    story = ready()
    publish(story, *settings)
    deploy(story)
    deploy(story, "d-0", change=None, service="web")
    open_change(story, change="CHG-8")
    story.tell("incident.detected", incident_id="INC", service="api", environment="prod")
    story.tell("pir.opened", actor="person:carol", change_id="CHG-7", pir_id="P", due_at=at(1000), mandatory=True)
    return story


def state(story: Story) -> dict[str, Any]:
    """What is so of it, beside which entries are about it."""
    incident, deployment = story.row(incidents, "INC"), story.row(deployments, "d-1")
    review, ticket = story.row(reviews, "P"), story.row(change_tickets, "CHG-7")
    outcome, rollback = story.row(outcomes, "CHG-7"), story.row(rollbacks, "R")
    delivered, verified = story.row(deliveries, "d-1"), story.row(verifications, "d-1")
    return {
        "linked": story.row(deployments, "d-0").links,
        "tie": (deployment.change_id, deployment.links, deployment.incidents, deployment.verdict, deployment.rollbacks),
        "incident": (incident.deployment_id, incident.change_id, incident.resolved_at, incident.suspected),
        "review": (review.state, review.outcome, story.row(change_scopes, "CHG-7").is_open),
        "ticket": (ticket.state, ticket.deployments, ticket.incidents, ticket.outcome, ticket.label),
        "outcome": (outcome.label, outcome.labellings, outcome.observed) if outcome is not None else None,
        "rollback": rollback.decision if rollback is not None else None,
        "delivery": (delivered.is_failed, delivered.recovery_s, delivered.is_unplanned),
        "verified": verified.last if verified is not None else None,
        "rates": [base_rates.load(text).failures for text in story.store.texts(base_rates)],
    }


@pytest.mark.parametrize("event_type", SAYS)
def test_what_somebody_says_in_anothers_name_changes_no_row_and_what_they_say_themselves_does(event_type: str) -> None:
    actor, data = SAYS[event_type]
    story = deployed()
    before = state(story)
    story.tell(event_type, by="service:stranger", token="token:stranger", actor=actor, **data)
    told = state(story)
    assert told["outcome"] is None or told["outcome"][0] is None
    assert told | {"outcome": before["outcome"]} == before
    story.tell(event_type, actor=actor, **data)
    assert state(story) != told


@pytest.mark.parametrize("event_type", ["pir.completed", "incident.attributed", "incident.resolved"])
def test_what_somebody_said_by_a_role_counts_no_more_when_that_was_taken_away_before(event_type: str) -> None:
    story = deployed((ROLE_FOR.name, event_type, "warden"))
    about = {"grant_id": "G", "principal": "person:ann"}
    story.tell("access.granted", actor="person:olga", **about, principal_kind="human", role="warden")
    story.tell("incident.attributed", actor="person:ann", **SAYS["incident.attributed"][1])
    if event_type != "incident.attributed":
        story.tell(event_type, actor="person:ann", **SAYS[event_type][1])
    counted = {
        "pir.completed": lambda: story.row(change_tickets, "CHG-7").state == "closed",
        "incident.attributed": lambda: story.row(deliveries, "d-1").is_failed,
        "incident.resolved": lambda: story.row(deliveries, "d-1").recovery_s is not None,
    }[event_type]
    assert counted()
    # As of before.
    story.tell("access.revoked", actor="person:olga", **about, time=at(0.5))
    assert not counted()


def test_a_link_that_counts_no_more_gave_no_leave() -> None:
    story = deployed((ROLE_FOR.name, "change.linked", "warden"))
    about = {"grant_id": "G", "principal": "person:ann"}
    story.tell("access.granted", actor="person:olga", **about, principal_kind="human", role="warden")
    story.tell("change.linked", actor="person:ann", change_id="CHG-8", deployment_id="d-2")
    deploy(story, "d-2", change=None)
    assert found(story)["deployment-without-change"] == ["d-0"]
    story.tell("access.revoked", actor="person:olga", **about, time=at(0.5))
    assert found(story)["deployment-without-change"] == ["d-0", "d-2"]

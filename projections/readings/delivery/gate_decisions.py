"""What gates answered, as it was recorded: to whom, of what, until when. Whether a deployment kept to it is a rule's to say."""

from dataclasses import dataclass
from typing import Final

from ledger.conditions import Match
from ledger.events.gate import GateDecided, Verdict
from projections.engine.view import EntryInfo, Moment, View, later, moment, replace
from projections.readings.people.settings import Number

ALLOW_MINUTES: Final = Number("allow-minutes", "for how many minutes an `allow` of a gate holds", default=60)


@dataclass(frozen=True)
class GateDecision:
    """One answer of a gate, named by its position. `at` is when it was asked."""

    decision: str
    gate: str | None = None
    verdict: Verdict | None = None
    at: Moment = ""
    recorded_at: Moment = ""
    position: int = 0
    expires_at: Moment | None = None
    actor: str | None = None
    change_id: str | None = None
    deployment_id: str | None = None
    service: str | None = None
    environment: str | None = None
    artifact: str | None = None
    commit: str | None = None
    attempt: int | None = None
    # By which policy it answered.
    policy_id: str | None = None


gate_decisions = View(
    "gate_decisions",
    version=3,
    row=GateDecision,
    kind="gate_decision",
    # No ref names a decision by its position.
    entries_of=lambda key, row: (Match((GateDecided.type,)),),
    indexes=("gate", "verdict", "service", "environment", "change_id", "deployment_id", "at"),
    doc="What gates answered: to whom, of which service, environment and artifact, and until when an `allow` holds.",
)


@gate_decisions.on(GateDecided, key=lambda event, entry: str(entry.position))
def decided(row: GateDecision, event: GateDecided, entry: EntryInfo) -> GateDecision:
    at = moment(event.asked_at)
    expires = moment(event.expires_at) if event.expires_at else None
    if expires is None and event.verdict == "allow":
        # Of before answers said so.
        expires = later(at, minutes=ALLOW_MINUTES.default)
    return replace(
        row,
        gate=event.gate,
        verdict=event.verdict,
        at=at,
        recorded_at=entry.recorded_at,
        position=entry.position,
        expires_at=expires,
        actor=event.actor,
        change_id=event.change_id,
        deployment_id=event.deployment_id,
        service=event.service,
        # A promotion is of where it goes; whatever else names such a place is not of it.
        environment=event.to_environment if event.gate == "promote" else event.environment,
        artifact=event.artifact,
        commit=event.commit,
        attempt=event.attempt,
        policy_id=event.policy_id,
    )

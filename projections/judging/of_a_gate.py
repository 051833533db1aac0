"""Acts held against what the gate had answered before them: allowed as it was done, or otherwise, or not at all.

Not the gate's own judgement, which its rules make; and no finding: the practice that asks says what it is called.
"""

from collections.abc import Iterator
from typing import Final, Literal, NamedTuple

from ledger.clock import from_text, to_text
from ledger.events import ref
from ledger.events.gate import GateDecided
from projections.engine.reads import Look
from projections.engine.view import Around, later
from projections.readings.changes.commits import is_same
from projections.readings.delivery.acts import Act
from projections.readings.delivery.deployments import Deployment
from projections.readings.delivery.gate_decisions import ALLOW_MINUTES, GateDecision, gate_decisions
from projections.readings.environments.environments import names_for, same_environment
from projections.readings.environments.reservations import deployments_between
from projections.readings.people.imports import instants_of
from projections.readings.people.policies import POLICY, in_force
from projections.readings.people.settings import Words
from projections.readings.people.speaking import clocks_of
from projections.rules.leave import Instant, was_there

Kind = Literal["against", "bypassed", "another"]
DEPLOY_GATE: Final = Words(
    "deploy-gate",
    "whether a deployment needs an allow of the gate",
    applies_to="environment",
    choices=("required", "optional"),
    default=("optional",),
)
# How many answers of the gate about a service are looked at: of those before an act the last, and of those after it the first.
LATEST: Final = 64


def _asked_before(row: Deployment, act: Act, instant: Instant, look: Look) -> list[GateDecision]:
    """Return what the gate answered, about that service in that environment, before an act: what was in force then, the last first."""
    clocks = clocks_of(look, act.at)
    gate = "promote" if act.kind == "promotion" else "deploy"
    about = ref("service", act.service or "")
    return [
        said
        for said in look.named(gate_decisions, GateDecided, about, limit=Around(act.position, LATEST))
        if said.gate == gate
        # Of another policy than the one that asks for the gate, an answer is of something else.
        and said.policy_id in (None, POLICY)
        and same_environment(look, said.environment, act.environment, act.at)
        and said.attempt in (None, act.attempt)
        and said.deployment_id in (None, row.deployment_id)
        and was_there(said, instant, clocks)
        and instant.at <= (said.expires_at or later(said.at, minutes=ALLOW_MINUTES.default))
    ]


def _is_of(said: GateDecision, act: Act) -> bool:
    """Say whether a gate was asked about the very artifact, or commit, that was deployed."""
    if act.artifacts:
        return set(act.artifacts) == {said.artifact}
    return bool(act.commits) and all(is_same(commit, said.commit) for commit in act.commits)


def _was_used(row: Deployment, act: Act, said: GateDecision, look: Look) -> bool:
    """Say whether an earlier deployment, or attempt, had used up an `allow`: of two at one instant, the one that was recorded first."""
    # Whoever dates one to just before the answer, as far as clocks may be apart, has used it all the same.
    since = to_text(from_text(said.at) - clocks_of(look, act.at).skew_s * 1_000_000)
    return any(
        other.service == act.service
        and since <= other.at
        and (other.at, other.position) < (act.at, act.position)
        and said.position < other.position
        and same_environment(look, other.environment, act.environment, act.at)
        and (deployment.deployment_id, other.attempt) != (row.deployment_id, act.attempt)
        and _is_of(said, other)
        for deployment in deployments_between(look, act.environment or "", since, act.at)
        for other in deployment.acts
    )


class Against(NamedTuple):
    """An act that the gate had not allowed as it was done, in words; and the answer that says so, if there was one."""

    kind: Kind
    act: Act
    words: str
    said: GateDecision | None = None


def against_the_gate(row: Deployment, look: Look) -> Iterator[Against]:
    """Yield the acts of a deployment that the gate had not allowed as they were done, where the policy asks for the gate."""
    for act in row.acts:
        if act.is_history or act.environment is None:
            continue
        times = [instant for instant in instants_of(look, act) if _is_asked_for(look, act.environment, instant)]
        found = (_against(row, act, instant, look) for instant in times)
        if (first := next(filter(None, found), None)) is not None:
            yield first


def _is_asked_for(look: Look, environment: str, instant: Instant) -> bool:
    """Say whether the policy asks for the gate at an instant: at each at which an act is judged, so that nobody dates one to before it."""
    policy = in_force(look.at(instant.at), instant.at)
    return "required" in policy.words(DEPLOY_GATE, *names_for(look, policy, environment, instant.at))


def _against(row: Deployment, act: Act, instant: Instant, look: Look) -> Against | None:
    asked = _asked_before(row, act, instant, look)
    # What was answered of the very artifact is the answer: who asks of another one changes nothing of it.
    asked = [said for said in asked if _is_of(said, act)] or asked
    allowed = [said for said in asked if said.verdict == "allow"]
    where = f"{row.deployment_id} put {act.service} into {act.environment} at {act.at}"
    if asked and asked[0].verdict != "allow":
        return Against("against", act, f"{where}, and the gate had answered {asked[0].verdict}", asked[0])
    if not allowed:
        return Against("bypassed", act, f"{where} without an `allow` of the gate in force")
    if not _is_of(allowed[0], act):
        return Against("another", act, f"{where}, and the `allow` was of another artifact or commit", allowed[0])
    if _was_used(row, act, allowed[0], look):
        return Against("bypassed", act, f"{where} by an `allow` that an earlier attempt had used", allowed[0])
    return None

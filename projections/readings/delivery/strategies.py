"""Strategies of releases: the matrix of what may be used, what each service is, what was chosen, and what was seen while it went out.

Longer than other files because what is chosen is judged by five nouns that mean nothing alone.
"""

from dataclasses import dataclass
from typing import Final

from ledger.conditions import Match
from ledger.events import ref
from ledger.events.rollout import RolloutObserved
from ledger.events.strategy import StrategyMatrixPublished, StrategySelected, StrategyServiceProfiled
from projections.engine.derived import Judged
from projections.engine.reads import Look
from projections.engine.view import EntryInfo, Moment, Reads, View, replace
from projections.readings.delivery.acts import Act
from projections.readings.delivery.deployments import Deployment, change_at, deployments
from projections.readings.environments.environments import READ_BY_ASKING, same_environment
from projections.readings.people.policies import InForce
from projections.readings.people.powers import fault_of_speaker
from projections.readings.people.replacing import in_place
from projections.readings.people.settings import Words
from projections.readings.people.speaking import clocks_of
from projections.readings.people.voices import Spoken, in_time, spoken
from projections.rules.leave import Clocks, Instant, instants, is_reported_late, was_there
from projections.rules.strategies import Cell, Profile, Strategy, allowed, not_as_chosen
from projections.rules.words import listed

STRATEGY_MATRIX: Final = Words(
    "strategy-matrix", "the matrix that says which strategies services may use", default=("release-strategies",)
)
# How many observations of one deployment are looked at: the last ones.
AT_MOST: Final = 500


@dataclass(frozen=True)
class MatrixVersion:
    """One wording of a matrix."""

    said: Spoken
    version: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class StrategyMatrix:
    """A matrix, in every wording; the first cell that fits a service holds."""

    matrix_id: str
    version: str | None = None
    versions: tuple[MatrixVersion, ...] = ()


strategy_matrices = View(
    "strategy_matrices",
    version=1,
    row=StrategyMatrix,
    kind="strategy_matrix",
    doc="Matrices of strategies: which may be used by criticality, tolerance of a rollback and state; every wording.",
)


@strategy_matrices.on(StrategyMatrixPublished, key=lambda event: event.matrix_id)
def published(row: StrategyMatrix, event: StrategyMatrixPublished, entry: EntryInfo) -> StrategyMatrix:
    cells = tuple(Cell(c.strategies, c.criticalities, c.bears_at_most_s, c.stateful) for c in event.cells)
    version = MatrixVersion(spoken(entry, event.actor), event.version, cells)
    return replace(row, version=event.version, versions=(*row.versions, version))


@dataclass(frozen=True)
class Profiled:
    """What a service was said to be."""

    said: Spoken
    criticality: str
    max_rollback_s: int
    stateful: bool


@dataclass(frozen=True)
class ServiceProfile:
    """A service, as it was profiled last; and every time."""

    service: str
    criticality: str | None = None
    max_rollback_s: int | None = None
    stateful: bool | None = None
    profiles: tuple[Profiled, ...] = ()


service_profiles = View(
    "service_profiles",
    version=1,
    row=ServiceProfile,
    kind="service",
    indexes=("criticality", "stateful"),
    doc="Services: how much depends on each, how long its rollback may take, whether it holds state; as was said each time.",
)


@service_profiles.on(StrategyServiceProfiled, key=lambda event: event.service)
def profiled(row: ServiceProfile, event: StrategyServiceProfiled, entry: EntryInfo) -> ServiceProfile:
    profile = Profiled(spoken(entry, event.actor), event.criticality, event.max_rollback_s, event.stateful)
    return replace(
        row,
        criticality=event.criticality,
        max_rollback_s=event.max_rollback_s,
        stateful=event.stateful,
        profiles=(*row.profiles, profile),
    )


@dataclass(frozen=True)
class Choice:
    """A strategy that somebody chose, and what they took the service for."""

    said: Spoken
    service: str
    strategy: Strategy
    criticality: str | None = None
    max_rollback_s: int | None = None


@dataclass(frozen=True)
class Choices:
    """What was chosen for one change, or for a service from then on. The key is `change:…` or `service:…`."""

    choice: str
    choices: tuple[Choice, ...] = ()


strategy_choices = View(
    "strategy_choices",
    version=1,
    row=Choices,
    kind="strategy_choice",
    entries_of=lambda key, row: (Match((StrategySelected.type,), (key,)),),
    doc="Strategies that were chosen, for one change or for a service from then on, by whom, and what they took it for.",
)


def _about(event: StrategySelected) -> str:
    return ref("change", event.change_id) if event.change_id is not None else ref("service", event.service)


@strategy_choices.on(StrategySelected, key=_about)
def selected(row: Choices, event: StrategySelected, entry: EntryInfo) -> Choices:
    choice = Choice(spoken(entry, event.actor), event.service, event.strategy, event.criticality, event.max_rollback_s)
    return replace(row, choices=(*row.choices, choice))


@dataclass(frozen=True)
class Seen:
    """How much a deployment had at a time."""

    said: Spoken
    service: str
    environment: str
    weight: int


@dataclass(frozen=True)
class Rollout:
    """What was seen of one deployment while it went out, in the order of the record."""

    deployment_id: str
    seen: tuple[Seen, ...] = ()


rollouts = View(
    "rollouts",
    version=1,
    row=Rollout,
    kind="deployment",
    doc="Rollouts: how much of the traffic, or of the instances, each deployment was seen to have, and when.",
)


@rollouts.on(RolloutObserved, key=lambda event: event.deployment_id)
def observed(row: Rollout, event: RolloutObserved, entry: EntryInfo) -> Rollout:
    seen = Seen(spoken(entry, event.actor), event.service, event.environment, event.weight)
    return replace(row, seen=(*row.seen, seen))


# -- asking --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Allowed:
    """Which strategies a service may use at an instant; None with `why` where nobody can say."""

    strategies: tuple[Strategy, ...] | None = None
    why: str = ""
    profile: Profiled | None = None
    position: int | None = None


def allowed_for(reads: Reads, policy: InForce, service: str, instant: Instant, clocks: Clocks) -> Allowed:
    """Return which strategies a service may use, by matrix and profile as they were on record at an instant."""
    name = policy.words(STRATEGY_MATRIX)[0]
    matrix, row = reads.row(strategy_matrices, name), reads.row(service_profiles, service)
    versions = [
        v
        for v in (matrix.versions if matrix is not None else ())
        if was_there(v.said, instant, clocks) and not fault_of_speaker(reads, StrategyMatrixPublished.type, v.said)
    ]
    profiles = [
        p
        for p in (row.profiles if row is not None else ())
        if was_there(p.said, instant, clocks) and not fault_of_speaker(reads, StrategyServiceProfiled.type, p.said)
    ]
    if not versions:
        return Allowed(why=f"nobody published the matrix {name}")
    if not profiles:
        return Allowed(why=f"nobody said what {service} is: how critical, and how long a rollback may take")
    version = max(versions, key=in_time)
    last = max(profiles, key=in_time)
    found = allowed(version.cells, Profile(last.criticality, last.max_rollback_s, last.stateful))
    why = f"no cell of {name} {version.version} fits {service}" if found is None else ""
    return Allowed(found, why, last, version.said.position)


def choice_at(reads: Reads, service: str, change_id: str | None, instant: Instant, clocks: Clocks) -> Choice | None:
    """Return what was chosen when something was done: for that very change, else for the service. A machine chooses nothing else where
    another, or a human, had chosen.
    """
    for about in (*((ref("change", change_id),) if change_id is not None else ()), ref("service", service)):
        row = reads.row(strategy_choices, about)
        there = [
            choice
            for choice in (row.choices[-AT_MOST:] if row is not None else ())
            if choice.service == service
            and was_there(choice.said, instant, clocks)
            and not fault_of_speaker(reads, StrategySelected.type, choice.said)
        ]
        if (held := in_place(reads, StrategySelected.type, there)) is not None:
            return held
    return None


def mistaken(choice: Choice, profile: Profiled) -> str:
    """Say what whoever chose took the service for that it is not, or ""."""
    wrong = []
    if choice.criticality is not None and choice.criticality != profile.criticality:
        wrong.append(f"{choice.criticality}, and it is {profile.criticality}")
    if choice.max_rollback_s is not None and choice.max_rollback_s > profile.max_rollback_s:
        wrong.append(f"to bear a rollback of {choice.max_rollback_s} s, and it bears {profile.max_rollback_s}")
    return f"{choice.said.speaker} took it for {listed(wrong)}" if wrong else ""


def weights_of(reads: Reads, row: Rollout, act: Act) -> tuple[list[int], list[int]]:
    """Return what was seen of one act of a deployment, the earliest first: all of it, and what was told in time."""
    seen = [
        one
        for one in row.seen[-AT_MOST:]
        if one.service == act.service
        and same_environment(reads, one.environment, act.environment, act.at)
        and one.said.at >= act.at
        and not fault_of_speaker(reads, RolloutObserved.type, one.said)
    ]
    in_order = sorted(seen, key=in_time)
    in_time_told = [one for one in in_order if not is_reported_late(one.said, clocks_of(reads, one.said.at))]
    return [one.weight for one in in_order], [one.weight for one in in_time_told]


def chosen_for(reads: Reads, row: Deployment, act: Act) -> list[tuple[Strategy | None, int | None]]:
    """Return by which strategy something was to be done, and where that is said: as it was chosen, else as the deployment itself says.

    As was on record at each instant at which the act is judged: who dates its start back takes no choice away.
    """
    clocks = clocks_of(reads, act.at)
    found: list[tuple[Strategy | None, int | None]] = []
    for instant in instants(act, clocks):
        choice = choice_at(reads, act.service or "", change_at(reads, row, act, instant, clocks), instant, clocks)
        found.append((choice.strategy, choice.said.position) if choice is not None else (row.strategy, None))
    return found


# -- what a reader sees --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Conformance:
    """One deployment of which something was seen: what was chosen for it, which weights were seen, and how these contradict."""

    deployment_id: str
    service: str | None = None
    environment: str | None = None
    chosen: Strategy | None = None
    weights: tuple[int, ...] = ()
    first_at: Moment | None = None
    is_as_chosen: bool | None = None
    fault: str = ""
    positions: tuple[int, ...] = ()


strategy_conformance = Judged(
    "strategy_conformance",
    version=3,
    row=Conformance,
    of=rollouts,
    reads=(deployments, strategy_choices, *READ_BY_ASKING),
    indexes=("service", "chosen", "is_as_chosen"),
    doc="Conformance of rollouts: which strategy was chosen for a deployment, which weights were seen, and how these contradict.",
)


@strategy_conformance.by
def conformance(row: Rollout, look: Look) -> Conformance:
    """Whether what was seen of a deployment is what was chosen: of its acts the first that contradicts, else the last."""
    made = Conformance(row.deployment_id)
    deployment = look.row(deployments, row.deployment_id)
    for act in deployment.acts if deployment is not None else ():
        weights, told_in_time = weights_of(look, row, act) if act.kind == "deployment" else ([], [])
        if deployment is None or not weights:
            continue
        for chosen, position in chosen_for(look, deployment, act):
            # What is told late contradicts, and explains nothing away.
            faults = (not_as_chosen(chosen, seen) for seen in (weights, told_in_time)) if chosen is not None else ()
            fault = next((fault for fault in faults if fault), "")
            made = Conformance(
                row.deployment_id,
                act.service,
                act.environment,
                chosen,
                tuple(weights),
                act.at,
                None if chosen is None else not fault,
                fault,
                tuple(sorted({p for p in (position, act.position) if p is not None})),
            )
            if fault:
                return made
    return made

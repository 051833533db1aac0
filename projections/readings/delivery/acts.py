"""Acts: who put what where, when, and by which statements. One for each service, environment and attempt of a deployment.

Made of reports, whatever their order: what is known of an act does not depend on which of its statements came first. A row of
`deployments` has its acts, and rules about acts look at these. Not whether anybody was allowed to.

    d-1  started web prod 10:00, finished web prod 10:05 failure, started web prod 11:00, finished api prod 11:02
    ->   web prod attempt 1: 10:00 to 10:05, failure
         web prod attempt 2: from 11:00
         api prod attempt 1: known by its end alone, 11:02
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from ledger.events.deployment import Outcome
from projections.engine.reads import Rows
from projections.engine.view import Moment, Reads, later, replace
from projections.readings.changes.commits import is_same
from projections.readings.environments.environments import is_production
from projections.readings.people.imports import instants_of
from projections.readings.people.powers import kind_of
from projections.readings.people.voices import Spoken, in_time

Kind = Literal["started", "finished", "promoted"]
# How far apart two doors may tell of one start.
DOORS_APART_MINUTES: Final = 15


@dataclass(frozen=True)
class Report:
    """One statement that something was being deployed, had been, or was let through to the next environment."""

    kind: Kind
    said: Spoken
    service: str | None = None
    environment: str | None = None
    attempt: int = 1
    artifact: str | None = None
    commit: str | None = None
    outcome: Outcome | None = None
    # Recorded within an import of history, about a time before it.
    is_history: bool = False


@dataclass(frozen=True)
class Act:
    """Something was put somewhere. `at` is when it began, or its end where that is all that is known; `recorded_at` when the
    ledger first knew of it, at `position`.
    """

    kind: Literal["deployment", "promotion"]
    attempt: int
    at: Moment
    recorded_at: Moment
    position: int
    service: str | None = None
    environment: str | None = None
    # Who did it, as they themselves or somebody for them said; and who reported it.
    actor: str | None = None
    reported_by: str | None = None
    # More than one where reports of it differ.
    artifacts: tuple[str, ...] = ()
    commit: str | None = None
    # The first of them, and more where reports of it differ.
    commits: tuple[str, ...] = ()
    started_at: Moment | None = None
    finished_at: Moment | None = None
    outcome: Outcome | None = None
    is_history: bool = False
    # When it ended first, where several ends of it are told.
    first_end_at: Moment | None = None


# Under which name all names of one environment compare.
Naming = Callable[[str], str]


def is_repeated(reports: Iterable[Report], report: Report, naming: Naming) -> bool:
    """Say whether something was said in the same words before."""
    words = _words(report, naming)
    return any(_words(known, naming) == words for known in reports)


def _words(report: Report, naming: Naming) -> tuple[object, ...]:
    place = naming(report.environment) if report.environment is not None else None
    return (
        report.kind,
        report.said.at,
        report.service,
        place,
        report.attempt,
        report.artifact,
        report.commit,
        report.outcome,
    )


def acts_of(reports: Iterable[Report], naming: Naming) -> tuple[Act, ...]:
    """Return the acts that reports of one deployment make, in the order in which the ledger came to know of them."""
    groups: dict[tuple[str | None, str | None, bool, int], list[Report]] = {}
    called: dict[str | None, str | None] = {}
    held = sorted(reports, key=in_time)
    # What names no place is of the place that was named last before it, by time; else of the first.
    service = _first(report.service for report in held)
    environment = _first(report.environment for report in held if report.kind != "promoted")
    for report in held:
        is_promotion = report.kind == "promoted"
        service = report.service or service
        # A promotion names where it goes.
        environment = environment if is_promotion else report.environment or environment
        named = report.environment if is_promotion else environment
        name = naming(named) if named is not None else None
        called.setdefault(name, named)
        groups.setdefault((service, name, is_promotion, report.attempt), []).append(report)
    acts: list[Act] = []
    for (service, name, is_promotion, attempt), some in groups.items():
        for number, told in enumerate([some] if is_promotion else _attempts(some)):
            acts.append(_act(service, called[name], attempt + number, told, is_promotion=is_promotion))
    return tuple(_with_what_ran(act, acts) for act in sorted(acts, key=lambda act: act.position))


def _with_what_ran(act: Act, acts: Sequence[Act]) -> Act:
    """Return an act; of a promotion that does not say what is promoted, what had been put there last before it."""
    if act.kind != "promotion" or act.artifacts or act.commits:
        return act
    before = [one for one in acts if one.kind == "deployment" and one.service == act.service and one.at <= act.at]
    ran = max(before, key=lambda one: (one.at, one.position), default=None)
    return act if ran is None else replace(act, artifacts=ran.artifacts, commit=ran.commit, commits=ran.commits)


def _attempts(reports: Sequence[Report]) -> list[list[Report]]:
    """Divide reports of one place: a start after an end, by time, begins the next attempt."""
    attempts: list[list[Report]] = [[]]
    has_ended = False
    for report in sorted(reports, key=in_time):
        if report.kind == "started" and has_ended:
            attempts.append([])
            has_ended = False
        has_ended = has_ended or report.kind == "finished"
        attempts[-1].append(report)
    return attempts


def _act(
    service: str | None, environment: str | None, attempt: int, reports: Sequence[Report], *, is_promotion: bool
) -> Act:
    by_record = sorted(reports, key=lambda report: report.said.position)
    first = by_record[0]
    begun = _starts_that_count([report for report in by_record if report.kind == "started"])
    ended = [report for report in reports if report.kind == "finished"]
    last = _end_that_counts(ended)
    commits = _different(report.commit for report in by_record if report.commit is not None)
    starters = [report for report in by_record if report.kind != "finished"]
    return Act(
        "promotion" if is_promotion else "deployment",
        attempt,
        min(begun) if begun else min(report.said.at for report in reports),
        min(report.said.recorded_at for report in reports),
        first.said.position,
        service,
        environment,
        _first(report.said.actor for report in (*starters, *by_record)),
        first.said.principal,
        tuple(dict.fromkeys(report.artifact for report in by_record if report.artifact is not None)),
        next(iter(commits), None),
        commits,
        min(begun, default=None),
        last.said.at if last else None,
        last.outcome if last else None,
        all(report.is_history for report in reports),
        min((report.said.at for report in ended), default=None),
    )


def who_did(reads: Reads, act: Act) -> tuple[str, ...]:
    """Return by which names whoever did something is known: the actor, and a human who told of it in another's name, or in nobody's.

    A machine that reports what people do has done nothing itself, nor has who imports history.
    """
    names = dict.fromkeys(name for name in (act.actor, act.reported_by) if name is not None)
    return tuple(
        name for name in names if name == act.actor or (not act.is_history and kind_of(reads, name) == "human")
    )


def _end_that_counts(ended: Sequence[Report]) -> Report | None:
    """Return the last end that is told, of the last word of each who tells one: that it failed, nobody else takes back. It is tried
    again, as another attempt.
    """
    own = {report.said.principal: report for report in sorted(ended, key=in_time)}
    return max(own.values(), key=lambda told: (told.outcome in ("failure", "error"), in_time(told)), default=None)


def _starts_that_count(started: Sequence[Report]) -> list[Moment]:
    """Return when an act began: as it was said first, and what was said soon after about nearly the same time, by whichever door.

    What says otherwise later moves nothing: an act that lies before a policy, or outside a freeze, would not be against it.
    """
    if not started:
        return []
    first = started[0].said
    return [
        report.said.at
        for report in started
        if report.said.recorded_at <= later(first.recorded_at, minutes=DOORS_APART_MINUTES)
        and report.said.at <= later(first.at, minutes=DOORS_APART_MINUTES)
        and first.at <= later(report.said.at, minutes=DOORS_APART_MINUTES)
    ]


def _first(values: Iterable[str | None]) -> str | None:
    return next((value for value in values if value is not None), None)


def _different(commits: Iterable[str]) -> tuple[str, ...]:
    """Return the commits that are not the same, as far as hashes that are shortened tell."""
    found: list[str] = []
    for commit in commits:
        if not any(is_same(commit, known) for known in found):
            found.append(commit)
    return tuple(found)


def is_in_production(reads: Rows, act: Act) -> bool:
    """Say whether something was done to production: as the environment was when it was done; or, where that is reported late, when it was
    recorded. Whoever dates it to before the environment was production wins nothing.
    """
    return any(
        is_production(reads, act.environment, instant.at, by=act.actor)
        for instant in instants_of(reads, act, is_history=act.is_history)
    )

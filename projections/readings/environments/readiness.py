"""Readiness of environments for releases: by when each was promised, how often that slipped and why, and whether it was attested.

Not whether a release may begin: that is judged. What is between the start of a release and the readiness of an environment is its slack;
the environment with the least of it is critical: the release waits for it first.

    R-1 starts Friday 12:00; staging promised by Thursday 12:00, prod by Friday 10:00      slack 1440 and 120 minutes: prod is critical
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from ledger.clock import from_text
from ledger.conditions import Match
from ledger.events import Event, ref
from ledger.events.environment import EnvironmentReadinessPromised, EnvironmentReadyAttested
from ledger.events.release import ReleaseScheduled
from projections.engine.derived import Judged
from projections.engine.reads import Look
from projections.engine.view import EntryInfo, Moment, Reads, View, moment, replace
from projections.readings.environments.environments import READ_BY_ASKING, under_all_names
from projections.readings.people.powers import fault_of_speaker
from projections.readings.people.replacing import in_place, standing
from projections.readings.people.speaking import clocks_of
from projections.readings.people.voices import Spoken, in_time, spoken
from projections.rules.environments import compared
from projections.rules.leave import FOR_EVER, Clocks, is_reported_late

_MINUTE: Final = 60 * 1_000_000


# -- readiness -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Promise:
    """Somebody said by when an environment is ready; `cause` why that is another time than before."""

    said: Spoken
    ready_by: Moment
    cause: str | None = None


@dataclass(frozen=True)
class Attestation:
    """Somebody looked whether an environment is ready: it is not where a check failed."""

    said: Spoken
    environment: str
    failed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Readiness:
    """One environment for one release. The columns before the lists are of what was recorded last, by whomever."""

    key: str
    release_id: str | None = None
    environment: str | None = None
    ready_by: Moment | None = None
    # How often a later time was promised than before, and by how much in all.
    slips: int = 0
    slipped_minutes: int = 0
    is_ready: bool = False
    promises: tuple[Promise, ...] = ()
    attestations: tuple[Attestation, ...] = ()


_ABOUT: Final = (EnvironmentReadinessPromised.type, EnvironmentReadyAttested.type)


def key_of(release_id: str, environment: str) -> str:
    """Return the key of an environment for a release, however that is spelled."""
    return f"{release_id}#{compared(environment)}"


readiness = View(
    "readiness",
    version=2,
    row=Readiness,
    kind="readiness",
    entries_of=lambda key, row: (Match(_ABOUT, (ref("release", key.partition("#")[0]),)),),
    indexes=("release_id", "environment", "is_ready", "slips"),
    doc="Environments and releases, `2026.48#staging`: by when each is promised, how often and why that slipped, whether it is attested.",
)


@readiness.on(EnvironmentReadinessPromised, key=lambda event: key_of(event.release_id, event.environment))
def promised(row: Readiness, event: EnvironmentReadinessPromised, entry: EntryInfo) -> Readiness:
    promise = Promise(spoken(entry, event.actor), moment(event.ready_by), event.cause)
    if row.ready_by is not None and row.ready_by < promise.ready_by:
        row = replace(
            row,
            slips=row.slips + 1,
            slipped_minutes=row.slipped_minutes + _minutes_between(row.ready_by, promise.ready_by),
        )
    return replace(
        row,
        release_id=event.release_id,
        environment=row.environment or event.environment,
        ready_by=promise.ready_by,
        promises=(*row.promises, promise),
    )


@readiness.on(EnvironmentReadyAttested, key=lambda event: key_of(event.release_id, event.environment))
def attested(row: Readiness, event: EnvironmentReadyAttested, entry: EntryInfo) -> Readiness:
    failed = tuple(dict.fromkeys(check.name for check in event.checks if not check.passed))
    return replace(
        row,
        release_id=event.release_id,
        environment=row.environment or event.environment,
        is_ready=not failed,
        attestations=(*row.attestations, Attestation(spoken(entry, event.actor), event.environment, failed)),
    )


# -- schedules -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Schedule:
    """A release was said to begin at a time, in some environments."""

    said: Spoken
    start_at: Moment
    environments: tuple[str, ...]


@dataclass(frozen=True)
class ReleaseSchedule:
    """One release, and every time that it was scheduled for. The columns before are of what was recorded last."""

    release_id: str
    start_at: Moment | None = None
    end_at: Moment | None = None
    environments: tuple[str, ...] = ()
    schedules: tuple[Schedule, ...] = ()


release_schedules = View(
    "release_schedules",
    version=1,
    row=ReleaseSchedule,
    kind="release",
    entries_of=lambda key, row: (Match((ReleaseScheduled.type,), (ref("release", key),)),),
    indexes=("start_at",),
    doc="Releases: when each is to begin, where, and for when it was scheduled before.",
)


@release_schedules.on(ReleaseScheduled, key=lambda event: event.release_id)
def scheduled(row: ReleaseSchedule, event: ReleaseScheduled, entry: EntryInfo) -> ReleaseSchedule:
    schedule = Schedule(spoken(entry, event.actor), moment(event.start), event.environments)
    return replace(
        row,
        start_at=schedule.start_at,
        end_at=moment(event.end) if event.end is not None else None,
        environments=event.environments,
        schedules=(*row.schedules, schedule),
    )


# -- asking --------------------------------------------------------------------------------------------------------------


def rows_of(reads: Reads, release_id: str, environment: str, at: Moment) -> list[Readiness]:
    """Return what was said of an environment for a release, under all names that it goes by at a time; its own first."""
    return under_all_names(reads, readiness, environment, at, lambda name: key_of(release_id, name))


def promises_of(reads: Reads, rows: Iterable[Readiness]) -> list[Promise]:
    """Return the promises that count, in the order of the record."""
    found = [
        one
        for row in rows
        for one in row.promises
        if not _fault_of(reads, EnvironmentReadinessPromised, one.said, row.environment)
    ]
    return sorted(found, key=lambda one: one.said.position)


def attestations_of(reads: Reads, rows: Iterable[Readiness]) -> list[Attestation]:
    """Return the attestations that count, in the order of their times."""
    found = [
        one
        for row in rows
        for one in row.attestations
        if not _fault_of(reads, EnvironmentReadyAttested, one.said, row.environment)
    ]
    return sorted(found, key=in_time)


def ready_since(reads: Reads, attestations: Iterable[Attestation], clocks: Clocks) -> Moment | None:
    """Return since when an environment is ready by its attestations, in the order of their times; None where it is not.

    It is not as long as one that stands says so. One that is told late counts from when it is told.
    """
    since: Moment | None = None
    told: list[Attestation] = []
    for one in attestations:
        told = standing(reads, EnvironmentReadyAttested.type, (*told, one), one.environment)
        at = one.said.recorded_at if is_reported_late(one.said, clocks) else one.said.at
        since = None if failing(told) else since or at
    return since


def failing(told: Iterable[Attestation]) -> list[str]:
    """Return the checks that did not pass by attestations."""
    return list(dict.fromkeys(name for one in told for name in one.failed))


def _fault_of(reads: Reads, event: type[Event], said: Spoken, environment: str | None = None) -> str:
    return fault_of_speaker(reads, event.type, said, environment)


def _minutes_between(begin: Moment, end: Moment) -> int:
    return (from_text(end) - from_text(begin)) // _MINUTE


# -- slack ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class EnvironmentSlack:
    """One environment of a release: when it is ready, or is promised to be, and how long before the start that is."""

    environment: str
    is_ready: bool
    ready_at: Moment | None = None
    # Less than none where it is ready after the start; unknown where nobody promised anything.
    slack_minutes: int | None = None
    slips: int = 0
    causes: tuple[str, ...] = ()


@dataclass(frozen=True)
class ReleaseSlack:
    """How much time a release has: that of the environment with the least, which is `critical`."""

    release_id: str
    start_at: Moment | None = None
    scheduled_position: int | None = None
    slack_minutes: int | None = None
    critical: str | None = None
    environments: tuple[EnvironmentSlack, ...] = ()


release_slack = Judged(
    "release_slack",
    version=3,
    row=ReleaseSlack,
    of=release_schedules,
    reads=(readiness, *READ_BY_ASKING),
    indexes=("start_at", "slack_minutes", "critical"),
    doc="Slack of releases: how long before the start each environment is ready or promised to be, and which one is critical.",
)


@release_slack.by
def slack_of(row: ReleaseSchedule, look: Look) -> ReleaseSlack:
    """Take the schedule that holds, of those by whoever may, and each environment by its attestation, or else its promise."""
    counting = [one for one in row.schedules if not _fault_of(look, ReleaseScheduled, one.said)]
    if not counting:
        return ReleaseSlack(row.release_id)
    last = in_place(look, ReleaseScheduled.type, counting) or counting[0]
    found = [_environment_slack(row.release_id, name, last.start_at, look) for name in dict.fromkeys(last.environments)]
    known = [(one.slack_minutes, one.environment) for one in found if one.slack_minutes is not None]
    # Of several, the one that was named first.
    least, critical = min(known, key=lambda one: one[0], default=(None, None))
    return ReleaseSlack(row.release_id, last.start_at, last.said.position, least, critical, tuple(found))


def _environment_slack(release_id: str, name: str, start_at: Moment, look: Look) -> EnvironmentSlack:
    rows = rows_of(look, release_id, name, FOR_EVER)
    promises = promises_of(look, rows)
    since = ready_since(look, attestations_of(look, rows), clocks_of(look, start_at))
    held = in_place(look, EnvironmentReadinessPromised.type, promises)
    ready_at = since or (held.ready_by if held is not None else None)
    return EnvironmentSlack(
        name,
        since is not None,
        ready_at,
        _minutes_between(ready_at, start_at) if ready_at is not None else None,
        sum(later.ready_by > before.ready_by for before, later in pairwise(promises)),
        tuple(dict.fromkeys(promise.cause for promise in promises if promise.cause is not None)),
    )

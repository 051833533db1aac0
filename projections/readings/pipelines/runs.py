"""Runs of pipelines, by job: for whom, on which runner, from when to when, by which builder, and what they made.

Not whether two were kept apart: that is judged by the rows that a row names. `beside` are the runs that the runner had, or may have
had, when this one was told of: those that began last, and not all of them, so that a runner of a hundred thousand runs costs no more
than a new one.

    job build of run 4711, for acme       pipeline_runs 4711#1#build    on r-7, from 09:00 to 09:10
    job build of run 4712, for globex     pipeline_runs 4712#1#build    on r-7, from 09:05; beside 4711#1#build
    runner r-7                            runners       r-7             2 runs, of acme and globex
    what run 4711 made                    builds        sha256:0b31…    by 4711#1#build
"""

from dataclasses import dataclass
from typing import Final, Literal

from ledger.conditions import Match
from ledger.events import ref
from ledger.events.pipeline_run import PipelineRunFinished, PipelineRunStarted, RunEvent
from projections.engine.view import EntryInfo, Moment, View, moment, replace
from projections.readings.people.voices import Spoken, spoken
from projections.rules.keeping import ends_of_each, kept

_TELLING: Final = (PipelineRunStarted.type, PipelineRunFinished.type)
# So many runs of a runner are held against the next one, those that began last; and so many of what made one thing, and of all else,
# are kept.
COMPARED: Final = 16
MAKINGS: Final = 8
KEPT: Final = 16


@dataclass(frozen=True)
class Run:
    """One run of a pipeline, or one job of it, as it was said first. What is said of it later adds to that; `again` said otherwise."""

    run: str
    run_id: str | None = None
    attempt: int = 1
    job: str | None = None
    tenant: str | None = None
    runner_id: str | None = None
    image_digest: str | None = None
    ephemeral: bool | None = None
    builder_id: str | None = None
    service: str | None = None
    commit: str | None = None
    outcome: Literal["success", "failure", "cancelled"] | None = None
    started_at: Moment | None = None
    finished_at: Moment | None = None
    artifacts: int = 0
    # When it was there first and last, and who said so: its end alone, where nobody said when it began.
    began: Spoken | None = None
    ended: Spoken | None = None
    again: tuple[Spoken, ...] = ()
    # Runs that its runner had when it was told of.
    beside: tuple[str, ...] = ()


def key_of(event: RunEvent) -> str:
    """Return under which key a run stands: its id, which try it is, and the job where one is named."""
    return f"{event.run_id}#{event.attempt}" + (f"#{event.job}" if event.job is not None else "")


def _ended(event: PipelineRunFinished, said: Spoken) -> Spoken:
    return replace(said, at=min(said.at, moment(event.finished_at))) if event.finished_at is not None else said


def _began(event: RunEvent, said: Spoken) -> Spoken:
    """Return when a run was there first by a statement, and who said so: when it began, or its end where that is all that is told."""
    if not isinstance(event, PipelineRunFinished):
        return said
    return (
        replace(said, at=min(said.at, moment(event.started_at)))
        if event.started_at is not None
        else _ended(event, said)
    )


def _says_when_it_began(event: RunEvent) -> bool:
    return not isinstance(event, PipelineRunFinished) or event.started_at is not None


@dataclass(frozen=True)
class Turn:
    """One run that a runner had."""

    run: str
    began_at: Moment
    tenant: str | None = None


@dataclass(frozen=True)
class Runner:
    """One runner: how many runs were told of on it, of which tenants, by which builder, and whether it is for one run alone.

    `latest` are the runs that began last.
    """

    runner_id: str
    runs: int = 0
    tenants: tuple[str, ...] = ()
    ephemeral: bool | None = None
    builder_id: str | None = None
    image_digest: str | None = None
    first_seen_at: Moment | None = None
    last_seen_at: Moment | None = None
    latest: tuple[Turn, ...] = ()


runners = View(
    "runners",
    version=2,
    row=Runner,
    kind="runner",
    indexes=("builder_id", "ephemeral"),
    doc="Runners of pipelines: how many runs each had, of which tenants, and whether it is made for one run alone.",
)


@runners.on(PipelineRunStarted, PipelineRunFinished, key=lambda event: event.runner_id)
def ran(row: Runner, event: RunEvent, entry: EntryInfo) -> Runner:
    said, name = spoken(entry, event.actor), key_of(event)
    began = _began(event, said)
    is_new = all(turn.run != name for turn in row.latest)
    latest = row.latest
    if is_new:
        turn = Turn(name, began.at, event.tenant)
        turns = sorted((*latest, turn), key=lambda one: (one.began_at, one.run))
        # Runs of one tenant, or of nobody in particular, push no other tenant's out of sight.
        latest = kept(turns, turn, lambda one: one.tenant, COMPARED)
    tenants = row.tenants
    if event.tenant is not None and event.tenant not in tenants and len(tenants) < KEPT:
        tenants = (*tenants, event.tenant)
    return replace(
        row,
        runs=row.runs + is_new,
        tenants=tenants,
        # Whoever says so once has said so: it is not another's to take back.
        ephemeral=row.ephemeral or event.ephemeral if event.ephemeral is not None else row.ephemeral,
        builder_id=row.builder_id or event.builder_id,
        image_digest=row.image_digest or event.image_digest,
        first_seen_at=min(row.first_seen_at or began.at, began.at),
        last_seen_at=max(row.last_seen_at or said.at, said.at),
        latest=latest,
    )


pipeline_runs = View(
    "pipeline_runs",
    version=2,
    row=Run,
    kind="pipeline_run",
    entries_of=lambda key, row: (Match(_TELLING, (ref("run", key.partition("#")[0]),)),),
    reads=(runners,),
    indexes=("run_id", "runner_id", "tenant", "builder_id", "service", "commit"),
    doc="Runs of pipelines, by job: for which tenant, on which runner, by which builder, from when to when.",
)


@pipeline_runs.on(PipelineRunStarted, PipelineRunFinished, key=key_of)
def told(row: Run, event: RunEvent, entry: EntryInfo) -> Run:
    said = spoken(entry, event.actor)
    new = replace(
        row,
        run_id=event.run_id,
        attempt=event.attempt,
        job=event.job,
        tenant=row.tenant or event.tenant,
        runner_id=row.runner_id or event.runner_id,
        image_digest=row.image_digest or event.image_digest,
        ephemeral=event.ephemeral if row.ephemeral is None else row.ephemeral,
        builder_id=row.builder_id or event.builder_id,
        service=row.service or event.service,
        commit=row.commit or event.commit,
    )
    began = _began(event, said)
    if row.started_at is None and _says_when_it_began(event):
        new = replace(new, began=began, started_at=began.at)
    elif row.began is None:
        new = replace(new, began=began)
    if isinstance(event, PipelineRunFinished):
        new = replace(new, artifacts=row.artifacts + len(event.artifacts), outcome=row.outcome or event.outcome)
        # That somebody else's run is over is best told by whoever told that it began.
        is_better = row.ended is not None and row.began is not None and row.ended.principal != row.began.principal
        if row.ended is None or (is_better and row.began is not None and said.principal == row.began.principal):
            ended = _ended(event, said)
            new = replace(new, ended=ended, finished_at=ended.at)
    if _says_otherwise(row, event):
        new = replace(new, again=(*row.again[: KEPT - 1], said))
    if row.runner_id is None and event.runner_id is not None:
        runner = entry.reads.row(runners, event.runner_id)
        others = [turn.run for turn in (runner.latest if runner is not None else ()) if turn.run != row.run]
        new = replace(new, beside=tuple(others))
    return new


def _says_otherwise(row: Run, event: RunEvent) -> bool:
    """Say whether a statement contradicts what was said of a run before: where it ran, for whom, and by whom it was made."""
    return any(
        known is not None and now is not None and known != now
        for known, now in (
            (row.tenant, event.tenant),
            (row.runner_id, event.runner_id),
            (row.image_digest, event.image_digest),
            (row.ephemeral, event.ephemeral),
            (row.builder_id, event.builder_id),
            (row.outcome, getattr(event, "outcome", None)),
        )
    )


# -- what runs made --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Making:
    """One statement that a run made something: by which builder, and of which commit."""

    run: str
    said: Spoken
    builder_id: str | None = None
    commit: str | None = None


@dataclass(frozen=True)
class Built:
    """One artifact, by its digest, and the runs that are said to have made it: of each builder, by whoever says so, the first and the last.

    Of very many builders, the first and the last ones; `more` were told beside them.
    """

    artifact: str
    made: tuple[Making, ...] = ()
    more: int = 0


builds = View(
    "builds",
    version=1,
    row=Built,
    kind="artifact",
    doc="Artifacts, by digest: which runs are said to have made each, by which builder, of which commit.",
)


@builds.on(PipelineRunFinished, key=lambda event: event.artifacts)
def made(row: Built, event: PipelineRunFinished, entry: EntryInfo) -> Built:
    making = Making(key_of(event), spoken(entry, event.actor), event.builder_id, event.commit)
    # Of whoever says the same of the same builder again and again, the first and the last time: power may come between.
    makings = ends_of_each(row.made, making, lambda one: (one.builder_id, one.said.principal), MAKINGS)
    return replace(row, made=makings, more=row.more + len(row.made) + 1 - len(makings))

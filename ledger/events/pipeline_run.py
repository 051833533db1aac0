"""Runs of pipelines: by which builder, for which tenant, on which runner, from when to when, and what they made."""

from typing import ClassVar, Final, Literal

from ledger.events.base import Event
from ledger.events.identifiers import (
    ArtifactDigest,
    Attempt,
    BuilderId,
    Commit,
    Digest,
    Flag,
    JobId,
    RunId,
    RunnerId,
    Service,
    Tenant,
    Time,
    many,
)

# Digests of what was made in one statement: each is a ref of it, of which it may have 64.
MAX_ARTIFACTS: Final = 48


class RunEvent(Event):
    """A fact about one run of a pipeline; of one of its jobs, where each has a runner of its own."""

    refs: ClassVar[tuple[str, ...]] = ("run_id", "runner_id", "service", "commit")
    run_id: RunId
    # A run that goes again is the next one.
    attempt: Attempt = 1
    job: JobId | None = None
    # Whose run it is, where several have runs on the same runners.
    tenant: Tenant | None = None
    runner_id: RunnerId | None = None
    # Of the machine or container that the runner was made from.
    image_digest: Digest | None = None
    # Whether the runner is made for one run and thrown away after it, as whoever runs it says.
    ephemeral: Flag | None = None
    builder_id: BuilderId | None = None
    service: Service | None = None
    commit: Commit | None = None


class PipelineRunStarted(RunEvent):
    """A run of a pipeline began, or one of its jobs did, on a runner."""

    type = "pipeline_run.started"
    says = "run {run_id}[, job {job},] began[ on {runner_id}][ for {tenant}]"


class PipelineRunFinished(RunEvent):
    """A run ended, and made what is named by its digests. Whoever tells of a run only then says when it had begun, too."""

    type = "pipeline_run.finished"
    says = "run {run_id}[, job {job},] ended[ as {outcome}][, by {builder_id}]"
    refs = ("run_id", "runner_id", "service", "commit", "artifacts")
    outcome: Literal["success", "failure", "cancelled"] | None = None
    started_at: Time | None = None
    finished_at: Time | None = None
    artifacts: tuple[ArtifactDigest, ...] = many(at_most=MAX_ARTIFACTS, default=())

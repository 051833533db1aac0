"""Tests: what is to be run, and what ran, shard by shard. Names of tests stand here, and nothing of what they printed."""

from typing import ClassVar, Final, Literal

from ledger.events.base import Event
from ledger.events.identifiers import (
    Attempt,
    Commit,
    Count,
    Decimal,
    Digest,
    Environment,
    Identity,
    ReportId,
    RunId,
    Service,
    SuiteId,
    TestId,
    Time,
    Version,
    many,
)

MAX_SHARDS: Final = 9999
# Names of tests in one statement, of each outcome; they fit where they have up to eighty characters.
MAX_NAMES: Final = 500
Result = Literal["passed", "failed", "nothing_ran"]


class SuiteEvent(Event):
    """A fact about what is to be run."""

    refs: ClassVar[tuple[str, ...]] = ("suite",)
    actor: Identity
    suite: SuiteId
    version: Version


class ManifestDeclared(SuiteEvent):
    """Somebody said which tests a suite has, and which of them may be skipped; in several statements where there are many."""

    type = "test.manifest_declared"
    says = "{actor} declared the tests of {suite} in version {version}, part {part} of {parts}"
    refs = ("suite", "run_id")
    # Of one run alone; else of every run of the suite, once somebody else accepted it.
    run_id: RunId | None = None
    part: Attempt = 1
    parts: Attempt = 1
    tests: tuple[TestId, ...] = many(at_most=MAX_NAMES, default=())
    skips: tuple[TestId, ...] = many(at_most=MAX_NAMES, default=())


class ManifestAccepted(SuiteEvent):
    """Somebody else accepted what a suite is to run and what it may skip."""

    type = "test.manifest_accepted"
    says = "{actor} accepted the tests of {suite} in version {version}"
    manifest_digest: Digest | None = None


class ReportEvent(Event):
    """A fact about what ran, as one report tells it: by outcome, and which tests passed in the end though they had failed before."""

    refs: ClassVar[tuple[str, ...]] = ("report", "run_id")
    report: ReportId
    run_id: RunId
    passed: tuple[TestId, ...] = many(at_most=MAX_NAMES, default=())
    failed: tuple[TestId, ...] = many(at_most=MAX_NAMES, default=())
    errored: tuple[TestId, ...] = many(at_most=MAX_NAMES, default=())
    skipped: tuple[TestId, ...] = many(at_most=MAX_NAMES, default=())
    # Of those above: with other outcomes in other tries of one run, and told more than once.
    flaky: tuple[TestId, ...] = many(at_most=MAX_NAMES, default=())
    repeated: tuple[TestId, ...] = many(at_most=MAX_NAMES, default=())


class ShardFinished(ReportEvent):
    """A part of a run's tests has run. Where `parts` is not 0, its tests are named in as many statements of their own."""

    type = "test.shard_finished"
    says = "shard {shard} of {shards} of run {run_id} ended as {outcome}: {tests:test}"
    refs = ("report", "run_id", "suite", "service", "environment", "commit")
    attempt: Attempt = 1
    shard: Attempt = 1
    shards: Attempt = 1
    suite: SuiteId | None = None
    service: Service | None = None
    environment: Environment | None = None
    commit: Commit | None = None
    outcome: Result
    # How many, each once.
    tests: Count
    parts: Count = 0
    started_at: Time | None = None
    duration_ms: Count | None = None
    # Of lines, in percent, where somebody measured it.
    coverage: Decimal | None = None


class CasesReported(ReportEvent):
    """Some of the tests of a report, by outcome."""

    type = "test.cases_reported"
    says = "part {part} of {parts} of the tests of {report} in run {run_id}"
    part: Attempt
    parts: Attempt

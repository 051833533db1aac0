"""Tests: what suites are to run, what reports say that ran, and what came of a run. Nothing is judged here.

One row for each statement that names tests, and rows of a run that name none: a run of a hundred thousand tests comes in two hundred
statements, and each is written once.

    test_manifests   payments-api/12/1      a part of what the suite is to run
    test_suites      payments-api           which versions somebody accepted
    test_reports     4711-unit-2            one shard's report: how many tests, in how many parts, and which came
    test_cases       4711-unit-2/0          the tests that a statement names, by outcome; 0 is the report itself
    test_runs        4711                   how many shards there are, and how long they took

What a report says stands: told again under its name, it changes nothing; told by somebody else, and otherwise, it is no evidence.
Longer than other files because these rows mean nothing alone.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from ledger.canonical import MAX_INTEGER
from ledger.clock import from_text, to_text
from ledger.conditions import Match
from ledger.events import ref
from ledger.events.test import CasesReported, ManifestAccepted, ManifestDeclared, ReportEvent, Result, ShardFinished
from projections.engine.view import EntryInfo, Moment, Number, View, moment, replace, seconds_between
from projections.readings.parts import InParts, with_part
from projections.readings.people.voices import Spoken, spoken

_REPORTING: Final = (ShardFinished.type, CasesReported.type)
# What a report says that matters: whoever else tells the same has not contradicted it.
_TELLING: Final = ("run_id", "attempt", "shard", "shards", "suite", "commit", "outcome", "tests", "parts")


# -- what is to run ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ManifestPart:
    """A part of what a suite is to run, as it was first declared; with a run, of that run alone."""

    part_id: str
    suite: str | None = None
    version: str | None = None
    run_id: str | None = None
    part: int = 1
    parts: int = 1
    tests: tuple[str, ...] = ()
    skips: tuple[str, ...] = ()
    said: Spoken | None = None


def _suite_of(key: str, row: ManifestPart) -> list[Match]:
    # Neither a version nor a number has a slash in it.
    return [Match((ManifestDeclared.type,), (ref("suite", key.rsplit("/", 2)[0]),))]


test_manifests = View(
    "test_manifests",
    version=1,
    row=ManifestPart,
    kind="manifest",
    entries_of=_suite_of,
    indexes=("suite", "version", "run_id"),
    doc="Manifests of tests, part by part: what a suite is to run, and what of it may be skipped.",
)


@test_manifests.on(ManifestDeclared, key=lambda event: f"{event.suite}/{event.version}/{event.part}")
def declared(row: ManifestPart, event: ManifestDeclared, entry: EntryInfo) -> ManifestPart:
    if row.said is not None:
        return row
    return replace(
        row,
        suite=event.suite,
        version=event.version,
        run_id=event.run_id,
        part=event.part,
        parts=event.parts,
        tests=event.tests,
        skips=event.skips,
        said=spoken(entry, event.actor),
    )


@dataclass(frozen=True)
class Acceptance:
    """Somebody accepted a version of what a suite is to run."""

    version: str
    said: Spoken
    digest: str | None = None


@dataclass(frozen=True)
class Suite:
    """One suite, and every acceptance of what it is to run.

    `coverage` is what was measured last, in the run `measured_by`, and `coverage_change` how much more that is than in the run before.
    """

    suite: str
    acceptances: tuple[Acceptance, ...] = ()
    coverage: Number | None = None
    coverage_before: Number | None = None
    coverage_change: Number | None = None
    measured_by: str | None = None


test_suites = View(
    "test_suites",
    version=2,
    row=Suite,
    kind="suite",
    doc="Suites of tests: who accepted which version of what they are to run, and how much of the code they cover, and did before.",
)


@test_suites.on(ManifestAccepted, key=lambda event: event.suite)
def accepted(row: Suite, event: ManifestAccepted, entry: EntryInfo) -> Suite:
    new = Acceptance(event.version, spoken(entry, event.actor), event.manifest_digest)
    return replace(row, acceptances=(*row.acceptances, new))


@test_suites.on(ShardFinished, key=lambda event: event.suite)
def measured(row: Suite, event: ShardFinished, entry: EntryInfo) -> Suite:
    if event.coverage is None:
        return row
    # Several shards of one run measure the same, together.
    before = row.coverage_before if row.measured_by == event.run_id else row.coverage
    change = None if before is None else f"{Decimal(event.coverage) - Decimal(before):f}"
    return replace(
        row, coverage=event.coverage, coverage_before=before, coverage_change=change, measured_by=event.run_id
    )


# -- what ran ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ShardReport(InParts):
    """One report of a shard. `seen` are the parts that came, of `parts`."""

    report: str
    run_id: str | None = None
    attempt: int = 1
    shard: int = 1
    shards: int = 1
    suite: str | None = None
    service: str | None = None
    environment: str | None = None
    commit: str | None = None
    outcome: Result | None = None
    tests: int = 0
    parts: int = 0
    seen: tuple[int, ...] = ()
    started_at: Moment | None = None
    duration_ms: int | None = None
    coverage: Number | None = None
    said: Spoken | None = None
    # Where somebody else told it, and otherwise.
    contradicted: int | None = None


test_reports = View(
    "test_reports",
    version=2,
    row=ShardReport,
    kind="report",
    indexes=("run_id", "suite", "outcome"),
    doc="Reports of tests: of which shard of which run, how many tests, how long they took, and which parts of it came.",
)


@test_reports.on(ShardFinished, key=lambda event: event.report)
def finished(row: ShardReport, event: ShardFinished, entry: EntryInfo) -> ShardReport:
    if row.said is not None:
        is_told_again = row.contradicted is not None or row.said.principal == entry.by["principal"]
        is_same = all(getattr(row, name) == getattr(event, name) for name in _TELLING)
        return row if is_told_again or is_same else replace(row, contradicted=entry.position)
    return replace(
        row,
        run_id=event.run_id,
        attempt=event.attempt,
        shard=event.shard,
        shards=event.shards,
        suite=event.suite,
        service=event.service,
        environment=event.environment,
        commit=event.commit,
        outcome=event.outcome,
        tests=event.tests,
        parts=event.parts,
        started_at=moment(event.started_at) if event.started_at is not None else None,
        duration_ms=event.duration_ms,
        coverage=event.coverage,
        said=spoken(entry, event.actor),
    )


@test_reports.on(CasesReported, key=lambda event: event.report)
def part_came(row: ShardReport, event: CasesReported, entry: EntryInfo) -> ShardReport:
    return with_part(row, event.part)


@dataclass(frozen=True)
class Cases:
    """The tests that one statement of a report names, by outcome; `flaky` and `repeated` are some of them."""

    part_id: str
    report: str | None = None
    run_id: str | None = None
    passed: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    errored: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
    flaky: tuple[str, ...] = ()
    repeated: tuple[str, ...] = ()
    by: str | None = None
    position: int | None = None


def _report_of(key: str, row: Cases) -> list[Match]:
    return [Match(_REPORTING, (ref("report", key.rpartition("/")[0]),))]


test_cases = View(
    "test_cases",
    version=2,
    row=Cases,
    kind="case",
    entries_of=_report_of,
    indexes=("report", "run_id"),
    doc="Tests by outcome, as each statement of a report names them.",
)


@test_cases.on(ShardFinished, CasesReported, key=lambda event: f"{event.report}/{getattr(event, 'part', 0)}")
def told(row: Cases, event: ReportEvent, entry: EntryInfo) -> Cases:
    if row.position is not None:
        return row
    return replace(
        row,
        report=event.report,
        run_id=event.run_id,
        passed=event.passed,
        failed=event.failed,
        errored=event.errored,
        skipped=event.skipped,
        flaky=event.flaky,
        repeated=event.repeated,
        by=entry.by["principal"],
        position=entry.position,
    )


@dataclass(frozen=True)
class SuiteRun:
    """One run of tests. `shards` is how many the reports say there are, `wall_ms` from its first beginning to its last end, `shards_ms`
    what all shards took together: what it would have taken one after the other.
    """

    run_id: str
    suite: str | None = None
    service: str | None = None
    environment: str | None = None
    commit: str | None = None
    attempt: int = 1
    shards: int = 0
    reports: int = 0
    tests: int = 0
    is_failed: bool = False
    coverage: Number | None = None
    started_at: Moment | None = None
    ended_at: Moment | None = None
    wall_ms: int | None = None
    shards_ms: int = 0
    # When the first and the last report of it were recorded.
    first_recorded_at: Moment | None = None
    last_recorded_at: Moment | None = None
    first_position: int | None = None
    # The longest time in which no report came, between two that did: a run that was quiet for long enough has told all it had to.
    quiet_s: int = 0


test_runs = View(
    "test_runs",
    version=2,
    row=SuiteRun,
    kind="run",
    indexes=("suite", "service", "commit"),
    doc="Runs of tests: how many shards and tests, how long they took side by side, and how long one after the other.",
)


@test_runs.on(ShardFinished, key=lambda event: event.run_id)
def ran(row: SuiteRun, event: ShardFinished, entry: EntryInfo) -> SuiteRun:
    began = moment(event.started_at) if event.started_at is not None else None
    ended = _after(began, event.duration_ms)
    started_at, ended_at = _least(row.started_at, began), max(row.ended_at or "", ended or "") or None
    return replace(
        row,
        suite=row.suite or event.suite,
        service=row.service or event.service,
        environment=row.environment or event.environment,
        commit=row.commit or event.commit,
        attempt=max(row.attempt, event.attempt),
        shards=max(row.shards, event.shards),
        reports=row.reports + 1,
        tests=_sum(row.tests, event.tests),
        is_failed=row.is_failed or event.outcome == "failed",
        coverage=event.coverage or row.coverage,
        started_at=started_at,
        ended_at=ended_at,
        wall_ms=_between_ms(started_at, ended_at),
        shards_ms=_sum(row.shards_ms, event.duration_ms or 0),
        first_recorded_at=row.first_recorded_at or entry.recorded_at,
        last_recorded_at=max(row.last_recorded_at or "", entry.recorded_at),
        first_position=row.first_position or entry.position,
        quiet_s=max(row.quiet_s, seconds_between(row.last_recorded_at, entry.recorded_at) or 0),
    )


def _sum(one: int, other: int) -> int:
    # What a column holds, whatever was said.
    return min(one + other, MAX_INTEGER)


def _least(one: Moment | None, other: Moment | None) -> Moment | None:
    return min(filter(None, (one, other)), default=None)


def _after(began: Moment | None, took_ms: int | None) -> Moment | None:
    return to_text(from_text(began) + took_ms * 1000) if began is not None and took_ms is not None else None


def _between_ms(began: Moment | None, ended: Moment | None) -> int | None:
    return (from_text(ended) - from_text(began)) // 1000 if began is not None and ended is not None else None

"""Scans: what a tool that reads code found in it. Where and by which rule stands here, and nothing of what stood in the code."""

from typing import ClassVar, Final, Literal

from ledger.events.base import Event
from ledger.events.identifiers import Attempt as Number
from ledger.events.identifiers import (
    Commit,
    Count,
    Digest,
    Environment,
    FilePath,
    Fingerprint,
    Flag,
    Part,
    RunId,
    ScanId,
    ScanRule,
    SeriesId,
    Service,
    Time,
    ToolName,
    Version,
    many,
)

Level = Literal["error", "warning", "note", "none"]
Baseline = Literal["new", "unchanged", "updated", "absent"]
# Results in one statement.
MAX_RESULTS: Final = 400


class ScanResult(Part):
    """One thing that a scan found, where, and whether the file itself says that it is to be let pass."""

    fingerprint: Fingerprint
    rule: ScanRule
    path: FilePath | None = None
    line: Count | None = None
    level: Level
    baseline: Baseline | None = None
    suppressed: Flag = False


class ScanEvent(Event):
    """A fact about one scan: some of what it found."""

    refs: ClassVar[tuple[str, ...]] = ("scan", "series", "commit")
    scan: ScanId
    series: SeriesId
    commit: Commit | None = None
    results: tuple[ScanResult, ...] = many(at_most=MAX_RESULTS, default=())


class ScanCompleted(ScanEvent):
    """A tool looked at code. Where `parts` is not 0, what it found is in as many statements of their own; notes are counted alone."""

    type = "scan.completed"
    says = "{tool} scanned {commit}: {errors:error}, {warnings:warning}, {notes:note}"
    refs = ("scan", "series", "commit", "run_id", "service", "environment")
    tool: ToolName
    tool_version: Version | None = None
    # Of the ids of the rules that the tool knew.
    rules_digest: Digest | None = None
    file_digest: Digest | None = None
    run_id: RunId | None = None
    service: Service | None = None
    environment: Environment | None = None
    # Whether the tool ran to its end. Nobody knows where nobody says so.
    executed: Flag | None = None
    errors: Count
    warnings: Count
    notes: Count
    # Of these, what the file itself lets pass.
    suppressed: Count = 0
    parts: Count = 0
    started_at: Time | None = None


class ScanResultsReported(ScanEvent):
    """Some of what a scan found."""

    type = "scan.results_reported"
    says = "part {part} of {parts} of what the scan {scan} found"
    part: Number
    parts: Number

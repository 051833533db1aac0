"""Scans: what tools that read code found, scan by scan, and which of it the last scan still finds. Nothing is judged here.

    scans          4711-tfsec                     one scan: of which commit, whether it ran to its end, how many of which level
    scan_parts     4711-tfsec/0                   what one statement of it names; 0 is the scan itself
    scan_series    payments-api:prod:tfsec        scans of one thing by one tool: the last that is whole and ran
    scan_results   payments-api:prod:tfsec/9f86…  one thing that was found, and by which scans, the last two

What a scan says stands: told again under its name, it changes nothing. One that did not run, or of which parts are missing, takes the
place of none.
"""

from dataclasses import dataclass
from typing import Final

from ledger.conditions import Match
from ledger.events import ref
from ledger.events.scan import Baseline, Level, ScanCompleted, ScanEvent, ScanResult, ScanResultsReported
from projections.engine.view import EntryInfo, Moment, View, moment, replace
from projections.readings.parts import InParts, with_part
from projections.readings.people.voices import Spoken, spoken

_REPORTING: Final = (ScanCompleted.type, ScanResultsReported.type)


@dataclass(frozen=True)
class Scan(InParts):
    """One scan. `seen` are the parts that came, of `parts`; whether it ran to its end is not known where nobody said so."""

    scan: str
    series: str | None = None
    tool: str | None = None
    tool_version: str | None = None
    rules_digest: str | None = None
    commit: str | None = None
    run_id: str | None = None
    service: str | None = None
    environment: str | None = None
    executed: bool | None = None
    errors: int = 0
    warnings: int = 0
    notes: int = 0
    suppressed: int = 0
    parts: int = 0
    seen: tuple[int, ...] = ()
    started_at: Moment | None = None
    said: Spoken | None = None


scans = View(
    "scans",
    version=1,
    row=Scan,
    kind="scan",
    indexes=("series", "tool", "commit", "service", "executed"),
    doc="Scans of code: by which tool, of which commit, whether each ran to its end, and how much it found of which level.",
)


@scans.on(ScanCompleted, key=lambda event: event.scan)
def completed(row: Scan, event: ScanCompleted, entry: EntryInfo) -> Scan:
    if row.said is not None:
        return row
    return replace(
        row,
        series=event.series,
        tool=event.tool,
        tool_version=event.tool_version,
        rules_digest=event.rules_digest,
        commit=event.commit,
        run_id=event.run_id,
        service=event.service,
        environment=event.environment,
        executed=event.executed,
        errors=event.errors,
        warnings=event.warnings,
        notes=event.notes,
        suppressed=event.suppressed,
        parts=event.parts,
        started_at=moment(event.started_at) if event.started_at is not None else None,
        said=spoken(entry, event.actor),
    )


@scans.on(ScanResultsReported, key=lambda event: event.scan)
def part_came(row: Scan, event: ScanResultsReported, entry: EntryInfo) -> Scan:
    return with_part(row, event.part)


# -- what a scan found -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class FoundInCode:
    """One thing as one scan found it."""

    fingerprint: str
    rule: str
    path: str | None
    level: Level
    baseline: Baseline | None
    suppressed: bool

    @property
    def is_there(self) -> bool:
        """Say whether it is there, and not only was in an earlier scan."""
        return self.baseline != "absent"


@dataclass(frozen=True)
class ScanPart:
    """What one statement of a scan names."""

    part_id: str
    scan: str | None = None
    results: tuple[FoundInCode, ...] = ()
    position: int | None = None


def _scan_of(key: str, row: ScanPart) -> list[Match]:
    return [Match(_REPORTING, (ref("scan", key.rpartition("/")[0]),))]


scan_parts = View(
    "scan_parts",
    version=1,
    row=ScanPart,
    kind="scan_part",
    entries_of=_scan_of,
    indexes=("scan",),
    doc="What scans found, as each statement names it.",
)


@scan_parts.on(ScanCompleted, ScanResultsReported, key=lambda event: f"{event.scan}/{getattr(event, 'part', 0)}")
def told(row: ScanPart, event: ScanEvent, entry: EntryInfo) -> ScanPart:
    if row.position is not None:
        return row
    results = tuple(
        FoundInCode(one.fingerprint, one.rule, one.path, one.level, one.baseline, one.suppressed)
        for one in event.results
    )
    return replace(row, scan=event.scan, results=results, position=entry.position)


# -- scan after scan -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Series:
    """Scans of one thing by one tool. `last` is the last one, by its time, that is whole and did not say that it failed."""

    series: str
    last: str | None = None
    last_at: Moment | None = None
    # Those that lack parts still: how many came of how many, and when each was made.
    waiting: tuple[tuple[str, int, int, Moment], ...] = ()


scan_series = View(
    "scan_series",
    version=1,
    row=Series,
    kind="series",
    doc="Scans of one thing by one tool, and which of them is the last that is whole and ran.",
)
# So many scans may lack parts at a time; of more, the oldest come to nothing.
WAITING: Final = 16


@scan_series.on(ScanCompleted, key=lambda event: event.series)
def followed(row: Series, event: ScanCompleted, entry: EntryInfo) -> Series:
    at = spoken(entry, event.actor).at
    if event.executed is False or at < (row.last_at or ""):
        return row
    if not event.parts:
        return replace(row, last=event.scan, last_at=at)
    return replace(row, waiting=(*row.waiting, (event.scan, 0, event.parts, at))[-WAITING:])


@scan_series.on(ScanResultsReported, key=lambda event: event.series)
def went_on(row: Series, event: ScanResultsReported, entry: EntryInfo) -> Series:
    waiting, last, last_at = [], row.last, row.last_at
    for scan, came, parts, at in row.waiting:
        came += scan == event.scan
        if came < parts:
            waiting.append((scan, came, parts, at))
        elif at >= (last_at or ""):
            last, last_at = scan, at
    return replace(row, last=last, last_at=last_at, waiting=tuple(waiting))


@dataclass(frozen=True)
class Result:
    """One thing that scans of a series found: as the last of them found it, and by which two of them last."""

    result_id: str
    series: str | None = None
    tool: str | None = None
    rule: str | None = None
    path: str | None = None
    line: int | None = None
    level: Level | None = None
    baseline: Baseline | None = None
    # Whether the file itself lets it pass. That is nobody's decision.
    suppressed: bool = False
    scan: str | None = None
    scan_before: str | None = None
    first_at: Moment | None = None
    first_position: int | None = None
    last_at: Moment = ""


def _series_of(key: str, row: Result) -> list[Match]:
    return [Match(_REPORTING, (ref("series", key.rpartition("/")[0]),))]


scan_results = View(
    "scan_results",
    version=1,
    row=Result,
    kind="scan_result",
    entries_of=_series_of,
    reads=(scans,),
    indexes=("series", "rule", "level"),
    doc="What scans found in code, one thing a row: by which rule, where, of which level, since when, and by which scan last.",
)


def _keys(event: ScanEvent) -> list[str]:
    return [f"{event.series}/{one.fingerprint}" for one in event.results]


@scan_results.on(ScanCompleted, ScanResultsReported, key=_keys)
def found(row: Result, event: ScanEvent, entry: EntryInfo) -> Result:
    fingerprint = row.result_id.rpartition("/")[2]
    one: ScanResult = next(one for one in event.results if one.fingerprint == fingerprint)
    at = spoken(entry, event.actor).at
    if at < row.last_at:
        return row
    scan = entry.reads.row(scans, event.scan)
    return replace(
        row,
        series=event.series,
        tool=scan.tool if scan is not None else row.tool,
        rule=one.rule,
        path=one.path,
        line=one.line,
        level=one.level,
        baseline=one.baseline,
        suppressed=one.suppressed,
        scan=event.scan,
        scan_before=row.scan if row.scan != event.scan else row.scan_before,
        first_at=row.first_at or at,
        first_position=row.first_position or entry.position,
        last_at=at,
    )

"""Scans: what tools that read code found, scan by scan, and which of it the last scan still finds. Nothing is judged here.

    scans          4711-tfsec                     one scan: of which commit, whether it ran to its end, how many of which level
    scan_parts     4711-tfsec/0                   what one statement of it names; 0 is the scan itself
    scan_series    payments-api:prod:tfsec        scans of one thing by one tool: the last that is whole and ran
    scan_results   payments-api:prod:tfsec/9f86…  one thing that was found, and by which scans, the last two

What a scan says stands: told again under its name, it changes nothing, and where somebody else told it again that is kept. One that did
not run, or of which parts are missing, takes the place of none; and a scan that somebody else told takes the place of none either, unless
they have the power to.

Longer than other files because a scan, its parts, its series and what it found are folded of the same two statements.
"""

from dataclasses import dataclass
from typing import Final

from ledger.conditions import Match
from ledger.events import ref
from ledger.events.scan import Baseline, Level, ScanCompleted, ScanEvent, ScanResult, ScanResultsReported
from projections.engine.view import EntryInfo, Moment, View, moment, replace
from projections.readings.parts import InParts, with_part
from projections.readings.people.voices import Spoken, by_whom, spoken
from projections.rules.keeping import kept

# Of so many who tell of one thing, what each told last is kept.
TELLERS: Final = 8
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
    # Others who told a scan of this name.
    again: tuple[Spoken, ...] = ()


scans = View(
    "scans",
    version=3,
    row=Scan,
    kind="scan",
    indexes=("series", "tool", "commit", "service", "executed"),
    doc="Scans of code: by which tool, of which commit, whether each ran to its end, and how much it found of which level.",
)


@scans.on(ScanCompleted, key=lambda event: event.scan)
def completed(row: Scan, event: ScanCompleted, entry: EntryInfo) -> Scan:
    said = spoken(entry, event.actor)
    if row.said is not None:
        is_another = all(said.principal != known.principal for known in (row.said, *row.again))
        return replace(row, again=(*row.again, said)[:TELLERS]) if is_another else row
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
        said=said,
    )


@scans.on(ScanResultsReported, key=lambda event: event.scan)
def part_came(row: Scan, event: ScanResultsReported, entry: EntryInfo) -> Scan:
    """A part of a scan is told by whoever told the scan: nobody adds to what another saw."""
    if row.said is not None and row.said.principal != entry.by["principal"]:
        return row
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
    by: str | None = None


def _scan_of(key: str, row: ScanPart) -> list[Match]:
    return [Match(_REPORTING, (ref("scan", key.rpartition("/")[0]),))]


scan_parts = View(
    "scan_parts",
    version=2,
    row=ScanPart,
    kind="scan_part",
    entries_of=_scan_of,
    reads=(scans,),
    indexes=("scan",),
    doc="What scans found, as each statement names it.",
)


@scan_parts.on(ScanCompleted, ScanResultsReported, key=lambda event: f"{event.scan}/{getattr(event, 'part', 0)}")
def told(row: ScanPart, event: ScanEvent, entry: EntryInfo) -> ScanPart:
    """What somebody else told of a scan beforehand keeps no place from whoever told the scan."""
    scan, by = entry.reads.row(scans, event.scan), entry.by["principal"]
    is_its_own = scan is not None and scan.said is not None and scan.said.principal == by
    if row.position is not None and (row.by == by or not is_its_own):
        return row
    results = tuple(
        FoundInCode(one.fingerprint, one.rule, one.path, one.level, one.baseline, one.suppressed)
        for one in event.results
    )
    return replace(row, scan=event.scan, results=results, position=entry.position, by=by)


# -- scan after scan -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Whole:
    """A scan that is whole and did not say that it failed."""

    scan: str
    said: Spoken


@dataclass(frozen=True)
class Waiting:
    """A scan that lacks parts still: how many came of how many."""

    scan: str
    came: int
    parts: int
    said: Spoken


@dataclass(frozen=True)
class Series:
    """Scans of one thing by one tool. `last` is the last one, by its time, that is whole and did not say that it failed; `of_each` the last
    of each who tells of them.
    """

    series: str
    last: str | None = None
    last_at: Moment | None = None
    of_each: tuple[Whole, ...] = ()
    waiting: tuple[Waiting, ...] = ()


scan_series = View(
    "scan_series",
    version=3,
    row=Series,
    kind="series",
    doc="Scans of one thing by one tool, and which of them is the last that is whole and ran.",
)
# So many scans may lack parts at a time; of more, the oldest come to nothing.
WAITING: Final = 16


@scan_series.on(ScanCompleted, key=lambda event: event.series)
def followed(row: Series, event: ScanCompleted, entry: EntryInfo) -> Series:
    said = spoken(entry, event.actor)
    if event.executed is False:
        return row
    if not event.parts:
        return _with_last(row, Whole(event.scan, said))
    waiting = (*row.waiting, Waiting(event.scan, 0, event.parts, said))
    return replace(row, waiting=kept(waiting, waiting[-1], by_whom, WAITING))


@scan_series.on(ScanResultsReported, key=lambda event: event.series)
def went_on(row: Series, event: ScanResultsReported, entry: EntryInfo) -> Series:
    by = entry.by["principal"]
    told = [replace(one, came=one.came + (one.scan == event.scan and one.said.principal == by)) for one in row.waiting]
    row = replace(row, waiting=tuple(one for one in told if one.came < one.parts))
    for one in told:
        if one.came >= one.parts:
            row = _with_last(row, Whole(one.scan, one.said))
    return row


def _with_last(row: Series, whole: Whole) -> Series:
    own = next((one for one in row.of_each if one.said.principal == whole.said.principal), None)
    if own is not None and own.said.at > whole.said.at:
        return row
    others = [one for one in row.of_each if one is not own]
    row = replace(row, of_each=kept((*others, whole), whole, by_whom, TELLERS))
    if whole.said.at < (row.last_at or ""):
        return row
    return replace(row, last=whole.scan, last_at=whole.said.at)


@dataclass(frozen=True)
class FoundBy:
    """One thing as somebody told last that a scan found it, and by which two scans of theirs."""

    said: Spoken
    scan: str
    scan_before: str | None
    level: Level
    baseline: Baseline | None


@dataclass(frozen=True)
class Result:
    """One thing that scans of a series found: as the last of them found it, and each who told of it last."""

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
    found_by: tuple[FoundBy, ...] = ()
    first_at: Moment | None = None
    first_position: int | None = None
    last_at: Moment = ""


def _series_of(key: str, row: Result) -> list[Match]:
    return [Match(_REPORTING, (ref("series", key.rpartition("/")[0]),))]


scan_results = View(
    "scan_results",
    version=2,
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
    said = spoken(entry, event.actor)
    row = replace(row, found_by=_with_found(row.found_by, event.scan, one, said))
    if said.at < row.last_at:
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
        first_at=row.first_at or said.at,
        first_position=row.first_position or entry.position,
        last_at=said.at,
    )


def _with_found(known: tuple[FoundBy, ...], scan: str, one: ScanResult, said: Spoken) -> tuple[FoundBy, ...]:
    own = next((found for found in known if found.said.principal == said.principal), None)
    if own is not None and own.said.at > said.at:
        return known
    before = None if own is None else own.scan if own.scan != scan else own.scan_before
    new = FoundBy(said, scan, before, one.level, one.baseline)
    return kept((*(found for found in known if found is not own), new), new, by_whom, TELLERS)

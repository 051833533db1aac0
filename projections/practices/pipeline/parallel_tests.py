"""2.2 Parallel tests without losing coverage: what the shards of a run ran together is what its suite is to run, each test once.

What is to run is the manifest of the suite that somebody else had accepted before the first report came, and what was declared for the
run beside it: a run may add to what is to run, and takes nothing away. What may be skipped is what an accepted manifest says alone. Of
each shard its last try counts. Longer than other files because all its findings hold what ran against one manifest.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import Final

from ledger.events import ref
from ledger.events.test import CasesReported, ManifestAccepted, ManifestDeclared, ShardFinished
from projections.engine.finding import Breach
from projections.engine.reads import Look
from projections.engine.view import later
from projections.judging.able import authors, both, may, whoever_asks
from projections.judging.findings import finding, positions_of
from projections.judging.gate_rule import Question, Remedy, Said, gate_rule
from projections.practices.practice import Practice
from projections.readings.changes.commits import hashes_of
from projections.readings.changes.scopes import commits_of
from projections.readings.environments.environments import names_for
from projections.readings.parts import MOST_MISSED, missing_of
from projections.readings.people.identities import are_same
from projections.readings.people.policies import InForce, in_force_now
from projections.readings.people.powers import fault_of_speaker
from projections.readings.people.replacing import has_power, standing
from projections.readings.people.settings import Number, Words
from projections.readings.people.voices import Spoken
from projections.readings.pipelines.tests import (
    Acceptance,
    Cases,
    ManifestPart,
    ShardReport,
    SuiteRun,
    test_cases,
    test_manifests,
    test_reports,
    test_runs,
    test_suites,
)
from projections.rules.digests import content_digest
from projections.rules.words import listed

PRACTICE: Final = Practice(
    "2.2",
    "Parallel tests without losing coverage",
    views=(test_manifests, test_suites, test_reports, test_cases, test_runs),
)
TESTS_SETTLE_MINUTES: Final = Number(
    "tests-settle-minutes", "how many minutes after the last report a run of tests is judged", default=30
)
TEST_SUITE: Final = Words(
    "test-suite",
    "a suite of tests that what is deployed has passed as a whole",
    applies_to="environment",
    is_several=True,
    nothing="none",
)

# So many hours after its first report a run is judged, whatever else comes.
LONGEST: Final = 48


@dataclass(frozen=True, slots=True)
class Manifest:
    """What is to run, and what may be skipped of it. `missing` are parts that nobody declared."""

    name: str
    tests: frozenset[str]
    skips: frozenset[str]
    missing: tuple[int, ...]
    positions: tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class _Ran:
    """What the last tries of a run's shards say together."""

    reports: tuple[ShardReport, ...]
    # What whoever told a report names in it: nobody else adds tests to it.
    cases: tuple[Cases, ...]
    # Failed in an earlier try, and did not in the last.
    recovered: frozenset[str]
    # Of these reports it is believed what ran: of whoever told of the run first, or has the power. What others tell only accuses.
    believed: tuple[ShardReport, ...]

    @property
    def positions(self) -> tuple[int, ...]:
        return tuple(report.said.position for report in self.reports if report.said is not None)

    @property
    def skipped(self) -> set[str]:
        return {name for part in self.cases for name in part.skipped}

    @property
    def flaky(self) -> set[str]:
        return {name for part in self.cases for name in part.flaky} | self.recovered

    @property
    def is_failed(self) -> bool:
        return any(report.outcome == "failed" for report in self.reports)

    def by_report(self) -> Iterator[set[str]]:
        """Yield the tests that each report names, skipped or not."""
        yield from (self._named(report) for report in self.reports)

    def ran(self) -> set[str]:
        """Return the tests that ran, as is believed."""
        return {name for report in self.believed for name in self._named(report)}

    def _named(self, report: ShardReport) -> set[str]:
        own = [part for part in self.cases if part.report == report.report]
        return {name for part in own for name in (*part.passed, *part.failed, *part.errored, *part.skipped)}

    def lacks(self, shards: int) -> str:
        """Say which shards, or parts of their reports, did not come; "" for none."""
        came = {report.shard for report in self.believed}
        found = [f"shard {number} of {shards}" for number in missing_of(shards, came)]
        told = {part.part_id for part in self.cases}
        for report in self.believed:
            parts = (part for part in range(1, report.parts + 1) if f"{report.report}/{part}" not in told)
            found += [f"part {part} of {report.parts} of {report.report}" for part in islice(parts, MOST_MISSED)]
        found += [f"one word of {report.report}" for report in self.reports if report.contradicted is not None]
        return listed(found)


def _ran(row: SuiteRun, look: Look) -> _Ran:
    about = ref("run", row.run_id)
    reports = [
        (report, report.said)
        for report in look.named(test_reports, ShardFinished, about)
        if report.said is not None and not fault_of_speaker(look, ShardFinished.type, report.said, report.environment)
    ]
    told = {report.report: said.principal for report, said in reports}
    cases = [
        part
        for event in (ShardFinished, CasesReported)
        for part in look.named(test_cases, event, about)
        if part.report is not None and part.by == told.get(part.report)
    ]
    # A later try takes the place of one by the same; of others' it does where whoever tells it has the power.
    last: dict[tuple[int, str | None], int] = {}
    for report, said in reports:
        for whose in (said.principal, None) if has_power(look, ShardFinished.type, said) else (said.principal,):
            last[report.shard, whose] = max(report.attempt, last.get((report.shard, whose), 0))
    counting = {
        report.report: report
        for report, said in reports
        if report.attempt == max(last[report.shard, said.principal], last.get((report.shard, None), 0))
    }
    failed_before = {name for part in cases if part.report not in counting for name in (*part.failed, *part.errored)}
    now = tuple(part for part in cases if part.report in counting)
    passed = {name for part in now for name in part.passed}
    first = min((said for _, said in reports), key=lambda said: said.position, default=None)
    believed = tuple(
        report
        for report, said in reports
        if report.report in counting
        and first is not None
        and (said.principal == first.principal or has_power(look, ShardFinished.type, said))
    )
    return _Ran(tuple(counting.values()), now, frozenset(failed_before & passed), believed)


# -- what is to run --------------------------------------------------------------------------------------------------------


def manifest_of(row: SuiteRun, look: Look) -> Manifest | None:
    """Return what a run was to run, and what of it might be skipped; None where nobody had said."""
    own = look.named(test_manifests, ManifestDeclared, ref("run", row.run_id))
    accepted = _accepted(row, look)
    if not own:
        return accepted
    version = max(own, key=lambda part: part.said.position if part.said is not None else 0).version
    made = _made([part for part in own if part.version == version])
    if accepted is None:
        return replace(made, skips=frozenset())
    return replace(
        made,
        name=f"{made.name} and {accepted.name}",
        tests=made.tests | accepted.tests,
        skips=accepted.skips,
        missing=(*made.missing, *accepted.missing),
        positions=(*made.positions, *accepted.positions),
    )


def _accepted(row: SuiteRun, look: Look) -> Manifest | None:
    suite = look.row(test_suites, row.suite) if row.suite is not None else None
    if suite is None or row.suite is None:
        return None
    parts = [p for p in look.named(test_manifests, ManifestDeclared, ref("suite", row.suite)) if p.run_id is None]
    for acceptance in reversed(suite.acceptances):
        # What is accepted once the results are there excuses none of them.
        if acceptance.said.recorded_at > (row.first_recorded_at or ""):
            continue
        declared = [part for part in parts if part.version == acceptance.version]
        if declared and not _fault(acceptance, declared, look):
            made = _made(declared)
            return replace(made, positions=(*made.positions, acceptance.said.position))
    return None


def _fault(acceptance: Acceptance, parts: list[ManifestPart], look: Look) -> str:
    """Say why an acceptance does not count, or ""."""
    for part in parts:
        if part.said is None or are_same(look, part.said.speaker, acceptance.said.speaker):
            return f"{acceptance.said.speaker} declared it"
        if part.said.position > acceptance.said.position:
            return "it was accepted before it was whole"
    if acceptance.digest is not None and acceptance.digest != digest_of(parts):
        return "another digest was accepted"
    return fault_of_speaker(look, ManifestAccepted.type, acceptance.said)


def digest_of(parts: list[ManifestPart]) -> str:
    """Return the digest of what a suite is to run: of the sorted names of its tests, and of those that may be skipped."""
    made = _made(parts)
    return content_digest({"skips": sorted(made.skips), "tests": sorted(made.tests)})


def _made(parts: list[ManifestPart]) -> Manifest:
    there = {part.part for part in parts}
    most = max(part.parts for part in parts)
    return Manifest(
        f"{parts[0].suite} {parts[0].version}",
        frozenset(name for part in parts for name in part.tests),
        frozenset(name for part in parts for name in part.skips),
        tuple(missing_of(most, there)),
        tuple(part.said.position for part in parts if part.said is not None),
    )


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What somebody says came of a run."""

    run_id: str
    is_failed: bool
    said: Spoken


def _failed_by_others(runs: list[SuiteRun], look: Look) -> _Outcome | None:
    """Return a run that did not pass, of the last ones by each who reports any: a run by another takes none of them back."""
    told = []
    for run in runs:
        ran = _ran(run, look)
        by_whom: dict[str, list[ShardReport]] = {}
        for report in ran.reports:
            if report.said is not None:
                by_whom.setdefault(report.said.principal, []).append(report)
        for reports in by_whom.values():
            last = max((report.said for report in reports if report.said is not None), key=lambda said: said.position)
            told.append(_Outcome(run.run_id, any(report.outcome == "failed" for report in reports), last))
    return next((one for one in standing(look, ShardFinished.type, told) if one.is_failed), None)


# -- findings --------------------------------------------------------------------------------------------------------------


def _is_settled(row: SuiteRun, look: Look) -> bool:
    """Say whether a run has told all that it will: reports come one by one, and what is missing of them may still come.

    A run that was quiet for so long, or that goes on for days, waits for no more: whoever reports it again holds no judgement up.
    """
    if row.last_recorded_at is None or row.first_recorded_at is None:
        return False
    minutes = in_force_now(look).number(TESTS_SETTLE_MINUTES)
    if row.quiet_s >= 60 * minutes:
        return True
    return look.has_come(min(later(row.last_recorded_at, minutes=minutes), later(row.first_recorded_at, hours=LONGEST)))


@finding(test_runs, severity="high", version=2)
def tests_not_run(row: SuiteRun, look: Look) -> Breach | None:
    """Tests of a suite were not run by any shard of a run; or shards, or parts of their reports, are missing, so that nobody knows."""
    if not _is_settled(row, look):
        return None
    ran, manifest = _ran(row, look), manifest_of(row, look)
    positions = positions_of(*ran.positions[:64], *(manifest.positions if manifest else ()))
    if lacking := ran.lacks(row.shards):
        return Breach(f"of run {row.run_id} there is no {lacking}", positions)
    if manifest is None:
        return None
    if manifest.missing:
        parts = listed(map(str, manifest.missing))
        return Breach(f"of the manifest {manifest.name} nobody declared part {parts}", positions)
    if gap := _gap(manifest, ran):
        return Breach(f"run {row.run_id} did not run {listed(gap)}, of {manifest.name}", positions)
    return None


def _gap(manifest: Manifest, ran: _Ran) -> list[str]:
    return sorted(manifest.tests - ran.ran())


@finding(test_runs, severity="low", version=2)
def tests_not_in_manifest(row: SuiteRun, look: Look) -> Breach | None:
    """A run ran tests that are not in the manifest of its suite: either that is old, or another suite ran."""
    manifest = manifest_of(row, look) if _is_settled(row, look) else None
    if manifest is None or manifest.missing:
        return None
    ran = _ran(row, look)
    others = sorted({name for names in ran.by_report() for name in names} - manifest.tests)
    if not others:
        return None
    words = f"run {row.run_id} ran {listed(others)}, not of {manifest.name}"
    return Breach(words, positions_of(*ran.positions[:64], *manifest.positions))


@finding(test_runs, severity="low", version=2)
def tests_run_twice(row: SuiteRun, look: Look) -> Breach | None:
    """Several shards, or reports, of one run ran the same test: the shards overlap."""
    if not _is_settled(row, look):
        return None
    ran = _ran(row, look)
    times = Counter(name for names in ran.by_report() for name in names)
    twice = sorted(name for name, count in times.items() if count > 1)
    if not twice:
        return None
    return Breach(f"run {row.run_id} ran {listed(twice)} in several shards", positions_of(*ran.positions[:64]))


@finding(test_runs, severity="medium", version=2)
def tests_newly_skipped(row: SuiteRun, look: Look) -> Breach | None:
    """A run skipped tests that no manifest which somebody had accepted by then lets it skip."""
    if row.suite is None or not _is_settled(row, look):
        return None
    ran, manifest = _ran(row, look), manifest_of(row, look)
    new = sorted(ran.skipped - (manifest.skips if manifest is not None else frozenset()))
    if manifest is None or not new:
        return None
    return Breach(f"run {row.run_id} skipped {listed(new)}", positions_of(*ran.positions[:64], *manifest.positions))


@finding(test_runs, severity="low", version=2)
def tests_flaky(row: SuiteRun, look: Look) -> Breach | None:
    """Tests of a run failed and passed by turns: what they say of the next run is chance."""
    if not _is_settled(row, look):
        return None
    ran = _ran(row, look)
    if not ran.flaky:
        return None
    return Breach(
        f"{listed(sorted(ran.flaky))} failed and passed in run {row.run_id}", positions_of(*ran.positions[:64])
    )


# -- the gate --------------------------------------------------------------------------------------------------------------


_REMEDIES: Final = {
    "no-manifest": Remedy(
        "somebody else accepts the list of what the suite is to run (test.manifest_accepted)",
        may(ManifestAccepted, but=both(whoever_asks, authors)),
    ),
    "": Remedy("the suites that the policy names run on this very commit, all of each, and pass"),
}


@gate_rule(version=4, remedies=_REMEDIES)
def tests_are_whole(question: Question, look: Look, policy: InForce) -> Said:
    """The suites that the policy names ran on this commit, all of each, and passed; however short the hash is that is asked about."""
    return _are_whole(
        question, look, policy, lambda commit: hashes_of(look, commit, commits_of(look, question.change_id))
    )


@gate_rule(version=3, name="tests_are_whole", remedies=_REMEDIES)
def tests_of_a_hash_are_whole(question: Question, look: Look, policy: InForce) -> Said:
    """As it was asked before: of the very hash alone."""
    return _are_whole(question, look, policy, lambda commit: (commit,))


def _are_whole(question: Question, look: Look, policy: InForce, hashes: Callable[[str], Iterable[str]]) -> Said:
    suites = policy.words(TEST_SUITE, *names_for(look, policy, question.environment, question.asked_at))
    if not suites:
        return "allow", "not-asked-for", "the policy names no suite of tests", ()
    if question.commit is None:
        return "insufficient_evidence", "not-said", "expected a commit in the question", ()
    told = (
        run for name in hashes(question.commit) for run in look.named(test_runs, ShardFinished, ref("commit", name))
    )
    of_commit = {run.run_id: run for run in told}
    used: list[int | None] = []
    for suite in suites:
        runs = [run for run in of_commit.values() if run.suite == suite]
        if not runs:
            return "insufficient_evidence", "not-run", f"{suite} did not run on {question.commit}", used
        run = max(runs, key=lambda run: run.last_recorded_at or "")
        ran, manifest = _ran(run, look), manifest_of(run, look)
        used += [*ran.positions, *(manifest.positions if manifest is not None else ())]
        if failed := _failed_by_others(runs, look):
            return "deny", "failed", f"run {failed.run_id} did not pass", [*used, failed.said.position]
        if lacking := ran.lacks(run.shards):
            return "insufficient_evidence", "incomplete", f"of run {run.run_id} there is no {lacking}", used
        if manifest is None or manifest.missing:
            words = f"nobody else accepted what {suite} is to run, or not all of it is there"
            return "insufficient_evidence", "no-manifest", words, used
        if gap := _gap(manifest, ran):
            return "deny", "not-run", f"run {run.run_id} did not run {listed(gap)}", used
        if new := sorted(ran.skipped - manifest.skips):
            return "deny", "skipped", f"run {run.run_id} skipped {listed(new)}", used
        if ran.is_failed or all(report.outcome == "nothing_ran" for report in ran.reports):
            return "deny", "failed", f"run {run.run_id} did not pass", used
    return "allow", "whole", f"{listed(suites)} ran as a whole, and passed", used

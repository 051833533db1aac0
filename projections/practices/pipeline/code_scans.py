"""2.4 Static analysis of infrastructure as code: what is deployed was scanned, as that very commit, to the end, and without an error that
nobody else has answered for.

A result that is let pass is a finding that was disposed of: accepted, or no breach in truth, until when, by somebody who neither wrote
the code nor scanned it. What a file says of itself is that is to be let pass lets nothing pass.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from typing import Final

from ledger.events import ref
from ledger.events.finding import FindingDisposed
from ledger.events.scan import ScanCompleted, ScanResultsReported
from ledger.words import number_of
from projections.engine.finding import Breach
from projections.engine.reads import Look
from projections.judging.able import may
from projections.judging.findings import finding, positions_of
from projections.judging.gate_rule import Question, Remedy, Said, gate_rule
from projections.judging.letting import let_pass
from projections.practices.practice import Practice
from projections.readings.changes.commits import hashes_of
from projections.readings.changes.scopes import commits_of
from projections.readings.environments.environments import names_for, same_environment
from projections.readings.people.policies import InForce
from projections.readings.people.replacing import standing
from projections.readings.people.settings import Words
from projections.readings.people.voices import Spoken
from projections.readings.pipelines.scans import (
    FoundInCode,
    Result,
    Scan,
    scan_parts,
    scan_results,
    scan_series,
    scans,
)
from projections.rules.scans import standing_error
from projections.rules.words import listed

PRACTICE: Final = Practice(
    "2.4",
    "Static analysis of infrastructure as code",
    views=(scans, scan_parts, scan_series, scan_results),
)
SCAN_TOOL: Final = Words(
    "scan-tool",
    "a tool that must have scanned the commit that is deployed",
    applies_to="environment",
    is_several=True,
    nothing="none",
)


@finding(scan_results, severity="high", version=2)
def scan_error_stands(row: Result, look: Look) -> Breach | None:
    """The last whole scan found an error in the code. It ends when a later one by the same who told it, or by who has the power to, does
    not; or somebody else disposes of it.
    """
    errors = [one for one in row.found_by if one.level == "error" and one.baseline != "absent"]
    if not errors or row.series is None:
        return None
    series = look.row(scan_series, row.series)
    last = {one.scan for one in standing(look, ScanCompleted.type, series.of_each)} if series is not None else set()
    # While the parts of a scan come in, what the one before found still stands.
    if not any({one.scan, one.scan_before} & last for one in errors):
        return None
    says = standing_error(row.tool, row.rule, row.path, row.series)
    return Breach(says, positions_of(row.first_position))


@finding(scans, severity="medium")
def scan_did_not_run(row: Scan, look: Look) -> Breach | None:
    """A scan says of itself that it did not run to its end, so that what it did not find means nothing."""
    if row.executed is not False or row.said is None:
        return None
    of = f" of {row.commit}" if row.commit is not None else ""
    return Breach(f"{row.tool} did not run to its end in the scan {row.scan}{of}", positions_of(row.said.position))


_REMEDIES: Final = {
    "errors": Remedy(
        "what was found is mended; or somebody who did not write it disposes of it (finding.disposed)",
        may(FindingDisposed),
    ),
    "": Remedy("each tool that the policy names scans this very commit to its end, and its report is taken in"),
}


@gate_rule(version=4, remedies=_REMEDIES)
def scans_are_clean(question: Question, look: Look, policy: InForce) -> Said:
    """Each tool that the policy names scanned this very commit to its end, and found no error but what somebody else let pass: by the last
    scan of each who tells of one, of each thing that the tool makes one of (a language, an environment), however short the hash is that
    is asked about.
    """
    return _are_clean(question, look, policy, _of_each_thing, _of_the_commit)


@gate_rule(version=3, name="scans_are_clean", remedies=_REMEDIES)
def scans_of_a_hash_are_clean(question: Question, look: Look, policy: InForce) -> Said:
    """As it was asked before a scan of this environment by one took the place of none by another, and of the very hash alone."""
    return _are_clean(question, look, policy, lambda rows, question, look: _by_thing(_here(rows, question, look)))


@gate_rule(version=2, name="scans_are_clean", remedies=_REMEDIES)
def last_scan_is_clean(question: Question, look: Look, policy: InForce) -> Said:
    """As it was asked before a tool was known to make several scans of one commit: by the last of them."""
    return _are_clean(question, look, policy, lambda rows, question, look: [rows])


def _of_each_thing(rows: list[Scan], question: Question, look: Look) -> list[list[Scan]]:
    """Return the scans of a commit by what they are of: of each who tells of them, those of other environments only where none is of this
    one.
    """
    by_whom: dict[str | None, list[Scan]] = {}
    for row in rows:
        by_whom.setdefault(row.said.principal if row.said is not None else None, []).append(row)
    return _by_thing([row for told in by_whom.values() for row in _here(told, question, look)])


def _here(rows: list[Scan], question: Question, look: Look) -> list[Scan]:
    here = [row for row in rows if same_environment(look, row.environment, question.environment, question.asked_at)]
    return [*here, *(row for row in rows if row.environment is None)] if here else rows


def _by_thing(rows: list[Scan]) -> list[list[Scan]]:
    found: dict[str | None, list[Scan]] = {}
    for row in rows:
        found.setdefault(row.series, []).append(row)
    return list(found.values())


def _of_the_hash(question: Question, look: Look) -> list[Scan]:
    return look.named(scans, ScanCompleted, ref("commit", question.commit or ""))


def _of_the_commit(question: Question, look: Look) -> list[Scan]:
    """Return the scans of a commit under each hash by which it is known."""
    hashes = hashes_of(look, question.commit or "", commits_of(look, question.change_id))
    found = (row for name in hashes for row in look.named(scans, ScanCompleted, ref("commit", name)))
    return list({row.scan: row for row in found}.values())


def _are_clean(
    question: Question,
    look: Look,
    policy: InForce,
    apart: Callable[[list[Scan], Question, Look], list[list[Scan]]],
    named: Callable[[Question, Look], list[Scan]] = _of_the_hash,
) -> Said:
    names = names_for(look, policy, question.environment, question.asked_at)
    tools = policy.words(SCAN_TOOL, *names)
    if not tools:
        return "allow", "not-asked-for", "the policy names no tool that scans", ()
    if question.commit is None:
        return "insufficient_evidence", "not-said", "expected a commit in the question", ()
    of_commit = named(question, look)
    used: list[int | None] = []
    for tool in tools:
        own = [row for row in of_commit if row.tool == tool and row.service in (None, question.service)]
        if not own:
            return "insufficient_evidence", "not-scanned", f"{tool} did not scan {question.commit}", used
        for rows in apart(own, question, look):
            last = standing(look, ScanCompleted.type, [Told(row, row.said) for row in rows if row.said is not None])
            if not last:
                return "insufficient_evidence", "not-scanned", f"nobody who may says that {tool} scanned it", used
            for told in reversed(last):
                if (fault := _fault_of(told.scan, look, used)) is not None:
                    return fault
    return "allow", "clean", f"{listed(tools)} scanned {question.commit}, and what was found is answered", used


@dataclass(frozen=True, slots=True)
class Told:
    """A scan, and who told it."""

    scan: Scan
    said: Spoken


def _fault_of(scan: Scan, look: Look, used: list[int | None]) -> Said | None:
    if scan.again:
        others = listed(said.speaker for said in scan.again)
        return "insufficient_evidence", "told-twice", f"{others} told another scan of the name {scan.scan}", used
    used += [scan.said.position] if scan.said is not None else []
    if scan.executed is False:
        return "deny", "not-executed", f"{scan.tool} did not run to its end", used
    if scan.missing:
        parts = listed(map(str, scan.missing))
        return "insufficient_evidence", "incomplete", f"of the scan {scan.scan} there is no part {parts}", used
    if scan.executed is None:
        return "insufficient_evidence", "not-said", f"nobody says that {scan.tool} ran to its end", used
    errors = [one for one in _found_by(scan, look) if one.level == "error" and one.is_there]
    if len(errors) < scan.errors:
        words = f"the scan {scan.scan} counts {number_of(scan.errors, 'error')}, and names {len(errors)}"
        return "insufficient_evidence", "incomplete", words, used
    # What is told are the first ten: nobody looks further, and the answer rests on no more.
    still = list(islice((one for one in errors if not _is_let_pass(scan, one, look, used)), 10))
    if not still:
        return None
    names = listed(f"{one.rule} in {one.path}" for one in still)
    return "deny", "errors", f"{scan.tool} found {names}, and nobody else let it pass", used


def _found_by(scan: Scan, look: Look) -> list[FoundInCode]:
    about = ref("scan", scan.scan)
    parts = [*look.named(scan_parts, ScanCompleted, about), *look.named(scan_parts, ScanResultsReported, about)]
    own = scan.said.principal if scan.said is not None else None
    return [one for part in parts if part.by == own for one in part.results]


def _is_let_pass(scan: Scan, one: FoundInCode, look: Look, used: list[int | None]) -> bool:
    """Say whether somebody who may disposed of what a scan found, and that holds."""
    position = let_pass(look, "scan-error-stands", f"{scan.series}/{one.fingerprint}")
    used += [position]
    return position is not None

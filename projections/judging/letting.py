"""What somebody let pass: a finding that was disposed of, as accepted or as no breach in truth. To a gate that is a waiver."""

from typing import Any

from projections.engine.finding import Finding, bounded, said_of
from projections.engine.reads import Look
from projections.judging.disposing import fault_of, persons_in
from projections.judging.findings import findings
from projections.readings.assurance.dispositions import dispositions
from projections.rules.leave import Clocks, Instant, Recorded, was_there


def let_pass(look: Look, rule: str, subject: str) -> int | None:
    """Return where somebody who may let what a rule found of a subject pass, if that holds; else None."""
    finding_id = findings.key_of(findings.rules[rule], subject)
    row = look.row(findings, finding_id)
    # What is decided otherwise meanwhile makes another answer.
    look.row(dispositions, finding_id)
    if row is None or row.is_open or row.disposition not in ("accepted", "false_positive"):
        return None
    return None if look.has_come(row.disposed_until) else row.disposed_position


def was_let_pass_since(look: Look, rule: str, subject: str, since: Recorded, instant: Instant, clocks: Clocks) -> bool:
    """Say whether somebody who may had let a state pass, which has ended meanwhile: after it began, and before something was done."""
    told = look.row(dispositions, findings.key_of(findings.rules[rule], subject))
    if told is None:
        return False
    involved = persons_in(Finding(told.finding_id, rule, subject, positions=(since.position,)), look)
    return any(
        one.disposition in ("accepted", "false_positive")
        and (one.until is None or one.until > instant.at)
        and since.position < one.by.position
        and was_there(one.by, instant, clocks)
        and not fault_of(one.by, involved, look)
        for one in told.disposed
    )


def was_let_pass(look: Look, rule: str, row: Any, subject: str, instant: Instant, clocks: Clocks) -> bool:
    """Say whether somebody who may had let what a rule finds of a row pass when something was done, as was on record then."""
    known = findings.rules[rule]
    found = bounded(known.judge(row, look))
    told = look.row(dispositions, findings.key_of(known, subject))
    if found is None or told is None:
        return found is None
    named = Finding(told.finding_id, rule, subject, says=found.says, positions=found.positions)
    said, involved = said_of(rule, subject, found.says), persons_in(named, look)
    return any(
        one.said == said
        and one.disposition in ("accepted", "false_positive")
        and (one.until is None or one.until > instant.at)
        and was_there(one.by, instant, clocks)
        and not fault_of(one.by, involved, look)
        for one in told.disposed
    )

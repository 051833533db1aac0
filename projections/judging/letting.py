"""What somebody let pass: a finding that was disposed of, as accepted or as no breach in truth. To a gate that is a waiver."""

from projections.engine.reads import Look
from projections.judging.findings import findings
from projections.readings.assurance.dispositions import dispositions


def let_pass(look: Look, rule: str, subject: str) -> int | None:
    """Return where somebody who may let what a rule found of a subject pass, if that holds; else None."""
    finding_id = findings.key_of(findings.rules[rule], subject)
    row = look.row(findings, finding_id)
    # What is decided otherwise meanwhile makes another answer.
    look.row(dispositions, finding_id)
    if row is None or row.is_open or row.disposition not in ("accepted", "false_positive"):
        return None
    return None if look.has_come(row.disposed_until) else row.disposed_position

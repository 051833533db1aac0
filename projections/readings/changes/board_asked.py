"""Whether a change needs a decision of the board: by its type or its band, as the policy says, or by the calendar of compliance.

Not whether there is one that counts: that is `board_leave`.
"""

from typing import Final

from ledger.events.compliance_window import ComplianceWindowDeclared
from projections.engine.view import Reads
from projections.readings.changes.approvals import BANDS
from projections.readings.changes.board import compliance_windows
from projections.readings.changes.case import needs_score
from projections.readings.changes.scopes import ChangeScope, in_force_at
from projections.readings.environments.selected import is_selected
from projections.readings.people.policies import InForce
from projections.readings.people.powers import fault_of_speaker
from projections.readings.people.settings import Words
from projections.readings.people.speaking import clocks_of
from projections.readings.risk.assessments import risk_assessments
from projections.readings.risk.promotions import counting
from projections.rules.calendar import covering
from projections.rules.leave import Clocks, Instant, was_there
from projections.rules.recurrence import NotComputableError

BOARD_DECISION: Final = Words(
    "board-decision",
    "whether a change needs a decision of a meeting of the board to be deployed to production",
    applies_to="type of change, or band of risk",
    choices=("required", "optional"),
    default=("optional",),
)


def board_is_asked(
    reads: Reads, policy: InForce, scope: ChangeScope | None, place: tuple[str, str | None], instant: Instant
) -> str:
    """Say why a change needs a decision of the board in an environment and service, or "": by its type, its band, or the calendar, as far
    as that is for the tenants and regions of its scope.
    """
    clocks = clocks_of(reads, instant.at)
    kind = scope.change_type if scope is not None else None
    version = in_force_at(scope.versions, instant, clocks) if scope is not None else None
    narrowed = (version.tenants, version.regions) if version is not None else ((), ())
    for row in reads.named(compliance_windows, ComplianceWindowDeclared):
        known = [
            terms
            for terms in row.terms
            if was_there(terms.said, instant, clocks)
            and not fault_of_speaker(reads, ComplianceWindowDeclared.type, terms.said)
        ]
        if not known or kind in known[-1].exempt_types:
            continue
        if not is_selected(reads, known[-1], *place, instant.at, *narrowed):
            continue
        try:
            if covering(known[-1].times, instant.at) is None:
                continue
        except NotComputableError:
            # A window that may hold does.
            pass
        return f"in compliance window {row.window_id}"
    if scope is None or not names_the_board(policy):
        return ""
    band = _band(reads, policy, scope, instant, clocks)
    if "required" not in policy.words(BOARD_DECISION, kind, band):
        return ""
    return f"as the policy asks of {kind} changes{f' in band {band}' if band is not None else ''}"


def names_the_board(policy: InForce) -> bool:
    """Say whether a policy says anything of decisions of the board."""
    return policy.names(BOARD_DECISION)


def _band(reads: Reads, policy: InForce, scope: ChangeScope, instant: Instant, clocks: Clocks) -> str | None:
    """Return the band by the last score that was there; without one, the highest where its type needs a score."""
    row = reads.row(risk_assessments, scope.change_id)
    there = [a for a in (row.assessments if row else ()) if was_there(a, instant, clocks)]
    if (found := counting(reads, there)) is not None:
        return found.assessment.band
    return policy.words(BANDS)[-1] if needs_score(policy, scope.change_type) else None

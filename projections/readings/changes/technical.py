"""Technical review: whether somebody else than its authors looked at what a change does, as its scope stands, where a policy asks for that.

Beside the score, and before approvals. Either of two will do:

- its code is reviewed: of each pull request that brings it, the very commit was approved by people who are authors neither of the code
  nor of the change, and nobody else's last word asks for changes; and of every commit in its scope such a pull request is known;
- somebody who holds a role that the policy names (`technical-role`) reviewed the scope itself (`change.reviewed`), and nobody else who
  holds one asked for changes.

Leave counts as any does: at an instant, when it was true and on record by then.
"""

from collections.abc import Sequence
from typing import Final

from ledger.events.change import ChangeReviewed
from projections.engine.reads import Rows
from projections.readings.changes.approvals import AT_MOST, authors_of, bound_to
from projections.readings.changes.code import review_fault
from projections.readings.changes.code_of import Brought, code_of, independent_approvers
from projections.readings.changes.facts import ChangeFacts, Decision
from projections.readings.changes.scopes import ChangeScope, in_force_at
from projections.readings.people.identities import person_of
from projections.readings.people.policies import InForce
from projections.readings.people.powers import fault_of_speaker
from projections.readings.people.roles import roles_of
from projections.readings.people.settings import Words
from projections.readings.people.voices import by_whom
from projections.rules.keeping import last_of_each
from projections.rules.leave import Clocks, Instant, comes_before, was_there
from projections.rules.words import listed

TECHNICAL_REVIEW: Final = Words(
    "technical-review",
    "whether somebody else reviews what a change does before it is approved: its code, or the change itself",
    applies_to="type of change",
    choices=("required", "optional"),
    default=("optional",),
)
TECHNICAL_ROLE: Final = Words(
    "technical-role",
    "a role whose holders may review a change itself",
    applies_to="type of change",
    is_several=True,
    nothing="none: its code is reviewed",
)
# All that is on record came before, whatever time it is of.
# Types of which it is asked only where the policy names them: the one rests on its template, and the others cannot wait.
ASKED_BY_NAME: Final = ("standard", "emergency", "unauthorized")


def is_asked(policy: InForce, change_type: str | None) -> bool:
    """Say whether a policy asks for a technical review of changes of a type. Where one person works alone, nobody could give it."""
    if policy.is_of_one:
        return False
    if change_type in ASKED_BY_NAME:
        return "required" in policy.said(TECHNICAL_REVIEW.name, change_type)
    return "required" in policy.words(TECHNICAL_REVIEW, change_type)


def unreviewed_because(
    facts: ChangeFacts, scope: ChangeScope, look: Rows, policy: InForce, clocks: Clocks, instant: Instant
) -> str:
    """Say why what a change does was not reviewed by an instant; "" where it was."""
    version = in_force_at(scope.versions, instant, clocks)
    if version is None:
        return "its scope was not fixed"
    roles = policy.words(TECHNICAL_ROLE, scope.change_type)
    fault, is_reviewed = _of_the_scope(facts, scope, look, roles, clocks, instant) if roles else ("", False)
    if fault or is_reviewed:
        return fault
    by = f", nor did anybody who holds {' or '.join(roles)} review it" if roles else ""
    code, unknown = code_of(look, scope.change_id, version.commits)
    if unknown or not any(one.said is None or any(was_there(it, instant, clocks) for it in one.said) for one in code):
        return f"no pull request is known of {listed(unknown) if unknown else 'its code'}{by}"
    faults = (_of_code(one, scope, look, instant) for one in code)
    return next((f"{fault}{by}" for fault in faults if fault), "")


def _of_the_scope(
    facts: ChangeFacts, scope: ChangeScope, look: Rows, roles: Sequence[str], clocks: Clocks, instant: Instant
) -> tuple[str, bool]:
    """Say who had asked for changes to a scope, or ""; and whether somebody reviewed it. The last word of each person counts."""
    current = in_force_at(scope.versions, instant, clocks)
    authors = authors_of(look, scope)
    last: dict[str, Decision] = {}
    for decision in last_of_each(facts.decisions, by_whom, AT_MOST):
        # An objection counts whenever it was recorded, a review when it was on record.
        counts = {"reviewed": was_there, "objected": comes_before}.get(decision.word)
        if counts is None or not counts(decision.said, instant, clocks):
            continue
        said = decision.said
        bound = bound_to(look, decision, scope, clocks)
        if bound is None or current is None or bound.digest != current.digest:
            continue
        person = person_of(look, said.speaker)
        held = roles_of(look, said.speaker, said.at, scope.environment)
        if person not in authors and set(held) & set(roles) and not fault_of_speaker(look, ChangeReviewed.type, said):
            last[person] = decision
    objecting = [decision.said.speaker for decision in last.values() if decision.word == "objected"]
    return f"{listed(objecting)} had asked for changes" if objecting else "", bool(last)


def _of_code(code: Brought, scope: ChangeScope, look: Rows, instant: Instant) -> str:
    if not independent_approvers(look, code, scope.authors, instant):
        return f"nobody else than its authors had approved {code.row.key} at {code.head}"
    return review_fault(code.row, code.head, instant, look) or ""

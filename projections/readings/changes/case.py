"""`Case`: one change, and all that it is judged by: its facts and scope, the policy, the score and the leave at an instant.

Not what it comes to: where the change is, is `tickets`; whether something was done without leave, `unlet`.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from projections.engine.reads import Look
from projections.engine.view import Moment
from projections.readings.changes.approvals import Leave, leave_of, standing_at
from projections.readings.changes.facts import ChangeFacts
from projections.readings.changes.scopes import ChangeScope, Version
from projections.readings.changes.technical import unreviewed_because
from projections.readings.changes.templates import invalid_because, templates
from projections.readings.people.imports import instants_of, is_history
from projections.readings.people.policies import InForce, in_force, in_force_now
from projections.readings.people.settings import Words
from projections.readings.risk.assessments import Assessment
from projections.readings.risk.promotions import Counting, counting
from projections.rules.leave import AS_THINGS_STAND, Clocks, Instant, was_there

RISK: Final = Words(
    "risk",
    "whether a change needs a score by an approved model",
    applies_to="type of change",
    choices=("required", "not-required"),
    default=("required",),
)
# Types that need no score, unless the policy says that they do.
UNSCORED: Final = ("standard", "emergency", "unauthorized")


@dataclass(frozen=True, slots=True)
class Case:
    """One change and all that it is judged by."""

    facts: ChangeFacts
    scope: ChangeScope
    look: Look
    clocks: Clocks
    assessments: tuple[Assessment, ...]
    # What was asked before: of acts of one deployer the same was there, mostly, and they are judged by one policy.
    known: dict[Any, Leave] = field(default_factory=dict)

    def policy_at(self, time: Moment | None) -> InForce:
        return in_force_now(self.look) if time is None else in_force(self.look.at(time), time)

    def assessed(self, instant: Instant | None = None) -> Assessment | None:
        """Return the score that counts: by the version of a model that did, and asking for no less than one before it."""
        found = self.scored(instant)
        return found.assessment if found is not None else None

    def scored(self, instant: Instant | None = None) -> Counting | None:
        there = [a for a in self.assessments if instant is None or was_there(a, instant, self.clocks)]
        return counting(self.look, there)

    def leave(self, policy: InForce, instant: Instant | None = None, deployers: Iterable[str] = ()) -> Leave:
        band = found.band if (found := self.assessed(instant)) is not None else self._unscored(policy)
        there = standing_at(self.facts, self.scope, self.clocks, instant)
        asked = (policy, band, there.key, tuple(dict.fromkeys(deployers)))
        if asked not in self.known:
            self.known[asked] = leave_of(
                there,
                self.scope,
                self.look,
                policy=policy,
                clocks=self.clocks,
                band=band,
                deployers=asked[3],
            )
        return self.known[asked]

    def unreviewed(self, policy: InForce) -> str | None:
        """Say why what the change does is not technically reviewed, as things stand; None where it is."""
        fault = unreviewed_because(self.facts, self.scope, self.look, policy, self.clocks, AS_THINGS_STAND)
        return fault or None

    def _unscored(self, policy: InForce) -> str | None:
        # Of a type that needs no score, no band is asked for; else nothing known is the highest.
        return None if needs_score(policy, self.scope.change_type) else "unscored"


def needs_score(policy: InForce, change_type: str | None) -> bool:
    """Say whether changes of a type need a score."""
    said = policy.words(RISK, change_type)
    if policy.is_missing or not policy.says(RISK, change_type):
        return change_type not in UNSCORED
    return "required" in said


def may_start(scope: ChangeScope, leave: Leave) -> bool:
    """Say whether the approvals there are let a change start. An emergency may with one; the others are owed afterwards."""
    return leave.missing == 0 or (scope.change_type == "emergency" and bool(leave.counting))


def template_fault(case: Case, version: Version | None) -> str | None:
    """Say why a standard change does not rest on its template: as the template stood when the scope was submitted; and when that was
    recorded, where it is reported late.
    """
    scope, look = case.scope, case.look
    if scope.change_type != "standard" or version is None:
        return None
    if not version.is_submitted:
        return "its scope was amended, and not submitted since"
    template = look.row(templates, scope.template_id) if scope.template_id else None
    faults = (
        invalid_because(
            template,
            instant.at,
            case.facts.template_failures,
            look,
            version.services,
            version.environments,
            (scope.playbook_id, scope.playbook_version),
        )
        for instant in instants_of(look, version.said, is_history=is_history(look, version.said))
    )
    return next((fault for fault in faults if fault is not None), None)

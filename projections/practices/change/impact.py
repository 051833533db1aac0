"""5.3 Impact assessment for shared infrastructure: all that is known to depend on it was looked at, since that last changed."""

from dataclasses import dataclass
from typing import Final

from ledger.events.change import ChangeImpactAssessed
from projections.engine.finding import Breach
from projections.engine.reads import Look
from projections.engine.view import Moment, Reads
from projections.judging.able import holding
from projections.judging.findings import finding, positions_of
from projections.judging.gate_rule import Question, Remedy, Said, last_fact, of_change
from projections.judging.of_a_change import rule_of_a_change
from projections.practices.practice import Practice
from projections.readings.changes.dependencies import Reach, reach_of, resources
from projections.readings.changes.facts import change_facts
from projections.readings.changes.impacts import Impact, ImpactAssessment, impacts
from projections.readings.changes.scopes import ChangeScope, Version, change_scopes, in_force_at
from projections.readings.changes.targets import SHARED_BY, SHARED_TAG, shared_targets, why_shared
from projections.readings.changes.ticket import Ticket
from projections.readings.changes.tickets import change_tickets
from projections.readings.people.imports import instants_of
from projections.readings.people.policies import InForce, in_force
from projections.readings.people.replacing import in_place
from projections.readings.people.settings import Words
from projections.readings.people.speaking import clocks_of
from projections.rules.leave import Instant, was_there
from projections.rules.words import listed

PRACTICE: Final = Practice(
    "5.3",
    "Impact assessment for shared infrastructure",
    views=(resources, impacts),
    settings=(SHARED_BY, SHARED_TAG),
    to_come="what a whole environment shares, a network or a cluster, where no dependency and no tag says so",
)
IMPACT_ASSESSMENT: Final = Words(
    "impact-assessment",
    "whether a change needs an impact assessment to be deployed: always, or when others share what it touches",
    applies_to="type of change",
    choices=("required", "when-shared", "optional"),
    default=("optional",),
)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a policy asks of a change: why, or "" for nothing, and which targets are shared."""

    why: str
    shared: dict[str, str]


def _asked_of(
    reads: Reads, policy: InForce, scope: ChangeScope, version: Version | None, at: Moment, position: int | None
) -> _Asked:
    words = policy.words(IMPACT_ASSESSMENT, scope.change_type)
    if "required" not in words and "when-shared" not in words:
        return _Asked("", {})
    shared = shared_targets(reads, scope, version, at, position)
    if "required" in words:
        return _Asked("the policy asks for one", shared)
    return _Asked(listed((f"{target} is shared ({why})" for target, why in shared.items()), "; "), shared)


def _left_out(reads: Reads, found: ImpactAssessment, at: Moment, position: int | None) -> tuple[list[str], int]:
    """Return what depends on the shared targets that an assessment names, and it does not; and where that changed last."""
    policy = in_force(reads, at)
    reaches: list[Reach] = []
    for target in found.targets:
        row = reads.row(resources, target)
        if row is not None and why_shared(row, policy, frozenset(), position):
            reaches.append(reach_of(reads, target, position))
    known = {name for reach in reaches for name in reach.dependents}
    missing = sorted(known - {*found.dependents, *found.targets})
    return missing, max((reach.changed_position for reach in reaches), default=0)


def _last_there(row: Impact | None, instant: Instant, look: Look) -> ImpactAssessment | None:
    clocks = clocks_of(look, instant.at)
    there = [one for one in (row.assessments if row is not None else ()) if was_there(one, instant, clocks)]
    return in_place(look, ChangeImpactAssessed.type, there)


@finding(impacts, severity="high", version=3)
def impact_not_covered(row: Impact, look: Look) -> Breach | None:
    """A change to something shared was implemented, and its impact assessment left out what was known to depend on it."""
    ticket = look.row(change_tickets, row.change_id)
    if ticket is None or ticket.started_position is None or ticket.started_at is None:
        return None
    # What is assessed afterwards covers nothing: where there was none before, the first one says what it left out.
    before = [one for one in row.assessments if one.position < ticket.started_position]
    found = in_place(look, ChangeImpactAssessed.type, before) or row.assessments[0]
    missing, _ = _left_out(look, found, ticket.started_at, ticket.started_position)
    if not missing:
        return None
    words = f"{row.change_id} was implemented without an assessment of {listed(missing)}"
    return Breach(words, positions_of(found.position, ticket.started_position))


@finding(change_tickets, severity="high", version=2)
def impact_not_assessed(row: Ticket, look: Look) -> Breach | None:
    """A change was implemented that the policy wants assessed, and nobody had, not every shared target, or not since dependents changed."""
    scope, facts = look.row(change_scopes, row.change_id), look.row(change_facts, row.change_id)
    first = min(facts.done, key=lambda act: (act.at, act.position), default=None) if facts is not None else None
    if scope is None or first is None or first.is_history:
        return None
    impact = look.row(impacts, row.change_id)
    for instant in instants_of(look, first):
        policy = in_force(look.at(instant.at), instant.at)
        version = in_force_at(scope.versions, instant, clocks_of(look, instant.at))
        asked = _asked_of(look, policy, scope, version, instant.at, first.position)
        if not asked.why:
            continue
        found = _last_there(impact, instant, look)
        if found is not None and _left_out(look, found, instant.at, first.position)[0]:
            # That is said of the assessment.
            continue
        _, fault = _fault(look, found, asked.shared, instant.at, first.position)
        if fault:
            words = f"{row.change_id} was implemented, and {fault}: {asked.why}"
            return Breach(words, positions_of(found.position if found is not None else None, first.position))
    return None


def _fault(
    reads: Reads, found: ImpactAssessment | None, shared: dict[str, str], at: Moment, position: int | None
) -> tuple[str, str]:
    """Say in a word and in a sentence what an assessment lacks that a policy asks for, or ""."""
    if found is None:
        return "not-assessed", "nobody had assessed its impact"
    if missing := [target for target in shared if target not in found.targets]:
        return "not-covered", f"not assessed: {listed(missing)}"
    missing, changed = _left_out(reads, found, at, position)
    if missing:
        return "not-covered", f"not assessed: {listed(missing)}"
    if changed > found.position:
        return "outdated", f"what depends on {listed(found.targets)} changed since it was assessed"
    return "", ""


@rule_of_a_change(
    version=5,
    remedies={
        "": Remedy(
            "an impact assessment names all that depends on the shared resources (change.impact_assessed)",
            holding(ChangeImpactAssessed),
        ),
        "outdated": Remedy("the impact is assessed again (change.impact_assessed)", holding(ChangeImpactAssessed)),
    },
)
@of_change
def impact_is_covered(ticket: Ticket, question: Question, look: Look, policy: InForce) -> Said:
    """The impact assessment names all that is known to depend on the shared resources the change touches. The policy may ask for one
    always or when something is shared; then it names every shared target, and is newer than the last change of what depends on them.
    """
    impact, scope = look.row(impacts, ticket.change_id), look.row(change_scopes, ticket.change_id)
    now = question.asked_at
    found = in_place(look, ChangeImpactAssessed.type, impact.assessments if impact is not None else ())
    if scope is not None:
        version = in_force_at(scope.versions, None, clocks_of(look, now))
        asked = _asked_of(look, policy, scope, version, now, None)
        reason, fault = _fault(look, found, asked.shared, now, None) if asked.why else ("", "")
        if fault:
            used = [found.position] if found is not None else last_fact(ticket, look)
            return "deny" if reason == "not-covered" else "insufficient_evidence", reason, f"{fault}: {asked.why}", used
    if found is None:
        return "allow", "not-asked-for", "no impact assessment was asked for", ()
    missing, _ = _left_out(look, found, now, None)
    if missing:
        return "deny", "not-covered", f"not assessed: {listed(missing)}", [found.position]
    return "allow", "covered", f"all that depends on {listed(found.targets)} was assessed", [found.position]

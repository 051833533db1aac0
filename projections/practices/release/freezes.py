"""1.3 Release freezes: nothing is deployed or applied while a freeze holds it, unless somebody else let that very change through."""

from itertools import product
from typing import Final

from ledger.conditions import AFTER_ALL
from ledger.events.freeze import FreezeDeclared, FreezeOverrideGranted
from projections.engine.finding import Breach
from projections.engine.reads import Look
from projections.engine.view import Moment, Reads
from projections.judging.able import authors, may
from projections.judging.findings import finding, positions_of
from projections.judging.gate_rule import Question, Remedy, Said, deployment_of, gate_rule
from projections.judging.of_acts import finding_of_acts
from projections.practices.change.traceability import is_emergency_procedure
from projections.practices.practice import Practice
from projections.readings.changes.scopes import ChangeScope, Version, change_scopes, in_force_at, planned
from projections.readings.changes.unlet import why_unlet
from projections.readings.delivery.deployments import Deployment, change_at
from projections.readings.delivery.freezes import Freeze, freeze_calendar, freezes
from projections.readings.delivery.frozen import Held, Place, freezes_at, freezes_between, is_ones_own, override_for
from projections.readings.infrastructure.plans import Application, plan_applications, plans, service_of
from projections.readings.people.imports import instants_of
from projections.readings.people.policies import InForce
from projections.readings.people.speaking import clocks_of
from projections.readings.people.voices import Spoken, in_time
from projections.rules.calendar import fault_of
from projections.rules.leave import Clocks, Instant, asked_at, was_there
from projections.rules.words import listed

PRACTICE: Final = Practice("1.3", "Release freezes", views=(freezes, freeze_calendar))


def _scope(reads: Reads, change_id: str | None) -> ChangeScope | None:
    return reads.row(change_scopes, change_id) if change_id is not None else None


def _authors(reads: Reads, change_id: str | None) -> tuple[str, ...]:
    scope = _scope(reads, change_id)
    return scope.authors if scope is not None else ()


def type_at(row: Deployment, change_id: str | None, look: Look, instant: Instant, clocks: Clocks) -> str | None:
    """Return of what type a change was when something was done for it; None where nobody had opened it yet.

    An emergency may be put on record afterwards, as soon as the policy asks.
    """
    scope = _scope(look, change_id)
    if scope is not None and scope.openings and was_there(scope.openings[0].said, instant, clocks):
        return scope.change_type
    scope = _scope(look, row.change_id)
    return "emergency" if is_emergency_procedure(row, scope, look) else None


def _place(environment: str, service: str | None, change_type: str | None, version: Version | None) -> Place:
    tenants, regions = (version.tenants, version.regions) if version is not None else ((), ())
    return Place(environment, service, change_type, tenants, regions)


@finding_of_acts(severity="high", version=3)
def deployed_in_freeze(row: Deployment, look: Look) -> Breach | None:
    """Something was deployed while a freeze held it, and nobody else had let it through by then. Freezes declared afterwards count."""
    for act in row.acts:
        if act.is_history or act.environment is None:
            continue
        clocks = clocks_of(look, act.at)
        for instant in instants_of(look, act):
            change_id = change_at(look, row, act, instant, clocks)
            kind = type_at(row, change_id, look, instant, clocks)
            held = _holding(look, act.environment, act.service, change_id, kind, instant, clocks)
            if held is not None:
                did = "deployed" if act.kind == "deployment" else f"promoted to {act.environment}"
                words = f"{row.deployment_id} was {did} {_when(act.at, held, instant)}"
                return Breach(words, positions_of(held.terms.said.position, act.position))
    return None


@finding(plan_applications, severity="high")
def applied_in_freeze(row: Application, look: Look) -> Breach | None:
    """A plan was applied while a freeze held it, and nobody else had let its change through by then. Freezes declared afterwards count."""
    said, plan = row.said, look.row(plans, row.plan) if row.plan is not None else None
    if said is None or row.environment is None or row.is_history:
        return None
    clocks = clocks_of(look, said.at)
    for instant in instants_of(look, said):
        was_told = plan is not None and plan.said is not None and was_there(plan.said, instant, clocks)
        change_id = row.change_id or (plan.change_id if plan is not None and was_told else None)
        scope = _scope(look, change_id)
        version = in_force_at(scope.versions, instant, clocks) if scope is not None else None
        if version is not None and version.plans and row.plan not in version.plans:
            # A change of other plans is leave for these.
            change_id, scope = None, None
        kind = _type_of(scope, said, look, instant, clocks)
        held = _holding(look, row.environment, service_of(look, row), change_id, kind, instant, clocks)
        if held is not None:
            words = f"{row.actor} applied the plan {row.plan} to {row.environment} {_when(said.at, held, instant)}"
            return Breach(words, positions_of(held.terms.said.position, said.position))
    return None


def _type_of(scope: ChangeScope | None, said: Spoken, look: Look, instant: Instant, clocks: Clocks) -> str | None:
    """Return of which type a change was when a plan was applied for it; an emergency may be put on record afterwards."""
    if scope is None or not scope.openings or was_there(scope.openings[0].said, instant, clocks):
        return scope.change_type if scope is not None else None
    is_procedure = scope.change_type == "emergency" and not why_unlet(look, scope.change_id, said, instant)
    return scope.change_type if is_procedure else None


def _holding(
    look: Look,
    environment: str,
    service: str | None,
    change_id: str | None,
    change_type: str | None,
    instant: Instant,
    clocks: Clocks,
) -> Held | None:
    """Return the freeze that held what was done for a change, and that nobody else had let it through by then."""
    then, scope = look.at(instant.at), _scope(look, change_id)
    version = in_force_at(scope.versions, instant, clocks) if scope is not None else None
    for held in freezes_at(then, _place(environment, service, change_type, version), instant):
        if not held.unknown and not override_for(then, held.freeze, change_id, _authors(look, change_id), instant):
            return held
    return None


def _when(at: Moment, held: Held, instant: Instant) -> str:
    when = f"at {instant.at}" if instant.at == at else f"at {at} and reported at {instant.at}"
    return f"{when}, in freeze {held.freeze.freeze_id}{', declared afterwards' if held.is_later else ''}"


@finding(freezes, severity="medium")
def override_of_ones_own(row: Freeze, look: Look) -> Breach | None:
    """S9: somebody let through a freeze what they asked for themselves, or a change of which they are an author."""
    own = [o for o in row.overrides if is_ones_own(look, o, _authors(look, o.change_id))]
    if not own:
        return None
    changes = listed(override.change_id for override in own)
    return Breach(
        f"{own[-1].said.actor} let {changes} through {row.freeze_id} for themselves",
        positions_of(*(o.said.position for o in own)),
    )


@finding(freezes, severity="medium")
def freeze_holds_nothing(row: Freeze, look: Look) -> Breach | None:
    """A freeze ends before it begins, names no environment, or is of a zone or a rule that nobody can compute."""
    if not row.terms:
        return None
    last = row.terms[-1]
    is_of_something = last.environments or last.patterns or last.tiers
    why = fault_of(last.times) if is_of_something else "it names no environment, pattern or tier"
    return Breach(f"freeze {row.freeze_id} holds nothing: {why}", (last.said.position,)) if why else None


@finding(change_scopes, severity="low", version=3)
def planned_in_freeze(row: ChangeScope, look: Look) -> Breach | None:
    """A change is planned for a time in which a freeze holds it, and nobody let it through yet."""
    window = planned(row) if row.is_open else None
    if window is None or (window.recurs is None and look.has_come(window.end)):
        return None
    version = max(row.versions, key=in_time, default=None)
    for environment, service in product(row.environments, row.services or (None,)):
        for held, when in freezes_between(look, _place(environment, service, row.change_type, version), window.times):
            then = Instant(when.begin, when.end, AFTER_ALL)
            if held.unknown or look.has_come(when.end):
                continue
            if override_for(look, held.freeze, row.change_id, row.authors, then):
                continue
            words = f"{row.change_id} is planned from {when.begin} to {when.end}, in freeze {held.freeze.freeze_id}"
            return Breach(f"{words} until {held.until}", positions_of(held.terms.said.position, window.said.position))
    return None


REMEDIES: Final = {
    "frozen": Remedy(
        "the freeze ends or is lifted, or somebody who is no author lets this change through (freeze.override_granted)",
        may(FreezeOverrideGranted, but=authors),
    ),
    "not-computable": Remedy(
        "the freeze is declared anew, with a zone and a rule that can be computed", may(FreezeDeclared)
    ),
}


@gate_rule(version=1, name="no_freeze_holds", remedies=REMEDIES)
def no_freeze_holds_whomever(question: Question, look: Look, policy: InForce) -> Said:
    """No freeze holds the environment and service, of whichever tenants, unless somebody else let this very change through."""
    return _no_freeze_holds(question, look, knows_tenants=False)


@gate_rule(version=2, remedies=REMEDIES)
def no_freeze_holds(question: Question, look: Look, policy: InForce) -> Said:
    """No freeze holds the environment and service for the tenants and regions of the change's scope, unless somebody else let this very
    change through.
    """
    return _no_freeze_holds(question, look, knows_tenants=True)


def _no_freeze_holds(question: Question, look: Look, *, knows_tenants: bool) -> Said:
    environment = question.to_environment if question.gate == "promote" else question.environment
    row = deployment_of(question, look)
    service, change_id = question.service, question.change_id
    if row is not None:
        service, change_id = service or row.service, change_id or row.change_id
    if environment is None or service is None:
        return "insufficient_evidence", "not-said", "expected an environment and a service in the question", ()
    scope = _scope(look, change_id)
    now = asked_at(question.asked_at)
    version = in_force_at(scope.versions, now, clocks_of(look, now.at)) if scope and knows_tenants else None
    place = _place(environment, service, scope.change_type if scope else None, version)
    used: list[int | None] = []
    unknown: list[str] = []
    for held in freezes_at(look, place, now):
        position = held.terms.said.position
        override = override_for(look, held.freeze, change_id, _authors(look, change_id), now)
        if override is not None:
            used += [position, override.said.position]
        elif held.unknown:
            unknown.append(f"{held.freeze.freeze_id}: {held.unknown}")
            used.append(position)
        else:
            return "deny", "frozen", f"freeze {held.freeze.freeze_id} until {held.until}", [position]
    if unknown:
        return "insufficient_evidence", "not-computable", f"whether a freeze holds is unknown: {listed(unknown)}", used
    return ("allow", "let-through", "let through the freeze", used) if used else ("allow", "no-freeze", "no freeze", ())

"""3.2 Module registries: every module that a plan uses was let be used by somebody, in these versions, and still is.

Asked of a plan before it is applied, and of a service before it is deployed, where the policy says so. A module in the plan's own
repository is reviewed with it, and needs no approval.
"""

from collections.abc import Iterator
from typing import Final

from ledger.events.module import ModuleApproved
from ledger.words import number_of
from projections.engine.finding import Breach
from projections.engine.reads import Look
from projections.judging.able import may
from projections.judging.findings import finding, positions_of
from projections.judging.gate_rule import Question, Remedy, Said, gate_rule
from projections.practices.practice import Practice
from projections.readings.changes.scopes import plans_of
from projections.readings.environments.environments import names_for
from projections.readings.infrastructure.module_users import applied_last, module_series, module_users, module_uses
from projections.readings.infrastructure.modules import Standing, Word, modules, standing_of
from projections.readings.infrastructure.plan_modules import parts_of, plan_modules
from projections.readings.infrastructure.plans import Application, plan_applications, service_of
from projections.readings.people.imports import instants_of
from projections.readings.people.policies import InForce, in_force
from projections.readings.people.settings import Words
from projections.readings.people.speaking import clocks_of
from projections.rules.leave import Instant
from projections.rules.words import listed

PRACTICE: Final = Practice(
    "3.2", "Module registries", views=(modules, plan_modules, module_users, module_uses, module_series)
)
MODULE_APPROVAL: Final = Words(
    "module-approval",
    "a gate that asks whether the modules of a plan are approved",
    applies_to="service or environment",
    choices=("apply", "deploy"),
    is_several=True,
    nothing="none",
)
# Which of two lists is the right one, nobody knows: so neither is approved.
TOLD_TWICE: Final = "its modules were told twice, and not the same"
# What is wrong with a use, the worst first.
_WORDS: Final[tuple[Word, ...]] = ("deprecated", "not-approved", "expired")


def _gates(policy: InForce, look: Look, service: str | None, environment: str, at: str) -> tuple[str, ...]:
    return policy.words(MODULE_APPROVAL, service, *names_for(look, policy, environment, at))


# -- what was applied ------------------------------------------------------------------------------------------------------


def _faults(row: Application, look: Look) -> Iterator[tuple[Instant, Standing]]:
    """Yield what is wrong with the modules of a plan that was applied, as was on record at each instant at which that is judged."""
    if row.said is None or row.plan is None or row.is_history:
        return
    parts = parts_of(look, row.plan) or []
    for instant in instants_of(look, row.said):
        clocks = clocks_of(look, instant.at)
        for part in parts:
            if part.contradicted is not None:
                yield instant, Standing("not-approved", TOLD_TWICE, positions_of(part.position, part.contradicted))
            for use in part.uses:
                standing = standing_of(look, use, instant, clocks)
                if standing.word in _WORDS:
                    yield instant, standing


def _breach(row: Application, faults: list[Standing]) -> Breach | None:
    if not faults or row.said is None:
        return None
    whys = dict.fromkeys(fault.why for fault in faults)
    words = f"{row.actor} applied the plan {row.plan} to {row.environment} at {row.said.at}: {listed(whys, '; ')}"
    return Breach(words, positions_of(row.said.position, *(at for fault in faults for at in fault.positions)))


@finding(plan_applications, severity="high", version=4)
def module_not_approved(row: Application, look: Look) -> Breach | None:
    """A plan was applied that used a module which nobody had approved by then, in what versions it admits; where the policy asks."""
    faults = [
        standing
        for instant, standing in _faults(row, look)
        if standing.word != "deprecated"
        and "apply" in _gates(in_force(look.at(instant.at), instant.at), look, service_of(look, row), row.environment or "", instant.at)
    ]  # fmt: skip
    return _breach(row, faults)


@finding(plan_applications, severity="medium")
def deprecated_module_used(row: Application, look: Look) -> Breach | None:
    """A plan was applied that used a module which had been deprecated by then, and not approved again."""
    return _breach(row, [standing for _, standing in _faults(row, look) if standing.word == "deprecated"])


# -- the gates -------------------------------------------------------------------------------------------------------------


def _plans_of(question: Question, look: Look) -> tuple[str, ...]:
    """Return the plans that a question is about: the one that it names, those of its change, or those applied there last."""
    if question.plan is not None:
        return (question.plan,)
    return plans_of(look, question.change_id) or applied_last(look, question.environment or "", question.service)


@gate_rule(
    version=5,
    remedies={
        "deprecated": Remedy("the plan uses another module, or another version of it; or it is approved again"),
        "not-known": Remedy("the plan names the version of the module, or one that is approved whole"),
        "told-twice": Remedy("the plan is made anew, and its modules are told once"),
        "no-modules": Remedy("a plan of it is taken in with its configuration (terraform show -json)"),
        "": Remedy(
            "the module is approved, in these versions or at this commit (module.approved)", may(ModuleApproved)
        ),
    },
)
def modules_are_approved(question: Question, look: Look, policy: InForce) -> Said:
    """Every module that the plan uses is approved in the versions that it admits, not deprecated and not expired; where the policy asks."""
    if question.environment is None:
        return "insufficient_evidence", "not-said", "expected an environment in the question", ()
    if question.gate not in _gates(policy, look, question.service, question.environment, question.asked_at):
        return "allow", "not-asked-for", "the policy asks for no approval of modules", ()
    plans = _plans_of(question, look)
    if not plans:
        return "insufficient_evidence", "no-modules", "no plan is known of which the modules would be asked", ()
    used: list[int | None] = []
    twice: list[int | None] = []
    found: list[Standing] = []
    for plan in plans:
        parts = parts_of(look, plan)
        if parts is None:
            return "insufficient_evidence", "no-modules", f"nobody told of all modules of the plan {plan}", used
        used += [part.position for part in parts]
        twice += [part.contradicted for part in parts if part.contradicted is not None]
        found += [standing_of(look, use) for part in parts for use in part.uses]
    used += [at for standing in found for at in standing.positions]
    for word in (*_WORDS, "not-known"):
        if whys := dict.fromkeys(standing.why for standing in found if standing.word == word):
            return "insufficient_evidence" if word == "not-known" else "deny", word, listed(whys, "; "), used
    if twice:
        return "insufficient_evidence", "told-twice", f"of the plan, {TOLD_TWICE}", [*used, *twice]
    return "allow", "approved", f"{number_of(len(found), 'module is', 'modules are')} approved", used

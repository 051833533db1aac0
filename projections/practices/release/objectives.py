"""1.6 Release frequency against service level objectives: when the error budget is spent, only what mends goes out."""

from typing import Final

from ledger.events.error_budget import ErrorBudgetMeasured
from ledger.events.release_policy import ReleasePolicyApplied
from ledger.events.slo import SloPublished
from ledger.words import number_of
from projections.engine.finding import Breach
from projections.engine.reads import Look
from projections.engine.view import Reads, later
from projections.judging.able import holding, may
from projections.judging.findings import finding, positions_of
from projections.judging.gate_rule import Question, Remedy, Said, gate_rule
from projections.judging.of_acts import finding_of_acts
from projections.practices.change.traceability import acts_in_production
from projections.practices.practice import Practice
from projections.practices.release.freezes import type_at
from projections.readings.changes.scopes import change_scopes
from projections.readings.delivery.budgets import (
    ErrorBudget,
    Objective,
    Slo,
    decided_by_policy,
    error_budgets,
    slo_days,
    slos,
    slos_of,
    spent_at,
)
from projections.readings.delivery.deployments import Deployment, change_at
from projections.readings.environments.environments import names_for
from projections.readings.people.imports import instants_of
from projections.readings.people.policies import InForce, in_force
from projections.readings.people.settings import Number, Words
from projections.readings.people.speaking import clocks_of
from projections.rules import budgets
from projections.rules.leave import Clocks, Instant, asked_at
from projections.rules.words import listed

PRACTICE: Final = Practice(
    "1.6", "Release frequency against service level objectives", views=(slos, slo_days, error_budgets)
)
ERROR_BUDGET: Final = Words(
    "error-budget",
    "whether nothing but what mends is deployed when an error budget is spent",
    applies_to="environment",
    choices=("enforced", "watched"),
    default=("watched",),
)
ERROR_BUDGET_EXEMPT: Final = Words(
    "error-budget-exempt",
    "a type of change that is deployed though the error budget is spent",
    is_several=True,
    default=("emergency", "security", "reliability"),
)
MEASURED_WITHIN_HOURS: Final = Number(
    "measured-within-hours", "how old the last measurement of an error budget may be", default=24
)


class _Standing:
    """What an objective says of releases at an instant: a word, and a sentence."""

    def __init__(
        self, reads: Reads, slo: Slo, objective: Objective, policy: InForce, instant: Instant, clocks: Clocks
    ) -> None:
        self.slo, self.objective = slo, objective
        applied = decided_by_policy(reads, slo, instant, clocks)
        self.position = applied.said.position if applied is not None else objective.said.position
        self.reason, self.words = "left", f"{slo.slo_id} has budget left"
        if applied is not None:
            self.reason = "halted" if applied.action == "halt" else "let-through"
            self.words = f"releases by {slo.slo_id} were told to {applied.action} until {applied.until}"
            return
        spent, _, until = spent_at(reads, slo, objective, instant)
        stale = later(instant.at, hours=-policy.number(MEASURED_WITHIN_HOURS))
        # Of what is spent nothing comes back because nobody measures any more.
        if spent is not None and spent >= 1:
            self.reason = "spent"
            self.words = f"{spent} times of the error budget of {slo.slo_id} was spent in {number_of(objective.window_days, 'day')}"
        elif spent is None or until < stale:
            self.reason, self.words = "not-measured", f"nothing says how much of the budget of {slo.slo_id} is left"


def _is_enforced(reads: Reads, policy: InForce, environment: str | None, at: str) -> bool:
    return "enforced" in policy.words(ERROR_BUDGET, *names_for(reads, policy, environment, at))


@finding_of_acts(severity="high", version=4)
def deployed_over_budget(row: Deployment, look: Look) -> Breach | None:
    """Something that mends nothing was deployed when the error budget was spent, or releases were halted; where the policy asks."""
    for act in acts_in_production(row, look):
        clocks = clocks_of(look, act.at)
        for instant in instants_of(look, act):
            then = look.at(instant.at)
            policy = in_force(then, instant.at)
            if act.service is None or not _is_enforced(then, policy, act.environment, instant.at):
                continue
            kind = type_at(row, change_at(look, row, act, instant, clocks), look, instant, clocks)
            if kind in policy.words(ERROR_BUDGET_EXEMPT):
                continue
            for slo, objective in slos_of(then, act.service, act.environment, instant, clocks):
                standing = _Standing(then, slo, objective, policy, instant, clocks)
                if standing.reason in ("spent", "halted"):
                    words = f"{row.deployment_id} put {act.service} into {act.environment}: {standing.words}"
                    return Breach(words, positions_of(standing.position, act.position))
    return None


@finding(error_budgets, severity="medium", version=2)
def error_budget_spent(row: ErrorBudget, look: Look) -> Breach | None:
    """The error budget of an objective is spent, as it was measured last."""
    if not row.is_spent:
        return None
    return Breach(f"{row.spent} times of the error budget of {row.slo_id} is spent, as of {row.measured_until}")


@finding(slos, severity="low")
def objective_cannot_be_held(row: Slo, look: Look) -> Breach | None:
    """An objective promises what nobody can hold or measure: a share of more than all, no days, slices of no length."""
    last = row.objectives[-1] if row.objectives else None
    if last is None or not (why := budgets.fault_of(last.promise)):
        return None
    return Breach(f"{row.slo_id}: {why}", (last.said.position,))


_MENDS: Final = "the change is of a type that mends (error-budget-exempt)"


@gate_rule(
    version=3,
    remedies={
        "no-objective": Remedy("an objective of the service is published (slo.published)", may(SloPublished)),
        "not-measured": Remedy("its budget is measured (error_budget.measured)", holding(ErrorBudgetMeasured)),
        "halted": Remedy(f"releases go on (release_policy.applied), or {_MENDS}", may(ReleasePolicyApplied)),
        "spent": Remedy(f"time passes without errors, until some budget is left; or {_MENDS}"),
    },
)
def error_budget_is_left(question: Question, look: Look, policy: InForce) -> Said:
    """No error budget of the service is spent, or the change mends; where the policy asks."""
    at = question.asked_at
    if not _is_enforced(look, policy, question.environment, at):
        return "allow", "not-asked-for", "the policy only watches error budgets", ()
    if question.service is None:
        return "insufficient_evidence", "not-said", "expected a service in the question", ()
    scope = look.row(change_scopes, question.change_id) if question.change_id else None
    if scope is not None and scope.change_type in policy.words(ERROR_BUDGET_EXEMPT):
        return "allow", "exempt", f"{scope.change_type} changes mend", [scope.openings[0].said.position]
    now, clocks = asked_at(at), clocks_of(look, at)
    found = [
        _Standing(look, slo, objective, policy, now, clocks)
        for slo, objective in slos_of(look, question.service, question.environment, now, clocks)
    ]
    if not found:
        return "insufficient_evidence", "no-objective", f"no objective of {question.service} is known", ()
    used = [standing.position for standing in found]
    for reason in ("halted", "spent", "not-measured"):
        if words := listed((standing.words for standing in found if standing.reason == reason), "; "):
            return "insufficient_evidence" if reason == "not-measured" else "deny", reason, words, used
    return "allow", "left", listed((standing.words for standing in found), "; "), used

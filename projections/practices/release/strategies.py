"""1.1 Canary, blue-green or rolling, chosen by criticality and rollback tolerance: the chosen is allowed, and the seen is chosen."""

from typing import Final

from ledger.events.strategy import StrategyMatrixPublished, StrategySelected, StrategyServiceProfiled
from projections.engine.finding import Breach
from projections.engine.reads import Look
from projections.judging.able import both, holding, may
from projections.judging.findings import finding, positions_of
from projections.judging.gate_rule import Question, Remedy, Said, gate_rule
from projections.judging.of_acts import finding_of_acts
from projections.practices.change.traceability import acts_in_production
from projections.practices.practice import Practice
from projections.readings.delivery.deployments import Deployment, change_at
from projections.readings.delivery.strategies import (
    STRATEGY_MATRIX,
    Conformance,
    allowed_for,
    choice_at,
    mistaken,
    rollouts,
    service_profiles,
    strategy_choices,
    strategy_conformance,
    strategy_matrices,
)
from projections.readings.environments.environments import names_for
from projections.readings.people.imports import instants_of
from projections.readings.people.policies import InForce, in_force
from projections.readings.people.settings import Words
from projections.readings.people.speaking import clocks_of
from projections.rules.leave import asked_at
from projections.rules.words import listed

PRACTICE: Final = Practice(
    "1.1",
    "Canary, blue-green or rolling, chosen by criticality and rollback tolerance",
    views=(strategy_matrices, service_profiles, strategy_choices, rollouts, strategy_conformance),
    settings=(STRATEGY_MATRIX,),
)
RELEASE_STRATEGY: Final = Words(
    "release-strategy",
    "whether a strategy that the matrix allows is chosen for what is deployed",
    applies_to="environment",
    choices=("required", "optional"),
    default=("optional",),
)


@finding_of_acts(severity="high", version=3)
def strategy_not_allowed(row: Deployment, look: Look) -> Breach | None:
    """Something went out to production by a strategy that the matrix does not allow its service, or was chosen for another kind of it.

    Where the policy asks for a strategy, by none is a breach, too.
    """
    for act in acts_in_production(row, look):
        clocks = clocks_of(look, act.at)
        for instant in instants_of(look, act):
            then = look.at(instant.at)
            policy = in_force(then, instant.at)
            if act.service is None or act.kind != "deployment":
                continue
            words = f"{row.deployment_id} put {act.service} into {act.environment}"
            choice = choice_at(then, act.service, change_at(look, row, act, instant, clocks), instant, clocks)
            chosen = choice.strategy if choice is not None else row.strategy
            said_at = choice.said.position if choice is not None else None
            if chosen is None:
                names = names_for(then, policy, act.environment, instant.at)
                if "required" in policy.words(RELEASE_STRATEGY, *names):
                    return Breach(f"{words}, and nobody had chosen a strategy", positions_of(act.position))
                continue
            may = allowed_for(then, policy, act.service, instant, clocks)
            positions = positions_of(act.position, said_at, may.position)
            if may.strategies is not None and chosen not in may.strategies:
                return Breach(f"{words} by {chosen}; the matrix allows it {listed(may.strategies)}", positions)
            if choice is not None and may.profile is not None and (why := mistaken(choice, may.profile)):
                return Breach(f"{words} by {chosen}: {why}", positions)
    return None


@finding(strategy_conformance, severity="medium")
def strategy_not_kept(row: Conformance, look: Look) -> Breach | None:
    """What was seen of a deployment is not the strategy that was chosen for it: chosen as a canary, and at once for everybody."""
    if not row.fault:
        return None
    return Breach(f"{row.deployment_id} of {row.service} was to be {row.chosen}, and {row.fault}", row.positions)


_CHOSEN: Final = "one that the matrix allows is chosen (strategy.selected)"


@gate_rule(
    version=2,
    remedies={
        "not-known": Remedy(
            "a matrix is published (strategy.matrix_published), and the service is profiled (strategy.service_profiled)",
            both(may(StrategyMatrixPublished), may(StrategyServiceProfiled)),
        ),
        "": Remedy(_CHOSEN, holding(StrategySelected)),
    },
)
def strategy_is_allowed(question: Question, look: Look, policy: InForce) -> Said:
    """A strategy was chosen that the matrix allows the service, as it was profiled; where the policy asks."""
    at = question.asked_at
    if "required" not in policy.words(RELEASE_STRATEGY, *names_for(look, policy, question.environment, at)):
        return "allow", "not-asked-for", "the policy asks for no strategy", ()
    if question.service is None:
        return "insufficient_evidence", "not-said", "expected a service in the question", ()
    now, clocks = asked_at(at), clocks_of(look, at)
    may = allowed_for(look, policy, question.service, now, clocks)
    if may.strategies is None or may.profile is None:
        return "insufficient_evidence", "not-known", may.why, [may.position]
    choice = choice_at(look, question.service, question.change_id, now, clocks)
    if choice is None:
        words = f"nobody chose a strategy for {question.service}; the matrix allows {listed(may.strategies)}"
        return "insufficient_evidence", "not-chosen", words, [may.position]
    used = [may.position, may.profile.said.position, choice.said.position]
    if choice.strategy not in may.strategies:
        words = f"{choice.strategy} was chosen; the matrix allows {question.service} {listed(may.strategies)}"
        return "deny", "not-allowed", words, used
    if why := mistaken(choice, may.profile):
        return "deny", "mistaken", why, used
    return "allow", "allowed", f"{choice.strategy} is allowed for {question.service}", used

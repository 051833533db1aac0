"""Rules about a change, where the policy may ask for none: then a question that names none is let through by them.

Whoever names a change is judged by it, whatever the policy asks for.
"""

from collections.abc import Callable
from functools import wraps
from typing import Final

from projections.engine.reads import Look
from projections.engine.view import Moment
from projections.judging.gate_rule import NO_REMEDIES, Question, Remedies, Rule, Said, gate_rule
from projections.readings.environments.environments import names_for
from projections.readings.people.policies import InForce
from projections.readings.people.settings import Words

Judge = Callable[[Question, Look, InForce], Said]
CHANGE: Final = Words(
    "change",
    "whether a deployment needs a change",
    applies_to="environment",
    choices=("required", "not-required"),
    default=("required",),
)


def needs_change(policy: InForce, look: Look, environment: str | None, at: Moment) -> bool:
    """Say whether what is deployed to an environment needs a change."""
    return "required" in policy.words(CHANGE, *names_for(look, policy, environment, at))


def rule_of_a_change(*, version: int, remedies: Remedies = NO_REMEDIES) -> Callable[[Judge], Rule]:
    """Make a rule of a function of the question's change."""

    def declare(function: Judge) -> Rule:
        @wraps(function)
        def judged(question: Question, look: Look, policy: InForce) -> Said:
            where = question.environment
            if question.change_id is None and where and not needs_change(policy, look, where, question.asked_at):
                return "allow", "not-asked-for", f"the policy asks for no change in {where}", ()
            return function(question, look, policy)

        return gate_rule(version=version, remedies=remedies)(judged)

    return declare

"""1.5 Rollback triggers and thresholds: what is deployed to production says when it is to be taken back."""

from typing import Final

from ledger.events import ref
from ledger.events.rollback import RollbackTriggerDefined
from projections.engine.reads import Look
from projections.judging.gate_rule import Question, Said, gate_rule
from projections.practices.practice import Practice
from projections.readings.delivery.triggers import rollback_triggers
from projections.readings.environments.environments import is_meant, names_for
from projections.readings.people.policies import InForce
from projections.readings.people.settings import Number
from projections.rules.environments import PRODUCTION

PRACTICE: Final = Practice(
    "1.5",
    "Rollback triggers and thresholds",
    views=(rollback_triggers,),
    to_come="computing again, from what was measured, whether a trigger was due",
)
ROLLBACK_TRIGGERS: Final = Number(
    "rollback-triggers",
    "how many triggers of a rollback a service must have",
    applies_to="environment",
    defaults={PRODUCTION: 1},
)


@gate_rule()
def rollback_is_prepared(question: Question, look: Look, policy: InForce) -> Said:
    """The service has a trigger that says when a rollback is due."""
    least = policy.number(ROLLBACK_TRIGGERS, *names_for(look, policy, question.environment, question.asked_at))
    if question.service is None:
        return "insufficient_evidence", "not-said", "expected a service in the question", ()
    found = [
        trigger.defined_position
        for trigger in look.named(rollback_triggers, RollbackTriggerDefined, ref("service", question.service))
        if is_meant(look, trigger.environment, question.environment, question.asked_at)
        and trigger.change_id in (None, question.change_id)
    ]
    if len(found) < least:
        return "deny", "no-trigger", f"{len(found)} rollback trigger(s) of {question.service}; expected {least}", found
    return "allow", "prepared", f"{len(found)} rollback trigger(s)", found

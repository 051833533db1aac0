"""1.5 Rollback triggers and thresholds: what goes to production says when it is to be taken back, and is when that was measured."""

from collections.abc import Iterator
from typing import Final

from ledger.events import ref
from ledger.events.rollback import RollbackCompleted, RollbackDecided, RollbackTriggerDefined
from ledger.words import number_of
from projections.engine.finding import Breach
from projections.engine.reads import Look
from projections.engine.view import Around, Moment, later
from projections.judging.able import holding
from projections.judging.findings import finding, positions_of
from projections.judging.gate_rule import Question, Remedy, Said, gate_rule
from projections.judging.of_acts import finding_of_acts
from projections.practices.change.traceability import acts_in_production
from projections.practices.practice import Practice
from projections.readings.delivery.acts import Act
from projections.readings.delivery.deployments import Deployment, change_of, done_to
from projections.readings.delivery.measurements import (
    Firing,
    Measurement,
    measured_days,
    measurements_of,
    trigger_firings,
)
from projections.readings.delivery.rollbacks import Decided, is_believed, rollbacks
from projections.readings.delivery.triggers import Definition, definitions_at, rollback_triggers
from projections.readings.environments.environments import is_meant, names_for, same_environment
from projections.readings.people.identities import person_of
from projections.readings.people.policies import InForce, in_force
from projections.readings.people.powers import fault_of_speaker, persons_behind
from projections.readings.people.replacing import has_power
from projections.readings.people.settings import Number
from projections.readings.people.speaking import clocks_of
from projections.readings.people.voices import Spoken, has_root_power, is_vouched
from projections.rules.environments import PRODUCTION
from projections.rules.leave import Instant, asked_at, instants, latest_before, was_there
from projections.rules.triggers import due, held, meets, window_before

PRACTICE: Final = Practice(
    "1.5", "Rollback triggers and thresholds", views=(rollback_triggers, measured_days, trigger_firings)
)
ROLLBACK_TRIGGERS: Final = Number(
    "rollback-triggers",
    "how many triggers of a rollback a service must have",
    applies_to="environment",
    defaults={PRODUCTION: 1},
)
ROLLBACK_WITHIN_MINUTES: Final = Number(
    "rollback-within-minutes",
    "within how many minutes of a trigger's being due it is rolled back, or somebody decides about it",
    applies_to="environment",
    default=30,
)
ROLLBACK_WATCH_HOURS: Final = Number(
    "rollback-watch-hours",
    "for how many hours after a deployment its triggers are watched",
    applies_to="environment",
    default=24,
)
# How many rollbacks of a service are looked at: of those after a deployment the first, and of those before it the last.
LATEST: Final = 64


@finding_of_acts(severity="high", version=7)
def rollback_trigger_missed(row: Deployment, look: Look) -> Breach | None:
    """By what was measured after a deployment a rollback was due, and nobody rolled back, or decided about it, in time."""
    for act in acts_in_production(row, look):
        policy = in_force(look.at(act.at), act.at)
        names = names_for(look, policy, act.environment, act.at)
        watched_until = later(act.at, hours=min(policy.number(ROLLBACK_WATCH_HOURS, *names), 24 * 31))
        for name, definition in _triggers_of(row, act, look):
            measures = _measures(definition, act, act.at, watched_until, look)
            for measure in due(definition.condition, measures):
                # Nobody could know before it was on record.
                known_at = max(measure.end, measure.said.recorded_at)
                deadline = later(known_at, minutes=policy.number(ROLLBACK_WITHIN_MINUTES, *names))
                begin = window_before(definition.condition, measure.end)
                if _was_answered(act, begin, deadline, look) or not look.has_come(deadline):
                    continue
                words = (
                    f"{name} of {row.deployment_id} was due at {measure.end}: {definition.metric} was {measure.value}"
                )
                words += f", and nobody rolled back or decided about it until {deadline}"
                return Breach(words, positions_of(definition.said.position, measure.said.position, act.position))
    return None


def _triggers_of(row: Deployment, act: Act, look: Look) -> Iterator[tuple[str, Definition]]:
    """Yield the triggers of what was deployed, as they were on record by then: no threshold is moved afterwards."""
    clocks = clocks_of(look, act.at)
    instant = instants(act, clocks)[-1]
    change_id = change_of(look, row, act, instant, clocks)
    known = look.at(latest_before(instant, clocks))
    for trigger in known.named(rollback_triggers, RollbackTriggerDefined, ref("service", act.service or "")):
        for definition in definitions_at(look, trigger, instant, clocks):
            if _is_for(look, definition, act.service, act.environment, change_id, act.at):
                yield trigger.trigger_id, definition


def _is_for(
    look: Look, one: Definition, service: str | None, environment: str | None, change_id: str | None, at: Moment
) -> bool:
    is_of_it = one.service == service and one.change_id in (None, change_id)
    return is_of_it and is_meant(look, one.environment, environment, at)


def _measures(definition: Definition, act: Act, since: Moment, until: Moment, look: Look) -> list[Measurement]:
    found = measurements_of(look, definition.service, definition.metric, act.environment or "", since, until)
    # What was measured before it says nothing of it.
    return [measure for measure in found if act.at <= measure.begin]


def _was_answered(act: Act, begin: Moment, deadline: Moment, look: Look) -> bool:
    """Say whether it was rolled back, or somebody decided about it, between two times, and that was on record.

    A rollback was one to what had run there before, as whoever deploys there says; to what else, or to nothing that is named, whoever has
    the power may say so.
    """
    clocks = clocks_of(look, act.at)
    acts = [
        other
        for _, other in done_to(look, act.service or "", act.position)
        if same_environment(look, other.environment, act.environment, act.at)
    ]
    before = {artifact for other in acts if other.at < act.at for artifact in other.artifacts} - set(act.artifacts)
    by = Instant(deadline, later(deadline, minutes=clocks.lag_s // 60), 0)
    about = ref("service", act.service or "")
    for event in (RollbackDecided, RollbackCompleted):
        for row in look.named(rollbacks, event, about, limit=Around(act.position, LATEST)):
            if not same_environment(look, row.environment, act.environment, act.at):
                continue
            for decided in row.decisions:
                is_then = begin <= decided.said.at <= deadline and was_there(decided.said, by, clocks)
                if is_then and _answers(decided, act, row.environment, look):
                    return True
            for done in row.completions:
                is_in_time = begin <= done.said.at <= deadline and done.said.recorded_at <= by.by
                if done.outcome != "success" or not is_in_time:
                    continue
                if _is_of_power(done.said, look) or (done.to_artifact in before and is_believed(look, done)):
                    return True
    # What had run there before was deployed again: a rollback by another name.
    return any(
        begin <= other.at
        and was_there(other, by, clocks)
        and bool(other.artifacts)
        and before.issuperset(other.artifacts)
        for other in acts
    )


def _answers(decided: Decided, act: Act, environment: str | None, look: Look) -> bool:
    """Say whether a decision answers a trigger: to roll back, by whomever may decide; that it stays, by another than who put it there."""
    if fault_of_speaker(look, RollbackDecided.type, decided.said, environment):
        return False
    if decided.decision == "roll_back" or has_power(look, RollbackDecided.type, decided.said):
        return True
    theirs = {person_of(look, who) for who in (act.actor, act.reported_by) if who is not None}
    return not persons_behind(look, decided.said) & theirs


def _is_of_power(said: Spoken, look: Look) -> bool:
    """Say whether somebody who tells of a rollback is believed where nothing shows it: an operator, or a source that one enrolled."""
    return has_root_power(look, RollbackCompleted.type, said) or is_vouched(look, said)


@finding(trigger_firings, severity="medium", version=3)
def rollback_trigger_unjustified(row: Firing, look: Look) -> Breach | None:
    """A trigger was said to have fired, and its condition was not met: by the measurement itself, or by what else was measured."""
    said = row.said
    trigger = look.row(rollback_triggers, row.trigger_id) if row.trigger_id is not None else None
    if said is None or row.measured is None:
        return None
    clocks = clocks_of(look, said.at)
    then = instants(said, clocks)[0]
    defined = definitions_at(look, trigger, then, clocks, row.version) if trigger is not None else []
    words = f"{row.trigger_id} {row.version} was said to have fired at {said.at}"
    if not defined:
        return Breach(f"{words}, and nobody had defined it", (said.position,))
    definition = defined[-1]
    positions = positions_of(definition.said.position, said.position)
    condition = definition.condition
    if not meets(condition, row.measured):
        why = f"{row.measured} is not {condition.comparator} {condition.threshold}"
        return Breach(f"{words}, and {why}", positions)
    if (row.samples or 0) < condition.min_samples:
        return Breach(f"{words} by {number_of(row.samples, 'sample')}; expected {condition.min_samples}", positions)
    environment = row.environment or definition.environment
    if environment is None:
        return None
    since = window_before(condition, window_before(condition, said.at))
    measured = measurements_of(look, definition.service, definition.metric, environment, since, said.at)
    # What bears it out had to be on record by then; what speaks against it counts whenever it comes.
    measures = [one for one in measured if not meets(condition, one.value) or was_there(one.said, then, clocks)]
    last = max((measure.end for measure in measures), default=None)
    if last is None or held(condition, measures, last) is not False:
        return None
    return Breach(f"{words}, and what was measured until {last} does not meet it", positions)


@gate_rule(
    version=2,
    remedies={
        "": Remedy(
            "a trigger says when the service is rolled back (rollback.trigger_defined); or the policy asks for fewer",
            holding(RollbackTriggerDefined),
        )
    },
)
def rollback_is_prepared(question: Question, look: Look, policy: InForce) -> Said:
    """The service has a trigger that says when a rollback is due."""
    least = policy.number(ROLLBACK_TRIGGERS, *names_for(look, policy, question.environment, question.asked_at))
    if question.service is None:
        return "insufficient_evidence", "not-said", "expected a service in the question", ()
    at = question.asked_at
    now, clocks = asked_at(at), clocks_of(look, at)
    found = [
        fitting[-1].said.position
        for trigger in look.named(rollback_triggers, RollbackTriggerDefined, ref("service", question.service))
        if (
            fitting := [
                one
                for one in definitions_at(look, trigger, now, clocks)
                if _is_for(look, one, question.service, question.environment, question.change_id, at)
            ]
        )
    ]
    if len(found) < least:
        return (
            "deny",
            "no-trigger",
            f"{number_of(len(found), 'rollback trigger')} of {question.service}; expected {least}",
            found,
        )
    return "allow", "prepared", f"{number_of(len(found), 'rollback trigger')}", found

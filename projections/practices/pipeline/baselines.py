"""2.5 State held against baselines: what is found of a state is what was attested of it last, and it was written again since, not back.

Attested is what an application says that it left (`iac.applied`), or a baseline: somebody who may says what the state is to be from there
on. Of what several find, the last of each stands, until somebody with the power to says otherwise: nobody looks a state right that
somebody else found wrong. An application that is told after the state was looked at accounts for nothing that was seen before; a baseline
does, because it is somebody's decision. A state of which nothing was ever attested is neither right nor wrong.
"""

from collections.abc import Iterable
from typing import Final

from ledger.events.baseline import BaselinePublished
from ledger.events.iac import PlanApplied
from ledger.events.state import StateObserved
from ledger.words import number_of
from projections.engine.finding import Breach
from projections.engine.reads import Look
from projections.engine.view import later
from projections.judging.able import may
from projections.judging.findings import finding, positions_of
from projections.judging.gate_rule import Question, Remedy, Said, gate_rule
from projections.practices.practice import Practice
from projections.readings.environments.environments import names_for
from projections.readings.infrastructure.plans import plans
from projections.readings.infrastructure.states import Seen, State, state_of, states
from projections.readings.people.imports import instants_of, is_history
from projections.readings.people.policies import InForce
from projections.readings.people.powers import fault_of_speaker
from projections.readings.people.replacing import standing
from projections.readings.people.settings import Number, Words
from projections.readings.people.speaking import clocks_of
from projections.rules.leave import was_there

PRACTICE: Final = Practice("2.5", "State held against baselines", views=(states,))
STATE_ACCOUNT: Final = Words(
    "state-account",
    "whether the state must have been found as it was attested before a plan is applied",
    applies_to="environment",
    choices=("required", "optional"),
    default=("optional",),
)
STATE_OBSERVED_MINUTES: Final = Number(
    "state-observed-minutes",
    "how many minutes ago the state must have been looked at before a plan is applied",
    applies_to="environment",
    default=60,
)


def _whole(row: State, look: Look) -> State | None:
    """Return all that there is of a state, under whichever name of its environment; None where another row stands for it."""
    whole = state_of(look, row.environment, row.workspace) if row.environment is not None else None
    return whole if whole is not None and whole.state == row.state else None


@finding(states, severity="high", version=4)
def state_unaccounted(row: State, look: Look) -> Breach | None:
    """What was found of a state is not what was attested of it last: something wrote it that nobody told of."""
    whole = _whole(row, look)
    return _unaccounted_for(whole, look) if whole is not None else None


def _unaccounted_for(row: State, look: Look) -> Breach | None:
    return _first(_unaccounted(row, seen, look) for seen in _found(row, look))


def _unaccounted(row: State, last: Seen, look: Look) -> Breach | None:
    attested = _attested(row, last, look)
    if attested is None or attested.digest == last.digest or is_history(look, last.said):
        return None
    words = f"{_called(row)} was {last.digest} at {last.said.at}, and {attested.digest} by what was {_words(attested)}"
    return Breach(words, positions_of(attested.said.position, last.said.position))


@finding(states, severity="high", version=4)
def serial_went_back(row: State, look: Look) -> Breach | None:
    """A state was found that was written less often than before, or as often and otherwise: an older one took its place."""
    whole = _whole(row, look)
    return _went_back(whole, look) if whole is not None else None


def _went_back(row: State, look: Look) -> Breach | None:
    return _first(_written_back(row, seen, look) for seen in _found(row, look))


def _first(found: Iterable[Breach | None]) -> Breach | None:
    return next((breach for breach in found if breach is not None), None)


def _written_back(row: State, last: Seen, look: Look) -> Breach | None:
    if last.serial is None or is_history(look, last.said):
        return None
    before = _before(row, last, look)
    if before is None or before.serial is None or before.serial < last.serial:
        return None
    if (before.serial, before.digest) == (last.serial, last.digest):
        return None
    words = f"{_called(row)} was written {number_of(last.serial, 'time')} at {last.said.at}, and {before.serial} at {before.said.at}"
    return Breach(words, positions_of(before.said.position, last.said.position))


def _found(row: State, look: Look) -> list[Seen]:
    """Return what stands of what a state was found to be, by those who may say so, the last first: that it is as it should be acquits."""
    return standing(look, StateObserved.type, row.observed, row.environment)[::-1]


def _fault(one: Seen, event_type: str, row: State, look: Look) -> str:
    return fault_of_speaker(look, event_type, one.said, row.environment)


def _baseline(row: State, look: Look) -> Seen | None:
    """Return the last baseline that whoever may published."""
    return next((one for one in reversed(row.attested) if one.kind == "baseline" and _counts(one, row, look)), None)


def _counts(one: Seen, row: State, look: Look) -> bool:
    return not _fault(one, BaselinePublished.type, row, look)


def _attested(row: State, last: Seen, look: Look) -> Seen | None:
    """Return what was attested last of a state when it was looked at; or by a baseline, whenever that was."""
    clocks = clocks_of(look, last.said.at)
    instants = instants_of(look, last.said)
    baseline = _baseline(row, look)
    applied = [
        one
        for one in row.attested
        if one.kind == "applied"
        and all(was_there(one.said, instant, clocks) for instant in instants)
        and not _fault(one, PlanApplied.type, row, look)
    ]
    newest = applied[-1] if applied else None
    if baseline is None or (newest is not None and newest.said.at > baseline.said.at):
        return newest
    return baseline


def _before(row: State, last: Seen, look: Look) -> Seen | None:
    """Return what was written most often before a state was looked at; since the last baseline, where there is one."""
    baseline = _baseline(row, look)
    since = baseline.said.at if baseline is not None else ""
    known = (
        *(one for one in row.observed if one != last),
        *row.attested,
        *((row.highest,) if row.highest is not None else ()),
    )
    # A baseline that comes after what was found says that this was right.
    found = [
        one
        for one in known
        if one.serial is not None
        and since <= one.said.at <= last.said.at
        and (one.kind != "baseline" or one == baseline)
        and (one.lineage is None or last.lineage is None or one.lineage == last.lineage)
    ]
    # Of two that were written as often, what somebody attested is the one.
    return max(found, key=lambda one: (one.serial or 0, one.kind != "observed", one.said.position), default=None)


def _called(row: State) -> str:
    return f"the state of {row.environment}, workspace {row.workspace},"


def _words(attested: Seen) -> str:
    how = "applied" if attested.kind == "applied" else "published as a baseline"
    return f"{how} at {attested.said.at}"


# -- the gate ------------------------------------------------------------------------------------------------------------


@gate_rule(
    version=4,
    remedies={
        "not-observed": Remedy("the state is looked at (state.observed)", may(StateObserved)),
        "stale": Remedy("the state is looked at again (state.observed)", may(StateObserved)),
        "not-attested": Remedy("somebody publishes a baseline (baseline.published)", may(BaselinePublished)),
        "unaccounted": Remedy(
            "the state is as it was attested; or somebody publishes it as a baseline (baseline.published)",
            may(BaselinePublished),
        ),
        "went-back": Remedy(
            "the newer state is put back; or somebody publishes this one as a baseline (baseline.published)",
            may(BaselinePublished),
        ),
    },
)
def state_is_accounted(question: Question, look: Look, policy: InForce) -> Said:
    """The state that a plan would be applied to was looked at lately, and is what was attested of it; where that is asked for."""
    if question.plan is None or question.environment is None:
        return "insufficient_evidence", "not-said", "expected a plan and an environment in the question", ()
    names = names_for(look, policy, question.environment, question.asked_at)
    if "required" not in policy.words(STATE_ACCOUNT, *names):
        return "allow", "not-asked-for", "the policy asks nothing of the state", ()
    plan = look.row(plans, question.plan)
    row = state_of(look, question.environment, plan.workspace if plan is not None else None)
    found = _found(row, look) if row is not None else []
    if row is None or not found:
        return "insufficient_evidence", "not-observed", "nobody told what the state is", ()
    last, used = found[0], [seen.said.position for seen in found]
    minutes = policy.number(STATE_OBSERVED_MINUTES, *names)
    if minutes and later(last.said.at, minutes=minutes) < question.asked_at:
        return "insufficient_evidence", "stale", f"the state was looked at last at {last.said.at}", used
    attested = _attested(row, last, look)
    if attested is None:
        return "insufficient_evidence", "not-attested", "nobody told what the state is to be", used
    used.append(attested.said.position)
    if (breach := _unaccounted_for(row, look)) is not None:
        return "deny", "unaccounted", breach.says, [*used, *breach.positions]
    if (breach := _went_back(row, look)) is not None:
        return "deny", "went-back", breach.says, [*used, *breach.positions]
    return "allow", "accounted", f"the state is what was {_words(attested)}", used

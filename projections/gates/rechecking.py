"""Rechecks: a recorded decision, and the same question asked of the same rules again, from the entries alone.

By name and version: a rule that is gone is not checkable here, a new one makes no answer of before wrong. Not the asking itself, which
is `projections.gates.asking`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ledger.errors import NotFoundError
from ledger.events.gate import GateDecided, RuleResult
from ledger.ledger import Ledger
from projections.engine.asking import Asking
from projections.engine.log import SqlLog
from projections.engine.rows_then import RowsThen
from projections.engine.serving import Stored
from projections.engine.skips import Skips
from projections.engine.sql_store import SqlStore
from projections.engine.view import View, moment
from projections.gates.asking import ASKED, MAX_NAMED, MAX_USED, OWN, Decision, answer, positions_of
from projections.gates.composition import GATES
from projections.judging.gate_rule import RULES, Answer, Question


@dataclass(frozen=True, slots=True)
class Recheck:
    """A recorded decision, and the same question asked again of the same rules, from the entries up to where it had read.

    `gone` are rules, each with its version, that this program has no more: what they said is not checkable here. `new` are rules that
    the gate asks by now, and did not then. Neither makes an answer of before wrong.
    """

    position: int
    recorded: GateDecided
    again: Decision | None
    gone: tuple[tuple[str, int], ...]
    new: tuple[str, ...]

    @property
    def agrees(self) -> bool:
        """Say whether every rule that can be asked again answers the same, on the same entries."""
        if self.again is None:
            return True
        recorded = {_version_of(r): (r.verdict, r.reason, positions_of(r, self.recorded)) for r in self.recorded.rules}
        again = {(a.rule, a.version): (a.verdict, a.reason, _kept(a, self.recorded)) for a in self.again.answers}
        return (
            all(recorded[rule] == said for rule, said in again.items())
            and (bool(self.gone) or self.recorded.verdict == self.again.verdict)
            and self.recorded.policy_version == self.again.policy.version
        )


def _kept(found: Answer, recorded: GateDecided) -> tuple[int, ...]:
    """Return the entries of an answer that a decision with as much room as the recorded one would name."""
    if recorded.gate_version is None:
        return found.positions
    has_room = len(recorded.positions) < MAX_NAMED
    return tuple(p for p in found.positions[-MAX_USED:] if has_room or p in recorded.positions)


def _version_of(said: RuleResult) -> tuple[str, int]:
    return said.rule, said.version or 1


def recheck(ledger: Ledger, views: Sequence[View[Any]], position: int) -> Recheck:
    """Ask what was asked then again, from the entries alone. Raises NotFoundError where no gate decided."""
    store = SqlStore(ledger.database, views)
    with ledger.database.read() as connection:
        log = SqlLog(connection)
        entry = log.entry(position)
        if not isinstance(entry.event, GateDecided):
            raise NotFoundError(f"the entry at position {position} is {entry.type}; expected {GateDecided.type}")
        event = entry.event
        asked = {name: value for name in ASKED if (value := getattr(event, name)) is not None}
        question = Question(**(asked | {"asked_at": moment(event.asked_at)}))
        then = [_version_of(said) for said in event.rules]
        rules = [RULES[named] for named in then if named in RULES]
        gate = GATES.get(question.gate)
        again = None
        if rules and gate is not None:
            skips = Skips(log)
            past = RowsThen(log, Stored(connection, store), up_to=event.read_at, skips=skips)
            again = answer(
                question, Asking(past.at(event.read_at), question.asked_at, skips, but=OWN), event.read_at, rules
            )
    new = tuple(rule.name for rule in (gate.rules if gate else ()) if (rule.name, rule.version) not in then)
    return Recheck(position, event, again, tuple(named for named in then if named not in RULES), new)

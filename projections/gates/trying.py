"""What another policy would have said: decisions of gates are asked again, as of then, under a version that is not in force.

The entries are read once: one past answers all questions, each at the position that its decision had read at, and keeps what it folded
for the next. Nothing is recorded.

    418  gate.decided  deploy, CHG-7: allow     under the other policy: needs_approval, two approvals are asked for   differs
    431  gate.decided  deploy, CHG-9: deny      deny, for a freeze holds                                              does not

Which settings a rule asked for is recorded with its answer. A rule none of whose settings is another one answers as it did, and is not
asked: where no rule is left, a decision costs its reading. All rules are asked where nobody noted that, where the gate asks others by now,
and where views step over entries.

    418 rests on quorum, risk, …    the other policy differs in rollback-triggers: one of its rules asked for that, and is asked again

What a hundred decisions are about is read together: ten thousand need some hundreds of statements more than one does, and not ten each.

Not what would have been *found*: findings are kept as they were judged, and the gate `close` reads them so. And nobody acts otherwise here:
a change of which more approvals had been asked would have got them, perhaps.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar

from ledger.authority import LEDGER_PRINCIPAL
from ledger.conditions import Match
from ledger.events import Event, kind_and_value
from ledger.events.gate import GateDecided
from ledger.log.database import Database
from projections.engine.asking import Asking, states_of
from projections.engine.log import Ahead, SqlLog
from projections.engine.reads import Rows
from projections.engine.rows_then import RowsThen
from projections.engine.serving import Stored
from projections.engine.skips import Skips
from projections.engine.sql_store import SqlStore
from projections.engine.view import EntryInfo, Limit, Moment, View, moment
from projections.gates.asking import ASKED, OWN, Decision, answer
from projections.gates.composition import GATES
from projections.judging.gate_rule import Question, Rule, strictest
from projections.readings.people.policies import (
    OF_NONE,
    WHOLE,
    InForce,
    Policy,
    PolicyApproval,
    PolicyVersion,
    policies,
)
from projections.readings.people.voices import Spoken

R = TypeVar("R")
# So many decisions are asked again, the last ones.
MAX_TRIED: Final = 10_000
# For so many decisions together the entries and rows are read of what they alone are about.
AT_ONCE: Final = 100
OWN_KINDS: Final = ("change", "deployment")
# How many that differ are told.
MAX_TOLD: Final = 500


@dataclass(frozen=True, slots=True)
class Differs:
    """A decision that would have been another one."""

    position: int
    recorded: GateDecided
    again: Decision


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of trying: how many decisions were asked again, and which differ. `is_all` says that none was left off."""

    asked: int
    differs: tuple[Differs, ...]
    first_position: int | None
    is_all: bool


class Instead:
    """Rows in which a policy says something else, as if that had been in force always."""

    def __init__(self, rows: Rows, policy: Policy) -> None:
        self._rows = rows
        self._policy: Any = policy

    def row(self, view: View[R], key: str) -> R | None:
        if view is policies and key == self._policy.policy_id:
            tried: R = self._policy
            return tried
        return self._rows.row(view, key)

    def named(self, view: View[R], event: type[Event], about: str | None = None, limit: Limit = None) -> list[R]:
        return self._rows.named(view, event, about, limit)

    def where(self, view: View[R], column: str, value: str) -> list[R]:
        return self._rows.where(view, column, value)

    def entry(self, position: int) -> EntryInfo:
        return self._rows.entry(position)


def put_into_force(text: InForce) -> Policy:
    """Return a policy whose only version was written and approved before everything else, by the ledger's own key."""
    author, approver = (
        Spoken(f"service:{who}", LEDGER_PRINCIPAL, "key:tried", "", "", "", 0) for who in ("author", "approver")
    )
    version = PolicyVersion(
        text.version or "",
        "",
        text.settings,
        author.speaker,
        0,
        author,
        approvals=(PolicyApproval(approver.speaker, "", 0, approver),),
    )
    return Policy(text.policy_id, version.version, (version,), (version,))


def try_policy(database: Database, views: Sequence[View[Any]], text: InForce, since: Moment) -> Tried:
    """Ask every decision that was recorded since a time again, under another policy.

    One differs where the rules of today answer otherwise under that policy than was recorded, and than they do under the policy of
    then: what only the rules changed is not told. Raises ViewNotReadyError.
    """
    with database.read() as connection:
        position = min(state.position for state in states_of(connection, views))
        log = SqlLog(connection)
        found = list(_decided(log, position, since))
        tried = found[:MAX_TRIED]
        asking = _Again(log, Stored(connection, SqlStore(database, views)), position, put_into_force(text))
        # In the order of the log: what was folded for one is gone on with for the next.
        in_order: list[EntryInfo] = tried[::-1]
        differs: list[Differs] = []
        for first in range(0, len(in_order), AT_ONCE):
            some = asking.to_ask(in_order[first : first + AT_ONCE])
            asking.read_ahead(views, [entry for entry, _, _ in some])
            differs += [found_so for one in some if (found_so := asking.differs(*one)) is not None]
    return Tried(len(tried), tuple(differs), tried[-1].position if tried else None, len(found) == len(tried))


def _decided(log: SqlLog, position: int, since: Moment) -> Iterator[EntryInfo]:
    """Yield the decisions since a time, the last first; one more than are asked again, where there are as many."""
    for entry in log.latest(Match((GateDecided.type,)), up_to=position, limit=MAX_TRIED + 1):
        if entry.recorded_at < since:
            return
        yield entry


class _Again:
    """Asks recorded questions again, one after the other, of one past."""

    def __init__(self, log: SqlLog, live: Stored, position: int, policy: Policy) -> None:
        self._log = Ahead(log, position)
        self._live = live
        self._skips = Skips(log)
        self._position = position
        self._policy = policy
        self._past = self._begin()
        # By the versions that had been approved.
        self._differing: dict[tuple[int, ...], frozenset[str]] = {}

    def _begin(self) -> RowsThen:
        return RowsThen(self._log, self._live, up_to=self._position, skips=self._skips)

    def read_ahead(self, views: Sequence[View[Any]], decisions: Sequence[EntryInfo]) -> None:
        """Read together what is on record of the changes and deployments that some decisions are about."""
        about = {name for entry in decisions for name in entry.refs if kind_and_value(name)[0] in OWN_KINDS}
        self._log.read(sorted(about))
        keys = sorted(kind_and_value(name)[1] for name in about)
        self._live.read_ahead([view for view in views if view.folds and view.kind in OWN_KINDS], keys)

    def to_ask(self, decisions: Sequence[EntryInfo]) -> list[tuple[EntryInfo, GateDecided, list[Rule]]]:
        """Return the decisions that may be others under the policy, each with those of its rules that may answer otherwise."""
        found = []
        for entry in decisions:
            # Most are not asked again: so they are looked at as they were read, and not made events.
            rules = self._rules(entry.statement["data"])
            if rules and isinstance(entry.event, GateDecided):
                found.append((entry, entry.event, rules))
        return found

    def _rules(self, data: Mapping[str, Any]) -> list[Rule]:
        gate = GATES.get(data["gate"])
        rules = list(gate.rules) if gate is not None else []
        # Where views step over entries, which of them is another answer than was recorded, perhaps.
        is_noted = "settings" in data and not self._skips.are_any
        if not is_noted or [(r["rule"], r.get("version")) for r in data["rules"]] != [
            (r.name, r.version) for r in rules
        ]:
            return rules
        others = self._others(data["read_at"])
        places = {place for place, name in enumerate(data["settings"]) if name in others}
        if not places:
            return []
        asked_for = (said.get("settings", ()) for said in data["rules"])
        return [rule for rule, names in zip(rules, asked_for, strict=True) if not places.isdisjoint(names)]

    def _others(self, read_at: int) -> frozenset[str]:
        """Return the settings that the policy says otherwise than any version of it that may have counted by then."""
        row = self._at(read_at).row(policies, self._policy.policy_id)
        versions = row.approved if row is not None else ()
        told = tuple(version.published_position for version in versions)
        if told not in self._differing:
            here = _said(self._policy.versions[0])
            # Where no version was in force, all that the policy says is otherwise.
            others = {WHOLE, *(f"{OF_NONE}{name}" for name in (WHOLE, *here))}
            for then in map(_said, versions):
                others |= {name for name in here.keys() | then.keys() if here.get(name) != then.get(name)}
            self._differing[told] = frozenset(others)
        return self._differing[told]

    def _at(self, position: int) -> Rows:
        if self._past.is_full():
            self._past = self._begin()
        return self._past.at(position)

    def differs(self, entry: EntryInfo, event: GateDecided, rules: Sequence[Rule]) -> Differs | None:
        asked = {name: value for name in ASKED if (value := getattr(event, name)) is not None}
        question = Question(**(asked | {"asked_at": moment(event.asked_at)}))
        rows = self._at(event.read_at)
        again = self._answer(question, Instead(rows, self._policy), event, rules)
        if again.verdict == event.verdict or again.verdict == self._answer(question, rows, event, rules).verdict:
            return None
        return Differs(entry.position, event, again)

    def _answer(self, question: Question, rows: Rows, event: GateDecided, rules: Sequence[Rule]) -> Decision:
        """Return the answer to a question of which some rules are asked again, and the others answer as recorded."""
        found = answer(question, Asking(rows, question.asked_at, self._skips, but=OWN), event.read_at, rules)
        asked = {rule.name for rule in rules}
        others = [said.verdict for said in event.rules if said.rule not in asked]
        # Where all are asked, what was recorded of rules that are gone says nothing.
        if len(asked) == len(GATES[event.gate].rules):
            others = []
        return replace(found, verdict=strictest((found.verdict, *others)))


def _said(version: PolicyVersion) -> dict[str, tuple[tuple[str, str], ...]]:
    """Return what a version says by setting: for whom, and what, in order."""
    said: dict[str, tuple[tuple[str, str], ...]] = {}
    for setting in version.settings:
        said[setting.name] = (*said.get(setting.name, ()), (setting.applies_to, setting.value))
    return said

"""What a version of a policy would be, before anybody publishes it: what is wrong with it, and in what it differs from what is in force.

Nothing is recorded here: publishing and approving are people's acts, posted as all statements are.
"""

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from ledger.clock import to_text
from ledger.events.identifiers import Label, NamePattern, PolicyId, Time, Version
from ledger.ledger import Ledger
from ledger.log.database import Database
from projections import VIEWS
from projections.engine.asking import asking_now, await_position
from projections.engine.serving import ViewNotReadyError
from projections.engine.view import Moment, moment, seconds_between
from projections.gates.asking import GateBusyError
from projections.gates.trying import MAX_TOLD, Differs, try_policy
from projections.judging.satisfiable import unsatisfied_because
from projections.readings.people.policies import POLICY, InForce, Setting, in_force, policy_digest, turns
from projections.readings.people.powers import READ_BY_POWERS
from projections.readings.people.settings import SETTINGS, Declared, faults_of
from projections.readings.people.speaking import clocks_of

# How long views are waited for.
WAIT_S: Final = 10.0
# Who tries a policy keeps a thread, and the interpreter, for as long as it takes.
_turn: Final = threading.BoundedSemaphore(1)


class SettingText(BaseModel):
    """One setting of a version, as it would be published."""

    model_config = ConfigDict(extra="forbid")

    name: Label
    applies_to: NamePattern
    value: NamePattern


class PolicyText(BaseModel):
    """A version of a policy, as it would be published."""

    model_config = ConfigDict(extra="forbid")

    policy_id: PolicyId = POLICY
    version: Version
    settings: list[SettingText] = Field(min_length=1, max_length=200)
    effective_from: Time | None = None

    @property
    def in_force(self) -> InForce:
        """What would hold, were it in force."""
        told = tuple(Setting(s.name, s.applies_to, s.value) for s in self.settings)
        return InForce(self.policy_id, self.version, None, told)

    @property
    def digest(self) -> str:
        return policy_digest(self.in_force.settings, moment(self.effective_from) if self.effective_from else None)


class PolicyTrial(PolicyText):
    """A version of a policy, to be tried on what gates decided since a time."""

    since: Time


def works_alone(database: Database, now_us: int) -> bool | None:
    """Say whether the policy in force is of one person who works alone: nobody else looks at anything. None while views are being built."""
    now = to_text(now_us)
    try:
        with database.read() as connection:
            look, _ = asking_now(connection, database, READ_BY_POWERS, now)
            return in_force(look, now).is_of_one
    except ViewNotReadyError:
        return None


@dataclass(frozen=True, slots=True)
class InForceThen:
    """What a policy said at a time: since when, what it was before, in what the two differ, and when each version came into effect."""

    now: InForce
    since: Moment | None
    before: InForce | None
    differs: list[dict[str, Any]]
    turns: list[tuple[Moment, InForce]]


def in_force_in(ledger: Ledger, names: Iterable[str], at: Moment | None) -> dict[str, InForceThen]:
    """Return what some policies said at a time, or say now, by their names. Judged of the people as they are known now."""
    when = at or to_text(ledger.clock.now_us())
    with ledger.database.read() as connection:
        look, _ = asking_now(connection, ledger.database, READ_BY_POWERS, when)
        return {name: _then(turns(look, name), name, when) for name in names}


def _then(known: list[tuple[Moment, InForce]], name: str, when: Moment) -> InForceThen:
    since, now = next((turn for turn in known if turn[0] <= when), (None, InForce(name)))
    before = next((said for begun, said in known if since is not None and begun < since), None)
    differs = differences(before, now) if before is not None else []
    return InForceThen(now, since, before, differs, known)


def late_among(ledger: Ledger, rows: Iterable[Mapping[str, Any]]) -> frozenset[int]:
    """Return the positions of what was recorded later than the policy that was in force at its time lets evidence come.

    A row has `position`, `at` and `recorded_at`. Raises ViewNotReadyError.
    """
    after = {row["position"]: (row["at"], seconds_between(row["at"], row["recorded_at"]) or 0) for row in rows}
    if not any(seconds for _, seconds in after.values()):
        return frozenset()
    with ledger.database.read() as connection:
        look, _ = asking_now(connection, ledger.database, READ_BY_POWERS, to_text(ledger.clock.now_us()))
        return frozenset(
            position for position, (at, seconds) in after.items() if seconds and seconds > clocks_of(look, at).lag_s
        )


def read_alone(wanted: PolicyText) -> dict[str, Any]:
    """Say what is wrong with a version by itself, whoever the people are; and its digest."""
    faults = faults_of((s.name, s.applies_to, s.value) for s in wanted.settings)
    return {
        "policy_id": wanted.policy_id,
        "version": wanted.version,
        "policy_digest": wanted.digest,
        "faults": faults,
    }


def checked_in(ledger: Ledger, wanted: PolicyText) -> dict[str, Any]:
    """Say the same, whether the people of a ledger can satisfy it, and in what it differs from the version that is in force there."""
    _await_all(ledger)
    with ledger.database.read() as connection:
        look, position = asking_now(connection, ledger.database, VIEWS, to_text(ledger.clock.now_us()))
        unsatisfied = unsatisfied_because(wanted.in_force, look)
        now = in_force(look, to_text(ledger.clock.now_us()), wanted.policy_id)
    return read_alone(wanted) | {
        "unsatisfied": unsatisfied or None,
        "in_force": now.version,
        "read_at": position,
        "differs": differences(now, wanted.in_force),
    }


def tried_in(ledger: Ledger, wanted: PolicyTrial) -> dict[str, Any]:
    """Say which decisions of gates would have been others under a version. Raises GateBusyError while somebody else tries one."""
    if not _turn.acquire(blocking=False):
        raise GateBusyError("another policy is being tried; ask again when that is done")
    try:
        _await_all(ledger)
        found = try_policy(ledger.database, VIEWS, wanted.in_force, moment(wanted.since))
    finally:
        _turn.release()
    return {
        "policy_id": wanted.policy_id,
        "version": wanted.version,
        "since": wanted.since,
        "asked": found.asked,
        "is_all": found.is_all,
        "differ": len(found.differs),
        "differs": [_differing(differs) for differs in found.differs[-MAX_TOLD:]],
    }


def _await_all(ledger: Ledger) -> None:
    """Return when the views have seen what was recorded by now, such as a version that was published a moment ago."""
    await_position(ledger.database, ledger.watcher, VIEWS, ledger.size(), within_s=WAIT_S)


def _differing(found: Differs) -> dict[str, Any]:
    recorded = {said.rule: said.verdict for said in found.recorded.rules}
    question = found.again.question
    return {
        "position": found.position,
        "gate": question.gate,
        "change_id": question.change_id,
        "service": question.service,
        "environment": question.environment,
        "recorded": found.recorded.verdict,
        "here": found.again.verdict,
        "rules": [
            {"rule": a.rule, "recorded": recorded.get(a.rule), "here": a.verdict, "words": a.words}
            for a in found.again.answers
            if a.verdict != recorded.get(a.rule, "allow")
        ],
    }


def differences(now: InForce, then: InForce) -> list[dict[str, Any]]:
    """Return the settings of which two versions say something else, with what each of them comes to; no version says a default."""
    said = {(s.name, s.applies_to) for version in (now, then) for s in version.settings}
    found = []
    for name, applies_to in sorted(said):
        old, new = (version.said(name, applies_to) for version in (now, then))
        if old != new:
            setting = SETTINGS.get(name)
            found.append(
                {
                    "setting": name,
                    "applies_to": applies_to,
                    "in_force": _told(old, setting),
                    "here": _told(new, setting),
                }
            )
    return found


def _told(values: tuple[str, ...], setting: Declared | None) -> str:
    return ", ".join(values) or f"not said (otherwise: {setting.otherwise if setting is not None else 'nothing'})"

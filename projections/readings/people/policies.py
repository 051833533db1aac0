"""Policies: their versions, who wrote and who approved each, and which is in force.

Longer than other files because nobody reads a policy but by asking it, and whether an approval counts is asked of the versions before.
"""

import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from ledger.events.ledger import LedgerCredentialIssued, LedgerTrustRuleEnrolled
from ledger.events.policy import PolicyApproved, PolicyPublished
from projections.engine.answers import kept
from projections.engine.reads import Look, as_of_time
from projections.engine.view import LATEST, EntryInfo, Moment, Reads, View, moment, replace
from projections.readings.people.credentials import credentials
from projections.readings.people.identities import are_same, identities
from projections.readings.people.settings import ANY, Declared, Number, Words, is_whole
from projections.readings.people.sources import principals_sources
from projections.readings.people.voices import Spoken, has_root_power, spoken, voice_fault
from projections.rules.digests import content_digest

PEOPLE: Final = Words(
    "people",
    "whether several people work here, or one alone, who then puts their own policies into force as long as nobody else is an operator",
    choices=("several", "one"),
    default=("several",),
)
ALONE: Final = "one"


@dataclass(frozen=True)
class Setting:
    """One setting: its name, for whom, and its value."""

    name: str
    applies_to: str
    value: str


def policy_digest(settings: Iterable[Setting], effective_from: Moment | None = None) -> str:
    """Return the digest of what a version says: its settings by name and for whom, values of one in their order, and from when on."""
    told = [
        {"name": setting.name, "applies_to": setting.applies_to, "value": setting.value}
        for setting in sorted(settings, key=lambda setting: (setting.name, setting.applies_to))
    ]
    return content_digest({"settings": told, "effective_from": effective_from})


@dataclass(frozen=True)
class PolicyApproval:
    """One approval of a version. A later one of the same version, or of an earlier one, takes nothing from it."""

    approved_by: str
    at: Moment
    position: int
    said: Spoken


@dataclass(frozen=True)
class PolicyVersion:
    """One version. It counts once somebody else than its author approved the very text that was published, from when that was recorded;
    or its author, where that is one person alone.

    `approved_by`, `approved_at` and `approved_position` are of its last approval that counted when it was given; whether one counts
    now is asked by `in_force`.
    """

    version: str
    policy_digest: str
    settings: tuple[Setting, ...]
    published_by: str
    published_position: int
    said: Spoken
    effective_from: Moment | None = None
    approved_by: str | None = None
    approved_at: Moment | None = None
    approved_position: int | None = None
    approvals: tuple[PolicyApproval, ...] = ()

    def __hash__(self) -> int:
        # One entry published it. To hash all its settings costs more than most that is asked of them.
        return self.published_position

    @property
    def digest(self) -> str:
        """The digest of what it says, whatever was stated."""
        return policy_digest(self.settings, self.effective_from)

    @property
    def is_of_one(self) -> bool:
        """Say whether it says that one person works here alone."""
        return any((setting.name, setting.value) == (PEOPLE.name, ALONE) for setting in self.settings)

    def asks_for(self, name: str, applies_to: str) -> bool:
        return any((setting.name, setting.applies_to) == (name, applies_to) for setting in self.settings)


@dataclass(frozen=True)
class Policy:
    """One policy. `in_force` is the version whose approval counted last when it was given; `effective_from` is judged by whoever asks.

    `approved` are the versions that anybody approved: what a policy says follows from these, so that a draft has nothing judged again.
    """

    policy_id: str
    in_force: str | None = None
    versions: tuple[PolicyVersion, ...] = ()
    approved: tuple[PolicyVersion, ...] = ()


def _touched(before: Policy | None, after: Policy | None) -> tuple[Moment, Moment] | None:
    """An approval that comes or goes makes the policy another one from when it may count on."""
    old, new = (set(_approvals(row)) for row in (before, after))
    return (min(approved.since for approved in old ^ new), LATEST) if old != new else None


@dataclass(frozen=True)
class _Approved:
    """An approval of a version, and from when it counts, if it does."""

    since: Moment
    approval: PolicyApproval
    version: PolicyVersion


def _approvals(row: Policy | None) -> list[_Approved]:
    """Return the approvals of a policy, the one that was recorded last first."""
    found = [
        _Approved(max(approval.said.recorded_at, version.effective_from or ""), approval, version)
        for version in (row.approved if row is not None else ())
        for approval in version.approvals
    ]
    return sorted(found, key=lambda approved: -approved.approval.position)


@kept
def fault_of_approval(reads: Reads, version: PolicyVersion, said: Spoken) -> str:
    """Say why an approval puts a version of a policy not into force, or "".

    No policy says who may change it: only operators do, as at the doors. Its author does not, under whichever login; but where it says
    that one person works here alone, and nobody else was an operator by then.
    """
    for event, statement in ((PolicyPublished, version.said), (PolicyApproved, said)):
        if fault := voice_fault(reads, statement, "operator"):
            return f"S12: {fault}"
        if not has_root_power(reads, event.type, statement):
            return f"without power: {statement.speaker} is no operator"
    if not are_same(reads, version.said.speaker, said.speaker):
        return ""
    if not version.is_of_one:
        return f"{said.speaker} wrote it"
    other = _other_operator(reads, said)
    return f"{said.speaker} wrote it, and does not work alone: {other} is an operator" if other is not None else ""


def _other_operator(reads: Reads, said: Spoken) -> str | None:
    """Return who else was an operator when something was said."""
    for event in (LedgerCredentialIssued, LedgerTrustRuleEnrolled):
        for row in reads.named(credentials, event):
            is_over = row.revoked_position is not None and row.revoked_position < said.position
            if row.position > said.position or is_over or "operator" not in row.roles or row.principal is None:
                continue
            if not are_same(reads, row.principal, said.speaker):
                return row.principal
    return None


def _for_all(reads: Reads, policy_id: str) -> object:
    """What a policy says, and said."""
    return turns(reads, policy_id)


policies = View(
    "policies",
    version=7,
    row=Policy,
    kind="policy",
    reads=(credentials, principals_sources, identities),
    touches=_touched,
    is_carried=False,
    holds_for_all=_for_all,
    doc="Policies and their versions: who wrote each, who approved it, and which one is in force.",
)


@policies.on(PolicyPublished, key=lambda event: event.policy_id)
def published(row: Policy, event: PolicyPublished, entry: EntryInfo) -> Policy:
    version = PolicyVersion(
        event.version,
        event.policy_digest,
        tuple(Setting(setting.name, setting.applies_to, setting.value) for setting in event.settings),
        event.actor,
        entry.position,
        spoken(entry, event.actor),
        moment(event.effective_from) if event.effective_from else None,
    )
    return replace(row, versions=(*row.versions, version))


@policies.on(PolicyApproved, key=lambda event: event.policy_id)
def approved(row: Policy, event: PolicyApproved, entry: EntryInfo) -> Policy:
    """Another text than the one that was published is not put into force, nor one that was published later as if it were the same."""
    named = [known for known in row.versions if known.version == event.version]
    by_content = (known for known in reversed(named) if known.digest == event.policy_digest)
    as_stated = (known for known in named if known.policy_digest == event.policy_digest)
    found = next(itertools.chain(by_content, as_stated), None)
    if found is None:
        return row
    said = spoken(entry, event.actor)
    approval = PolicyApproval(event.actor, entry.time, entry.position, said)
    now = replace(found, approvals=(*found.approvals, approval))
    counts = not fault_of_approval(entry.reads, found, said)
    if counts:
        now = replace(now, approved_by=event.actor, approved_at=entry.time, approved_position=entry.position)
    versions = tuple(now if known is found else known for known in row.versions)
    with_approval = tuple(known for known in versions if known.approvals)
    return replace(row, in_force=event.version if counts else row.in_force, versions=versions, approved=with_approval)


# -- asking a policy ----------------------------------------------------------------------------------------------------

# The policy that gates and views ask, unless another is named.
POLICY: Final = "change-approval"
# What is noted beside settings, none of which has a dot: that somebody asked for more than settings by their names; and before what they
# asked for of a time when no version was in force, and only defaults held.
WHOLE: Final = "whole.policy"
OF_NONE: Final = "none."
# A hundred years of days: whoever writes more means never, and no calendar has a day for it.
MOST: Final = 36_500


def _no_note(name: str) -> None:
    """Nobody wants to know which settings are asked for."""


@dataclass(frozen=True)
class InForce:
    """The settings that hold at a time. Without a version there are none, and only defaults hold.

    Which settings somebody asks for, `note` is told; by which version, and where that was approved, nothing is decided.
    """

    policy_id: str
    version: str | None = None
    approved_position: int | None = None
    settings: tuple[Setting, ...] = ()
    note: Callable[[str], None] = field(default=_no_note, repr=False, compare=False)

    def __hash__(self) -> int:
        return hash((self.policy_id, self.version, self.approved_position))

    @property
    def is_of_one(self) -> bool:
        """Say whether one person works here alone."""
        return ALONE in self.words(PEOPLE)

    @property
    def is_missing(self) -> bool:
        """Say whether no version is in force."""
        if self.version is None:
            self.note(WHOLE)
        return self.version is None

    def words(self, setting: Words, *applies_to: str | None) -> tuple[str, ...]:
        """Return the words of a setting for the first of `applies_to` that has any, else for everybody, else its default."""
        return self._values(setting.name, applies_to) or setting.default

    def number(self, setting: Number, *applies_to: str | None) -> int:
        """Return the number of a setting, found in the same way. A value that is no whole number is as if it were not there."""
        found = [value for value in self._values(setting.name, applies_to) if is_whole(value)]
        return _limited(found[0]) if found else setting.default_for(*applies_to)

    def says(self, setting: Declared, *applies_to: str | None) -> bool:
        """Say whether the policy itself says something of a setting."""
        return bool(self._values(setting.name, applies_to))

    def numbers(self, setting: Number) -> dict[str, int]:
        """Return the numbers of a setting, by what they apply to."""
        self.note(setting.name)
        whom = dict.fromkeys(s.applies_to for s in self.settings if s.name == setting.name and is_whole(s.value))
        return {applies_to: self.number(setting, applies_to) for applies_to in whom}

    def names(self, setting: Declared) -> bool:
        """Say whether the policy itself says something of a setting, for whomever."""
        self.note(setting.name)
        return any(said.name == setting.name for said in self.settings)

    def said(self, name: str, applies_to: str) -> tuple[str, ...]:
        """Return what the policy itself says under a name, of this very thing."""
        self.note(name)
        return self._by_name.get((name, applies_to), ())

    @cached_property
    def _by_name(self) -> dict[tuple[str, str], tuple[str, ...]]:
        found: dict[tuple[str, str], tuple[str, ...]] = {}
        for setting in self.settings:
            asked = setting.name, setting.applies_to
            found[asked] = (*found.get(asked, ()), setting.value)
        return found

    def _values(self, name: str, applies_to: tuple[str | None, ...]) -> tuple[str, ...]:
        for wanted in (*applies_to, ANY):
            if wanted is not None and (found := self.said(name, wanted)):
                return found
        return ()


def _limited(value: str) -> int:
    return min(int(value), MOST)


@kept
def in_force(reads: Reads, at: Moment, policy_id: str = POLICY) -> InForce:
    """Return what a policy says at a time: its version whose approval was recorded last, of those that had come into effect."""
    row = as_of_time(reads, at).row(policies, policy_id)
    return _last(reads, policy_id, row, lambda since: since <= at)


def in_force_now(look: Look, policy_id: str = POLICY) -> InForce:
    """Return what a policy says now; a version that comes into effect later wakes whoever asks."""
    return _last(look, policy_id, look.row(policies, policy_id), look.has_come)


def turns(reads: Reads, policy_id: str = POLICY) -> list[tuple[Moment, InForce]]:
    """Return every version that came into effect, or is to, with when: the one whose approval was recorded last first."""
    row = reads.row(policies, policy_id)
    return [
        (approved.since, _said(reads, policy_id, approved.version, approved.approval.position))
        for approved in _approvals(row)
        if not fault_of_approval(reads, approved.version, approved.approval.said)
    ]


def _last(reads: Reads, policy_id: str, row: Policy | None, holds: Callable[[Moment], bool]) -> InForce:
    for approved in [known for known in _approvals(row) if holds(known.since)]:
        if not fault_of_approval(reads, approved.version, approved.approval.said):
            return _said(reads, policy_id, approved.version, approved.approval.position)
    note = _noting(reads)
    return InForce(policy_id, note=lambda name: note(f"{OF_NONE}{name}"))


def _noting(reads: Reads) -> Callable[[str], None]:
    found: Callable[[str], None] = getattr(reads, "note_setting", _no_note)
    return found


@kept
def _said(reads: Reads, policy_id: str, version: PolicyVersion, approved_position: int) -> InForce:
    """Return what a version says: one and the same, which knows its settings by name."""
    return InForce(policy_id, version.version, approved_position, version.settings, _noting(reads))

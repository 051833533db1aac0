"""Policies: their versions, who wrote and who approved each, and which is in force."""

from dataclasses import dataclass, replace

from ledger.events.policy import PolicyApproved, PolicyPublished
from projections.engine.view import EntryInfo, Moment, View, moment
from projections.identities import are_same, identities


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: its name, for whom, and its value."""

    name: str
    applies_to: str
    value: str


@dataclass(frozen=True, slots=True)
class PolicyVersion:
    """One version. It counts once somebody else than its author approved the very text that was published."""

    version: str
    policy_digest: str
    settings: tuple[Setting, ...]
    published_by: str
    published_position: int
    effective_from: Moment | None = None
    approved_by: str | None = None
    approved_at: Moment | None = None
    approved_position: int | None = None


@dataclass(frozen=True, slots=True)
class Policy:
    """One policy. `in_force` is the version that was approved last; `effective_from` is judged by whoever asks."""

    policy_id: str
    in_force: str | None = None
    versions: tuple[PolicyVersion, ...] = ()


policies = View(
    "policies",
    version=1,
    row=Policy,
    kind="policy",
    reads=(identities,),
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
        moment(event.effective_from) if event.effective_from else None,
    )
    return replace(row, versions=(*row.versions, version))


@policies.on(PolicyApproved, key=lambda event: event.policy_id)
def approved(row: Policy, event: PolicyApproved, entry: EntryInfo) -> Policy:
    """One's own version is not put into force, under whichever login, and neither is another text than the one that was published."""
    found = next(
        (
            known
            for known in reversed(row.versions)
            if (known.version, known.policy_digest) == (event.version, event.policy_digest)
        ),
        None,
    )
    if found is None or are_same(entry.reads, found.published_by, event.actor):
        return row
    now = replace(found, approved_by=event.actor, approved_at=entry.time, approved_position=entry.position)
    versions = tuple(now if known is found else known for known in row.versions)
    return replace(row, in_force=event.version, versions=versions)

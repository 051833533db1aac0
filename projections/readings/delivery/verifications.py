"""Verifications: what was looked at after each deployment, and what that came to. Every word of it is read.

Not what a deployment's row shows as its last verdict: that is the sender's word. Here it is held against the checks.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from ledger.events.deployment import Check, DeploymentVerified, Health
from projections.engine.view import EntryInfo, View, replace
from projections.readings.people.powers import READ_BY_POWERS, fault_of_speaker
from projections.readings.people.speaking import clocks_of
from projections.readings.people.voices import Spoken, by_whom, spoken
from projections.rules.keeping import kept
from projections.rules.leave import replaces
from projections.rules.words import listed

# So many checks are told by their names.
TOLD: Final = 16
# Of so many who verify one deployment, the last word of each is kept.
KEPT: Final = 8


@dataclass(frozen=True)
class Verification:
    """One verification. `failed` and `unseen` are the checks that did not pass, and those that looked at nothing."""

    said: Spoken
    verdict: Health
    artifact: str | None = None
    failed: tuple[str, ...] = ()
    unseen: tuple[str, ...] = ()

    @property
    def contradiction(self) -> str:
        """Say how a healthy verdict contradicts its own checks, or ""."""
        if self.verdict != "healthy":
            return ""
        words = [f"{listed(self.failed)} did not pass"] if self.failed else []
        words += [f"{listed(self.unseen)} observed nothing"] if self.unseen else []
        return " and ".join(words)


@dataclass(frozen=True)
class Verified:
    """The last verification of a deployment, by its time, the last of each who told of one, and every one that contradicts itself."""

    deployment_id: str
    last: Verification | None = None
    of_each: tuple[Verification, ...] = ()
    contradictions: tuple[Verification, ...] = ()


verifications = View(
    "verifications",
    version=3,
    row=Verified,
    kind="deployment",
    reads=READ_BY_POWERS,
    doc="Verifications: the last verdict on each deployment by its time, of which artifact, and verdicts that contradict their checks.",
)


@verifications.on(DeploymentVerified, key=lambda event: event.deployment_id)
def verified(row: Verified, event: DeploymentVerified, entry: EntryInfo) -> Verified:
    said = spoken(entry, event.actor)
    if fault_of_speaker(entry.reads, entry.type, said, event.environment):
        return row
    told = Verification(
        said,
        event.verdict,
        event.artifact,
        _names(check for check in event.checks if not check.passed),
        _names(check for check in event.checks if check.passed and not check.observations),
    )
    if told.contradiction:
        row = replace(row, contradictions=(*row.contradictions, told))
    clocks = clocks_of(entry.reads, entry.recorded_at)
    if row.last is None or replaces(told.said, row.last.said, clocks):
        row = replace(row, last=told)
    own = next((one for one in row.of_each if one.said.principal == said.principal), None)
    if own is None or replaces(said, own.said, clocks):
        others = [one for one in row.of_each if one is not own]
        row = replace(row, of_each=kept((*others, told), told, by_whom, KEPT))
    return row


def _names(checks: Iterable[Check]) -> tuple[str, ...]:
    return tuple(check.name for check in checks)[:TOLD]

"""Policies: the thresholds and requirements that gates apply, as versions that somebody wrote and somebody else approved."""

from collections.abc import Mapping
from typing import Any

from ledger.events.base import Event
from ledger.events.identifiers import Digest, Identity, Label, NamePattern, Part, PolicyId, Time, Version, many


class Setting(Part):
    """One setting of a policy: its name, its value, and for whom: a band, a change type, a name, a pattern of names; `any` for all."""

    name: Label
    applies_to: NamePattern
    value: NamePattern


class PolicyPublished(Event):
    """A version of a policy was written down in full."""

    type = "policy.published"
    says = "{actor} published policy {policy_id} {version}"
    refs = ("policy_id",)
    actor: Identity
    policy_id: PolicyId
    version: Version
    policy_digest: Digest
    settings: tuple[Setting, ...] = many(at_least=1, at_most=200)
    effective_from: Time | None = None


def says_alone(data: Mapping[str, Any]) -> bool:
    """Say whether a version that was published says that one person works here alone, as audits and verdicts tell everybody."""
    return any((setting["name"], setting["value"]) == ("people", "one") for setting in data["settings"])


class PolicyApproved(Event):
    """Somebody else than its author put a policy version into force."""

    type = "policy.approved"
    says = "{actor} approved policy {policy_id} {version}"
    refs = ("policy_id",)
    actor: Identity
    policy_id: PolicyId
    version: Version
    policy_digest: Digest

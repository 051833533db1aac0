"""THE CATALOGUE: one module per area, one small class per event type.

To add an event type, write its class in its area's module. API, storage, audit and reference page follow.
"""

from ledger.events import (
    access,
    access_review,
    advisory,
    approval,
    backup,
    change,
    code,
    code_review,
    dependency,
    deployment,
    environment,
    finding,
    freeze,
    gate,
    identity,
    incident,
    intake,
    ledger,
    pir,
    policy,
    restore,
    risk,
    rollback,
    scan,
    service,
    source,
    statement,
    template,
    test,
)
from ledger.events.base import CATALOGUE, Event, example, has_refs, kind_and_value, ref, refs_of, sentence

# Only the ledger itself appends facts of these areas.
RESERVED_AREAS = frozenset({"ledger", "gate", "intake"})
# Facts of these areas decide who may do what: they need the role `operator`.
OPERATOR_AREAS = frozenset({"identity", "policy"})

__all__ = [
    "CATALOGUE",
    "OPERATOR_AREAS",
    "RESERVED_AREAS",
    "Event",
    "access",
    "access_review",
    "advisory",
    "approval",
    "backup",
    "change",
    "code",
    "code_review",
    "dependency",
    "deployment",
    "environment",
    "example",
    "finding",
    "freeze",
    "gate",
    "has_refs",
    "identity",
    "incident",
    "intake",
    "kind_and_value",
    "ledger",
    "pir",
    "policy",
    "ref",
    "refs_of",
    "restore",
    "risk",
    "rollback",
    "scan",
    "sentence",
    "service",
    "source",
    "statement",
    "template",
    "test",
]  # fmt: skip

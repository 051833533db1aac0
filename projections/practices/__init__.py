"""The practices that are served, one a file, in the order of the curriculum. Importing them declares their findings."""

from types import ModuleType
from typing import Final

from projections.practices.change import advice, approvals, impact, reviews, risk, traceability
from projections.practices.environments import readiness, reservations, stateful, tags, teardown, tiers
from projections.practices.improvement import access_reviews, delivery, trail
from projections.practices.infrastructure import drift, ownership, peer_review, registry, scanning, versioning
from projections.practices.monitoring import attribution, health
from projections.practices.pipeline import baselines, code_scans, isolation, parallel_tests, permissions, plan_gates
from projections.practices.recovery import decisions, incidents
from projections.practices.release import board, freezes, objectives, scope, strategies, triggers

# One line each: a practice is here, or it is not served.
PRACTICES: Final[tuple[ModuleType, ...]] = (
    strategies,
    scope,
    freezes,
    board,
    triggers,
    plan_gates,
    parallel_tests,
    objectives,
    permissions,
    code_scans,
    baselines,
    isolation,
    peer_review,
    registry,
    drift,
    versioning,
    ownership,
    scanning,
    teardown,
    tiers,
    reservations,
    stateful,
    tags,
    readiness,
    traceability,
    risk,
    impact,
    approvals,
    reviews,
    advice,
    health,
    attribution,
    incidents,
    decisions,
    trail,
    access_reviews,
    delivery,
)

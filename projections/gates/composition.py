"""Which rules each gate asks, in which order, under which version of the gate.

A decision names the version, and each rule with its own; a recheck asks those rules again, whatever the gate asks by then. Who adds
a rule, or takes one away, raises the gate's version.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from projections.judging.gate_rule import Rule
from projections.practices.change.approvals import (
    approval_would_count,
    approvals_are_not_owed,
    change_is_approved,
    change_waits_for_approval,
    policy_is_in_force,
)
from projections.practices.change.impact import impact_is_covered
from projections.practices.change.reviews import change_waits_for_its_end, review_is_done
from projections.practices.change.risk import risk_comes_out_again
from projections.practices.change.traceability import (
    change_may_start,
    deployed_is_approved,
    promoted_is_approved,
    window_is_open,
)
from projections.practices.environments.readiness import environment_is_ready
from projections.practices.environments.stateful import state_is_backed_up
from projections.practices.environments.tags import tags_are_planned
from projections.practices.environments.tiers import data_may_be_loaded
from projections.practices.improvement.trail import findings_are_answered
from projections.practices.infrastructure.ownership import template_is_owned
from projections.practices.infrastructure.peer_review import change_is_technically_reviewed, code_is_reviewed
from projections.practices.infrastructure.registry import modules_are_approved
from projections.practices.infrastructure.scanning import secrets_are_rotated
from projections.practices.infrastructure.versioning import provider_upgrades_are_tried
from projections.practices.monitoring.health import deployment_held, deployment_is_healthy
from projections.practices.pipeline.baselines import state_is_accounted
from projections.practices.pipeline.code_scans import scans_are_clean
from projections.practices.pipeline.isolation import artifact_is_verified, builder_is_allowed
from projections.practices.pipeline.parallel_tests import tests_are_whole
from projections.practices.pipeline.permissions import deployer_is_allowed
from projections.practices.pipeline.plan_gates import (
    plan_is_approved,
    plan_is_validated,
    plan_may_be_applied,
    question_is_of_one_thing,
)
from projections.practices.recovery.decisions import (
    deployment_can_be_undone,
    rollback_is_decided,
    target_was_deployed_before,
)
from projections.practices.recovery.incidents import incidents_are_over
from projections.practices.release.board import board_has_decided
from projections.practices.release.freezes import no_freeze_holds
from projections.practices.release.objectives import error_budget_is_left
from projections.practices.release.scope import release_is_in_order
from projections.practices.release.strategies import strategy_is_allowed
from projections.practices.release.triggers import rollback_is_prepared


@dataclass(frozen=True, slots=True)
class Gate:
    """One gate: its version, and the rules it asks."""

    version: int
    rules: tuple[Rule, ...]


GATES: Final[Mapping[str, Gate]] = {
    "approve": Gate(3, (policy_is_in_force, change_waits_for_approval, approval_would_count, risk_comes_out_again)),
    "deploy": Gate(
        23,
        (
            policy_is_in_force,
            question_is_of_one_thing,
            change_may_start,
            change_is_approved,
            risk_comes_out_again,
            change_is_technically_reviewed,
            deployed_is_approved,
            code_is_reviewed,
            window_is_open,
            impact_is_covered,
            no_freeze_holds,
            rollback_is_prepared,
            deployer_is_allowed,
            state_is_backed_up,
            tests_are_whole,
            scans_are_clean,
            builder_is_allowed,
            artifact_is_verified,
            secrets_are_rotated,
            modules_are_approved,
            board_has_decided,
            release_is_in_order,
            error_budget_is_left,
            strategy_is_allowed,
            template_is_owned,
            environment_is_ready,
        ),
    ),
    "promote": Gate(
        5,
        (
            policy_is_in_force,
            question_is_of_one_thing,
            deployment_held,
            deployment_is_healthy,
            promoted_is_approved,
            no_freeze_holds,
        ),
    ),
    "apply": Gate(
        12,
        (
            policy_is_in_force,
            question_is_of_one_thing,
            plan_may_be_applied,
            plan_is_validated,
            plan_is_approved,
            state_is_accounted,
            modules_are_approved,
            provider_upgrades_are_tried,
            tags_are_planned,
            no_freeze_holds,
        ),
    ),
    "rollback": Gate(
        5,
        (
            policy_is_in_force,
            question_is_of_one_thing,
            deployment_can_be_undone,
            rollback_is_decided,
            target_was_deployed_before,
        ),
    ),
    "load_data": Gate(3, (policy_is_in_force, data_may_be_loaded)),
    "close": Gate(
        5,
        (
            policy_is_in_force,
            change_waits_for_its_end,
            review_is_done,
            incidents_are_over,
            approvals_are_not_owed,
            findings_are_answered,
        ),
    ),
}

"""What there is to know, a noun a file: row model, view and folds. A reading judges nothing.

A new reading is one line here; which views are folded before it follows from what it reads.
"""

from typing import Any, Final

from projections.engine.view import View, in_order
from projections.readings.assurance.conflicts import conflicts
from projections.readings.assurance.dispositions import dispositions
from projections.readings.assurance.sequences import sequences
from projections.readings.changes.advice import advice, advisers, advisories
from projections.readings.changes.board import board_facts, board_meetings, compliance_windows
from projections.readings.changes.board_matters import board_matters
from projections.readings.changes.branch_protections import branch_protections
from projections.readings.changes.code import code_changes
from projections.readings.changes.code_owners import code_owners, owned_paths
from projections.readings.changes.commits import commits
from projections.readings.changes.dependencies import resources
from projections.readings.changes.facts import change_facts
from projections.readings.changes.impacts import impacts
from projections.readings.changes.reviews import reviews
from projections.readings.changes.scopes import change_scopes
from projections.readings.changes.template_owners import template_owners
from projections.readings.changes.templates import templates
from projections.readings.changes.tickets import change_tickets
from projections.readings.changes.timeline import change_timeline
from projections.readings.changes.wordings import wordings
from projections.readings.delivery.attributions import attribution_methods, attributions
from projections.readings.delivery.budgets import error_budgets, slo_days, slos
from projections.readings.delivery.commit_runs import commit_runs
from projections.readings.delivery.cutovers import cutovers
from projections.readings.delivery.deliveries import deliveries
from projections.readings.delivery.deployments import deployments
from projections.readings.delivery.freezes import freeze_calendar, freezes
from projections.readings.delivery.gate_decisions import gate_decisions
from projections.readings.delivery.incidents import incidents
from projections.readings.delivery.measurements import measured_days, trigger_firings
from projections.readings.delivery.metrics import delivery
from projections.readings.delivery.named_services import named_services
from projections.readings.delivery.placements import placements
from projections.readings.delivery.releases import release_facts, releases
from projections.readings.delivery.rollbacks import rollbacks
from projections.readings.delivery.sboms import sboms
from projections.readings.delivery.strategies import (
    rollouts,
    service_profiles,
    strategy_choices,
    strategy_conformance,
    strategy_matrices,
)
from projections.readings.delivery.triggers import rollback_triggers
from projections.readings.delivery.verifications import verifications
from projections.readings.environments.backups import backups, stateful_resources, stateful_services
from projections.readings.environments.datasets import data_loads, datasets
from projections.readings.environments.environments import environments
from projections.readings.environments.lifetimes import environment_lifetimes
from projections.readings.environments.named import named_environments
from projections.readings.environments.parity import config_differences, parity
from projections.readings.environments.readiness import readiness, release_schedules, release_slack
from projections.readings.environments.reservations import deployed_hours, perf_tests, reservations, reserved_days
from projections.readings.environments.tags import tag_coverage, tagged_resources
from projections.readings.infrastructure.drifts import drifts, plan_series
from projections.readings.infrastructure.module_users import module_series, module_users, module_uses
from projections.readings.infrastructure.modules import modules
from projections.readings.infrastructure.plan_modules import plan_modules
from projections.readings.infrastructure.plans import plan_applications, plan_changes, plans
from projections.readings.infrastructure.releases import (
    compatibilities,
    module_releases,
    plan_providers,
    provider_steps,
    provider_upgrades,
)
from projections.readings.infrastructure.secrets import secrets
from projections.readings.infrastructure.states import states
from projections.readings.people.access_review_facts import access_review_facts
from projections.readings.people.access_reviews import access_reviews
from projections.readings.people.credentials import credentials
from projections.readings.people.doubts import doubts
from projections.readings.people.grants import access_grants
from projections.readings.people.identities import identities
from projections.readings.people.imports import beginnings, imports
from projections.readings.people.permission_use import permission_use
from projections.readings.people.policies import policies
from projections.readings.people.reconciliations import arrivals, source_lists
from projections.readings.people.sources import authorities, principals_sources
from projections.readings.people.withdrawals import withdrawals
from projections.readings.pipelines.attestations import attestations, attested_artifacts
from projections.readings.pipelines.runs import builds, pipeline_runs, runners
from projections.readings.pipelines.scans import scan_parts, scan_results, scan_series, scans
from projections.readings.pipelines.tests import test_cases, test_manifests, test_reports, test_runs, test_suites
from projections.readings.risk.assessments import risk_assessments
from projections.readings.risk.calibrations import calibrations
from projections.readings.risk.models import risk_models
from projections.readings.risk.outcomes import base_rates, outcomes
from projections.readings.risk.promotions import model_promotions

READINGS: Final[tuple[View[Any], ...]] = in_order(
    # people
    credentials,
    authorities,
    principals_sources,
    identities,
    access_grants,
    permission_use,
    imports,
    beginnings,
    policies,
    doubts,
    source_lists,
    arrivals,
    access_review_facts,
    access_reviews,
    withdrawals,
    # assurance
    conflicts,
    dispositions,
    sequences,
    # environments
    environments,
    environment_lifetimes,
    named_environments,
    backups,
    stateful_services,
    stateful_resources,
    reservations,
    reserved_days,
    deployed_hours,
    perf_tests,
    parity,
    config_differences,
    datasets,
    data_loads,
    readiness,
    release_schedules,
    release_slack,
    tagged_resources,
    tag_coverage,
    # changes
    change_scopes,
    wordings,
    templates,
    template_owners,
    change_facts,
    change_tickets,
    change_timeline,
    reviews,
    impacts,
    resources,
    advisories,
    advice,
    advisers,
    board_meetings,
    board_facts,
    board_matters,
    compliance_windows,
    code_changes,
    branch_protections,
    code_owners,
    owned_paths,
    commits,
    # risk
    base_rates,
    outcomes,
    risk_models,
    risk_assessments,
    calibrations,
    model_promotions,
    # delivery
    freezes,
    freeze_calendar,
    placements,
    deployments,
    named_services,
    commit_runs,
    cutovers,
    gate_decisions,
    incidents,
    attributions,
    attribution_methods,
    rollback_triggers,
    measured_days,
    trigger_firings,
    verifications,
    rollbacks,
    release_facts,
    releases,
    sboms,
    strategy_matrices,
    service_profiles,
    strategy_choices,
    rollouts,
    strategy_conformance,
    slos,
    slo_days,
    error_budgets,
    deliveries,
    delivery,
    # infrastructure
    plans,
    plan_series,
    drifts,
    plan_changes,
    plan_applications,
    states,
    secrets,
    modules,
    plan_modules,
    module_series,
    module_uses,
    module_users,
    module_releases,
    provider_upgrades,
    plan_providers,
    provider_steps,
    compatibilities,
    # pipelines
    test_manifests,
    test_suites,
    test_reports,
    test_cases,
    test_runs,
    scans,
    scan_parts,
    scan_series,
    scan_results,
    runners,
    pipeline_runs,
    builds,
    attestations,
    attested_artifacts,
)

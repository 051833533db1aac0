"""The curriculum: the forty-eight practices of release governance, in eight modules, by their numbers and names.

Not what serves them: a practice says its own number in its file, and `projections.practices.serving` finds the rest.
"""

from collections.abc import Mapping
from typing import Final

MODULES: Final[tuple[str, ...]] = (
    "Release strategy",
    "Pipeline architecture",
    "Governance of infrastructure as code",
    "Environments",
    "Change and risk",
    "Monitoring and validation",
    "Rollback and incidents",
    "Audit and improvement",
)

CURRICULUM: Final[Mapping[str, str]] = {
    "1.1": "Canary, blue-green or rolling, chosen by criticality and rollback tolerance",
    "1.2": "Release scope across teams",
    "1.3": "Release freezes",
    "1.4": "Change advisory board: schedule and compliance calendar",
    "1.5": "Rollback triggers and thresholds",
    "1.6": "Release frequency against service level objectives",
    "2.1": "Stage gates with validation of infrastructure as code",
    "2.2": "Parallel tests without losing coverage",
    "2.3": "Least-privilege permissions of pipelines",
    "2.4": "Static analysis of infrastructure as code",
    "2.5": "State held against baselines",
    "2.6": "Isolation of pipeline runs",
    "3.1": "Mandatory peer review",
    "3.2": "Module registries",
    "3.3": "Drift detection",
    "3.4": "Versions of modules and providers",
    "3.5": "Ownership and lifecycle of templates",
    "3.6": "Scanning for secrets and policy breaches",
    "4.1": "Teardown schedules",
    "4.2": "Production-like staging, and sensitivity of data",
    "4.3": "Dedicated environments for performance tests",
    "4.4": "Stateful services: backup and restore",
    "4.5": "Tagging",
    "4.6": "Readiness against the release schedule",
    "5.1": "Deployments tied to change tickets, both ways",
    "5.2": "Risk scores that can be computed again",
    "5.3": "Impact assessment for shared infrastructure",
    "5.4": "Approval and escalation by policy",
    "5.5": "Post-implementation reviews that feed the risk model",
    "5.6": "Automated advice",
    "6.1": "Health checks after a deployment",
    "6.2": "Log ingestion and exceptions",
    "6.3": "Canary analysis",
    "6.4": "DNS and service discovery",
    "6.5": "Correlating alerts with deployments",
    "6.6": "Synthetic transactions",
    "7.1": "Rollback playbooks",
    "7.2": "Rehearsed rollbacks and recovery time",
    "7.3": "Preserving the state before a deployment",
    "7.4": "Triggering incident response",
    "7.5": "The record of a rollback decision",
    "7.6": "Communication",
    "8.1": "Immutable audit trail",
    "8.2": "Mapping to controls",
    "8.3": "Access reviews",
    "8.4": "Failure rate and lead time",
    "8.5": "Standards updated from root causes",
    "8.6": "Dashboards",
}

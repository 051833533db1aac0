"""The settings of a policy that rules ask for, and what each means."""

from collections.abc import Mapping
from typing import Final

SETTINGS: Final[Mapping[str, str]] = {
    "quorum": "how many people must approve, by band of risk (1)",
    "required-role": "a role that an approver must hold, by band of risk; may be given several times",
    "rollback-triggers": "how many triggers a service must have, by environment (1 in prod, else 0)",
    "deployer-role": "a role that who deploys must hold, by environment; may be given several times",
    "reviewed-branch": "a branch into which nothing is merged without review, by repository; may be given several times (all)",
    "impact-assessment": "`required` when a change needs an impact assessment to be deployed, by type of change",
    "verification": "`required` when a deployment must be verified as healthy to be promoted, by environment (required)",
    "observation-hours": "how long a change is watched before it is closed, by band of risk (0)",
    "pir-due-days": "for whoever opens reviews: within how many days one is due, by band of risk",
    "revoke-within-days": "within how many days a review's decision to revoke is carried out (7)",
    "escalate-after-hours": "within how many hours approvals are given, or the change is escalated, by band of risk (no limit)",
    "access-review-days": "after how many days access is reviewed again, by environment (never)",
    "dormant-after-days": "how many days a service may hold a grant without using it, by environment (no limit)",
    "rotate-within-days": "how many days a service may use the same secret, by environment (no limit)",
}

"""`Ticket`: what there is to know of one change. The row of `change_tickets`, without what makes it.

Two modules make it, of the facts: `tickets` says where the change is, `approvals` which approvals count and what is missing.
"""

from dataclasses import dataclass
from typing import Literal

from projections.engine.view import Moment, Number

State = Literal["draft", "assessing", "authorizing", "scheduled", "implementing", "reviewing", "closed", "cancelled"]


@dataclass(frozen=True)
class Approval:
    """One decision of an approver. `why` says what keeps it from counting; empty when it counts."""

    approver: str
    person: str
    verdict: Literal["granted", "rejected"]
    role: str | None
    scope_digest: str | None
    at: Moment
    recorded_at: Moment
    position: int
    # What was wrong with it from the beginning: rule and reason.
    broken: str = ""
    is_withdrawn: bool = False
    counts: bool = False
    why: str = ""
    # Later than the policy's lag after its time.
    recorded_late: bool = False


@dataclass(frozen=True)
class Unlet:
    """Something that was done for a change without leave: what, when, and why it had none."""

    deployment_id: str
    service: str | None
    environment: str | None
    attempt: int
    at: Moment
    position: int
    why: str


@dataclass(frozen=True)
class Ticket:
    """One change, from its opening to its review."""

    change_id: str
    state: State = "draft"
    change_type: str | None = None
    opened_at: Moment | None = None
    opened_position: int | None = None
    author: str | None = None
    # All who opened, submitted or amended it.
    authors: tuple[str, ...] = ()
    team: str | None = None
    services: tuple[str, ...] = ()
    environment: str | None = None
    environments: tuple[str, ...] = ()
    release_id: str | None = None
    template_id: str | None = None
    scope_digest: str | None = None
    scope_position: int | None = None
    # Why a standard change has to be approved like a normal one.
    template_fault: str | None = None
    risk_model: str | None = None
    risk_score: Number | None = None
    risk_band: str | None = None
    assessed_position: int | None = None
    # Whether the model counts only because there is nothing yet to hold it against.
    risk_is_provisional: bool = False
    # Why what it does is not technically reviewed, where the policy asks for that.
    unreviewed: str | None = None
    # As the policy asks, and whoever requested approvals.
    required_roles: tuple[str, ...] = ()
    quorum: int = 1
    requested_rule: str | None = None
    policy_id: str | None = None
    policy_version: str | None = None
    # Until when the approvals asked for are to be given, or the change put before a higher body.
    approval_due_at: Moment | None = None
    escalated_to: str | None = None
    escalated_position: int | None = None
    approvals: tuple[Approval, ...] = ()
    missing_approvals: int = 1
    # When the last approval that was needed came, and where.
    approved_at: Moment | None = None
    approved_position: int | None = None
    planned_start: Moment | None = None
    planned_end: Moment | None = None
    deployments: tuple[str, ...] = ()
    deployed_by: tuple[str, ...] = ()
    # What of its scope is not through: a service and where it is still to go.
    remaining: tuple[str, ...] = ()
    started_at: Moment | None = None
    started_position: int | None = None
    # Whether all that was done for it had leave: by enough approvals, by one for an emergency, by its template.
    was_let_start: bool | None = None
    unlet: tuple[Unlet, ...] = ()
    finished_at: Moment | None = None
    is_rolled_back: bool = False
    # Of an emergency that started before all its approvals were there.
    retro_due_at: Moment | None = None
    retro: Literal["due", "on_time", "late"] | None = None
    incidents: tuple[str, ...] = ()
    outcome: Literal["successful", "successful_with_issues", "unsuccessful", "backed_out"] | None = None
    reviewed_by: str | None = None
    closed_at: Moment | None = None
    label: Literal["success", "failure"] | None = None
    # While it is implemented: where it would be, and how many approvals would be missing, if nothing had been done, by the policy now.
    # That something was done lets nothing more be done.
    leave_state: State | None = None
    leave_missing: int = 0

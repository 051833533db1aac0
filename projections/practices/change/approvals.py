"""5.4 Approval and escalation by policy: enough others approved the very scope, in time, and could."""

from typing import Final

from ledger.events import ref
from ledger.events.change import ChangeOpened
from ledger.words import number_of
from projections.engine.finding import Breach
from projections.engine.reads import Look
from projections.judging.able import approvers, nobody_approves, operators
from projections.judging.findings import finding, positions_of
from projections.judging.gate_rule import (
    BY_STATE,
    Question,
    Remedy,
    Said,
    by_state,
    gate_rule,
    last_fact,
    of_change,
)
from projections.judging.of_a_change import rule_of_a_change
from projections.judging.satisfiable import unsatisfied_because
from projections.practices.practice import Practice
from projections.readings.changes.approvals import (
    BANDS,
    BOARD_BAND,
    BOARD_QUORUM,
    BOARD_ROLE,
    QUORUM,
    REQUIRED_ROLE,
    authors_of,
)
from projections.readings.changes.facts import change_facts
from projections.readings.changes.scopes import change_scopes
from projections.readings.changes.templates import templates
from projections.readings.changes.ticket import Approval, Ticket
from projections.readings.changes.tickets import ESCALATE_AFTER_HOURS, approval_fault, change_tickets
from projections.readings.changes.unlet import EMERGENCY_RECORD_HOURS, RETRO_APPROVAL_HOURS
from projections.readings.people.identities import person_of
from projections.readings.people.policies import PEOPLE, InForce, Policy, PolicyVersion, in_force_now, policies
from projections.readings.people.powers import kind_of
from projections.readings.people.settings import fault_of
from projections.readings.people.sources import authorities, principals_sources
from projections.readings.people.speaking import CLOCK_SKEW_SECONDS, EVIDENCE_LAG_MINUTES
from projections.rules import duties
from projections.rules.words import listed

PRACTICE: Final = Practice(
    "5.4",
    "Approval and escalation by policy",
    views=(change_tickets, policies, templates, authorities, principals_sources),
    settings=(
        PEOPLE,
        QUORUM,
        REQUIRED_ROLE,
        BANDS,
        BOARD_BAND,
        BOARD_ROLE,
        BOARD_QUORUM,
        ESCALATE_AFTER_HOURS,
        EMERGENCY_RECORD_HOURS,
        RETRO_APPROVAL_HOURS,
        EVIDENCE_LAG_MINUTES,
        CLOCK_SKEW_SECONDS,
    ),
)


# The reason of a gate's rule where one person works alone.
OF_ONE: Final = "in-force-of-one"


def _in_release(release_id: str, look: Look) -> list[Ticket]:
    return look.named(change_tickets, ChangeOpened, ref("release", release_id))


def _given(row: Ticket) -> list[Approval]:
    return [approval for approval in row.approvals if approval.verdict == "granted"]


@finding(change_tickets, severity="high")
def approval_of_ones_own(row: Ticket, look: Look) -> Breach | None:
    """S1 and S2: an author, or who deployed to production, approved; under whichever login, linked whenever."""
    own = [approval for approval in _given(row) if (approval.broken or approval.why).startswith(("S1:", "S2:"))]
    if not own:
        return None
    words = listed((f"{a.approver}: {a.broken or a.why}" for a in own), "; ")
    return Breach(f"{row.change_id} was approved by its own: {words}", positions_of(*(a.position for a in own)))


@finding(change_tickets, severity="medium")
def approval_without_standing(row: Ticket, look: Look) -> Breach | None:
    """S4, S5 and S12: an approval by no human, without a role, or reported by somebody who may not speak for the approver."""
    broken = [approval for approval in _given(row) if approval.broken and not approval.broken.startswith("S1:")]
    if not broken:
        return None
    words = listed((f"{approval.approver}: {approval.broken}" for approval in broken), "; ")
    return Breach(
        f"approvals of {row.change_id} that never counted: {words}", positions_of(*(a.position for a in broken))
    )


@finding(change_tickets, severity="medium")
def approval_overdue(row: Ticket, look: Look) -> Breach | None:
    """The approvals that were asked for did not come in time, and nobody put the change before a higher body."""
    is_waiting = row.state in ("assessing", "authorizing")
    # An escalation of an earlier scope does not count for this one.
    is_escalated = (row.escalated_position or 0) > (row.scope_position or 0)
    if not is_waiting or is_escalated or not look.has_come(row.approval_due_at):
        return None
    words = f"{row.change_id} misses {number_of(row.missing_approvals, 'approval')} due at {row.approval_due_at}, and was not escalated"
    return Breach(words, positions_of(row.scope_position))


@finding(change_tickets, severity="high")
def retro_approval_overdue(row: Ticket, look: Look) -> Breach | None:
    """An emergency did not get the approvals it owed in time. Late ones do not make it on time."""
    if row.retro == "late" or (row.retro == "due" and look.has_come(row.retro_due_at)):
        return Breach(f"{row.change_id} owed approvals until {row.retro_due_at}", positions_of(row.started_position))
    return None


def _leads_round(approval: Approval) -> bool:
    """Say whether an approval may be part of a circle: one that counts, or would but for who is said to have deployed.

    Else whoever reports a deployment in an approver's name would break the circle.
    """
    return approval.counts or (approval.verdict == "granted" and not approval.broken and approval.why.startswith("S2:"))


@finding(change_tickets, severity="low", version=2)
def circular_approval(row: Ticket, look: Look) -> Breach | None:
    """S10: two people approved each other's changes in one release; under whichever login, linked whenever."""
    if row.release_id is None or row.author is None or not any(map(_leads_round, row.approvals)):
        return None
    others = _in_release(row.release_id, look)
    author = person_of(look, row.author)
    approvals = [
        (person_of(look, ticket.author), person_of(look, approval.approver))
        for ticket in others
        if ticket.author is not None
        for approval in ticket.approvals
        if _leads_round(approval)
    ]
    circles = [pair for pair in duties.s10_circles(approvals) if author in pair]
    if not circles:
        return None
    words = listed(f"{one} and {other}" for one, other in circles)
    counting = [a.position for ticket in others for a in ticket.approvals if _leads_round(a)]
    return Breach(f"in release {row.release_id} {words} approved each other's changes", positions_of(*counting))


@finding(policies, severity="high", version=2)
def policy_cannot_be_satisfied(row: Policy, look: Look) -> Breach | None:
    """S11: for some author, somewhere, there are not enough others who could approve as a policy asks, as in force or published last."""
    in_force = in_force_now(look, row.policy_id).version
    for version in row.versions:
        is_asked = version.version == in_force or version is row.versions[-1]
        if is_asked and (breach := _unsatisfied(row, version, look)) is not None:
            return breach
    return None


def _unsatisfied(row: Policy, version: PolicyVersion, look: Look) -> Breach | None:
    policy = InForce(row.policy_id, version.version, None, version.settings)
    words = unsatisfied_because(policy, look)
    return Breach(words, positions_of(version.published_position, version.approved_position)) if words else None


@finding(policies, severity="medium")
def policy_sets_what_means_nothing(row: Policy, look: Look) -> Breach | None:
    """The version of a policy that is in force, or was published last, has a setting that nothing reads, or a value without a meaning."""
    for version in row.versions:
        if version is not row.versions[-1] and version.version != row.in_force:
            continue
        faults = [f"{s.name}: {fault}" for s in version.settings if (fault := fault_of(s.name, s.value)) is not None]
        if faults:
            words = f"{row.policy_id} {version.version} sets what means nothing: {listed(dict.fromkeys(faults), '; ')}"
            return Breach(words, positions_of(version.published_position))
    return None


def _policy_approvers(question: Question, look: Look, policy: InForce) -> set[str]:
    """Return who could put the version that was published last into force: operators who did not write it."""
    row = look.row(policies, question.policy_id)
    author = {person_of(look, row.versions[-1].said.speaker)} if row is not None and row.versions else set()
    return operators(question, look, policy) - author


def _what_waits(question: Question, look: Look, policy: InForce) -> str:
    row = look.row(policies, question.policy_id)
    if row is None or not row.versions:
        return ""
    last = row.versions[-1]
    return f"{last.version} was published by {last.said.speaker}, and waits for the other"


@gate_rule(name="policy_is_in_force")
def policy_was_in_force(question: Question, look: Look, policy: InForce) -> Said:
    """The policy that is asked has a version that somebody else than its author approved."""
    if policy.is_missing:
        return "insufficient_evidence", "no-policy", f"no version of policy {policy.policy_id} is in force", ()
    return "allow", "in-force", f"policy {policy.policy_id} {policy.version}", [policy.approved_position]


@gate_rule(
    version=2,
    remedies={
        "no-policy": Remedy(
            "an operator publishes a version of the policy, and another one approves it (policy publish, policy approve)",
            _policy_approvers,
            _what_waits,
        )
    },
)
def policy_is_in_force(question: Question, look: Look, policy: InForce) -> Said:
    """The policy that is asked has a version that somebody else than its author approved, or its author where one person works alone."""
    if policy.is_of_one:
        words = f"policy {policy.policy_id} {policy.version}, of one person alone"
        return "allow", OF_ONE, words, [policy.approved_position]
    return policy_was_in_force.judge(question, look, policy)


@rule_of_a_change(
    version=6,
    remedies={
        "quorum": Remedy(
            "approvals of this scope by people who did not write or deploy it (approval.granted)",
            approvers,
            nobody_approves,
        ),
        "no-author": Remedy(
            "whoever wrote it opens or submits the change; or its scope names the commits, and the code host tells who wrote them"
        ),
    },
)
@of_change
def change_is_approved(ticket: Ticket, question: Question, look: Look, policy: InForce) -> Said:
    """Enough people approved this very scope, as the policy asks for type and band of risk. A standard change rests on its template."""
    counting = [approval for approval in ticket.approvals if approval.counts]
    used: list[int | None] = [approval.position for approval in counting]
    # By the policy now, and as if nothing had been done for it: whoever says that it has begun, or when, lets nobody go on.
    missing = ticket.leave_missing if ticket.leave_state is not None else ticket.missing_approvals
    state = ticket.leave_state or ticket.state
    if ticket.change_type == "standard" and state == "scheduled" and not ticket.template_fault:
        return "allow", "template", f"by template {ticket.template_id}", [ticket.scope_position]
    if ticket.change_type == "emergency" and counting:
        words = f"an emergency with one approval; {missing} more are owed afterwards"
        return "allow", "emergency", words, used
    if missing:
        others = [f"{a.approver}: {a.why}" for a in ticket.approvals if not a.counts]
        roles = f" by {' or '.join(ticket.required_roles)}" if ticket.required_roles else ""
        words = f"{number_of(missing, 'approval')}{roles} missing" + (
            f"; do not count: {listed(others, '; ')}" if others else ""
        )
        return "needs_approval", "quorum", words, [*used, *last_fact(ticket, look)]
    scope = look.row(change_scopes, ticket.change_id)
    if scope is not None and all(kind_of(look, who) == "service" for who in authors_of(look, scope)):
        words = f"{listed(scope.authors)} opened it, and nobody says who wrote it: whoever approved may have"
        return "insufficient_evidence", "no-author", words, used
    return "allow", "approved", f"approved by {listed(a.approver for a in counting)}", used


@gate_rule(remedies=BY_STATE)
@of_change
def change_waits_for_approval(ticket: Ticket, question: Question, look: Look, policy: InForce) -> Said:
    """The change has a scope, was assessed, and is not decided yet."""
    return by_state(ticket, look, "authorizing", "scheduled")


@gate_rule(
    version=2,
    remedies={"": Remedy("somebody else approves, who did not write or deploy it, and holds the role", approvers)},
)
@of_change
def approval_would_count(ticket: Ticket, question: Question, look: Look, policy: InForce) -> Said:
    """S1, S2, S4 and S5: an approval by this person, given now by their own credential, would count."""
    facts = look.row(change_facts, ticket.change_id)
    if question.actor is None or facts is None:
        return "insufficient_evidence", "not-said", "expected an actor in the question", ()
    fault = approval_fault(facts, ticket, look, question.actor, question.asked_at)
    if fault:
        return "deny", fault.partition(":")[0], fault, last_fact(ticket, look)
    return "allow", "would-count", f"an approval by {question.actor} would count", last_fact(ticket, look)


@gate_rule(
    remedies={"retro": Remedy("the approvals that are owed, by people who did not write or deploy it", approvers)}
)
@of_change
def approvals_are_not_owed(ticket: Ticket, question: Question, look: Look, policy: InForce) -> Said:
    """An emergency has the approvals that it owed."""
    if ticket.retro == "due":
        return "needs_approval", "retro", f"approvals are owed until {ticket.retro_due_at}", last_fact(ticket, look)
    return "allow", "none-owed", "no approval is owed", ()

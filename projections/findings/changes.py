"""Findings about changes: approvals, code, impact and reviews."""

from collections.abc import Iterable

from ledger.events import ref
from ledger.events.change import ChangeOpened
from projections.engine.derived import Breach, Index, Wake, every
from projections.engine.view import Moment
from projections.judging.findings import PRODUCTION, findings, positions_of, rows_since_approval
from projections.readings.changes.code import CodeChange, code_changes, unreviewed_because
from projections.readings.changes.impacts import Impact, impacts, left_out
from projections.readings.changes.reviews import Review, reviews
from projections.readings.changes.tickets import Approval, Ticket, change_tickets
from projections.readings.delivery.deployments import deployments
from projections.readings.people.identities import Identity, identities, logins_of, person_of
from projections.readings.people.policies import Policy, in_force, policies
from projections.rules import duties as duties
from projections.rules.words import listed


def _changes_of(identity: Identity, index: Index) -> Iterable[str]:
    """The changes that somebody wrote or deployed: one of their other logins may have approved them."""
    for login in sorted(logins_of(index, identity.identity)):
        yield from (ticket.change_id for ticket in index.find(change_tickets, "author", login))
        for row in index.find(deployments, "deployed_by", login):
            if row.change_id is not None:
                yield row.change_id


def _code_of(identity: Identity, index: Index) -> list[str]:
    """The code that somebody wrote or reviewed. Links are rare: all of it is looked through."""
    logins = logins_of(index, identity.identity)
    return [
        row.key
        for row in every(code_changes, index)
        if logins & {*row.authors, *(review.reviewer for review in row.reviews)}
    ]


def _its_own(ticket: Ticket, index: Index) -> list[str]:
    return [ticket.change_id]


def _of_the_release(ticket: Ticket, index: Index) -> list[str]:
    if ticket.release_id is None or not any(approval.counts for approval in ticket.approvals):
        return []
    return [other.change_id for other in _in_release(ticket.release_id, index)]


def _releases_of(identity: Identity, index: Index) -> list[str]:
    """The changes of the releases that somebody wrote changes for, under any login."""
    return [
        other
        for login in sorted(logins_of(index, identity.identity))
        for ticket in index.find(change_tickets, "author", login)
        for other in _of_the_release(ticket, index)
    ]


def _in_release(release_id: str, index: Index) -> list[Ticket]:
    return index.named(change_tickets, ChangeOpened, ref("release", release_id))


@findings.rule(
    change_tickets, of=("change_type", "approvals", "was_let_start", "started_at", "started_position"), severity="high"
)
def started_without_approval(row: Ticket, now: Moment, index: Index) -> Breach | None:
    """A change was implemented before it was approved."""
    if row.was_let_start is not False or row.change_type in (None, "unauthorized"):
        return None
    why = listed((f"{approval.approver}: {approval.why}" for approval in row.approvals if approval.why), "; ")
    words = f"{row.change_id} started at {row.started_at} without approval" + (f" ({why})" if why else "")
    return Breach(words, positions_of(row.started_position, *(approval.position for approval in row.approvals)))


def _given(row: Ticket) -> list[Approval]:
    return [approval for approval in row.approvals if approval.verdict == "granted"]


@findings.rule(
    change_tickets,
    of=("author", "environment", "approvals", "deployed_by"),
    severity="high",
    wakes={identities: Wake(_changes_of, of=("links",))},
)
def approval_of_ones_own(row: Ticket, now: Moment, index: Index) -> Breach | None:
    """S1 and S2: the author, or who deployed to production, approved; under whichever login, linked whenever."""
    author = person_of(index, row.author) if row.author else None
    deployers = {person_of(index, who) for who in row.deployed_by} if row.environment in (None, PRODUCTION) else set()
    for approval in _given(row):
        person = person_of(index, approval.approver)
        fault = duties.s1_author_does_not_approve(author, person) or duties.s2_deployer_does_not_approve(
            person, deployers
        )
        if fault is not None:
            return Breach(f"{approval.approver} approved {row.change_id}: {fault}", (approval.position,))
    return None


@findings.rule(change_tickets, of=("approvals",), severity="medium")
def approval_without_standing(row: Ticket, now: Moment, index: Index) -> Breach | None:
    """S4, S5 and S12: an approval by no human, without a role, or reported by somebody who may not speak for the approver."""
    broken = [approval for approval in _given(row) if approval.broken and not approval.broken.startswith("S1:")]
    if not broken:
        return None
    words = listed((f"{approval.approver}: {approval.broken}" for approval in broken), "; ")
    return Breach(
        f"approvals of {row.change_id} that never counted: {words}", positions_of(*(a.position for a in broken))
    )


@findings.rule(
    change_tickets,
    of=("state", "escalated_position", "missing_approvals", "scope_position"),
    severity="medium",
    due=("approval_due_at",),
)
def approval_overdue(row: Ticket, now: Moment, index: Index) -> Breach | None:
    """The approvals that were asked for did not come in time, and nobody put the change before a higher body."""
    is_waiting = row.state in ("assessing", "authorizing")
    # An escalation of an earlier scope is none of this one.
    is_escalated = (row.escalated_position or 0) > (row.scope_position or 0)
    if not is_waiting or is_escalated or row.approval_due_at is None or row.approval_due_at > now:
        return None
    words = f"{row.change_id} misses {row.missing_approvals} approval(s) due at {row.approval_due_at}, and was not escalated"
    return Breach(words, positions_of(row.scope_position))


@findings.rule(change_tickets, of=("retro", "started_position"), severity="high", due=("retro_due_at",))
def retro_approval_overdue(row: Ticket, now: Moment, index: Index) -> Breach | None:
    """An emergency did not get the approvals it owed in time. Late ones do not make it on time."""
    if row.retro == "late" or (row.retro == "due" and (row.retro_due_at or now) <= now):
        return Breach(f"{row.change_id} owed approvals until {row.retro_due_at}", positions_of(row.started_position))
    return None


@findings.rule(change_tickets, of=("change_type", "state", "opened_position"), severity="high")
def unauthorized_change(row: Ticket, now: Moment, index: Index) -> Breach | None:
    """A change was made that nobody had asked for; it has to be reviewed."""
    if row.change_type != "unauthorized" or row.state == "closed":
        return None
    return Breach(f"{row.change_id} was not authorized", positions_of(row.opened_position))


@findings.rule(change_tickets, of=("state", "deployments", "approved_position"), severity="low", due=("planned_end",))
def approved_and_not_deployed(row: Ticket, now: Moment, index: Index) -> Breach | None:
    """The time planned for an approved change passed, and nothing was deployed."""
    if row.state != "scheduled" or row.deployments or row.planned_end is None or row.planned_end > now:
        return None
    return Breach(
        f"{row.change_id} was planned until {row.planned_end}, and not deployed", positions_of(row.approved_position)
    )


@findings.rule(
    change_tickets,
    of=("release_id", "author", "approvals"),
    severity="low",
    wakes={
        change_tickets: Wake(_of_the_release, of=("release_id", "author", "approvals")),
        identities: Wake(_releases_of, of=("links",)),
    },
)
def circular_approval(row: Ticket, now: Moment, index: Index) -> Breach | None:
    """S10: two people approved each other's changes in one release; under whichever login, linked whenever."""
    if row.release_id is None or row.author is None or not any(approval.counts for approval in row.approvals):
        return None
    others = _in_release(row.release_id, index)
    author = person_of(index, row.author)
    approvals = [
        (person_of(index, ticket.author), person_of(index, approval.approver))
        for ticket in others
        if ticket.author is not None
        for approval in ticket.approvals
        if approval.counts
    ]
    circles = [pair for pair in duties.s10_circles(approvals) if author in pair]
    if not circles:
        return None
    words = listed(f"{one} and {other}" for one, other in circles)
    counting = [a.position for ticket in others for a in ticket.approvals if a.counts]
    return Breach(f"in release {row.release_id} {words} approved each other's changes", positions_of(*counting))


def _merged_since(policy: Policy, index: Index) -> list[str]:
    return [row.key for row in rows_since_approval(policy, code_changes, "merged_at", index)]


def _has_to_be_reviewed(row: CodeChange, index: Index) -> bool:
    """Say whether a merge went into a branch that the policy names, or it names none. An unknown branch is one of them."""
    if row.merged_at is None or row.branch is None:
        return True
    branches = in_force(index, row.merged_at).values("reviewed-branch", row.repository)
    return not branches or row.branch in branches


@findings.rule(
    code_changes,
    of=("repository", "branch", "head_position", "authors", "reviews", "merged_at", "merged_position", "merged_head"),
    severity="high",
    wakes={
        identities: Wake(_code_of, of=("links", "kind")),
        policies: Wake(_merged_since, of=("versions",)),
    },
)
def merged_without_review(row: CodeChange, now: Moment, index: Index) -> Breach | None:
    """Code was merged that nobody but its author approved as it was, or that somebody wanted changed. The policy may name the branches."""
    if not _has_to_be_reviewed(row, index):
        return None
    fault = unreviewed_because(row, index)
    if fault is None:
        return None
    positions = (row.head_position, row.merged_position, *(review.position for review in row.reviews))
    return Breach(f"{row.key} was merged, and {fault}", positions_of(*positions))


@findings.rule(
    impacts,
    of=("position", "targets", "dependents"),
    severity="high",
    wakes={change_tickets: Wake(_its_own, of=("started_position",))},
)
def impact_not_covered(row: Impact, now: Moment, index: Index) -> Breach | None:
    """A change to something shared was implemented, and its impact assessment left out what was known to depend on it."""
    ticket = index.row(change_tickets, row.change_id)
    if ticket is None or ticket.started_position is None:
        return None
    missing = left_out(index, row, ticket.started_position)
    if not missing:
        return None
    words = f"{row.change_id} was implemented without an assessment of {listed(missing)}"
    return Breach(words, positions_of(row.position, ticket.started_position))


@findings.rule(reviews, of=("change_id", "state", "due_at"), severity="medium", due=("overdue_at",))
def review_overdue(row: Review, now: Moment, index: Index) -> Breach | None:
    """A post-implementation review was not done in time."""
    if row.state == "done" or row.overdue_at is None or row.overdue_at > now:
        return None
    return Breach(f"{row.pir_id} of {row.change_id} was due at {row.due_at}")

"""3.1 Mandatory peer review: nothing is merged, or deployed, that nobody else has reviewed; nor changed, where the policy says so.

Longer than other files because what is merged, deployed and changed is reviewed by one law.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from ledger.conditions import AFTER_ALL
from ledger.events import ref
from ledger.events.change import ChangeReviewed
from ledger.events.code import CodeMerged
from ledger.events.deployment import DeploymentStarted
from ledger.words import number_of
from projections.engine.finding import Breach
from projections.engine.reads import Look
from projections.engine.view import Around, Moment, Reads, later
from projections.judging.able import authors, both, holders, holding
from projections.judging.findings import finding, positions_of
from projections.judging.gate_rule import Question, Remedy, Said, gate_rule, last_fact, of_change, ticket_of
from projections.judging.of_a_change import rule_of_a_change
from projections.judging.of_acts import finding_of_acts
from projections.practices.practice import Practice
from projections.readings.changes.code import (
    LATEST,
    CodeChange,
    Merging,
    approvals_in_vain,
    code_changes,
    merged_between,
    merges_of,
    unreviewed_because,
)
from projections.readings.changes.commits import commits
from projections.readings.changes.facts import change_facts
from projections.readings.changes.scopes import change_scopes
from projections.readings.changes.technical import TECHNICAL_REVIEW, TECHNICAL_ROLE, is_asked
from projections.readings.changes.technical import unreviewed_because as technically_unreviewed_because
from projections.readings.changes.ticket import Ticket
from projections.readings.changes.tickets import change_tickets
from projections.readings.delivery.acts import Act, is_in_production
from projections.readings.delivery.deployments import Deployment, deployments
from projections.readings.environments.environments import names_for, same_environment
from projections.readings.people.identities import identities, person_of
from projections.readings.people.imports import by_a_deadline, instants_of, is_history
from projections.readings.people.policies import InForce, in_force
from projections.readings.people.powers import kind_of
from projections.readings.people.settings import Number, Words
from projections.readings.people.speaking import clocks_of
from projections.rules.leave import Instant, asked_at, was_there
from projections.rules.words import listed

PRACTICE: Final = Practice(
    "3.1",
    "Mandatory peer review",
    views=(code_changes, commits, identities),
    settings=(TECHNICAL_REVIEW, TECHNICAL_ROLE),
)
REVIEWED_BRANCH: Final = Words(
    "reviewed-branch",
    "a branch into which nothing is merged without review",
    applies_to="repository",
    is_several=True,
    nothing="all",
)
RETRO_REVIEW_HOURS: Final = Number(
    "retro-review-hours",
    "within how many hours after it was merged or deployed somebody else may still review what could not wait",
    applies_to="repository",
    zero="it is reviewed before",
)
CODE_REVIEW: Final = Words(
    "code-review",
    "whether what is deployed must have been merged, and all that is deployed with it reviewed by somebody else",
    applies_to="environment",
    choices=("required", "optional"),
    default=("optional",),
)


def _has_to_be_reviewed(row: CodeChange, merge: Merging, policy: InForce) -> bool:
    """Say whether a merge went into a branch that the policy names, or it names none. An unknown branch is one of them.

    Where one person works alone, nobody could review it.
    """
    if policy.is_of_one:
        return False
    branches = policy.words(REVIEWED_BRANCH, row.repository) if merge.branch is not None else ()
    return not branches or merge.branch in branches


def _is_reviewed_by(row: CodeChange, merge: Merging, time: Moment, look: Look) -> bool:
    """Say whether somebody else had reviewed what was merged by a time, which may be after the merge; and that was on record."""
    return unreviewed_because(row, merge, look, (by_a_deadline(look, time),)) is None


def _may_still_be(row: CodeChange, merge: Merging, since: Moment, policy: InForce, look: Look) -> bool:
    """Say whether what could not wait was reviewed afterwards as soon as the policy asks, or the time for that is not over."""
    hours = policy.number(RETRO_REVIEW_HOURS, row.repository)
    if not hours:
        return False
    due = later(since, hours=hours)
    return _is_reviewed_by(row, merge, due, look) or not look.has_come(due)


@finding(code_changes, severity="high", version=5)
def merged_without_review(row: CodeChange, look: Look) -> Breach | None:
    """Code was merged or pushed that nobody but its author had approved as it was, or that somebody wanted changed.

    The policy may name the branches, and let what cannot wait be reviewed within some hours after the merge.
    """
    for merge in row.merges:
        at = merge.said.at
        policy = in_force(look.at(at), at)
        if is_history(look, merge.said) or not _has_to_be_reviewed(row, merge, policy):
            continue
        fault = unreviewed_because(row, merge, look)
        if fault is not None and not _may_still_be(row, merge, at, policy, look):
            what = "was merged" if row.pull_request is not None else "was pushed directly"
            reviews = (review.said.position for review in row.reviews)
            return Breach(
                f"{row.key} {what}, and {fault}", positions_of(row.head_position, merge.said.position, *reviews)
            )
    return None


# -- what is deployed ------------------------------------------------------------------------------------------------------


def _needs_review(policy: InForce, reads: Reads, environment: str | None, at: Moment) -> bool:
    asked = policy.words(CODE_REVIEW, *names_for(reads, policy, environment, at))
    return "required" in asked and not policy.is_of_one


def _goes_out(
    look: Look,
    commit: str,
    service: str | None,
    environment: str | None,
    at: Moment,
    times: Sequence[Instant] = (),
    position: int = AFTER_ALL,
) -> list[tuple[CodeChange, Merging]]:
    """Return the merge of a commit, where it was on record at all times of an act, and what was merged into that branch since what ran."""
    clocks = clocks_of(look, at)
    merged = [
        (row, merge)
        for row, merge in merges_of(commit, look)
        if is_history(look, merge.said) or all(was_there(merge.said, instant, clocks) for instant in times)
    ]
    if not merged:
        return []
    row, last = merged[0]
    ran = _ran_before(look, service, environment, at, position)
    first = next(
        (merge for name in ran for other, merge in merges_of(name, look) if other.repository == row.repository), None
    )
    return merged_between(look, first, row, last) if first is not None else [(row, last)]


def _ran_before(look: Look, service: str | None, environment: str | None, at: Moment, position: int) -> Iterator[str]:
    """Yield the commits that were deployed there before a time, and succeeded, the last first: of what is around a position."""
    about = ref("service", service or "")
    acts = [
        (act.at, act.commit)
        for row in look.named(deployments, DeploymentStarted, about, limit=Around(position, LATEST))
        for act in row.acts
        if act.commit is not None
        and act.at < at
        and act.outcome == "success"
        and same_environment(look, act.environment, environment, at)
    ]
    yield from (commit for _, commit in sorted(acts, reverse=True))


@finding_of_acts(severity="high", version=6)
def deployed_without_review(row: Deployment, look: Look) -> Breach | None:
    """Something was deployed that was never merged, or of which nobody else had reviewed a part; the policy asks for it."""
    for act in row.acts:
        if act.is_history:
            continue
        times = instants_of(look, act)
        policies = (in_force(look.at(instant.at), instant.at) for instant in times)
        asking = [
            policy
            for policy, instant in zip(policies, times, strict=True)
            if _needs_review(policy, look, act.environment, instant.at)
        ]
        for commit in (act.commits or (None,)) if asking else ():
            if (breach := _unreviewed_part(row, act, commit, times, asking[0], look)) is not None:
                return breach
    return None


def _unreviewed_part(
    row: Deployment, act: Act, commit: str | None, times: Sequence[Instant], policy: InForce, look: Look
) -> Breach | None:
    """Return what of a commit that was deployed nobody else had reviewed."""
    where = f"{row.deployment_id} put {act.service} into {act.environment}"
    goes = _goes_out(look, commit, act.service, act.environment, act.at, times, act.position) if commit else []
    if not goes:
        fault = f"nobody had merged {commit}" if commit is not None else "no commit is told"
        return Breach(f"{where}, and {fault}", positions_of(act.position))
    for code, merge in goes:
        if is_history(look, merge.said) or _may_still_be(code, merge, act.at, policy, look):
            continue
        for instant in times:
            fault = unreviewed_because(code, merge, look, (instant,)) or ""
            if fault:
                return Breach(f"{where} with {code.key}: {fault}", positions_of(act.position, merge.said.position))
    return None


def _unreviewed(question: Question, look: Look) -> list[tuple[CodeChange, Merging]]:
    goes = _goes_out(look, question.commit or "", question.service, question.environment, question.asked_at)
    return [(code, merge) for code, merge in goes if not _is_reviewed_by(code, merge, question.asked_at, look)]


def _what_does_not_count(question: Question, look: Look, policy: InForce) -> str:
    """Return which approvals of the first that goes out unreviewed do not count, and why."""
    missing = _unreviewed(question, look)[:1]
    vain = listed((why for code, merge in missing for why in approvals_in_vain(code, merge, look)), "; ")
    may_speak = "; an operator lets the source speak for people (source enrol --authority-for)" if "S12" in vain else ""
    return f"do not count: {vain}{may_speak}" if vain else ""


def _reviewers(question: Question, look: Look, policy: InForce) -> set[str]:
    """Return who could review what goes out: people who proposed or reviewed code there, but its authors."""
    missing = [code for code, _ in _unreviewed(question, look)]
    if not missing:
        return set()
    known = look.named(code_changes, CodeMerged, ref("repository", missing[0].repository or ""), limit=LATEST)
    people = {name for row in known for name in (*row.authors, *(review.reviewer for review in row.reviews))}
    authors = {person_of(look, name) for row in missing for name in row.authors}
    return {person_of(look, name) for name in people if kind_of(look, name) != "service"} - authors


@gate_rule(
    version=3,
    remedies={
        "not-merged": Remedy("the commit is merged by a pull request that the code host tells of"),
        "not-reviewed": Remedy(
            "somebody else approves the pull request, as it was merged", _reviewers, _what_does_not_count
        ),
    },
)
def code_is_reviewed(question: Question, look: Look, policy: InForce) -> Said:
    """What is deployed was merged, and somebody else has reviewed all that goes out with it. The policy may ask for it."""
    if not _needs_review(policy, look, question.environment, question.asked_at):
        return "allow", "not-asked-for", "the policy asks for no review of what is deployed", ()
    if question.commit is None:
        return "insufficient_evidence", "not-said", "expected the commit in the question", ()
    goes = _goes_out(look, question.commit, question.service, question.environment, question.asked_at)
    if not goes:
        return "insufficient_evidence", "not-merged", f"nobody is known to have merged {question.commit}", ()
    used = [merge.said.position for _, merge in goes]
    now = (asked_at(question.asked_at),)
    for code, merge in goes:
        fault = None if is_history(look, merge.said) else unreviewed_because(code, merge, look, now)
        if fault is not None:
            return "needs_approval", "not-reviewed", f"{code.key}: {fault}", used
    return "allow", "reviewed", f"{number_of(len(goes), 'merge was', 'merges were')} reviewed by somebody else", used


# -- what is changed -------------------------------------------------------------------------------------------------------


@finding(change_tickets, severity="high", version=2)
def changed_without_technical_review(row: Ticket, look: Look) -> Breach | None:
    """A change went to production that nobody else had technically reviewed, by its code or as a whole; the policy asks for it."""
    facts, scope = look.row(change_facts, row.change_id), look.row(change_scopes, row.change_id)
    if facts is None or scope is None:
        return None
    for act in facts.done:
        if act.is_history or not is_in_production(look, act):
            continue
        for instant in instants_of(look, act):
            policy = in_force(look.at(instant.at), instant.at)
            if not is_asked(policy, scope.change_type):
                continue
            clocks = clocks_of(look, instant.at)
            if why := technically_unreviewed_because(facts, scope, look, policy, clocks, instant):
                words = f"{act.deployment_id} implemented {row.change_id} at {act.at}: {why}"
                return Breach(words, positions_of(act.position))
    return None


def _technical_reviewers(question: Question, look: Look, policy: InForce) -> set[str]:
    """Return who could review the change itself: people who hold a role for it, and are no authors."""
    ticket = ticket_of(question, look)
    roles = policy.words(TECHNICAL_ROLE, ticket.change_type if ticket is not None else None)
    return holders(look, roles, question.environment, question.asked_at) - authors(question, look, policy)


@rule_of_a_change(
    version=3,
    remedies={
        "": Remedy(
            "somebody else approves the pull requests that bring it; or reviews the change itself (change.reviewed), in a role "
            "that technical-role names",
            both(_technical_reviewers, holding(ChangeReviewed, but=authors)),
        )
    },
)
@of_change
def change_is_technically_reviewed(ticket: Ticket, question: Question, look: Look, policy: InForce) -> Said:
    """Somebody else than its authors reviewed what the change does, by its code or as a whole, as its scope stands. The policy may ask
    for it.
    """
    facts, scope = look.row(change_facts, ticket.change_id), look.row(change_scopes, ticket.change_id)
    if facts is None or scope is None or not is_asked(policy, scope.change_type):
        return "allow", "not-asked-for", "no technical review of the change is asked for", ()
    clocks = clocks_of(look, question.asked_at)
    now = asked_at(question.asked_at)
    if why := technically_unreviewed_because(facts, scope, look, policy, clocks, now):
        return "needs_approval", "not-reviewed", why, last_fact(ticket, look)
    return "allow", "reviewed", "somebody else reviewed what it does", last_fact(ticket, look)

"""8.1 Immutable audit trail: only who made a statement takes it back, and nobody takes back what was found of their own acts."""

from typing import Final

from ledger.events import kind_and_value, ref
from ledger.events.finding import FindingDisposed
from ledger.events.pir import PirOpened
from projections.engine.derived import Breach, Finding
from projections.engine.reads import Look
from projections.judging.disposing import persons_in
from projections.judging.findings import finding, findings, positions_of
from projections.judging.gate_rule import Question, Said, gate_rule, of_change
from projections.practices.practice import Practice
from projections.readings.assurance.dispositions import dispositions
from projections.readings.changes.reviews import reviews
from projections.readings.changes.ticket import Ticket
from projections.readings.people.grants import access_grants, has_ended_by_now
from projections.readings.people.imports import beginnings, imports
from projections.readings.people.policies import InForce, Policy, in_force_now, policies
from projections.readings.people.powers import ROLE_FOR, fault_of_grant, persons_behind
from projections.readings.people.voices import spoken
from projections.readings.people.withdrawals import Withdrawal, withdrawals
from projections.rules.words import listed

PRACTICE: Final = Practice("8.1", "Immutable audit trail", views=(withdrawals, imports, beginnings, dispositions))


@finding(withdrawals, severity="medium")
def withdrawal_of_anothers(row: Withdrawal, look: Look) -> Breach | None:
    """Somebody took back a statement that another had made. Only an operator's counts."""
    if row.stated_by is None or row.stated_by == row.withdrawn_by:
        return None
    words = f"{row.withdrawn_by} withdrew the statement at {row.original_position}, which {row.stated_by} had made"
    return Breach(words, positions_of(row.original_position, row.position))


@finding(findings, severity="high")
def withdrawn_by_who_acted(row: Finding, look: Look) -> Breach | None:
    """A finding went away because somebody who acted or approved in what it was about took a statement back."""
    if row.verdict is not None or row.resolved_position is None or row.rule in ABOUT_FINDINGS:
        return None
    taken = look.row(withdrawals, str(row.resolved_position))
    if taken is None or taken.position is None or not _is_about(row, taken, look):
        return None
    entry = look.entry(taken.position)
    involved = persons_in(row, look)
    acted = persons_behind(look, spoken(entry, getattr(entry.event, "actor", None))) & set(involved)
    if not acted:
        return None
    who = min(acted)
    return Breach(
        f"{who} {involved[who]} in what {row.finding_id} is about, and withdrew the statement at {taken.original_position}, "
        f"after which it was not found any more; it said: {row.says}",
        positions_of(*row.positions, taken.original_position, taken.position),
    )


def _is_about(row: Finding, taken: Withdrawal, look: Look) -> bool:
    """Say whether what was taken back is what a finding is about: an entry that it names, or one that names its subject."""
    if taken.original_position is None or taken.original_position in row.positions:
        return taken.original_position is not None
    return any(kind_and_value(name)[1] == row.subject for name in look.entry(taken.original_position).refs)


@finding(findings, severity="high")
def disposition_does_not_count(row: Finding, look: Look) -> Breach | None:
    """Somebody disposed of a finding who acted or approved in what it is about, or has no power to."""
    if row.refused is None:
        return None
    words = f"what {row.refused.by} decided of {row.finding_id} does not count: {row.refused.why}"
    return Breach(words, positions_of(*row.positions, row.refused.position))


@finding(policies, severity="medium")
def nobody_can_dispose(row: Policy, look: Look) -> Breach | None:
    """The policy in force names a role for dispositions that nobody holds: only operators may answer a finding."""
    policy = in_force_now(look, row.policy_id)
    roles = policy.words(ROLE_FOR, FindingDisposed.type)
    if policy.version is None or not roles or any(_is_held(role, look) for role in roles):
        return None
    words = f"{row.policy_id} {policy.version} wants findings disposed of by {' or '.join(roles)}, and nobody holds it"
    return Breach(words, positions_of(policy.approved_position))


def _is_held(role: str, look: Look) -> bool:
    return any(
        not has_ended_by_now(grant, look) and not fault_of_grant(look, span)
        for grant in look.where(access_grants, "role", role)
        for span in grant.spans[-1:]
    )


ABOUT_FINDINGS: Final = ("withdrawn-by-who-acted", "disposition-does-not-count")


@gate_rule()
@of_change
def findings_are_answered(ticket: Ticket, question: Question, look: Look, policy: InForce) -> Said:
    """No finding about the change, its deployments or its reviews is open: it ended, or somebody who may disposed of it."""
    reviewed = (row.pir_id for row in look.named(reviews, PirOpened, ref("change", ticket.change_id)))
    subjects = {"change": (ticket.change_id,), "deployment": ticket.deployments, "pir": tuple(reviewed)}
    about = [
        findings.key_of(rule, key) for rule in findings.rules.values() for key in subjects.get(rule.subject.kind, ())
    ]
    about += [f"{name}/{finding_id}" for name in ABOUT_FINDINGS for finding_id in tuple(about)]
    still = [row for finding_id in about if (row := look.row(findings, finding_id)) is not None and _stands(row, look)]
    if still:
        names = listed(row.finding_id for row in still)
        used = [position for row in still for position in row.positions]
        return "deny", "findings-open", f"{len(still)} finding(s) are open, and nobody disposed of them: {names}", used
    return "allow", "none-open", "no finding about it is open", ()


def _stands(row: Finding, look: Look) -> bool:
    if row.disposition is not None:
        # What is decided otherwise meanwhile makes another answer.
        look.row(dispositions, row.finding_id)
    return row.is_open or look.has_come(row.disposed_until)

"""8.1 Immutable audit trail: only who made a statement takes it back, nobody takes back what was found of their own acts, and what a
source lists is here.
"""

from collections.abc import Callable
from typing import Final

from ledger.authority import source_matches
from ledger.events import kind_and_value, ref
from ledger.events.finding import FindingDisposed
from ledger.events.iac import PlanApplied
from ledger.events.pir import PirOpened
from ledger.events.source import SourceReconciled
from ledger.words import number_of
from projections.engine.finding import Breach, Finding
from projections.engine.reads import Look
from projections.engine.view import later
from projections.judging.able import may
from projections.judging.ages import finding_ages
from projections.judging.disposing import persons_in, stands
from projections.judging.ends import finding_ends
from projections.judging.findings import about_findings, finding, findings, positions_of
from projections.judging.gate_rule import Question, Remedy, Said, gate_rule, of_change, ticket_of
from projections.practices.practice import Practice
from projections.readings.assurance.conflicts import MOST, Conflict, conflicts
from projections.readings.assurance.dispositions import dispositions
from projections.readings.assurance.sequences import Sequence, sequences
from projections.readings.changes.reviews import reviews
from projections.readings.changes.ticket import Ticket
from projections.readings.infrastructure.plans import plan_applications
from projections.readings.people.grants import access_grants
from projections.readings.people.grants_held import has_ended_by_now, standing_span
from projections.readings.people.identities import person_of
from projections.readings.people.imports import beginnings, imports
from projections.readings.people.policies import InForce, Policy, in_force_now, policies
from projections.readings.people.powers import ROLE_FOR, fault_of_speaker, persons_behind
from projections.readings.people.reconciliations import (
    SourceList,
    SourceMonth,
    arrivals,
    clears,
    fact_name,
    source_lists,
)
from projections.readings.people.sources import sources_of
from projections.readings.people.speaking import clocks_of
from projections.readings.people.voices import has_root_power, spoken
from projections.readings.people.withdrawals import Withdrawal, withdrawals
from projections.rules.words import listed

PRACTICE: Final = Practice(
    "8.1",
    "Immutable audit trail",
    views=(
        withdrawals,
        imports,
        beginnings,
        conflicts,
        dispositions,
        finding_ends,
        finding_ages,
        source_lists,
        arrivals,
        sequences,
    ),
)


@finding(withdrawals, severity="medium")
def withdrawal_of_anothers(row: Withdrawal, look: Look) -> Breach | None:
    """Somebody took back a statement that another had made. Only an operator's counts."""
    if row.stated_by is None or row.stated_by == row.withdrawn_by:
        return None
    words = f"{row.withdrawn_by} withdrew the statement at {row.original_position}, which {row.stated_by} had made"
    return Breach(words, positions_of(row.original_position, row.position), row.position)


# -- what sources list ---------------------------------------------------------------------------------------------------


@finding(source_lists, severity="high", version=2)
def missing_from_the_ledger(row: SourceMonth, look: Look) -> Breach | None:
    """A source lists facts that the ledger does not have. It ends when they come, by whose source it is, or a later list lacks none."""
    lacking = []
    for told in _standing(row, look, lambda told: told.missing_count):
        left = [name for name in told.missing if not _has_come(name, row.source or "", told, look)]
        if count := len(left) + told.missing_count - len(told.missing):
            named = f": {listed(left)}" if left else ""
            words = f"{number_of(count, 'fact')} of {told.begin} to {told.end} that the ledger does not have{named}"
            lacking.append((words, told.said.position))
    return _told_of(row, "lists", lacking)


@finding(source_lists, severity="high")
def unknown_to_its_source(row: SourceMonth, look: Look) -> Breach | None:
    """The ledger has facts of a source that the source does not list. It ends when a later list of the source has them."""
    standing = _standing(row, look, lambda told: told.extra_count)
    beside = [
        (
            f"{number_of(told.extra_count, 'fact')} of {told.begin} to {told.end} that the ledger has: {listed(told.extra)}",
            told,
        )
        for told in standing
    ]
    return _told_of(row, "does not list", [(words, told.said.position) for words, told in beside])


@finding(source_lists, severity="medium")
def list_contradicts_itself(row: SourceMonth, look: Look) -> Breach | None:
    """The digest of a source's list, or its counts, are not those of what it lists: it says nothing, and excuses nothing."""
    wrong = [told for told in row.lists if told.contradiction and _begins_in(row, told)]
    if not wrong:
        return None
    words = (
        f"a list of {row.source} from {wrong[0].begin} to {wrong[0].end} contradicts itself: {wrong[0].contradiction}"
    )
    return Breach(words, positions_of(*(told.said.position for told in wrong)))


@finding(sequences, severity="medium", version=2)
def sequence_gap(row: Sequence, look: Look) -> Breach | None:
    """Numbers are missing between those by which a source counts what it tells, longer than evidence may take. It ends when they come."""
    gaps = [
        (low, high)
        for low, high in row.gaps
        if look.has_come(later(high.since, minutes=clocks_of(look, high.since).lag_s // 60))
    ]
    if not gaps and not row.forgotten:
        return None
    count = sum(high.first - low.last - 1 for low, high in gaps) + row.forgotten
    missing = listed(
        f"{low.last + 1} to {high.first - 1}" if high.first - low.last > 2 else f"{low.last + 1}" for low, high in gaps
    )
    words = f"{row.source} counts what it tells, and {count} of it is not on record: {missing or 'long ago'}"
    return Breach(words, positions_of(*(p for low, high in gaps for p in (low.last_position, high.first_position))))


@finding(conflicts, severity="medium")
def statement_contradicted(row: Conflict, look: Look) -> Breach | None:
    """Another content came under the source and id of a statement that is on record. It was refused, and which of them is right nobody
    knows: whoever finds out disposes of this.
    """
    first = int(row.statement)
    often = number_of(f"more than {MOST}" if row.has_more else len(row.positions), "other content")
    words = f"{row.source} told the {look.entry(first).type} at {first} with {often}, too"
    return Breach(words, positions_of(first, *row.positions), row.positions[0])


def _has_come(name: str, source: str, told: SourceList, look: Look) -> bool:
    """Say whether a fact that a list calls missing came: by whoever made the list, is enrolled for the source, or has the power. Under
    the same id anybody may say something else.
    """
    for arrival in look.where(arrivals, "fact", fact_name(source, name)):
        entry = look.entry(arrival.position)
        said = spoken(entry, getattr(entry.event, "actor", None))
        enrolled = sources_of(look, said.principal, said.position)
        is_its_own = said.principal == told.said.principal or any(source_matches(p, source) for p, _ in enrolled)
        if is_its_own or has_root_power(look, entry.type, said):
            return True
    return False


def _standing(row: SourceMonth, look: Look, count: Callable[[SourceList], int]) -> list[SourceList]:
    """Return the lists that begin in a month and count something, and that no later list takes the place of."""
    standing: list[SourceList] = []
    for told in row.lists:
        if standing and clears(look, row.source or "", told):
            standing = [one for one in standing if not told.covers(one)]
        if count(told) and _begins_in(row, told) and not fault_of_speaker(look, SourceReconciled.type, told.said):
            standing.append(told)
    return standing


def _begins_in(row: SourceMonth, told: SourceList) -> bool:
    # One that goes on into other months is found once.
    return told.begin.startswith(row.month or "")


def _told_of(row: SourceMonth, does: str, what: list[tuple[str, int]]) -> Breach | None:
    if not what:
        return None
    words = listed((words for words, _ in what), "; ")
    return Breach(f"{row.source} {does} {words}", positions_of(*(position for _, position in what)))


# -- what is taken back, and answered ------------------------------------------------------------------------------------


@finding(findings, severity="high")
def withdrawn_by_who_acted(row: Finding, look: Look) -> Breach | None:
    """A finding went away because somebody who acted or approved in what it was about took a statement back."""
    if row.verdict is not None or row.resolved_position is None or row.rule in about_findings():
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
        (span := standing_span(look, grant)) is not None and span.role == role and not has_ended_by_now(grant, look)
        for grant in look.where(access_grants, "role", role)
    )


def _involved(question: Question, look: Look, policy: InForce) -> set[str]:
    """Return who acted or approved in the question's change."""
    ticket = ticket_of(question, look)
    if ticket is None:
        return set()
    names = (*ticket.authors, *ticket.deployed_by, *(approval.approver for approval in ticket.approvals))
    return {person_of(look, name) for name in names}


@gate_rule(
    version=2,
    remedies={
        "": Remedy(
            "what was found ends; or somebody who neither acted nor approved disposes of it (finding.disposed)",
            may(FindingDisposed, but=_involved),
        )
    },
)
@of_change
def findings_are_answered(ticket: Ticket, question: Question, look: Look, policy: InForce) -> Said:
    """No finding about the change, its deployments, its plans as they were applied, or its reviews is open: it ended, or somebody who may
    disposed of it.
    """
    about_it = ref("change", ticket.change_id)
    reviewed = (row.pir_id for row in look.named(reviews, PirOpened, about_it))
    applied = (row.application for row in look.named(plan_applications, PlanApplied, about_it))
    subjects = {
        "change": (ticket.change_id,),
        "deployment": ticket.deployments,
        "pir": tuple(reviewed),
        plan_applications.kind: tuple(applied),
    }
    about = [
        findings.key_of(rule, key) for rule in findings.rules.values() for key in subjects.get(rule.subject.kind, ())
    ]
    about += [f"{name}/{finding_id}" for name in sorted(about_findings()) for finding_id in tuple(about)]
    still = [row for finding_id in about if (row := look.row(findings, finding_id)) is not None and stands(row, look)]
    if still:
        names = listed(row.finding_id for row in still)
        used = [position for row in still for position in row.positions]
        words = f"{number_of(len(still), 'finding is', 'findings are')} open, and nobody disposed of them: {names}"
        return "deny", "findings-open", words, used
    return "allow", "none-open", "no finding about it is open", ()

"""4.4 Stateful services: what holds state is backed up often enough, and its backups were gone back to, fast enough and lately.

How often, how fast and how lately, the policy says; without such a setting nothing is too old.
"""

import itertools
from typing import Final

from ledger.events.backup import BackupCompleted
from ledger.events.restore import RestoreVerified
from ledger.events.service import ServiceProvisioned
from projections.engine.finding import Breach
from projections.engine.reads import Look
from projections.engine.view import Moment, Reads, later
from projections.judging.able import authors, both, holding, whoever_asks
from projections.judging.findings import finding, positions_of
from projections.judging.gate_rule import Question, Remedy, Said, gate_rule, ticket_of
from projections.practices.practice import Practice
from projections.readings.environments.backups import (
    Backup,
    Provision,
    Restore,
    StatefulResource,
    StatefulService,
    backups,
    fault_of,
    key_of,
    last_backup,
    last_good,
    rows_of,
    set_up,
    set_up_under_all_names,
    standing_restores,
    stateful_resources,
    stateful_services,
)
from projections.readings.environments.environments import names_for
from projections.readings.environments.lifetimes import is_gone
from projections.readings.people.identities import person_of
from projections.readings.people.policies import InForce, in_force, in_force_now
from projections.readings.people.powers import persons_behind
from projections.readings.people.settings import Number, Words
from projections.rules.leave import FOR_EVER
from projections.rules.words import listed

PRACTICE: Final = Practice(
    "4.4", "Stateful services: backup and restore", views=(stateful_resources, backups, stateful_services)
)
_OF: Final = "service or environment"
RPO_MINUTES: Final = Number(
    "rpo-minutes",
    "how many minutes of state may be lost: how old the last backup may be",
    applies_to=_OF,
    zero="no limit",
)
RTO_MINUTES: Final = Number("rto-minutes", "how many minutes a restore may take", applies_to=_OF, zero="no limit")
RESTORE_TEST_DAYS: Final = Number(
    "restore-test-days",
    "how many days ago a backup must have been restored at most",
    applies_to=_OF,
    zero="no limit",
)
BACKUP_GATE: Final = Words(
    "backup-gate",
    "whether the state of a service must be backed up for it to be deployed",
    applies_to=_OF,
    choices=("required", "optional"),
    default=("optional",),
)


def _for(reads: Reads, policy: InForce, service: str | None, environment: str, at: Moment) -> tuple[str | None, ...]:
    """Return for whom a setting may hold, the closest first."""
    return (service, *names_for(reads, policy, environment, at))


def _uses(rows: list[StatefulResource], look: Look) -> list[tuple[str, Provision]]:
    """Return the services whose state a resource holds now, and what said so first, of what is there still."""
    found: list[tuple[str, Provision]] = []
    for row in rows:
        for service in row.services if row.resource is not None and row.environment is not None else ():
            told = set_up(look, service, row.environment or "", FOR_EVER)
            words = told.resources.get(row.resource or "", ()) if told is not None else ()
            there = (word for word in words if not is_gone(look, row.environment or "", word.said))
            found += [(service, word) for word in itertools.islice(there, 1)]
    return found


def _rows(row: StatefulResource, look: Look) -> list[StatefulResource]:
    """Return all that there is of a resource in an environment; nothing where another row stands for it."""
    if row.resource is None or row.environment is None:
        return []
    rows = rows_of(look, row.resource, row.environment, FOR_EVER)
    return rows if rows and rows[0].key == row.key else []


@finding(stateful_resources, severity="high", version=4)
def backup_older_than_rpo(row: StatefulResource, look: Look) -> Breach | None:
    """What holds a service's state was not backed up for longer than the policy lets state be lost."""
    rows, policy = _rows(row, look), in_force_now(look)
    for service, provision in _uses(rows, look):
        minutes = policy.number(RPO_MINUTES, *_for(look, policy, service, provision.environment, provision.said.at))
        if not minutes:
            continue
        last = last_backup(look, rows)
        held = last.taken_at if last is not None else None
        due = later(max(held or "", provision.said.at), minutes=minutes)
        if look.has_come(due):
            since = f"was backed up last as of {held}" if held is not None else "was never backed up"
            words = f"{row.resource} of {service} in {row.environment} {since}; that was due at {due}"
            return Breach(words, positions_of(provision.said.position, _said(last)))
    return None


@finding(stateful_resources, severity="medium", version=4)
def restore_not_tested(row: StatefulResource, look: Look) -> Breach | None:
    """No backup of what holds a service's state was restored, whole and in time, for longer than the policy allows."""
    rows, policy = _rows(row, look), in_force_now(look)
    for service, provision in _uses(rows, look):
        names = _for(look, policy, service, provision.environment, provision.said.at)
        days = policy.number(RESTORE_TEST_DAYS, *names)
        if not days:
            continue
        last = last_good(look, rows, policy.number(RTO_MINUTES, *names))
        due = later(max(last.said.at if last is not None else "", provision.said.at), days=days)
        if look.has_come(due):
            since = f"since {last.said.at}" if last is not None else "yet"
            words = f"no backup of {row.resource} of {service} in {row.environment} was restored as it should {since}"
            return Breach(f"{words}, due at {due}", positions_of(provision.said.position, _said(last)))
    return None


@finding(stateful_resources, severity="low", version=3)
def orphan_backups(row: StatefulResource, look: Look) -> Breach | None:
    """There are backups of something that no service is known to use, and none was restored in the time that the policy sets."""
    rows, policy = _rows(row, look), in_force_now(look)
    begun = min((one.first_backup_at for one in rows if one.first_backup_at is not None), default=None)
    if begun is None or row.environment is None or _uses(rows, look):
        return None
    names = _for(look, policy, None, row.environment, begun)
    days = policy.number(RESTORE_TEST_DAYS, *names)
    last = last_good(look, rows, policy.number(RTO_MINUTES, *names))
    since = max(last.said.at if last is not None else "", begun)
    if not days or not look.has_come(later(since, days=days)):
        return None
    words = f"no service is known to use {row.resource} in {row.environment}, of which there are backups since {begun}"
    return Breach(f"{words}, and none was restored since {since}", positions_of(_said(last_backup(look, rows))))


@finding(stateful_services, severity="medium", version=3)
def state_denied_by_another(row: StatefulService, look: Look) -> Breach | None:
    """Somebody said that a service holds no state, or no longer where another had said that it does, and may not take that back."""
    if row.service is None or row.environment is None:
        return None
    rows = set_up_under_all_names(look, row.service, row.environment, FOR_EVER)
    found = set_up(look, row.service, row.environment, FOR_EVER) if rows[:1] and rows[0].key == row.key else None
    if found is None or not found.refused:
        return None
    words = listed(f"{one.said.speaker} at {one.said.at}" for one in found.refused)
    where = f"{row.service} in {row.environment}"
    positions = tuple(sorted(one.said.position for one in found.refused))
    return Breach(f"of the state of {where} less was said than others know: by {words}", positions)


@finding(backups, severity="high", version=2)
def restore_failed(row: Backup, look: Look) -> Breach | None:
    """A backup did not come back as it should when it was restored last: a check failed, it was another one, or it took too long."""
    if row.environment is None or row.resource is None:
        return None
    held = look.row(stateful_resources, key_of(row.resource, row.environment))
    service = next(iter(held.services), None) if held is not None else None
    for last in reversed(standing_restores(look, row)):
        at = last.said.at
        policy = in_force(look.at(at), at)
        if why := fault_of(row, last, policy.number(RTO_MINUTES, *_for(look, policy, service, row.environment, at))):
            words = f"backup {row.backup_id} of {row.resource} did not come back: {why}"
            return Breach(words, positions_of(last.said.position))
    return None


@gate_rule(
    version=3,
    remedies={
        "not-backed-up": Remedy(
            "a backup within the RPO (backup.completed), and a restore of one within the RTO (restore.verified)",
            both(holding(BackupCompleted), holding(RestoreVerified)),
        ),
        "": Remedy(
            "somebody else than who asks says how the service is set up, and what holds its state (service.provisioned)",
            holding(ServiceProvisioned, but=both(whoever_asks, authors)),
        ),
    },
)
def state_is_backed_up(question: Question, look: Look, policy: InForce) -> Said:
    """What holds the service's state was backed up within the RPO, and a backup was restored within the RTO, where the policy asks."""
    if question.environment is None or question.service is None:
        return "insufficient_evidence", "not-said", "expected an environment and a service in the question", ()
    names = _for(look, policy, question.service, question.environment, question.asked_at)
    if "required" not in policy.words(BACKUP_GATE, *names):
        return "allow", "not-asked-for", "the policy asks for no backup", ()
    found = set_up(look, question.service, question.environment, question.asked_at)
    if found is None:
        words = f"nobody said how {question.service} is set up in {question.environment}"
        return "insufficient_evidence", "not-known", words, ()
    provision = found.stateful or found.last
    used: list[int | None] = [provision.said.position]
    if found.stateful is None:
        ticket = ticket_of(question, look)
        asking = {person_of(look, name) for name in (question.actor, *(ticket.authors if ticket else ())) if name}
        if asking & persons_behind(look, provision.said):
            words = f"{provision.said.speaker} said that {question.service} holds no state, and is of those who ask"
            return "insufficient_evidence", "said-by-who-asks", words, used
        return "allow", "no-state", f"{question.service} holds no state", used
    if not found.resources:
        words = f"nobody said what holds the state of {question.service}"
        return "insufficient_evidence", "not-said-where", words, used
    faults = []
    for resource in found.resources:
        rows = rows_of(look, resource, question.environment, question.asked_at)
        last = last_backup(look, rows)
        tested = last_good(look, rows, policy.number(RTO_MINUTES, *names))
        used += [_said(last), _said(tested)]
        faults += [f"{resource}: {why}" for why in _lacking(last, tested, names, question.asked_at, policy)]
    if faults:
        return "deny", "not-backed-up", listed(faults), used
    return "allow", "backed-up", f"{listed(found.resources)} can be gone back to", used


def _lacking(
    last: Backup | None, tested: Restore | None, names: tuple[str | None, ...], at: Moment, policy: InForce
) -> list[str]:
    """Say what a resource lacks at a time: a backup that is young enough, and a restore that is."""
    minutes, days = policy.number(RPO_MINUTES, *names), policy.number(RESTORE_TEST_DAYS, *names)
    held = last.taken_at if last is not None else None
    found = []
    if held is None:
        found.append("there is no backup of it")
    elif minutes and later(held, minutes=minutes) < at:
        found.append(f"it was backed up last as of {held}")
    if days and (tested is None or later(tested.said.at, days=days) < at):
        when = f"last at {tested.said.at}" if tested is not None else "never"
        found.append(f"it was restored as it should {when}")
    return found


def _said(told: Backup | Restore | None) -> int | None:
    return told.said.position if told is not None and told.said is not None else None

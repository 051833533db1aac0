"""Backups and restores, the services that hold state, and what each resource of theirs has of both.

Not whether that is enough: that is judged by the policy. A resource is one in its environment: `aws_db_instance.payments#prod`.
Longer than other files because a backup, what needs it and what came back from it are asked about together.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from ledger.conditions import Match
from ledger.events import Event, ref
from ledger.events.backup import BackupCompleted, BackupOutcome
from ledger.events.restore import RestoreVerified
from ledger.events.service import ServiceProvisioned
from ledger.words import number_of
from projections.engine.answers import kept
from projections.engine.view import EntryInfo, Moment, Reads, View, moment, replace
from projections.readings.environments.environments import under_all_names
from projections.readings.people.powers import READ_BY_POWERS, fault_of_speaker
from projections.readings.people.replacing import may_take_back, standing
from projections.readings.people.voices import Spoken, in_time, spoken
from projections.rules.environments import compared
from projections.rules.words import listed

# A resource names so many of its last backups, and so many of those that were restored last.
KEPT: Final = 8


# -- backups -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Restore:
    """One restore: how long it took, and which checks did not pass."""

    said: Spoken
    resource: str
    duration_s: int
    # Where to.
    environment: str | None = None
    digest: str | None = None
    failed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Backup:
    """One backup, as it was first said to have succeeded, or else last said to have failed; and its restores."""

    backup_id: str
    resource: str | None = None
    environment: str | None = None
    outcome: BackupOutcome | None = None
    # What it holds is as of then: not after it was said.
    taken_at: Moment | None = None
    digest: str | None = None
    size_bytes: int | None = None
    said: Spoken | None = None
    is_restored: bool = False
    restores: tuple[Restore, ...] = ()


backups = View(
    "backups",
    version=1,
    row=Backup,
    kind="backup",
    reads=READ_BY_POWERS,
    indexes=("resource", "environment", "outcome", "taken_at", "is_restored"),
    doc="Backups: of which resource where, as of when, of what size and content, and each of their restores.",
)


@backups.on(BackupCompleted, key=lambda event: event.backup_id)
def backed_up(row: Backup, event: BackupCompleted, entry: EntryInfo) -> Backup:
    """A backup that succeeded is not made another one under its id."""
    said = spoken(entry, event.actor)
    if row.outcome == "success" or not _counts(entry.reads, BackupCompleted, said, event.environment):
        return row
    taken_at = min(moment(event.taken_at), said.at) if event.taken_at is not None else said.at
    return replace(
        row,
        resource=event.resource,
        environment=event.environment,
        outcome=event.outcome,
        taken_at=taken_at,
        digest=event.digest,
        size_bytes=event.size_bytes,
        said=said,
    )


@backups.on(RestoreVerified, key=lambda event: event.backup_id)
def restored(row: Backup, event: RestoreVerified, entry: EntryInfo) -> Backup:
    failed = tuple(dict.fromkeys(check.name for check in event.checks if not check.passed))
    restore = Restore(
        spoken(entry, event.actor), event.resource, event.duration_s, event.environment, event.digest, failed
    )
    return replace(row, is_restored=True, restores=(*row.restores, restore))


# -- services ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Provision:
    """A service was said to be set up in an environment, with resources that hold state, or without."""

    said: Spoken
    environment: str
    stateful: bool
    resources: tuple[str, ...] = ()


@dataclass(frozen=True)
class StatefulService:
    """One service in one environment, and how it was set up there. The columns before the list are of what was recorded last."""

    key: str
    service: str | None = None
    environment: str | None = None
    stateful: bool | None = None
    resources: tuple[str, ...] = ()
    provisions: tuple[Provision, ...] = ()


def key_of(name: str, environment: str) -> str:
    """Return the key of a service, or of a resource, in an environment, however that is spelled."""
    return f"{name}#{compared(environment)}"


stateful_services = View(
    "stateful_services",
    version=2,
    row=StatefulService,
    kind="stateful_service",
    entries_of=lambda key, row: (Match((ServiceProvisioned.type,), (ref("service", key.partition("#")[0]),)),),
    indexes=("service", "environment", "stateful"),
    doc="Services as they were set up in each environment: which resources hold their state there, or that there are none.",
)


@stateful_services.on(ServiceProvisioned, key=lambda event: key_of(event.service, event.environment))
def provisioned(row: StatefulService, event: ServiceProvisioned, entry: EntryInfo) -> StatefulService:
    provision = Provision(spoken(entry, event.actor), event.environment, event.stateful, event.resources)
    return replace(
        row,
        service=event.service,
        environment=event.environment,
        stateful=event.stateful,
        resources=event.resources,
        provisions=(*row.provisions, provision),
    )


# -- resources -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class StatefulResource:
    """One resource in one environment: which services it was set up for, and its last backups and restores by their ids."""

    key: str
    resource: str | None = None
    environment: str | None = None
    services: tuple[str, ...] = ()
    backups: int = 0
    first_backup_at: Moment | None = None
    last: tuple[str, ...] = ()
    restored: tuple[str, ...] = ()


def _entries_of(key: str, row: StatefulResource) -> list[Match]:
    resource = ref("resource", key.partition("#")[0])
    return [Match((BackupCompleted.type, RestoreVerified.type, ServiceProvisioned.type), (resource,))]


stateful_resources = View(
    "stateful_resources",
    version=1,
    row=StatefulResource,
    kind="stateful_resource",
    entries_of=_entries_of,
    reads=(backups,),
    indexes=("resource", "environment"),
    doc="Resources that hold state, by environment: for which services, how many backups there are, the last, and the last restored.",
)


@stateful_resources.on(ServiceProvisioned, key=lambda event: [key_of(r, event.environment) for r in event.resources])
def needed(row: StatefulResource, event: ServiceProvisioned, entry: EntryInfo) -> StatefulResource:
    services = tuple(dict.fromkeys((*row.services, event.service)))
    return replace(_named(row, event.environment), services=services)


@stateful_resources.on(BackupCompleted, key=lambda event: key_of(event.resource, event.environment))
def copied(row: StatefulResource, event: BackupCompleted, entry: EntryInfo) -> StatefulResource:
    row = _named(row, event.environment)
    if event.outcome != "success":
        return row
    known = entry.reads.row(backups, event.backup_id)
    # A restore may be told before the backup.
    if known is not None and known.is_restored:
        row = replace(row, restored=_with(row.restored, event.backup_id))
    return replace(
        row,
        backups=row.backups + (event.backup_id not in row.last),
        first_backup_at=row.first_backup_at or entry.recorded_at,
        last=_with(row.last, event.backup_id),
    )


def _of_backup(event: RestoreVerified, entry: EntryInfo) -> str | None:
    known = entry.reads.row(backups, event.backup_id)
    if known is None or known.environment is None or known.resource != event.resource:
        return None
    return key_of(event.resource, known.environment)


@stateful_resources.on(RestoreVerified, key=_of_backup)
def tried(row: StatefulResource, event: RestoreVerified, entry: EntryInfo) -> StatefulResource:
    return replace(row, restored=_with(row.restored, event.backup_id))


def _named(row: StatefulResource, environment: str) -> StatefulResource:
    return replace(
        row, resource=row.key.partition("#")[0], environment=row.environment if row.environment else environment
    )


def _with(ids: tuple[str, ...], backup_id: str) -> tuple[str, ...]:
    return (*(one for one in ids if one != backup_id), backup_id)[-KEPT:]


# -- asking --------------------------------------------------------------------------------------------------------------


# That a service holds state at all, wherever: what stands beside its resources.
_ANYWHERE: Final = ""


@dataclass(frozen=True)
class SetUp:
    """How a service is set up in an environment: what holds its state, and by which statements, the first one first.

    `refused` are statements that there is less of it, by somebody who may not take back what another had said.
    """

    last: Provision
    held: Mapping[str, tuple[Provision, ...]]
    refused: tuple[Provision, ...] = ()

    @property
    def stateful(self) -> Provision | None:
        return next(iter(self.held.values()), (None,))[0]

    @property
    def resources(self) -> dict[str, tuple[Provision, ...]]:
        return {name: told for name, told in self.held.items() if name != _ANYWHERE}


@kept
def set_up(reads: Reads, service: str, environment: str, at: Moment) -> SetUp | None:
    """Return how a service is set up in an environment, by what was said of it by those who count, in the order of their times.

    That something holds state anybody may say. Each takes back their own word, and whoever has the power everybody's: what somebody
    else says of an earlier time stands beside what was said later.
    """
    held: dict[str, tuple[Provision, ...]] = {}
    refused: list[Provision] = []
    told = _provisions(reads, service, environment, at)
    for one in told:
        named = (_ANYWHERE, *one.resources) if one.stateful else ()
        left = {
            name: tuple(
                word for word in words if not may_take_back(reads, ServiceProvisioned.type, one.said, word.said)
            )
            for name, words in held.items()
            if name not in named
        }
        left = {name: words for name, words in left.items() if words}
        refused += [one] if left else []
        # To say again that it does begins nothing anew.
        more = {name: _beside(held.get(name, ()), one) for name in named}
        held = {
            name: left[name] if name in left else more[name] for name in (*held, *more) if name in left or name in more
        }
    return SetUp(told[-1], held, tuple(refused)) if told else None


def _beside(words: tuple[Provision, ...], one: Provision) -> tuple[Provision, ...]:
    """Return what is said of one thing with one more word, the first of each: nobody begins anything anew."""
    return words if any(word.said.principal == one.said.principal for word in words) else (*words, one)


def _provisions(reads: Reads, service: str, environment: str, at: Moment) -> list[Provision]:
    counting = [
        one
        for row in set_up_under_all_names(reads, service, environment, at)
        for one in row.provisions
        if _counts(reads, ServiceProvisioned, one.said, one.environment)
    ]
    return sorted(counting, key=in_time)


def set_up_under_all_names(reads: Reads, service: str, environment: str, at: Moment) -> list[StatefulService]:
    """Return how a service was set up in an environment, under all names that this goes by at a time; its own first."""
    return under_all_names(reads, stateful_services, environment, at, lambda name: key_of(service, name))


def rows_of(reads: Reads, resource: str, environment: str, at: Moment) -> list[StatefulResource]:
    """Return what there is of a resource in an environment, under all names that this goes by at a time; its own first."""
    return under_all_names(reads, stateful_resources, environment, at, lambda name: key_of(resource, name))


def last_backup(reads: Reads, rows: Iterable[StatefulResource]) -> Backup | None:
    """Return the backup of a resource that holds the latest state, of those that succeeded and count."""
    found = (backup for row in rows for backup in _backups(reads, row, row.last))
    return max(found, key=lambda backup: backup.taken_at or "", default=None)


def restores_of(reads: Reads, backup: Backup) -> list[Restore]:
    """Return the restores of a backup that count, good or not."""
    return [one for one in backup.restores if _counts(reads, RestoreVerified, one.said, one.environment)]


def standing_restores(reads: Reads, backup: Backup) -> list[Restore]:
    """Return what stands of the restores of a backup: nobody takes back that it did not come back when another tried."""
    return standing(reads, RestoreVerified.type, backup.restores, lambda one: one.environment)


def last_good(reads: Reads, rows: Iterable[StatefulResource], rto_minutes: int) -> Restore | None:
    """Return the last restore of a resource that was as it should be."""
    good = (
        restore
        for row in rows
        for backup in _backups(reads, row, row.restored)
        for restore in restores_of(reads, backup)
        if not fault_of(backup, restore, rto_minutes)
    )
    return max(good, key=in_time, default=None)


def fault_of(backup: Backup, restore: Restore, rto_minutes: int) -> str:
    """Say why a restore does not show that a backup can be gone back to, or "". 0 minutes are no limit."""
    if restore.resource != backup.resource:
        return f"{restore.resource} was restored, and it is of {backup.resource}"
    if restore.failed:
        return f"{listed(restore.failed)} did not pass"
    if restore.digest is not None and backup.digest is not None and restore.digest != backup.digest:
        return f"{restore.digest} was restored, and the backup is {backup.digest}"
    if backup.taken_at is not None and restore.said.at < backup.taken_at:
        return "it was restored before it was taken"
    if rto_minutes and restore.duration_s > 60 * rto_minutes:
        return f"it took {number_of(restore.duration_s, 'second')}, the policy allows {60 * rto_minutes}"
    return ""


def _backups(reads: Reads, row: StatefulResource, ids: tuple[str, ...]) -> Iterator[Backup]:
    for backup_id in ids:
        backup = reads.row(backups, backup_id)
        if backup is None or backup.said is None or backup.resource is None or backup.environment is None:
            continue
        # An id that was given to a backup of something else is that one's.
        is_its_own = key_of(backup.resource, backup.environment) == row.key
        is_whole = backup.outcome == "success" and backup.size_bytes != 0
        if is_its_own and is_whole and _counts(reads, BackupCompleted, backup.said, backup.environment):
            yield backup


def _counts(reads: Reads, event: type[Event], said: Spoken, environment: str | None) -> bool:
    return not fault_of_speaker(reads, event.type, said, environment)

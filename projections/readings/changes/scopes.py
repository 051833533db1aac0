"""What each change is to do: which services, where, with which artifacts, and in which window; as it was said, and every time.

Not how far a change has come, and not who was allowed to say it. An id has one life: the first opening makes the change, and
another one alters nothing of it. A scope has the digest of what it says, which the ledger computes; what anybody states as its
digest is kept beside it. Of each kind of statement the first so many count (decision 73), so that nobody has what was done for a change
judged again without end.

Longer than other modules: what a change is to do, and what is asked of that, is one reading.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeVar

from ledger.events import ref
from ledger.events.change import (
    ChangeCancelled,
    ChangeOpened,
    ChangeScheduled,
    ChangeScopeAmended,
    ChangeSubmitted,
    ScopeContent,
)
from ledger.events.pir import PirCompleted
from projections.engine.view import EntryInfo, Moment, Reads, View, moment, replace
from projections.readings.environments.environments import is_meant
from projections.readings.people.identities import person_of
from projections.readings.people.powers import READ_BY_POWERS, fault_of_speaker, names_behind
from projections.readings.people.replacing import may_take_back
from projections.readings.people.voices import Spoken, in_time, spoken, voice_fault
from projections.rules.calendar import Times, covering
from projections.rules.digests import content_digest
from projections.rules.leave import Clocks, Instant, was_there
from projections.rules.recurrence import NotComputableError

S = TypeVar("S", "Opening", "Version", "Window")

# How many openings, wordings and windows of one change count, of each: all that is deployed for it is judged again by each of them.
MOST: Final = 100


@dataclass(frozen=True)
class Opening:
    """One time that a change was opened."""

    said: Spoken
    change_type: str
    services: tuple[str, ...]
    environments: tuple[str, ...]


@dataclass(frozen=True)
class Version:
    """A scope as it was submitted or amended. `digest` is computed of all that it says; `stated` is what somebody said it were."""

    said: Spoken
    is_submitted: bool
    digest: str
    stated: str | None
    services: tuple[str, ...]
    environments: tuple[str, ...]
    artifacts: tuple[str, ...] = ()
    commits: tuple[str, ...] = ()
    plans: tuple[str, ...] = ()
    # Which it is for alone, of all that are in the environments.
    tenants: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    # All that it says, as JSON, where it was recorded before the change was opened: what it leaves out is not known yet.
    early: str | None = None
    # When it may be done, as it says itself; beside the window that the change is given (`Window`).
    window_start: Moment | None = None
    window_end: Moment | None = None

    def why_outside(self, time: Moment) -> str:
        """Say why it may not be done at a time, by its own window; or ""."""
        if (self.window_start or time) <= time <= (self.window_end or time):
            return ""
        ends = (("from", self.window_start), ("to", self.window_end))
        return f"its scope is for {' '.join(f'{word} {at}' for word, at in ends if at is not None)}"


@dataclass(frozen=True)
class Window:
    """A time that was planned for a change, or one that recurs: then `start` and `end` are of the first."""

    said: Spoken
    start: Moment
    end: Moment
    time_zone: str | None = None
    recurs: str | None = None
    except_at: tuple[Moment, ...] = ()

    @property
    def times(self) -> Times:
        return Times(self.start, self.end, self.time_zone, self.recurs, self.except_at)

    def __str__(self) -> str:
        again = f", again by {self.recurs}" if self.recurs is not None else ""
        return f"from {self.start} to {self.end}{again}"


@dataclass(frozen=True)
class ChangeScope:
    """One change's scope, as it was fixed last. `is_open` until it was cancelled or reviewed.

    `authors` are all who opened, submitted or amended it. `versions`, `windows` and `openings` are in the order of the record, as many as
    count; `uncounted_from` is the first entry that does not. A window is moved by whoever may (`_may_plan_anew`).
    """

    change_id: str
    change_type: str | None = None
    author: str | None = None
    authors: tuple[str, ...] = ()
    team: str | None = None
    services: tuple[str, ...] = ()
    environment: str | None = None
    environments: tuple[str, ...] = ()
    release_id: str | None = None
    template_id: str | None = None
    scope_digest: str | None = None
    scope_position: int | None = None
    artifacts: tuple[str, ...] = ()
    playbook_id: str | None = None
    playbook_version: str | None = None
    planned_start: Moment | None = None
    planned_end: Moment | None = None
    planned_position: int | None = None
    # Of a window that comes again: when it begins for the first time.
    recurs_from: Moment | None = None
    is_open: bool = True
    openings: tuple[Opening, ...] = ()
    versions: tuple[Version, ...] = ()
    windows: tuple[Window, ...] = ()
    uncounted_from: int | None = None
    # The first who gave it another window, and had no power to.
    not_planned: Spoken | None = None


change_scopes = View(
    "change_scopes",
    version=12,
    row=ChangeScope,
    kind="change",
    reads=READ_BY_POWERS,
    indexes=("release_id", "template_id", "recurs_from", "scope_digest"),
    doc="Scopes of changes: services, environments, artifacts by digest, and the planned window; every version of them.",
)


@change_scopes.on(ChangeOpened, key=lambda event: event.change_id)
def opened(row: ChangeScope, event: ChangeOpened, entry: EntryInfo) -> ChangeScope:
    if len(row.openings) >= MOST:
        return _uncounted(row, entry)
    named = (event.environment, *event.environments)
    environments = tuple(dict.fromkeys(name for name in named if name is not None))
    opening = Opening(spoken(entry, event.actor), event.change_type, event.services, environments)
    row = _by(replace(row, openings=(*row.openings, opening)), opening.said, entry.reads)
    if len(row.openings) > 1:
        return row
    row = replace(
        row,
        change_type=event.change_type,
        author=event.actor,
        team=event.team,
        services=event.services,
        environment=next(iter(environments), None),
        environments=environments,
        release_id=event.release_id,
        template_id=event.template_id,
    )
    row = replace(row, versions=tuple(_filled(row, version) for version in row.versions))
    return _of_version(row, _last(row.versions)) if row.versions else row


def _uncounted(row: ChangeScope, entry: EntryInfo) -> ChangeScope:
    return row if row.uncounted_from is not None else replace(row, uncounted_from=entry.position)


def _by(row: ChangeScope, said: Spoken, reads: Reads) -> ChangeScope:
    """Know who wrote a change: also whoever says in another's name that they did."""
    authors = tuple(dict.fromkeys((*row.authors, *names_behind(reads, said))))
    return replace(row, authors=authors)


def _version(row: ChangeScope, event: ScopeContent, said: Spoken, stated: str | None, *, submitted: bool) -> Version:
    """Return a wording of a scope. Where it names no services or environments, they are those that it was opened for."""
    services, environments = event.services or row.services, event.environments or row.environments
    content = {
        "change": row.change_id,
        "services": sorted(services),
        "environments": sorted(environments),
        "tenants": sorted(event.tenants),
        "regions": sorted(event.regions),
        "commits": sorted(event.commits),
        "artifacts": sorted(event.artifacts),
        "playbook": [event.playbook_id, event.playbook_version] if event.playbook_id else None,
        "template": event.template_id or row.template_id,
        "plans": sorted(event.plans),
        "window": [moment(time) if time else None for time in (event.window_start, event.window_end)]
        if event.window_start or event.window_end
        else None,
        "external_digests": sorted([digest.name, digest.digest] for digest in event.external_digests),
    }
    early = json.dumps(content) if not row.openings else None
    digest = content_digest(content)
    return Version(
        said,
        submitted,
        digest,
        stated,
        services,
        environments,
        event.artifacts,
        event.commits,
        event.plans,
        event.tenants,
        event.regions,
        early,
        *(moment(time) if time else None for time in (event.window_start, event.window_end)),
    )


def _filled(row: ChangeScope, version: Version) -> Version:
    """Return a version that came by a faster door than the opening, as it would be had it come after it."""
    if version.early is None:
        return version
    content = json.loads(version.early)
    services, environments = version.services or row.services, version.environments or row.environments
    content |= {"services": sorted(services), "environments": sorted(environments)}
    content["template"] = content["template"] or row.template_id
    return replace(version, services=services, environments=environments, digest=content_digest(content), early=None)


@change_scopes.on(ChangeSubmitted, key=lambda event: event.change_id)
def submitted(row: ChangeScope, event: ChangeSubmitted, entry: EntryInfo) -> ChangeScope:
    if len(row.versions) >= MOST:
        return _uncounted(row, entry)
    version = _version(row, event, spoken(entry, event.actor), event.scope_digest, submitted=True)
    row = replace(row, playbook_id=event.playbook_id, playbook_version=event.playbook_version)
    return _fixed(_by(row, version.said, entry.reads), version)


@change_scopes.on(ChangeScopeAmended, key=lambda event: event.change_id)
def amended(row: ChangeScope, event: ChangeScopeAmended, entry: EntryInfo) -> ChangeScope:
    if len(row.versions) >= MOST:
        return _uncounted(row, entry)
    version = _version(row, event, spoken(entry, event.actor), event.scope_digest, submitted=False)
    return _fixed(_by(row, version.said, entry.reads), version)


def _fixed(row: ChangeScope, version: Version) -> ChangeScope:
    row = replace(row, versions=(*row.versions, version))
    return _of_version(row, _last(row.versions))


def _of_version(row: ChangeScope, version: Version) -> ChangeScope:
    return replace(
        row,
        scope_digest=version.stated or version.digest,
        scope_position=version.said.position,
        artifacts=version.artifacts,
    )


def _last(said: Sequence[S]) -> S:
    """Return what was said last, by its own time."""
    return max(said, key=in_time)


@change_scopes.on(ChangeScheduled, key=lambda event: event.change_id)
def scheduled(row: ChangeScope, event: ChangeScheduled, entry: EntryInfo) -> ChangeScope:
    if len(row.windows) >= MOST:
        return _uncounted(row, entry)
    said = spoken(entry, event.actor)
    if row.windows and not _may_plan_anew(row, said, entry.reads):
        return row if row.not_planned is not None else replace(row, not_planned=said)
    window = Window(
        said,
        moment(event.planned_start),
        moment(event.planned_end),
        event.time_zone,
        event.recurs,
        event.except_at,
    )
    row = replace(row, windows=(*row.windows, window))
    last = _last(row.windows)
    return replace(
        row,
        planned_start=last.start,
        planned_end=last.end,
        planned_position=last.said.position,
        recurs_from=last.start if last.recurs is not None else None,
    )


def _may_plan_anew(row: ChangeScope, said: Spoken, reads: Reads) -> bool:
    """Say whether somebody moves the window of a change: whoever planned it, opened it or put it into words first, or who has the power to.

    Whoever only sends its scope once more is one of its authors, and plans nothing anew.
    """
    before = _last(row.windows).said
    if said.principal in (before.principal, *(opening.said.principal for opening in row.openings[:1])):
        return True
    if voice_fault(reads, said, "anybody"):
        return False
    first = [*(one.said for one in row.openings[:1]), *(one.said for one in row.versions[:1])]
    is_theirs = person_of(reads, said.speaker) in {person_of(reads, who.speaker) for who in first}
    return is_theirs or may_take_back(reads, ChangeScheduled.type, said, before)


@change_scopes.on(ChangeCancelled, key=lambda event: event.change_id)
def cancelled(row: ChangeScope, event: ChangeCancelled, entry: EntryInfo) -> ChangeScope:
    return replace(row, is_open=False)


@change_scopes.on(PirCompleted, key=lambda event: event.change_id)
def reviewed(row: ChangeScope, event: PirCompleted, entry: EntryInfo) -> ChangeScope:
    has_power = not fault_of_speaker(entry.reads, entry.type, spoken(entry, event.actor))
    return replace(row, is_open=False) if has_power else row


# -- asking a scope ------------------------------------------------------------------------------------------------------


def in_force_at(said: Sequence[S], instant: Instant | None, clocks: Clocks) -> S | None:
    """Return the last of several statements that was there when somebody acted; the last of all without an instant."""
    there = [one for one in said if instant is None or was_there(one.said, instant, clocks)]
    return max(there, key=in_time, default=None)


def worded_at(scope: ChangeScope, instant: Instant, clocks: Clocks) -> Version | None:
    """Return what a change was to do when somebody acted: its scope, or what it was opened for where none was fixed by then."""
    version = in_force_at(scope.versions, instant, clocks)
    if version is not None or not scope.openings:
        return version
    first = scope.openings[0]
    return Version(first.said, False, "", None, first.services, first.environments)


def plans_of(reads: Reads, change_id: str | None) -> tuple[str, ...]:
    """Return the plans of infrastructure that the scope of a change names last; none where it names none, or there is no change."""
    scope = reads.row(change_scopes, change_id) if change_id is not None else None
    return _last(scope.versions).plans if scope is not None and scope.versions else ()


def commits_of(reads: Reads, change_id: str | None) -> tuple[str, ...]:
    """Return the commits that the scope of a change names last; none where it names none, or there is no change."""
    scope = reads.row(change_scopes, change_id) if change_id is not None else None
    return _last(scope.versions).commits if scope is not None and scope.versions else ()


def planned(scope: ChangeScope) -> Window | None:
    """Return the window that a change was given last."""
    return _last(scope.windows) if scope.windows else None


def is_for(reads: Reads, environments: Sequence[str], environment: str | None, at: Moment) -> bool:
    """Say whether an environment is one of those that a scope names; where it names none, any is."""
    return not environments or any(is_meant(reads, name, environment, at) for name in environments)


# A service has seldom more open changes than this; older ones are not looked at.
_LATEST = 50


def found_for(
    reads: Reads, service: str, environment: str, artifact: str | None, time: Moment
) -> tuple[str, Literal["digest", "window"]] | None:
    """Return the one open change that a deployment without a change must belong to, and by what it was found.

    By `digest` when exactly one change names the artifact, else by `window` when exactly one is planned for that time.
    Where two fit, neither counts: a guess would hide a deployment without a change.
    """
    fitting = [
        scope
        for scope in reads.named(change_scopes, ChangeOpened, ref("service", service), limit=_LATEST)
        # An opening that was taken back, or was the second of its id, may have named the service.
        if scope.is_open and service in scope.services and is_for(reads, scope.environments, environment, time)
    ]
    named = [scope.change_id for scope in fitting if artifact is not None and artifact in scope.artifacts]
    due = [scope.change_id for scope in fitting if (window := planned(scope)) and not why_outside(window, time)]
    if len(named) == 1:
        return named[0], "digest"
    return (due[0], "window") if len(due) == 1 else None


def why_outside(window: Window, time: Moment) -> str:
    """Say why a time lies in none of a window's times; empty where it lies in one. No time lies in what cannot be computed."""
    try:
        return "" if covering(window.times, time) is not None else f"planned {window}"
    except NotComputableError as error:
        return f"planned {window}, which cannot be computed: {error}"

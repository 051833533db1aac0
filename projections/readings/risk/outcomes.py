"""Outcomes: what became of each change, as it is known now, and the base rates of failure that follow.

Where something was written of a change, what was observed counts before it: one that was rolled back, caused an incident, or failed
to be deployed in production and was not deployed later, failed, whatever a review says. Else the last word of each who wrote of it
stands, until somebody with the power says otherwise: a failure by any of them is one; of successes an explicit label counts before a
review. Base rates are kept by day, so that whoever asks can let old days count less. Longer than other files because a rate is the sum
of what the outcomes were, and goes along with each.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from ledger.conditions import Match
from ledger.events import ref
from ledger.events.change import ChangeLinked
from ledger.events.deployment import DeploymentFinished, DeploymentPromoted, DeploymentStarted
from ledger.events.incident import IncidentAttributed
from ledger.events.pir import PirCompleted
from ledger.events.risk import RiskOutcomeLabelled
from ledger.events.rollback import RollbackCompleted
from projections.engine.tally import Part, Tally
from projections.engine.view import EntryInfo, Moment, Reads, View, replace
from projections.readings.changes.scopes import ChangeScope, change_scopes
from projections.readings.delivery.deployments import deployments
from projections.readings.delivery.incidents import concerned, incidents
from projections.readings.delivery.placements import placements, undoing, undone_by, what_was_placed
from projections.readings.environments.environments import READ_BY_ASKING, canonical, is_production
from projections.readings.people.identities import person_of
from projections.readings.people.powers import fault_of_speaker
from projections.readings.people.replacing import acquits, has_power, last_words
from projections.readings.people.voices import spoken

Label = Literal["success", "failure"]
# What may show what became of a change.
OBSERVING: Final = (
    DeploymentStarted,
    DeploymentFinished,
    DeploymentPromoted,
    RollbackCompleted,
    IncidentAttributed,
    ChangeLinked,
)
EVERYTHING: Final = "all"


def scopes_of(reads: Reads, scope: ChangeScope, at: Moment) -> list[str]:
    """Return the scopes that a change counts in, the narrowest first."""
    environment = canonical(reads, scope.environment, at) if scope.environment else "any"
    found = [f"{service}/{environment}/{scope.change_type}" for service in scope.services]
    found += [f"service:{service}" for service in scope.services]
    found += [f"team:{scope.team}"] if scope.team else []
    found += [f"template:{scope.template_id}"] if scope.template_id else []
    return [*found, EVERYTHING]


@dataclass(frozen=True)
class Labelling:
    """One label that a change was given, by whose credential, and where; `is_own` if it speaks for whoever said it."""

    label: Label
    by: Literal["label", "review"]
    at: Moment
    position: int
    is_own: bool = False
    who: str = ""
    has_power: bool = False


@dataclass(frozen=True)
class Observed:
    """What was seen of a change: of one of its deployments, or an incident that the change as a whole is held to have caused."""

    what: Literal["deployed", "failed", "rolled back", "incident"]
    at: Moment
    position: int
    deployment_id: str | None = None
    service: str | None = None
    environment: str | None = None
    incident_id: str | None = None


@dataclass(frozen=True)
class Outcome:
    """What became of one change. `at` is when it was labelled first: a correction does not move it in time."""

    change_id: str
    label: Label | None = None
    by: Literal["label", "review", "observed"] | None = None
    at: Moment | None = None
    # What it counts in, the narrowest first: as the change's scope was known then.
    scopes: tuple[str, ...] = ()
    causes: tuple[str, ...] = ()
    position: int | None = None
    labellings: tuple[Labelling, ...] = ()
    observed: tuple[Observed, ...] = ()
    deployments: tuple[str, ...] = ()
    incidents: tuple[str, ...] = ()
    # What took the place of its deployments and names none of them, as refs.
    undone_by: tuple[str, ...] = ()


def told_by(row: Outcome) -> Iterator[str]:
    """Yield the refs by which entries show what became of a change, where they do not name it."""
    yield from row.undone_by
    yield from (ref("deployment", name) for name in row.deployments)
    yield from (ref("incident", name) for name in row.incidents)


def _entries_of(key: str, row: Outcome) -> list[Match]:
    return [Match(refs=(name,)) for name in (ref("change", key), *told_by(row))]


outcomes = View(
    "outcomes",
    version=8,
    row=Outcome,
    kind="change",
    entries_of=_entries_of,
    names=("deployments", "incidents", "undone_by"),
    reads=(change_scopes, placements, deployments, incidents, *READ_BY_ASKING),
    follows={placements: what_was_placed},
    indexes=("label",),
    doc="Outcomes of changes: success or failure, who said so, and how the label was corrected.",
)


def failures(row: Outcome) -> tuple[Observed, ...]:
    """Return what was observed of a change that makes it a failed one. One that was repeated, and then succeeded, does not count."""
    last = {(seen.service, seen.environment): seen.at for seen in row.observed if seen.what == "deployed"}
    return tuple(
        seen
        for seen in row.observed
        if seen.what in ("rolled back", "incident")
        or (seen.what == "failed" and last.get((seen.service, seen.environment), "") < seen.at)
    )


def written(row: Outcome) -> Labelling | None:
    """Return what was written of a change, and counts where nothing was observed."""
    return current_labelling(row.labellings) if row.labellings else None


def _labelled(row: Outcome, entry: EntryInfo) -> Outcome:
    """Say what the label is by now. Nobody is asked before something was written; then what was observed wins."""
    if (said := written(row)) is None:
        return row
    if failed := failures(row):
        row = replace(row, label="failure", by="observed", position=failed[-1].position)
    else:
        row = replace(row, label=said.label, by=said.by, position=said.position)
    if row.at is not None:
        return row
    scope = entry.reads.row(change_scopes, row.change_id)
    return replace(
        row,
        at=entry.time,
        scopes=tuple(scopes_of(entry.reads, scope, entry.time)) if scope is not None else (EVERYTHING,),
    )


def _told(
    row: Outcome,
    label: Label,
    by: Literal["label", "review"],
    event: RiskOutcomeLabelled | PirCompleted,
    entry: EntryInfo,
) -> Outcome:
    said = spoken(entry, event.actor)
    is_own = label == "success" and not acquits(entry.reads, entry.type, said, _own(row, entry))
    may = has_power(entry.reads, entry.type, said)
    told = Labelling(label, by, entry.time, entry.position, is_own, said.principal, may)
    return _labelled(replace(row, labellings=(*row.labellings, told)), entry)


def _own(row: Outcome, entry: EntryInfo) -> set[str]:
    """Return the persons who wrote a change, or deployed it, as far as that is known by then."""
    scope = entry.reads.row(change_scopes, row.change_id)
    who = set(scope.authors) if scope is not None else set()
    for name in row.deployments:
        deployed = entry.reads.row(deployments, name)
        for act in deployed.acts if deployed is not None else ():
            who |= {name for name in (act.actor, act.reported_by) if name is not None}
    return {person_of(entry.reads, name) for name in who}


def current_labelling(labellings: Sequence[Labelling]) -> Labelling:
    """Return the one that counts, of the last word of each, and of others than it speaks for, if any: a failure; else the last explicit
    label, else what the last review said.
    """
    others = [labelling for labelling in labellings if not labelling.is_own]
    standing = last_words((one.who, one.has_power, one) for one in others or labellings)
    return max(standing, key=lambda one: (one.label == "failure", one.by == "label", one.position))


@outcomes.on(RiskOutcomeLabelled, key=lambda event: event.change_id)
def labelled(row: Outcome, event: RiskOutcomeLabelled, entry: EntryInfo) -> Outcome:
    if fault_of_speaker(entry.reads, entry.type, spoken(entry, event.actor)):
        return row
    return _told(replace(row, causes=event.causes), event.label, "label", event, entry)


@outcomes.on(PirCompleted, key=lambda event: event.change_id)
def reviewed(row: Outcome, event: PirCompleted, entry: EntryInfo) -> Outcome:
    """A change failed when it had to be undone, or hurt somebody; "with issues" is not yet a failure."""
    if fault_of_speaker(entry.reads, entry.type, spoken(entry, event.actor)):
        return row
    failed = event.rolled_back or event.caused_incidents or event.outcome in ("unsuccessful", "backed_out")
    return _told(row, "failure" if failed else "success", "review", event, entry)


def changes_observed(event: Any, entry: EntryInfo) -> tuple[str, ...]:
    """The changes of the deployments that an entry is about, or of an incident's causes, now and before."""
    names, changes = _about(event, entry)
    rows = (entry.reads.row(deployments, name) for name in names)
    return tuple(dict.fromkeys((*changes, *(row.change_id for row in rows if row is not None and row.change_id))))


def _about(event: Any, entry: EntryInfo) -> tuple[tuple[str, ...], tuple[str, ...]]:
    if isinstance(event, IncidentAttributed):
        return concerned(event, entry.reads)
    return tuple(name for name in (event.deployment_id, undone_by(event, entry)) if name is not None), ()


@outcomes.on(*OBSERVING, key=changes_observed)
def observed(row: Outcome, event: Any, entry: EntryInfo) -> Outcome:
    names, _ = _about(event, entry)
    incident = event.incident_id if isinstance(event, IncidentAttributed) else None
    kept = [
        seen
        for seen in row.observed
        if seen.deployment_id not in names and (seen.deployment_id is not None or seen.incident_id != incident)
    ]
    seen = [one for name in names for one in _seen_of(row, name, entry)]
    found = entry.reads.row(incidents, incident) if incident is not None else None
    if found is not None and found.deployment_id is None and found.change_id == row.change_id:
        seen.append(Observed("incident", found.detected_at or entry.time, entry.position, incident_id=incident))
    before = {(one.what, one.deployment_id, one.incident_id): one for one in row.observed}
    # What was seen before keeps the entry that showed it.
    seen = [
        known if (known := before.get((one.what, one.deployment_id, one.incident_id))) and known.at == one.at else one
        for one in seen
    ]
    if undone_by(event, entry) is not None and (name := undoing(event)) not in row.undone_by:
        row = replace(row, undone_by=(*row.undone_by, name or ""))
    row = replace(
        row,
        observed=tuple(sorted((*kept, *seen), key=lambda one: (one.position, one.what, one.incident_id or ""))),
        deployments=tuple(dict.fromkeys((*row.deployments, *names))),
        incidents=tuple(dict.fromkeys((*row.incidents, incident))) if incident is not None else row.incidents,
    )
    return _labelled(row, entry)


def _seen_of(row: Outcome, deployment_id: str, entry: EntryInfo) -> Iterator[Observed]:
    """Yield what is known of a deployment, where it is the change's. What is tried elsewhere than in production may fail."""
    found = entry.reads.row(deployments, deployment_id)
    if found is None or found.change_id != row.change_id:
        return
    about: dict[str, Any] = {
        "position": entry.position,
        "deployment_id": deployment_id,
        "service": found.service,
        "environment": found.environment,
    }
    for incident_id in found.incidents:
        yield Observed("incident", entry.time, incident_id=incident_id, **about)
    began = found.started_at or found.finished_at or entry.time
    if found.environment is not None and not is_production(entry.reads, found.environment, began):
        return
    if found.rolled_back_at is not None:
        yield Observed("rolled back", found.rolled_back_at, **about)
    if found.outcome in ("success", "failure", "error") and found.finished_at is not None:
        yield Observed("deployed" if found.outcome == "success" else "failed", found.finished_at, **about)


# -- base rates ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Day:
    """What was labelled of one day's changes: how many, and how many of them failed."""

    date: str
    changes: int
    failures: int


@dataclass(frozen=True)
class BaseRate:
    """How many changes of a scope failed: of a service in an environment and a type, a service, a team, a template, or all."""

    scope: str
    changes: int = 0
    failures: int = 0
    days: tuple[Day, ...] = ()


def _parts(row: Outcome) -> dict[str, Part]:
    """A change counts once in each of its scopes, on the day of its first label."""
    return dict.fromkeys(row.scopes, (row.at[:10], row.label == "failure")) if row.at is not None else {}


def _added(row: BaseRate, part: Part, count: int) -> BaseRate:
    date, is_failure = str(part[0]), part[1]
    failed = count if is_failure else 0
    days = row.days
    # Labels come in about the order of what they are of: mostly the last day is the one.
    place = len(days) - 1 if days and days[-1].date == date else bisect_left(days, date, key=lambda day: day.date)
    is_known = place < len(days) and days[place].date == date
    day = days[place] if is_known else Day(date, 0, 0)
    now = Day(date, day.changes + count, day.failures + failed)
    days = days[:place] + ((now,) if now.changes else ()) + days[place + is_known :]
    return replace(row, changes=row.changes + count, failures=row.failures + failed, days=days)


base_rates = Tally(
    "base_rates",
    version=3,
    row=BaseRate,
    kind="base_rate",
    of=outcomes,
    parts=_parts,
    add=_added,
    doc="Base rates of failure: labelled changes by day, for every service, team and template.",
)


def failures_of_template(reads: Reads, template_id: str) -> int:
    """Return how many changes of a template failed."""
    row = reads.row(base_rates, f"template:{template_id}")
    return row.failures if row else 0

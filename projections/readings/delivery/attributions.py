"""Attributions: which deployments the ledger itself holds possible for each incident, beside what methods said and people confirmed.

By the method of `projections.rules.attribution`, with the settings of the policy at the time of the incident, from what was on
record at the last entry about it. A suspicion is no cause: that is what was confirmed, in `incidents`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from ledger.conditions import Match
from ledger.events import Event, ref
from ledger.events.deployment import DeploymentFinished, DeploymentStarted
from ledger.events.incident import IncidentAttributed, IncidentDetected, IncidentOpened, IncidentResolved
from projections.engine.tally import Part, Tally
from projections.engine.view import EntryInfo, Moment, Reads, View, replace, seconds_between
from projections.engine.view import Number as Share
from projections.readings.delivery.deployments import Deployment, deployments
from projections.readings.delivery.incidents import Attribution, Incident, Suspect, incidents, is_caused_by
from projections.readings.people.policies import in_force, policies
from projections.readings.people.settings import Number
from projections.rules.attribution import METHOD, VERSION, Possible, Shares, attributed
from projections.rules.figures import share

WINDOW: Final = Number(
    "attribution-window-minutes",
    "after how many minutes a deployment is held for an incident with e times less weight",
    default=120,
)
NONE: Final = Number(
    "attribution-none-percent",
    "the weight that nothing which was deployed caused an incident, in percent of a deployment with its labels at its time",
    default=10,
)
# So many of the last deployments of the service, and of the environment, are asked about; so many candidates are kept.
ASKED: Final = 40
KEPT: Final = 10


@dataclass(frozen=True)
class Said:
    """What one version of a method said last of an incident: a deployment, or none of them."""

    method_id: str
    deployment_id: str | None
    # Whether the ledger's own method says the same.
    agrees: bool
    # Whether what was confirmed is the same; None where nothing is confirmed.
    is_right: bool | None = None


@dataclass(frozen=True)
class Attributed:
    """One incident. `candidates` and `none_score` are the ledger's own; `said` is what every method said, the ledger's among them."""

    incident_id: str
    method: str = METHOD
    method_version: str = VERSION
    detected_at: Moment | None = None
    window_minutes: int = WINDOW.default
    none_percent: int = NONE.default
    candidates: tuple[Suspect, ...] = ()
    none_score: Share | None = None
    named: str | None = None
    is_confirmed: bool = False
    deployment_id: str | None = None
    change_id: str | None = None
    said: tuple[Said, ...] = ()


attributions = View(
    "attributions",
    version=3,
    row=Attributed,
    kind="incident",
    reads=(deployments, incidents, policies),
    # What was deployed to the same service or environment may have caused it.
    follows={
        deployments: lambda row: [
            Match(refs=(ref(kind, name),)) for kind, name in _labels(row).items() if kind != "artifact"
        ]
    },
    indexes=("named", "deployment_id"),
    doc="Attributions: which deployments may have caused each incident, by the ledger's method and by others, and what was confirmed.",
)


@attributions.on(
    IncidentDetected, IncidentOpened, IncidentAttributed, IncidentResolved, key=lambda event: event.incident_id
)
def told(row: Attributed, event: Event, entry: EntryInfo) -> Attributed:
    incident = entry.reads.row(incidents, row.incident_id)
    if incident is None:
        return row
    began = incident.detected_at or incident.opened_at
    policy = in_force(entry.reads, began or entry.recorded_at)
    window, none = policy.number(WINDOW), policy.number(NONE)
    possible = {one.name: one for one in _possible(incident, began, entry.reads)} if began else {}
    shares = attributed(_labels(incident), possible.values(), 60 * window, none)
    named = {**_named_before(incident), f"{METHOD}/{VERSION}": shares.named}
    return replace(
        row,
        detected_at=began,
        window_minutes=window,
        none_percent=none,
        candidates=tuple(Suspect(*candidate) for candidate in shares.candidates[:KEPT]),
        none_score=shares.none,
        named=shares.named,
        is_confirmed=incident.confirmed is not None,
        deployment_id=incident.deployment_id,
        change_id=incident.change_id,
        said=tuple(
            Said(method, name, name == shares.named, _is_right(incident, name, entry.reads))
            for method, name in sorted(named.items())
        ),
    )


def _possible(incident: Incident, began: Moment, reads: Reads) -> Iterator[Possible]:
    about = [ref(kind, name) for kind, name in _labels(incident).items() if kind != "artifact"]
    for event in (DeploymentStarted, DeploymentFinished):
        for name in about:
            for row in reads.named(deployments, event, name, ASKED):
                seconds = seconds_between(row.started_at or row.finished_at, began)
                if seconds is not None:
                    yield Possible(row.deployment_id, _labels(row), seconds)


def _labels(row: Incident | Deployment) -> dict[str, str]:
    labels = {"service": row.service, "environment": row.environment, "artifact": row.artifact}
    return {name: value for name, value in labels.items() if value is not None}


def _named_before(incident: Incident) -> dict[str, str | None]:
    """Return what each version of a method named last. What is confirmed is no suspicion."""
    said = (a for a in incident.attributions if not a.is_confirmed and not a.fault)
    return {f"{a.method}/{a.method_version}": _named(a) for a in said}


def _named(said: Attribution) -> str | None:
    if said.deployment_id is not None:
        return said.deployment_id
    likeliest = sorted(said.candidates, key=lambda candidate: (-Decimal(candidate.score), candidate.deployment_id))
    return Shares(tuple((c.deployment_id, c.score) for c in likeliest), said.none_score or "0").named


def _is_right(incident: Incident, name: str | None, reads: Reads) -> bool | None:
    if incident.confirmed is None:
        return None
    if name is None:
        return incident.deployment_id is None and incident.change_id is None
    row = reads.row(deployments, name)
    return incident.deployment_id == name or (row is not None and is_caused_by(incident, row))


# -- how good the methods are ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class AttributionMethod:
    """One version of a method, over the incidents of which a cause was confirmed.

    `precision` is the share of what it named that was right; `recall` the share of the incidents caused by a deployment that it named.
    """

    method_id: str
    incidents: int = 0
    caused: int = 0
    named: int = 0
    right: int = 0
    precision: Share | None = None
    recall: Share | None = None


def _parts(row: Attributed) -> dict[str, Part]:
    if not row.is_confirmed:
        return {}
    is_caused = row.deployment_id is not None or row.change_id is not None
    return {
        said.method_id: (
            is_caused,
            said.deployment_id is not None,
            said.deployment_id is not None and bool(said.is_right),
        )
        for said in row.said
    }


def _added(row: AttributionMethod, part: Part, count: int) -> AttributionMethod:
    caused, named, right = (
        before + count * bool(is_so) for before, is_so in zip((row.caused, row.named, row.right), part, strict=True)
    )
    return replace(
        row,
        incidents=row.incidents + count,
        caused=caused,
        named=named,
        right=right,
        precision=share(right, named),
        recall=share(right, caused),
    )


attribution_methods = Tally(
    "attribution_methods",
    version=1,
    row=AttributionMethod,
    kind="attribution_method",
    of=attributions,
    parts=_parts,
    add=_added,
    doc="Methods of attribution: of the incidents with a confirmed cause, how often each named it, and how often it was wrong.",
)

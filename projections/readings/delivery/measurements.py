"""Measurements of services, a metric and a day (UTC) a row, so that a year of them costs what they are; and what was said that fired.

Whether a trigger was due is a rule's to say, of these.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from ledger.conditions import Match
from ledger.events import ref
from ledger.events.metric import MetricMeasured
from ledger.events.rollback import RollbackTriggerFired
from projections.engine.view import EntryInfo, Moment, Number, Reads, View, moment, replace
from projections.readings.environments.environments import same_environment
from projections.readings.people.powers import fault_of_speaker
from projections.readings.people.voices import Spoken, spoken


@dataclass(frozen=True)
class Measurement:
    """A value over a time, by so many samples."""

    begin: Moment
    end: Moment
    value: Number
    samples: int
    environment: str
    said: Spoken


@dataclass(frozen=True)
class MeasuredDay:
    """What was measured of one metric of one service in times that ended on one day. The key is `day/metric/service`."""

    measured_day: str
    measurements: tuple[Measurement, ...] = ()


def _key(service: str, metric: str, day: str) -> str:
    # A service may have a slash in its name, and stands last; a day has none.
    return f"{day}/{metric.replace('/', '%2F')}/{service}"


measured_days = View(
    "measured_days",
    version=1,
    row=MeasuredDay,
    kind="measured_day",
    entries_of=lambda key, row: (Match((MetricMeasured.type,), (ref("service", key.split("/", 2)[-1]),)),),
    doc="Measurements of services, a metric and a day a row: values over times, by how many samples, and who said so.",
)


@measured_days.on(MetricMeasured, key=lambda event: _key(event.service, event.metric, moment(event.end)[:10]))
def measured(row: MeasuredDay, event: MetricMeasured, entry: EntryInfo) -> MeasuredDay:
    measurement = Measurement(
        moment(event.start),
        moment(event.end),
        event.value,
        event.samples,
        event.environment,
        spoken(entry, event.actor),
    )
    return replace(row, measurements=(*row.measurements, measurement))


def measurements_of(
    reads: Reads, service: str, metric: str, environment: str, since: Moment, until: Moment
) -> list[Measurement]:
    """Return what was measured of a service somewhere in times that ended between two times, by whoever may say so."""
    return [
        measurement
        for day in _days(since, until)
        if (row := reads.row(measured_days, _key(service, metric, day))) is not None
        for measurement in row.measurements
        if since <= measurement.end <= until
        and same_environment(reads, measurement.environment, environment, measurement.end)
        and not fault_of_speaker(reads, MetricMeasured.type, measurement.said, measurement.environment)
    ]


def _days(since: Moment, until: Moment) -> Iterator[str]:
    day, last = date.fromisoformat(since[:10]), date.fromisoformat(until[:10])
    for number in range((last - day).days + 1):
        yield (day + timedelta(days=number)).isoformat()


# -- what fired ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Firing:
    """One time that a trigger was said to have fired, named by its position."""

    firing: str
    trigger_id: str | None = None
    version: str | None = None
    service: str | None = None
    environment: str | None = None
    deployment_id: str | None = None
    measured: Number | None = None
    samples: int | None = None
    said: Spoken | None = None


trigger_firings = View(
    "trigger_firings",
    version=1,
    row=Firing,
    kind="trigger_firing",
    # No ref names one by its position.
    entries_of=lambda key, row: (Match((RollbackTriggerFired.type,)),),
    indexes=("trigger_id", "service", "deployment_id"),
    doc="Triggers that were said to have fired: by which measurement, for which deployment, and who said so.",
)


@trigger_firings.on(RollbackTriggerFired, key=lambda event, entry: str(entry.position))
def fired(row: Firing, event: RollbackTriggerFired, entry: EntryInfo) -> Firing:
    return replace(
        row,
        trigger_id=event.trigger_id,
        version=event.version,
        service=event.service,
        environment=event.environment,
        deployment_id=event.deployment_id,
        measured=event.measured,
        samples=event.samples,
        said=spoken(entry, event.actor),
    )

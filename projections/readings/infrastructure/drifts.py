"""Drift: what is not as it was applied, since when, and what ended it; of plans, for each environment and service that they are of.

A resource is found drifted once, and stays so until a later plan that is whole shows it gone. One that comes and goes within hours is
one drift, and not many.

    plan 09:00 nothing, 10:00 web drifted        web, since 10:00: it happened after 09:00
    plan 11:00 of a part, 12:00 errored          web still: neither of them shows it gone
    plan 13:00 nothing                           gone after three hours; by a change, where one was applied in between
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from ledger.conditions import Match
from ledger.events import ref
from ledger.events.iac import PlanApplied, PlanProduced
from projections.engine.derived import Judged
from projections.engine.reads import Look
from projections.engine.view import EntryInfo, Moment, View, later, replace, seconds_between
from projections.readings.environments.environments import READ_BY_ASKING, same_environment
from projections.readings.infrastructure.plans import Plan, plan_applications, plan_changes, plans
from projections.readings.people.policies import in_force_now
from projections.readings.people.settings import Number
from projections.readings.people.voices import Spoken, spoken
from projections.rules.environments import compared
from projections.rules.figures import mean

DRIFT_FLAP_HOURS: Final = Number(
    "drift-flap-hours", "within how many hours what drifted, was gone and is back is one drift", default=24
)
# How many plans of a series, and applications of a service, are looked at; and how many drifts that are gone are shown: the last ones.
PLANS: Final = 200
LATEST: Final = 64


@dataclass(frozen=True)
class PlanSeen:
    """One plan of a series."""

    plan: str
    said: Spoken


@dataclass(frozen=True)
class PlanSeries:
    """All plans of one environment and service, in the order of the record. The key is `environment/service`."""

    series: str
    environment: str | None = None
    service: str | None = None
    seen: tuple[PlanSeen, ...] = ()


def _series(event: PlanProduced) -> str | None:
    return f"{compared(event.environment)}/{event.service or ''}" if event.environment is not None else None


plan_series = View(
    "plan_series",
    version=1,
    row=PlanSeries,
    kind="plan_series",
    # Entries write an environment in any spelling.
    entries_of=lambda key, row: (Match((PlanProduced.type,)),),
    indexes=("service",),
    doc="Series of plans: all of one environment and service, one after the other.",
)


@plan_series.on(PlanProduced, key=_series)
def produced(row: PlanSeries, event: PlanProduced, entry: EntryInfo) -> PlanSeries:
    return replace(
        row,
        environment=row.environment or event.environment,
        service=event.service,
        seen=(*row.seen, PlanSeen(event.plan, spoken(entry, event.actor))),
    )


# -- what drifted --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Drifted:
    """One resource that drifted: after which plan that did not show it, since when, how often it came back, until when, by what."""

    address: str
    since: Moment
    position: int
    # None where no plan before shows it as it was applied.
    after: Moment | None = None
    times: int = 1
    seen_at: Moment = ""
    gone_at: Moment | None = None
    gone_position: int | None = None
    seconds: int | None = None
    change_id: str | None = None


@dataclass(frozen=True)
class Drift:
    """What drifted of one environment and service: what still is, and what was; and how long it took to be gone, on the average."""

    series: str
    environment: str | None = None
    service: str | None = None
    is_drifted: bool = False
    open: tuple[Drifted, ...] = ()
    gone: tuple[Drifted, ...] = ()
    mean_s: int | None = None
    planned_at: Moment | None = None


drifts = Judged(
    "drifts",
    version=1,
    row=Drift,
    of=plan_series,
    reads=(plans, plan_changes, plan_applications, *READ_BY_ASKING),
    indexes=("service", "is_drifted"),
    doc="Drift: which resources are not as they were applied, since when; what is gone again, by which change, and after how long.",
)


@drifts.by
def drift(row: PlanSeries, look: Look) -> Drift:
    """What drifted of one series of plans, and what is gone again."""
    flap = in_force_now(look).number(DRIFT_FLAP_HOURS)
    standing: dict[str, Drifted] = {}
    gone: list[Drifted] = []
    before: Moment | None = None
    for seen in sorted(row.seen[-PLANS:], key=lambda one: (one.said.at, one.said.position)):
        plan = look.row(plans, seen.plan)
        if plan is None or plan.errored:
            continue
        found = set(_addresses(look, plan))
        for address in sorted(found):
            standing[address] = _again(standing.get(address), address, seen.said, before, flap, gone)
        if not _shows_all(plan, len(found)):
            continue
        before = seen.said.at
        for address in sorted(set(standing) - found):
            if standing[address].gone_at is None:
                standing[address] = _gone(look, row, standing[address], seen.said)
    for address, one in list(standing.items()):
        # What came back before may come back again: it is gone when it has been for long enough.
        if one.gone_at is not None and (one.times == 1 or look.has_come(later(one.gone_at, hours=flap))):
            gone.append(standing.pop(address))
    gone.sort(key=lambda one: (one.gone_at or "", one.address))
    took = [one.seconds for one in gone if one.seconds is not None]
    return Drift(
        row.series,
        row.environment,
        row.service,
        bool(standing),
        tuple(standing[address] for address in sorted(standing)),
        tuple(gone[-LATEST:]),
        mean(sorted(took)),
        before,
    )


def _addresses(look: Look, plan: Plan) -> Iterator[str]:
    for part in (0, *plan.seen):
        told = look.row(plan_changes, f"{plan.plan}/{part}")
        yield from (change.address for change in (told.changes if told is not None else ()) if change.drifted)


def _shows_all(plan: Plan, found: int) -> bool:
    """Say whether a plan shows all that drifted: it is whole, as far as its tool says, and all of it came."""
    return plan.complete is not False and not plan.missing and found >= plan.drifted


def _again(
    known: Drifted | None, address: str, said: Spoken, before: Moment | None, flap: int, gone: list[Drifted]
) -> Drifted:
    if known is None or (known.gone_at is not None and said.at > later(known.gone_at, hours=flap)):
        if known is not None:
            gone.append(known)
        return Drifted(address, said.at, said.position, before, seen_at=said.at)
    times = known.times + (known.gone_at is not None)
    return replace(known, times=times, seen_at=said.at, gone_at=None, gone_position=None, seconds=None, change_id=None)


def _gone(look: Look, row: PlanSeries, known: Drifted, said: Spoken) -> Drifted:
    """Return a drift that a plan shows no more, with the change that was applied between."""
    change_id = None
    about = ref("service", row.service) if row.service is not None else None
    for applied in look.named(plan_applications, PlanApplied, about, limit=LATEST):
        if applied.said is None or applied.outcome != "success" or not known.seen_at <= applied.said.at <= said.at:
            continue
        if same_environment(look, applied.environment, row.environment, said.at):
            change_id = applied.change_id
            break
    return replace(
        known,
        gone_at=said.at,
        gone_position=said.position,
        seconds=seconds_between(known.since, said.at),
        change_id=change_id,
    )

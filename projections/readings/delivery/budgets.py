"""Objectives and their error budgets: what was promised of services, what was measured, who halted releases or let them through.

Measurements of a day are a row, so that a year of them costs what they are; and what of a budget is spent at an instant is computed of
those that were on record by then. What a day comes to is kept, and within a day of what was told together (`TOGETHER`): one more
measurement has its own few weighed again, and not the window.

Nobody's measurements thin another's: what each principal measured is an account of its own, and of several the one by which most is spent
counts. Who has the power to say so against others (`replacing`) shares one account with all who do, and may correct what that says.

    monitoring   100 of 10,000 bad     spent 10 times over     counts
    ci           0 of 1,000,000 bad    nothing is spent        takes nothing from it, whatever times it is of

Longer than other files because a budget is one story: what was promised, what was measured, and what that comes to.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Final, NamedTuple

from ledger.conditions import AFTER_ALL, Match
from ledger.events import ref
from ledger.events.error_budget import ErrorBudgetMeasured, Unit
from ledger.events.release_policy import ReleaseAction, ReleasePolicyApplied
from ledger.events.slo import Budgeting, SloPublished
from projections.engine.answers import kept
from projections.engine.derived import Judged
from projections.engine.reads import Look
from projections.engine.view import EntryInfo, Moment, Number, Reads, View, later, moment, replace
from projections.readings.delivery.deployments import deployments, done_to
from projections.readings.environments.environments import READ_BY_ASKING, is_meant, is_production
from projections.readings.people.powers import READ_BY_POWERS, can_never_count, fault_of_speaker
from projections.readings.people.replacing import has_power, standing
from projections.readings.people.speaking import clocks_of
from projections.readings.people.voices import Spoken, in_time, spoken
from projections.rules.budgets import Promise, Stretch, spent, spent_between, stretches, strung
from projections.rules.leave import AS_THINGS_STAND, FOR_EVER, Clocks, Instant, is_on_record, was_there

# How many objectives of a service are looked at, and how many times that releases by one were halted or let through: the last ones.
AT_MOST: Final = 500
# So many measurements of a day, one after the other on record, are weighed together.
TOGETHER: Final = 64
Measured = Stretch["Believed"]
Accounts = tuple[tuple[str, Measured], ...]
# The account of whoever has the power; others' are named by their principals.
POWER: Final = ""


@dataclass(frozen=True)
class Objective:
    """What was promised, each time that it was said."""

    said: Spoken
    service: str
    environment: str | None
    method: Budgeting
    target: Number
    window_days: int
    slice_s: int | None = None
    slice_target: Number | None = None

    @property
    def promise(self) -> Promise:
        return Promise(self.method, self.target, self.window_days, self.slice_s, self.slice_target)


@dataclass(frozen=True)
class Applied:
    """Releases were halted, or let through, until a time."""

    action: ReleaseAction
    until: Moment
    said: Spoken


@dataclass(frozen=True)
class Slo:
    """One objective, as it was published last; and every wording of it."""

    slo_id: str
    service: str | None = None
    environment: str | None = None
    method: Budgeting | None = None
    target: Number | None = None
    window_days: int | None = None
    slice_s: int | None = None
    slice_target: Number | None = None
    # The end of what was measured last.
    measured_until: Moment | None = None
    objectives: tuple[Objective, ...] = ()
    applied: tuple[Applied, ...] = ()


slos = View(
    "slos",
    version=2,
    row=Slo,
    kind="slo",
    reads=READ_BY_POWERS,
    indexes=("service",),
    doc="Objectives of services: target, method and window, every wording of them; and who halted releases, or let them through.",
)


@slos.on(SloPublished, key=lambda event: event.slo_id)
def published(row: Slo, event: SloPublished, entry: EntryInfo) -> Slo:
    objective = Objective(
        spoken(entry, event.actor),
        event.service,
        event.environment,
        event.method,
        event.target,
        event.window_days,
        event.slice_s,
        event.slice_target,
    )
    return replace(
        row,
        service=event.service,
        environment=event.environment,
        method=event.method,
        target=event.target,
        window_days=event.window_days,
        slice_s=event.slice_s,
        slice_target=event.slice_target,
        objectives=(*row.objectives, objective),
    )


@slos.on(ErrorBudgetMeasured, key=lambda event: event.slo_id)
def measured(row: Slo, event: ErrorBudgetMeasured, entry: EntryInfo) -> Slo:
    # Of a time that has not come nothing was measured.
    until = min(moment(event.end), entry.recorded_at)
    return replace(row, measured_until=max(row.measured_until or "", until))


@slos.on(ReleasePolicyApplied, key=lambda event: event.slo_id)
def applied(row: Slo, event: ReleasePolicyApplied, entry: EntryInfo) -> Slo:
    said = spoken(entry, event.actor)
    # However much is said by who may not, it pushes nothing out.
    if can_never_count(entry.reads, event.type, said):
        return row
    return replace(row, applied=(*row.applied, Applied(event.action, moment(event.until), said)))


# -- measurements --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class BudgetMeasured:
    """One measurement: how many there were in a time, and how many of them were good."""

    begin: Moment
    end: Moment
    unit: Unit
    good: Number
    total: Number
    said: Spoken

    @property
    def position(self) -> int:
        return self.said.position

    @property
    def recorded_at(self) -> Moment:
        return self.said.recorded_at


@dataclass(frozen=True)
class Believed(BudgetMeasured):
    """A measurement that counts, and whether whoever made it has the power to say otherwise than before."""

    may_correct: bool = False

    @property
    def account(self) -> str:
        return POWER if self.may_correct else self.said.principal


@dataclass(frozen=True)
class SloDay:
    """What was measured for an objective in times that ended on one day (UTC), in the order of the record. The key is `SLO/day`."""

    slo_day: str
    measurements: tuple[BudgetMeasured, ...] = ()


def _key(slo_id: str, day: str) -> str:
    return f"{slo_id}/{day}"


slo_days = View(
    "slo_days",
    version=1,
    row=SloDay,
    kind="slo_day",
    entries_of=lambda key, row: (Match((ErrorBudgetMeasured.type,), (ref("slo", key.rpartition("/")[0]),)),),
    doc="Measurements for objectives, a day a row: how many there were in which time, and how many of them were good.",
)


@slo_days.on(ErrorBudgetMeasured, key=lambda event: _key(event.slo_id, moment(event.end)[:10]))
def measured_on(row: SloDay, event: ErrorBudgetMeasured, entry: EntryInfo) -> SloDay:
    measurement = BudgetMeasured(
        moment(event.start), moment(event.end), event.unit, event.good, event.total, spoken(entry, event.actor)
    )
    return replace(row, measurements=(*row.measurements, measurement))


# -- asking a budget -----------------------------------------------------------------------------------------------------


def objectives_at(reads: Reads, slo: Slo, instant: Instant, clocks: Clocks) -> list[Objective]:
    """Return what stands of what was promised when something was done, as was on record by then: nobody softens another's promise."""
    there = (objective for objective in slo.objectives if was_there(objective.said, instant, clocks))
    return standing(reads, SloPublished.type, there)


class Spent(NamedTuple):
    """How many times of a budget is spent, None where nothing says it; by which measurements; and until when anything was measured."""

    share: Decimal | None
    measured: list[Measured]
    until: Moment


def spent_at(reads: Reads, slo: Slo, objective: Objective, instant: Instant) -> Spent:
    """Return what is spent by what was measured in the window that ends at an instant, as far as it was on record by then."""
    accounts = _accounts_at(reads, slo, objective, instant)
    told = {account: (spent(objective.promise, measured), measured) for account, measured in accounts.items()}
    telling = {account: (share, measured) for account, (share, measured) in told.items() if share is not None}
    if not telling:
        return Spent(None, next(iter(accounts.values()), []), "")
    share, measured = max(telling.values(), key=lambda one: one[0])
    # Where somebody with the power measures, nobody else keeps that going.
    going = [telling[POWER]] if POWER in telling else telling.values()
    return Spent(share, measured, max(measured[-1].counted[-1].end for _, measured in going))


def _accounts_at(reads: Reads, slo: Slo, objective: Objective, instant: Instant) -> dict[str, list[Measured]]:
    since = later(instant.at, hours=-24 * min(objective.window_days, 366))

    def seen(stretch: Measured) -> Measured | list[Believed]:
        if since <= stretch.begin and stretch.end <= instant.at and stretch.recorded_at <= instant.by:
            return stretch
        return [
            measured
            for measured in stretch.told
            if since <= measured.begin and measured.end <= instant.at and is_on_record(measured.said, instant)
        ]

    parts: dict[str, list[Measured | list[Believed]]] = defaultdict(list)
    for day in _days(since, instant.at):
        for account, stretch in _of_day(reads, _key(slo.slo_id, day), objective.promise):
            parts[account].append(seen(stretch))
    found = {account: stretches(objective.promise, some) for account, some in parts.items()}
    return {account: measured for account, measured in found.items() if measured}


@kept
def _of_day(reads: Reads, key: str, promise: Promise) -> Accounts:
    """Return what counts of a day's measurements, of all that are on record, by account."""
    row = reads.row(slo_days, key)
    told = row.measurements if row is not None else ()
    parts: dict[str, list[Measured | list[Believed]]] = defaultdict(list)
    for place in range(0, len(told), TOGETHER):
        part = told[place : place + TOGETHER]
        # What is not whole yet is another with the next: nobody keeps it.
        each = _counting(reads, part).items() if len(part) < TOGETHER else _of_some(reads, part, promise)
        for account, some in each:
            parts[account].append(some)
    return _strung(promise, parts)


@kept
def _of_some(reads: Reads, told: tuple[BudgetMeasured, ...], promise: Promise) -> Accounts:
    return _strung(promise, {account: [some] for account, some in _counting(reads, told).items()})


def _strung(promise: Promise, parts: Mapping[str, Sequence[Measured | list[Believed]]]) -> Accounts:
    found = ((account, stretches(promise, some)) for account, some in parts.items())
    return tuple((account, strung(some)) for account, some in found if some)


def _counting(reads: Reads, told: tuple[BudgetMeasured, ...]) -> dict[str, list[Believed]]:
    found: dict[str, list[Believed]] = defaultdict(list)
    for one in told:
        if not fault_of_speaker(reads, ErrorBudgetMeasured.type, one.said):
            believed = Believed(**vars(one), may_correct=has_power(reads, ErrorBudgetMeasured.type, one.said))
            found[believed.account].append(believed)
    return found


def _days(since: Moment, until: Moment) -> Iterator[str]:
    day, last = date.fromisoformat(since[:10]), date.fromisoformat(until[:10])
    for number in range((last - day).days + 1):
        yield (day + timedelta(days=number)).isoformat()


def slos_of(
    reads: Reads, service: str, environment: str | None, instant: Instant, clocks: Clocks
) -> Iterator[tuple[Slo, Objective]]:
    """Yield the objectives of a service in an environment, as they were promised at an instant."""
    for slo in reads.named(slos, SloPublished, ref("service", service), limit=AT_MOST):
        for objective in objectives_at(reads, slo, instant, clocks):
            is_there = environment is None or is_meant(reads, objective.environment, environment, instant.at)
            if objective.service == service and is_there:
                yield slo, objective


def decided_by_policy(reads: Reads, slo: Slo, instant: Instant, clocks: Clocks) -> Applied | None:
    """Return whether somebody had halted releases at an instant, or let them through, and it was not over."""
    there = [
        said
        for said in slo.applied[-AT_MOST:]
        if was_there(said.said, instant, clocks) and not fault_of_speaker(reads, ReleasePolicyApplied.type, said.said)
    ]
    last = max(there, key=in_time, default=None)
    return last if last is not None and instant.at <= last.until else None


# -- what a reader sees --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Burn:
    """What of the budget was spent from one deployment to production until the next."""

    deployment_id: str
    at: Moment
    spent: Number


@dataclass(frozen=True)
class ErrorBudget:
    """One objective's budget as of its last measurement. `spent` is 0 for nothing and 1 for all of it; None where nothing says it."""

    slo_id: str
    service: str | None = None
    environment: str | None = None
    target: Number | None = None
    spent: Number | None = None
    is_spent: bool = False
    measured_until: Moment | None = None
    measurements: int = 0
    deployments: int = 0
    burns: tuple[Burn, ...] = ()


error_budgets = Judged(
    "error_budgets",
    version=3,
    row=ErrorBudget,
    of=slos,
    reads=(slo_days, deployments, *READ_BY_ASKING),
    indexes=("service", "is_spent"),
    doc="Error budgets: what of each objective's is spent as of its last measurement, and after which deployment.",
)


@error_budgets.by
def budget(row: Slo, look: Look) -> ErrorBudget:
    """What of one objective's budget is spent, and which deployment that followed."""
    until = row.measured_until
    if until is None or row.service is None:
        return ErrorBudget(row.slo_id, row.service, row.environment, row.target)
    now = Instant(until, FOR_EVER, AFTER_ALL)
    told = [
        (objective, spent_at(look, row, objective, now))
        for objective in reversed(objectives_at(look, row, AS_THINGS_STAND, clocks_of(look, until)))
    ]
    if not told:
        return ErrorBudget(row.slo_id, row.service, row.environment, row.target, measured_until=until)
    # Of several promises that stand, the one of which most is spent; else what was said last.
    objective, found = max(told, key=lambda one: -1 if one[1].share is None else one[1].share)
    burns = tuple(_burns(look, objective, found.measured))
    return ErrorBudget(
        row.slo_id,
        objective.service,
        objective.environment,
        objective.target,
        _told(found.share),
        found.share is not None and found.share >= 1,
        until,
        sum(len(stretch.counted) for stretch in found.measured),
        len(burns),
        burns,
    )


def _burns(look: Look, objective: Objective, measured: list[Measured]) -> Iterator[Burn]:
    """Yield what was spent after each deployment of the window, until the next."""
    if not measured:
        return
    acts = sorted(_acts_of(look, objective), key=lambda act: act[0])
    times = [at for at, _ in acts]
    shares = spent_between(objective.promise, times, measured)
    for (at, deployment_id), end, share in zip(acts, [*times[1:], FOR_EVER], shares, strict=False):
        if end > measured[0].counted[0].begin:
            yield Burn(deployment_id, at, _told(share) or "0")


def _acts_of(look: Look, objective: Objective) -> list[tuple[Moment, str]]:
    found: dict[tuple[Moment, str], None] = {}
    for row, act in done_to(look, objective.service):
        is_there = is_production(look, act.environment, act.at, by=act.actor)
        if is_there and is_meant(look, objective.environment, act.environment, act.at):
            found[act.at, row.deployment_id] = None
    return list(found)


def _told(share: Decimal | None) -> Number | None:
    return f"{share:f}" if share is not None else None

"""Drift: what is not as it was applied, since when, and what ended it; of plans, for each environment, service and workspace.

A resource is found drifted once, and stays so until a later plan that is whole shows it gone. One that comes and goes within hours is
one drift, and not many.

    plan 09:00 nothing, 10:00 web drifted        web, since 10:00: it happened after 09:00
    plan 11:00 of a part, 12:00 errored          web still: neither of them shows it gone
    plan 12:30 nothing, by somebody else         web still: it is gone when each who told it says so, or who has the power to
    plan 13:00 nothing                           gone after three hours; by a change, where one was applied in between

Longer than other files because what a plan shows and what it ends is one fold, over the last plans and over those before.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from ledger.conditions import Match
from ledger.events import ref
from ledger.events.iac import PlanApplied, PlanProduced
from projections.engine.derived import Judged
from projections.engine.reads import Look
from projections.engine.view import Around, EntryInfo, Moment, Reads, View, later, replace, seconds_between
from projections.readings.environments.environments import READ_BY_ASKING, same_environment, under_all_names
from projections.readings.infrastructure.plans import parts_by, plan_applications, plan_changes
from projections.readings.infrastructure.states import DEFAULT
from projections.readings.people.policies import in_force, in_force_now
from projections.readings.people.powers import fault_of_speaker
from projections.readings.people.replacing import has_power
from projections.readings.people.settings import Number
from projections.readings.people.voices import Spoken, in_time, spoken
from projections.rules.environments import compared
from projections.rules.figures import mean
from projections.rules.keeping import kept
from projections.rules.leave import FOR_EVER

DRIFT_FLAP_HOURS: Final = Number(
    "drift-flap-hours", "within how many hours what drifted, was gone and is back is one drift", default=24
)
# So many plans of a series are kept as they were told, the last ones: what came of those before is kept instead. Applications of a
# service that are looked at, the last ones; and drifts that are gone that are shown, of each address the last ones.
PLANS: Final = 64
LATEST: Final = 64


@dataclass(frozen=True)
class Anew:
    """A drift as somebody sees it who had seen the resource as it was applied, after others had seen it drifted."""

    by: str
    since: Moment
    position: int
    after: Moment | None


@dataclass(frozen=True)
class Drifted:
    """One resource that drifted: after which plan that did not show it, since when, how often it came back, until when, by what."""

    address: str
    since: Moment
    position: int
    # Who says that it is drifted. Empty where it is gone.
    by: tuple[str, ...] = ()
    # None where no plan before shows it as it was applied.
    after: Moment | None = None
    times: int = 1
    seen_at: Moment = ""
    gone_at: Moment | None = None
    gone_position: int | None = None
    seconds: int | None = None
    change_id: str | None = None
    anew: tuple[Anew, ...] = ()

    @property
    def beginnings(self) -> "tuple[Drifted, ...]":
        """Return the drift as it began, for each who saw it begin: that others saw one before makes it no older for them."""
        return (self, *(replace(self, since=o.since, position=o.position, after=o.after) for o in self.anew))


@dataclass(frozen=True)
class Whole:
    """The last whole plan that somebody told, and whether they had the power to say so against others."""

    by: str
    at: Moment
    is_powerful: bool


@dataclass(frozen=True)
class Drifting:
    """What came of some plans: what stands, or is gone for so short that it may come back; what is gone; and the last whole plans."""

    standing: tuple[Drifted, ...] = ()
    gone: tuple[Drifted, ...] = ()
    whole: tuple[Whole, ...] = ()


@dataclass(frozen=True)
class PlanSeen:
    """One plan of a series, as somebody told it: in how many parts beside the first, and how much it says that drifted."""

    plan: str
    said: Spoken
    errored: bool = False
    complete: bool | None = None
    drifted: int = 0
    parts: int = 0


@dataclass(frozen=True)
class PlanSeries:
    """The last plans of one environment, service and workspace, in the order of their times, and what came of those before.

    The key is `environment/service`, and `environment/service#workspace` where that is not the default one.
    """

    series: str
    environment: str | None = None
    service: str | None = None
    workspace: str = DEFAULT
    seen: tuple[PlanSeen, ...] = ()
    earlier: Drifting = Drifting()


def key_of(environment: str, service: str | None, workspace: str | None) -> str:
    """Return the key of the plans of an environment, a service and a workspace."""
    named = f"#{workspace}" if workspace not in (None, DEFAULT) else ""
    return f"{compared(environment)}/{service or ''}{named}"


plan_series = View(
    "plan_series",
    version=4,
    row=PlanSeries,
    kind="plan_series",
    # Entries write an environment in any spelling.
    entries_of=lambda key, row: (Match((PlanProduced.type,)),),
    reads=(plan_changes, plan_applications, *READ_BY_ASKING),
    indexes=("service",),
    doc="Series of plans of one environment, service and workspace: the last ones, and what had drifted by those before.",
)


def _series_of(event: PlanProduced) -> str | None:
    return key_of(event.environment, event.service, event.workspace) if event.environment is not None else None


@plan_series.on(PlanProduced, key=_series_of)
def produced(row: PlanSeries, event: PlanProduced, entry: EntryInfo) -> PlanSeries:
    said = spoken(entry, event.actor)
    if any((one.plan, one.said.principal) == (event.plan, said.principal) for one in row.seen):
        # The same plan, of the time at which whoever tells it told it first.
        return row
    new = PlanSeen(event.plan, said, bool(event.errored), event.complete, event.drifted, event.parts)
    row = replace(
        row,
        environment=row.environment or event.environment,
        service=event.service,
        workspace=event.workspace or DEFAULT,
    )
    seen = _in_order((*row.seen, new))
    if len(seen) <= PLANS:
        return replace(row, seen=seen)
    first, *others = seen
    flap = in_force(entry.reads, entry.recorded_at).number(DRIFT_FLAP_HOURS)
    earlier = _after(entry.reads, row, row.earlier, first, flap)
    return replace(row, seen=tuple(others), earlier=_settled(earlier, first.said.at, flap))


def _in_order(seen: Iterable[PlanSeen]) -> tuple[PlanSeen, ...]:
    return tuple(sorted(seen, key=in_time))


# -- what drifted --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Drift:
    """What drifted of one series of plans: what still is, and what was; and how long it took to be gone, on the average."""

    series: str
    environment: str | None = None
    service: str | None = None
    workspace: str = DEFAULT
    is_drifted: bool = False
    open: tuple[Drifted, ...] = ()
    gone: tuple[Drifted, ...] = ()
    mean_s: int | None = None
    planned_at: Moment | None = None


drifts = Judged(
    "drifts",
    version=5,
    row=Drift,
    of=plan_series,
    reads=(plan_changes, plan_applications, *READ_BY_ASKING),
    indexes=("service", "is_drifted"),
    doc="Drift: which resources are not as they were applied, since when; what is gone again, by which change, and after how long.",
)


@drifts.by
def drift(row: PlanSeries, look: Look) -> Drift:
    """What drifted of one series of plans, and what is gone again; where its environment has several names, under the first."""
    service, environment, workspace = row.service, row.environment, row.workspace
    rows = (
        under_all_names(look, plan_series, environment, FOR_EVER, lambda name: key_of(name, service, workspace))
        if environment is not None
        else []
    )
    if not rows or rows[0].series != row.series:
        return Drift(row.series, environment, service, workspace)
    flap = in_force_now(look).number(DRIFT_FLAP_HOURS)
    found = _together([one.earlier for one in rows])
    for seen in _in_order(seen for one in rows for seen in one.seen):
        found = _after(look, row, found, seen, flap)
    # What came back before may come back again: it is gone when it has been for long enough.
    over = [
        one
        for one in found.standing
        if one.gone_at is not None and (one.times == 1 or look.has_come(later(one.gone_at, hours=flap)))
    ]
    standing = tuple(one for one in found.standing if one not in over)
    gone = sorted((*found.gone, *over), key=lambda one: (one.gone_at or "", one.address))
    took = [one.seconds for one in gone if one.seconds is not None]
    return Drift(
        row.series,
        environment,
        service,
        workspace,
        bool(standing),
        standing,
        tuple(gone),
        mean(sorted(took)),
        max((whole.at for whole in found.whole), default=None),
    )


def _together(some: Sequence[Drifting]) -> Drifting:
    """Return what came of the plans of one environment that were told under several names."""
    if len(some) == 1:
        return some[0]
    standing: dict[str, Drifted] = {}
    for one in sorted((one for each in some for one in each.standing), key=lambda one: (one.since, one.position)):
        first = standing.setdefault(one.address, one)
        both = tuple(dict.fromkeys((*first.anew, *one.anew)))
        standing[one.address] = replace(first, by=tuple(dict.fromkeys((*first.by, *one.by))), anew=both)
    return Drifting(
        tuple(standing[address] for address in sorted(standing)),
        tuple(one for each in some for one in each.gone),
        tuple({one.by: one for one in sorted((w for each in some for w in each.whole), key=_when)}.values()),
    )


def _when(whole: Whole) -> Moment:
    return whole.at


def _after(reads: Reads, series: PlanSeries, known: Drifting, seen: PlanSeen, flap: int) -> Drifting:
    """Return what there is after one more plan."""
    at, by = seen.said.at, seen.said.principal
    if seen.errored:
        return known
    standing, gone = {one.address: one for one in known.standing}, list(known.gone)
    parts = list(parts_by(reads, seen.plan, by))
    found = {change.address for part in parts for change in part.changes if change.drifted}
    is_powerful = has_power(reads, PlanProduced.type, seen.said)
    # What is told very late is of a time before the last whole plan: it shows what it shows, and nothing gone.
    is_late = any(at < whole.at for whole in known.whole if whole.by == by or whole.is_powerful)
    before = None if is_late else _before(known.whole, seen.said)
    for address in sorted(found):
        one = _again(standing.get(address), address, seen.said, before, flap, gone, known.whole)
        standing[address] = replace(one, by=(by,)) if is_powerful else one
    # That nothing drifted acquits: whoever may not say so has shown nothing gone.
    if (
        not is_late
        and _shows_all(seen, len(parts), len(found))
        and not fault_of_speaker(reads, PlanProduced.type, seen.said, series.environment)
    ):
        for address in sorted(set(standing) - found):
            left = () if is_powerful else tuple(name for name in standing[address].by if name != by)
            standing[address] = replace(standing[address], by=left)
            if standing[address].gone_at is None and not left:
                standing[address] = _gone(reads, series, standing[address], seen.said)
        whole = Whole(by, at, is_powerful)
        others = (*(one for one in known.whole if one.by != by), whole)
        known = replace(known, whole=kept(others, whole, _teller, LATEST))
    kept_gone: tuple[Drifted, ...] = tuple(gone[: len(known.gone)])
    for one in gone[len(known.gone) :]:
        kept_gone = kept((*kept_gone, one), one, _address, LATEST)
    return replace(known, standing=tuple(standing[address] for address in sorted(standing)), gone=kept_gone)


def _before(told: Iterable[Whole], said: Spoken) -> Moment | None:
    """Return when whoever tells a plan had told a whole one before, or who has the power to; else when anybody had."""
    before = [whole for whole in told if whole.at <= said.at]
    own = [whole for whole in before if whole.by == said.principal or whole.is_powerful]
    return max((whole.at for whole in own or before), default=None)


def _teller(whole: Whole) -> str:
    return whole.by


def _settled(known: Drifting, at: Moment, flap: int) -> Drifting:
    """Call gone what is gone for so long by a time that it is another drift when it comes back."""
    gone = known.gone
    over = [one for one in known.standing if one.gone_at is not None and later(one.gone_at, hours=flap) < at]
    for one in over:
        gone = kept((*gone, one), one, _address, LATEST)
    return replace(known, standing=tuple(one for one in known.standing if one not in over), gone=gone)


def _address(one: Drifted) -> str:
    return one.address


def _shows_all(seen: PlanSeen, parts: int, found: int) -> bool:
    """Say whether a plan shows all that drifted: it is whole, as far as its tool says, and all of it came."""
    return seen.complete is not False and parts > seen.parts and found >= seen.drifted


def _again(
    known: Drifted | None,
    address: str,
    said: Spoken,
    before: Moment | None,
    flap: int,
    gone: list[Drifted],
    whole: Iterable[Whole],
) -> Drifted:
    if known is None or (known.gone_at is not None and said.at > later(known.gone_at, hours=flap)):
        if known is not None:
            gone.append(known)
        return Drifted(address, said.at, said.position, (said.principal,), before, seen_at=said.at)
    is_known = said.principal in (*known.by, *(one.by for one in known.anew)) or len(known.anew) >= LATEST
    if not is_known and any(one.by == said.principal and known.since <= one.at for one in whole):
        known = replace(known, anew=(*known.anew, Anew(said.principal, said.at, said.position, before)))
    times = known.times + (known.gone_at is not None)
    by = known.by if said.principal in known.by or len(known.by) >= LATEST else (*known.by, said.principal)
    return replace(
        known, by=by, times=times, seen_at=said.at, gone_at=None, gone_position=None, seconds=None, change_id=None
    )


def _gone(reads: Reads, series: PlanSeries, known: Drifted, said: Spoken) -> Drifted:
    """Return a drift that a plan shows no more, with the change that was applied between."""
    change_id = None
    about = ref("service", series.service) if series.service is not None else None
    for applied in reads.named(plan_applications, PlanApplied, about, limit=Around(said.position, LATEST)):
        if applied.said is None or applied.outcome != "success" or not known.seen_at <= applied.said.at <= said.at:
            continue
        if (applied.workspace or DEFAULT) == series.workspace and same_environment(
            reads, applied.environment, series.environment, said.at
        ):
            change_id = applied.change_id
            break
    return replace(
        known,
        gone_at=said.at,
        gone_position=said.position,
        seconds=seconds_between(known.since, said.at),
        change_id=change_id,
    )

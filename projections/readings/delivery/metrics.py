"""Delivery: the five metrics of DORA for every service and month, each with the deployments and entries it is made of.

Definitions, version 2, of deployments to production that succeeded as jobs, in the month in which they were first seen:

- deployment frequency: how many there were;
- lead time: the seconds from the merge of a commit to the end of the deployment (`lead_time_s`), and from the first time that it was
  proposed (`lead_time_first_s`); over all commits that went out, where both ends are known. A commit that ran there before does not
  go out again;
- change failure rate: the share of deployments that were rolled back or caused a confirmed incident. A deployment counts
  once, however many incidents it caused;
- recovery time: the seconds from the end of a failed deployment to the rollback, or to the end of its incidents;
- rework rate: the share of deployments of emergency and unauthorized changes, which nobody had planned, and of those that went out
  while an incident of their service, that another deployment had caused, was not over.

Times are medians; means and ninetieth percentiles stand beside them. What is recorded after the month is a restatement: the row keeps
what it said before, and after, and says in words what moved it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from projections.engine.tally import Part, Tally
from projections.engine.view import EntryInfo, Moment, Number, replace
from projections.readings.delivery.deliveries import Delivered, deliveries
from projections.rules.figures import known, mean, percentile, share

DEFINITION: Final = 2
# What moved a figure, by the type of the entry that did; other types are called by their names.
CALLED: Final = {
    "code.merged": "late merge",
    "code.proposed": "late merge",
    "change.opened": "late ticket",
    "change.linked": "late ticket",
    "change.submitted": "late ticket",
    "deployment.started": "late deployment",
    "deployment.finished": "late deployment",
    "environment.declared": "late declaration of an environment",
    "incident.attributed": "attribution",
    "incident.detected": "late incident",
    "incident.opened": "late incident",
    "incident.resolved": "late end of an incident",
    "rollback.completed": "late rollback",
    "statement.withdrawn": "withdrawal",
}


@dataclass(frozen=True)
class Item:
    """One deployment of the month, and what each metric takes from it. `lead_s` and `lead_first_s` are medians over its commits."""

    deployment_id: str
    is_failed: bool
    is_unplanned: bool
    lead_s: int | None
    recovery_s: int | None
    positions: tuple[int, ...]
    seen_at: Moment = ""
    lead_first_s: int | None = None
    leads: tuple[int, ...] = ()
    leads_first: tuple[int, ...] = ()


@dataclass(frozen=True)
class Restatement:
    """What an entry that was recorded after the month changed: the metrics before and after it, and what it was, in words."""

    position: int
    at: Moment
    before: tuple[str, ...]
    after: tuple[str, ...]
    why: str = ""


@dataclass(frozen=True)
class Figures:
    """The five metrics of some deployments. Rates are shares of `deployments`; times are seconds."""

    deployments: int = 0
    failed: int = 0
    change_failure_rate: Number | None = None
    lead_time_s: int | None = None
    lead_time_mean_s: int | None = None
    lead_time_p90_s: int | None = None
    lead_time_first_s: int | None = None
    recovery_time_s: int | None = None
    recovery_time_mean_s: int | None = None
    recovery_time_p90_s: int | None = None
    rework_rate: Number | None = None


@dataclass(frozen=True)
class _Month:
    key: str
    service: str | None = None
    month: str | None = None
    definition: int = DEFINITION


@dataclass(frozen=True)
class Delivery(Figures, _Month):
    """One service in one month. `items` holds what the figures are made of."""

    items: tuple[Item, ...] = ()
    restatements: tuple[Restatement, ...] = ()


def _parts(row: Delivered) -> dict[str, Part]:
    if row.month is None:
        return {}
    if not row.is_counted:
        # Its month is known, and does not count it.
        return {f"{row.service}/{row.month}": (row.deployment_id,)}
    leads = () if row.is_repeated else row.leads
    return {
        f"{row.service}/{row.month}": (
            row.deployment_id,
            row.seen_at,
            row.is_failed,
            row.is_unplanned or row.is_rework,
            row.recovery_s,
            _numbers(known(lead.from_merge_s for lead in leads)),
            _numbers(known(lead.from_first_s for lead in leads)),
            _numbers(row.positions),
        )
    }


def _numbers(values: Any) -> str:
    return ",".join(str(value) for value in values)


def _read(text: Any) -> tuple[int, ...]:
    return tuple(int(value) for value in str(text).split(",") if value)


def _item(part: Part) -> Item:
    name, seen_at, is_failed, is_unplanned, recovery_s, leads, firsts, positions = part
    merged, first = _read(leads), _read(firsts)
    return Item(
        str(name),
        bool(is_failed),
        bool(is_unplanned),
        percentile(list(merged), 50),
        int(recovery_s) if recovery_s is not None else None,
        _read(positions),
        str(seen_at),
        percentile(list(first), 50),
        merged,
        first,
    )


def _added(row: Delivery, part: Part, count: int) -> Delivery:
    service, _, month = row.key.rpartition("/")
    others = tuple(item for item in row.items if item.deployment_id != part[0])
    items = (*others, _item(part)) if count > 0 and len(part) > 1 else others
    if (len(items) > 1 and items[-1].seen_at < items[-2].seen_at) or count < 0:
        items = tuple(sorted(items, key=lambda item: (item.seen_at, item.deployment_id)))
    return replace(row, service=service, month=month, items=items, **vars(figures_of(items)))


def counted(rows: Iterable[Delivered]) -> list[Item]:
    """Return what deployments count for: those to production that succeeded."""
    return [_item(part) for row in rows if row.is_counted for part in _parts(row).values()]


def figures_of(items: Sequence[Item]) -> Figures:
    """Return the metrics of some deployments, whichever they are: of a service, a team, or all; of a month, or of any time."""
    failed = [item for item in items if item.is_failed]
    leads = known(lead for item in items for lead in item.leads)
    recoveries = known(item.recovery_s for item in failed)
    return Figures(
        deployments=len(items),
        failed=len(failed),
        change_failure_rate=share(len(failed), len(items)),
        lead_time_s=percentile(leads, 50),
        lead_time_mean_s=mean(leads),
        lead_time_p90_s=percentile(leads, 90),
        lead_time_first_s=percentile(known(lead for item in items for lead in item.leads_first), 50),
        recovery_time_s=percentile(recoveries, 50),
        recovery_time_mean_s=mean(recoveries),
        recovery_time_p90_s=percentile(recoveries, 90),
        rework_rate=share(sum(item.is_unplanned for item in items), len(items)),
    )


class _Monthly(Tally[Delivery]):
    """A count that keeps what it said before, and after, where an entry that came after the month moved it."""

    def settled(self, before: Delivery | None, after: Delivery, entry: EntryInfo) -> Delivery:
        is_late = after.month is not None and entry.recorded_at[:7] > after.month
        if not is_late or before is None or not before.items or metrics(before) == metrics(after):
            return after
        why = CALLED.get(entry.type, entry.type)
        if why == "attribution" and before.failed and before.failed >= after.failed:
            why = "re-attribution"
        restated = Restatement(entry.position, entry.recorded_at, metrics(before), metrics(after), why)
        return replace(after, restatements=(*after.restatements, restated))

    def standing(self, row: Delivery) -> Delivery | None:
        return row if row.items or row.restatements else None

    def with_past(self, row: Delivery, live: Delivery | None, position: int) -> Delivery:
        told = live.restatements if live is not None else ()
        # Also where nothing is counted any more.
        service, _, month = row.key.rpartition("/")
        return replace(
            row, service=service, month=month, restatements=tuple(one for one in told if one.position <= position)
        )


delivery = _Monthly(
    "delivery",
    version=4,
    row=Delivery,
    kind="delivery",
    of=deliveries,
    parts=_parts,
    add=_added,
    indexes=("service", "month"),
    doc="Delivery: deployment frequency, lead time, change failure rate, recovery time and rework rate, by service and month.",
)


def metrics(row: Delivery) -> tuple[str, ...]:
    """Return the five metrics as words, in the order of the module's definitions."""
    values = {
        "deployments": row.deployments,
        "lead_time_s": row.lead_time_s,
        "change_failure_rate": row.change_failure_rate,
        "recovery_time_s": row.recovery_time_s,
        "rework_rate": row.rework_rate,
    }
    return tuple(f"{name}={value}" for name, value in values.items())

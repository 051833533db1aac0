"""The calendar: what is planned, frozen, met for and watched between two times, and what of it is in the way of what.

Made of rows of views, a bounded number of each: what recurs is told for each of its times. Not a rule: that a plan lies in a freeze, or
comes before no meeting of the board, its findings say; only that two plans are of one service at one time is seen here.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final, Literal, NamedTuple

from api.desk.views import list_of, one_of
from ledger.ledger import Ledger
from projections.engine.filters import MAX_LISTED
from projections.engine.view import View, later
from projections.judging.findings import findings
from projections.readings.changes.board import board_meetings, compliance_windows
from projections.readings.changes.scopes import change_scopes
from projections.readings.changes.tickets import change_tickets
from projections.readings.delivery.freezes import freezes
from projections.readings.environments.terms import Terms
from projections.rules.calendar import Times, occurring
from projections.rules.recurrence import NotComputableError

Kind = Literal["change", "freeze", "override", "meeting", "compliance_window"]
# Of each kind; and of each thing that recurs, in the time that is asked for.
MOST: Final = 200
TIMES: Final = 62
# A plan that lasts longer is seen where it ends, and not from its beginning on.
LONGEST_DAYS: Final = 62
# What says that a plan is in the way of something.
_RULES: Final = ("planned-in-freeze", "misses-the-board")


class Clash(NamedTuple):
    """Something that is in the way: in words, and what tells of it."""

    says: str
    kind: Literal["finding", "change"]
    name: str


@dataclass(frozen=True, slots=True)
class Happening:
    """One thing between two times. `unknown` says why nobody can compute when it is; `clashes` what is in the way of it."""

    kind: Kind
    name: str
    begin: str
    end: str
    where: str = ""
    state: str = ""
    unknown: str = ""
    clashes: list[Clash] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Calendar:
    """What there is, in the order of its beginning, at a position; `is_all` says whether nothing was left out."""

    happenings: tuple[Happening, ...]
    position: int
    is_all: bool


def calendar_in(ledger: Ledger, begin: str, end: str) -> Calendar:
    """Return what happens from one time on and before another."""
    asked = _Asked(ledger, begin, end)
    found = [*asked.changes(), *asked.freezes(), *asked.meetings(), *asked.windows()]
    _compare([one for one in found if one.kind == "change"], asked.places)
    return Calendar(tuple(sorted(found, key=lambda one: (one.begin, one.end, one.name))), asked.position, asked.is_all)


class _Asked:
    def __init__(self, ledger: Ledger, begin: str, end: str) -> None:
        self._ledger, self._begin, self._end = ledger, begin, end
        self.position, self.is_all = 0, True
        # Of each change, the services and environments that it is planned for.
        self.places: dict[str, set[tuple[str, str]]] = {}

    def _rows(self, view: View[Any], where: Mapping[str, str], sort: str | None = None) -> list[dict[str, Any]]:
        page = list_of(self._ledger, view, where, sort=sort, limit=MOST)
        self.position = min(self.position or page.position, page.position)
        self.is_all = self.is_all and page.next is None
        return page.rows

    def _once_or_again(self, view: View[Any]) -> list[dict[str, Any]]:
        """Return rows that may be at the time that is asked for: those that are once, and those that recur."""
        once = {"start_at__lt": self._end, "end_at__gte": self._begin, "recurs__null": "true"}
        again = {"start_at__lt": self._end, "recurs__null": "false"}
        return [*self._rows(view, once), *self._rows(view, again)]

    def changes(self) -> Iterator[Happening]:
        last = later(self._end, days=LONGEST_DAYS)
        where = {"planned_start__lt": self._end, "planned_end__gte": self._begin, "planned_end__lt": last}
        once = self._rows(change_tickets, where, "planned_end")
        again = self._recurring()
        rows = {row["change_id"]: row for row in (*once, *self._among(change_tickets, "change_id", list(again)))}
        against = self._findings(list(rows))
        for name, row in rows.items():
            environments = row["environments"] or [row["environment"] or ""]
            self.places[name] = {(s, e) for s in row["services"] for e in environments}
            where_to = f"{', '.join(row['services']) or 'no service'} in {', '.join(environments) or 'nowhere said'}"
            times = again.get(name) or Times(row["planned_start"], row["planned_end"])
            for one in self._times("change", name, times, where_to, row["state"]):
                one.clashes.extend(against.get(name, []))
                yield one

    def _recurring(self) -> dict[str, Times]:
        """Return when changes are planned whose windows come again, as long as they are open."""
        told = self._rows(change_scopes, {"recurs_from__lt": self._end, "is_open": "true"}, "recurs_from")
        rows = map(change_scopes.row_of, told)
        return {row.change_id: w.times for row in rows for w in row.windows if w.said.position == row.planned_position}

    def _among(self, view: View[Any], column: str, names: list[str], **where: str) -> Iterator[dict[str, Any]]:
        """Yield the rows that have one of some names in a column."""
        for first in range(0, len(names), MAX_LISTED):
            yield from self._rows(view, {f"{column}__in": one_of(names[first : first + MAX_LISTED])} | where)

    def _findings(self, names: list[str]) -> dict[str, list[Clash]]:
        found: dict[str, list[Clash]] = {}
        for row in self._among(findings, "subject", names, rule__in=",".join(_RULES), is_open="true"):
            clash = Clash(row["rule"].replace("-", " "), "finding", row["finding_id"])
            found.setdefault(row["subject"], []).append(clash)
        return found

    def freezes(self) -> Iterator[Happening]:
        for told in self._once_or_again(freezes):
            row = freezes.row_of(told)
            where = _where(row.terms[-1])
            where += f", {', '.join(row.services)}" if row.services else ""
            state = "lifted" if row.lifted_at is not None else ""
            yield from self._times("freeze", row.freeze_id, row.terms[-1].times, where, state)
            for one in row.overrides:
                if one.said.at < self._end and one.expires_at >= self._begin:
                    through = f"{one.change_id} through {row.freeze_id}"
                    yield Happening("override", one.change_id, one.said.at, one.expires_at, through)

    def meetings(self) -> Iterator[Happening]:
        for told in self._once_or_again(board_meetings):
            row = board_meetings.row_of(told)
            yield from self._times("meeting", row.meeting_id, row.slots[-1].times)

    def windows(self) -> Iterator[Happening]:
        for told in self._once_or_again(compliance_windows):
            row = compliance_windows.row_of(told)
            yield from self._times("compliance_window", row.window_id, row.terms[-1].times, _where(row.terms[-1]))

    def _times(self, kind: Kind, name: str, times: Times, where: str = "", state: str = "") -> Iterator[Happening]:
        try:
            for span in islice(occurring(times, self._begin, self._end), TIMES):
                yield Happening(kind, name, span.begin, span.end, where, state)
        except NotComputableError as error:
            yield Happening(kind, name, times.begin, times.end, where, state, str(error))


def _where(terms: Terms) -> str:
    return ", ".join((*terms.environments, *terms.patterns, *terms.tiers)) or "everywhere"


def _compare(plans: list[Happening], places: Mapping[str, set[tuple[str, str]]]) -> None:
    """Note of plans which are of one service in one environment at one time."""
    going: list[Happening] = []
    for one in sorted(plans, key=lambda plan: plan.begin):
        going = [other for other in going if one.begin < other.end]
        for other in going:
            if one.begin < one.end and one.name != other.name and places[one.name] & places[other.name]:
                one.clashes.append(Clash(f"at the time of {other.name}", "change", other.name))
                other.clashes.append(Clash(f"at the time of {one.name}", "change", one.name))
        going.append(one)

"""What a ledger knows of a change when it is assessed: the facts that features are computed of (`projections.rules.features`).

Read by a fold, at the entry of the assessment: what is recorded later is not there yet, and so leaks into no feature.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, Final

from projections.engine.view import Moment, Reads, View, later
from projections.readings.changes.code import code_changes
from projections.readings.changes.code_of import code_of, independent_approvers
from projections.readings.changes.commits import commits
from projections.readings.changes.dependencies import resources
from projections.readings.changes.scopes import ChangeScope, Version, change_scopes, in_force_at
from projections.readings.changes.targets import shared_targets
from projections.readings.delivery.freezes import freeze_calendar, freezes
from projections.readings.delivery.frozen import Place, next_freeze
from projections.readings.environments.environments import READ_BY_ASKING
from projections.readings.infrastructure.plans import plan_changes, plans
from projections.readings.people.speaking import clocks_of
from projections.readings.risk.outcomes import Day, base_rates
from projections.rules.features import NotKnownError, computed
from projections.rules.leave import asked_at
from projections.rules.recurrence import NotComputableError

READ_BY_FEATURES: Final[tuple[View[Any], ...]] = (
    *READ_BY_ASKING,
    change_scopes,
    base_rates,
    resources,
    plans,
    plan_changes,
    freezes,
    freeze_calendar,
    code_changes,
    commits,
)


@dataclass(frozen=True, slots=True)
class _Known:
    """One change as it was known at an entry. The implementation of `projections.rules.features.Known`."""

    reads: Reads
    scope: ChangeScope
    at: Moment

    def services(self) -> Sequence[str]:
        version = self._version()
        return _told(version.services if version is not None else self.scope.services, "no service is told")

    def environments(self) -> Sequence[str]:
        version = self._version()
        return _told(version.environments if version is not None else self.scope.environments, "no environment is told")

    def team(self) -> str:
        if self.scope.team is None:
            raise NotKnownError("no team is told")
        return self.scope.team

    def commits(self) -> Collection[str]:
        return self._submitted().commits

    def artifacts(self) -> Collection[str]:
        return self._submitted().artifacts

    def labelled(self, scope: str) -> Sequence[Day]:
        row = self.reads.row(base_rates, scope)
        return row.days if row is not None else ()

    def destroyed(self) -> int:
        told = [self.reads.row(plans, plan) for plan in self._submitted().plans]
        known = [row for row in told if row is not None and row.said is not None]
        if not told or len(known) < len(told):
            raise NotKnownError("its scope names no plan" if not told else "nobody told of a plan that its scope names")
        return sum(row.destroys + row.replaces for row in known)

    def shared_targets(self) -> Collection[str]:
        return shared_targets(self.reads, self.scope, self._version(), self.at)

    def next_freeze(self, days: int) -> Moment | None:
        until = later(self.at, days=days)
        places = (
            Place(environment, service, self.scope.change_type)
            for environment, service in product(self.environments(), self.services())
        )
        try:
            begins = [next_freeze(self.reads, place, self.at, until) for place in places]
        except NotComputableError as error:
            raise NotKnownError(f"whether a freeze holds is not known: {error}") from error
        return min((begin for begin in begins if begin is not None), default=None)

    def reviewers(self) -> Sequence[Collection[str]]:
        version = self._version()
        named = version.commits if version is not None else ()
        code, unknown = code_of(self.reads, self.scope.change_id, named)
        if unknown or not code:
            raise NotKnownError(f"no pull request is known of {unknown[0] if unknown else 'its code'}")
        now = asked_at(self.at)
        return [independent_approvers(self.reads, one, self.scope.authors, now) for one in code]

    def _version(self) -> Version | None:
        return in_force_at(self.scope.versions, None, clocks_of(self.reads, self.at))

    def _submitted(self) -> Version:
        version = self._version()
        if version is None:
            raise NotKnownError("its scope was not submitted")
        return version


def _told(names: Sequence[str], otherwise: str) -> Sequence[str]:
    if not names:
        raise NotKnownError(otherwise)
    return names


def computed_for(
    reads: Reads, change_id: str, at: Moment, names: Collection[str]
) -> tuple[dict[str, str], dict[str, str]]:
    """Return those features of a change that the ledger computes, as was on record; and of those that nothing tells, what is missing."""
    scope = reads.row(change_scopes, change_id)
    return computed(_Known(reads, scope if scope is not None else ChangeScope(change_id), at), names)

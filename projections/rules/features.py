"""Features: which numbers about a change a ledger computes of what it has on record, by name, and how. One list, `FEATURES`.

Not the finding of the facts, and no weights: a model gives those. What a change was known by when it was assessed is `Known`, and each
of its answers is looked up only where a feature asks.

    service_failures_90d   of api 1 failed of 4, of web 2 of 30       2, of the service of which the most failed
    days_since_failure     api failed 12 days ago, web never          12
    days_to_freeze         a freeze begins in 3 days and 5 hours      3; 0 while one holds
    team_failures_90d      no team is told                            not known: NotKnownError

Names that are not in the list are whoever's who states them.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import takewhile
from typing import Final, Protocol

from ledger.clock import from_text

# How many days of outcomes are counted, and how far ahead freezes are looked for.
HISTORY_DAYS: Final = 90
FREEZE_DAYS: Final = 30
# As long ago as a failure can be; and where none is known.
LONG_AGO: Final = 365
_DAY: Final = 24 * 3600 * 1_000_000


class NotKnownError(Exception):
    """Nothing on record tells what a feature is. The message says what is missing."""


class Counted(Protocol):
    """How many changes were labelled on one day, and how many of them had failed."""

    @property
    def date(self) -> str: ...
    @property
    def changes(self) -> int: ...
    @property
    def failures(self) -> int: ...


class Known(Protocol):
    """What was on record of a change before it was assessed. Each raises NotKnownError where nothing tells."""

    @property
    def at(self) -> str:
        """When it was assessed."""

    def services(self) -> Sequence[str]: ...

    def environments(self) -> Sequence[str]: ...

    def team(self) -> str: ...

    def commits(self) -> Collection[str]: ...

    def artifacts(self) -> Collection[str]: ...

    def labelled(self, scope: str) -> Sequence[Counted]:
        """Return the days on which changes of a service or a team (`service:api`) were labelled, the first one first."""

    def destroyed(self) -> int:
        """Return how many resources its plans would destroy or replace."""

    def shared_targets(self) -> Collection[str]: ...

    def next_freeze(self, days: int) -> str | None:
        """Return when the next freeze of the change begins, or began; None where none does within so many days."""

    def reviewers(self) -> Sequence[Collection[str]]:
        """Return, of each part of its code, who approved it and is an author neither of the code nor of the change."""


@dataclass(frozen=True, slots=True)
class Feature:
    """One feature: its name, what it counts, and how."""

    name: str
    doc: str
    of: Callable[[Known], int]


FEATURES: Final[dict[str, Feature]] = {}


def _feature(function: Callable[[Known], int]) -> Callable[[Known], int]:
    name = function.__name__.removeprefix("_")
    FEATURES[name] = Feature(name, (function.__doc__ or "").strip(), function)
    return function


def computed(known: Known, names: Collection[str]) -> tuple[dict[str, str], dict[str, str]]:
    """Return those of some features that are in the list, computed; and of those that nothing tells, what is missing."""
    found: dict[str, str] = {}
    missing: dict[str, str] = {}
    for name in names:
        if name in FEATURES:
            try:
                found[name] = str(FEATURES[name].of(known))
            except NotKnownError as error:
                missing[name] = str(error)
    return found, missing


@_feature
def _service_changes_90d(known: Known) -> int:
    """Changes of its service whose outcome was labelled in the 90 days before; of several services, of the one with the most."""
    return max(_within(known, f"service:{name}")[0] for name in known.services())


@_feature
def _service_failures_90d(known: Known) -> int:
    """How many changes of its service, labelled in the 90 days before, had failed; of several services, of the one with the most."""
    return max(_within(known, f"service:{name}")[1] for name in known.services())


@_feature
def _team_changes_90d(known: Known) -> int:
    """Changes of its team whose outcome was labelled in the 90 days before."""
    return _within(known, f"team:{known.team()}")[0]


@_feature
def _team_failures_90d(known: Known) -> int:
    """How many changes of its team, labelled in the 90 days before, had failed."""
    return _within(known, f"team:{known.team()}")[1]


@_feature
def _days_since_failure(known: Known) -> int:
    """Days since a change of one of its services was last labelled as failed; 365 where that is longer ago, or none ever was."""
    ages = [
        next((age for age, day in _backwards(known, f"service:{name}") if day.failures), LONG_AGO)
        for name in known.services()
    ]
    return min((*ages, LONG_AGO))


@_feature
def _scope_services(known: Known) -> int:
    """Services in its scope."""
    return len(known.services())


@_feature
def _scope_environments(known: Known) -> int:
    """Environments in its scope."""
    return len(known.environments())


@_feature
def _scope_commits(known: Known) -> int:
    """Commits in its scope."""
    return len(known.commits())


@_feature
def _scope_artifacts(known: Known) -> int:
    """Artifacts in its scope."""
    return len(known.artifacts())


@_feature
def _resources_destroyed(known: Known) -> int:
    """Resources that the plans in its scope would destroy or replace."""
    return known.destroyed()


@_feature
def _shared_targets(known: Known) -> int:
    """What it touches and others share: its services, and the resources in its plans."""
    return len(known.shared_targets())


@_feature
def _days_to_freeze(known: Known) -> int:
    """Whole days until a freeze of one of its services and environments begins; 0 while one holds, 30 where none does until then."""
    begins = known.next_freeze(FREEZE_DAYS)
    return FREEZE_DAYS if begins is None else max(0, from_text(begins) - from_text(known.at)) // _DAY


@_feature
def _independent_reviewers(known: Known) -> int:
    """People who approved its code and are authors neither of the code nor of the change; of the part that has the fewest."""
    return min(len(set(people)) for people in known.reviewers())


def _within(known: Known, scope: str) -> tuple[int, int]:
    days = [day for _, day in takewhile(lambda aged: aged[0] < HISTORY_DAYS, _backwards(known, scope))]
    return sum(day.changes for day in days), sum(day.failures for day in days)


def _backwards(known: Known, scope: str) -> Iterator[tuple[int, Counted]]:
    """Yield the days on which changes were labelled, the last first, each with its age. What is dated after the assessment is left out."""
    today = date.fromisoformat(known.at[:10])
    for day in reversed(known.labelled(scope)):
        age = (today - date.fromisoformat(day.date)).days
        if age >= 0:
            yield age, day


def differing(stated: Mapping[str, str], found: Mapping[str, str]) -> list[str]:
    """Return the names of those features that are stated as another number than was computed."""
    return [name for name, value in found.items() if name in stated and Decimal(stated[name]) != Decimal(value)]

"""How alike two environments are: what their configurations have in common and in which keys they differ, as it was compared last.

Not whether a difference is all right: somebody says so of the finding that it is. Two environments are a pair under the names by which
they compare, in the order in which they were named: `staging#prod`.
"""

from dataclasses import dataclass
from itertools import product
from typing import Final

from ledger.conditions import Match
from ledger.events.environment import EnvironmentConfigCompared
from projections.engine.view import EntryInfo, Moment, Reads, View, replace
from projections.readings.environments.environments import names_of
from projections.readings.people.replacing import standing
from projections.readings.people.voices import Spoken, spoken
from projections.rules.environments import compared


@dataclass(frozen=True)
class ConfigDifference:
    """One key whose values differ, or that only one of two environments has: digests of both, in the order of the pair."""

    name: str
    here: str | None
    there: str | None


@dataclass(frozen=True)
class Comparison:
    """One comparison: how many keys are equal, which differ, and how many differ that it does not list."""

    said: Spoken
    equal: int
    unlisted: int
    differences: tuple[ConfigDifference, ...]

    @property
    def percent(self) -> int:
        """How many of a hundred keys are equal, rounded down; where there are no keys, none."""
        everything = self.equal + len(self.differences) + self.unlisted
        return 100 * self.equal // everything if everything else 0


@dataclass(frozen=True)
class Parity:
    """Two environments, and the last comparison by each credential. The columns before are of what was recorded last."""

    pair: str
    one: str | None = None
    other: str | None = None
    percent: int | None = None
    equal: int = 0
    different: int = 0
    compared_at: Moment | None = None
    comparisons: tuple[Comparison, ...] = ()


# These entries name environments in any spelling and order, so no ref finds them all.
_COMPARISONS: Final = (Match((EnvironmentConfigCompared.type,)),)

parity = View(
    "parity",
    version=1,
    row=Parity,
    kind="parity",
    entries_of=lambda key, row: _COMPARISONS,
    indexes=("one", "other", "percent", "compared_at"),
    doc="Pairs of environments, `staging#prod`: how many keys of their configurations are equal, which differ, and when that was seen.",
)


def pair_of(one: str, other: str) -> str:
    """Return the key of two environments, however they are spelled."""
    return f"{compared(one)}#{compared(other)}"


def _pair(event: EnvironmentConfigCompared) -> str | None:
    # What is compared with itself says nothing.
    if compared(event.environment) == compared(event.other):
        return None
    return pair_of(event.environment, event.other)


def _differences(event: EnvironmentConfigCompared) -> tuple[ConfigDifference, ...]:
    return tuple(
        ConfigDifference(one.key, one.here, one.there) for one in {one.key: one for one in event.differences}.values()
    )


@parity.on(EnvironmentConfigCompared, key=_pair)
def configurations_compared(row: Parity, event: EnvironmentConfigCompared, entry: EntryInfo) -> Parity:
    said = spoken(entry, event.actor)
    new = Comparison(said, event.equal, event.unlisted, _differences(event))
    if any(one.said.credential == said.credential and one.said.at > said.at for one in row.comparisons):
        # What was seen earlier and is told later takes no newer comparison's place.
        return row
    one, _, other = row.pair.partition("#")
    return replace(
        row,
        one=one,
        other=other,
        percent=new.percent,
        equal=new.equal,
        different=len(new.differences) + new.unlisted,
        compared_at=said.at,
        comparisons=(*(one for one in row.comparisons if one.said.credential != said.credential), new),
    )


@dataclass(frozen=True)
class Differing:
    """One key in which two environments were ever found to differ."""

    key: str
    pair: str | None = None
    name: str | None = None
    first_at: Moment | None = None
    last_at: Moment | None = None


config_differences = View(
    "config_differences",
    version=1,
    row=Differing,
    kind="config_difference",
    entries_of=lambda key, row: _COMPARISONS,
    indexes=("pair", "name"),
    doc="Keys in which two environments were ever found to differ: since when, and when last.",
)


def _keys(event: EnvironmentConfigCompared) -> list[str]:
    pair = _pair(event)
    return [f"{pair}#{one.key}" for one in event.differences] if pair is not None else []


@config_differences.on(EnvironmentConfigCompared, key=_keys)
def differed(row: Differing, event: EnvironmentConfigCompared, entry: EntryInfo) -> Differing:
    pair, name = row.key.rsplit("#", 1)
    at = spoken(entry, event.actor).at
    return replace(row, pair=pair, name=name, first_at=min(row.first_at or at, at), last_at=max(row.last_at or at, at))


# -- asking --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Compared:
    """What somebody says of a pair."""

    pair: str
    comparison: Comparison

    @property
    def said(self) -> Spoken:
        return self.comparison.said


def comparisons_of(reads: Reads, one: str, other: str, at: Moment) -> list[Compared]:
    """Return what stands of the comparisons of two environments, in either order and under all names that they go by at a time, in
    the order of their times.
    """
    found = [
        Compared(pair, comparison)
        for pair in _pairs(names_of(reads, one, at), names_of(reads, other, at))
        if (row := reads.row(parity, pair)) is not None
        for comparison in row.comparisons
    ]
    return standing(reads, EnvironmentConfigCompared.type, found, lambda told: told.pair.partition("#")[0])


def _pairs(ones: tuple[str, ...], others: tuple[str, ...]) -> dict[str, None]:
    return {pair: None for a, b in product(ones, others) for pair in (pair_of(a, b), pair_of(b, a))}

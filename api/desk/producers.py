"""Producers and their gaps: which numbers of those that a source counts by are missing, and what a source's own lists say is.

Of each as much as a person reads: the last runs, the last list. What that breaks, findings say.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

from api.desk.views import list_of
from ledger.ledger import Ledger
from projections.readings.assurance.sequences import sequences
from projections.readings.people.reconciliations import source_lists

# Sources that are told of, and gaps of each.
SOURCES: Final = 100
GAPS: Final = 5


@dataclass(frozen=True, slots=True)
class Gap:
    """Numbers that are not on record: the first and the last of them, and the entries that stand before and after."""

    first: int
    last: int
    before: int
    after: int


@dataclass(frozen=True, slots=True)
class Producer:
    """One source that counts what it tells. `gaps` are the last of them; `missing` is how many numbers all of them have."""

    counter: str
    source: str
    first: int
    last: int
    missing: int
    gaps: tuple[Gap, ...]


def producers_of(ledger: Ledger) -> list[Producer]:
    """Return the sources that count, those that lack something first. Raises ViewNotReadyError."""
    rows = list_of(ledger, sequences, {}, limit=SOURCES).rows
    return sorted((_producer(row) for row in rows if row["runs"]), key=lambda one: (-one.missing, one.source))


def _producer(row: dict[str, Any]) -> Producer:
    runs = row["runs"]
    gaps = [
        Gap(low["last"] + 1, high["first"] - 1, low["last_position"], high["first_position"])
        for low, high in pairwise(runs)
    ]
    missing = row["forgotten"] + sum(gap.last - gap.first + 1 for gap in gaps)
    return Producer(row["counter"], row["source"], runs[0]["first"], runs[-1]["last"], missing, tuple(gaps[-GAPS:]))


def lists_of_sources(ledger: Ledger) -> list[dict[str, Any]]:
    """Return the last list of each source, with its source. Raises ViewNotReadyError."""
    found: dict[str, dict[str, Any]] = {}
    for row in list_of(ledger, source_lists, {}, sort="-month", limit=SOURCES).rows:
        if row["lists"]:
            found.setdefault(row["source"], row["lists"][-1] | {"source": row["source"]})
    return [found[source] for source in sorted(found)]

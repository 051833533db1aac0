"""Statements in doubt: those that would give leave, power or acquittal, and did not count when they were made, or only by somebody's role.

No row where all is well: what an operator says, or a human or machine by their own credential, is not here. Whether a statement that
is here counts is not latched: rules ask `powers`, since a grant that gave the power may be taken back.
"""

from dataclasses import dataclass
from typing import Any

from ledger.conditions import Match
from ledger.events import CATALOGUE
from projections.engine.view import EntryInfo, View, replace
from projections.readings.people.credentials import credentials
from projections.readings.people.grants import access_grants
from projections.readings.people.holders import HOLDERS
from projections.readings.people.identities import identities
from projections.readings.people.policies import policies
from projections.readings.people.powers import fault_of_speaker, rests_on_grants
from projections.readings.people.sources import principals_sources
from projections.readings.people.voices import Spoken, spoken


@dataclass(frozen=True)
class Doubt:
    """One statement, named by its position; `fault` is why it did not count when it was made."""

    statement: str
    type: str | None = None
    position: int | None = None
    actor: str | None = None
    principal: str | None = None
    environment: str | None = None
    said: Spoken | None = None
    fault: str = ""
    refs: tuple[str, ...] = ()


def _entries_of(key: str, row: Doubt) -> list[Match]:
    # A row that stands knows its type and its refs; one that does not is among all of them.
    return [Match((row.type,), row.refs)] if row.type is not None else [Match(tuple(HOLDERS))]


doubts = View(
    "doubts",
    version=3,
    row=Doubt,
    kind="statement",
    entries_of=_entries_of,
    reads=(credentials, principals_sources, identities, policies, access_grants),
    indexes=("type", "actor", "principal"),
    doc="Statements that would give leave, power or acquittal, and did not count because of who made them, or counted by a role.",
)


@doubts.on(*(CATALOGUE[name] for name in HOLDERS), key=lambda event, entry: str(entry.position))
def stated(row: Doubt, event: Any, entry: EntryInfo) -> Doubt | None:
    said, environment = spoken(entry, event.actor), getattr(event, "environment", None)
    fault = fault_of_speaker(entry.reads, entry.type, said, environment)
    if not fault and not rests_on_grants(entry.reads, entry.type, said):
        return None
    return replace(
        row,
        type=entry.type,
        position=entry.position,
        actor=event.actor,
        principal=said.principal,
        environment=environment,
        said=said,
        fault=fault,
        refs=tuple(entry.refs),
    )

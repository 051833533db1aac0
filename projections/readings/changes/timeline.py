"""The timeline of each change: every entry that names the change, and those of its deployments, in words, one a line.

What an entry meant for the change is not here: that is the ticket's to say, and what counts the approvals'.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from ledger.events import CATALOGUE, Event, kind_and_value
from projections.engine.listing import Listing
from projections.engine.view import EntryInfo, Moment, replace
from projections.readings.delivery.deployments import deployments


@dataclass(frozen=True)
class Line:
    """One entry about one change. `recorded_at` later than `at` tells that it was learned afterwards."""

    line: str
    change_id: str = ""
    position: int = 0
    at: Moment | None = None
    recorded_at: Moment | None = None
    type: str = ""
    says: str = ""
    # From where on it does not count: its statement was taken back.
    withdrawn_position: int | None = None


change_timeline = Listing(
    "change_timeline",
    version=3,
    row=Line,
    about="change_id",
    reads=(deployments,),
    doc="Timelines of changes: every entry about a change or a deployment of it, in words.",
)


def _changes(event: Event, entry: EntryInfo) -> Iterable[str]:
    """The changes that an entry names. Where it names none, those that its deployments are known to be of."""
    if named := _named("change", entry):
        return named
    rows = (entry.reads.row(deployments, deployment) for deployment in _named("deployment", entry))
    return [row.change_id for row in rows if row is not None and row.change_id is not None]


def _named(kind: str, entry: EntryInfo) -> list[str]:
    return [value for found, value in map(kind_and_value, entry.refs) if found == kind]


# Whatever the catalogue comes to have about changes and deployments.
@change_timeline.on(
    *(event for event in CATALOGUE.values() if {"change", "deployment"} & {kind for kind, _, _ in event.ref_fields}),
    key=_changes,
)
def told(row: Line, event: Event, entry: EntryInfo) -> Line:
    return replace(row, at=entry.time, recorded_at=entry.recorded_at, type=entry.type, says=entry.says)

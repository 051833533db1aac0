"""Impact: what each change's assessments say that it touches, and what depends on that.

Not whether one is owed, nor whether it is enough: `practices.change.impact` judges that, by what was declared when somebody acted.
"""

from dataclasses import dataclass
from typing import Final

from ledger.events.change import ChangeImpactAssessed
from projections.engine.view import EntryInfo, Moment, View, replace
from projections.readings.changes.facts import change_facts
from projections.readings.people.powers import READ_BY_POWERS, fault_of_speaker
from projections.readings.people.voices import Spoken, by_whom, spoken
from projections.rules.keeping import kept

# So many assessments are kept from before anything was done for the change, the last ones, and so many from after, the first ones.
KEPT: Final = 5


@dataclass(frozen=True)
class ImpactAssessment:
    """One assessment: what it says that the change touches, and what it found to depend on that."""

    said: Spoken
    method: str
    targets: tuple[str, ...]
    dependents: tuple[str, ...]
    # Whether something had been done for the change before it was recorded.
    is_after: bool = False

    @property
    def at(self) -> Moment:
        return self.said.at

    @property
    def recorded_at(self) -> Moment:
        return self.said.recorded_at

    @property
    def position(self) -> int:
        return self.said.position


@dataclass(frozen=True)
class Impact:
    """The impact assessments of one change; the columns before are of the last."""

    change_id: str
    assessed_by: str | None = None
    assessed_at: Moment | None = None
    position: int | None = None
    method: str | None = None
    targets: tuple[str, ...] = ()
    dependents: tuple[str, ...] = ()
    assessments: tuple[ImpactAssessment, ...] = ()


impacts = View(
    "impacts",
    version=3,
    row=Impact,
    kind="change",
    reads=(change_facts, *READ_BY_POWERS),
    doc="Impact assessments: what each change touches, and what its assessors found to depend on it.",
)


@impacts.on(ChangeImpactAssessed, key=lambda event: event.change_id)
def assessed(row: Impact, event: ChangeImpactAssessed, entry: EntryInfo) -> Impact | None:
    said = spoken(entry, event.actor)
    if fault_of_speaker(entry.reads, entry.type, said):
        return row if row.assessments else None
    facts = entry.reads.row(change_facts, row.change_id)
    made = ImpactAssessment(
        said,
        event.method,
        event.targets,
        tuple(dependent.resource for dependent in event.dependents),
        facts is not None and bool(facts.done),
    )
    before = [one for one in (*row.assessments, made) if not one.is_after]
    after = [one for one in (*row.assessments, made) if one.is_after]
    return replace(
        row,
        assessed_by=event.actor,
        assessed_at=entry.time,
        position=entry.position,
        method=event.method,
        targets=event.targets,
        dependents=made.dependents,
        assessments=(*_kept(before, made), *after[:KEPT]),
    )


def _kept(before: list[ImpactAssessment], made: ImpactAssessment) -> tuple[ImpactAssessment, ...]:
    """Return assessments, the oldest first, without one where they are too many: nobody pushes another's out."""
    return kept(before, made, by_whom, KEPT) if made in before else tuple(before)

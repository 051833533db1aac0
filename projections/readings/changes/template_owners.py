"""Owners of templates: who answers for each, who else does, and until when it is looked at again; as was said each time."""

from dataclasses import dataclass

from ledger.events.template import TemplateOwnershipAssigned
from projections.engine.view import EntryInfo, Moment, Reads, View, moment, replace
from projections.readings.people.powers import fault_of_speaker
from projections.readings.people.voices import Spoken, in_time, spoken
from projections.rules.leave import Clocks, Instant, was_there


@dataclass(frozen=True)
class Assignment:
    """One time that somebody was made the owner of a template."""

    said: Spoken
    owner: str
    backup: str | None = None
    review_by: Moment | None = None

    @property
    def answering(self) -> tuple[str, ...]:
        """Who answers for it: the owner, and who stands in."""
        return (self.owner,) if self.backup is None else (self.owner, self.backup)


@dataclass(frozen=True)
class TemplateOwner:
    """One template, as it was assigned last; and every time. Whether that counts is judged by whoever asks."""

    template_id: str
    owner: str | None = None
    backup: str | None = None
    team: str | None = None
    review_by: Moment | None = None
    assigned_at: Moment | None = None
    assignments: tuple[Assignment, ...] = ()


template_owners = View(
    "template_owners",
    version=1,
    row=TemplateOwner,
    kind="template",
    indexes=("owner", "team", "review_by"),
    doc="Owners of templates: who answers for each, who stands in, and until when it is looked at again.",
)


@template_owners.on(TemplateOwnershipAssigned, key=lambda event: event.template_id)
def assigned(row: TemplateOwner, event: TemplateOwnershipAssigned, entry: EntryInfo) -> TemplateOwner:
    review_by = moment(event.review_by) if event.review_by else None
    said = spoken(entry, event.actor)
    return replace(
        row,
        owner=event.owner,
        backup=event.backup,
        team=event.team,
        review_by=review_by,
        assigned_at=said.at,
        assignments=(*row.assignments, Assignment(said, event.owner, event.backup, review_by)),
    )


def assignment_at(
    reads: Reads, template_id: str, instant: Instant | None = None, clocks: Clocks | None = None
) -> Assignment | None:
    """Return who owned a template at an instant, as was on record by then; as things stand without one."""
    row = reads.row(template_owners, template_id)
    there = [
        assignment
        for assignment in (row.assignments if row is not None else ())
        if (instant is None or was_there(assignment.said, instant, clocks or Clocks()))
        and not fault_of_speaker(reads, TemplateOwnershipAssigned.type, assignment.said)
    ]
    return max(there, key=in_time, default=None)

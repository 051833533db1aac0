"""Wordings: every time that the scope of a change, or a template, was put into words, also where that was taken back.

What somebody decides without naming a digest is of the wording that stood when they did. Where that is taken back afterwards, it is of
no other one:

    12  change.submitted     CHG-7 with build B
    13  change.submitted     CHG-7 with build A
    14  approval.granted     of the last wording: build A
    15  statement.withdrawn  13: the scope is build B, which nobody approved
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from ledger.conditions import Match
from ledger.events import Event, ref
from ledger.events.change import ChangeScopeAmended, ChangeSubmitted
from ledger.events.template import TemplatePublished
from projections.engine.view import EntryInfo, Reads, View, replace
from projections.readings.people.voices import Spoken, in_time, spoken
from projections.rules.leave import Clocks, Instant, was_there

# So many wordings of one thing are known, the first. Of scopes no more count; of what comes after them nobody knows that it stands.
MOST: Final = 100


@dataclass(frozen=True)
class Worded:
    """One time that something was put into words."""

    said: Spoken


@dataclass(frozen=True)
class Wordings:
    """All wordings of a change, or of a template, `template T`, in the order of the record. No change has a blank in its id."""

    about: str
    told: tuple[Worded, ...] = ()


_TEMPLATE: Final = "template "
_WORDING: Final = (ChangeSubmitted.type, ChangeScopeAmended.type, TemplatePublished.type)


def about_template(template_id: str) -> str:
    """Return under which key the wordings of a template stand; those of a change stand under its id."""
    return f"{_TEMPLATE}{template_id}"


def _entries_of(key: str, row: Wordings) -> tuple[Match, ...]:
    template = key.removeprefix(_TEMPLATE)
    return (Match(_WORDING, (ref("change", key) if template == key else ref("template", template),)),)


wordings = View(
    "wordings",
    version=1,
    row=Wordings,
    # What is read ahead of a change is read ahead of this.
    kind="change",
    entries_of=_entries_of,
    keeps_withdrawn=True,
    doc="Wordings of scopes and templates: when each was put into words, and by whom, whether it was taken back or not.",
)


def _about(event: ChangeSubmitted | ChangeScopeAmended | TemplatePublished) -> str:
    return about_template(event.template_id) if isinstance(event, TemplatePublished) else event.change_id


@wordings.on(ChangeSubmitted, ChangeScopeAmended, TemplatePublished, key=_about)
def worded(row: Wordings, event: Event, entry: EntryInfo) -> Wordings:
    if len(row.told) >= MOST:
        return row
    return replace(row, told=(*row.told, Worded(spoken(entry, getattr(event, "actor", None)))))


def taken_back_since(
    reads: Reads, about: str, instant: Instant, clocks: Clocks, standing: Collection[int]
) -> int | None:
    """Return where the wording is recorded that stood when somebody decided something, where it is not among those that stand now, by
    their positions; else None.
    """
    row = reads.row(wordings, about)
    there = [one for one in (row.told if row is not None else ()) if was_there(one.said, instant, clocks)]
    last = max(there, key=in_time, default=None)
    return last.said.position if last is not None and last.said.position not in standing else None

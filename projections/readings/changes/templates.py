"""Templates of standard changes: which are approved, until when, and how many of their changes failed.

Not whether an approval or a retirement counts: whoever had no power to say it neither makes a template nor ends one, and whoever asks finds
out (`invalid_because`).
"""

from dataclasses import dataclass

from ledger.events.template import TemplateApproved, TemplateRetired
from projections.engine.view import EntryInfo, Moment, Reads, View, moment, replace
from projections.readings.people.credentials import credentials
from projections.readings.people.grants import access_grants
from projections.readings.people.identities import identities
from projections.readings.people.policies import policies
from projections.readings.people.powers import fault_of_speaker
from projections.readings.people.sources import authorities
from projections.readings.people.voices import Spoken, spoken


@dataclass(frozen=True)
class TemplateApproval:
    """Somebody approved a template, until a time, and as long as so few of its changes fail."""

    expires_at: Moment
    failure_limit: int
    said: Spoken


@dataclass(frozen=True)
class Template:
    """One template, as it was approved and retired last, whether that counts or not. `expires_at` is judged by whoever asks."""

    template_id: str
    approved_by: str | None = None
    approved_at: Moment | None = None
    approved_position: int | None = None
    expires_at: Moment | None = None
    failure_limit: int | None = None
    retired_at: Moment | None = None
    approvals: tuple[TemplateApproval, ...] = ()
    retirements: tuple[Spoken, ...] = ()


templates = View(
    "templates",
    version=2,
    row=Template,
    kind="template",
    reads=(credentials, authorities, identities, access_grants, policies),
    doc="Templates of standard changes: who approved each, until when, and how many failures it may have.",
)


@templates.on(TemplateApproved, key=lambda event: event.template_id)
def approved(row: Template, event: TemplateApproved, entry: EntryInfo) -> Template:
    approval = TemplateApproval(moment(event.expires_at), event.failure_limit, spoken(entry, event.actor))
    return replace(
        row,
        approved_by=event.actor,
        approved_at=entry.time,
        approved_position=entry.position,
        expires_at=approval.expires_at,
        failure_limit=event.failure_limit,
        retired_at=None,
        approvals=(*row.approvals, approval),
    )


@templates.on(TemplateRetired, key=lambda event: event.template_id)
def retired(row: Template, event: TemplateRetired, entry: EntryInfo) -> Template:
    return replace(row, retired_at=entry.time, retirements=(*row.retirements, spoken(entry, event.actor)))


def invalid_because(template: Template | None, now: Moment, failures: int, reads: Reads) -> str | None:
    """Say why a standard change may not rest on a template at a time, after so many failures of its changes; or None."""
    approvals = [approval for approval in template.approvals if approval.said.at <= now] if template is not None else []
    if template is None or not approvals:
        return "no approved template"
    name = f"template {template.template_id}"
    faults = [fault_of_speaker(reads, TemplateApproved.type, approval.said) for approval in approvals]
    counting = [approval for approval, fault in zip(approvals, faults, strict=True) if not fault]
    if not counting:
        return f"the approval of {name} does not count: {faults[-1]}"
    last = counting[-1]
    for said in template.retirements:
        is_ended = said.position > last.said.position and said.at <= now
        if is_ended and not fault_of_speaker(reads, TemplateRetired.type, said):
            return f"{name} is retired"
    if last.expires_at <= now:
        return f"{name} expired at {last.expires_at}"
    if failures > last.failure_limit:
        return f"{name} failed {failures} times, of {last.failure_limit} allowed"
    return None

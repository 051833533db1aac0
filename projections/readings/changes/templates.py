"""Templates of standard changes: which are approved, until when, and how many of their changes failed."""

from dataclasses import dataclass

from ledger.events.template import TemplateApproved, TemplateRetired
from projections.engine.view import EntryInfo, Moment, View, moment, replace


@dataclass(frozen=True)
class Template:
    """One template. `expires_at` is judged by whoever asks."""

    template_id: str
    approved_by: str | None = None
    approved_at: Moment | None = None
    approved_position: int | None = None
    expires_at: Moment | None = None
    failure_limit: int | None = None
    retired_at: Moment | None = None


templates = View(
    "templates",
    version=1,
    row=Template,
    kind="template",
    doc="Templates of standard changes: who approved each, until when, and how many failures it may have.",
)


@templates.on(TemplateApproved, key=lambda event: event.template_id)
def approved(row: Template, event: TemplateApproved, entry: EntryInfo) -> Template:
    return replace(
        row,
        approved_by=event.actor,
        approved_at=entry.time,
        approved_position=entry.position,
        expires_at=moment(event.expires_at),
        failure_limit=event.failure_limit,
        retired_at=None,
    )


@templates.on(TemplateRetired, key=lambda event: event.template_id)
def retired(row: Template, event: TemplateRetired, entry: EntryInfo) -> Template:
    return replace(row, retired_at=entry.time)


def invalid_because(template: Template | None, now: Moment, failures: int) -> str | None:
    """Say why a standard change may not rest on a template at a time, after so many failures of its changes; or None."""
    if template is None or template.approved_position is None:
        return "no approved template"
    if template.retired_at is not None and template.retired_at <= now:
        return f"template {template.template_id} is retired"
    if template.expires_at is not None and template.expires_at <= now:
        return f"template {template.template_id} expired at {template.expires_at}"
    if template.failure_limit is not None and failures > template.failure_limit:
        return f"template {template.template_id} failed {failures} times, of {template.failure_limit} allowed"
    return None

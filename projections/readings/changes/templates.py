"""Templates of standard changes: which are approved, until when, and how many of their changes failed.

Not whether an approval or a retirement counts: whoever had no power to say it neither makes a template nor ends one, and whoever asks finds
out (`invalid_because`).
"""

from collections.abc import Iterable
from dataclasses import dataclass

from ledger.events.template import TemplateApproved, TemplatePublished, TemplateRetired
from ledger.words import number_of
from projections.engine.view import EntryInfo, Moment, Reads, View, moment, replace
from projections.readings.changes.wordings import about_template, taken_back_since
from projections.readings.environments.environments import canonical
from projections.readings.people.credentials import credentials
from projections.readings.people.grants import access_grants
from projections.readings.people.identities import identities
from projections.readings.people.policies import policies
from projections.readings.people.powers import fault_of_speaker, persons_behind
from projections.readings.people.sources import principals_sources
from projections.readings.people.speaking import clocks_of
from projections.readings.people.voices import Spoken, spoken
from projections.rules.digests import content_digest
from projections.rules.environments import compared
from projections.rules.leave import Instant
from projections.rules.words import listed

# A playbook by its name, and its version.
Playbook = tuple[str | None, str | None]


@dataclass(frozen=True)
class TemplateText:
    """What a template says: of which services and environments, none named being any; how, stands in the entry. `digest` is of it all."""

    digest: str
    services: tuple[str, ...]
    environments: tuple[str, ...]
    said: Spoken
    # How it is done, where it says so: a playbook, and which version of it.
    playbook: Playbook = (None, None)

    def why_outside(
        self, services: Iterable[str], environments: Iterable[str], at: Moment, reads: Reads, playbook: Playbook
    ) -> str:
        """Say what of a change is not of the template at a time; empty where it all is. What it leaves out is as the template has it."""
        known = {canonical(reads, name, at) for name in self.environments}
        others = [name for name in services if self.services and name not in self.services]
        others += [name for name in environments if known and canonical(reads, name, at) not in known]
        if any(None not in (one, other) and one != other for one, other in zip(playbook, self.playbook, strict=True)):
            others.append(f"playbook {' '.join(word for word in playbook if word is not None)}")
        return listed(others)


@dataclass(frozen=True)
class TemplateApproval:
    """Somebody approved a template, until a time, and as long as so few of its changes fail.

    `text` is what it was then, where that was written down; `is_of_another` says that the approval names what nobody had written.
    """

    expires_at: Moment
    failure_limit: int
    said: Spoken
    text: TemplateText | None = None
    is_of_another: bool = False
    # Whether it names the digest of what was written.
    names_it: bool = False


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
    texts: tuple[TemplateText, ...] = ()
    approvals: tuple[TemplateApproval, ...] = ()
    retirements: tuple[Spoken, ...] = ()


templates = View(
    "templates",
    version=6,
    row=Template,
    kind="template",
    reads=(credentials, principals_sources, identities, access_grants, policies),
    doc="Templates of standard changes: who approved each, until when, and how many failures it may have.",
)


def template_digest(event: TemplatePublished) -> str:
    """Return the digest of what a template says: services and environments sorted, and how it is done."""
    return content_digest(
        {
            "services": sorted(set(event.services)),
            "environments": sorted({compared(name) for name in event.environments}),
            "playbook_id": event.playbook_id,
            "playbook_version": event.playbook_version,
            "external_digests": [
                {"name": one.name, "digest": one.digest}
                for one in sorted(event.external_digests, key=lambda one: (one.name, one.digest))
            ],
        }
    )


@templates.on(TemplatePublished, key=lambda event: event.template_id)
def published(row: Template, event: TemplatePublished, entry: EntryInfo) -> Template:
    """It counts when somebody approves it; until then what was approved before does."""
    playbook = (event.playbook_id, event.playbook_version)
    said = spoken(entry, event.actor)
    text = TemplateText(template_digest(event), event.services, event.environments, said, playbook)
    return replace(row, texts=(*row.texts, text))


@templates.on(TemplateApproved, key=lambda event: event.template_id)
def approved(row: Template, event: TemplateApproved, entry: EntryInfo) -> Template:
    named = [text for text in row.texts if event.template_digest in (None, text.digest)]
    approval = TemplateApproval(
        moment(event.expires_at),
        event.failure_limit,
        spoken(entry, event.actor),
        named[-1] if named else None,
        event.template_digest is not None and not named,
        event.template_digest is not None,
    )
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


def _fault_of(reads: Reads, template: Template, approval: TemplateApproval) -> str:
    """Say why an approval of a template does not count: of another text, or one that was taken back, by who wrote it, or by who may not."""
    if approval.is_of_another:
        return "it is of another text than was written"
    then = Instant(approval.said.at, approval.said.recorded_at, approval.said.position)
    clocks = clocks_of(reads, approval.said.at)
    standing = {text.said.position for text in template.texts}
    about = about_template(template.template_id)
    if not approval.names_it and taken_back_since(reads, about, then, clocks, standing) is not None:
        return "what was written by then was taken back"
    if approval.text is not None and persons_behind(reads, approval.said) & persons_behind(reads, approval.text.said):
        return f"{approval.said.speaker} wrote it"
    return fault_of_speaker(reads, TemplateApproved.type, approval.said)


def invalid_because(
    template: Template | None,
    now: Moment,
    failures: int,
    reads: Reads,
    services: Iterable[str] = (),
    environments: Iterable[str] = (),
    playbook: Playbook = (None, None),
) -> str | None:
    """Say why a standard change of some services and environments, by a playbook, may not rest on a template at a time, after so many
    failures of its changes; or None.
    """
    approvals = [approval for approval in template.approvals if approval.said.at <= now] if template is not None else []
    if template is None or not approvals:
        return "no approved template"
    name = f"template {template.template_id}"
    faults = [_fault_of(reads, template, approval) for approval in approvals]
    counting = [approval for approval, fault in zip(approvals, faults, strict=True) if not fault]
    if not counting:
        return f"the approval of {name} does not count: {faults[-1]}"
    last = counting[-1]
    for said in template.retirements:
        is_ended = said.position > last.said.position and said.at <= now
        if is_ended and not fault_of_speaker(reads, TemplateRetired.type, said):
            return f"{name} is retired"
    if last.text is not None and (others := last.text.why_outside(services, environments, now, reads, playbook)):
        return f"{others} is not of {name}"
    if last.expires_at <= now:
        return f"{name} expired at {last.expires_at}"
    if failures > last.failure_limit:
        return f"{name} failed {number_of(failures, 'time')}, of {last.failure_limit} allowed"
    return None

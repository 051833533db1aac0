"""Which disposition of a finding holds, and why others do not: by somebody who neither acted nor approved in what it is about.

Not a latch: asked at every judgement, of the people as they are known now. A disposition is about what the finding said, and until a
time; when it says something else, or the time has come, it is open again.
"""

from collections.abc import Iterator

from ledger.events import kind_and_value
from ledger.events.finding import FindingDisposed
from projections.engine.finding import UNANSWERED, Answer, Disposal, Finding, Refusal, said_of
from projections.engine.reads import Look
from projections.readings.assurance.dispositions import Disposed, dispositions
from projections.readings.changes.code import code_changes
from projections.readings.changes.commits import commit_of
from projections.readings.changes.reviews import reviews
from projections.readings.changes.tickets import change_tickets
from projections.readings.delivery.deployments import deployments
from projections.readings.people.identities import person_of
from projections.readings.people.powers import fault_of_speaker, persons_behind
from projections.readings.people.voices import Spoken, spoken


def answered(row: Finding, look: Look) -> Answer:
    """Say what somebody made of a finding, as it speaks now."""
    told = look.row(dispositions, row.finding_id)
    if told is None:
        return UNANSWERED
    said = said_of(row.rule, row.subject, row.says)
    about = [one for one in told.disposed if one.said == said]
    if not about:
        return UNANSWERED
    involved = persons_in(row, look)
    refused: Refusal | None = None
    last: Disposed | None = None
    for one in about:
        why = fault_of(one.by, involved, look)
        if not why:
            last = one
        elif refused is None:
            refused = Refusal(one.by.speaker, one.by.position, why)
    if last is None or (last.until is not None and look.has_come(last.until)):
        return Answer(None, refused)
    return Answer(Disposal(last.disposition, last.by.speaker, last.by.position, last.until), refused)


def stands(row: Finding, look: Look) -> bool:
    """Say whether a finding is open to whoever asks a gate now: it is not answered, or the time of its answer is over."""
    if row.disposition is not None:
        # What is decided otherwise meanwhile makes another answer.
        look.row(dispositions, row.finding_id)
    return row.is_open or look.has_come(row.disposed_until)


def fault_of(said: Spoken, involved: dict[str, str], look: Look) -> str:
    """Say why a disposition does not count because of who made it; empty when it does."""
    for person in persons_behind(look, said):
        if person in involved:
            return f"{said.speaker} {involved[person]} in what it is about"
    return fault_of_speaker(look, FindingDisposed.type, said)


def persons_in(row: Finding, look: Look) -> dict[str, str]:
    """Return who acted or approved in what a finding is about, as persons linked now, with what each did.

    Of the entries that it names whoever acted and whose credential said so; of the changes that these are about, or the finding
    itself, the authors, approvers and deployers; of the deployments whoever deployed and reported them; of commits, who wrote them.
    """
    found: dict[str, str] = {}
    for name, did in _named(row, look):
        found.setdefault(person_of(look, name), did)
    return found


def _named(row: Finding, look: Look) -> Iterator[tuple[str, str]]:
    # Whatever a subject is the key of: of other views there is no such row.
    changes: dict[str, None] = {row.subject: None}
    placed: dict[str, None] = {row.subject: None}
    review = look.row(reviews, row.subject)
    if review is not None and review.change_id is not None:
        changes[review.change_id] = None
    for position in row.positions:
        entry = look.entry(position)
        said = spoken(entry, getattr(entry.event, "actor", None))
        yield from ((name, "acted") for name in persons_behind(look, said))
        for name in entry.refs:
            kind, value = kind_and_value(name)
            if kind == "change":
                changes[value] = None
            elif kind == "deployment":
                placed[value] = None
            elif kind == "commit":
                yield from _wrote(value, look)
    for key in placed:
        deployment = look.row(deployments, key)
        if deployment is not None:
            changes |= dict.fromkeys([deployment.change_id] if deployment.change_id is not None else [])
            acted = (deployment.deployed_by, deployment.reported_by)
            yield from ((name, "deployed") for name in acted if name is not None)
    for key in changes:
        ticket = look.row(change_tickets, key)
        if ticket is not None:
            yield from ((name, "is an author") for name in ticket.authors)
            yield from ((approval.approver, "approved") for approval in ticket.approvals)
            yield from ((name, "deployed") for name in ticket.deployed_by)


def _wrote(commit: str, look: Look) -> Iterator[tuple[str, str]]:
    for key in commit_of(look, commit).code_changes:
        code = look.row(code_changes, key)
        yield from ((name, "wrote the code") for name in (code.authors if code is not None else ()))

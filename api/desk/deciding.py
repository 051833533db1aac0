"""What a person decides after looking: an approval of the very scope that was shown, an answer to what a finding said.

Made into events as anybody could post them, in the person's own name. A decision is of what was seen: an approval goes with the
condition that no other scope was recorded since. What was decided twice by one form is recorded once.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from api.desk.disposing import disposal
from ledger.authority import Caller
from ledger.clock import to_text
from ledger.conditions import Condition, Match
from ledger.errors import ConflictError
from ledger.events import ref
from ledger.events.change import ChangeScopeAmended, ChangeSubmitted
from ledger.events.identifiers import Digest, EventId, Sha256Base64, Time
from ledger.ledger import Ledger
from ledger.log.reading import read_said
from projections import VIEWS
from projections.engine.asking import looking
from projections.judging.disposing import fault_of, persons_in
from projections.judging.findings import findings
from projections.readings.people.voices import not_yet_said

# What a person writes beside a decision.
MAX_COMMENT: Final = 2000
# A scope is the wording that was recorded last, by one of these.
SCOPES: Final = (ChangeSubmitted.type, ChangeScopeAmended.type)
# What of a scope is compared, as its versions have it.
COMPARED: Final = ("services", "environments", "artifacts", "commits")
Comment = Annotated[str | None, Field(max_length=MAX_COMMENT)]


class ApprovalForm(BaseModel):
    """An approval or a rejection: of which scope, seen at which position, under the id of the form."""

    model_config = ConfigDict(extra="forbid")

    id: EventId
    decision: Literal["granted", "rejected"]
    scope_digest: Digest
    position: int = Field(ge=1, le=2**53 - 1)
    comment: Comment = None


class AnswerForm(BaseModel):
    """An answer to a finding: of what it said, as what, why, and until when."""

    model_config = ConfigDict(extra="forbid")

    id: EventId
    disposition: Literal["accepted", "remediated", "false_positive"]
    said: Sha256Base64
    reason: str = Field(min_length=1, max_length=MAX_COMMENT)
    until: Time | None = None


class Difference(NamedTuple):
    """What came into a part of a scope, and what went."""

    part: str
    added: tuple[str, ...]
    removed: tuple[str, ...]


def source_of(ledger: Ledger, caller: Caller) -> str:
    """Return the source that a credential speaks for when a person decides here: its own, or beneath it."""
    patterns = caller.token.sources if caller.token is not None else ("*",)
    if "*" in patterns:
        return f"{ledger.origin}/console"
    return f"{patterns[0][:-1]}console" if patterns[0].endswith("*") else patterns[0]


def reporting_fault(ledger: Ledger, caller: Caller, event_type: str) -> str:
    """Say why a credential may not report a type of fact; empty when it may."""
    return (caller.token.scope_fault(event_type, source_of(ledger, caller)) or "") if caller.token is not None else ""


def approval_of(ledger: Ledger, caller: Caller, ticket: Mapping[str, Any], form: ApprovalForm) -> dict[str, Any]:
    """Return the event that a form says about a change."""
    roles = ticket["required_roles"]
    data = {"actor": caller.principal, "change_id": ticket["change_id"], "scope_digest": form.scope_digest}
    data |= {"role": roles[0]} if len(roles) == 1 else {}
    data |= {"comment": form.comment} if form.comment else {}
    return event_said(ledger, caller, f"approval.{form.decision}", form.id, data)


def as_shown(change_id: str, form: ApprovalForm) -> Condition:
    """Return the condition that no other scope was recorded since the form was shown."""
    return Condition((Match(SCOPES, (ref("change", change_id),)),), after=form.position)


def answer_to(ledger: Ledger, caller: Caller, finding: Mapping[str, Any], form: AnswerForm) -> dict[str, Any]:
    """Return the event that a form says about a finding."""
    said = [{"subject": finding["subject"], "said": form.said}]
    data = disposal(
        caller.principal, finding["rule"], said, disposition=form.disposition, reason=form.reason, until=form.until
    )
    return event_said(ledger, caller, "finding.disposed", form.id, data)


def event_said(
    ledger: Ledger, caller: Caller, event_type: str, identifier: str, data: Mapping[str, Any]
) -> dict[str, Any]:
    """Return an event that somebody says here and now, as anybody could post it."""
    return {
        "specversion": "1.0",
        "id": identifier,
        "source": source_of(ledger, caller),
        "type": event_type,
        "time": to_text(ledger.clock.now_us()),
        "data": dict(data),
    }


def recorded_before(ledger: Ledger, event: Mapping[str, Any]) -> int | None:
    """Return where the same form was recorded, or None. Raises ConflictError where it was sent with another decision."""
    with ledger.database.read() as connection:
        stored = read_said(connection, event["source"], event["id"])
    if stored is None:
        return None
    said = stored.statement["data"]
    # Texts are recorded by their digests: of a text that differs, the first is kept.
    is_same = stored.type == event["type"] and all(
        isinstance(said.get(name), dict) or said.get(name) == value for name, value in event["data"].items()
    )
    if not is_same:
        raise ConflictError(
            f"this form was sent before, with another decision: recorded at position {stored.position}. Look at the page again",
            position=stored.position,
        )
    return stored.position


def answering_fault(ledger: Ledger, caller: Caller, finding_id: str) -> str:
    """Say why an answer by somebody to a finding would not count; empty when it would."""
    now = to_text(ledger.clock.now_us())
    with looking(ledger, VIEWS, now) as look:
        row = look.row(findings, finding_id)
        if row is None:
            return ""
        said = not_yet_said(caller.principal, now, caller.credential)
        return fault_of(said, persons_in(row, look), look)


def difference(scope: Mapping[str, Any], approvals: Sequence[Mapping[str, Any]]) -> tuple[int | None, list[Difference]]:
    """Return the position of the wording that was approved last before the one in force, and what is another since; None for none."""
    versions = scope["versions"]
    current = versions[-1]
    approved = [
        bound for one in approvals if one["verdict"] == "granted" and (bound := _bound_to(versions, one)) is not None
    ]
    others = [version for version in approved if version["digest"] != current["digest"]]
    if not others:
        return None, []
    before = max(others, key=lambda version: version["said"]["position"])
    return before["said"]["position"], differences(current, before)


def differences(version: Mapping[str, Any], before: Mapping[str, Any]) -> list[Difference]:
    """Return in which parts a wording of a scope is another than one before it."""
    found = [
        Difference(part, _without(version[part], before[part]), _without(before[part], version[part]))
        for part in COMPARED
    ]
    return [one for one in found if one.added or one.removed]


def _bound_to(versions: Sequence[Mapping[str, Any]], approval: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the wording that an approval names, or else the last before it."""
    named = approval["scope_digest"]
    some = [
        version
        for version in versions
        if (
            named in (version["digest"], version["stated"])
            if named
            else version["said"]["position"] < approval["position"]
        )
    ]
    return some[-1] if some else None


def _without(some: Sequence[str], others: Sequence[str]) -> tuple[str, ...]:
    return tuple(one for one in some if one not in others)

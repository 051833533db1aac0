"""Grants as they stand: what was said of each by whoever had the power to, whether that is over, and when it was used and renewed.

Not what somebody may do by them: that is `powers`. A stranger ends nothing, owns nothing, uses nothing and renews nothing:

    10:00 olga      grants GR-1 to service:ci, which bob owns    stands
    11:00 mallory   revokes GR-1, or grants it with an owner     is recorded and found; it stands as it was
    12:00 ci        used GR-1                                    counts: the holder's own word, or of whoever has the power
    13:00 bob       renewed the secret of GR-1                   counts: the owner's, the giver's, or of whoever has the power
"""

from ledger.events.access import AccessRotated, AccessUsed
from projections.engine.reads import Look
from projections.engine.view import Moment, Reads
from projections.readings.people.grants import Grant, Span
from projections.readings.people.identities import person_of
from projections.readings.people.powers import fault_of_grant, fault_of_speaker, persons_behind, revocations_of
from projections.readings.people.replacing import has_power
from projections.readings.people.voices import Spoken


def standing_span(reads: Reads, grant: Grant) -> Span | None:
    """Return what a grant says by the last statement of it that counts; None where none does."""
    return next((span for span in reversed(grant.spans) if not fault_of_grant(reads, span)), None)


def has_ended_by_now(grant: Grant, look: Look) -> bool:
    """Say whether a grant was revoked, or expired, or never gave anything; and let the end that has not come wake whoever asks."""
    span = standing_span(look, grant)
    if span is None:
        return True
    # Granted anew: an earlier end does not count any more.
    ends = [said.at for said in revocations_of(look, grant) if said.position > span.said.position]
    return any(look.has_come(end) for end in (span.expires_at, *ends))


def last_used_at(reads: Reads, grant: Grant, span: Span) -> Moment | None:
    """Return when a grant was used last, as its holder says, or whoever has the power to: of most, nobody else sees a use."""
    return _last(reads, AccessUsed.type, grant.used_by, span, (span.principal,))


def last_rotated_at(reads: Reads, grant: Grant, span: Span) -> Moment | None:
    """Return when the secret of a grant was renewed last, as its owner says, whoever gave it, or whoever has the power to."""
    answering = (span.said.speaker, *((span.owner,) if span.owner is not None else ()))
    return _last(reads, AccessRotated.type, grant.rotated_by, span, answering)


def _last(
    reads: Reads, event_type: str, told: tuple[Spoken, ...], span: Span, believed: tuple[str, ...]
) -> Moment | None:
    persons = {person_of(reads, who) for who in believed}
    counting = (
        said.at
        for said in told
        if not fault_of_speaker(reads, event_type, said, span.environment)
        and (has_power(reads, event_type, said) or persons_behind(reads, said) <= persons)
    )
    return max(counting, default=None)

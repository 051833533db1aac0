"""Leaving: whether somebody who had credentials has none left."""

from projections.engine.view import Reads
from projections.readings.people.credentials import credentials
from projections.readings.people.identities import identities, key_of


def ends_of(reads: Reads, identity: str) -> list[int]:
    """Return where the credentials of somebody were revoked, when all were; nothing for who has one left, or never had any."""
    known = reads.row(identities, key_of(identity))
    held = [reads.row(credentials, credential) for credential in known.credentials] if known is not None else []
    ends = [credential.revoked_position for credential in held if credential is not None]
    return [end for end in ends if end is not None] if None not in ends else []

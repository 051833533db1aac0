"""Keys: enrolled, retired, revoked. The last entry or checkpoint key that somebody can use stays.

Not the rules of what may be enrolled (`ledger.enrolment`), nor the way back when no entry key is left
(`ledger.stewardship.recovery`).

    7  ledger.key_enrolled   entry key B, with B's own signature over origin and role; valid from 8 on
    8  ledger.key_retired    entry key A; its last entry is 8, because B can sign 9

Retired the other way round, B first and A then, the second is refused: nothing could be appended any more.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

from ledger.authority import RECOVERED, Authority
from ledger.conditions import Condition, Match
from ledger.enrolment import key_fault, possession_fault
from ledger.entry import Receipt
from ledger.errors import ConditionFailedError, LastKeyError, NotFoundError, StatementError
from ledger.ledger import Ledger
from ledger.log.checkpoints import last_size, read_checkpoints
from ledger.log.reading import has_signed
from signing.errors import VerificationError
from signing.keyring import KeyRecord
from signing.keys import VerifyingKey
from signing.known_keys import why_anybody_signs
from signing.notes import NoteKey

KEY_CHANGES: Final = ("ledger.key_enrolled", "ledger.key_retired", "ledger.key_revoked", RECOVERED)


def enrol_key(
    ledger: Ledger,
    public_key: bytes,
    *,
    role: str,
    name: str,
    actor: str,
    sources: Sequence[str] = (),
    possession: str | None = None,
    by: str | None = None,
) -> Receipt:
    """Add a public key, valid from the next position on. Raises StatementError for a key that could never be used.

    `possession` is the base64 of the key's own signature over origin and role (`signing.possession`); a witness has none.
    """
    NoteKey(name, public_key)
    VerifyingKey(public_key)
    if role == "checkpoint":
        name = ledger.origin
    if (role == "producer") != bool(sources):
        raise StatementError(
            "a producer's key names the sources that it may sign for, such as https://ci.example.com/*; others name none",
            "/sources",
        )
    data: dict[str, Any] = {"role": role, "name": name, "public_key": public_key.hex()}
    data |= ({"sources": sorted(sources)} if sources else {}) | ({"possession": possession} if possession else {})

    def check(authority: Authority) -> None:
        if (fault := key_fault(authority.keyring, public_key)) is not None:
            raise StatementError(fault, "/public_key")
        if (fault := possession_fault(ledger.origin, role, public_key, possession)) is not None:
            raise StatementError(fault, "/possession")

    return _change(ledger, "ledger.key_enrolled", data, actor, by, check)


def retire_key(ledger: Ledger, identifier: str, *, role: str, actor: str, by: str | None = None) -> Receipt:
    """End a key's service with this position. Raises LastKeyError for the last entry or checkpoint key that can be used."""
    return _end(ledger, "ledger.key_retired", {"role": role, "key_id": identifier}, actor, by)


def revoke_key(
    ledger: Ledger, identifier: str, *, role: str, from_position: int, reason: str, actor: str, by: str | None = None
) -> Receipt:
    """Distrust a key from a position on, in the past or the next. Raises LastKeyError as `retire_key` does."""
    data = {"role": role, "key_id": identifier, "from_position": from_position, "reason": reason}
    return _end(ledger, "ledger.key_revoked", data, actor, by)


def _end(ledger: Ledger, event_type: str, data: dict[str, Any], actor: str, by: str | None) -> Receipt:
    def check(authority: Authority) -> None:
        if (since := data.get("from_position", 0)) > ledger.size() + 1:
            raise StatementError(f"expected a position up to {ledger.size() + 1}, found {since}: not the future")
        _refuse_last(ledger, authority, data["key_id"], data["role"])

    return _change(ledger, event_type, data, actor, by, check)


def _change(
    ledger: Ledger,
    event_type: str,
    data: dict[str, Any],
    actor: str,
    by: str | None,
    check: Callable[[Authority], None],
) -> Receipt:
    """State a change of keys that `check` lets through, judged again when another came before it: two keys that are ended at once
    are each the other's successor.
    """
    while True:
        authority = ledger.current_authority()
        position = authority.position
        check(authority)
        nothing_since = Condition(after=position, none_of=(Match(types=KEY_CHANGES),))
        try:
            return ledger.act(event_type, data, actor=actor, by=by, condition=nothing_since)
        except ConditionFailedError:
            continue


def _refuse_last(ledger: Ledger, authority: Authority, identifier: str, role: Any) -> None:
    try:
        authority.keyring.find(role, identifier)
    except VerificationError as error:
        raise NotFoundError(str(error)) from error
    if role not in ("entry", "checkpoint"):
        return
    valid = authority.keyring.valid_at(role, ledger.size() + 1)
    left = [record for record in valid if record.key_id != identifier]
    if len(left) < len(valid) and not any(_is_usable(ledger, authority, record) for record in left):
        lost = "nothing could be appended" if role == "entry" else "no checkpoint could be signed"
        raise LastKeyError(
            f"this is the only valid {role} key that somebody is known to hold: enrol its successor first, or {lost} any more"
        )


def _is_usable(ledger: Ledger, authority: Authority, record: KeyRecord) -> bool:
    """Say whether somebody is known to hold the private half of a key, and not everybody."""
    if why_anybody_signs(record.public_key) is not None:
        return False
    if record.proved or record.valid_from == 1:
        return True
    # Enrolled before proofs were asked for: it counts once it has signed.
    with ledger.database.read() as connection:
        if record.role == "entry":
            number = [known.key_id for known in authority.keyring.numbered("entry")].index(record.key_id)
            return has_signed(connection, number)
        ids = {NoteKey(origin, record.public_key).id for origin in authority.checkpoint_origins}
        last = next(read_checkpoints(connection, after=last_size(connection) - 1), None)
        return last is not None and any(line.key_id in ids for line in last.signed.lines)

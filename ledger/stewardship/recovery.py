"""The way back: when nobody holds a valid entry key any more, and when an old backup had to be put back.

    ledger.key_recovered   the checkpoint key lets a new entry key in
    ledger.restored        a checkpoint was signed over entries that are lost: a new incarnation begins

Not a way around the pin: an audit names every recovery, and calls no ledger sound before its pin has accepted it.
"""

import os
from base64 import b64encode
from collections.abc import Callable, Sequence

from ledger.authority import RECOVERED
from ledger.clock import Clock
from ledger.conditions import Condition
from ledger.enrolment import key_fault
from ledger.entry import Receipt
from ledger.errors import ConditionFailedError, KeyNotValidError, SetupError
from ledger.ledger import Ledger
from ledger.log.database import Database
from ledger.log.reading import read_entry, read_size
from signing.checkpoint import Checkpoint
from signing.keys import Signer
from signing.possession import endorse_recovery, recovery_body


def recover(
    database: Database,
    entry_key: Signer,
    checkpoint_key: Signer,
    *,
    actor: str,
    reason: str,
    name: str = "recovered",
    end_others: bool = False,
    clock: Clock | None = None,
    random: Callable[[int], bytes] = os.urandom,
) -> Receipt:
    """Let a new entry key in, by leave of the valid checkpoint key; it signs the entry that says so.

    Entry keys that are valid although nobody here holds them end with it when `end_others` is set. Raises KeyNotValidError
    when there are some and it is not, or when the checkpoint key is not valid; SetupError for a key that may not be enrolled.
    """
    ledger = Ledger.prepare(database, entry_key, clock=clock, random=random)
    try:
        while True:
            keyring = ledger.current_authority().keyring
            if (fault := key_fault(keyring, entry_key.public_key)) is not None:
                raise SetupError(fault)
            with database.read() as connection:
                size = read_size(connection)
                last_entry = read_entry(connection, size).leaf_hash.hex()
            valid = [record.key_id for record in keyring.valid_at("entry", size + 1)]
            if valid and not end_others:
                raise KeyNotValidError(
                    f"the entry keys {', '.join(k[:16] for k in valid)} are valid: with one of them, enrol the new key (change-ledger "
                    "keys enrol entry …). If nobody here holds them, end them: change-ledger keys recover --end-others …"
                )
            _check_checkpoint_key(
                [record.key_id for record in keyring.valid_at("checkpoint", size + 1)], checkpoint_key
            )
            body = recovery_body(
                origin=ledger.origin, public_key=entry_key.public_key, last_entry=last_entry, ended=valid
            )
            data = {
                "actor": actor,
                "name": name,
                "public_key": entry_key.public_key.hex(),
                "last_entry": last_entry,
                **({"ended": valid} if valid else {}),
                "checkpoint_key": checkpoint_key.key_id,
                "endorsement": b64encode(endorse_recovery(checkpoint_key, body)).decode(),
                "reason": reason,
            }
            try:
                return ledger.state(RECOVERED, data, condition=Condition(after=size))
            except ConditionFailedError:
                continue  # Somebody appended meanwhile: it would be let in after another entry.
    finally:
        ledger.close()


def _check_checkpoint_key(valid: Sequence[str], key: Signer) -> None:
    if key.key_id not in valid:
        raise KeyNotValidError(
            f"the checkpoint key {key.key_id[:16]}… is not valid; valid are {', '.join(k[:16] for k in valid) or 'none'}. With neither "
            "key, begin a ledger that names this one's last checkpoint: change-ledger init --predecessor FILE"
        )


def record_restoration(ledger: Ledger, lost: Checkpoint, *, actor: str, reason: str, by: str | None = None) -> Receipt:
    """Record that an old backup was put back, and which checkpoint had been signed over what is lost: a new incarnation."""
    data = {"last_kept": ledger.size(), "lost_size": lost.size, "lost_root": lost.root.hex(), "reason": reason}
    return ledger.act("ledger.restored", data, actor=actor, by=by)

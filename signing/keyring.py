"""Public keys with role and validity by position; rotation and revocation.

Time does not enter: a key is valid for positions, because positions are what the log orders and what cannot be
backdated. A key change at position p is in force from p + 1 on; the change itself must be signed by a key valid before
it. Revocation may reach back: `revoked_from` names the first position whose signatures by this key no longer count.
"""

from dataclasses import dataclass, replace
from typing import Literal

from signing.errors import VerificationError
from signing.keys import VerifyingKey, key_id

Role = Literal["entry", "checkpoint", "producer", "witness"]


@dataclass(frozen=True)
class KeyRecord:
    """One enrolled key. Positions are inclusive; `None` is without end."""

    key_id: str
    public_key: bytes
    role: Role
    name: str
    valid_from: int
    valid_until: int | None = None
    revoked_from: int | None = None

    def fault_at(self, position: int) -> str | None:
        """Say why this key may not vouch for `position`, or None when it may."""
        if self.revoked_from is not None and position >= self.revoked_from:
            return "key-revoked"
        if position < self.valid_from or (self.valid_until is not None and position > self.valid_until):
            return "key-not-valid"
        return None


class Keyring:
    """The keys of a ledger in the order in which they were enrolled, per role.

    The index of an entry key in `numbered("entry")` is its *key number*, from 0: what the signature tiles carry.
    """

    def __init__(self) -> None:
        self._records: dict[tuple[Role, str], KeyRecord] = {}
        self._verifying: dict[str, VerifyingKey] = {}

    def enrol(self, *, public_key: bytes, role: Role, name: str, valid_from: int) -> KeyRecord:
        record = KeyRecord(key_id(public_key), public_key, role, name, valid_from)
        if (role, record.key_id) in self._records:
            raise VerificationError(f"key {record.key_id[:16]}… is already enrolled as {role}: a key is enrolled once")
        self._records[role, record.key_id] = record
        return record

    def retire(self, role: Role, identifier: str, *, last_position: int) -> None:
        record = self.find(role, identifier)
        last = last_position if record.valid_until is None else min(record.valid_until, last_position)
        self._records[role, identifier] = replace(record, valid_until=last)

    def revoke(self, role: Role, identifier: str, *, from_position: int) -> None:
        record = self.find(role, identifier)
        earliest = from_position if record.revoked_from is None else min(record.revoked_from, from_position)
        self._records[role, identifier] = replace(record, revoked_from=earliest)

    def find(self, role: Role, identifier: str) -> KeyRecord:
        try:
            return self._records[role, identifier]
        except KeyError:
            raise VerificationError(f"no {role} key with the id {identifier[:16]}… is enrolled") from None

    def numbered(self, role: Role) -> list[KeyRecord]:
        # A copy first: another thread may be enrolling a key.
        return [record for (of_role, _), record in list(self._records.items()) if of_role == role]

    def valid_at(self, role: Role, position: int) -> list[KeyRecord]:
        return [record for record in self.numbered(role) if record.fault_at(position) is None]

    def verifying_key(self, record: KeyRecord) -> VerifyingKey:
        key = self._verifying.get(record.key_id)
        if key is None:
            key = self._verifying[record.key_id] = VerifyingKey(record.public_key)
        return key

    def __getstate__(self) -> dict[str, object]:
        # Parsed keys cannot cross a process boundary; they are parsed again on first use.
        return {"_records": self._records, "_verifying": {}}

"""Public keys with role and validity by position; rotation and revocation.

Time does not enter: a key is valid for positions, because positions are what the log orders and what cannot be
backdated. A key change at position p is in force from p + 1 on; the change itself must be signed by a key valid before
it. Revocation may reach back: from `revoked_from` on, signatures by this key are no longer believed. What it signed
before the revocation was recorded stands, and is *affected*; what it signs afterwards is a fault.
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
    revoked_at: int | None = None
    # For a producer's key: the sources that it may sign for.
    sources: tuple[str, ...] = ()
    # Whether it was shown that somebody holds the private half.
    proved: bool = False

    def fault_at(self, position: int) -> str | None:
        """Say why this key may not vouch for `position`, or None when it may."""
        if self.revoked_at is not None and position > self.revoked_at:
            return "key-revoked"
        if position < self.valid_from or (self.valid_until is not None and position > self.valid_until):
            return "key-not-valid"
        return None

    def distrusted_at(self, position: int) -> bool:
        """Say whether a revocation that reaches back covers what this key signed at `position`."""
        return self.revoked_from is not None and position >= self.revoked_from


class Keyring:
    """The keys of a ledger in the order in which they were enrolled, per role.

    The index of an entry key in `numbered("entry")` is its *key number*, from 0: what the signature tiles carry.
    """

    def __init__(self) -> None:
        self._records: dict[tuple[Role, str], KeyRecord] = {}
        self._verifying: dict[str, VerifyingKey] = {}

    def enrol(
        self,
        *,
        public_key: bytes,
        role: Role,
        name: str,
        valid_from: int,
        sources: tuple[str, ...] = (),
        proved: bool = False,
    ) -> KeyRecord:
        record = KeyRecord(key_id(public_key), public_key, role, name, valid_from, sources=sources, proved=proved)
        if (role, record.key_id) in self._records:
            raise VerificationError(f"key {record.key_id[:16]}… is already enrolled as {role}: a key is enrolled once")
        self._records[role, record.key_id] = record
        return record

    def retire(self, role: Role, identifier: str, *, last_position: int) -> None:
        record = self.find(role, identifier)
        last = last_position if record.valid_until is None else min(record.valid_until, last_position)
        self._records[role, identifier] = replace(record, valid_until=last)

    def revoke(self, role: Role, identifier: str, *, from_position: int, at: int) -> None:
        record = self.find(role, identifier)
        earliest = from_position if record.revoked_from is None else min(record.revoked_from, from_position)
        first = at if record.revoked_at is None else record.revoked_at
        self._records[role, identifier] = replace(record, revoked_from=earliest, revoked_at=first)

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

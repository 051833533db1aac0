"""`Ledger`: one ledger, opened. Append, read, and everything the ledger states about itself.

Long, because it is the face of the room: each method is short. Not the lock (`ledger.recorder`), not the queue in
front of it (`ledger.writer`), not the audit, which trusts nothing in here.
"""

import contextlib
import hashlib
import os
import threading
from collections.abc import Callable, Sequence
from typing import Any, Final, cast

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ledger import tables
from ledger.checkpoints import StoredCheckpoint
from ledger.clock import Clock, from_text, to_text
from ledger.conditions import Condition, Match
from ledger.credentials import AUTHORITY_TYPES, LEDGER_PRINCIPAL, Authority, Caller, token_sha256
from ledger.database import Database
from ledger.dossier import COMMITTED, make_dossier
from ledger.entry import ENTRY_PAYLOAD_TYPE, FORMAT_VERSION, Receipt
from ledger.errors import (
    ConditionFailedError,
    KeyNotValidError,
    LedgerStoppedError,
    NotFoundError,
    SetupError,
    StatementError,
)
from ledger.following import Watcher
from ledger.heads import Heads
from ledger.reading import (
    StoredEntry,
    read_entries,
    read_entry,
    read_evidence,
    read_heads,
    read_last,
    read_size,
    read_texts,
)
from ledger.recorder import Outcome, Recorder, Refused, Submission
from ledger.statement import Admission, Evidence, Statement
from signing import dsse
from signing.checkpoint import Checkpoint
from signing.errors import SigningError, VerificationError
from signing.keyring import Role
from signing.keys import Signer, VerifyingKey
from signing.merkle import leaf_hash
from signing.notes import NoteKey

TOKEN_PREFIX: Final = "clt_"
LOCAL_OPERATOR: Final = "service:local-operator"
KEY_CHANGES: Final = ("ledger.key_enrolled", "ledger.key_retired", "ledger.key_revoked")
ALREADY: Final = "this database holds a ledger already: a ledger is opened once"


class Ledger:
    """A ledger opened for appending. `random` is where salts, tokens and ids come from."""

    def __init__(
        self,
        database: Database,
        signer: Signer,
        *,
        origin: str,
        clock: Clock,
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self.database = database
        self.origin = origin
        self.clock = clock
        self.watcher = Watcher(database)
        self.authority = Authority()
        self._random = random
        self._signer = signer
        self._lock = threading.Lock()
        self._making_heads = threading.Lock()
        self._heads: Heads | None = None
        with database.engine.connect() as connection:
            catch_up(connection, self.authority)
            pepper = connection.execute(
                sa.select(tables.secrets.c.value).where(tables.secrets.c.name == tables.SECRET)
            ).scalar_one()
        self.admission = Admission(origin=origin, now_us=clock.now_us, random=random, pepper=bytes(pepper))
        self.recorder = Recorder(
            database,
            origin=origin,
            signer=signer,
            authority=self.authority,
            catch_up=catch_up,
            on_conflict=self._conflict,
            clock=clock,
        )

    # -- opening -------------------------------------------------------------------------------------------------

    @classmethod
    def create(
        cls,
        database: Database,
        *,
        origin: str,
        entry_key: Signer,
        checkpoint_key: bytes,
        clock: Clock | None = None,
        random: Callable[[int], bytes] = os.urandom,
    ) -> "Ledger":
        """Make the schema and append `ledger.opened` at position 1. Raises SetupError when a ledger is there already."""
        database.migrate()
        with database.engine.connect() as connection:
            if read_size(connection):
                raise SetupError(ALREADY)
        with contextlib.suppress(sa.exc.IntegrityError), database.write() as connection:
            # Of several that open at once, the first brings the secret.
            connection.execute(sa.insert(tables.secrets).values(name=tables.SECRET, value=random(32)))
        ledger = cls(database, entry_key, origin=origin, clock=clock or Clock(), random=random)
        try:
            ledger.state(
                "ledger.opened",
                {
                    "actor": LOCAL_OPERATOR,
                    "origin": origin,
                    "format_version": FORMAT_VERSION,
                    "entry_key": entry_key.public_key.hex(),
                    "checkpoint_key": checkpoint_key.hex(),
                    "secret_sha256": hashlib.sha256(ledger.admission.pepper).hexdigest(),
                },
                # Of two that open at once, the second finds an entry and is refused.
                condition=Condition(),
            )
        except ConditionFailedError:
            ledger.close()
            raise SetupError(ALREADY) from None
        return ledger

    @classmethod
    def open(
        cls,
        database: Database,
        entry_key: Signer,
        *,
        clock: Clock | None = None,
        random: Callable[[int], bytes] = os.urandom,
    ) -> "Ledger":
        """Open a ledger that was created before. Raises SetupError when there is none, or the key may not sign for it."""
        database.check_schema()
        # Refuses a PostgreSQL that could lose what was acknowledged, before anything is.
        database.connect_for_writing().close()
        with database.engine.connect() as connection:
            if read_size(connection) == 0:
                raise SetupError("the database holds no ledger; run: change-ledger init --origin NAME")
            origin = read_entry(connection, 1).document["ledger"]
        ledger = cls(database, entry_key, origin=origin, clock=clock or Clock(), random=random)
        valid = {record.key_id for record in ledger.authority.keyring.valid_at("entry", ledger.size() + 1)}
        if entry_key.key_id not in valid:
            ledger.close()
            raise KeyNotValidError(
                f"the entry key {entry_key.key_id[:16]}… may not sign for this ledger; valid are {', '.join(k[:16] for k in sorted(valid))}"
            )
        return ledger

    def close(self) -> None:
        self.watcher.close()
        self.recorder.close()
        self.database.close()

    # -- appending -----------------------------------------------------------------------------------------------

    def append(self, *submissions: Submission) -> Any:
        """Append in the calling thread. Returns the outcome, or a list of them for several submissions."""
        outcomes = self.append_group(submissions)
        return outcomes[0] if len(outcomes) == 1 else outcomes

    def append_group(self, submissions: tuple[Submission, ...] | list[Submission]) -> list[Outcome]:
        with self._lock:
            outcomes = self.recorder.append_group(submissions)
        self.watcher.grown_to(self.recorder.acknowledged)
        return outcomes

    def local_caller(self) -> Caller:
        """Return the caller for whoever works on the database itself, with the entry key in hand. Nobody authenticated a person."""
        return Caller(self.own_caller().credential, LEDGER_PRINCIPAL, "asserted")

    def own_caller(self) -> Caller:
        """Return the ledger itself: who records the reserved areas."""
        return self.authority.ledger_caller(self._signer.public_key)

    def ledger_statement(
        self,
        event_type: str,
        data: dict[str, Any],
        *,
        identifier: str | None = None,
        evidence: tuple[Evidence, ...] = (),
    ) -> Statement:
        """Return a statement that the ledger makes in its own name."""
        return self.admission.admit(
            {
                "specversion": "1.0",
                "id": identifier or self._random(16).hex(),
                "source": self.origin,
                "type": event_type,
                "time": to_text(self.clock.now_us()),
                "data": data,
            },
            evidence=evidence,
        )

    def state(
        self,
        event_type: str,
        data: dict[str, Any],
        *,
        condition: Condition | None = None,
        evidence: tuple[Evidence, ...] = (),
    ) -> Receipt:
        """Append one statement in the ledger's own name and return its receipt."""
        statement = self.ledger_statement(event_type, data, evidence=evidence)
        outcome: Outcome = self.append(Submission((statement,), self.own_caller(), condition))
        if isinstance(outcome, Refused):
            raise outcome.error
        return outcome.receipts[0]

    def _conflict(self, position: int, statement: Statement, first: bytes) -> Statement:
        data = {
            "first_position": position,
            "conflicting_source": statement.source,
            "first_digest": first.hex(),
            "second_digest": statement.digest.hex(),
        }
        return self.ledger_statement(
            "intake.conflicted", data, identifier=f"conflict/{position}/{statement.digest.hex()}"
        )

    # -- reading -------------------------------------------------------------------------------------------------

    def size(self) -> int:
        with self.database.engine.connect() as connection:
            return read_size(connection)

    def check_ready(self) -> int:
        """Return the size, or raise what would stop the next append: lost history, a clock that jumped, a key not valid."""
        if self.recorder.stopped is not None:
            raise self.recorder.stopped
        with self.database.engine.connect() as connection:
            row = connection.execute(
                sa.select(tables.head.c.size, tables.head.c.recorded_at, tables.head.c.entry_keys)
            ).one()
        self.clock.next_recorded_at(row.recorded_at)
        if self._signer.key_id not in row.entry_keys.split(","):
            raise KeyNotValidError(
                f"the entry key {self._signer.key_id[:16]}… is not valid for position {row.size + 1}"
            )
        return int(row.size)

    def current_authority(self) -> Authority:
        """Return who may do what as of the last commit, of whichever process."""
        with self.database.engine.connect() as connection:
            position = connection.execute(sa.select(tables.head.c.authority_position)).scalar()
            if position != self.authority.position:
                with self._lock:
                    catch_up(connection, self.authority)
        return self.authority

    def receipt(self, stored: StoredEntry) -> Receipt:
        key = self.authority.keyring.numbered("entry")[stored.key_number]
        statement = stored.statement
        return Receipt(
            position=stored.position,
            entry_hash=stored.leaf_hash,
            signature=stored.signature,
            key_id=key.key_id,
            recorded_at=stored.document["recorded_at"],
            source=statement["source"],
            id=statement["id"],
        )

    def envelope(self, stored: StoredEntry) -> dsse.Envelope:
        """Return an entry as a DSSE envelope that any DSSE verifier checks."""
        key = self.authority.keyring.numbered("entry")[stored.key_number]
        return dsse.Envelope(ENTRY_PAYLOAD_TYPE, stored.entry, (dsse.Signature(key.key_id, stored.signature),))

    # -- what the ledger states about itself ---------------------------------------------------------------------

    def issue_token(
        self,
        *,
        actor: str,
        principal: str,
        kind: str,
        roles: list[str],
        areas: list[str] | None = None,
        sources: list[str] | None = None,
        expires_at: str | None = None,
        by: str | None = None,
    ) -> tuple[str, str, Receipt]:
        """Issue a bearer token of 256 random bits. Returns (credential id, token, receipt): the token is shown once and never kept."""
        token = TOKEN_PREFIX + self._random(32).hex()
        credential = f"token:{self._random(6).hex()}"
        data = {
            "credential": credential,
            "principal": principal,
            "kind": kind,
            "roles": sorted(roles),
            "areas": sorted(areas or ["*"]),
            "sources": sorted(sources or ["*"]),
            "token_sha256": token_sha256(token),
        } | ({"expires_at": expires_at} if expires_at else {})
        return credential, token, self._act("ledger.credential_issued", data, actor, by)

    def revoke_token(
        self, credential: str, *, actor: str, reason: str, from_position: int | None = None, by: str | None = None
    ) -> Receipt:
        """Revoke a token from the next position on. `from_position` says since when it is not believed any more."""
        if credential not in self.current_authority().credentials:
            raise NotFoundError(f"no credential {credential} was issued; change-ledger token list shows them")
        since = {"from_position": from_position} if from_position else {}
        return self._act("ledger.credential_revoked", {"credential": credential, "reason": reason, **since}, actor, by)

    def enrol_source(
        self,
        source: str,
        *,
        door: str,
        principal: str,
        actor: str,
        must_sign: bool = False,
        authority_for: list[str] | None = None,
        by: str | None = None,
    ) -> Receipt:
        """Make a source known. Raises StatementError when it is enrolled at this door already."""
        if (enrolled := self.current_authority().enrolled(door, source)) is not None:
            raise StatementError(
                f"{source} is enrolled at the door {door} since position {enrolled.enrolled_at}; retire it first",
                "/source",
            )
        data = {
            "source": source,
            "door": door,
            "principal": principal,
            "must_sign": must_sign,
            "authority_for": sorted(authority_for or []),
        } | ({"credential": f"hmac:{self._random(6).hex()}"} if door == "github" else {})
        return self._act("ledger.source_enrolled", data, actor, by)

    def retire_source(self, source: str, *, door: str, actor: str, by: str | None = None) -> Receipt:
        """Refuse a source's statements at a door from the next position on."""
        if self.current_authority().enrolled(door, source) is None:
            raise NotFoundError(f"no source {source} is enrolled at the door {door}")
        return self._act("ledger.source_retired", {"source": source, "door": door}, actor, by)

    def enrol_key(
        self,
        public_key: bytes,
        *,
        role: str,
        name: str,
        actor: str,
        sources: Sequence[str] = (),
        by: str | None = None,
    ) -> Receipt:
        """Add a public key, valid from the next position on. Raises StatementError for a key that could never be used."""
        NoteKey(name, public_key)
        VerifyingKey(public_key)
        if role == "checkpoint":
            name = self.origin
        if (role == "producer") != bool(sources):
            raise StatementError(
                "a producer's key names the sources that it may sign for, such as https://ci.example.com/*; others name none",
                "/sources",
            )
        known = self.current_authority().keyring.numbered(cast(Role, role))
        if any(record.public_key == public_key for record in known):
            raise StatementError(f"this key is enrolled as {role} already: a key is enrolled once", "/public_key")
        data = {"role": role, "name": name, "public_key": public_key.hex()}
        return self._act("ledger.key_enrolled", data | ({"sources": sorted(sources)} if sources else {}), actor, by)

    def retire_key(self, identifier: str, *, role: str, actor: str, by: str | None = None) -> Receipt:
        """End a key's service with this position. Raises KeyNotValidError for the last entry key."""
        return self._end_key("ledger.key_retired", {"role": role, "key_id": identifier}, actor, by)

    def revoke_key(
        self, identifier: str, *, role: str, from_position: int, reason: str, actor: str, by: str | None = None
    ) -> Receipt:
        """Distrust a key from a position on, in the past or the next. Raises KeyNotValidError for the last entry key."""
        data = {"role": role, "key_id": identifier, "from_position": from_position, "reason": reason}
        return self._end_key("ledger.key_revoked", data, actor, by)

    def _end_key(self, event_type: str, data: dict[str, Any], actor: str, by: str | None) -> Receipt:
        while True:
            position = self.current_authority().position
            self._refuse_last_key(data["key_id"], data["role"])
            if (since := data.get("from_position", 0)) > self.size() + 1:
                raise StatementError(f"expected a position up to {self.size() + 1}, found {since}: not the future")
            # Of two keys that are ended at once, each is the other's successor: the second is judged again.
            nothing_since = Condition(after=position, none_of=(Match(types=KEY_CHANGES),))
            try:
                return self._act(event_type, data, actor, by, nothing_since)
            except ConditionFailedError:
                continue

    def _refuse_last_key(self, identifier: str, role: Any) -> None:
        keyring = self.current_authority().keyring
        try:
            keyring.find(role, identifier)
        except VerificationError as error:
            raise NotFoundError(str(error)) from error
        if role == "entry" and {k.key_id for k in keyring.valid_at("entry", self.size() + 1)} == {identifier}:
            raise KeyNotValidError(
                "this is the only valid entry key: enrol its successor first, or nothing could be appended any more"
            )

    def record_restoration(self, lost: Checkpoint, *, actor: str, reason: str, by: str | None = None) -> Receipt:
        """Record that an old backup was put back, and which checkpoint had been signed over what is lost: a new incarnation."""
        data = {
            "last_kept": self.size(),
            "lost_size": lost.size,
            "lost_root": lost.root.hex(),
            "reason": reason,
        }
        return self._act("ledger.restored", data, actor, by)

    def commit_heads(self, *, actor: str | None = None) -> Receipt:
        """Commit to the last position of every ref as of now. Computed outside the lock: appends go on meanwhile."""
        with self.database.read() as connection:
            size = read_size(connection)
            heads = Heads(size, read_heads(connection, size))
        data = {"as_of": size, "ref_count": len(heads), "root": heads.root.hex()}
        receipt = self.state("ledger.heads_committed", data | ({"actor": actor} if actor else {}))
        self._heads = heads
        return receipt

    def commit_heads_if_due(self, every_s: int) -> Receipt | None:
        """Commit unless the last commitment is younger than `every_s` seconds, or nothing that matters came after it."""
        with self.database.read() as connection:
            last = read_last(connection, COMMITTED) or read_entry(connection, 1)
            size = read_size(connection)
        age_us = self.clock.now_us() - from_text(last.document["recorded_at"])
        return self.commit_heads() if size > last.position and age_us >= every_s * 1_000_000 else None

    def dossier(self, ref: str, published: StoredCheckpoint) -> dict[str, Any]:
        """Return every entry about a ref under a checkpoint, with the proof that up to the last commitment none is left out.

        Raises NotFoundError while the checkpoint covers no commitment.
        """
        with self.database.read() as connection:
            commitment = read_last(connection, COMMITTED, up_to=published.size)
            if commitment is None:
                raise NotFoundError(
                    f"no commitment to the heads of all refs is under the checkpoint of size {published.size} yet: "
                    "change-ledger heads or POST /v1/ledger/heads makes one, and so does a schedule"
                )
            return make_dossier(connection, ref, published, commitment, self._heads_of(connection, commitment))

    def _heads_of(self, connection: Connection, commitment: StoredEntry) -> Heads:
        """Return the heads that a commitment is about: made once, and kept until the next."""
        as_of = commitment.statement["data"]["as_of"]
        with self._making_heads:
            if self._heads is None or self._heads.as_of != as_of:
                self._heads = Heads(as_of, read_heads(connection, as_of))
            return self._heads

    def correct_clock(self, *, actor: str, reason: str, by: str | None = None) -> Receipt:
        """Set the ledger's clock to this machine's wall clock, backwards if need be."""
        with self.database.engine.connect() as connection:
            previous = connection.execute(sa.select(tables.head.c.recorded_at)).scalar() or 0
        return self._act("ledger.clock_corrected", {"previous": to_text(previous), "reason": reason}, actor, by)

    def mark_time(self, after_s: int) -> Receipt | None:
        """Append `ledger.time_passed` unless something was appended in the last `after_s` seconds, by whichever process."""
        with self.database.engine.connect() as connection:
            row = connection.execute(sa.select(tables.head.c.size, tables.head.c.recorded_at)).one()
        now = self.clock.now_us()
        if now - row.recorded_at < after_s * 1_000_000:
            return None
        condition = Condition(after=row.size)
        try:
            return self.state("ledger.time_passed", {"until": to_text(now)}, condition=condition)
        except ConditionFailedError:
            return None  # Another process was quicker.

    def erase_texts(self, position: int, *, actor: str, reason: str, by: str | None = None) -> Receipt:
        """Delete the erasable texts of an entry. Recorded first: a crash in between leaves the text, and the command is given again."""
        with self.database.engine.connect() as connection:
            read_entry(connection, position)
            erased = len(read_texts(connection, position))
        if not erased:
            raise NotFoundError(
                f"no texts are kept for position {position}: there were none, or they were erased before"
            )
        receipt = self._act(
            "ledger.texts_erased", {"position": position, "erased": erased, "reason": reason}, actor, by
        )
        with self.database.write() as connection:
            connection.execute(sa.delete(tables.texts).where(tables.texts.c.position == position))
            # The digest of what was submitted would let a guess be confirmed: it goes with the texts.
            connection.execute(sa.delete(tables.submitted).where(tables.submitted.c.position == position))
        return receipt

    def remove_evidence(
        self, position: int, sha256: bytes, *, actor: str, reason: str, by: str | None = None
    ) -> Receipt:
        """Delete a piece of evidence of an entry. Its digest stays witnessed there."""
        with self.database.engine.connect() as connection:
            read_evidence(connection, position, sha256)
        data = {"position": position, "sha256": sha256.hex(), "reason": reason}
        receipt = self._act("ledger.evidence_removed", data, actor, by)
        v = tables.evidence.c
        with self.database.write() as connection:
            connection.execute(sa.delete(tables.evidence).where(v.position == position, v.sha256 == sha256))
        return receipt

    def _act(
        self, event_type: str, data: dict[str, Any], actor: str, by: str | None, condition: Condition | None = None
    ) -> Receipt:
        """State what an operator did: in whose name, and by which credential it was asked for."""
        said = {"actor": actor, **({"requested_by": by} if by else {}), **data}
        return self.state(event_type, said, condition=condition)


def catch_up(connection: Connection, authority: Authority) -> None:
    """Fold the authority entries after `authority.position`, each one checked: its hash, and a signature by a key valid before it."""
    match = Match(types=tuple(sorted(AUTHORITY_TYPES)))
    for stored in read_entries(connection, [match], after=authority.position, limit=None):
        statement = stored.statement
        if stored.position == 1:
            authority.fold(1, statement["type"], statement["data"])
        try:
            key = authority.keyring.numbered("entry")[stored.key_number]
            if leaf_hash(stored.entry) != stored.leaf_hash or key.fault_at(stored.position):
                raise LedgerStoppedError(f"the entry at position {stored.position} is not what its hash and key say")
            VerifyingKey(key.public_key).check(stored.signature, dsse.pae(ENTRY_PAYLOAD_TYPE, stored.entry))
        except (SigningError, IndexError) as error:
            raise LedgerStoppedError(
                f"the entry at position {stored.position} decides who may do what, and does not verify ({error}); "
                "run: change-ledger verify"
            ) from error
        if stored.position > 1:
            authority.fold(stored.position, statement["type"], statement["data"])

"""`Ledger`: one ledger, opened. Append, read, and everything the ledger states about itself.

Long, because it is the face of the room: each method is short. Not the lock (`ledger.log.recorder`), not the queue in
front of it (`ledger.log.writer`), not the audit, which trusts nothing in here.
"""

import contextlib
import hashlib
import os
import threading
from base64 import b64encode
from collections.abc import Callable, Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ledger.authority import AUTHORITY_TYPES, LEDGER_PRINCIPAL, RECOVERED, Authority, Caller, token_sha256
from ledger.clock import Clock, from_text, to_text
from ledger.conditions import Condition, Match
from ledger.enrolment import key_fault, possession_fault
from ledger.entry import ENTRY_PAYLOAD_TYPE, FORMAT_VERSION, Receipt
from ledger.errors import (
    ConditionFailedError,
    KeyNotValidError,
    LastKeyError,
    LedgerStoppedError,
    NotFoundError,
    SetupError,
    StatementError,
)
from ledger.log import tables
from ledger.log.checkpoints import StoredCheckpoint, last_size, read_checkpoints
from ledger.log.database import Database
from ledger.log.following import Watcher
from ledger.log.reading import (
    StoredEntry,
    read_entries,
    read_entry,
    read_evidence,
    read_heads,
    read_last,
    read_size,
    read_texts,
)
from ledger.log.recorder import NOBODY_HOLDS, Outcome, Recorder, Refused, Submission
from ledger.published.dossier import COMMITTED, make_dossier
from ledger.published.heads import Heads
from ledger.statement import Admission, Evidence, Statement
from signing import dsse
from signing.checkpoint import Checkpoint, parse_checkpoint
from signing.errors import SigningError, VerificationError
from signing.keyring import KeyRecord, Keyring
from signing.keys import Signer, VerifyingKey
from signing.known_keys import why_anybody_signs
from signing.merkle import leaf_hash
from signing.notes import Note, NoteKey

TOKEN_PREFIX: Final = "clt_"
LOCAL_OPERATOR: Final = "service:local-operator"
KEY_CHANGES: Final = ("ledger.key_enrolled", "ledger.key_retired", "ledger.key_revoked", RECOVERED)
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
        checkpoint_possession: bytes | None = None,
        predecessor: Note | None = None,
        clock: Clock | None = None,
        random: Callable[[int], bytes] = os.urandom,
    ) -> "Ledger":
        """Make the schema and append `ledger.opened` at position 1. Raises SetupError when a ledger is there already.

        `checkpoint_possession` is the checkpoint key's own signature (`signing.possession`); `predecessor` the last
        checkpoint of a ledger of which nobody holds a key any more.
        """
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
                    **(
                        {"checkpoint_possession": b64encode(checkpoint_possession).decode()}
                        if checkpoint_possession
                        else {}
                    ),
                    **({"predecessor": _named(predecessor)} if predecessor else {}),
                },
                evidence=(Evidence.of(str(predecessor).encode(), "text/plain"),) if predecessor else (),
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
        """Open a ledger that was created before. Raises SetupError when there is none, KeyNotValidError for another's key."""
        ledger = cls.prepare(database, entry_key, clock=clock, random=random)
        valid = {record.key_id for record in ledger.authority.keyring.valid_at("entry", ledger.size() + 1)}
        if entry_key.key_id not in valid:
            ledger.close()
            raise KeyNotValidError(
                f"the entry key {entry_key.key_id[:16]}… may not sign for this ledger; valid are "
                f"{', '.join(k[:16] for k in sorted(valid)) or 'none'}. {NOBODY_HOLDS}"
            )
        return ledger

    @classmethod
    def prepare(
        cls,
        database: Database,
        entry_key: Signer,
        *,
        clock: Clock | None = None,
        random: Callable[[int], bytes] = os.urandom,
    ) -> "Ledger":
        """Open a ledger with a key that need not be valid: appending is refused until it is. Raises SetupError when there is none."""
        database.check_schema()
        # Refuses a PostgreSQL that could lose what was acknowledged, before anything is.
        database.connect_for_writing().close()
        with database.engine.connect() as connection:
            if read_size(connection) == 0:
                raise SetupError("the database holds no ledger; run: change-ledger init --origin NAME")
            origin = read_entry(connection, 1).document["ledger"]
        return cls(database, entry_key, origin=origin, clock=clock or Clock(), random=random)

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
        identifier: str | None = None,
    ) -> Receipt:
        """Append one statement in the ledger's own name and return its receipt: the first one, under an identifier that was used."""
        statement = self.ledger_statement(event_type, data, evidence=evidence, identifier=identifier)
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
        by_secret: bool = False,
        by: str | None = None,
    ) -> Receipt:
        """Make a source known. Raises StatementError when it is enrolled at this door already.

        At a door that authenticates by a shared secret (`by_secret`) no token is shown: the enrolment is the credential.
        """
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
        } | ({"credential": f"hmac:{self._random(6).hex()}"} if by_secret else {})
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
        possession: str | None = None,
        by: str | None = None,
    ) -> Receipt:
        """Add a public key, valid from the next position on. Raises StatementError for a key that could never be used.

        `possession` is the base64 of the key's own signature over origin and role (`signing.possession`); a witness has none.
        """
        NoteKey(name, public_key)
        VerifyingKey(public_key)
        if role == "checkpoint":
            name = self.origin
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
            if (fault := possession_fault(self.origin, role, public_key, possession)) is not None:
                raise StatementError(fault, "/possession")

        return self._change_key("ledger.key_enrolled", data, actor, by, check)

    def retire_key(self, identifier: str, *, role: str, actor: str, by: str | None = None) -> Receipt:
        """End a key's service with this position. Raises KeyNotValidError for the last entry or checkpoint key that can be used."""
        return self._end_key("ledger.key_retired", {"role": role, "key_id": identifier}, actor, by)

    def revoke_key(
        self, identifier: str, *, role: str, from_position: int, reason: str, actor: str, by: str | None = None
    ) -> Receipt:
        """Distrust a key from a position on, in the past or the next. Raises KeyNotValidError as `retire_key` does."""
        data = {"role": role, "key_id": identifier, "from_position": from_position, "reason": reason}
        return self._end_key("ledger.key_revoked", data, actor, by)

    def _end_key(self, event_type: str, data: dict[str, Any], actor: str, by: str | None) -> Receipt:
        def check(authority: Authority) -> None:
            if (since := data.get("from_position", 0)) > self.size() + 1:
                raise StatementError(f"expected a position up to {self.size() + 1}, found {since}: not the future")
            self._refuse_last_key(authority.keyring, data["key_id"], data["role"])

        return self._change_key(event_type, data, actor, by, check)

    def _change_key(
        self, event_type: str, data: dict[str, Any], actor: str, by: str | None, check: Callable[[Authority], None]
    ) -> Receipt:
        """State a change of keys that `check` lets through, judged again when another came before it: two keys that are ended at once
        are each the other's successor.
        """
        while True:
            authority = self.current_authority()
            position = authority.position
            check(authority)
            nothing_since = Condition(after=position, none_of=(Match(types=KEY_CHANGES),))
            try:
                return self._act(event_type, data, actor, by, nothing_since)
            except ConditionFailedError:
                continue

    def _refuse_last_key(self, keyring: Keyring, identifier: str, role: Any) -> None:
        try:
            keyring.find(role, identifier)
        except VerificationError as error:
            raise NotFoundError(str(error)) from error
        if role not in ("entry", "checkpoint"):
            return
        valid = keyring.valid_at(role, self.size() + 1)
        left = [record for record in valid if record.key_id != identifier]
        if len(left) < len(valid) and not any(self._is_usable(record) for record in left):
            lost = "nothing could be appended" if role == "entry" else "no checkpoint could be signed"
            raise LastKeyError(
                f"this is the only valid {role} key that somebody is known to hold: enrol its successor first, or {lost} any more"
            )

    def _is_usable(self, record: KeyRecord) -> bool:
        """Say whether somebody is known to hold the private half of a key, and not everybody."""
        if why_anybody_signs(record.public_key) is not None:
            return False
        if record.proved or record.valid_from == 1:
            return True
        # Enrolled before proofs were asked for: it counts once it has signed.
        with self.database.read() as connection:
            if record.role == "entry":
                number = [known.key_id for known in self.authority.keyring.numbered("entry")].index(record.key_id)
                query = sa.select(tables.entries.c.position).where(tables.entries.c.key_number == number)
                return connection.execute(query.limit(1)).first() is not None
            ids = {NoteKey(origin, record.public_key).id for origin in self.authority.checkpoint_origins}
            last = next(read_checkpoints(connection, after=last_size(connection) - 1), None)
            return last is not None and any(line.key_id in ids for line in last.signed.lines)

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


def _named(predecessor: Note) -> dict[str, Any]:
    last = parse_checkpoint(predecessor.text)
    return {"origin": last.origin, "size": last.size, "root": last.root.hex()}


def authority_of(database: Database) -> Callable[[], Authority]:
    """Return what tells who may do what as of now, for whoever has no entry key: it reads, and appends nothing."""
    authority = Authority()

    def current() -> Authority:
        with database.read() as connection:
            catch_up(connection, authority)
        return authority

    return current


def catch_up(connection: Connection, authority: Authority) -> None:
    """Fold the authority entries after `authority.position`, each one checked: its hash, and a signature by a key valid before it."""
    match = Match(types=tuple(sorted(AUTHORITY_TYPES)))
    for stored in read_entries(connection, [match], after=authority.position, limit=None):
        statement = stored.statement
        # The first key vouches for itself; one that was recovered does too, by leave of the checkpoint key.
        itself = stored.position == 1 or statement["type"] == RECOVERED
        try:
            if itself:
                authority.fold(stored.position, statement["type"], statement["data"])
            if itself and statement["data"].get("last_entry", stored.document["prev"]) != stored.document["prev"]:
                raise VerificationError("the checkpoint key let it in after another entry")
            key = authority.keyring.numbered("entry")[stored.key_number]
            if leaf_hash(stored.entry) != stored.leaf_hash or key.fault_at(stored.position):
                raise LedgerStoppedError(f"the entry at position {stored.position} is not what its hash and key say")
            VerifyingKey(key.public_key).check(stored.signature, dsse.pae(ENTRY_PAYLOAD_TYPE, stored.entry))
        except (SigningError, IndexError) as error:
            raise LedgerStoppedError(
                f"the entry at position {stored.position} decides who may do what, and does not verify ({error}); "
                "run: change-ledger verify"
            ) from error
        if not itself:
            authority.fold(stored.position, statement["type"], statement["data"])

"""`Ledger`: one ledger, opened. The face of the room: open, append, read. Long by its docstrings: each method is short.

Not the lock (`ledger.log.recorder`), not the queue in front of it (`ledger.log.writer`), not what operators do
(`ledger.stewardship`), not the audit, which trusts nothing in here.
"""

import hashlib
import os
import threading
from base64 import b64encode
from collections.abc import Callable
from typing import Any, Final

from ledger.authority import LEDGER_PRINCIPAL, Authority, Caller
from ledger.clock import Clock, to_text
from ledger.conditions import Condition
from ledger.entry import ENTRY_PAYLOAD_TYPE, FORMAT_VERSION, Receipt
from ledger.errors import (
    ConditionFailedError,
    KeyNotValidError,
    SetupError,
)
from ledger.log.authority import catch_up
from ledger.log.beside import keep_secret, read_secret
from ledger.log.database import Database
from ledger.log.following import Watcher
from ledger.log.reading import (
    StoredEntry,
    read_entry,
    read_head,
    read_size,
)
from ledger.log.recorder import NOBODY_HOLDS, Outcome, Recorder, Refused, Submission
from ledger.published.heads import CommittedHeads
from ledger.statement import Admission, Evidence, Statement
from signing import dsse
from signing.checkpoint import parse_checkpoint
from signing.keys import Signer
from signing.notes import Note

LOCAL_OPERATOR: Final = "service:local-operator"
ALREADY: Final = (
    "this database holds a ledger already, and a ledger is opened once: go on with it, or name another database"
)


class NoKey:
    """What a process signs with that has no key: nothing. No position has it as a valid key."""

    public_key = b""
    key_id = ""

    def sign(self, message: bytes) -> bytes:
        raise KeyNotValidError("the ledger was opened to be read: this process has no entry key")


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
        self.random = random
        self._signer = signer
        self._lock = threading.Lock()
        self.committed_heads = CommittedHeads()
        with database.engine.connect() as connection:
            catch_up(connection, self.authority)
            pepper = read_secret(connection)
        self.admission = Admission(origin=origin, now_us=clock.now_us, random=random, pepper=pepper)
        self.recorder = Recorder(
            database,
            origin=origin,
            signer=signer,
            authority=self.authority,
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
        keep_secret(database, random(32))
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
        """Open a ledger that was created before. Raises SetupError when there is none.

        Raises KeyNotValidError for a key that may not sign the next entry.
        """
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
        database.check_writable()
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

    def begin_group(self, submissions: list[Submission]) -> Callable[[], list[Outcome]] | None:
        """Begin to append, and wait for nobody: `Recorder.begin_group`. What is returned must be called."""
        if not self._lock.acquire(blocking=False):
            return None
        commit = None
        try:
            commit = self.recorder.begin_group(submissions)
        finally:
            if commit is None:
                self._lock.release()
        if commit is None:
            return None

        def committed() -> list[Outcome]:
            try:
                outcomes = commit()
            finally:
                self._lock.release()
            self.watcher.grown_to(self.recorder.acknowledged)
            return outcomes

        return committed

    def local_caller(self) -> Caller:
        """Return the caller for whoever works on the database itself, with the entry key in hand. Nobody authenticated a person."""
        return Caller(self.own_caller().credential, LEDGER_PRINCIPAL, "asserted")

    def own_caller(self) -> Caller:
        """Return the ledger as a caller: it alone records the reserved areas."""
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
                "id": identifier or self.random(16).hex(),
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

    def act(
        self,
        event_type: str,
        data: dict[str, Any],
        *,
        actor: str,
        by: str | None = None,
        condition: Condition | None = None,
        evidence: tuple[Evidence, ...] = (),
    ) -> Receipt:
        """State what an operator did: in whose name (`actor`), and by which credential it was asked for (`by`)."""
        said = {"actor": actor, **({"requested_by": by} if by else {}), **data}
        return self.state(event_type, said, condition=condition, evidence=evidence)

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
            head = read_head(connection)
        self.clock.next_recorded_at(head.recorded_at)
        if self._signer.key_id not in head.entry_keys:
            raise KeyNotValidError(
                f"the entry key {self._signer.key_id[:16]}… is not valid for position {head.size + 1}"
            )
        return head.size

    def current_authority(self) -> Authority:
        """Return who may do what as of the last commit, by this process or by another."""
        with self.database.engine.connect() as connection:
            if read_head(connection).authority_position != self.authority.position:
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


def _named(predecessor: Note) -> dict[str, Any]:
    last = parse_checkpoint(predecessor.text)
    return {"origin": last.origin, "size": last.size, "root": last.root.hex()}

"""The recorder: `append_group`, the only way in, and the only code that assigns a position.

A group is what many callers submitted while the last commit ran. It is appended in one transaction under one lock; one
caller's conflict or failed condition does not stop the others. What is acknowledged was committed, synced, and linked
to everything before it.

Not a judge of shapes (`ledger.statement`) and not an HTTP door. It does judge, under the lock, what can only be judged there:
duplicates, append conditions, credentials revoked a moment ago, a clock that jumped, a history that went missing.

A group of four on a ledger of six entries:

    submitted   a  deployment.started of deployment:D1 in environment:prod
                b  what stands at position 5 already, with the same content
                c  something else, on condition that no entry after 6 carries deployment:D1
                d  deployment.started of deployment:D2 in environment:prod
    locked      this process has its turn, and on PostgreSQL the head row: size 6, the last leaf, the time, the keys for 7
    looked up   sources, types, pairs (source, id) and refs of the whole group: one statement for each of these tables
    judged      a  is new and allowed              position 7, prev = leaf 6, environment:prod [4, 6]: the fourth, the last at 6
                b  is a repeat                     the receipt of 5, and no entry
                c  its condition fails by a        refused, and nothing of it is recorded
                d  is new and allowed              position 8, prev = leaf 7, environment:prod [5, 7]
    inserted    the rows of 7 and 8, while other threads sign what is long; the head moves to 8
    committed   the turn is given back; then all four are answered

Long, because what happens under the lock is read in one piece, from `_append_locked` down.
"""

import copy
import hashlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any, Final, NamedTuple

import orjson
from sqlalchemy.engine import Connection

from ledger.authority import AUTHORITY_TYPES, RECOVERED, Authority, Caller
from ledger.clock import Clock, to_text
from ledger.conditions import Condition, Match
from ledger.entry import (
    ENTRY_PAYLOAD_TYPE,
    NO_PREVIOUS,
    Receipt,
    make_entry,
    statement_bytes,
)
from ledger.errors import (
    ConditionFailedError,
    ConflictError,
    DatabaseRefusedError,
    KeyNotValidError,
    LedgerError,
    LedgerStoppedError,
    LostHistoryError,
    NotStorableError,
    StatementError,
)
from ledger.log import tables
from ledger.log.authority import catch_up
from ledger.log.conditions import first_matches
from ledger.log.database import WRITING_ERRORS, Database, is_about_values, is_outage
from ledger.log.reading import read_size
from ledger.log.sql import Bulk, Ref, Statements
from ledger.statement import Statement
from signing import dsse
from signing.keys import Signer
from signing.merkle import Frontier, leaf_hash

SIGNERS: Final = 2
HEAD_ID: Final = 1
# Statements that `begin_group` takes: some ten milliseconds.
MAX_BEGUN: Final = 64
WITHDRAWN: Final = "statement.withdrawn"
CLOCK_CORRECTED: Final = "ledger.clock_corrected"
NOBODY_HOLDS: Final = "If nobody holds one of those any more: change-ledger keys recover FILE"
# What stands in a statement for an erasable text begins so.
ERASED_MARK: Final = b'{"sha256":"'


class Submission(NamedTuple):
    """What one caller wants appended: all of its statements, or none."""

    statements: tuple[Statement, ...]
    caller: Caller
    condition: Condition | None = None
    # The authority position as of which the door permitted this; when it has moved, the lock asks again.
    permitted_at: int = -1
    # Whether a time in it was taken from the clock, so that what came a moment before under another is told, and is no conflict.
    is_tentative: bool = False


@dataclass(frozen=True, slots=True)
class Recorded:
    """All statements are in the ledger, at least one of them since just now."""

    receipts: tuple[Receipt, ...]


@dataclass(frozen=True, slots=True)
class Repeated:
    """Every statement had been recorded before, with the same content: here are the first receipts."""

    receipts: tuple[Receipt, ...]


@dataclass(frozen=True, slots=True)
class Refused:
    """Nothing of this submission was recorded."""

    error: LedgerError


Outcome = Recorded | Repeated | Refused
# What the ledger says of a conflict: made above, because the recorder knows no event types.
ConflictStatement = Callable[[int, Statement, bytes], Statement]


def _stands_alone(submission: Submission) -> bool:
    """Say whether a submission needs a transaction of its own: it changes by what, or by which clock, the others are judged."""
    return submission.caller.is_ledger and any(
        s.type in AUTHORITY_TYPES or s.type == CLOCK_CORRECTED for s in submission.statements
    )


def _refusal(error: Exception) -> LedgerError:
    # What the driver says may quote values and statements: it is the cause, for the log.
    kind = type(getattr(error, "orig", None) or error).__name__
    if is_about_values(error):
        refused: LedgerError = NotStorableError(
            f"the database cannot hold this ({kind}): nothing was recorded, and sending it again does not help"
        )
    else:
        refused = DatabaseRefusedError(
            f"the database refused to write ({kind}): nothing was recorded; an operator finds the reason in the log"
        )
    refused.__cause__ = error
    return refused


def _broken(condition: Condition, match: Match, position: int) -> ConditionFailedError:
    wanted = " with ".join(filter(None, (" or ".join(match.types), " and ".join(match.refs)))) or "anything"
    return ConditionFailedError(
        f"expected no {wanted} after position {condition.after}; found position {position}", position=position
    )


def _states(submissions: Sequence[Submission], event_type: str) -> bool:
    """Say whether the ledger itself states something of a type."""
    return any(s.type == event_type for sub in submissions if sub.caller.is_ledger for s in sub.statements)


@dataclass(slots=True)
class _Head:
    """The head row, and what this group has made of it so far."""

    size: int
    last_leaf: bytes
    frontier: Frontier
    recorded_at: int
    authority_position: int
    entry_keys: list[str]


@dataclass(slots=True)
class _Group:
    """One transaction: the names and positions it looked up, and the rows it will insert."""

    head: _Head
    positions: dict[tuple[str, str], int]  # (source, id) -> position, of the database and of this group
    source_ids: dict[str, int]
    type_ids: dict[str, int]
    refs: dict[str, Ref]
    stored: int  # the size of the ledger before this group
    now_text: str
    entries: list[tuple[int, int, bytes, bytes]] = field(default_factory=list)  # position, type id, leaf, entry
    statements: list[tuple[int, str, int]] = field(default_factory=list)
    entry_refs: list[tuple[int, int, int]] = field(default_factory=list)
    touched_refs: dict[str, Ref] = field(default_factory=dict)  # those that these entries carry
    nodes: list[tuple[int, int, bytes]] = field(default_factory=list)
    new_sources: list[tuple[int, str]] = field(default_factory=list)
    new_types: list[tuple[int, str]] = field(default_factory=list)
    texts: list[tuple[int, str, bytes, str]] = field(default_factory=list)
    submitted: list[tuple[int, bytes]] = field(default_factory=list)
    evidence: list[tuple[int, bytes, bytes]] = field(default_factory=list)
    added: list[Statement] = field(default_factory=list)  # the statement of each entry
    owners: list[Submission | None] = field(default_factory=list)  # whose it is; None for the ledger's own
    authority: list[tuple[int, Statement]] = field(default_factory=list)

    def keep_node(self, height: int, index: int, node: bytes) -> None:
        self.nodes.append((height, index, node))


class Recorder:
    """Appends groups to one database, with one entry key. Several recorders, in several processes, may share a database.

    `append_group` is not for several threads at once: `Ledger` calls it, under its lock.
    """

    def __init__(
        self,
        database: Database,
        *,
        origin: str,
        signer: Signer,
        authority: Authority,
        on_conflict: ConflictStatement,
        clock: Clock,
    ) -> None:
        self.database = database
        self.authority = authority
        self._origin = origin
        self._signer = signer
        self._on_conflict = on_conflict
        self._clock = clock
        self._pool = ThreadPoolExecutor(max_workers=SIGNERS, thread_name_prefix="sign")
        self._connection: Connection | None = None
        self._acknowledged: tuple[int, bytes] | None = None
        self._stopped: LedgerStoppedError | None = None
        # Whether the last append met an outage, such as a full disk: until one is durable again.
        self.met_outage = False
        # Names interned by committed groups never change; those of a group that rolls back never enter here.
        self._source_ids: dict[str, int] = {}
        self._type_ids: dict[str, int] = {}
        self._sql = Statements(database)

    @property
    def stopped(self) -> LedgerStoppedError | None:
        """Why this process does not append any more, when it does not."""
        return self._stopped

    @property
    def acknowledged(self) -> int:
        """The last position this process has acknowledged, 0 before the first."""
        return self._acknowledged[0] if self._acknowledged else 0

    def close(self) -> None:
        self._pool.shutdown()
        self._disconnect()

    def append_group(self, submissions: Sequence[Submission]) -> list[Outcome]:
        """Append what can be appended, in the order given, and say for each submission what became of it.

        One transaction, unless a submission changes the rules by which the others are judged: that one has its own. Raises
        LedgerStoppedError when this process must not append. The database's own errors pass through, and then nothing
        was acknowledged: whether it is in the ledger is found by submitting again.
        """
        outcomes: list[Outcome] = []
        group: list[Submission] = []
        for submission in submissions:
            if _stands_alone(submission):
                if group:
                    outcomes += self._append_apart(group)
                outcomes += self._append_apart([submission])
                group = []
            else:
                group.append(submission)
        return outcomes + self._append_apart(group) if group else outcomes

    def _append_apart(self, submissions: Sequence[Submission]) -> list[Outcome]:
        """Append in one transaction; where the database refuses that, in halves, until only the submission at fault is refused."""
        try:
            return self._append_in_one_transaction(submissions)
        except WRITING_ERRORS as error:
            # The transaction was rolled back whole. Of an outage all are told: asking again can help them.
            if is_outage(error):
                self.met_outage = True
                raise
            if len(submissions) == 1:
                return [Refused(_refusal(error))]
        half = len(submissions) // 2
        # An outage in the second half: the first is durable, and its callers are recognised when they ask again.
        return self._append_apart(submissions[:half]) + self._append_apart(submissions[half:])

    def begin_group(self, submissions: Sequence[Submission]) -> Callable[[], list[Outcome]] | None:
        """Append as `append_group` does, up to the commit, and wait for nobody: for a thread that has others to serve.

        Returns what commits, syncs and gives the outcomes, to be called once, from whichever thread. None when nothing was
        done, because somebody else writes, or because the group is long or has to be taken apart: then it is for `append_group`.
        """
        is_long = sum(len(submission.statements) for submission in submissions) > MAX_BEGUN
        if self._stopped is not None or is_long or any(map(_stands_alone, submissions)):
            return None
        if not self.database.turn.try_take():
            return None
        try:
            outcomes, group = self._begin(submissions, patient=False)
        except WRITING_ERRORS:
            # Rolled back whole. Whether it was a neighbour or a value is found out where there is time to wait.
            return None

        def commit() -> list[Outcome]:
            try:
                self._commit(group)
            except WRITING_ERRORS as error:
                if is_outage(error):
                    self.met_outage = True
                    raise
                return self.append_group(submissions)
            return outcomes

        return commit

    def _append_in_one_transaction(self, submissions: Sequence[Submission]) -> list[Outcome]:
        if self._stopped is not None:
            raise self._stopped
        self.database.turn.take()
        outcomes, group = self._begin(submissions)
        self._commit(group)
        return outcomes

    def _begin(self, submissions: Sequence[Submission], *, patient: bool = True) -> tuple[list[Outcome], _Group]:
        """Begin a transaction in one's turn, which is given back on an error, and insert the group's rows."""
        try:
            connection = self._connect()
            self.database.check_same_file()
            self.database.begin(connection, patient=patient)
            # Dies here: nothing happened.
            return self._append_locked(connection, submissions)
        except BaseException as error:
            self._give_up(error)
            raise

    def _commit(self, group: _Group) -> None:
        """End the transaction, and the turn. When this returns, what is in the group is durable."""
        connection = self._connect()
        try:
            # Dies before or in COMMIT: the transaction is gone whole, or stands whole. No caller was
            # answered; a caller that asks again gets a new position, or the first receipt.
            connection.exec_driver_sql("COMMIT" if group.entries else "ROLLBACK")
        except BaseException as error:
            self._give_up(error)
            raise
        self.database.turn.give_back()
        # Dies here: the entries are durable and the callers do not know. They ask again and are recognised as repeats.
        if group.entries:
            self.met_outage = False
            self._remember(connection, group)

    def _give_up(self, error: BaseException) -> None:
        # After a failed COMMIT nobody knows what is durable: the connection is thrown away, and the
        # next group reads the head afresh.
        self._disconnect(broken=True)
        self.database.turn.give_back()
        if isinstance(error, LostHistoryError):
            self._stopped = error

    # -- under the lock ------------------------------------------------------------------------------------------

    def _append_locked(self, connection: Connection, submissions: Sequence[Submission]) -> tuple[list[Outcome], _Group]:
        head = self._read_head(connection)
        self._check_acknowledged(connection, head)
        if head.authority_position != self.authority.position:
            catch_up(connection, self.authority)
        if (
            head.entry_keys
            and self._signer.key_id not in head.entry_keys
            and not _states(submissions, RECOVERED)  # by leave of the checkpoint key
        ):
            raise KeyNotValidError(
                f"this process signs with key {self._signer.key_id[:16]}…, which is not valid for position {head.size + 1}; "
                f"valid are {', '.join(k[:16] for k in head.entry_keys) or 'none'}. {NOBODY_HOLDS}"
            )
        correcting = _states(submissions, CLOCK_CORRECTED)
        # Withdrawals of one instant take effect together, so those of two groups must not share one, even under a clock that stands.
        apart = any(s.type == WITHDRAWN for sub in submissions for s in sub.statements)
        head.recorded_at = self._clock.next_recorded_at(head.recorded_at, correcting=correcting, apart=apart)
        group = self._open_group(connection, head, submissions)
        answers = [self._judge_and_add(connection, group, submission) for submission in submissions]
        signatures = self._insert(connection, group) if group.entries else []
        return [
            answer if isinstance(answer, Refused) else self._outcome(group, submission, answer, signatures)
            for submission, answer in zip(submissions, answers, strict=True)
        ], group

    def _outcome(
        self, group: _Group, submission: Submission, answers: list[Receipt | int], signatures: list[bytes]
    ) -> Recorded | Repeated:
        receipts: list[Receipt] = []
        added = False
        for statement, answer in zip(submission.statements, answers, strict=True):
            if isinstance(answer, int):
                number = answer - group.stored - 1
                added = added or group.owners[number] is submission
                receipts.append(
                    Receipt(
                        position=answer,
                        entry_hash=group.entries[number][2],
                        signature=signatures[number],
                        key_id=self._signer.key_id,
                        recorded_at=group.now_text,
                        source=statement.source,
                        id=statement.id,
                    )
                )
            else:
                receipts.append(answer)
        return Recorded(tuple(receipts)) if added else Repeated(tuple(receipts))

    def _read_head(self, connection: Connection) -> _Head:
        # On PostgreSQL this is the lock: the next appender waits here until this transaction ends. No
        # sequence could do it: they leave gaps, and a late commit would put an entry before one that readers
        # have passed already.
        row = connection.exec_driver_sql(self._sql.head).one_or_none()
        if row is None:
            return _Head(0, NO_PREVIOUS, Frontier(), 0, 0, [])
        size, last_leaf, frontier, recorded_at, authority_position, entry_keys = row
        return _Head(
            size,
            bytes(last_leaf),
            Frontier.from_bytes(size, bytes(frontier)),
            recorded_at,
            authority_position,
            entry_keys.split(","),
        )

    def _check_acknowledged(self, connection: Connection, head: _Head) -> None:
        if self._acknowledged is None:
            return
        position, leaf = self._acknowledged
        found: bytes | None = head.last_leaf if head.size == position else None
        if head.size > position:
            found = connection.exec_driver_sql(self._sql.leaf.sql, (position,)).scalar()
        if found is None or bytes(found) != leaf:
            raise LostHistoryError(
                f"this process acknowledged position {position} as {leaf.hex()[:16]}…, and the database has "
                f"{'nothing' if found is None else bytes(found).hex()[:16] + '…'} there: its history was lost or replaced. "
                "Nothing more is appended. Find the lost entries before going on: docs/howto/respond-to-a-broken-chain.md"
            )

    def _open_group(self, connection: Connection, head: _Head, submissions: Sequence[Submission]) -> _Group:
        wanted = [statement for submission in submissions for statement in submission.statements]
        asked = [match for sub in submissions if sub.condition is not None for match in sub.condition.matches()]
        types = {s.type for s in wanted}.union(*(match.types for match in asked))
        source_ids = self._intern(connection, self._source_ids, self._sql.find_sources, {s.source for s in wanted})
        type_ids = self._intern(connection, self._type_ids, self._sql.find_types, types)
        positions: dict[tuple[str, str], int] = {}
        names = {number: name for name, number in source_ids.items()}
        pairs = [(source_ids[s.source], s.id) for s in wanted if s.source in source_ids]
        if pairs:
            for source_id, identifier, position in self.database.lookup(connection, self._sql.find_statements, pairs):
                positions[names[source_id], identifier] = position
        refs = self._find_refs(connection, {ref for s in wanted for ref in s.refs}.union(*(m.refs for m in asked)))
        return _Group(head, positions, source_ids, type_ids, refs, stored=head.size, now_text=to_text(head.recorded_at))

    def _find_refs(self, connection: Connection, names: set[str]) -> dict[str, Ref]:
        if not names:
            return {}
        found = self.database.lookup(connection, self._sql.find_refs, sorted(names))
        return {name: Ref(number, count, last) for name, number, count, last in found}

    def _intern(
        self, connection: Connection, cache: dict[str, int], sql: dict[str, str], names: set[str]
    ) -> dict[str, int]:
        if missing := sorted(names - cache.keys()):
            for name, number in self.database.lookup(connection, sql, missing):
                cache[name] = number
        return {name: cache[name] for name in names if name in cache}

    def _judge_and_add(
        self, connection: Connection, group: _Group, submission: Submission
    ) -> Refused | list[Receipt | int]:
        """Duplicates first, then permission, then the caller's condition; earlier submissions of the group count.

        Returns, for each statement, the receipt of a repeat or the position it was given.
        """
        try:
            known = self._find_repeats(connection, group, submission)
            fresh = [s for s, found in zip(submission.statements, known, strict=True) if found is None]
            if fresh and (
                submission.permitted_at != self.authority.position
                # A token may have expired since it was shown at the door.
                or (submission.caller.token and submission.caller.token.expires_at_us <= group.head.recorded_at)
            ):
                for statement in fresh:
                    self.authority.permit(submission.caller, statement, group.head.recorded_at)
            if fresh and submission.condition is not None:
                self._check_condition(connection, group, submission.condition)
        except LedgerError as error:
            return Refused(error)
        answers: list[Receipt | int] = []
        for statement, found in zip(submission.statements, known, strict=True):
            if found is None:
                # The same pair twice in one submission is one entry.
                found = group.positions.get((statement.source, statement.id)) or self._add(
                    group, statement, submission.caller, submission
                )
            answers.append(found)
        return answers

    def _find_repeats(
        self, connection: Connection, group: _Group, submission: Submission
    ) -> list[Receipt | int | None]:
        if not submission.statements:
            raise StatementError("expected at least one statement to append, found none")
        first = submission.statements[0]
        if len(submission.statements) == 1 and (first.source, first.id) not in group.positions:
            return [None]
        found: list[Receipt | int | None] = []
        first_seen: dict[tuple[str, str], bytes] = {}
        for statement in submission.statements:
            pair = (statement.source, statement.id)
            position = group.positions.get(pair)
            if position is None:
                if first_seen.setdefault(pair, statement.digest) != statement.digest:
                    raise ConflictError(
                        f"this submission says two things as {pair}: an id is used once", position=group.head.size + 1
                    )
                found.append(None)
                continue
            answer: Receipt | int = position
            if position > group.stored:
                digest: bytes | None = group.added[position - group.stored - 1].digest
            else:
                digest, answer = self._first(connection, position, statement)
            # The ledger makes its own ids from the digest of what they are about: the same id is the same content.
            if digest is not None and digest != statement.digest and not submission.caller.is_ledger:
                if not submission.is_tentative:
                    self._add_conflict(connection, group, position, statement, digest)
                raise ConflictError(
                    f"({statement.source}, {statement.id}) was recorded at position {position} with another content: an id is used once. "
                    "What was recorded can be withdrawn (statement.withdrawn), not replaced",
                    position=position,
                )
            found.append(answer)
        return found

    def _first(self, connection: Connection, position: int, again: Statement) -> tuple[bytes | None, Receipt]:
        """Return the digest of what was first submitted (None when it was erased with its texts) and its receipt."""
        leaf, signature, key_number, entry, submitted = connection.exec_driver_sql(
            self._sql.first.sql, (position,)
        ).one()
        statement = statement_bytes(bytes(entry))
        if submitted is not None:
            digest: bytes | None = bytes(submitted)
        elif again.texts and ERASED_MARK in statement:
            # What was erased cannot be compared: a caller that repeats it is answered as the first time.
            digest = None
        else:
            digest = hashlib.sha256(statement).digest()
        key_id = self.authority.keyring.numbered("entry")[key_number].key_id
        recorded_at = orjson.loads(entry)["recorded_at"]
        return digest, Receipt(position, bytes(leaf), bytes(signature), key_id, recorded_at, again.source, again.id)

    def _add_conflict(
        self, connection: Connection, group: _Group, position: int, statement: Statement, first: bytes
    ) -> None:
        """Record that another content came for a pair, once per digest."""
        conflict = self._on_conflict(position, statement, first)
        # Looked up by itself: which conflicts a group has is not known before it is judged.
        group.source_ids |= self._intern(connection, self._source_ids, self._sql.find_sources, {conflict.source})
        group.type_ids |= self._intern(connection, self._type_ids, self._sql.find_types, {conflict.type})
        if (source_id := group.source_ids.get(conflict.source)) is not None:
            for *_, where in self.database.lookup(connection, self._sql.find_statements, [(source_id, conflict.id)]):
                group.positions[conflict.source, conflict.id] = where
        if (conflict.source, conflict.id) not in group.positions:
            self._add(group, conflict, self.authority.ledger_caller(self._signer.public_key))

    def look_back(self, condition: Condition) -> Condition:
        """Return a condition with what the log says of it so far. Asked before the lock, which then looks at what came since alone."""
        matches = condition.matches()
        with self.database.read() as connection:
            size = read_size(connection)
            # A cache of its own: this is not the thread that appends.
            types = self._intern(connection, {}, self._sql.find_types, {n for match in matches for n in match.types})
            refs = self._find_refs(connection, {name for match in matches for name in match.refs})
            stored = first_matches(
                self.database, connection, matches, after=condition.after, size=size, refs=refs, types=types
            )
        if stored:
            number = min(stored)
            return replace(condition, broken_by=(matches[number], stored[number]))
        return replace(condition, looked_up_to=size)

    def _check_condition(self, connection: Connection, group: _Group, condition: Condition) -> None:
        if condition.look_again is not None:
            # By another connection: it sees what is committed, and nobody else commits.
            condition = condition.look_again()
        if condition.broken_by is not None:
            raise _broken(condition, *condition.broken_by)
        matches, after = condition.matches(), max(condition.after, condition.looked_up_to)
        stored = first_matches(
            self.database, connection, matches, after=after, size=group.stored, refs=group.refs, types=group.type_ids
        )
        for number, match in enumerate(matches):
            position = stored.get(number)
            if position is None:
                own = enumerate(group.added, group.stored + 1)
                position = next((p for p, s in own if p > after and match.fits(s.type, s.refs)), None)
            if position is not None:
                raise _broken(condition, match, position)

    def _add(self, group: _Group, statement: Statement, caller: Caller, owner: Submission | None = None) -> int:
        """Link one statement to the chain: assign the position, compute the refs' back-pointers, hash. Returns the position."""
        head = group.head
        position = head.size + 1
        if (type_id := group.type_ids.get(statement.type)) is None:
            type_id = group.type_ids[statement.type] = position
            group.new_types.append((position, statement.type))
        if (source_id := group.source_ids.get(statement.source)) is None:
            source_id = group.source_ids[statement.source] = position
            group.new_sources.append((position, statement.source))
        pointers = []
        for number, name in enumerate(statement.refs):
            if (ref := group.refs.get(name)) is None:
                ref = group.refs[name] = Ref(position * tables.MAX_REFS_PER_ENTRY + number, is_new=True)
            group.touched_refs[name] = ref
            ref.count += 1
            pointers.append((name, ref.count, ref.last))
            ref.last = position
            group.entry_refs.append((ref.id, position, type_id))
        entry = make_entry(
            ledger=self._origin,
            evidence=statement.evidence,
            position=position,
            prev=head.last_leaf,
            recorded_at=group.now_text,
            recorded_by=caller.json,
            refs=pointers,
            statement=statement.body,
            signatures=statement.signatures,
        )
        leaf = leaf_hash(entry)
        head.frontier.append(leaf, group.keep_node)
        head.size, head.last_leaf = position, leaf
        group.entries.append((position, type_id, leaf, entry))
        group.statements.append((source_id, statement.id, position))
        group.positions[statement.source, statement.id] = position
        group.added.append(statement)
        group.owners.append(owner)
        if statement.texts:
            group.texts += [(position, t.field, t.salt, t.text) for t in statement.texts]
            group.submitted.append((position, statement.digest))
        group.evidence += [(position, e.sha256, e.body) for e in statement.evidence]
        if caller.is_ledger and statement.type in AUTHORITY_TYPES:
            group.authority.append((position, statement))
        return position

    # -- rows ----------------------------------------------------------------------------------------------------

    def _insert(self, connection: Connection, group: _Group) -> list[bytes]:
        """Insert the group's rows; the signatures are made in other threads meanwhile. Returns the signatures."""
        # Dies anywhere below: the transaction is rolled back by whoever opens the database next; nobody was answered.
        signing = self._start_signing(group)
        sql, touched = self._sql, group.touched_refs.items()
        work: list[tuple[Bulk, Sequence[Sequence[Any]]]] = [
            (sql.insert_type, group.new_types),
            (sql.insert_source, group.new_sources),
            (sql.insert_statement, group.statements),
            (sql.insert_entry_ref, group.entry_refs),
            (sql.insert_ref, [(name, ref.id, ref.count, ref.last) for name, ref in touched if ref.is_new]),
            (sql.move_ref, [(ref.count, ref.last, name) for name, ref in touched if not ref.is_new]),
            (sql.insert_node, group.nodes),
            (sql.insert_text, group.texts),
            (sql.insert_submitted, group.submitted),
            (sql.insert_evidence, group.evidence),
        ]
        if len(signing) > 1:
            sql.run(connection, work, tell=False)
            work = []
        signatures = [signature for part in signing for signature in part()]
        key_number = self._key_number(group)
        rows = [
            (position, type_id, key_number, leaf, signature, entry)
            for (position, type_id, leaf, entry), signature in zip(group.entries, signatures, strict=True)
        ]
        head = sql.move_head if group.stored else sql.insert_head
        sql.run(connection, [*work, (sql.insert_entry, rows), (head, [self._head_row(group)])], tell=True)
        return signatures

    def _start_signing(self, group: _Group) -> list[Callable[[], list[bytes]]]:
        entries = [entry for *_, entry in group.entries]
        if len(entries) < SIGNERS * 8:
            return [lambda: self._sign(entries)]
        # One long task a thread: signing releases the interpreter's lock, and every change of hands costs
        # more than a signature.
        share = -(-len(entries) // SIGNERS)
        return [self._pool.submit(self._sign, entries[i : i + share]).result for i in range(0, len(entries), share)]

    def _sign(self, entries: list[bytes]) -> list[bytes]:
        sign = self._signer.sign
        return [sign(dsse.pae(ENTRY_PAYLOAD_TYPE, entry)) for entry in entries]

    def _head_row(self, group: _Group) -> tuple[Any, ...]:
        head = group.head
        if group.authority:
            # What these entries change is in force from the next position on; the head says so to every appender.
            after = copy.deepcopy(self.authority)
            for position, statement in group.authority:
                after.fold(position, statement.type, statement.data)
            head.authority_position = after.position
            head.entry_keys = [record.key_id for record in after.keyring.valid_at("entry", head.size + 1)]
        return (
            HEAD_ID,
            head.size,
            head.last_leaf,
            head.frontier.to_bytes(),
            head.recorded_at,
            head.authority_position,
            ",".join(head.entry_keys),
        )

    def _key_number(self, group: _Group) -> int:
        if group.stored == 0:
            return 0
        known = [record.key_id for record in self.authority.keyring.numbered("entry")]
        # One that is not known yet is recovered by this very entry, and is the next.
        return known.index(self._signer.key_id) if self._signer.key_id in known else len(known)

    # -- between transactions ------------------------------------------------------------------------------------

    def _remember(self, connection: Connection, group: _Group) -> None:
        self._clock.appended()
        self._acknowledged = (group.head.size, group.head.last_leaf)
        self._source_ids.update({name: number for number, name in group.new_sources})
        self._type_ids.update({name: number for number, name in group.new_types})
        if group.authority:
            catch_up(connection, self.authority)

    def _connect(self) -> Connection:
        if self._connection is None:
            self._connection = self.database.connect_for_writing()
        return self._connection

    def _disconnect(self, *, broken: bool = False) -> None:
        if self._connection is not None:
            if broken:
                self._connection.invalidate()
            self._connection.close()
            self._connection = None

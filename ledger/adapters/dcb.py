"""An adapter: the recorder as `eventsourcing`'s DCBRecorder (one sequence, events with types and tags, append conditions).

It adds nothing to the log and assigns nothing; it translates. `eventsourcing` ships such recorders for memory and
PostgreSQL only, and does not link or sign.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

from eventsourcing.dcb.api import (
    DCBAppendCondition,
    DCBEvent,
    DCBQuery,
    DCBReadResponse,
    DCBRecorder,
    DCBSequencedEvent,
    DCBSubscription,
)
from eventsourcing.persistence import IntegrityError, ProgrammingError

from ledger.authority import Caller
from ledger.canonical import parse
from ledger.conditions import Condition, Match
from ledger.errors import ConditionFailedError
from ledger.ledger import Ledger
from ledger.log.database import Database
from ledger.log.following import Subscription, Watcher
from ledger.log.reading import StoredEntry, read_entries, read_size
from ledger.log.recorder import Outcome, Refused, Submission
from ledger.statement import Statement


class Codec(Protocol):
    """How events of the library stand for statements and entries."""

    def statement(self, event: DCBEvent) -> Statement: ...

    def event(self, stored: StoredEntry) -> DCBEvent: ...

    def ref(self, tag: str) -> str: ...


class StatementCodec:
    """`data` is the statement, a CloudEvents event in JSON; `type` and `tags` must be what the catalogue makes of it."""

    def __init__(self, admit: Callable[[Any], Statement]) -> None:
        self._admit = admit

    def statement(self, event: DCBEvent) -> Statement:
        statement = self._admit(parse(event.data))
        if statement.type != event.type or set(statement.refs) != set(event.tags):
            raise ProgrammingError(
                f"expected type {statement.type} and tags {list(statement.refs)}, found {event.type} and {event.tags}"
            )
        return statement

    def event(self, stored: StoredEntry) -> DCBEvent:
        return DCBEvent(type=stored.type, data=stored.statement_bytes, tags=list(stored.refs))

    def ref(self, tag: str) -> str:
        return tag


class DatabaseDCBRecorder(DCBRecorder):
    """`DCBRecorder` over a ledger's database, for programs that read or project it: it needs no key, and appends nothing.

    Raises SetupError where there is no ledger, or one of another version of this program.
    """

    def __init__(self, database: Database, watcher: Watcher, codec: Codec | None = None) -> None:
        database.check_schema()
        self.database = database
        self.watcher = watcher
        self._codec: Codec = codec or StatementCodec(_refuse)

    def _matches(self, query: DCBQuery | None) -> tuple[Match, ...]:
        return tuple(Match(tuple(i.types), tuple(map(self._codec.ref, i.tags))) for i in (query.items if query else ()))

    def read(
        self, query: DCBQuery | None = None, *, after: int | None = None, limit: int | None = None
    ) -> DCBReadResponse:
        with self.database.read() as connection:
            stored = list(read_entries(connection, self._matches(query), after=after or 0, limit=limit))
            head = read_size(connection) if limit is None else (stored[-1].position if stored else 0)
        return _Response(iter([self._sequenced(item) for item in stored]), head or None)

    def append(self, events: Sequence[DCBEvent], condition: DCBAppendCondition | None = None) -> int:
        raise ProgrammingError("this recorder reads; to append, open the ledger and use LedgerDCBRecorder")

    def subscribe(self, query: DCBQuery | None = None, *, after: int | None = None) -> "LedgerDCBSubscription":
        return LedgerDCBSubscription(self, query, after)

    def _sequenced(self, stored: StoredEntry) -> DCBSequencedEvent:
        return DCBSequencedEvent(self._codec.event(stored), stored.position)


class LedgerDCBRecorder(DatabaseDCBRecorder):
    """`DCBRecorder` over a ledger. What it appends is recorded by `caller`."""

    def __init__(self, ledger: Ledger, caller: Caller, codec: Codec | None = None) -> None:
        super().__init__(ledger.database, ledger.watcher, codec or StatementCodec(ledger.admission.admit))
        self._ledger = ledger
        self._caller = caller

    def append(self, events: Sequence[DCBEvent], condition: DCBAppendCondition | None = None) -> int:
        if not events:
            raise ProgrammingError("expected at least one event to append")
        outcome: Outcome = self._ledger.append(
            Submission(
                tuple(map(self._codec.statement, events)),
                self._caller,
                self._condition(condition),
            )
        )
        if isinstance(outcome, Refused):
            if isinstance(outcome.error, ConditionFailedError):
                raise IntegrityError(str(outcome.error)) from outcome.error
            raise outcome.error
        return outcome.receipts[-1].position

    def _condition(self, condition: DCBAppendCondition | None) -> Condition | None:
        if condition is None:
            return None
        return Condition(self._matches(condition.fail_if_events_match), condition.after or 0)


class LedgerDCBSubscription(DCBSubscription[DatabaseDCBRecorder]):
    """`DCBSubscription` over the ledger's own subscription."""

    def __init__(self, recorder: DatabaseDCBRecorder, query: DCBQuery | None, after: int | None) -> None:
        super().__init__(recorder, query, after)
        self._subscription = Subscription(
            recorder.database, recorder.watcher, recorder._matches(query), after=after or 0
        )

    def stop(self) -> None:
        super().stop()
        self._subscription.stop()

    def __next__(self) -> DCBSequencedEvent:
        return self._recorder._sequenced(next(self._subscription))


class _Response(DCBReadResponse):
    def __init__(self, events: Iterator[DCBSequencedEvent], head: int | None) -> None:
        self._events = events
        self._head = head

    @property
    def head(self) -> int | None:
        return self._head

    def __next__(self) -> DCBSequencedEvent:
        return next(self._events)


def _refuse(event: Any) -> Statement:
    raise ProgrammingError("this recorder reads; it admits nothing")

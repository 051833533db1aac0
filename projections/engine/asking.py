"""Asking views one question: rows as they are served now, or as they stood, and a note of all that was looked at.

What was looked at becomes the condition under which the answer may be recorded. No rule and no gate is known here.
"""

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final, TypeVar

from sqlalchemy.engine import Connection

from ledger.conditions import Condition, Match
from ledger.events import Event
from ledger.ledger import Ledger
from ledger.log.database import Database
from ledger.log.following import Watcher
from ledger.log.reading import read_size
from projections.engine.answers import Still
from projections.engine.derived import Judged
from projections.engine.log import WITHDRAWN, SqlLog, taken_back_by
from projections.engine.progress import State, read_states
from projections.engine.reads import Rows
from projections.engine.rows_served import RowsServed
from projections.engine.rows_then import RowsThen
from projections.engine.serving import Stored, ViewNotReadyError
from projections.engine.skips import Skips
from projections.engine.sql_store import SqlStore
from projections.engine.view import DeclarationError, EntryInfo, Limit, Moment, Reads, View

R = TypeVar("R")
T = TypeVar("T")
TAKES_BACK: Final = Match((WITHDRAWN,))
# How soon it is looked again whether views have come to a position: doubled each time.
FIRST_LOOK_S: Final = 0.002
MOST_PAUSE_S: Final = 0.02
# Of what came since something was read; for more than that the views are waited for.
MOST_WEIGHED: Final = 128


def states_of(connection: Connection, views: Sequence[View[Any]]) -> list[State]:
    """Return how far each view has come. Raises ViewNotReadyError while one is not there, or stopped."""
    known = read_states(connection)
    for view in views:
        state = known.get(view.name)
        if state is None:
            raise _being_built(view)
        _check_runs(view, state)
    return [known[view.name] for view in views]


def await_position(
    database: Database, watcher: Watcher, views: Sequence[View[Any]], position: int, *, within_s: float
) -> None:
    """Return when views have come to a position, built for the first time or not; raise ViewNotReadyError after a while.

    A view that stopped before the position raises at once.
    """
    end = time.monotonic() + within_s
    pause_s = FIRST_LOOK_S
    while True:
        with database.read() as connection:
            known, size = read_states(connection), read_size(connection)
        behind = [view for view in views if view.name not in known or known[view.name].position < position]
        if not behind:
            return
        for view in behind:
            _check_runs(view, known.get(view.name))
        if time.monotonic() > end:
            if (state := known.get(behind[0].name)) is None:
                raise _being_built(behind[0])
            raise ViewNotReadyError(
                f"{behind[0].name} is at position {state.position}, not yet at {position}; ask again"
            )
        # Whoever folds is another process, mostly, and tells nobody; a batch of few entries takes some milliseconds.
        watcher.wait(size, timeout=pause_s)
        pause_s = min(2 * pause_s, MOST_PAUSE_S)


def _being_built(view: View[Any]) -> ViewNotReadyError:
    return ViewNotReadyError(f"the view {view.name} is being built for the first time; ask again in a moment")


def _check_runs(view: View[Any], state: State | None) -> None:
    if state is not None and state.failed_at is not None:
        # Why, may quote the entry: operators are shown it.
        raise ViewNotReadyError(
            f"{view.name} stopped at position {state.failed_at}; an operator sees why, and steps over it: change-ledger views list"
        )


def asking_now(
    connection: Connection, database: Database, views: Sequence[View[Any]], now: Moment
) -> tuple["Asking", int]:
    """Return what reads the views as they are served, and the position at which they all are. Raises ViewNotReadyError."""
    position = min(state.position for state in states_of(connection, views))
    skips = Skips(SqlLog(connection))
    return Asking(RowsServed(connection, SqlStore(database, views), position, skips), now, skips), position


class Asking(Still):
    """What a gate's rules read through: it notes of which entries the answer may depend. `but` are types that are no facts to it.

    No row moves while it lasts: what is asked again is answered as before, and a ticket is judged once for all rules.
    `stepped_over` are entries that the views read so far left out, though they are about the rows that were read.
    """

    def __init__(self, rows: Rows, now: Moment, skips: Skips, *, but: Collection[str] = ()) -> None:
        self.stepped_over: set[int] = set()
        self._skips = skips
        self._rows = rows
        self._now = now
        self._but = frozenset(but)
        self._matches: dict[Match, None] = {}
        # Up to where it is known that nothing moved what was read.
        self._stood_up_to = 0
        self._noted = noted = [set[str]()]
        # Notes that a setting of a policy was asked for. It is kept in answers that are kept here: were it a method, only the collector of
        # garbage would end this.
        self.note_setting: Callable[[str], None] = lambda name: noted[-1].add(name)
        self._noted_by: dict[Any, set[str]] = {}
        super().__init__()

    def aside(self) -> "Asking":
        """Return a look at the same rows that knows what was worked out here, and whose reads are no condition of an answer."""
        other = Asking(self._rows, self._now, self._skips)
        other._answers, other._noted_by = dict(self._answers), dict(self._noted_by)
        return other

    def noting(self, work: Callable[..., T], *args: Any) -> tuple[T, set[str]]:
        """Return what work comes to, and which settings were asked for: now, or when what it asks again was worked out."""
        self._noted.append(set())
        try:
            found = work(*args)
        finally:
            noted = self._noted.pop()
        self._noted[-1] |= noted
        return found, noted

    def once(self, asked: Any, work: Callable[..., T], *args: Any) -> T:
        if asked in self._answers:
            if (noted := self._noted_by.get(asked)) is not None:
                self._noted[-1] |= noted
            known: T = self._answers[asked]
            return known
        found, noted = self.noting(work, *args)
        self._answers[asked] = found
        if noted:
            self._noted_by[asked] = noted
        return found

    def at(self, time: Moment) -> "Asking":
        # An entry tells by its refs what it is about, and not which times it touches.
        return self

    def row(self, view: View[R], key: str) -> R | None:
        return self.once((view, key), self._row, view, key)

    def named(self, view: View[R], event: type[Event], about: str | None = None, limit: Limit = None) -> list[R]:
        asked = view, event, about, limit
        return list(self.once(asked, self._named, *asked))

    def _row(self, view: View[R], key: str) -> R | None:
        if isinstance(view, Judged):
            # Judged here and now: so all that it rests on is noted.
            subject = self.row(view.of, key)
            return None if subject is None else view.judge(subject, self)
        row = self._rows.row(view, key)
        self._note(view, view.entries_of(key, row))
        return row

    def _named(self, view: View[R], event: type[Event], about: str | None, limit: Limit) -> list[R]:
        if isinstance(view, Judged):
            return [view.judge(row, self) for row in self.named(view.of, event, about, limit)]
        self._note(view, [Match((event.type,), (about,) if about else ())], but=())
        rows = self._rows.named(view, event, about, limit)
        for row in rows:
            self._note(view, view.entries_of(getattr(row, view.key), row))
        return rows

    def where(self, view: View[R], column: str, value: str) -> list[R]:
        if view.is_judged:
            raise DeclarationError(f"{view.name} is judged: a gate asks for its rows by key, or by what entries name")
        # Any entry of the view may make a row hold the value.
        self._note(view, [Match()])
        return self._rows.where(view, column, value)

    def entry(self, position: int) -> EntryInfo:
        return self._rows.entry(position)

    def has_come(self, time: Moment | None) -> bool:
        return time is not None and time <= self._now

    def _note(self, view: View[Any], matches: Sequence[Match], but: Collection[str] | None = None) -> None:
        self.stepped_over.update(self._skips.touching(view, matches))
        for match in matches:
            left_out = self._but if but is None else but
            types = tuple(name for name in match.types or tuple(view.folds) if name not in left_out)
            self._matches[Match(types, match.refs)] = None

    @property
    def matches(self) -> tuple[Match, ...]:
        """Entries that would change what was read; what takes a statement back may concern any of them."""
        return (*self._matches, TAKES_BACK)

    def condition(
        self,
        ledger: Ledger,
        store: SqlStore,
        position: int,
        is_nothing: Callable[[Reads, EntryInfo], bool],
        most: int = MOST_WEIGHED,
    ) -> Condition:
        """Return the condition that what was read at a position has stood still, with what the log says of it by now.

        What was taken back meanwhile breaks it where it was about something that was read. All else that anybody withdraws, and what
        is nothing as things stood when it was said, holds up no answer: who said such things again and again would keep every gate from
        answering.
        """
        facts = tuple(self._matches)
        # Asked again, only what came since it was asked last is looked at: what comes meanwhile is little then.
        since = max(position, self._stood_up_to)
        looked = ledger.recorder.look_back(Condition(facts, after=since))
        with ledger.database.read() as connection:
            log = SqlLog(connection)
            if looked.broken_by is not None:
                size = read_size(connection)
                came = list(log.entries(facts, after=since, up_to=size, limit=most + 1))
                past = RowsThen(log, Stored(connection, store), up_to=size, skips=self._skips)
                if len(came) <= most and all(is_nothing(past.at(entry.position), entry) for entry in came):
                    looked = replace(looked, broken_by=None, looked_up_to=size)
            for entry in log.entries([TAKES_BACK], after=since, up_to=looked.looked_up_to):
                original = taken_back_by(log, entry)
                if original is not None and any(fact.fits(original.type, tuple(original.refs)) for fact in facts):
                    looked = replace(looked, broken_by=(TAKES_BACK, entry.position))
                    break
        if looked.broken_by is None:
            self._stood_up_to = looked.looked_up_to
        return replace(looked, none_of=self.matches)


@contextmanager
def looking(ledger: Ledger, views: Sequence[View[Any]], now: Moment) -> Iterator[Asking]:
    """Give a look at the rows of views as they are served now, all in one snapshot. Raises ViewNotReadyError."""
    with ledger.database.read() as connection:
        yield asking_now(connection, ledger.database, views, now)[0]

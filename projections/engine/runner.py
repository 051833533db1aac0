"""`Runner`: keeps the tables of all views up with the log. One process at a time; the others wait for its lock.

A batch is read and folded without a lock, and written with the position in one transaction: dying anywhere repeats
nothing and leaves nothing out. A view that is new, or has another version, is filled beside the one that is served,
batch by batch, and takes its place in one step. Whoever comes next goes on with a filling where it was left.

    deployments has another version     view_deployments        view_deployments__filling    view_deployments__leaving
    at position 900                     version 3, to 900       made, with all that read it
    while entries come                  version 3, to 950       version 4, to 750
    the filling has come to 950         version 4, to 950                                    version 3, emptied bit by bit

Longer than other modules: what may happen to a view between two batches is one protocol, and is read as one.
"""

import gc
import logging
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ledger.errors import LedgerError
from ledger.log.database import Database, Lock, is_lock_timeout, is_outage, outage_in_words
from ledger.log.following import Watcher
from ledger.log.reading import read_size
from projections.engine import tables
from projections.engine.progress import (
    State,
    ask_anew,
    has_failed,
    is_served,
    put_state,
    read_states,
    with_dependents,
    with_inputs,
)
from projections.engine.sql_store import RowRefusedError
from projections.engine.tables import FILLING, fillings, states
from projections.engine.view import View
from projections.engine.view_set import BATCH, ViewSet

# A filling takes so many batches at once: the same rows are then written less often.
FILLED_AT_ONCE: Final = 4
# How long a batch may hold up appends on SQLite, which has one writer at a time: batches become smaller until they do no longer, but
# not so small that views fall behind for the time that a disk takes. A filling may take longer: smaller batches write the same rows more
# often, and nobody reads them yet.
MOST_HELD_S: Final = 0.02
MOST_HELD_FILLING_S: Final = 0.08
LEAST_AT_ONCE: Final = 25
# How often a process that does not run the views asks whether it may.
STAND_BY_S: Final = 1.0
# How long after somebody's reading hindered it a table is asked for again.
AGAIN_S: Final = 5.0
log = logging.getLogger("change_ledger")


def share_interpreter() -> None:
    """Prepare this process for threads that answer, append and fold beside each other.

    Whoever comes back from the database waits 5 ms for the interpreter while another thread is busy, unless threads take
    turns more often. Rows and what was imported outlive many batches: collecting garbage after every 700 new objects looks at
    them in vain, and to look at all objects stops every thread, for as long as a second when half a gigabyte of rows is kept.
    That is done once in some million entries, and never for what is there by now.
    """
    sys.setswitchinterval(0.001)
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 10, 100)


class Runner:
    """Folds what is new into the views' tables: `step` by step, or as a thread between `start` and `close`.

    `tell` is called with what holds the views up, in words, whenever that changes; with None when nothing does any more.
    """

    def __init__(
        self,
        database: Database,
        views: Sequence[View[Any]],
        watcher: Watcher,
        *,
        batch: int = BATCH,
        tell: Callable[[str | None], None] = lambda problem: None,
    ) -> None:
        self._database = database
        self._views = tuple(views)
        self._watcher = watcher
        self._batch = batch
        self._tell = tell
        self._lock: Lock | None = None
        self._served: ViewSet | None = None
        self._filling: ViewSet | None = None
        # Tables that are to be emptied and dropped.
        self._abandoned: list[str] = []
        # When it is worth trying again what others' reading hindered.
        self._again_at: dict[Callable[[], bool], float] = {}
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
        self.problem: str | None = None

    # -- the thread ----------------------------------------------------------------------------------------------

    def start(self) -> None:
        share_interpreter()
        self._thread = threading.Thread(target=self._run, name="views", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._closing.set()
        if self._thread is not None:
            self._thread.join()
        self._release()

    def _run(self) -> None:
        while not self._closing.is_set():
            try:
                if not self.acquire():
                    self._closing.wait(STAND_BY_S)
                elif not self.step():
                    self._watcher.wait(self.position, timeout=0.5)
                self._set_problem(None)
            except Exception as error:  # noqa: BLE001 - the edge of the thread, which nobody restarts
                # The database went away, or somebody else wrote: begin again from what is stored.
                self._note(error)
                self._release()
                self._closing.wait(STAND_BY_S)

    def _note(self, error: Exception) -> None:
        """Say in words what holds the views up, and in the log, once, what it was."""
        problem = outage_in_words(error) if is_outage(error) else f"{type(error).__name__}; the server's log says more"
        if problem != self.problem:
            log.error("views are held up: %s", problem, exc_info=error)
        self._set_problem(problem)

    def _set_problem(self, problem: str | None) -> None:
        if problem != self.problem:
            self.problem = problem
            self._tell(problem)

    @property
    def position(self) -> int:
        """The position that the served views have reached; 0 in a process that stands by."""
        return self._served.position if self._served is not None else 0

    # -- stepping ------------------------------------------------------------------------------------------------

    def acquire(self) -> bool:
        """Become the process that runs the views, unless another is."""
        if self._lock is not None and self._lock.is_held():
            return True
        self._release()
        self._lock = self._database.try_lock("views")
        return self._lock is not None

    def step(self) -> bool:
        """Fold one batch into what is served, and some into what is being filled. False when there is nothing to do."""
        if self._served is None:
            self._open()
        # Both in turn: neither a busy ledger nor a long rebuild holds the other up.
        moved = self._advance_served()
        return self._unhindered(self._empty_abandoned) or self._unhindered(self._advance_filling) or moved

    def _unhindered(self, work: Callable[[], bool]) -> bool:
        """Do what needs tables for itself alone; where somebody reads one in a long transaction, try it again after a while.

        What is served goes on meanwhile: who waited for the table would hold up everybody that reads it next, and all views.
        """
        if time.monotonic() < self._again_at.get(work, 0):
            return False
        try:
            return work()
        except sa.exc.DBAPIError as error:
            if not is_lock_timeout(error):
                raise
            log.warning(
                "a table of a view waits for whoever reads it in a long transaction; tried again in %d s", AGAIN_S
            )
            self._again_at[work] = time.monotonic() + AGAIN_S
            return False

    def catch_up(self) -> int:
        """Step until there is nothing to do. Returns the position reached."""
        while self.step():
            pass
        return self.position

    def _release(self) -> None:
        self._served = self._filling = None
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def _open(self) -> None:
        with self._database.write() as connection:
            tables.make_here(connection)
            # They are caches: what is lost of one is made again.
            ask_anew(connection, tables.lacking(connection, self._views))
            known = read_states(connection)
            self._filling = self._left(connection, known)
            if self._filling is None:
                connection.execute(sa.delete(fillings))
            unserved = [view for view in self._views if view.name not in known]
            kept = (self._filling.views, self._filling.suffix) if self._filling is not None else ()
            self._abandoned = tables.abandoned(connection, unserved, *kept)
        # A view whose inputs are being filled waits for them: they take over together.
        waiting = with_dependents(self._views, [view.name for view in self._views if not is_served(view, known)])
        serving = [view for view in self._views if view not in waiting]
        position = min((known[view.name].position for view in serving), default=0)
        self._served = ViewSet(self._database, serving, position, most=self._batch)

    def _advance_served(self) -> bool:
        return self._served is not None and bool(self._served.views) and self._advance(self._served, MOST_HELD_S)

    def _advance(self, some: ViewSet, most_held_s: float, up_to: int | None = None) -> bool:
        """Fold the next batch and write it with the position. False when there is nothing to fold."""
        try:
            return self._fold_and_write(some, most_held_s, up_to)
        except RowRefusedError as refusal:
            some.narrow(refusal)
            return True

    def _fold_and_write(self, some: ViewSet, most_held_s: float, up_to: int | None) -> bool:
        reached, its = some.fold_next(up_to), some.states
        if reached == some.position or some.folder is None:
            return False
        failures = some.folder.failures
        # Dies before or in this transaction: the batch is folded again from what is stored.
        with self._database.write() as connection:
            begun = time.monotonic()
            known = read_states(connection, its)
            for view in some.views:
                if view.name not in known or known[view.name].position != some.position:
                    at = known[view.name].position if view.name in known else "nothing"
                    raise LedgerError(f"the view {view.name} moved to {at} under another process")
            # Whoever asked for a rebuild meanwhile has set the version: only the position moves here.
            going = [view.name for view in some.views if view.name not in failures]
            connection.execute(sa.update(its).where(its.c.name.in_(going)).values(position=reached))
            for view in some.views:
                if (failure := failures.get(view.name)) is not None:
                    stopped = {
                        "position": failure.position - 1,
                        "failed_at": failure.position,
                        "failure": failure.reason,
                    }
                    connection.execute(sa.update(its).where(its.c.name == view.name).values(**stopped))
            some.save(connection)
        is_too_slow = self._database.is_sqlite and time.monotonic() - begun > most_held_s
        some.pace(is_too_slow=is_too_slow, least=LEAST_AT_ONCE)
        some.move_to(reached)
        return True

    # -- filling -------------------------------------------------------------------------------------------------

    def _advance_filling(self) -> bool:
        if self._filling is None:
            self._filling = self._begun()
        filling, served = self._filling, self._served
        if filling is None or served is None:
            return False
        # Not beyond what is served: all views are at one position, or a fold could not read another's rows.
        end = served.position if served.views else self._size()
        self._advance(filling, MOST_HELD_FILLING_S, end)
        if filling.position == end:
            self._take_over(filling)
        return True

    def _size(self) -> int:
        with self._database.read() as connection:
            return read_size(connection)

    def _wanted(self, known: Mapping[str, State]) -> tuple[list[View[Any]], list[View[Any]]]:
        """Return the views to be filled anew, and those with all that they read."""
        stale = [view.name for view in self._views if not is_served(view, known) and not has_failed(view, known)]
        anew = with_dependents(self._views, stale)
        return anew, with_inputs(self._views, anew)

    def _left(self, connection: Connection, known: Mapping[str, State]) -> ViewSet | None:
        """Return the filling that another process left, if it is what has to be filled now and all of its tables are at one position."""
        anew, wanted = self._wanted(known)
        begun = read_states(connection, fillings)
        suffix = _place(wanted, known)
        if not wanted or not all(view.name in begun and begun[view.name].is_by(view) for view in wanted):
            return None
        going = [view for view in wanted if begun[view.name].failed_at is None]
        positions = {begun[view.name].position for view in going}
        if len(positions) != 1 or tables.lacking(connection, wanted, suffix):
            return None
        return self._filling_of(going, anew, positions.pop(), suffix)

    def _begun(self) -> ViewSet | None:
        """Begin to fill what has to be, from the first entry; None when nothing has."""
        with self._database.read() as connection:
            known = read_states(connection)
        anew, wanted = self._wanted(known)
        if not anew:
            return None
        suffix = _place(wanted, known)
        filling = self._filling_of(wanted, anew, 0, suffix)
        # Dies while they take over: those that did not are filled again, though they may have the folds they had.
        with self._database.write() as connection:
            ask_anew(connection, anew)
            connection.execute(sa.delete(fillings))
        for view in wanted:
            generation = known[view.name].generation + 1 if view.name in known else 1
            with self._database.write() as connection:
                tables.wait_briefly(connection)
                tables.make_here(connection)
                filling.store.create(connection, view, generation)
                begun = State(view.name, view.version, generation, tables.shape_of(view), 0, None, None)
                put_state(connection, fillings, begun)
        return filling

    def _filling_of(self, views: Sequence[View[Any]], anew: Sequence[View[Any]], position: int, suffix: str) -> ViewSet:
        most = self._batch * FILLED_AT_ONCE
        filling = ViewSet(self._database, views, position, most=most, states=fillings, suffix=suffix)
        filling.anew = list(anew)
        return filling

    def _empty_abandoned(self) -> bool:
        """Take some rows out of a table that nobody reads any more."""
        if not self._abandoned:
            return False
        with self._database.write() as connection:
            tables.wait_briefly(connection)
            if not tables.empty(connection, self._abandoned[-1], self._batch):
                self._abandoned.pop()
        return True

    def _take_over(self, filling: ViewSet) -> None:
        with self._database.read() as connection:
            filled = read_states(connection, fillings)
        # On SQLite view by view where names change, for each takes a while and appends wait for it. Dies among them: what took over is
        # at the position of what is served still, no view took over before what it reads, and the filling of the others begins again.
        # On PostgreSQL nobody waits: all take over, or none, while somebody reads one of their tables.
        is_slow = self._database.is_sqlite and filling.suffix
        # What was filled only to be read is served as it was: the same folds made the same rows of it, up to the same position.
        groups = [[view] for view in filling.anew] if is_slow else [filling.anew]
        for group in groups:
            with self._database.write() as connection:
                tables.wait_briefly(connection)
                for view in group:
                    filling.store.take_over(connection, view, filled[view.name].generation)
                    put_state(connection, states, filled[view.name])
                    connection.execute(sa.delete(fillings).where(fillings.c.name == view.name))
        self._open()


def _place(wanted: Sequence[View[Any]], known: Mapping[str, State]) -> str:
    """Return the suffix of the tables that are filled. Where nothing is served yet, nothing has to be replaced: they are filled where
    they will stand, and no state says that they do.
    """
    return FILLING if any(view.name in known for view in wanted) else ""

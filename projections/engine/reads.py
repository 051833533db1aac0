"""`Look`: what a rule reads through. What it looked at is noted, and so is which time had come, and which had not.

A finding is judged again when what it looked at changed, or when a time has come that had not; the answer of a gate is recorded
under the condition that nothing of what it looked at changed. Nobody lists what a rule looks at. Not the rows themselves:
those are `projections.engine.rows_now`, `rows_then` and `rows_served`.

What a finding looks at is noted in as few words as will do, each of them a text:

    row(change_tickets, "CHG-7")                         change_tickets:CHG-7
    where(access_grants, "role", "approver")             access_grants.role=approver
    named(reviews, PirOpened, "change:CHG-7")            pir.opened@change:CHG-7      and each row that was found
    named(change_tickets, ChangeOpened, "release:R-1")   change.opened@release:R-1    and change_tickets@release:R-1

    named(deployments, DeploymentStarted, "service:api", Around(900, 64))
                                                         deployment.started@service:api; deployment.started@@service:api, where 64 came
                                                         after position 900: another is none of them, unless one is taken back

The form with a view's name is for views whose rows say what they are about (`View.abouts`): a row that comes, goes, or is about
something else by now concerns whoever asked for it. And of a row only those columns count that the rule ever looked at.

`look.at(time)` asks how things were at one time. Then a change concerns the rule only when it `touches` that time, which the
view says: a freeze from Monday to Friday, declared over three thousand deployments, wakes those that lie in that week.
"""

import re
from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeVar, cast

from ledger.events import Event
from projections.engine.lenses import Lens
from projections.engine.view import DeclarationError, EntryInfo, Limit, Moment, Reads, View

R = TypeVar("R")
T = TypeVar("T")
# What was looked at, and as of which time; "" is now.
Read = tuple[str, Moment]
NO_READS: Final[frozenset[Read]] = frozenset()
# What is the same in all reads of one form: `change_tickets:`, `freezes@environment:`, `access_grants.role=`, `pir.opened@change:`.
form_in: Final = re.compile(r"([a-z0-9_]+)(\.[a-z0-9_.]+)?(?::|=|@(?:[a-z0-9_]+:)?)").match


class Rows(Reads, Protocol):
    """Rows by key, by entry, and by what a column holds."""

    def where(self, view: View[R], column: str, value: str) -> list[R]:
        """Return the rows whose column, one that has an index, holds a value; sorted by key."""

    def entry(self, position: int) -> EntryInfo:
        """Return an entry. It never changes: nobody notes that it was looked at. Raises NotFoundError where there is none."""


class Followed(Rows, Protocol):
    """Rows as they stand at one entry after another."""

    def found(
        self, view: View[R], event: type[Event], about: str | None = None, limit: Limit = None
    ) -> tuple[list[R], bool]:
        """Return the rows that `named` does, and whether another entry may name one more: not, where enough came after a position."""


class Look(Rows, Protocol):
    """What a rule reads through: rows of views as they stand, and whether a time has come."""

    def at(self, time: Moment) -> Rows:
        """Return the same rows for a question about one time: of the times that a row touches, nothing else may be relied on."""

    def has_come(self, time: Moment | None) -> bool:
        """Say whether a time has come; no time never does. It is the only clock that a rule has."""


def as_of_time(reads: Reads, time: Moment) -> Reads:
    """Return the same rows for a question about one time, where a rule looks at them (`Look.at`). A fold has no time but its own."""
    at: Callable[[Moment], Reads] | None = getattr(reads, "at", None)
    return at(time) if at is not None else reads


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered to a question, what that rests on, and at which columns of which views it looked."""

    value: Any
    reads: frozenset[Read]
    looks: tuple[tuple[View[Any], tuple[str, ...]], ...]


class Answering(Protocol):
    """Who keeps answers: `projections.engine.answers`."""

    def ask(self, question: Callable[..., Any], args: tuple[Any, ...]) -> Answer:
        """Return what is answered to a question about some values."""


class Judging:
    """What a finding's rule reads through, for one judgement. No row moves while it lasts: what is asked again is answered as before."""

    __slots__ = (
        "_answers",
        "_asked",
        "_at",
        "_lens_of",
        "_now",
        "_of_now",
        "_rows",
        "_times",
        "came",
        "due",
        "is_lenient",
        "lateness",
        "looked_at_made",
        "reads",
    )

    def __init__(
        self,
        rows: Followed,
        now: Moment,
        lens_of: Callable[[View[Any]], Lens],
        of_now: "Judging | None" = None,
        at: Moment = "",
        answers: "Answering | None" = None,
    ) -> None:
        self._rows = rows
        self._now = now
        self._lens_of = lens_of
        self._at = at
        # Not itself: it would be left to the collector of garbage, with every row that was looked at.
        self._of_now = of_now
        self.reads: set[Read] = of_now.reads if of_now is not None else set()
        self._answers: Answering | None = answers or getattr(rows, "answers", None)
        self._asked: dict[Any, Any] = {}
        self._times: dict[Moment, Judging] = of_now._times if of_now is not None else {}
        # The next time that has not come, and the last that has.
        self.due: Moment | None = None
        self.came: Moment | None = None
        # Where what would give leave is recorded that was not there in time, and whether it counts all the same.
        self.lateness: set[int] = set()
        self.is_lenient = False
        # Whether it looked at rows that were made of others where late leave does not count.
        self.looked_at_made = False

    @property
    def of_now(self) -> "Judging":
        """Return the look of which this is about one time; itself, where it is about none."""
        return self._of_now or self

    def end(self) -> None:
        """Let go of the looks about one time, which hold this one. What was noted stays."""
        self._times.clear()

    def leniently(self) -> "Judging":
        """Return what reads the same, and takes leave that came late for leave. What it looks at is noted here."""
        lenient = Judging(self._rows, self._now, self._lens_of, answers=self._answers)
        lenient.reads, lenient.is_lenient = self.reads, True
        return lenient

    def wait_for(self, other: "Judging") -> None:
        """Note which times another look asked about."""
        dues = [due for due in (self.due, other.due) if due is not None]
        came = [time for time in (self.came, other.came) if time is not None]
        self.due, self.came = min(dues, default=None), max(came, default=None)

    def late(self, said: Any) -> bool:
        """Note that something which gives leave was not there in time; say whether it counts all the same."""
        self.of_now.lateness.add(said.position)
        return self.of_now.is_lenient

    def at(self, time: Moment) -> "Judging":
        if (known := self._times.get(time)) is None:
            known = self._times[time] = Judging(self._rows, self._now, self._lens_of, self.of_now, time)
        return known

    def row(self, view: View[R], key: str) -> R | None:
        asked = view, key
        if asked in self._asked:
            return cast("R | None", self._asked[asked])
        self._note(view, row_read(view, key))
        lens = self._lens_of(view)
        if view.is_made:
            self.of_now.looked_at_made = True
        row = self._judged_anew(view, key) if self.of_now.is_lenient and view.is_made else self._rows.row(view, key)
        seen = self._asked[asked] = None if row is None else cast(R, lens.over(row))
        return seen

    def _judged_anew(self, view: View[R], key: str) -> R | None:
        """Return what is made of a row where late leave counts: what stands was made where it does not."""
        of = self.of_now.row(view.of, key)  # type: ignore[attr-defined]
        made: R | None = view.judge(of, self.of_now) if of is not None else None  # type: ignore[attr-defined]
        return made

    def named(self, view: View[R], event: type[Event], about: str | None = None, limit: Limit = None) -> list[R]:
        asked = view, event, about, limit
        if asked not in self._asked:
            self._asked[asked] = self._named(view, event, about, limit)
        return list(self._asked[asked])

    def _named(self, view: View[R], event: type[Event], about: str | None, limit: Limit) -> list[R]:
        (rows, is_open), lens = self._rows.found(view, event, about, limit), self._lens_of(view)
        seen: list[Any] = [lens.over(row) for row in rows]
        # One more such entry may name one more row, though nothing of the row changes; or one less.
        self._note(view, (entry_read if is_open else closed_read)(event.type, about))
        if about is not None and limit is None and view.says_about(about):
            self._note(view, about_read(view, about))
            return [row for row in seen if view.is_about(row, about) and (not self._at or view.covers(row, self._at))]
        for row in rows:
            self._note(view, row_read(view, getattr(row, view.key)))
        return seen

    def where(self, view: View[R], column: str, value: str) -> list[R]:
        if column not in view.indexes:
            raise DeclarationError(f"{view.name} has no index by {column}: expected one of {', '.join(view.indexes)}")
        asked = view, column, value
        if asked not in self._asked:
            self._note(view, column_read(view, column, value))
            lens = self._lens_of(view)
            lens.note(column)
            self._asked[asked] = [lens.over(row) for row in self._rows.where(view, column, value)]
        return list(self._asked[asked])

    def entry(self, position: int) -> EntryInfo:
        return self._rows.entry(position)

    def answer(self, question: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        """Return what is answered to a question that is kept (`projections.engine.answers`), as of now; and note what that rests on."""
        here, asked = self.of_now, (question, args)
        if asked not in here._asked:
            if here._answers is None:
                here._asked[asked] = question(here, *args)
            else:
                known = here._answers.ask(question, args)
                here.reads |= known.reads
                for view, columns in known.looks:
                    here._lens_of(view).note_all(columns)
                here._asked[asked] = known.value
        return here._asked[asked]

    def has_come(self, time: Moment | None) -> bool:
        if time is None:
            return False
        if time <= self._now:
            self.came = time if self.came is None else max(self.came, time)
            return True
        self.due = time if self.due is None else min(self.due, time)
        return False

    def _note(self, view: View[Any], what: str) -> None:
        self.reads.add((what, self._at if view.touches is not None else ""))


def row_read(view: View[Any], key: str) -> str:
    return f"{view.name}:{key}"


def about_read(view: View[Any], about: str) -> str:
    return f"{view.name}@{about}"


def column_read(view: View[Any], column: str, value: object) -> str:
    return f"{view.name}.{column}={value}"


def entry_read(event_type: str, about: str | None) -> str:
    # A type has dots, and no view's name has: the two forms with `@` do not meet.
    return f"{event_type}@{about or ''}"


def closed_read(event_type: str, about: str | None) -> str:
    """Return what is noted of entries where only those change it that are taken back."""
    return f"{event_type}@@{about or ''}"


def whats_of(view: View[R], key: str, before: R | None, after: R | None, forms: Container[str]) -> Iterator[str]:
    """Yield what was read by whoever looked at a row as it was before it moved, or is after: of the forms alone in which anybody looks."""
    if (form := row_read(view, "")) in forms:
        yield form + key
    some = [row for row in (before, after) if row is not None]
    for about in {about for row in some for about in view.abouts(row)}:
        if about_read(view, f"{about.partition(':')[0]}:") in forms:
            yield about_read(view, about)
    for column in view.indexes:
        if column_read(view, column, "") in forms:
            yield from {column_read(view, column, getattr(row, column)) for row in some}

"""`View`: one reading of the past, as named folds over events.

A view is a name, a version, a row model (a frozen dataclass without slots, whose first field is the key, and whose others
have defaults) and pure folds `(row, event, entry) -> row`. Nothing here stores anything, and a fold has no clock but
`entry.recorded_at`.

    tickets = View("change_tickets", version=1, row=Ticket, kind="change", doc="…")

    @tickets.on(ApprovalGranted, key=lambda event: event.change_id)
    def approved(ticket: Ticket, event: ApprovalGranted, entry: EntryInfo) -> Ticket: ...

A key function may return several keys, or none. A view may read views before it in `projections.VIEWS`: a fold finds
them in `entry.reads`, as they stood at that very entry. A row as it stood earlier is folded again from the entries
about its key (`entries_of`).

Longer than other modules: what may be declared, and all that is refused where it is declared, is read in one place.
"""

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, Generic, Protocol, TypeVar

import orjson
from pydantic import TypeAdapter

from ledger.clock import from_text, normalised, to_text
from ledger.conditions import Match
from ledger.events import CATALOGUE, Event, kind_and_value, ref, sentence

R = TypeVar("R")
E = TypeVar("E", bound=Event)
# Marks a column that holds a time: UTC, six decimals, so that texts compare as times do.
Moment = Annotated[str, "moment"]
# Marks a column that holds a decimal number as text.
Number = Annotated[str, "number"]

# Later than every time that a row may hold.
LATEST: Final = "9999"


if TYPE_CHECKING:
    from dataclasses import replace as replace
else:

    def replace(row: Any, /, **changes: Any) -> Any:
        """Return a copy of a row with other values in some fields. `dataclasses.replace` is the same, and ten times slower."""
        new = object.__new__(type(row))
        object.__setattr__(new, "__dict__", row.__dict__ | changes)
        return new


class DeclarationError(Exception):
    """A view was declared in a way that could not work."""


@dataclass(frozen=True, slots=True)
class Around:
    """So many of the last entries up to a position, and so many of the first after it.

    Who judges what was done at a position asks so: the last of all that there are by now are others with each that comes, and what was
    known of the act would go with them.
    """

    position: int
    count: int


# How many entries are looked at: the last so many, or those around a position; all for None.
Limit = int | Around | None


class Reads(Protocol):
    """What a fold may look into: the views it named, as they stood at this entry."""

    def row(self, view: "View[R]", key: str) -> R | None:
        """Return a row, or None where there is none."""

    def named(self, view: "View[R]", event: type[Event], about: str | None = None, limit: Limit = None) -> list[R]:
        """Return the rows that entries of a type are about, the latest first: all such entries, or those with a ref; of
        many, as `limit` says.

        What was taken back names no row any more.
        """


class EntryInfo:
    """What a fold is told of an entry, beside the event: when, where, and by whom it was recorded."""

    __slots__ = (
        "by", "event", "original", "position", "reads", "recalled", "recorded_at", "refs", "says", "source", "statement", "time", "type",
    )  # fmt: skip
    # The statement's data as its event class, or None for a type that this program does not know.
    event: Event | None
    # The human sentence.
    says: str
    # When it happened, as its producer says: UTC, six decimals.
    time: Moment

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.position: int = document["position"]
        self.recorded_at: str = document["recorded_at"]
        self.by: Mapping[str, str] = document["recorded_by"]
        self.refs: Mapping[str, Any] = document["refs"]
        self.statement: Mapping[str, Any] = document["statement"]
        self.type: str = self.statement["type"]
        self.source: str = self.statement["source"]
        self.reads: Reads = NOTHING
        # Of a withdrawal that is being folded: the entry that it is about.
        self.original: EntryInfo | None = None
        # Where a row is folded again that `recalls`: the row as it stands now, if nothing that it rests on was taken back.
        self.recalled: Any = None

    def __getattr__(self, name: str) -> Any:
        """Compute what not every fold asks for, once. `functools.cached_property` would take a lock each time."""
        if (compute := _COMPUTED.get(name)) is None:
            raise AttributeError(name)
        value = compute(self)
        setattr(self, name, value)
        return value


def _event(entry: EntryInfo) -> Event | None:
    event_class = CATALOGUE.get(entry.type)
    return event_class.model_validate(entry.statement["data"]) if event_class else None


def _says(entry: EntryInfo) -> str:
    event_class = CATALOGUE.get(entry.type)
    return sentence(event_class, entry.statement["data"]) if event_class else ""


_COMPUTED: Final[Mapping[str, Callable[[EntryInfo], Any]]] = {
    "time": lambda entry: moment(entry.statement["time"]),
    "event": _event,
    "says": _says,
}


class _Nothing:
    def row(self, view: "View[R]", key: str) -> R | None:
        return None

    def named(self, view: "View[R]", event: type[Event], about: str | None = None, limit: Limit = None) -> list[R]:
        return []


NOTHING: Final = _Nothing()


def moment(text: str) -> Moment:
    """Return a time as rows hold it: UTC, always six decimals. Whatever a door once admitted is one."""
    return normalised(text)


def later(time: Moment, *, days: int = 0, hours: int = 0, minutes: int = 0) -> Moment:
    """Return the time that is so much later; the end of the calendar, when it is beyond."""
    return to_text(from_text(time) + ((24 * days + hours) * 60 + minutes) * 60 * 1_000_000)


def seconds_between(begin: Moment | None, end: Moment | None) -> int | None:
    """Return the whole seconds from one time to another; None where one is not known, or they stand the other way round."""
    if begin is None or end is None or end < begin:
        return None
    return (from_text(end) - from_text(begin)) // 1_000_000


@dataclass(frozen=True, slots=True)
class _Fold:
    """One fold and the keys it applies to, both with one calling convention."""

    apply: Callable[[Any, Any, EntryInfo], Any]
    keys: Callable[[Any, EntryInfo], tuple[str, ...]]


def _arity(function: Callable[..., Any]) -> int:
    return len(inspect.signature(function).parameters)


def keys_of(key: Callable[..., str | Iterable[str] | None]) -> Callable[[Any, EntryInfo], tuple[str, ...]]:
    """Return a key function with one calling convention: of the event and the entry, giving each key once."""
    takes_entry = _arity(key) == 2

    def keys(event: Any, entry: EntryInfo) -> tuple[str, ...]:
        found = key(event, entry) if takes_entry else key(event)
        if found is None:
            return ()
        # One event touches a row once, however often it names it.
        return (found,) if isinstance(found, str) else tuple(dict.fromkeys(found))

    return keys


class View(Generic[R]):
    """One reading: see the module. `kind` is the kind of ref under which entries name a row's key.

    Where other entries touch a row, too, `entries_of(key, row)` says which; it looks at no column of the row but `names`, each
    of which holds one name or a list of them.

    Two things make what rules look at narrower, and change no verdict. `about` says, by kind of ref, what a row is about: a freeze
    of which environments. `touches(before, after)` says from when to when things look other after a change of a row, which may
    be None on one side; None is at no time. Both must err on the side of more.

    With `keeps_withdrawn` rows are of what was recorded, and not of what holds: what is taken back stays in them.

    A correction carries over: when a row is another because a statement was taken back, rows of other views that were folded of
    entries which name it are folded anew. `follows` says, for a view that is read, which other entries a row of it matters to; rows of
    a view that is not `carried` are read in passing (who may speak, which policy held), and what was folded by them stays. Rows that say
    who somebody is, or what they may do, are named by nobody who speaks: `speakers(reads, row)` says whose statements rest on one. On what
    holds for all (a policy, where an environment is) the statements of everybody rest: `holds_for_all(reads, key)` says what that is, and
    where it is another, whatever was said goes along.

    A view whose folds work out much at an entry, and keep it in the row, `recalls`: as of an earlier position the fold finds the row as
    it stands now in `entry.recalled`, and takes over what it worked out at this very entry.
    """

    # Whether how rows stood is kept with them, and not folded again.
    keeps_past: ClassVar[bool] = False
    # Whether rows follow from rows by rules: after all folds of an entry, so that no fold can read them.
    is_judged: bool = False
    # Whether one function makes each row of one of another view.
    is_made: ClassVar[bool] = False

    def __init__(
        self,
        name: str,
        *,
        version: int,
        row: type[R],
        doc: str,
        kind: str,
        entries_of: Callable[[str, R], Sequence[Match]] | None = None,
        names: Sequence[str] = (),
        reads: "Sequence[View[Any]]" = (),
        indexes: Sequence[str] = (),
        about: Mapping[str, Callable[[R], Iterable[str | None]]] = MappingProxyType({}),
        touches: Callable[[R | None, R | None], tuple[Moment, Moment] | None] | None = None,
        keeps_withdrawn: bool = False,
        follows: "Mapping[View[Any], Callable[[Any], Iterable[Match]]]" = MappingProxyType({}),
        is_carried: bool = True,
        speakers: Callable[[Reads, R], Iterable[str]] | None = None,
        holds_for_all: Callable[[Reads, str], object] | None = None,
        recalls: bool = False,
    ) -> None:
        if "__slots__" in vars(row):
            raise DeclarationError(
                f"the rows of {name} have slots: expected a dataclass without, which is copied field by field"
            )
        if not doc.strip():
            raise DeclarationError(f"the view {name} has no doc: expected a sentence that says what a row is")
        self.name = name
        self.version = version
        self.row = row
        self.doc = doc
        # What several lists of what is read have in common is read once.
        self.reads = tuple(dict.fromkeys(reads))
        self.indexes = tuple(indexes)
        # Rows as they are read: with what is computed then.
        self.read_row: type[Any] = row
        self.columns = tuple(field.name for field in fields(row))  # type: ignore[arg-type]
        self.key = self.columns[0]
        self.folds: dict[str, _Fold] = {}
        self.kind = kind
        self._entries_of = entries_of
        self._about = dict(about)
        self.touches = touches
        self.keeps_withdrawn = keeps_withdrawn
        self.follows = dict(follows)
        self.is_carried = is_carried
        self.speakers = speakers
        self.holds_for_all = holds_for_all
        self.recalls = recalls
        # Columns by which a row names more of its entries, item by item.
        self.names = tuple(names)
        # Whether rows know better than their keys which entries they are folded from.
        self.is_followed = entries_of is not None
        if unread := [view.name for view in self.follows if view not in self.reads]:
            raise DeclarationError(f"the view {name} follows {unread}, which it does not read")
        if unknown := {*indexes, *names} - set(self.columns):
            raise DeclarationError(f"the view {name} is declared with {sorted(unknown)}, which its rows do not have")

    def __repr__(self) -> str:
        return f"<view {self.name}>"

    def on(
        self, *events: type[E], key: Callable[..., str | Iterable[str] | None]
    ) -> Callable[[Callable[[R, E, EntryInfo], R | None]], Callable[[R, E, EntryInfo], R | None]]:
        """Fold entries of these types into the rows that `key(event)` or `key(event, entry)` names: none, one or several."""

        def declare(fold: Callable[[R, E, EntryInfo], R | None]) -> Callable[[R, E, EntryInfo], R | None]:
            for event in events:
                if event.type in self.folds:
                    raise DeclarationError(f"the view {self.name} folds {event.type} twice")
                self.folds[event.type] = _Fold(fold, keys_of(key))
            return fold

        return declare

    def new(self, key: str) -> R:
        """Return the row before its first entry."""
        return self.row(key)  # type: ignore[call-arg]

    @property
    def read_columns(self) -> tuple[str, ...]:
        return tuple(field.name for field in fields(self.read_row))

    def read_at(self, row: dict[str, Any], at: Moment) -> dict[str, Any]:
        """Return a row with what is computed when it is read, as of a time. No fold has that clock."""
        return row

    def entries_of(self, key: str, row: R | None) -> Sequence[Match]:
        """Say which entries a row is folded from. `row`, as it stands, may name more of them than the key does."""
        if self._entries_of is not None:
            return self._entries_of(key, row if row is not None else self.new(key))
        return (Match(refs=(ref(self.kind, key),)),)

    def followed(self, view: "View[Any]", key: str, rows: Iterable[Any]) -> Iterator[Match]:
        """Yield which entries were folded by a row of a view that is read, as it was and as it is: those whose rows go along with it."""
        if view.is_carried:
            yield Match(tuple(self.folds), (ref(view.kind, key),))
        for row in rows:
            for match in self.follows[view](row) if view in self.follows and row is not None else ():
                if types := tuple(name for name in match.types or self.folds if name in self.folds):
                    yield Match(types, match.refs)

    def says_about(self, about: str) -> bool:
        """Say whether rows tell if they are about a ref."""
        return about.partition(":")[0] in self._about

    def abouts(self, row: R) -> Iterator[str]:
        """Yield the refs of what a row says that it is about."""
        for kind, values in self._about.items():
            yield from (ref(kind, value) for value in values(row) if value is not None)

    def is_about(self, row: R, about: str) -> bool:
        kind, value = kind_and_value(about)
        return value in self._about[kind](row)

    @property
    def is_scoped(self) -> bool:
        """Say whether rows tell what they are about, or when."""
        return bool(self._about) or self.touches is not None

    def scope(self, row: R | None) -> tuple[frozenset[str], tuple[Moment, Moment] | None]:
        """Return to whom a row is shown: by what it is about, and when. A row that is not there is shown to nobody."""
        if row is None:
            return frozenset(), None
        return frozenset(self.abouts(row)), self.touches(None, row) if self.touches is not None else ("", LATEST)

    def covers(self, row: R, at: Moment) -> bool:
        """Say whether a row makes a difference at a time."""
        span = self.touches(None, row) if self.touches is not None else ("", LATEST)
        return span is not None and span[0] <= at <= span[1]

    def values_of(self, column: str) -> tuple[str, ...]:
        """Return the words that a column may hold, where the view knows them and its row model does not."""
        return ()

    def dump(self, row: R) -> str:
        """Return the canonical text of a row: the fields in the order of their declaration."""
        return orjson.dumps(row).decode()

    def load(self, text: str | bytes) -> R:
        return self._adapter.validate_json(text)

    def row_of(self, told: Mapping[str, Any]) -> R:
        """Return a row of its fields, as a list of rows has them."""
        return self._adapter.validate_python(told)

    @cached_property
    def _adapter(self) -> TypeAdapter[R]:
        # Made when a row is read for the first time: whoever begins needs few of a hundred.
        return TypeAdapter(self.row)


def in_order(*views: View[Any]) -> tuple[View[Any], ...]:
    """Return views so that each comes after those it reads, and otherwise as they are named.

    Raises DeclarationError when one reads what is not among them, or itself by way of others.
    """
    found: dict[View[Any], None] = {}

    def add(view: View[Any], reading: tuple[View[Any], ...]) -> None:
        if view in reading:
            raise DeclarationError(f"views read each other in a circle: {', '.join(v.name for v in (*reading, view))}")
        if view not in views:
            raise DeclarationError(f"{reading[-1].name} reads {view.name}, which is not among the views")
        for read in view.reads:
            if read.is_judged and not view.is_judged:
                raise DeclarationError(f"{view.name} is folded, and reads {read.name}, which is judged after all folds")
            if read not in found:
                add(read, (*reading, view))
        found[view] = None

    for view in views:
        if view not in found:
            add(view, ())
    return tuple(found)


def with_all_they_read(*views: View[Any]) -> tuple[View[Any], ...]:
    """Return views and all that they read, directly or by others, in the order of folding."""
    found: dict[View[Any], None] = {}

    def add(view: View[Any]) -> None:
        if view not in found:
            found[view] = None
            for read in view.reads:
                add(read)

    for view in views:
        add(view)
    return in_order(*found)

"""Histories for views: statements told to a ledger in memory, with a clock that the test moves."""

import heapq
import itertools
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from ledger.authority import LEDGER_PRINCIPAL
from ledger.clock import to_text
from ledger.conditions import Match
from ledger.errors import NotFoundError
from ledger.events import CATALOGUE, refs_of
from ledger.log.recorder import WITHDRAWN
from projections import VIEWS
from projections.engine.folding import Folder
from projections.engine.rows_then import RowsThen
from projections.engine.skips import Skips
from projections.engine.store import MemoryStore, digest_of
from projections.engine.view import EntryInfo, View
from projections.readings.people.powers import HOLDERS

START = datetime(2026, 3, 2, 9, tzinfo=UTC)


def at(hours: float) -> str:
    """Return a time some hours after the beginning."""
    return to_text(round((START + timedelta(hours=hours)).timestamp() * 1_000_000))


def document(
    position: int, event_type: str, data: dict[str, Any], *, time: str, recorded_at: str, by: str, credential: str
) -> dict[str, Any]:
    """Return an entry as a fold needs it: no chain, no signature. The catalogue judges the data."""
    CATALOGUE.validate(event_type, data)
    return {
        "position": position,
        "recorded_at": recorded_at,
        "recorded_by": {"principal": by, "credential": credential, "trust": "token"},
        "refs": refs_of(CATALOGUE[event_type], data),
        "statement": {"type": event_type, "time": time, "data": data, "source": "test", "id": str(position)},
    }


class MemoryLog:
    """Entries in a list, with an index by type and ref."""

    def __init__(self) -> None:
        self._entries: list[EntryInfo] = []
        # Under a type and a ref, either of which may be left out.
        self._index: dict[tuple[str | None, str | None], list[EntryInfo]] = defaultdict(list)

    def __len__(self) -> int:
        return len(self._entries)

    def append(self, entry: EntryInfo) -> None:
        self._entries.append(entry)
        for event_type in (None, entry.type):
            for name in (None, *entry.refs):
                self._index[event_type, name].append(entry)

    def entry(self, position: int) -> EntryInfo:
        if not 0 < position <= len(self._entries):
            raise NotFoundError(f"there is no entry at position {position}; the log has {len(self._entries)}")
        return self._entries[position - 1]

    def entries(
        self, matches: Sequence[Match], *, after: int = 0, up_to: int | None, limit: int | None = None
    ) -> Iterator[EntryInfo]:
        last = len(self) if up_to is None else up_to
        found = {entry.position: entry for match in matches for entry in self.latest(match, up_to=last)}
        yield from itertools.islice((found[position] for position in sorted(found) if position > after), limit)

    def latest(self, match: Match, *, up_to: int, limit: int | None = None) -> Iterator[EntryInfo]:
        first, *others = match.refs or (None,)
        indexed = [self._index.get((event_type, first), []) for event_type in match.types or (None,)]
        merged = heapq.merge(*(reversed(found) for found in indexed), key=lambda entry: -entry.position)
        fitting = (e for e in merged if e.position <= up_to and all(name in e.refs for name in others))
        return itertools.islice(fitting, limit)


class Story:
    """Entries, told one by one and folded into views as they come."""

    def __init__(self, views: tuple[View[Any], ...] = VIEWS, batch: int = 1) -> None:
        self.views = views
        self.log = MemoryLog()
        self.store = MemoryStore()
        self.folder = Folder(views, self.store, self.log)
        self._batch = batch
        self._waiting: list[EntryInfo] = []
        self._heads: dict[str, list[int]] = {}
        self._hours = itertools.count(1)

    def begin(self) -> None:
        """Go on as another process would: knowing only what is stored."""
        self.folder = Folder(self.views, self.store, self.log)

    def tell(
        self,
        event_type: str,
        /,
        *,
        time: str | None = None,
        by: str | None = None,
        token: str | None = None,
        **data: Any,
    ) -> int:
        """Tell one statement; return its position. An hour passes with each.

        Whoever acts speaks by a credential of their own, the ledger itself for operators, and who takes a statement back is who
        made it, unless it is said otherwise.
        """
        if by is None and event_type == WITHDRAWN and 0 < data["position"] <= len(self.log):
            said = self.log.entry(data["position"]).by
            by, token = said["principal"], token or said["credential"]
        if by is None and HOLDERS.get(event_type) == "operator":
            by, token = LEDGER_PRINCIPAL, token or "key:story"
        by = by or data.get("actor") or "service:desk"
        token = token or f"token:{by.rpartition(':')[2]}"
        now = at(next(self._hours))
        position = len(self.log) + 1
        told = document(position, event_type, data, time=time or now, recorded_at=now, by=by, credential=token)
        self.add(told)
        return position

    def add(self, told: dict[str, Any]) -> None:
        refs = {}
        for name in told["refs"]:
            count, last = self._heads.get(name, [0, 0])
            refs[name] = [count + 1, last]
            self._heads[name] = [count + 1, told["position"]]
        entry = EntryInfo(told | {"refs": refs})
        self.log.append(entry)
        self._waiting.append(entry)
        if len(self._waiting) >= self._batch:
            self.flush()

    @property
    def waiting(self) -> int:
        """How many entries are told and not folded yet."""
        return len(self._waiting)

    def flush(self) -> None:
        if self._waiting:
            self.folder.fold(self._waiting)
            self.folder.save_in(self.store)
            self._waiting = []

    def row(self, view: View[Any], key: str) -> Any:
        self.flush()
        return self.store.load(view, (key,)).get(key)

    def row_as_of(self, view: View[Any], key: str, position: int, until: str | None = None) -> Any:
        self.flush()
        return RowsThen(self.log, self.folder.rows, up_to=position, until=until, skips=Skips(self.log)).row(
            view, key, position
        )

    def digests(self) -> dict[str, str]:
        self.flush()
        return {view.name: digest_of(self.store, view) for view in self.views}

    def documents(self) -> list[dict[str, Any]]:
        return [
            {
                "position": e.position,
                "recorded_at": e.recorded_at,
                "recorded_by": e.by,
                "refs": e.refs,
                "statement": e.statement,
            }
            for e in self.log.entries([_EVERY], up_to=len(self.log))
        ]


def retold(documents: list[dict[str, Any]], *, batch: int, views: tuple[View[Any], ...] = VIEWS) -> Story:
    """Tell the same entries again, in batches of another size. What was recorded at one instant is folded together."""
    story = Story(views, len(documents) + 1)
    for number, told in enumerate(documents, 1):
        story.add(told)
        following = documents[number]["recorded_at"] if number < len(documents) else None
        if story.waiting >= batch and following != told["recorded_at"]:
            story.flush()
    return story


_EVERY = Match()

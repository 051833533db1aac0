"""One moment in the record that several rows are asked at: as things stand, as they stood, or as they were known to stand.

What a view says of one row it says by `row_of`. This is for whoever shows many rows beside each other, which have to be of one moment.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from api.desk.views import row_of, time_of
from ledger.errors import NotFoundError
from ledger.ledger import Ledger
from projections.engine.view import View


@dataclass(frozen=True, slots=True)
class Then:
    """What had happened by `when`, as it was known at `known`; as things stand without either.

    `position` is the last entry that was on record: what stands after it is not there.
    """

    ledger: Ledger
    when: int | str | None
    known: int | str | None
    position: int

    @property
    def is_now(self) -> bool:
        return self.when is None

    @property
    def time(self) -> str:
        """Return until when things had happened: the time that was asked, or that of the last entry on record."""
        return self.when if isinstance(self.when, str) else time_of(self.ledger, self.position)

    def row(self, view: View[Any], key: str) -> dict[str, Any] | None:
        """Return a row, or None where there was none."""
        when, known = (self.known, None) if self.known is not None and view.keeps_past else (self.when, self.known)
        try:
            found: dict[str, Any] = row_of(self.ledger, view, key, when, known)["row"]
        except NotFoundError:
            return None
        return found

    def rows(self, view: View[Any], keys: Iterable[str]) -> list[dict[str, Any]]:
        """Return the rows there were under some keys, in their order, each once."""
        return [row for key in dict.fromkeys(keys) if (row := self.row(view, key)) is not None]

    def stood(self, view: View[Any], rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return rows of a list, each as it stood: where it is asked as things stand, as they are."""
        some = list(rows)
        return some if self.is_now else self.rows(view, (row[view.key] for row in some))

    def of_entries(self, rows: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
        """Yield those rows, each of one entry, whose entry was on record, of what had happened."""
        for row in rows:
            if row["position"] <= self.position and (self.known is None or row["at"] <= self.when):
                yield row

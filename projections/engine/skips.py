"""Skips: entries that an operator had a view step over, because its folds could not take them.

A skip is an entry of the ledger, `ledger.view_entry_skipped`, and holds for one version of a view's folds: a mended program
has another version, tries the entry again, and so ends the skip. To the view the entry is as if it had never been recorded,
from its position on, whenever the skip was recorded; whoever asks is told of it.

    deployments (version 3) stopped at position 9; skipped at position 120
    -> deployments, and all that reads it, is folded anew without entry 9; answers as of 9 or later say `skipped: [9]`
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final

from ledger.conditions import Match
from ledger.entry import Receipt
from ledger.errors import StatementError
from ledger.events.ledger import LedgerViewEntrySkipped
from ledger.ledger import Ledger
from projections.engine.log import Log
from projections.engine.progress import ask_for_rebuild, read_states, with_dependents
from projections.engine.view import EntryInfo, View, with_all_they_read

_SKIPPED: Final = Match((LedgerViewEntrySkipped.type,))


class Skips:
    """What views step over. Read from the log once."""

    def __init__(self, log: Log) -> None:
        self._log = log
        # By name and version of a view.
        self._at: dict[tuple[str, int], set[int]] = defaultdict(set)
        self._under: dict[View[Any], list[int]] = {}
        for entry in log.entries([_SKIPPED], up_to=None):
            event = entry.event
            if isinstance(event, LedgerViewEntrySkipped):
                self._at[event.view, event.version].add(event.position)

    @property
    def are_any(self) -> bool:
        """Say whether any view steps over anything, or did in another version."""
        return bool(self._at)

    def holds(self, view: View[Any], position: int) -> bool:
        """Say whether a view steps over an entry."""
        return bool(self._at) and position in self._at.get((view.name, view.version), ())

    def keys(self, view: View[Any], entry: EntryInfo) -> tuple[str, ...]:
        """Return the rows of a view that an entry is folded into: none where the view steps over it."""
        return () if self.holds(view, entry.position) else view.folds[entry.type].keys(entry.event, entry)

    def under(self, view: View[Any], up_to: int | None = None) -> list[int]:
        """Return the positions that a view steps over, or one that it reads."""
        if not self._at:
            return []
        if view not in self._under:
            # Each view once: it may be read by very many ways.
            read = [self._at.get((one.name, one.version), set()) for one in with_all_they_read(view)]
            self._under[view] = sorted(set().union(*read))
        return [position for position in self._under[view] if up_to is None or position <= up_to]

    def touching(self, view: View[Any], matches: Sequence[Match]) -> list[int]:
        """Return the positions among them whose entries carry what one of `matches` asks for: a row may lack them."""
        found = []
        for position in self.under(view):
            entry = self._log.entry(position)
            if any(match.fits(entry.type, tuple(entry.refs)) for match in matches):
                found.append(position)
        return found


def step_over(
    ledger: Ledger,
    views: Sequence[View[Any]],
    view: View[Any],
    position: int,
    *,
    actor: str,
    by: str | None = None,
    reason: str,
) -> tuple[Receipt, list[str]]:
    """Have a view step over the entry at which it stopped. Returns the receipt, and the views that are folded anew.

    Raises StatementError unless the view stands stopped at that very position, by itself and not because of one that it reads.
    """
    with ledger.database.read() as connection:
        state = read_states(connection).get(view.name)
    if state is None or state.failed_at is None:
        raise StatementError(f"{view.name} has not stopped: there is nothing to step over", "/view")
    if state.failed_at != position:
        raise StatementError(f"{view.name} stopped at position {state.failed_at}, not at {position}", "/position")
    if (state.failure or "").startswith("reads "):
        raise StatementError(f"{view.name} {state.failure}: step over the entry for that view", "/view")
    dependents = [other.name for other in with_dependents(views, [view.name]) if other is not view]
    data = {"view": view.name, "version": view.version, "position": position, "reason": reason}
    receipt = ledger.act(LedgerViewEntrySkipped.type, data | {"dependents": dependents}, actor=actor, by=by)
    # Dies here: recorded, and not folded anew. `views rebuild` does that, and so does a second call: the view still stands stopped.
    return receipt, ask_for_rebuild(ledger.database, views, [view.name])

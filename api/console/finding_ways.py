"""From what somebody typed to the page that shows it: a position, a ref, a digest, or the name of anything that has a row.

Asked of the desk by key, one look-up for each view that could hold it: nothing is searched through.
"""

import re
from dataclasses import dataclass
from typing import Any, Final

from api.console.words import about, address, with_query
from api.desk.entries import page_of
from api.desk.views import list_of, views_holding
from ledger.conditions import Match
from ledger.errors import LedgerError
from ledger.events import CATALOGUE
from ledger.ledger import Ledger
from projections import VIEWS
from projections.engine.listing import Listing
from projections.engine.view import View

_is_position: Final = re.compile("[0-9]{1,15}").fullmatch
_is_ref: Final = re.compile("[a-z_]+:[!-~]+").fullmatch
REF_KINDS: Final = frozenset(kind for event in CATALOGUE.values() for kind, _, _ in event.ref_fields)
_is_principal: Final = re.compile("(person|service|github|oidc):[!-~]+").fullmatch


@dataclass(frozen=True)
class Way:
    """A page, and what is found there."""

    address: str
    says: str


def way_to(ledger: Ledger, asked: str) -> list[Way]:
    """Return the pages that show what was asked for; the only one where there is one."""
    if not asked:
        return []
    if _is_position(asked):
        return [Way(address("entries", asked), f"the entry at position {int(asked)}")]
    kind, _, value = asked.partition(":")
    named = [(kind, value)] if _is_ref(asked) and kind in REF_KINDS else []
    # Beside kinds of refs, people and systems are named by who they are: person:ada.
    named += [("identity", asked)] if _is_principal(asked) else []
    if named:
        told = [one for one in named if _is_told_of(ledger, ":".join(one))] or named[:1]
        return [Way(about(*one), f"the {one[0].replace('_', ' ')} {one[1]}") for one in told]
    ways: dict[str, Way] = {}
    for view in views_holding(ledger, asked):
        # What has a page of its kind has it once, however many views tell of it.
        target = page_of_row(view, asked)
        if target not in ways and not isinstance(view, Listing):
            ways[target] = Way(target, f"the {view.kind.replace('_', ' ')} {asked}")
    for kind in ("service", "environment", "repository", "identity"):
        if _is_ref(f"{kind}:{asked}") and _is_told_of(ledger, f"{kind}:{asked}"):
            ways[about(kind, asked)] = Way(about(kind, asked), f"the {kind} {asked}")
    for column, view in _DIGESTS:
        if asked and list_of(ledger, view, {column: asked}, limit=1).rows:
            target = with_query(address("views", view.name), {column: asked})
            ways[target] = Way(target, f"{view.name.replace('_', ' ')} with this {column.replace('_', ' ')}")
    return list(ways.values())


def page_of_row(view: View[Any], key: str) -> str:
    """Return the address of the page about a row: of what it is of, where that has one, else of the row itself."""
    return about(view.kind, key) if view.kind in REF_KINDS else address("views", view.name, key)


def _is_told_of(ledger: Ledger, ref: str) -> bool:
    try:
        match = Match(refs=(ref,))
        return bool(page_of(ledger, [match], after=0, limit=1, since=None, until=None, total=False)["items"])
    except LedgerError:
        return False


def _digests() -> list[tuple[str, View[Any]]]:
    """Return the columns by which artifacts, commits and scopes are found."""
    wanted = {"deployments": ("artifact", "commit"), "change_scopes": ("scope_digest",), "merges": ()}
    return [(column, view) for view in VIEWS for column in wanted.get(view.name, ()) if column in view.columns]


_DIGESTS: Final = _digests()

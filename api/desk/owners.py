"""Whose findings are: who is to see to each, by the row that it is about, as that stands now (decision 68).

Not who may answer one: whoever acted may not, and that is judged (`projections.judging.disposing`).
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from api.desk.views import list_of, one_of
from ledger.ledger import Ledger
from projections.engine.filters import MAX_LISTED
from projections.engine.serving import ViewNotReadyError
from projections.engine.view import View
from projections.judging.findings import findings
from projections.readings.changes.tickets import change_tickets

# Columns of a row that name whoever stands by it, and as what: the first that says something counts.
OWNERS: Final[Mapping[str, str]] = {
    "owner": "owner",
    "owner_team": "team that owns it",
    "reviewer": "reviewer",
    "author": "author",
}
# Where neither it nor its change has any: who did what it is of.
DOERS: Final[Mapping[str, str]] = {
    "deployed_by": "deployed it",
    "decided_by": "decided it",
    "declared_by": "declared it",
    "opened_by": "opened it",
    "published_by": "published it",
    "reserved_by": "reserved it",
    "created_by": "created it",
    "loaded_by": "loaded it",
    "introduced_by": "brought it in",
    "actor": "did it",
    "principal": "holds it",
    "team": "team",
}


class Owner(NamedTuple):
    """Who is to see to a finding, and as what."""

    name: str
    as_what: str


def owners_of(ledger: Ledger, rows: Iterable[Mapping[str, Any]]) -> dict[str, Owner]:
    """Return who is to see to each of some findings, by its id; without those of which no row says. One look-up for each view."""
    about: dict[str, tuple[View[Any], str]] = {
        row["finding_id"]: (findings.rules[row["rule"]].subject, row["subject"])
        for row in rows
        if row["rule"] in findings.rules
    }
    views = {view.name: view for view, _ in about.values()}
    held = {
        name: _rows(ledger, view, (key for one, key in about.values() if one is view)) for name, view in views.items()
    }
    of_finding = {name: held[view.name].get(key, {}) for name, (view, key) in about.items()}
    changes = _rows(ledger, change_tickets, filter(None, (row.get("change_id") for row in of_finding.values())))
    found = {name: _owner(row, changes.get(row.get("change_id") or "", {})) for name, row in of_finding.items()}
    return {name: owner for name, owner in found.items() if owner is not None}


def _owner(row: Mapping[str, Any], change: Mapping[str, Any]) -> Owner | None:
    if own := _named(row, OWNERS):
        return own
    if (author := change.get("author")) is not None:
        return Owner(author, f"author of {change['change_id']}")
    return _named(row, DOERS)


def _named(row: Mapping[str, Any], columns: Mapping[str, str]) -> Owner | None:
    return next(
        (Owner(row[name], as_what) for name, as_what in columns.items() if isinstance(row.get(name), str)), None
    )


def _rows(ledger: Ledger, view: View[Any], keys: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return rows by their keys; none while their view does not answer."""
    some = list(dict.fromkeys(keys))
    found: dict[str, dict[str, Any]] = {}
    try:
        for first in range(0, len(some), MAX_LISTED):
            asked = {f"{view.key}__in": one_of(some[first : first + MAX_LISTED])}
            found |= {row[view.key]: row for row in list_of(ledger, view, asked, limit=MAX_LISTED).rows}
    except ViewNotReadyError:
        return {}
    return found

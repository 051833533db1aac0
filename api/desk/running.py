"""What runs where, or ran at a time: the last cutover of each place up to then, beside the deployment that it was of.

However much came after: each place is looked up by itself. Not what ought to run there.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from api.desk.views import list_of, one_of
from ledger.ledger import Ledger
from projections.engine.filters import MAX_LISTED
from projections.engine.serving import last_lines
from projections.engine.view import LATEST, Moment
from projections.readings.delivery.cutovers import BETWEEN, cutovers
from projections.readings.delivery.deployments import deployments
from projections.readings.delivery.placements import placements
from projections.rules.environments import compared

# Of places, services in environments, on a page.
MOST: Final = 100


@dataclass(frozen=True, slots=True)
class Running:
    """What ran at a time. Each row is a cutover, with its `deployment` where one is known; `next` is where further places begin."""

    rows: tuple[Mapping[str, Any], ...]
    position: int
    next: str | None


def running_in(ledger: Ledger, *, at: Moment | None, environment: str | None, cursor: str | None) -> Running:
    """Return what ran in each place of an environment, or of all, at a time or now. Raises StatementError for a wrong cursor."""
    where = {"environment": compared(environment)} if environment is not None else {}
    places = list_of(ledger, placements, where, limit=MOST, cursor=cursor)
    with ledger.database.read() as connection:
        spans = (_until(place["place"], at) for place in places.rows)
        found = last_lines(connection, cutovers, "place_and_time", spans)
    known = _deployments(ledger, [row["deployment_id"] for row in found if row["deployment_id"] is not None])
    rows = tuple(_with_what(row, known.get(row["deployment_id"])) for row in found)
    return Running(rows, places.position, places.next)


def _until(place: str, at: Moment | None) -> tuple[str, str]:
    """Return from where to where the cutovers of a place are, up to a time."""
    first = f"{place}{BETWEEN}"
    return first, f"{first}{LATEST if at is None else at}"


def _with_what(row: dict[str, Any], deployment: dict[str, Any] | None) -> Mapping[str, Any]:
    """Return a cutover with its deployment, and with what came where its own report left that out."""
    told = row | {"deployment": deployment}
    if deployment is None or row["rollback_id"] is not None or row["artifact"] or row["commit"]:
        return told
    acts = [act for act in deployment["acts"] if act["service"] == row["service"]]
    artifacts = [act["artifacts"][-1] for act in acts if act["artifacts"]]
    commits = [act["commit"] for act in acts if act["commit"]]
    return told | {"artifact": artifacts[-1] if artifacts else None, "commit": commits[-1] if commits else None}


def _deployments(ledger: Ledger, names: Iterable[str]) -> dict[str, dict[str, Any]]:
    some = list(dict.fromkeys(names))
    pages = (some[first : first + MAX_LISTED] for first in range(0, len(some), MAX_LISTED))
    rows = (row for page in pages for row in list_of(ledger, deployments, {"deployment_id__in": one_of(page)}).rows)
    return {row["deployment_id"]: row for row in rows}

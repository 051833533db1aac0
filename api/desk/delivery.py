"""What delivery answers, whoever asks: the five metrics of a service, a team or all, over any time, and what they are made of."""

import dataclasses
from collections.abc import Iterator
from typing import Any, Final

from api.desk.views import list_of
from ledger.errors import NotFoundError, StatementError
from ledger.ledger import Ledger
from projections.engine.filters import read_time
from projections.engine.serving import MAX_LIMIT, Page
from projections.readings.changes.scopes import change_scopes
from projections.readings.delivery.deliveries import deliveries
from projections.readings.delivery.metrics import DEFINITION, counted, figures_of

# More than this, and months are added up one by one: nobody waits for a year of a large organisation.
MAX_DEPLOYMENTS: Final = 10_000


def figures_in(
    ledger: Ledger, *, service: str | None, team: str | None, since: str | None, until: str | None
) -> dict[str, Any]:
    """Return the metrics of the deployments that were first seen from `since` on and before `until`, with the ids of these.

    Raises StatementError for what is not a time, or for a period with more than MAX_DEPLOYMENTS; NotFoundError for a team that no
    change names; ViewNotReadyError.
    """
    where = {"is_counted": "true"}
    asked = {
        "service": service,
        "team": team,
        "seen_at__gte": time_of(since, "since"),
        "seen_at__lt": time_of(until, "until"),
    }
    where |= {name: value for name, value in asked.items() if value is not None}
    position, rows = 0, []
    for page in _pages(ledger, where):
        position = page.position
        rows += [deliveries.row_of(row) for row in page.rows]
        if len(rows) > MAX_DEPLOYMENTS:
            raise StatementError(
                f"expected at most {MAX_DEPLOYMENTS} deployments in a period, found more: ask for a shorter one",
                "/since",
            )
    if team is not None and not rows and not list_of(ledger, change_scopes, {"team": team}, limit=1).rows:
        raise NotFoundError(
            f"no change is of team {team[:80]!r}: expected a team as change.opened names it; "
            "the view change_scopes has the team of each change"
        )
    items = counted(rows)
    return {
        "definition": DEFINITION,
        "position": position,
        "service": service,
        "team": team,
        "since": asked["seen_at__gte"],
        "until": asked["seen_at__lt"],
        **dataclasses.asdict(figures_of(items)),
        "counted": [item.deployment_id for item in items],
    }


def _pages(ledger: Ledger, where: dict[str, str]) -> Iterator[Page]:
    cursor: str | None = None
    while True:
        page = list_of(ledger, deliveries, where, sort="seen_at", limit=MAX_LIMIT, cursor=cursor)
        yield page
        if (cursor := page.next) is None:
            return


def time_of(text: str | None, name: str) -> str | None:
    """Return a time that was asked for as rows have it. Raises StatementError, naming the place, for what is not a time."""
    try:
        return read_time(text) if text is not None else None
    except ValueError as error:
        raise StatementError(f"expected {name} to be a time with offset: {error}", f"/{name}") from None

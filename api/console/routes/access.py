"""Access reviews: which there are, and one, in which a person keeps or revokes one grant after the other."""

import asyncio
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Path, Query
from fastapi.responses import Response

from api.console.deciding import decide
from api.console.forms import read_own_form
from api.console.pages import KnownVisit, PageRoute, page
from api.desk.access import ReviewForm, reviewed_by, reviewing
from api.desk.posted import model_of
from api.desk.views import list_of, one_of, row_of, wait_for
from api.http.shapes import MAX_KEY, MAX_POSITION
from ledger.clock import to_text
from ledger.errors import ConditionFailedError
from projections.judging.findings import findings
from projections.readings.people.access_reviews import access_reviews
from projections.readings.people.grants import access_grants

router = APIRouter(route_class=PageRoute, include_in_schema=False)
ReviewId = Annotated[str, Path(max_length=MAX_KEY)]
# Of reviews, and of the grants of one: a population may have thousands.
REVIEWS: Final = 20
SHOWN: Final = 50


@router.get("/console/access")
def reviews(visit: KnownVisit) -> Response:
    """Reviews that are open, the one that is due first at the top; and the last that were done."""
    found = list_of(visit.ledger, access_reviews, {"state": "open"}, sort="due_at", limit=REVIEWS)
    return page(
        visit,
        "access_reviews.html",
        title="Access reviews",
        position=found.position,
        now=to_text(visit.ledger.clock.now_us()),
        open=found.rows,
        done=list_of(visit.ledger, access_reviews, {"state": "done"}, sort="-due_at", limit=REVIEWS).rows,
    )


@router.post("/console/access/{review_id:rest}")
async def decide_in(visit: KnownVisit, review_id: ReviewId) -> Response:
    """Keep or revoke one grant, or call the review done: of the population that was shown, in one's own name."""
    form = model_of(ReviewForm, await read_own_form(visit.request, visit.session, tuple(ReviewForm.model_fields)))
    review = (await asyncio.to_thread(row_of, visit.ledger, access_reviews, review_id, None, None))["row"]
    event, condition = reviewed_by(visit.ledger, visit.caller, review, form)
    try:
        return await decide(visit, event, condition, visit.path, at="grants")
    except ConditionFailedError as failed:
        said = "somebody else decided meanwhile. Look at the review again, and decide about what it says now"
        raise ConditionFailedError(said, position=failed.position) from None


@router.get("/console/access/{review_id:rest}")
def review(
    visit: KnownVisit,
    review_id: ReviewId,
    show: Literal["undecided", "all"] = "undecided",
    first: Annotated[int, Query(ge=0, le=MAX_POSITION)] = 0,
    recorded: Annotated[int, Query(ge=0, le=MAX_POSITION)] = 0,
) -> Response:
    """One review: the population, what was decided about each grant, and what waits for whoever looks."""
    wait_for(visit.ledger, access_reviews, recorded)
    told = row_of(visit.ledger, access_reviews, review_id, None, None)
    row = told["row"]
    undecided = [item for item in row["items"] if item["decision"] is None or item["why"]]
    is_all = show == "all" or row["state"] != "open"
    items = row["items"] if is_all else undecided
    shown = items[first : first + SHOWN]
    names = one_of(item["grant_id"] for item in shown)
    grants = list_of(visit.ledger, access_grants, {"grant_id__in": names}, limit=SHOWN).rows
    marked = list_of(visit.ledger, findings, {"subject__in": names, "is_open": "true"}, limit=4 * SHOWN).rows
    return page(
        visit,
        "access_review.html",
        title=f"Access review {review_id}",
        position=told["position"],
        now=to_text(visit.ledger.clock.now_us()),
        row=row,
        items=shown,
        there_are=len(items),
        first=first,
        step=SHOWN,
        is_all=is_all,
        grants={grant["grant_id"]: grant for grant in grants},
        marks=_by_subject(marked),
        mine=reviewing(visit.ledger, visit.caller, row),
        id=f"console/{visit.ledger.random(12).hex()}",
        recorded=recorded,
    )


def _by_subject(rows: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        found.setdefault(row["subject"], []).append(row)
    return found

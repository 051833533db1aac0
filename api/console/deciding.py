"""Forms that record something: sent once, in the name of whoever is signed in, and answered by the page that it changes."""

import asyncio
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

from fastapi.responses import RedirectResponse, Response

from api.console.pages import Visit
from api.console.words import with_query
from api.desk.deciding import recorded_before
from api.desk.posted import Posted, Said
from api.desk.submitting import Wishes, prepare
from api.http.state import submitting_of
from ledger.conditions import Condition

# Of one process: a form that is sent twice at once is looked up by the second when the first is recorded.
_one_at_a_time: Final = asyncio.Lock()


async def decide(
    visit: Visit,
    event: Mapping[str, Any],
    condition: Condition | None,
    back: str,
    query: Mapping[str, str] = {},
    *,
    at: str = "",
) -> Response:
    """Record an event, once, and send to a page that shows it, `at` a part of it.

    Raises ConditionFailedError and whatever submitting raises.
    """
    async with _one_at_a_time:
        position = await asyncio.to_thread(recorded_before, visit.ledger, event)
        if position is None:
            position = await _recorded(visit, event, condition)
    return RedirectResponse(with_query(back, query, recorded=position) + (f"#{quote(at)}" if at else ""), 303)


async def _recorded(visit: Visit, event: Mapping[str, Any], condition: Condition | None) -> int:
    ledger, submitting = visit.ledger, submitting_of(visit.request)
    if condition is not None:
        condition = await asyncio.to_thread(ledger.recorder.look_back, condition)
    wishes = Wishes(condition=condition)
    prepared = await submitting.judged(0, lambda: prepare(ledger, visit.caller, Posted((Said(dict(event)),)), wishes))
    answer = await submitting.send(prepared, wishes)
    position: int = answer.document["position"]
    return position

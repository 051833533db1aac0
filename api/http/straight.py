"""The straight way: what most requests ask for, past the router and what it solves. Not another answer: the route's own function.

A post of one event without a query finds its function here by method and path. By the router it would be held against every
route before it, and four parameters would be looked for that are not there: measured, three fifths of the whole request.
With a query, and for everything else, the router decides (docs/explanation/performance.md).
"""

from collections.abc import Awaitable, Callable

from fastapi import Request
from fastapi.responses import Response
from fastapi.routing import APIRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from api.http import problems


def straight_to(route: APIRoute, answer: Callable[[Request], Awaitable[Response]]) -> ASGIApp:
    """Return an application that answers for a route: its errors are told as the route's are."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        # By it roles are looked up.
        scope["route"] = route
        request = Request(scope, receive)
        try:
            response = await answer(request)
        except problems.TOLD as error:
            response = problems.told(request, error)
        await response(scope, receive, send)

    return app

"""What a route may be asked: its query, read strictly, in one place for all routes.

A parameter that a route does not know, or that is given twice, changes nothing of the answer; whoever sent it would take
the answer to another question for their own. So it is refused, with what there is. What a route knows is what it
declares: the parameters of its function, and those that its description adds.
"""

import typing
from collections.abc import Callable, Collection, Coroutine, Iterator
from typing import Annotated, Any
from urllib.parse import parse_qsl

from fastapi import Query, Request
from fastapi.dependencies.models import Dependant
from fastapi.responses import Response
from fastapi.routing import APIRoute
from starlette.convertors import PathConvertor, register_url_convertor

from api.desk.problems import RequestError
from ledger.errors import NotFoundError, no_such


class _Rest(PathConvertor):
    """The rest of a path, slashes and all, and at least a character of it: nothing is the name of nothing."""

    regex = ".+"


register_url_convertor("rest", _Rest())
Total = Annotated[bool, Query(description="Count them all, too: `total` in the answer. All are looked at.")]


class Route(APIRoute):
    """A route that refuses parameters it does not know, parameters given twice, and what is no text."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler, and before it the look at the query. Without a query, as most appends are, it costs a comparison."""
        handle = super().get_route_handler()
        known = self.asks()

        async def answer(request: Request) -> Response:
            if query := request.scope["query_string"]:
                check_query(query, *known(request))
            if "\x00" in request.scope["path"]:
                raise NotFoundError("expected a path without U+0000: no name holds it")
            return await handle(request)

        return answer

    def asks(self) -> Callable[[Request], tuple[Collection[str], Collection[str]]]:
        """Return what says which parameters a request may have: those given once, and those that may be repeated."""
        known = parameters_of(self)
        return lambda request: known


def parameters_of(route: APIRoute) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the names of the query's parameters that a route knows: those given once, and those that may be repeated."""
    fields = list(_fields(route.dependant))
    several = tuple(name for name, annotation in fields if typing.get_origin(annotation) is list)
    described = [p["name"] for p in (route.openapi_extra or {}).get("parameters", ()) if p["in"] == "query"]
    return tuple(dict.fromkeys([name for name, _ in fields if name not in several] + described)), several


def _fields(dependant: Dependant) -> Iterator[tuple[str, Any]]:
    for field in dependant.query_params:
        yield field.alias, field.field_info.annotation
    for part in dependant.dependencies:
        yield from _fields(part)


def check_query(query: bytes, once: Collection[str], several: Collection[str]) -> None:
    """Raise RequestError for a query that asks what a route does not answer."""
    try:
        pairs = parse_qsl(query.decode("ascii"), keep_blank_values=True, errors="strict")
    except ValueError:
        raise RequestError(422, "Not admissible", "expected the query in UTF-8, percent-encoded", "/") from None
    seen: set[str] = set()
    for name, value in pairs:
        if name not in once and name not in several:
            raise RequestError(422, "Not admissible", no_such("parameter", name, (*once, *several)), f"/{name[:80]}")
        if name in seen and name not in several:
            raise RequestError(422, "Not admissible", f"expected {name} once, found it twice", f"/{name}")
        if "\x00" in value:
            raise RequestError(422, "Not admissible", f"expected {name} without U+0000: no text holds it", f"/{name}")
        seen.add(name)


def link_to_next(request: Request, after: str | int | None) -> dict[str, str]:
    """Return the header that says where the next page is (RFC 8288), if there is one.

    Without scheme and host: a proxy may have others than this process knows of.
    """
    if after is None:
        return {}
    url = request.url.include_query_params(after=after)
    return {"Link": f'<{url.path}?{url.query}>; rel="next"'}

"""Whatever under the console is no page."""

from fastapi import APIRouter
from fastapi.responses import Response

from api.console.pages import KnownVisit, PageRoute
from ledger.errors import NotFoundError

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get("/console/{path:rest}")
def elsewhere(visit: KnownVisit, path: str) -> Response:
    """There is nothing: said to whoever is signed in, as a page."""
    raise NotFoundError(f"there is no page {path[:80]!r}: go to one by the list of pages, or by a name")

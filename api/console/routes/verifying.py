"""Verify: the verifier in one file, to keep and to use here; its SHA-256, and where the ledger says that it is this one."""

import re
from typing import Final

from fastapi import APIRouter
from fastapi.responses import Response

from api.console.pages import HEADERS, KnownVisit, PageRoute, page
from api.desk.verifier import NAME, published, sha256, verifier

router = APIRouter(route_class=PageRoute, include_in_schema=False)
_POLICY: Final = re.compile(rb'<meta http-equiv="Content-Security-Policy" content="([^"]*)">')


@router.get("/console/verify")
def verify(visit: KnownVisit) -> Response:
    """What the verifier is, how to know it, and the file itself within the page."""
    found = published(visit.ledger.database)
    made = page(visit, "verify.html", title="Verify", name=NAME, sha256=sha256(), published=found)
    made.headers["Content-Security-Policy"] += "; frame-src 'self'"
    return made


@router.get("/console/verify.html")
def the_file() -> Response:
    """The file, byte for byte as its digest says. Its own policy is its header, too; a page of this server alone may show it."""
    policy = _POLICY.search(verifier())
    assert policy is not None, "scripts/verifier puts one in"
    own = {"Content-Security-Policy": f"{policy[1].decode()}; frame-ancestors 'self'"}
    return Response(verifier(), media_type="text/html", headers=dict(HEADERS) | own)
